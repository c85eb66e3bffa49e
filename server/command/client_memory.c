/* Once a second worker 0 sends a visit round all sessions, each in its own worker, one worker after
 * the other. So the sums need no lock: whoever has the visit has them. What a round has found is
 * then put where INFO reads it. */
#include "server/command/client_memory.h"

#include "server/clock.h"
#include "server/command/executor.h"
#include "server/command/session.h"
#include "server/config.h"
#include "server/info.h"
#include "server/log.h"
#include "server/periodic.h"

#include "common/memory.h"
#include <stdlib.h>
#include <string.h>

enum { RECENT = 8, PERIOD_MS = 1000 }; /* rounds that count as recent */

struct look {
    size_t normal, replicas; /* bytes of memory */
    size_t input, output;    /* the largest buffer, in bytes */
};

/* Of the round under way: of the worker that is being visited. */
static struct look now;

/* Worker 0's. */
static bool is_under_way;
static int64_t last_ms; /* monotonic */
static struct look recent[RECENT];
static unsigned rounds;

/* Written by worker 0, read by any. */
static atomic_size_t normal, replicas, input_max, output_max;

static void visit(void *arg, struct session *session)
{
    struct session_figures figures;
    session->executor->measure(session, &figures);
    if (session->flags & SESSION_REPLICA)
        now.replicas += figures.memory;
    else
        now.normal += figures.memory;
    size_t input = figures.input + figures.input_free;
    now.input = input > now.input ? input : now.input;
    now.output = figures.output_memory > now.output ? figures.output_memory : now.output;
}

static void done(void *arg)
{
    size_t input = 0, output = 0;
    recent[rounds++ % RECENT] = now;
    for (size_t i = 0; i < RECENT; i++) {
        input = recent[i].input > input ? recent[i].input : input;
        output = recent[i].output > output ? recent[i].output : output;
    }
    atomic_store(&normal, now.normal);
    atomic_store(&replicas, now.replicas);
    atomic_store(&input_max, input);
    atomic_store(&output_max, output);
    is_under_way = false;
}

static void tick(struct executor *executor, unsigned worker, unsigned workers)
{
    int64_t time = clock_monotonic_ms();
    if (is_under_way || time - last_ms < PERIOD_MS)
        return;
    is_under_way = true;
    last_ms = time;
    memset(&now, 0, sizeof(now));
    executor->visit(executor, visit, done, NULL);
}

/* ---- maxmemory-clients ----
 *
 * Each worker has the sum of its own clients, brought up to date as their buffers change, for all to
 * read. Whoever finds the sum of the sums too large sends a visit round: it gathers who could be
 * closed, the largest are chosen, and a second round closes them. There is one at a time. */

struct candidate {
    uint64_t id;
    size_t memory;
};

struct eviction {
    struct executor *asker;
    struct candidate *candidates; /* owned */
    size_t count, capacity;
};

static atomic_bool evicting;
static _Atomic uint64_t evicted;

static bool is_counted(const struct session *session)
{
    return !(session->flags & (SESSION_REPLICA | SESSION_PRIMARY));
}

/* Of an executor's own sum. */
static void set_counted(struct session *session, size_t memory)
{
    atomic_size_t *sum = &session->executor->client_memory;
    atomic_store_explicit(sum,
        atomic_load_explicit(sum, memory_order_relaxed) - session->counted + memory,
        memory_order_relaxed);
    session->counted = memory;
}

/* In bytes; 0: none, as when it is a share of a maxmemory that is not set. Below the least of it
 * nobody could say anything. */
static size_t limit(void)
{
    enum { LEAST = 128 * 1024 };
    int64_t max = config_number(CONFIG_MAXMEMORY_CLIENTS);
    if (max < 0) /* in percent */
        max = (int64_t)((double)config_number(CONFIG_MAXMEMORY) * (double)-max / 100);
    if (max == 0)
        return 0;
    return max < LEAST ? LEAST : (size_t)max;
}

void client_memory_note(struct session *session)
{
    if (__builtin_expect(limit() == 0, 1) || !is_counted(session))
        return;
    struct session_figures figures;
    session->executor->measure(session, &figures);
    set_counted(session, figures.memory);
}

void client_memory_forget(struct session *session)
{
    set_counted(session, 0);
}

static size_t sum_of_all(void)
{
    size_t sum = 0;
    for (unsigned i = 0; i < executor_count(); i++)
        sum += atomic_load_explicit(&executor_at(i)->client_memory, memory_order_relaxed);
    return sum;
}

static int larger_first(const void *a, const void *b)
{
    const struct candidate *one = a, *other = b;
    return (one->memory < other->memory) - (one->memory > other->memory);
}

static void gather(void *arg, struct session *session)
{
    struct eviction *eviction = arg;
    client_memory_note(session);
    if (!is_counted(session) || session->flags & SESSION_NO_EVICT)
        return;
    if (eviction->count == eviction->capacity) {
        eviction->capacity = eviction->capacity ? eviction->capacity * 2 : 64;
        eviction->candidates = memory_resize(
            eviction->candidates, eviction->capacity * sizeof(*eviction->candidates));
    }
    eviction->candidates[eviction->count++] = (struct candidate){ session->id, session->counted };
}

static void close_chosen(void *arg, struct session *session)
{
    struct eviction *eviction = arg;
    for (size_t i = 0; i < eviction->count; i++) {
        if (eviction->candidates[i].id != session->id)
            continue;
        log_write(LOG_NOTICE, "Evicting client %s: %zu bytes are too many under maxmemory-clients",
            session->peer, session->counted);
        client_memory_forget(session);
        atomic_fetch_add(&evicted, 1);
        session->executor->close(session);
        return;
    }
}

static void end_eviction(void *arg)
{
    struct eviction *eviction = arg;
    free(eviction->candidates);
    free(eviction);
    atomic_store(&evicting, false);
}

/* The largest, as many as it takes. */
static void choose(void *arg)
{
    struct eviction *eviction = arg;
    size_t sum = sum_of_all(), max = limit(), chosen = 0;
    qsort(eviction->candidates, eviction->count, sizeof(struct candidate), larger_first);
    while (max > 0 && sum > max && chosen < eviction->count) {
        size_t memory = eviction->candidates[chosen++].memory;
        sum -= memory < sum ? memory : sum;
    }
    eviction->count = chosen;
    if (chosen > 0)
        eviction->asker->visit(eviction->asker, close_chosen, end_eviction, eviction);
    else
        end_eviction(eviction);
}

void client_memory_enforce(struct executor *executor)
{
    size_t max = limit();
    if (__builtin_expect(max == 0, 1) || sum_of_all() <= max || atomic_exchange(&evicting, true))
        return;
    struct eviction *eviction = memory_alloc_zeroed(1, sizeof(*eviction));
    eviction->asker = executor;
    executor->visit(executor, gather, choose, eviction);
}

/* ---- INFO ---- */

static void tell_stats(struct buffer *out)
{
    buffer_printf(
        out, "evicted_clients:%llu\r\n", (unsigned long long)atomic_load(&evicted));
}

static void tell_clients(struct buffer *out)
{
    buffer_printf(out,
        "client_recent_max_input_buffer:%zu\r\nclient_recent_max_output_buffer:%zu\r\n",
        atomic_load(&input_max), atomic_load(&output_max));
}

static void tell_memory(struct buffer *out)
{
    buffer_printf(out, "mem_clients_slaves:%zu\r\nmem_clients_normal:%zu\r\n",
        atomic_load(&replicas), atomic_load(&normal));
}

void client_memory_init(void)
{
    periodic_add(tick, false);
    info_register("clients", tell_clients);
    info_register("memory", tell_memory);
    info_register("stats", tell_stats);
}
