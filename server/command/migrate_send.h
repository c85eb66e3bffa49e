/* Sending keys to another node, as MIGRATE does: AUTH, SELECT and one RESTORE for each key in one
 * go, then the answers. Everything here blocks, and belongs to background threads; connections are
 * kept for some seconds for the next. */
#ifndef SERVER_COMMAND_MIGRATE_SEND_H
#define SERVER_COMMAND_MIGRATE_SEND_H

#include "server/command/migrate_link.h"
#include "server/store/entry.h"

struct migrate_target {
    char *host, *port;           /* text; owned, as all below */
    int64_t database;            /* SELECT; where the node is in another one */
    int timeout_ms;              /* for each step: connecting, some bytes written, an answer read */
    struct bytes user, password; /* data NULL: not given */
    bool replace;                /* RESTORE ... REPLACE */
    bool asking;                 /* RESTORE-ASKING */
    bool compress;               /* rdbcompression */
};

struct migrate_item {
    struct entry *entry; /* the key as it was; the sender only reads it */
    bool asked;          /* RESTORE was sent for it */
    bool accepted;       /* the target has it now, and said so */
};

enum { MIGRATE_FAILURE_MAX = MIGRATE_LINE_MAX + 64 };

/* Sends the items (but one whose expiry has passed by then) and sets `asked` and `accepted`. False:
 * `failure`, of MIGRATE_FAILURE_MAX bytes, says what went wrong first, as an error reply does; some
 * may have been accepted all the same. */
bool migrate_send(
    const struct migrate_target *target, struct migrate_item *items, size_t count, char *failure);

#endif
