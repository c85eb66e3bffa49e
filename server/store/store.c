#define XXH_INLINE_ALL
#include "server/store/store.h"

#include "common/memory.h"
#include "server/store/lazy.h"
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <xxhash.h>

_Static_assert(sizeof(struct slot) == 64, "a slot is one cache line");

enum { TALLIES = 16 };

/* Counts kept apart by thread, so that workers do not pull one cache line to and fro: each adds to
 * the tally that its thread was dealt, a reader sums. */
struct tally {
    _Atomic int64_t keys, expires;
} __attribute__((aligned(64)));

struct store {
    unsigned databases;
    uint64_t seed;
    struct slot *slots;    /* databases * SLOT_COUNT */
    struct tally *tallies; /* databases * TALLIES */
    /* Of each database: see store_snapshot_origin. Guarded by the locks of its slots, all of which
     * the writer has; reset while all turns are stopped. */
    unsigned *origins;
    _Atomic uint64_t swaps;
    /* Written while all turns are stopped, read by all in their turns. */
    const struct store_snapshot *_Atomic snapshot;
    _Atomic uint8_t generation;
};

static unsigned my_tally(void)
{
    static _Atomic unsigned dealt;
    static _Thread_local unsigned mine;
    if (__builtin_expect(!mine, 0))
        mine = 1 + atomic_fetch_add(&dealt, 1) % TALLIES;
    return mine - 1;
}

static void count(struct store *store, const struct slot *slot, int64_t keys, int64_t expires)
{
    unsigned database = store_slot_database(store, slot);
    struct tally *tally = &store->tallies[database * TALLIES + my_tally()];
    if (keys)
        atomic_fetch_add_explicit(&tally->keys, keys, memory_order_relaxed);
    if (expires)
        atomic_fetch_add_explicit(&tally->expires, expires, memory_order_relaxed);
}

static void reset_origins(struct store *store)
{
    for (unsigned database = 0; database < store->databases; database++)
        store->origins[database] = database;
}

struct store *store_create(unsigned databases)
{
    struct store *store = memory_alloc_zeroed(1, sizeof(*store));
    store->databases = databases;
    size_t size = (size_t)databases * SLOT_COUNT * sizeof(struct slot);
    store->slots = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (store->slots == MAP_FAILED)
        memory_exhausted(size);
    size = (size_t)databases * TALLIES * sizeof(struct tally);
    store->tallies = aligned_alloc(64, size);
    if (!store->tallies)
        memory_exhausted(size);
    memset(store->tallies, 0, size);
    store->origins = memory_alloc(databases * sizeof(*store->origins));
    reset_origins(store);
    if (getrandom(&store->seed, sizeof(store->seed), 0) != sizeof(store->seed))
        store->seed = (uintptr_t)store;
    return store;
}

void store_destroy(struct store *store)
{
    size_t count = (size_t)store->databases * SLOT_COUNT;
    for (size_t i = 0; i < count; i++)
        table_free(&store->slots[i].table);
    munmap(store->slots, count * sizeof(struct slot));
    free(store->tallies);
    free(store->origins);
    free(store);
}

unsigned store_databases(const struct store *store)
{
    return store->databases;
}

struct slot *store_slot(struct store *store, unsigned database, unsigned slot)
{
    return &store->slots[(size_t)database * SLOT_COUNT + slot];
}

unsigned store_slot_database(const struct store *store, const struct slot *slot)
{
    return (unsigned)((slot - store->slots) / SLOT_COUNT);
}

unsigned store_slot_number(const struct store *store, const struct slot *slot)
{
    return (unsigned)((slot - store->slots) % SLOT_COUNT);
}

uint64_t store_hash(const struct store *store, struct bytes key)
{
    return XXH3_64bits_withSeed(key.data, key.len, store->seed);
}

static uint64_t rehash(const void *arg, struct bytes key)
{
    return store_hash(arg, key);
}

static int compare_slots(const void *a, const void *b)
{
    const struct slot *const *left = a, *const *right = b;
    return *left < *right ? -1 : *left > *right;
}

/* In ascending order, each once; returns how many there are. */
static size_t sort_slots(struct slot **slots, size_t slot_count)
{
    if (slot_count > 1)
        qsort(slots, slot_count, sizeof(struct slot *), compare_slots);
    size_t kept = 0;
    for (size_t i = 0; i < slot_count; i++) {
        if (kept == 0 || slots[kept - 1] != slots[i])
            slots[kept++] = slots[i];
    }
    return kept;
}

size_t store_lock_many(struct slot **slots, size_t slot_count)
{
    slot_count = sort_slots(slots, slot_count);
    for (size_t i = 0; i < slot_count; i++)
        slot_lock_acquire(&slots[i]->lock);
    return slot_count;
}

bool store_enter_many(struct slot **slots, size_t *slot_count)
{
    *slot_count = sort_slots(slots, *slot_count);
    for (size_t i = 0; i < *slot_count; i++) {
        if (!slot_lock_enter(&slots[i]->lock)) {
            store_unlock_many(slots, i);
            return false;
        }
    }
    return true;
}

void store_lock_all(struct store *store)
{
    for (unsigned database = 0; database < store_databases(store); database++) {
        for (unsigned number = 0; number < SLOT_COUNT; number++)
            slot_lock_acquire(&store_slot(store, database, number)->lock);
    }
}

void store_unlock_all(struct store *store)
{
    for (unsigned database = 0; database < store_databases(store); database++) {
        for (unsigned number = 0; number < SLOT_COUNT; number++)
            slot_lock_release(&store_slot(store, database, number)->lock);
    }
}

void store_unlock_many(struct slot **slots, size_t slot_count)
{
    for (size_t i = 0; i < slot_count; i++)
        slot_lock_release(&slots[i]->lock);
}

table_cell *store_find(const struct slot *slot, uint64_t hash, struct bytes key)
{
    return table_find(&slot->table, hash, key);
}

void store_will_change(struct store *store, struct slot *slot, struct entry *entry)
{
    const struct store_snapshot *snapshot =
        atomic_load_explicit(&store->snapshot, memory_order_acquire);
    if (__builtin_expect(!snapshot, 1))
        return;
    uint8_t generation = store_generation(store);
    if (slot->walked == generation || entry->generation == generation)
        return;
    snapshot->preserve(snapshot->arg, store->origins[store_slot_database(store, slot)],
        store_slot_number(store, slot), entry);
    entry->generation = generation;
}

static inline int expires(const struct entry *entry)
{
    return entry->flags & ENTRY_EXPIRES ? 1 : 0;
}

table_cell *store_insert(struct store *store, struct slot *slot, uint64_t hash, struct entry *entry)
{
    entry->generation = store_generation(store);
    slot->expires += (uint32_t)expires(entry);
    count(store, slot, 1, expires(entry));
    return table_insert(&slot->table, hash, entry, rehash, store);
}

void store_replace(struct store *store, struct slot *slot, table_cell *cell, struct entry *entry)
{
    struct entry *old = table_cell_entry(cell);
    store_will_change(store, slot, old);
    entry->generation = store_generation(store);
    table_replace(cell, entry);
    int change = expires(entry) - expires(old);
    slot->expires += (uint32_t)change;
    count(store, slot, 0, change);
    lazy_free_entry(old);
}

void store_remove(struct store *store, struct slot *slot, uint64_t hash, table_cell *cell)
{
    struct entry *old = table_cell_entry(cell);
    store_will_change(store, slot, old);
    table_remove(&slot->table, hash, cell, rehash, store);
    slot->expires -= (uint32_t)expires(old);
    count(store, slot, -1, -expires(old));
    lazy_free_entry(old);
}

void store_set_expiry(struct store *store, struct slot *slot, table_cell *cell, int64_t expiry)
{
    struct entry *old = table_cell_entry(cell);
    store_will_change(store, slot, old);
    int before = expires(old);
    struct entry *entry = entry_with_expiry(old, expiry);
    int change = expires(entry) - before;
    slot->expires += (uint32_t)change;
    count(store, slot, 0, change);
    if (entry != old) {
        table_replace(cell, entry);
        entry_free_shell(old);
    }
}

struct table store_take_table(struct store *store, struct slot *slot)
{
    struct table table = slot->table;
    count(store, slot, -(int64_t)table.used, -(int64_t)slot->expires);
    memset(&slot->table, 0, sizeof(slot->table));
    slot->expires = 0;
    const struct store_snapshot *snapshot = atomic_load(&store->snapshot);
    if (snapshot && slot->walked != store_generation(store)) {
        snapshot->preserve_table(snapshot->arg, store->origins[store_slot_database(store, slot)],
            store_slot_number(store, slot), table);
        return (struct table){ 0 };
    }
    return table;
}

/* ---- SWAPDB ---- */

#define SWAP(one, other)                                                                           \
    do {                                                                                           \
        __typeof__(one) swapped = (one);                                                           \
        (one) = (other);                                                                           \
        (other) = swapped;                                                                         \
    } while (0)

static void swap_counts(_Atomic int64_t *one, _Atomic int64_t *other)
{
    int64_t count = atomic_load_explicit(one, memory_order_relaxed);
    atomic_store_explicit(
        one, atomic_load_explicit(other, memory_order_relaxed), memory_order_relaxed);
    atomic_store_explicit(other, count, memory_order_relaxed);
}

/* A slot keeps its lock, and who watches it or waits at it; the walk's mark goes with the entries
 * that it is about. Nobody else counts keys of these databases now: all do it under a slot's lock.
 */
void store_swap_databases(struct store *store, unsigned one, unsigned other)
{
    bool snapshot = atomic_load(&store->snapshot);
    for (unsigned number = 0; number < SLOT_COUNT; number++) {
        struct slot *left = store_slot(store, one, number);
        struct slot *right = store_slot(store, other, number);
        SWAP(left->table, right->table);
        SWAP(left->expires, right->expires);
        if (snapshot)
            SWAP(left->walked, right->walked);
    }
    for (unsigned i = 0; i < TALLIES; i++) {
        struct tally *left = &store->tallies[one * TALLIES + i];
        struct tally *right = &store->tallies[other * TALLIES + i];
        swap_counts(&left->keys, &right->keys);
        swap_counts(&left->expires, &right->expires);
    }
    SWAP(store->origins[one], store->origins[other]);
    atomic_fetch_add(&store->swaps, 1);
}

unsigned store_snapshot_origin(const struct store *store, unsigned database)
{
    return store->origins[database];
}

uint64_t store_swap_count(const struct store *store)
{
    return atomic_load(&store->swaps);
}

static int64_t sum(const struct store *store, unsigned database, bool of_expires)
{
    int64_t total = 0;
    for (unsigned i = 0; i < TALLIES; i++) {
        struct tally *tally = &store->tallies[database * TALLIES + i];
        total +=
            atomic_load_explicit(of_expires ? &tally->expires : &tally->keys, memory_order_relaxed);
    }
    return total;
}

int64_t store_key_count(const struct store *store, unsigned database)
{
    return sum(store, database, false);
}

int64_t store_expires_count(const struct store *store, unsigned database)
{
    return sum(store, database, true);
}

void store_snapshot_begin(struct store *store, const struct store_snapshot *snapshot)
{
    uint8_t next = (uint8_t)(store_generation(store) + 1);
    atomic_store(&store->generation, next ? next : 1);
    reset_origins(store);
    atomic_store(&store->snapshot, snapshot);
}

void store_snapshot_end(struct store *store)
{
    atomic_store(&store->snapshot, NULL);
}

uint8_t store_generation(const struct store *store)
{
    return atomic_load_explicit(&store->generation, memory_order_relaxed);
}
