#include "server/command/topic.h"

#include "common/memory.h"
#include "common/slot.h"
#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

enum { STRIPES = 64, FIRST_BUCKETS = 8 };

/* Every message is matched with every pattern, and every changed key with every prefix: these lie
 * together in their first stripe. */
struct stripe {
    pthread_rwlock_t lock;
    struct topic **buckets; /* owned; the topics by hash */
    size_t capacity;
    atomic_size_t count; /* written under the lock */
} __attribute__((aligned(64)));

static struct stripe stripes[TOPIC_KINDS][STRIPES];
static uint64_t seed; /* new for each process: nobody can choose names that meet in one bucket */

void topic_init(void)
{
    if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
        seed = (uint64_t)(uintptr_t)&seed;
    for (unsigned kind = 0; kind < TOPIC_KINDS; kind++) {
        for (unsigned i = 0; i < STRIPES; i++)
            pthread_rwlock_init(&stripes[kind][i].lock, NULL);
    }
}

static uint64_t hash_of(struct bytes name)
{
    return XXH3_64bits_withSeed(name.data, name.len, seed);
}

static struct stripe *stripe_of(enum topic_kind kind, uint64_t hash)
{
    bool together = kind == TOPIC_PATTERN || kind == TOPIC_PREFIX;
    return &stripes[kind][together ? 0 : hash >> 58];
}

/* ---- A stripe's table; under its lock ---- */

static struct topic **place_of(struct stripe *stripe, uint64_t hash, struct bytes name)
{
    struct topic **place = &stripe->buckets[hash & (stripe->capacity - 1)];
    while (*place && ((*place)->hash != hash || !bytes_equal((*place)->name, name)))
        place = &(*place)->next;
    return place;
}

static void grow(struct stripe *stripe)
{
    size_t capacity = stripe->capacity ? stripe->capacity * 2 : FIRST_BUCKETS;
    struct topic **buckets = memory_alloc_zeroed(capacity, sizeof(struct topic *));
    for (size_t i = 0; i < stripe->capacity; i++) {
        for (struct topic *topic = stripe->buckets[i], *next; topic; topic = next) {
            next = topic->next;
            topic->next = buckets[topic->hash & (capacity - 1)];
            buckets[topic->hash & (capacity - 1)] = topic;
        }
    }
    free(stripe->buckets);
    stripe->buckets = buckets;
    stripe->capacity = capacity;
}

static struct topic *create(enum topic_kind kind, uint64_t hash, struct bytes name)
{
    size_t lists = push_boxes() * sizeof(struct topic_list);
    struct topic *topic = memory_alloc(sizeof(*topic) + lists + name.len);
    *topic = (struct topic){ .kind = kind, .hash = hash };
    atomic_init(&topic->refs, 1);
    memset(topic->lists, 0, lists);
    char *copy = (char *)topic->lists + lists;
    if (name.len > 0)
        memcpy(copy, name.data, name.len);
    topic->name = (struct bytes){ copy, name.len };
    topic->slot = kind == TOPIC_SHARD ? (uint16_t)slot_of_key(name) : 0;
    return topic;
}

void topic_release(struct topic *topic)
{
    if (atomic_fetch_sub_explicit(&topic->refs, 1, memory_order_acq_rel) > 1)
        return;
    for (unsigned i = 0; i < push_boxes(); i++)
        free(topic->lists[i].items);
    free(topic);
}

/* One subscriber more, of this worker; the topic is made where there is none. */
static struct topic *join(struct executor *executor, enum topic_kind kind, struct bytes name)
{
    uint64_t hash = hash_of(name);
    struct stripe *stripe = stripe_of(kind, hash);
    pthread_rwlock_wrlock(&stripe->lock);
    if (atomic_load_explicit(&stripe->count, memory_order_relaxed) >= stripe->capacity)
        grow(stripe);
    struct topic **place = place_of(stripe, hash, name);
    if (!*place) {
        *place = create(kind, hash, name);
        atomic_fetch_add_explicit(&stripe->count, 1, memory_order_relaxed);
    }
    struct topic *topic = topic_hold(*place);
    topic->workers |= push_bit(executor);
    topic->subscribers++;
    pthread_rwlock_unlock(&stripe->lock);
    return topic;
}

/* One less; `last`: this worker has no other. */
static void leave(struct executor *executor, struct topic *topic, bool last)
{
    struct stripe *stripe = stripe_of(topic->kind, topic->hash);
    pthread_rwlock_wrlock(&stripe->lock);
    if (last)
        topic->workers &= (push_set)~push_bit(executor);
    bool unused = --topic->subscribers == 0;
    if (unused) {
        *place_of(stripe, topic->hash, topic->name) = topic->next;
        atomic_fetch_sub_explicit(&stripe->count, 1, memory_order_relaxed);
    }
    pthread_rwlock_unlock(&stripe->lock);
    if (unused)
        topic_release(topic);
}

/* ---- A session's table ---- */

static struct subscription **bucket_of(
    struct subscription **buckets, size_t capacity, const struct topic *topic)
{
    return &buckets[topic->hash & (capacity - 1)];
}

static struct subscription **find(
    const struct session *session, enum topic_kind kind, struct bytes name)
{
    struct subscriptions *all = session->subscriptions;
    if (!all)
        return NULL;
    uint64_t hash = hash_of(name);
    struct subscription **place = &all->buckets[hash & (all->capacity - 1)];
    for (; *place; place = &(*place)->next_in_session) {
        const struct topic *topic = (*place)->topic;
        if (topic->hash == hash && topic->kind == kind && bytes_equal(topic->name, name))
            return place;
    }
    return NULL;
}

static size_t total(const struct subscriptions *all, unsigned kinds)
{
    size_t count = 0;
    for (unsigned kind = 0; kind < kinds; kind++)
        count += all->counts[kind];
    return count;
}

static void resize(struct subscriptions *all, size_t capacity)
{
    struct subscription **buckets = memory_alloc_zeroed(capacity, sizeof(struct subscription *));
    for (size_t i = 0; i < all->capacity; i++) {
        for (struct subscription *each = all->buckets[i], *next; each; each = next) {
            next = each->next_in_session;
            struct subscription **bucket = bucket_of(buckets, capacity, each->topic);
            each->next_in_session = *bucket;
            *bucket = each;
        }
    }
    free(all->buckets);
    all->buckets = buckets;
    all->capacity = capacity;
}

static void add_to_session(struct session *session, struct subscription *subscription)
{
    if (!session->subscriptions)
        session->subscriptions = memory_alloc_zeroed(1, sizeof(struct subscriptions));
    struct subscriptions *all = session->subscriptions;
    if (total(all, TOPIC_KINDS) >= all->capacity)
        resize(all, all->capacity ? all->capacity * 2 : 4);
    struct subscription **bucket = bucket_of(all->buckets, all->capacity, subscription->topic);
    subscription->next_in_session = *bucket;
    *bucket = subscription;
    all->counts[subscription->topic->kind]++;
    if ((unsigned)subscription->topic->kind < TOPIC_OF_PUBSUB)
        session->flags |= SESSION_SUBSCRIBED;
}

/* After one has gone. */
static void look_what_is_left(struct session *session)
{
    struct subscriptions *all = session->subscriptions;
    if (total(all, TOPIC_OF_PUBSUB) == 0)
        session->flags &= ~(unsigned)SESSION_SUBSCRIBED;
    if (total(all, TOPIC_KINDS) > 0)
        return;
    free(all->buckets);
    free(all);
    session->subscriptions = NULL;
}

/* ---- Both ---- */

bool topic_subscribe(struct session *session, enum topic_kind kind, struct bytes name)
{
    if (find(session, kind, name))
        return false;
    struct executor *executor = session->executor;
    struct subscription *subscription = memory_alloc(sizeof(*subscription));
    *subscription =
        (struct subscription){ .session = session, .topic = join(executor, kind, name) };
    struct topic_list *list = topic_list(subscription->topic, executor);
    if (list->count == list->capacity) {
        list->capacity = list->capacity ? list->capacity * 2 : 1;
        list->items = memory_resize(list->items, list->capacity * sizeof(*list->items));
    }
    subscription->place = list->count;
    list->items[list->count++] = subscription;
    add_to_session(session, subscription);
    return true;
}

void topic_drop(struct subscription *subscription)
{
    struct session *session = subscription->session;
    struct subscriptions *all = session->subscriptions;
    struct topic *topic = subscription->topic;
    struct subscription **place = bucket_of(all->buckets, all->capacity, topic);
    while (*place != subscription)
        place = &(*place)->next_in_session;
    *place = subscription->next_in_session;
    all->counts[topic->kind]--;
    look_what_is_left(session);

    struct topic_list *list = topic_list(topic, session->executor);
    struct subscription *last = list->items[--list->count];
    list->items[subscription->place] = last;
    last->place = subscription->place;
    leave(session->executor, topic, list->count == 0);
    topic_release(topic);
    free(subscription);
}

bool topic_unsubscribe(struct session *session, enum topic_kind kind, struct bytes name)
{
    struct subscription **place = find(session, kind, name);
    if (!place)
        return false;
    topic_drop(*place);
    return true;
}

struct subscription *topic_next_of(
    const struct session *session, enum topic_kind kind, size_t *cursor)
{
    const struct subscriptions *all = session->subscriptions;
    for (; all && *cursor < all->capacity; ++*cursor) {
        struct subscription *each = all->buckets[*cursor];
        while (each && each->topic->kind != kind)
            each = each->next_in_session;
        if (each)
            return each;
    }
    return NULL;
}

bool topic_each_of(const struct session *session,
    bool (*visit)(void *arg, enum topic_kind kind, struct bytes name), void *arg)
{
    const struct subscriptions *all = session->subscriptions;
    for (size_t i = 0; all && i < all->capacity; i++) {
        for (const struct subscription *each = all->buckets[i]; each;
             each = each->next_in_session) {
            if (each->topic->kind < (enum topic_kind)TOPIC_OF_PUBSUB &&
                !visit(arg, each->topic->kind, each->topic->name))
                return false;
        }
    }
    return true;
}

void topic_leave_all(struct session *session)
{
    for (unsigned kind = 0; kind < TOPIC_KINDS; kind++) {
        struct subscription *each;
        for (size_t cursor = 0; (each = topic_next_of(session, kind, &cursor)) != NULL;)
            topic_drop(each);
    }
}

size_t topic_memory_of(const struct session *session)
{
    const struct subscriptions *all = session->subscriptions;
    return all ? sizeof(*all) + all->capacity * sizeof(*all->buckets) +
                     total(all, TOPIC_KINDS) * sizeof(struct subscription)
               : 0;
}

bool topic_has(const struct session *session, const struct topic *topic)
{
    return find(session, topic->kind, topic->name) != NULL;
}

/* ---- From any thread ---- */

struct topic *topic_find(
    enum topic_kind kind, struct bytes name, push_set *workers, size_t *subscribers)
{
    uint64_t hash = hash_of(name);
    struct stripe *stripe = stripe_of(kind, hash);
    /* Who has been told that his subscription stands has had the lock since it was counted. */
    if (atomic_load_explicit(&stripe->count, memory_order_relaxed) == 0)
        return NULL;
    pthread_rwlock_rdlock(&stripe->lock);
    struct topic *topic = stripe->capacity ? *place_of(stripe, hash, name) : NULL;
    if (topic) {
        topic_hold(topic);
        *workers = topic->workers;
        *subscribers = topic->subscribers;
    }
    pthread_rwlock_unlock(&stripe->lock);
    return topic;
}

void topic_each(enum topic_kind kind, void (*visit)(void *arg, struct topic *topic), void *arg)
{
    for (unsigned i = 0; i < STRIPES; i++) {
        struct stripe *stripe = &stripes[kind][i];
        if (atomic_load_explicit(&stripe->count, memory_order_relaxed) == 0)
            continue;
        pthread_rwlock_rdlock(&stripe->lock);
        for (size_t bucket = 0; bucket < stripe->capacity; bucket++) {
            for (struct topic *topic = stripe->buckets[bucket]; topic; topic = topic->next)
                visit(arg, topic);
        }
        pthread_rwlock_unlock(&stripe->lock);
    }
}

size_t topic_count(enum topic_kind kind)
{
    size_t count = 0;
    for (unsigned i = 0; i < STRIPES; i++)
        count += atomic_load_explicit(&stripes[kind][i].count, memory_order_relaxed);
    return count;
}
