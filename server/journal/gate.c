/* All of the gate is guarded by one mutex: it is taken once for each fsync, acknowledgement or held
 * reply, not for each command. Only the foremost follower's offset is also an atomic, for the
 * question that `appendfsync always` asks at every write.
 *
 * A listener remembers the lowest offset that it waits for; whoever passes that offset wakes it. It
 * may turn out that another follower is needed still: then it waits again. */
#include "server/journal/gate.h"
#include "common/memory.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { NOBODY = -1 };

struct gate_follower {
    struct gate *gate;
    struct gate_follower *next; /* gate's mutex */
    _Atomic int64_t offset;     /* written under the gate's mutex */
};

struct gate_listener {
    struct gate *gate;
    struct gate_listener *next; /* gate's mutex */
    int64_t wanted;             /* gate's mutex; GATE_OPEN: waits for nothing */
    void (*wake)(void *context);
    void *context;
};

struct gate {
    pthread_mutex_t mutex;
    struct gate_follower *followers; /* mutex */
    struct gate_listener *listeners; /* mutex */
    _Atomic int64_t highest;         /* written under the mutex */
};

struct gate *gate_create(void)
{
    struct gate *gate = memory_alloc_zeroed(1, sizeof *gate);
    pthread_mutex_init(&gate->mutex, NULL);
    atomic_init(&gate->highest, NOBODY);
    return gate;
}

void gate_destroy(struct gate *gate)
{
    if (gate != NULL) {
        pthread_mutex_destroy(&gate->mutex);
        free(gate);
    }
}

static void update_highest(struct gate *gate)
{
    int64_t highest = NOBODY;
    for (struct gate_follower *f = gate->followers; f != NULL; f = f->next) {
        int64_t offset = atomic_load_explicit(&f->offset, memory_order_relaxed);
        highest = offset > highest ? offset : highest;
    }
    atomic_store_explicit(&gate->highest, highest, memory_order_release);
}

static void wake_up_to(struct gate *gate, int64_t offset)
{
    for (struct gate_listener *l = gate->listeners; l != NULL; l = l->next) {
        if (l->wanted < GATE_OPEN && l->wanted <= offset) {
            l->wanted = GATE_OPEN;
            l->wake(l->context);
        }
    }
}

struct gate_follower *gate_follower_add(struct gate *gate, int64_t offset)
{
    struct gate_follower *follower = memory_alloc_zeroed(1, sizeof *follower);
    follower->gate = gate;
    atomic_init(&follower->offset, offset);
    pthread_mutex_lock(&gate->mutex);
    follower->next = gate->followers;
    gate->followers = follower;
    update_highest(gate);
    wake_up_to(gate, offset);
    pthread_mutex_unlock(&gate->mutex);
    return follower;
}

void gate_follower_remove(struct gate_follower *follower)
{
    if (follower == NULL) {
        return;
    }
    struct gate *gate = follower->gate;
    pthread_mutex_lock(&gate->mutex);
    struct gate_follower **link = &gate->followers;
    while (*link != follower) {
        link = &(*link)->next;
    }
    *link = follower->next;
    update_highest(gate);
    pthread_mutex_unlock(&gate->mutex);
    free(follower);
}

static void move(struct gate_follower *follower, int64_t offset, bool back_too)
{
    struct gate *gate = follower->gate;
    pthread_mutex_lock(&gate->mutex);
    int64_t before = atomic_load_explicit(&follower->offset, memory_order_relaxed);
    if (offset > before || back_too) {
        atomic_store_explicit(&follower->offset, offset, memory_order_release);
        update_highest(gate);
        wake_up_to(gate, offset);
    }
    pthread_mutex_unlock(&gate->mutex);
}

void gate_follower_advance(struct gate_follower *follower, int64_t offset)
{
    move(follower, offset, false);
}

void gate_follower_set(struct gate_follower *follower, int64_t offset)
{
    move(follower, offset, true);
}

int64_t gate_follower_offset(const struct gate_follower *follower)
{
    return atomic_load_explicit(&follower->offset, memory_order_acquire);
}

int64_t gate_highest(const struct gate *gate)
{
    return atomic_load_explicit(&gate->highest, memory_order_acquire);
}

static size_t count_reached(const struct gate *gate, int64_t offset)
{
    size_t count = 0;
    for (const struct gate_follower *f = gate->followers; f != NULL; f = f->next) {
        count += atomic_load_explicit(&f->offset, memory_order_relaxed) >= offset;
    }
    return count;
}

size_t gate_count(const struct gate *gate, int64_t offset)
{
    pthread_mutex_t *mutex = (pthread_mutex_t *)&gate->mutex;
    pthread_mutex_lock(mutex);
    size_t count = count_reached(gate, offset);
    pthread_mutex_unlock(mutex);
    return count;
}

struct gate_listener *gate_listener_add(
    struct gate *gate, void (*wake)(void *context), void *context)
{
    struct gate_listener *listener = memory_alloc_zeroed(1, sizeof *listener);
    listener->gate = gate;
    listener->wanted = GATE_OPEN;
    listener->wake = wake;
    listener->context = context;
    pthread_mutex_lock(&gate->mutex);
    listener->next = gate->listeners;
    gate->listeners = listener;
    pthread_mutex_unlock(&gate->mutex);
    return listener;
}

void gate_listener_remove(struct gate_listener *listener)
{
    if (listener == NULL) {
        return;
    }
    struct gate *gate = listener->gate;
    pthread_mutex_lock(&gate->mutex);
    struct gate_listener **link = &gate->listeners;
    while (*link != listener) {
        link = &(*link)->next;
    }
    *link = listener->next;
    pthread_mutex_unlock(&gate->mutex);
    free(listener);
}

bool gate_wait(struct gate_listener *listener, int64_t offset, size_t need)
{
    struct gate *gate = listener->gate;
    if (need == 0 || (need == 1 && gate_highest(gate) >= offset)) {
        return true;
    }
    pthread_mutex_lock(&gate->mutex);
    bool reached = count_reached(gate, offset) >= need;
    if (!reached && offset < listener->wanted) {
        listener->wanted = offset;
    }
    pthread_mutex_unlock(&gate->mutex);
    return reached;
}

void gate_wake_all(struct gate *gate)
{
    pthread_mutex_lock(&gate->mutex);
    wake_up_to(gate, GATE_OPEN - 1);
    pthread_mutex_unlock(&gate->mutex);
}
