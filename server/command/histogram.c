#include "server/command/histogram.h"

#include "common/memory.h"
#include <math.h>
#include <stdlib.h>

_Atomic uint64_t *histogram_add_octave(struct histogram *histogram, unsigned octave)
{
    _Atomic uint64_t *counters = memory_alloc_zeroed(HISTOGRAM_STEPS, sizeof(*counters));
    atomic_store_explicit(&histogram->octaves[octave], counters, memory_order_release);
    return counters;
}

void histogram_free(struct histogram *histogram)
{
    for (unsigned i = 0; i < HISTOGRAM_OCTAVES; i++)
        free((void *)atomic_load(&histogram->octaves[i]));
}

void histogram_sum_add(struct histogram_sum *sum, const struct histogram *histogram)
{
    for (unsigned octave = 0; octave < HISTOGRAM_OCTAVES; octave++) {
        const _Atomic uint64_t *counters =
            atomic_load_explicit(&histogram->octaves[octave], memory_order_acquire);
        for (unsigned step = 0; counters && step < HISTOGRAM_STEPS; step++) {
            uint64_t count = atomic_load_explicit(&counters[step], memory_order_relaxed);
            sum->counts[octave * HISTOGRAM_STEPS + step] += count;
            sum->total += count;
        }
    }
}

void histogram_sum_subtract(struct histogram_sum *sum, const struct histogram_sum *less)
{
    for (unsigned i = 0; i < HISTOGRAM_OCTAVES * HISTOGRAM_STEPS; i++)
        sum->counts[i] -= less->counts[i];
    sum->total -= less->total;
}

uint64_t histogram_sum_up_to(const struct histogram_sum *sum, uint64_t ns)
{
    unsigned step, octave = histogram_place(ns, &step);
    uint64_t count = 0;
    for (unsigned i = 0; i <= octave * HISTOGRAM_STEPS + step; i++)
        count += sum->counts[i];
    return count;
}

uint64_t histogram_step_end(uint64_t ns)
{
    unsigned step, octave = histogram_place(ns, &step);
    unsigned shift = octave ? octave - 1 : 0;
    return (((ns >> shift) + 1) << shift) - 1;
}

uint64_t histogram_sum_percentile(const struct histogram_sum *sum, double percentile)
{
    uint64_t wanted = (uint64_t)ceil(percentile / 100 * (double)sum->total), count = 0;
    if (wanted == 0)
        wanted = 1;
    for (unsigned i = 0; sum->total && i < HISTOGRAM_OCTAVES * HISTOGRAM_STEPS; i++) {
        count += sum->counts[i];
        if (count < wanted)
            continue;
        unsigned octave = i / HISTOGRAM_STEPS, step = i % HISTOGRAM_STEPS;
        return histogram_step_end(
            octave ? (uint64_t)(HISTOGRAM_STEPS + step) << (octave - 1) : step);
    }
    return 0;
}
