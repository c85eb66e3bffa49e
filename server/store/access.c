#include "server/store/access.h"

#include <stdatomic.h>

enum { COUNT_BITS = 8, COUNT_FIRST = 5, MINUTE_MASK = 0xffff, AHEAD_MAX = 10, MS_A_MINUTE = 60 * 1000 };

/* Written when the configuration changes, read by all. */
static _Atomic bool is_lfu;
static _Atomic int64_t log_factor = 10, decay_minutes = 1;

void access_configure(bool lfu, int64_t factor, int64_t decay)
{
    atomic_store_explicit(&log_factor, factor, memory_order_relaxed);
    atomic_store_explicit(&decay_minutes, decay, memory_order_relaxed);
    atomic_store_explicit(&is_lfu, lfu, memory_order_relaxed);
}

bool access_is_lfu(void)
{
    return atomic_load_explicit(&is_lfu, memory_order_relaxed);
}

static uint32_t second_of(int64_t now)
{
    return (uint32_t)(now / 1000) & ACCESS_MASK;
}

static uint32_t minute_of(int64_t now)
{
    return (uint32_t)(now / MS_A_MINUTE) & MINUTE_MASK;
}

/* From 0 to 1. */
static double draw(void)
{
    static _Thread_local uint64_t state;
    if (!state)
        state = (uint64_t)(uintptr_t)&state * UINT64_C(0x9e3779b97f4a7c15) | 1;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (double)(state >> 11) / (double)(UINT64_C(1) << 53);
}

static unsigned count_up(unsigned count)
{
    if (count == ACCESS_COUNT_MAX)
        return count;
    double above = count > COUNT_FIRST ? count - COUNT_FIRST : 0;
    double factor = (double)atomic_load_explicit(&log_factor, memory_order_relaxed);
    return count + (draw() * (above * factor + 1) < 1);
}

unsigned access_count(const struct entry *entry, int64_t now)
{
    unsigned count = entry->access & ACCESS_COUNT_MAX;
    int64_t decay = atomic_load_explicit(&decay_minutes, memory_order_relaxed);
    if (decay == 0)
        return count;
    uint32_t elapsed = (minute_of(now) - (entry->access >> COUNT_BITS)) & MINUTE_MASK;
    int64_t loss = elapsed / decay;
    return loss > count ? 0 : count - (unsigned)loss;
}

void access_set_count(struct entry *entry, int64_t now, unsigned count)
{
    entry->access = minute_of(now) << COUNT_BITS | count;
}

int64_t access_idle_seconds(const struct entry *entry, int64_t now)
{
    /* Another thread may have used it by a clock that is a moment ahead. */
    uint32_t idle = (second_of(now) - entry->access) & ACCESS_MASK;
    return idle > ACCESS_MASK - AHEAD_MAX ? 0 : idle;
}

void access_set_idle(struct entry *entry, int64_t now, int64_t seconds)
{
    uint32_t idle = seconds < ACCESS_MASK ? (uint32_t)seconds : ACCESS_MASK;
    entry->access = (second_of(now) - idle) & ACCESS_MASK;
}

void access_begin(struct entry *entry, int64_t now)
{
    if (access_is_lfu())
        access_set_count(entry, now, COUNT_FIRST);
    else
        entry->access = second_of(now);
}

void access_touch(struct entry *entry, int64_t now)
{
    if (__builtin_expect(access_is_lfu(), 0))
        access_set_count(entry, now, count_up(access_count(entry, now)));
    else
        entry->access = second_of(now);
}
