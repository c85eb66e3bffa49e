/* A histogram of times: log-linear, 128 steps to each doubling, so that any value is told within 1
 * %. From 1 ns to 1 s; what is longer counts as 1 s. */
#ifndef SERVER_COMMAND_HISTOGRAM_H
#define SERVER_COMMAND_HISTOGRAM_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum {
    HISTOGRAM_STEP_BITS = 7,
    HISTOGRAM_STEPS = 1 << HISTOGRAM_STEP_BITS,
    HISTOGRAM_OCTAVES = 24
};
#define HISTOGRAM_MAX UINT64_C(1000000000)

/* The counters of an octave are allocated when a value falls into it. Written by its owner's thread
 * alone. */
struct histogram {
    _Atomic uint64_t *_Atomic octaves[HISTOGRAM_OCTAVES];
};

/* The octave of a value: 0 has the values below 128, each of which is a step of its own; octave o
 * has the 128 steps, of 1 << (o - 1) each, from 128 << (o - 1) to 256 << (o - 1). Its step within
 * it goes to *step. */
static inline unsigned histogram_place(uint64_t ns, unsigned *step)
{
    unsigned octave = 0;
    if (ns >= HISTOGRAM_STEPS)
        octave = 64 - (unsigned)__builtin_clzll(ns) - HISTOGRAM_STEP_BITS;
    *step = (unsigned)(ns >> (octave ? octave - 1 : 0)) & (HISTOGRAM_STEPS - 1);
    return octave;
}

_Atomic uint64_t *histogram_add_octave(struct histogram *histogram, unsigned octave);

/* Only the owner's thread. */
static inline void histogram_add(struct histogram *histogram, uint64_t ns)
{
    unsigned step, octave = histogram_place(ns < HISTOGRAM_MAX ? ns : HISTOGRAM_MAX, &step);
    _Atomic uint64_t *counters =
        atomic_load_explicit(&histogram->octaves[octave], memory_order_relaxed);
    if (__builtin_expect(!counters, 0))
        counters = histogram_add_octave(histogram, octave);
    atomic_store_explicit(&counters[step],
        atomic_load_explicit(&counters[step], memory_order_relaxed) + 1, memory_order_relaxed);
}
void histogram_free(struct histogram *histogram);

/* Several histograms added up by one reader. */
struct histogram_sum {
    uint64_t counts[HISTOGRAM_OCTAVES * HISTOGRAM_STEPS];
    uint64_t total;
};
/* Any thread. */
void histogram_sum_add(struct histogram_sum *sum, const struct histogram *histogram);
void histogram_sum_subtract(struct histogram_sum *sum, const struct histogram_sum *less);
/* How many are not longer than the step in which ns lies. */
uint64_t histogram_sum_up_to(const struct histogram_sum *sum, uint64_t ns);
/* The largest value that lies in the same step as ns. */
uint64_t histogram_step_end(uint64_t ns);
/* The end of the step in which the percentile (0 to 100) lies; 0 where there is nothing. */
uint64_t histogram_sum_percentile(const struct histogram_sum *sum, double percentile);

#endif
