/* A node's ID: 40 lower-case hexadecimal digits, for life. */
#ifndef COMMON_NODE_ID_H
#define COMMON_NODE_ID_H

#include "common/bytes.h"

enum { NODE_ID_LEN = 40 };

struct node_id {
    char text[NODE_ID_LEN + 1]; /* zero-terminated; an empty text is no ID */
};

/* From the system's random source (getrandom); ends the process where there is none. */
struct node_id node_id_random(void);
/* Exactly 40 digits 0-9a-f. */
bool node_id_parse(struct bytes text, struct node_id *id);

static inline bool node_id_equal(const struct node_id *a, const struct node_id *b)
{
    return memcmp(a->text, b->text, NODE_ID_LEN) == 0;
}
static inline bool node_id_is_set(const struct node_id *id)
{
    return id->text[0] != '\0';
}

#endif
