/* Conditions: what keeps commands from running as usual, as bits of one word. As a rule the word is zero,
 * and one load is all that a command pays. Set and cleared by the module that knows. */
#ifndef SERVER_COMMAND_CONDITION_H
#define SERVER_COMMAND_CONDITION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum condition {
    CONDITION_PASSWORD = 1 << 0,       /* the default user needs one, or is off */
    CONDITION_LOADING = 1 << 1,        /* the data set is being read */
    CONDITION_REPLICA = 1 << 2,        /* this node is a replica */
    CONDITION_STALE = 1 << 3,          /* a replica without its primary's link */
    CONDITION_AOF_FAILING = 1 << 4,    /* the append-only file cannot be written */
    CONDITION_RDB_FAILING = 1 << 5,    /* the last BGSAVE failed and stop-writes-on-bgsave-error is on */
    CONDITION_FEW_REPLICAS = 1 << 6,   /* fewer good replicas than min-replicas-to-write */
    CONDITION_WRITES_PAUSED = 1 << 7,  /* CLIENT PAUSE WRITE, a manual failover */
    CONDITION_ALL_PAUSED = 1 << 8,     /* CLIENT PAUSE ALL */
    CONDITION_CLUSTER_DOWN = 1 << 9,   /* the cluster's state is fail */
    CONDITION_AOF_BEHIND = 1 << 10,    /* the disk cannot follow: writes wait */
    CONDITION_MAXMEMORY = 1 << 11,     /* maxmemory is set: see evict.h */
};

extern _Atomic uint32_t condition_bits; /* read it through condition_all */

static inline uint32_t condition_all(void)
{
    return atomic_load_explicit(&condition_bits, memory_order_relaxed);
}

/* Any thread. For a condition that must hold from one moment on for all commands (a pause, becoming a
 * replica) the caller stops all turns around it. Clearing one that makes requests wait tries them again. */
void condition_set(enum condition condition, bool on);

/* Pauses: CLIENT PAUSE and manual failovers each have one; the sooner-ending does not end the other. Stops
 * all turns itself. until_ms: Unix time. pause_tick ends what is over; called some ten times a second. */
enum pause_purpose { PAUSE_CLIENT, PAUSE_FAILOVER, PAUSE_SHUTDOWN, PAUSE_RELOAD, PAUSE_PURPOSES };
void pause_begin(enum pause_purpose purpose, bool writes_only, int64_t until_ms);
void pause_end(enum pause_purpose purpose);
void pause_tick(int64_t now_ms);
/* Whether there is a pause, for CLIENT INFO and the expiry cycle. */
static inline bool pause_is_on(void)
{
    return condition_all() & (CONDITION_WRITES_PAUSED | CONDITION_ALL_PAUSED);
}

#endif
