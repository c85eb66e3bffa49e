/* Once a second worker 0 sends a visit round all sessions, each in its own worker, one worker after
 * the other. So the sums need no lock: whoever has the visit has them. What a round has found is
 * then put where INFO reads it. */
#include "server/command/client_memory.h"

#include "server/clock.h"
#include "server/command/executor.h"
#include "server/command/session.h"
#include "server/info.h"
#include "server/periodic.h"

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
}
