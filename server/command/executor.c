#include "server/command/executor.h"

#include "common/memory.h"
#include "server/clock.h"
#include "server/command/block.h"
#include "server/command/command.h"
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

/* All executors there ever were; entries below `count` stay. Written under `mutex`. */
static struct executor *_Atomic executors[EXECUTORS_MAX];
static atomic_uint count;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

struct executor *executor_create(struct store *store, struct journal *journal)
{
    struct executor *executor = memory_alloc_zeroed(1, sizeof(*executor));
    executor->turn = turn_runner_create();
    executor->store = store;
    executor->journal = journal;
    executor->box = -1;
    executor->commands = memory_alloc_zeroed(command_count(), sizeof(*executor->commands));
    pthread_mutex_lock(&mutex);
    executor->index = atomic_load(&count);
    if (executor->index == EXECUTORS_MAX)
        memory_exhausted(sizeof(*executor));
    atomic_store(&executors[executor->index], executor);
    atomic_store(&count, executor->index + 1);
    pthread_mutex_unlock(&mutex);
    return executor;
}

void executor_read_clock(struct executor *executor)
{
    int64_t now = clock_unix_ms();
    if (now > executor->now)
        executor->now = now;
}

unsigned executor_count(void)
{
    return atomic_load(&count);
}

struct executor *executor_at(unsigned index)
{
    return atomic_load(&executors[index]);
}

bool executor_serve(struct executor *executor)
{
    if (!executor->serve)
        return true;
    struct executor kept = *executor;
    executor->effects = (struct buffer){ 0 };
    executor->effect_count = 0;
    executor->in_transaction = executor->holds_all_slots = executor->effects_muted = false;
    executor->extra_is_all = false;
    executor->held = executor->extra = NULL;
    executor->held_count = executor->extra_count = executor->extra_capacity = 0;
    executor->marked = NULL;
    executor->marked_count = executor->marked_capacity = 0;
    bool goes_on = executor->serve(executor);
    block_join_marks(executor, &kept);
    buffer_free(&executor->effects);
    free(executor->extra);
    executor->effects = kept.effects;
    executor->effect_count = kept.effect_count;
    executor->effect_database = kept.effect_database;
    executor->first_database = kept.first_database;
    executor->in_transaction = kept.in_transaction;
    executor->holds_all_slots = kept.holds_all_slots;
    executor->effects_muted = kept.effects_muted;
    executor->held = kept.held;
    executor->held_count = kept.held_count;
    executor->extra = kept.extra;
    executor->extra_count = kept.extra_count;
    executor->extra_capacity = kept.extra_capacity;
    executor->extra_is_all = kept.extra_is_all;
    return goes_on;
}

void executor_lock_slot(struct executor *executor, struct slot *slot)
{
    enum { POLL_US = 500 };
    if (!executor->serve) {
        slot_lock_acquire(&slot->lock);
        return;
    }
    while (!slot_lock_enter(&slot->lock)) {
        executor_serve(executor);
        usleep(POLL_US);
    }
}

static void retry(void *arg)
{
    struct executor *executor = arg;
    executor->retry_waiting(executor);
}

void executor_retry_all(void)
{
    for (unsigned i = 0; i < executor_count(); i++) {
        struct executor *executor = executor_at(i);
        if (executor->post)
            executor->post(executor, retry, executor);
    }
}
