#include "server/command/stats.h"

#include "common/memory.h"
#include "server/command/command.h"
#include <pthread.h>
#include <stdlib.h>

enum { RESETS_MAX = 16, SAMPLES = 16, RATES_MAX = 4 };

/* Both structures are nothing but counters. */
enum {
    FIELDS = sizeof(struct executor_counters) / sizeof(uint64_t),
    COMMAND_FIELDS = sizeof(struct command_counter) / sizeof(uint64_t),
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* guards all below but `resets` */
static struct executor_counters taken_off;
static struct command_counter
    *commands_taken_off; /* command_count() of them; NULL before a reset */

/* One look at the counters; the rates are between the oldest and the newest. */
static struct sample {
    int64_t at_ms;
    struct executor_counters total;
    uint64_t others[RATES_MAX];
} samples[SAMPLES];
static size_t sample_count; /* ever taken */

static void (*resets[RESETS_MAX])(void); /* written before any thread runs */
static size_t reset_count;

static struct {
    const char *name;
    uint64_t (*read)(void);
} others[RATES_MAX]; /* likewise */
static size_t other_count;

/* The sums belong to the caller alone, so plain loads and stores do for them. */
static uint64_t value_of(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* Adds so many counters, which follow each other, to the sums; sign -1 takes them off. */
static void add(_Atomic uint64_t *sums, const _Atomic uint64_t *counters, size_t count, int sign)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t value = sign < 0 ? 0 - value_of(&counters[i]) : value_of(&counters[i]);
        atomic_store_explicit(&sums[i], value_of(&sums[i]) + value, memory_order_relaxed);
    }
}

static void sum_total(struct executor_counters *total)
{
    memset(total, 0, sizeof(*total));
    for (unsigned i = 0; i < executor_count(); i++)
        add(&total->commands, &executor_at(i)->counters.commands, FIELDS, 1);
}

static void sum_command(unsigned id, struct command_counter *command)
{
    memset(command, 0, sizeof(*command));
    for (unsigned i = 0; i < executor_count(); i++)
        add(&command->calls, &executor_at(i)->commands[id].calls, COMMAND_FIELDS, 1);
}

void stats_total(struct executor_counters *total)
{
    pthread_mutex_lock(&mutex);
    sum_total(total);
    add(&total->commands, &taken_off.commands, FIELDS, -1);
    pthread_mutex_unlock(&mutex);
}

void stats_command(unsigned id, struct command_counter *command)
{
    pthread_mutex_lock(&mutex);
    sum_command(id, command);
    if (commands_taken_off)
        add(&command->calls, &commands_taken_off[id].calls, COMMAND_FIELDS, -1);
    pthread_mutex_unlock(&mutex);
}

void stats_reset(void)
{
    pthread_mutex_lock(&mutex);
    sum_total(&taken_off);
    if (!commands_taken_off)
        commands_taken_off = memory_alloc_zeroed(command_count(), sizeof(*commands_taken_off));
    for (unsigned id = 0; id < command_count(); id++)
        sum_command(id, &commands_taken_off[id]);
    sample_count = 0;
    pthread_mutex_unlock(&mutex);
    for (size_t i = 0; i < reset_count; i++)
        resets[i]();
}

void stats_on_reset(void (*reset)(void))
{
    if (reset_count == RESETS_MAX)
        abort(); /* a program with more of them needs a larger table */
    resets[reset_count++] = reset;
}

void stats_tick(int64_t now_monotonic_ms)
{
    pthread_mutex_lock(&mutex);
    struct sample *sample = &samples[sample_count++ % SAMPLES];
    sample->at_ms = now_monotonic_ms;
    sum_total(&sample->total);
    for (size_t i = 0; i < other_count; i++)
        sample->others[i] = others[i].read();
    pthread_mutex_unlock(&mutex);
}

/* The samples to compare; returns the seconds between them, 0: there are no two. mutex is held. */
static double find_span(const struct sample **oldest, const struct sample **newest)
{
    if (sample_count < 2)
        return 0;
    *newest = &samples[(sample_count - 1) % SAMPLES];
    *oldest = &samples[sample_count > SAMPLES ? sample_count % SAMPLES : 0];
    int64_t ms = (*newest)->at_ms - (*oldest)->at_ms;
    return ms > 0 ? (double)ms / 1000 : 0;
}

void stats_rates(struct stats_rates *rates)
{
    const struct sample *oldest, *newest;
    *rates = (struct stats_rates){ 0 };
    pthread_mutex_lock(&mutex);
    double seconds = find_span(&oldest, &newest);
    if (seconds > 0) {
        const struct executor_counters *from = &oldest->total, *to = &newest->total;
        rates->commands = (double)(to->commands - from->commands) / seconds;
        rates->bytes_in = (double)(to->bytes_in - from->bytes_in) / seconds;
        rates->bytes_out = (double)(to->bytes_out - from->bytes_out) / seconds;
        uint64_t looked = to->expire_looked - from->expire_looked;
        if (looked > 0)
            rates->expire_over = (double)(to->expire_over - from->expire_over) / (double)looked;
    }
    pthread_mutex_unlock(&mutex);
}

void stats_add_rate(const char *name, uint64_t (*read)(void))
{
    if (other_count == RATES_MAX)
        abort(); /* as above */
    others[other_count].name = name;
    others[other_count++].read = read;
}

void stats_tell_rates(struct buffer *out)
{
    const struct sample *oldest, *newest;
    pthread_mutex_lock(&mutex);
    double seconds = find_span(&oldest, &newest);
    for (size_t i = 0; i < other_count; i++) {
        double bytes = seconds > 0 ? (double)(newest->others[i] - oldest->others[i]) : 0;
        buffer_printf(out, "%s:%.2f\r\n", others[i].name, bytes > 0 ? bytes / seconds / 1024 : 0.0);
    }
    pthread_mutex_unlock(&mutex);
}
