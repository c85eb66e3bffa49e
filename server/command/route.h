/* Who may be served: the cluster's part of dispatch. */
#ifndef SERVER_COMMAND_ROUTE_H
#define SERVER_COMMAND_ROUTE_H

#include "server/command/call.h"

/* The keys of one request or of a whole transaction. */
struct route {
    struct slot *slot; /* of all of them; locked */
    unsigned flags;    /* enum command_flag: of all commands together; CMD_PUBSUB of one that is for
                          sharded channels */
    size_t keys;       /* how many */
    size_t missing;    /* of them are not here; counted only while the slot is on its way */
    bool several;      /* they are not all the same one; likewise */
    bool is_migrate;   /* the command is MIGRATE */
};

/* Whether the session may be served here; if not, the redirect or error has been written. */
bool route_is_served(struct session *session, struct reply *reply, const struct route *route);

/* Counts one of the keys, while the slot is on its way. first: the first of them all. */
void route_add_key(struct route *route, const struct store *store, int64_t now, struct bytes key,
    struct bytes first);
/* Whether `missing` and `several` are wanted. */
static inline bool route_counts_missing(const struct slot *slot)
{
    return slot->serving == SLOT_MIGRATING || slot->serving == SLOT_IMPORTING;
}

#endif
