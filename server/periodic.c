#include "server/periodic.h"

#include <assert.h>

enum { MAX = 32 };

/* Written before the workers start, only read afterwards. */
static struct {
    periodic_fn *fn;
    bool everywhere;
} chores[MAX];
static unsigned count;
static atomic_bool stands_still;

void periodic_pause(bool paused)
{
    atomic_store(&stands_still, paused);
}

void periodic_add(periodic_fn *fn, bool everywhere)
{
    assert(count < MAX);
    chores[count].fn = fn;
    chores[count++].everywhere = everywhere;
}

void periodic_run(struct executor *executor, unsigned worker, unsigned workers)
{
    if (atomic_load_explicit(&stands_still, memory_order_relaxed))
        return;
    for (unsigned i = 0; i < count; i++) {
        if (worker == 0 || chores[i].everywhere)
            chores[i].fn(executor, worker, workers);
    }
}
