/* What commands cost each slot: processor time, bytes in and out, for CLUSTER SLOT-STATS. Counted
 * where cluster-slot-stats-enabled says so, else it costs one branch at every command. A slot itself
 * is one cache line and full, so the counts are a table beside the slots: of database 0, the only
 * one that a cluster has. */
#ifndef SERVER_COMMAND_SLOT_STATS_H
#define SERVER_COMMAND_SLOT_STATS_H

#include "server/command/call.h"

/* Of one slot; under the slot's lock. */
struct slot_stats {
    uint64_t ticks, bytes_in, bytes_out;
};

/* Written when the configuration changes, read by all. */
extern atomic_bool slot_stats_enabled;
static inline bool slot_stats_are_on(void)
{
    return atomic_load_explicit(&slot_stats_enabled, memory_order_relaxed);
}

/* Before any thread: takes the directive, and each change of it. */
void slot_stats_init(void);
/* The call is through, and took so many ticks; its reply had so many bytes before. The call's slot
 * is locked. */
void slot_stats_note(const struct call *call, uint64_t ticks, size_t reply_before);
/* The slot is locked. */
struct slot_stats slot_stats_get(unsigned number);
void slot_stats_reset(unsigned number);
void slot_stats_reset_all(struct call *call); /* takes the locks itself, one at a time */

/* CLUSTER SLOT-STATS */
void cluster_slot_stats(struct call *call);

#endif
