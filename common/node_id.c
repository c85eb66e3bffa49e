#include "common/node_id.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

struct node_id node_id_random(void)
{
    unsigned char random[NODE_ID_LEN / 2];
    ssize_t got;
    do {
        got = getrandom(random, sizeof(random), 0);
    } while (got < 0 && errno == EINTR);
    /* Below 256 bytes getrandom gives all or nothing. */
    if (got != (ssize_t)sizeof(random)) {
        perror("no random bytes from the system for a node ID (getrandom)");
        abort();
    }
    struct node_id id;
    for (size_t i = 0; i < sizeof(random); i++) {
        id.text[2 * i] = "0123456789abcdef"[random[i] >> 4];
        id.text[2 * i + 1] = "0123456789abcdef"[random[i] & 15];
    }
    id.text[NODE_ID_LEN] = '\0';
    return id;
}

bool node_id_parse(struct bytes text, struct node_id *id)
{
    if (text.len != NODE_ID_LEN)
        return false;
    for (size_t i = 0; i < NODE_ID_LEN; i++) {
        char c = text.data[i];
        if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f'))
            return false;
    }
    memcpy(id->text, text.data, NODE_ID_LEN);
    id->text[NODE_ID_LEN] = '\0';
    return true;
}
