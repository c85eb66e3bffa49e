/* How long things take: a histogram for each command (latency-tracking), and the samples of events
 * that took longer than latency-monitor-threshold. */
#ifndef SERVER_COMMAND_LATENCY_H
#define SERVER_COMMAND_LATENCY_H

#include "common/buffer.h"
#include "server/command/call.h"
#include <stdatomic.h>

/* Reads the configuration and follows it; after clock_init, command_registry_init and config_load,
 * before any thread. */
void latency_init(void);

/* Something took so long: kept where that is at least the threshold. event: one of a small set of
 * constant names, as Redis has them ("aof-fsync-always", "expire-cycle"). Any thread. */
void latency_sample(const char *event, int64_t ms);

/* From so many ticks on a command is an event; UINT64_MAX where the monitor is off. Written when
 * the configuration changes. */
extern _Atomic uint64_t latency_threshold;
extern atomic_bool latency_tracking;

void latency_track(const struct call *call, uint64_t ticks);
void latency_sample_command(const struct call *call, uint64_t ticks);

/* The command took so long; in its executor's thread. */
static inline void latency_note(const struct call *call, uint64_t ticks)
{
    if (atomic_load_explicit(&latency_tracking, memory_order_relaxed))
        latency_track(call, ticks);
    if (__builtin_expect(
            ticks >= atomic_load_explicit(&latency_threshold, memory_order_relaxed), 0))
        latency_sample_command(call, ticks);
}

/* INFO latencystats: a line for each command that ran. */
void latency_info(struct buffer *out);

#endif
