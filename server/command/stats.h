/* The executors' counters added up, since the start or the last CONFIG RESETSTAT. */
#ifndef SERVER_COMMAND_STATS_H
#define SERVER_COMMAND_STATS_H

#include "server/command/executor.h"

/* The fields of struct executor_counters. */
struct stats_total {
    uint64_t commands, keyspace_hits, keyspace_misses, expired, connections_accepted, bytes_in,
        bytes_out, redirected, errors, slow_reads;
};

struct stats_command {
    uint64_t calls, ticks, rejected, failed;
};

/* Any thread. */
void stats_total(struct stats_total *total);
void stats_command(unsigned id, struct stats_command *command);

/* Everything counts from zero again. The counters themselves belong to the executors' threads and
 * go on: what they had is remembered and taken off. */
void stats_reset(void);
/* What else a reset concerns; registered before any thread runs, called in the thread of CONFIG
 * RESETSTAT. */
void stats_on_reset(void (*reset)(void));

/* Rates over the last 1.6 seconds. stats_tick is called ten times a second, by one thread. */
struct stats_rates {
    double commands;            /* a second */
    double bytes_in, bytes_out; /* a second */
};
void stats_tick(int64_t now_monotonic_ms);
void stats_rates(struct stats_rates *rates);

#endif
