/* Clocks: Unix time, monotonic time, and the processor's tick counter for what must cost nothing. */
#ifndef SERVER_CLOCK_H
#define SERVER_CLOCK_H

#include <stdint.h>

int64_t clock_unix_ms(void);
int64_t clock_unix_us(void);
int64_t clock_monotonic_ms(void);
int64_t clock_monotonic_us(void);

/* Ticks of a constant rate, cheap to read; to be compared within one process only. */
static inline uint64_t clock_ticks(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#else
    return (uint64_t)clock_monotonic_us();
#endif
}

/* Measures the rate of the ticks once (it takes some milliseconds); call it before any thread. */
void clock_init(void);
uint64_t clock_ticks_to_us(uint64_t ticks);
uint64_t clock_us_to_ticks(uint64_t us);

#endif
