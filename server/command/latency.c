/* The measuring half of LATENCY: histograms by command, samples by event. The commands are in
 * latency_commands.c.
 *
 * Histograms belong to the executors' threads: each writes its own, and whoever asks adds them up.
 * A reset cannot touch them then; so it remembers what they had, and what it remembers is taken off
 * from then on. */
#include "server/command/latency.h"
#include "server/command/latency_events.h"

#include "server/clock.h"
#include "server/command/histogram.h"
#include "server/command/stats.h"
#include "server/config.h"

#include "common/memory.h"
#include <pthread.h>
#include <stdlib.h>

_Atomic uint64_t latency_threshold = UINT64_MAX;
atomic_bool latency_tracking;

/* Nanoseconds of 2^20 ticks; written once by latency_init. */
static uint64_t ns_of_ticks;

/* By executor: an array with a place for each command. Places are filled by the executor's thread.
 */
struct place {
    struct histogram *_Atomic histogram;
};
static struct place *_Atomic places[EXECUTORS_MAX];

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct histogram_sum **taken_off; /* by command; under mutex; NULL before a reset */

/* ---- Histograms ---- */

void latency_track(const struct call *call, uint64_t ticks)
{
    unsigned index = call->executor->index;
    struct place *mine = atomic_load_explicit(&places[index], memory_order_relaxed);
    if (__builtin_expect(!mine, 0)) {
        mine = memory_alloc_zeroed(command_count(), sizeof(*mine));
        atomic_store_explicit(&places[index], mine, memory_order_release);
    }
    struct place *place = &mine[call->entry->id];
    struct histogram *histogram = atomic_load_explicit(&place->histogram, memory_order_relaxed);
    if (__builtin_expect(!histogram, 0)) {
        histogram = memory_alloc_zeroed(1, sizeof(*histogram));
        atomic_store_explicit(&place->histogram, histogram, memory_order_release);
    }
    uint64_t ns = (uint64_t)((unsigned __int128)ticks * ns_of_ticks >> 20);
    histogram_add(histogram, ns);
}

/* Adds up one command's histograms, before what is to be taken off; false where it never ran. */
static bool add_up(unsigned id, struct histogram_sum *sum)
{
    memset(sum, 0, sizeof(*sum));
    for (unsigned i = 0; i < EXECUTORS_MAX; i++) {
        const struct place *theirs = atomic_load_explicit(&places[i], memory_order_acquire);
        const struct histogram *histogram =
            theirs ? atomic_load_explicit(&theirs[id].histogram, memory_order_acquire) : NULL;
        if (histogram)
            histogram_sum_add(sum, histogram);
    }
    return sum->total > 0;
}

bool latency_histogram(unsigned id, struct histogram_sum *sum)
{
    pthread_mutex_lock(&mutex); /* so that no reset comes between */
    if (add_up(id, sum) && taken_off && taken_off[id])
        histogram_sum_subtract(sum, taken_off[id]);
    pthread_mutex_unlock(&mutex);
    return sum->total > 0;
}

static void reset_histograms(void)
{
    pthread_mutex_lock(&mutex);
    if (!taken_off)
        taken_off = memory_alloc_zeroed(command_count(), sizeof(struct histogram_sum *));
    struct histogram_sum *sum = memory_alloc(sizeof(*sum));
    for (unsigned id = 0; id < command_count(); id++) {
        if (!add_up(id, sum))
            continue;
        if (!taken_off[id])
            taken_off[id] = memory_alloc(sizeof(*sum));
        *taken_off[id] = *sum;
    }
    free(sum);
    pthread_mutex_unlock(&mutex);
}

/* The percentiles of one command, as latency-tracking-info-percentiles names them. */
static void append_percentiles(
    struct buffer *out, const struct histogram_sum *sum, const char *percentiles)
{
    bool first = true;
    while (*percentiles) {
        char *end;
        double percentile = strtod(percentiles, &end);
        buffer_printf(out, "%sp%.17g=%.3f", first ? "" : ",", percentile,
            (double)histogram_sum_percentile(sum, percentile) / 1000);
        first = false;
        percentiles = end + strspn(end, " ");
    }
}

void latency_info(struct buffer *out)
{
    char *percentiles = config_text(CONFIG_LATENCY_TRACKING_INFO_PERCENTILES);
    struct histogram_sum *sum = memory_alloc(sizeof(*sum));
    for (unsigned id = 0; percentiles[0] && id < command_count(); id++) {
        if (!latency_histogram(id, sum))
            continue;
        buffer_printf(out, "latency_percentiles_usec_%s:", command_by_id(id)->name);
        append_percentiles(out, sum, percentiles);
        buffer_append_text(out, "\r\n");
    }
    free(sum);
    free(percentiles);
}

/* ---- Events ---- */

static pthread_mutex_t event_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct latency_event events[LATENCY_EVENTS_MAX]; /* these two under event_mutex */
static size_t event_count;

/* The event of that name; NULL: there is none. */
static struct latency_event *find_event(struct bytes name)
{
    for (size_t i = 0; i < event_count; i++) {
        if (bytes_is(name, events[i].name))
            return &events[i];
    }
    return NULL;
}

static struct latency_event *find_or_add_event(const char *name)
{
    struct latency_event *event = find_event(bytes_of(name));
    if (!event && event_count < LATENCY_EVENTS_MAX) {
        event = &events[event_count++];
        *event = (struct latency_event){ .name = name };
    }
    return event;
}

void latency_sample(const char *name, int64_t ms)
{
    int64_t threshold = config_number(CONFIG_LATENCY_MONITOR_THRESHOLD);
    if (threshold == 0 || ms < threshold)
        return;
    int64_t now = clock_unix_ms() / 1000;
    pthread_mutex_lock(&event_mutex);
    struct latency_event *event = find_or_add_event(name);
    if (event) {
        struct latency_point *last = event->count ? latency_point(event, event->count - 1) : NULL;
        if (ms > event->max_ms)
            event->max_ms = ms;
        if (last && last->at == now) {
            last->ms = ms > last->ms ? ms : last->ms; /* one point a second */
        } else if (event->count < LATENCY_POINTS) {
            event->points[event->count++] = (struct latency_point){ now, ms };
        } else {
            event->points[event->oldest] = (struct latency_point){ now, ms };
            event->oldest = (event->oldest + 1) % LATENCY_POINTS;
        }
    }
    pthread_mutex_unlock(&event_mutex);
}

void latency_sample_command(const struct call *call, uint64_t ticks)
{
    bool fast = call->entry->command->flags & CMD_FAST;
    latency_sample(fast ? "fast-command" : "command", (int64_t)(clock_ticks_to_us(ticks) / 1000));
}

bool latency_event_copy(struct bytes name, struct latency_event *out)
{
    pthread_mutex_lock(&event_mutex);
    const struct latency_event *event = find_event(name);
    if (event)
        *out = *event;
    pthread_mutex_unlock(&event_mutex);
    return event != NULL;
}

size_t latency_events_copy(struct latency_event *out)
{
    pthread_mutex_lock(&event_mutex);
    size_t count = event_count;
    memcpy(out, events, count * sizeof(*out));
    pthread_mutex_unlock(&event_mutex);
    return count;
}

size_t latency_events_reset(const struct bytes *name)
{
    pthread_mutex_lock(&event_mutex);
    size_t removed = 0;
    for (size_t i = event_count; i-- > 0;) {
        if (name && !bytes_is(*name, events[i].name))
            continue;
        events[i] = events[--event_count];
        removed++;
    }
    pthread_mutex_unlock(&event_mutex);
    return removed;
}

/* ---- Configuration ---- */

static bool apply(enum config_id id, struct error *error)
{
    int64_t ms = config_number(CONFIG_LATENCY_MONITOR_THRESHOLD);
    uint64_t us = ms > 0 && ms < INT64_MAX / 1000 ? (uint64_t)ms * 1000 : UINT64_MAX;
    atomic_store(&latency_threshold, us == UINT64_MAX ? us : clock_us_to_ticks(us));
    atomic_store(&latency_tracking, config_is(CONFIG_LATENCY_TRACKING));
    return true;
}

void latency_init(void)
{
    ns_of_ticks = (uint64_t)(1048576e9 / (double)clock_us_to_ticks(1000000));
    config_on_change(CONFIG_LATENCY_MONITOR_THRESHOLD, apply);
    config_on_change(CONFIG_LATENCY_TRACKING, apply);
    stats_on_reset(reset_histograms);
    apply(CONFIG_LATENCY_TRACKING, NULL);
}
