/* What is said between connecting to a primary and its stream. Used by the link's thread alone. */
#ifndef SERVER_REPLICATION_HANDSHAKE_H
#define SERVER_REPLICATION_HANDSHAKE_H

#include "server/journal/journal.h"
#include "server/replication/link.h"
#include "server/replication/primary_socket.h"

/* What this node has, to go on from; id empty: nothing. */
struct position {
    char id[JOURNAL_ID_LEN + 1];
    int64_t offset; /* bytes known */
};

enum handshake {
    HANDSHAKE_CONTINUE, /* id is the history's name from now on */
    HANDSHAKE_FULL,     /* of id, offset: a snapshot follows */
    HANDSHAKE_FAILED,   /* to be tried again */
    HANDSHAKE_REFUSED,  /* the target does not take over */
};

/* *answer: see above. timeout_ms: of silence. */
enum handshake handshake(struct primary_socket *socket, const struct link_target *target,
    const struct position *have, struct position *answer, int timeout_ms, struct error *error);

#endif
