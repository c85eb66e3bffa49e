/* Which worker has which session: what concerns another's client (CLIENT TRACKING REDIRECT) is sent
 * to it, and whoever sends must know where. A table by ID in some stripes, each with a lock. */
#include "server/command/session.h"

#include "common/memory.h"
#include "server/command/client_memory.h"
#include "server/command/monitor.h"
#include "server/command/topic.h"
#include "server/command/tracking.h"
#include <pthread.h>
#include <stdlib.h>

enum { STRIPES = 16, FIRST_PLACES = 64 };

struct place {
    uint64_t id; /* 0: free */
    struct executor *executor;
};

/* Open addressing; IDs count up, so they spread by themselves. */
static struct stripe {
    pthread_mutex_t mutex; /* guards the rest */
    struct place *places;  /* owned */
    size_t count, capacity;
} __attribute__((aligned(64)))
stripes[STRIPES] = { [0 ... STRIPES - 1] = { .mutex = PTHREAD_MUTEX_INITIALIZER } };

static size_t index_of(const struct stripe *stripe, uint64_t id)
{
    size_t at = id / STRIPES & (stripe->capacity - 1);
    while (stripe->places[at].id != 0 && stripe->places[at].id != id)
        at = (at + 1) & (stripe->capacity - 1);
    return at;
}

static void grow(struct stripe *stripe)
{
    struct place *old = stripe->places;
    size_t capacity = stripe->capacity;
    stripe->capacity = capacity ? capacity * 2 : FIRST_PLACES;
    stripe->places = memory_alloc_zeroed(stripe->capacity, sizeof(*old));
    for (size_t i = 0; i < capacity; i++) {
        if (old[i].id != 0)
            stripe->places[index_of(stripe, old[i].id)] = old[i];
    }
    free(old);
}

static void remove_at(struct stripe *stripe, size_t hole)
{
    size_t mask = stripe->capacity - 1;
    for (size_t at = (hole + 1) & mask; stripe->places[at].id != 0; at = (at + 1) & mask) {
        size_t home = stripe->places[at].id / STRIPES & mask;
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            stripe->places[hole] = stripe->places[at];
            hole = at;
        }
    }
    stripe->places[hole] = (struct place){ 0 };
    stripe->count--;
}

void session_came(struct session *session)
{
    struct stripe *stripe = &stripes[session->id % STRIPES];
    pthread_mutex_lock(&stripe->mutex);
    if (stripe->count * 2 >= stripe->capacity)
        grow(stripe);
    stripe->places[index_of(stripe, session->id)] =
        (struct place){ session->id, session->executor };
    stripe->count++;
    pthread_mutex_unlock(&stripe->mutex);
}

void session_gone(struct session *session)
{
    struct stripe *stripe = &stripes[session->id % STRIPES];
    pthread_mutex_lock(&stripe->mutex);
    remove_at(stripe, index_of(stripe, session->id));
    pthread_mutex_unlock(&stripe->mutex);
    client_memory_forget(session);
    monitor_stop(session);
    tracking_stop(session);
    topic_leave_all(session);
}

struct executor *session_where(uint64_t id)
{
    struct stripe *stripe = &stripes[id % STRIPES];
    struct executor *executor = NULL;
    pthread_mutex_lock(&stripe->mutex);
    if (stripe->capacity)
        executor = stripe->places[index_of(stripe, id)].executor;
    pthread_mutex_unlock(&stripe->mutex);
    return executor;
}
