/* A look at a key that counts as a hit or a miss but is no use of it: EXISTS, TYPE, TTL, OBJECT. */
#ifndef SERVER_COMMAND_KEY_LOOK_H
#define SERVER_COMMAND_KEY_LOOK_H

#include "server/command/notify.h"

/* As key_read, without touching the access clock, and (OBJECT) without telling of a miss. */
static inline bool key_look_quietly(struct call *call, int index, struct key *key)
{
    bool there = key_peek(call, index, key);
    struct executor_counters *counters = &call->executor->counters;
    counter_add(there ? &counters->keyspace_hits : &counters->keyspace_misses, 1);
    return there;
}

/* As key_read, without touching the access clock. */
static inline bool key_look(struct call *call, int index, struct key *key)
{
    bool there = key_look_quietly(call, index, key);
    if (!there)
        key_notify(call, key, NOTIFY_KEY_MISS, "keymiss");
    return there;
}

#endif
