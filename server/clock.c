#include "server/clock.h"

#include <time.h>

static double ticks_per_us = 1; /* written once by clock_init */

static int64_t read_us(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

int64_t clock_unix_us(void)
{
    return read_us(CLOCK_REALTIME);
}

int64_t clock_unix_ms(void)
{
    return clock_unix_us() / 1000;
}

int64_t clock_monotonic_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

int64_t clock_monotonic_ms(void)
{
    return clock_monotonic_us() / 1000;
}

void clock_init(void)
{
    int64_t start_us = clock_monotonic_us(), end_us;
    uint64_t start = clock_ticks();
    while ((end_us = clock_monotonic_us()) < start_us + 3000)
        ;
    ticks_per_us = (double)(clock_ticks() - start) / (double)(end_us - start_us);
}

uint64_t clock_ticks_to_us(uint64_t ticks)
{
    return (uint64_t)((double)ticks / ticks_per_us);
}

uint64_t clock_us_to_ticks(uint64_t us)
{
    return (uint64_t)((double)us * ticks_per_us);
}
