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
    unsigned flags;        /* of all commands together */
    unsigned common_flags; /* that each of them has */
    size_t memory; /* bytes of all requests, to be bounded as input that is not yet dealt with */
    bool broken;   /* a command was refused while queueing: EXEC says EXECABORT */
};

/* Queues the request; one that cannot run any more (broken, or a watched key has changed) is only
 * counted. */
void transaction_add(
    struct session *session, const struct command_entry *entry, const struct bytes *argv, int argc);
/* Whether a command of the transaction behind this one may use the key: by its name, or because it
 * goes over the whole key space. */
bool transaction_wants_behind(const struct call *call, struct bytes key);
/* Bytes that the session's transaction takes; 0 without one. */
size_t transaction_memory(const struct session *session);
/* A request was refused: EXEC will not run. Nothing where there is no transaction. */
void transaction_break(struct session *session);
/* Ends it without running, and forgets what was watched. */
void transaction_discard(struct session *session);

#endif
