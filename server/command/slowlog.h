/* The slow log: the last commands that took longer than slowlog-log-slower-than. */
#ifndef SERVER_COMMAND_SLOWLOG_H
#define SERVER_COMMAND_SLOWLOG_H

#include "server/clock.h"
#include "server/command/call.h"

/* Reads the configuration and follows it; after clock_init and config_load, before any thread. */
void slowlog_init(void);

/* What takes as many ticks is logged; written when the configuration changes. */
extern _Atomic uint64_t slowlog_threshold;

/* The command took so long, which is too long. Copies what it keeps: 32 arguments of 128 bytes at
 * most. */
void slowlog_add(const struct call *call, uint64_t microseconds);
/* The command took so long: adds it where that is too long. */
static inline void slowlog_note(const struct call *call, uint64_t ticks)
{
    if (__builtin_expect(
            ticks >= atomic_load_explicit(&slowlog_threshold, memory_order_relaxed), 0))
        slowlog_add(call, clock_ticks_to_us(ticks));
}

#endif
