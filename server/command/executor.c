#include "server/command/executor.h"

#include "common/memory.h"
#include "server/command/command.h"
#include <pthread.h>

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

unsigned executor_count(void)
{
    return atomic_load(&count);
}

struct executor *executor_at(unsigned index)
{
    return atomic_load(&executors[index]);
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
