/* The executors' counters added up, since the start or the last CONFIG RESETSTAT. */
#ifndef SERVER_COMMAND_STATS_H
#define SERVER_COMMAND_STATS_H

#include "server/command/executor.h"

/* Any thread. The sums have the form of what they add up. */
void stats_total(struct executor_counters *total);
void stats_command(unsigned id, struct command_counter *command);

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
    double expire_over;         /* of the entries with a time that were looked at, the part that was over */
};
void stats_tick(int64_t now_monotonic_ms);
void stats_rates(struct stats_rates *rates);
/* INFO tells the growth of what `read` gives (bytes since the start; from any thread) as so many KB
 * a second, under this name, beside the others. Before any thread runs. */
void stats_add_rate(const char *name, uint64_t (*read)(void));
/* The lines of those. */
void stats_tell_rates(struct buffer *out);

#endif
