/* MULTI: the commands that a session has queued. */
#ifndef SERVER_COMMAND_TRANSACTION_H
#define SERVER_COMMAND_TRANSACTION_H

#include "server/command/call.h"

/* One queued request: owns a copy of its arguments. */
struct queued {
    const struct command_entry *entry;
    struct bytes *argv;
    int argc;
};

struct transaction {
    struct queued *queue;
    size_t count, capacity;
    unsigned flags;    /* of all commands together */
    bool broken;       /* a command was refused while queueing: EXEC says EXECABORT */
};

void transaction_add(struct session *session, const struct command_entry *entry,
    const struct bytes *argv, int argc);
/* A request was refused: EXEC will not run. Nothing where there is no transaction. */
void transaction_break(struct session *session);
/* Ends it without running, and forgets what was watched. */
void transaction_discard(struct session *session);

#endif
