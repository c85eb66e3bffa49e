#include "server/command/tracking_table.h"

#include "common/memory.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/random.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

enum { STRIPES = 64, FIRST_BUCKETS = 16 };

struct tracked {
    struct tracked *next;
    uint64_t hash;
    struct tracking_readers readers;
    size_t len;
    char key[];
};

static struct stripe {
    pthread_mutex_t mutex; /* guards the rest */
    struct tracked **buckets;
    size_t count, capacity;
} __attribute__((aligned(64))) stripes[STRIPES];
static uint64_t seed;
static atomic_size_t keys, items;
static atomic_uint turn; /* where take_any begins to look */

void tracking_table_init(void)
{
    if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
        seed = (uint64_t)(uintptr_t)&seed;
    for (unsigned i = 0; i < STRIPES; i++)
        pthread_mutex_init(&stripes[i].mutex, NULL);
}

static void grow(struct stripe *stripe)
{
    size_t capacity = stripe->capacity ? stripe->capacity * 2 : FIRST_BUCKETS;
    struct tracked **buckets = memory_alloc_zeroed(capacity, sizeof(struct tracked *));
    for (size_t i = 0; i < stripe->capacity; i++) {
        for (struct tracked *each = stripe->buckets[i], *next; each; each = next) {
            next = each->next;
            each->next = buckets[each->hash & (capacity - 1)];
            buckets[each->hash & (capacity - 1)] = each;
        }
    }
    free(stripe->buckets);
    stripe->buckets = buckets;
    stripe->capacity = capacity;
}

static struct tracked **place_of(struct stripe *stripe, uint64_t hash, struct bytes key)
{
    struct tracked **place = &stripe->buckets[hash & (stripe->capacity - 1)];
    while (*place && ((*place)->hash != hash ||
                         !bytes_equal((struct bytes){ (*place)->key, (*place)->len }, key)))
        place = &(*place)->next;
    return place;
}

/* The order is that of IDs, in which a reader who reads often is found quickly. */
static bool add_reader(struct tracking_readers *readers, struct tracking_reader reader)
{
    size_t low = 0, high = readers->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (readers->items[middle].id < reader.id)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < readers->count && readers->items[low].id == reader.id)
        return false;
    if (readers->count == readers->capacity) {
        readers->capacity = readers->capacity ? readers->capacity * 2 : 1;
        readers->items = memory_resize(readers->items, readers->capacity * sizeof(reader));
    }
    memmove(
        readers->items + low + 1, readers->items + low, (readers->count - low) * sizeof(reader));
    readers->items[low] = reader;
    readers->count++;
    return true;
}

void tracking_table_add(struct bytes key, struct tracking_reader reader)
{
    uint64_t hash = XXH3_64bits_withSeed(key.data, key.len, seed);
    struct stripe *stripe = &stripes[hash >> 58];
    pthread_mutex_lock(&stripe->mutex);
    if (stripe->count >= stripe->capacity)
        grow(stripe);
    struct tracked **place = place_of(stripe, hash, key);
    if (!*place) {
        *place = memory_alloc(sizeof(**place) + key.len);
        **place = (struct tracked){ .hash = hash, .len = key.len };
        if (key.len > 0)
            memcpy((*place)->key, key.data, key.len);
        stripe->count++;
        atomic_fetch_add(&keys, 1);
    }
    if (add_reader(&(*place)->readers, reader))
        atomic_fetch_add(&items, 1);
    pthread_mutex_unlock(&stripe->mutex);
}

/* Unhooks what is there; under the stripe's lock. */
static struct tracked *unhook(struct stripe *stripe, struct tracked **place)
{
    struct tracked *tracked = *place;
    *place = tracked->next;
    stripe->count--;
    atomic_fetch_sub(&keys, 1);
    atomic_fetch_sub(&items, tracked->readers.count);
    return tracked;
}

struct tracking_readers tracking_table_take(struct bytes key)
{
    struct tracking_readers readers = { 0 };
    if (atomic_load_explicit(&keys, memory_order_relaxed) == 0)
        return readers;
    uint64_t hash = XXH3_64bits_withSeed(key.data, key.len, seed);
    struct stripe *stripe = &stripes[hash >> 58];
    struct tracked *tracked = NULL;
    pthread_mutex_lock(&stripe->mutex);
    struct tracked **place = stripe->capacity ? place_of(stripe, hash, key) : NULL;
    if (place && *place)
        tracked = unhook(stripe, place);
    pthread_mutex_unlock(&stripe->mutex);
    if (tracked)
        readers = tracked->readers;
    free(tracked);
    return readers;
}

/* The names' hashes are chance enough: the first key of the bucket next in turn. */
static struct tracked *take_one(struct stripe *stripe, size_t from)
{
    struct tracked *tracked = NULL;
    pthread_mutex_lock(&stripe->mutex);
    for (size_t i = 0; i < stripe->capacity && stripe->count > 0 && !tracked; i++) {
        struct tracked **place = &stripe->buckets[(from + i) & (stripe->capacity - 1)];
        if (*place)
            tracked = unhook(stripe, place);
    }
    pthread_mutex_unlock(&stripe->mutex);
    return tracked;
}

bool tracking_table_take_any(struct bytes *key, struct tracking_readers *readers)
{
    unsigned from = atomic_fetch_add(&turn, 1);
    struct tracked *tracked = NULL;
    for (unsigned i = 0; i < STRIPES && !tracked; i++)
        tracked = take_one(&stripes[(from + i) % STRIPES], from / STRIPES);
    if (!tracked)
        return false;
    *key = (struct bytes){ memory_copy(tracked->key, tracked->len), tracked->len };
    *readers = tracked->readers;
    free(tracked);
    return true;
}

void tracking_table_clear(void)
{
    for (unsigned i = 0; i < STRIPES; i++) {
        struct stripe *stripe = &stripes[i];
        pthread_mutex_lock(&stripe->mutex);
        for (size_t bucket = 0; bucket < stripe->capacity; bucket++) {
            while (stripe->buckets[bucket]) {
                struct tracked *tracked = unhook(stripe, &stripe->buckets[bucket]);
                free(tracked->readers.items);
                free(tracked);
            }
        }
        free(stripe->buckets);
        stripe->buckets = NULL;
        stripe->capacity = 0;
        pthread_mutex_unlock(&stripe->mutex);
    }
}

size_t tracking_table_keys(void)
{
    return atomic_load_explicit(&keys, memory_order_relaxed);
}

size_t tracking_table_items(void)
{
    return atomic_load_explicit(&items, memory_order_relaxed);
}
