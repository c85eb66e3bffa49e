#include "server/store/turn.h"

#include "common/memory.h"
#include "server/store/lock.h"
#include <pthread.h>
#include <unistd.h>

struct turn_runner {
    struct slot_lock lock;
    unsigned depth; /* of turns within turns; the runner's thread */
    bool is_long;   /* likewise */
    char line[64 - sizeof(struct slot_lock) - 2 * sizeof(unsigned)]; /* its own cache line */
} __attribute__((aligned(64)));

/* The runners there are; the first `count` are in use, and stay. Guarded by `stopping` for writing.
 */
static struct turn_runner runners[TURN_RUNNERS_MAX];
static atomic_uint count;
static pthread_mutex_t stopping = PTHREAD_MUTEX_INITIALIZER;
/* How many want to stop all turns, or have: a runner that is busy would take its own lock again
 * before the one who waits for it has woken up, so it lets that one go first. */
static atomic_uint wanted;
static atomic_uint long_turns; /* see turn_set_long */

struct turn_runner *turn_runner_create(void)
{
    pthread_mutex_lock(&stopping);
    unsigned index = atomic_load(&count);
    if (index == TURN_RUNNERS_MAX)
        memory_exhausted(sizeof(struct turn_runner));
    atomic_store(&count, index + 1);
    pthread_mutex_unlock(&stopping);
    return &runners[index];
}

void turn_begin(struct turn_runner *runner)
{
    if (runner->depth++ > 0)
        return;
    if (__builtin_expect(atomic_load_explicit(&wanted, memory_order_relaxed) > 0, 0)) {
        pthread_mutex_lock(&stopping);
        pthread_mutex_unlock(&stopping);
    }
    slot_lock_acquire(&runner->lock);
}

void turn_end(struct turn_runner *runner)
{
    if (--runner->depth == 0)
        slot_lock_release(&runner->lock);
}

bool turn_is_held(const struct turn_runner *runner)
{
    return runner->depth > 0;
}

void turn_set_long(struct turn_runner *runner, bool is_long)
{
    if (runner->is_long != is_long)
        atomic_fetch_add(&long_turns, is_long ? 1 : (unsigned)-1);
    runner->is_long = is_long;
}

void turn_stop_all(void)
{
    enum { POLL_US = 1000 };
    while (atomic_load(&long_turns) > 0)
        usleep(POLL_US);
    atomic_fetch_add(&wanted, 1);
    pthread_mutex_lock(&stopping);
    for (unsigned i = 0; i < atomic_load(&count); i++)
        slot_lock_acquire(&runners[i].lock);
}

void turn_resume_all(void)
{
    for (unsigned i = 0; i < atomic_load(&count); i++)
        slot_lock_release(&runners[i].lock);
    atomic_fetch_sub(&wanted, 1);
    pthread_mutex_unlock(&stopping);
}
