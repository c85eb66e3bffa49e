/* Two streams of values meet in the file, each value of the moment in just one of them: what the
 * walk finds, and what writers hand over because the walk has not been there yet. The mark in an
 * entry (its generation), set under the slot's lock, decides which. Values handed over wait on a
 * stack that takes no lock, since they are pushed under a slot's; the walk empties it after each
 * piece. */
#include "server/snapshot/walk.h"

#include "common/memory.h"
#include "server/snapshot/value.h"
#include "server/store/lazy.h"
#include "server/store/turn.h"
#include <stdlib.h>

enum {
    PIECE = 64,                  /* entries copied, or marked, under one hold of a slot's lock */
    BATCH_KEEP_MAX = 256 * 1024, /* bytes */
    ALIGNMENT = 8,
};

/* An old value, or a whole table that FLUSHALL has taken out. */
struct preserved {
    struct preserved *next;
    unsigned database;
    struct entry *entry; /* NULL: the table */
    struct table table;
    uint64_t bytes;
};

struct walk_database {
    int64_t keys, expires; /* at the moment */
    bool introduced;       /* its sizes have been written */
    bool used;             /* has had keys at some snapshot: its slots may carry old marks */
};

/* --- What writers call, under a slot's lock. --- */

static void push(struct walk *walk, struct preserved *preserved)
{
    uint64_t bytes = preserved->bytes + atomic_fetch_add_explicit(&walk->preserved_bytes,
                                            preserved->bytes, memory_order_relaxed);
    uint64_t peak = atomic_load_explicit(&walk->preserved_peak, memory_order_relaxed);
    while (bytes > peak && !atomic_compare_exchange_weak_explicit(&walk->preserved_peak, &peak,
                               bytes, memory_order_relaxed, memory_order_relaxed))
        ;
    preserved->next = atomic_load_explicit(&walk->preserved, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(
        &walk->preserved, &preserved->next, preserved, memory_order_release, memory_order_relaxed))
        ;
}

static void preserve(void *arg, unsigned database, unsigned slot, const struct entry *entry)
{
    struct walk *walk = arg;
    if (!atomic_load_explicit(&walk->wanted, memory_order_relaxed))
        return;
    struct preserved *preserved = memory_alloc(sizeof(*preserved));
    *preserved = (struct preserved){ .database = database,
        .entry = entry_copy(entry, entry_key(entry), entry_expiry(entry)) };
    preserved->bytes = sizeof(*preserved) + entry_memory(preserved->entry);
    push(walk, preserved);
}

static void preserve_table(void *arg, unsigned database, unsigned slot, struct table table)
{
    struct walk *walk = arg;
    if (!atomic_load_explicit(&walk->wanted, memory_order_relaxed)) {
        lazy_free_table(table);
        return;
    }
    struct preserved *preserved = memory_alloc(sizeof(*preserved));
    *preserved = (struct preserved){ .database = database, .table = table };
    preserved->bytes = sizeof(*preserved) + table_memory(&table);
    push(walk, preserved);
}

/* --- Life. --- */

void walk_init(struct walk *walk, struct store *store)
{
    memset(walk, 0, sizeof(*walk));
    walk->store = store;
    walk->hooks = (struct store_snapshot){ preserve, preserve_table, walk };
    walk->databases = memory_alloc_zeroed(store_databases(store), sizeof(struct walk_database));
}

void walk_free(struct walk *walk)
{
    free(walk->databases);
    buffer_free(&walk->batch);
}

void walk_begin(struct walk *walk)
{
    uint64_t total = 0;
    for (unsigned d = 0; d < store_databases(walk->store); d++) {
        struct walk_database *database = &walk->databases[d];
        database->keys = store_key_count(walk->store, d);
        database->expires = store_expires_count(walk->store, d);
        database->introduced = false;
        database->used = database->used || database->keys > 0;
        total += (uint64_t)database->keys;
    }
    atomic_store(&walk->keys_total, total);
    atomic_store(&walk->keys_done, 0);
    atomic_store(&walk->preserved_peak, 0);
    atomic_store(&walk->wanted, true);
    walk->written_database = -1;
    walk->swaps = store_swap_count(walk->store);
    store_snapshot_begin(walk->store, &walk->hooks);
    walk->generation = store_generation(walk->store);
}

void walk_forget(struct walk *walk)
{
    atomic_store(&walk->wanted, false);
}

void walk_stop(struct walk *walk)
{
    atomic_store(&walk->stop, true);
    walk_forget(walk);
}

static bool is_wanted(struct walk *walk)
{
    return atomic_load_explicit(&walk->wanted, memory_order_relaxed);
}

/* --- Writing, without any lock. --- */

static void enter_database(struct walk *walk, struct rdb_writer *writer, unsigned number)
{
    struct walk_database *database = &walk->databases[number];
    walk->written_database = number;
    rdb_write_database(writer, number);
    if (!database->introduced)
        rdb_write_sizes(writer, (uint64_t)database->keys, (uint64_t)database->expires);
    database->introduced = true;
}

static void write_entry(
    struct walk *walk, struct rdb_writer *writer, unsigned database, const struct entry *entry)
{
    if (walk->written_database != database)
        enter_database(walk, writer, database);
    value_write_record(writer, entry);
    atomic_fetch_add_explicit(&walk->keys_done, 1, memory_order_relaxed);
}

struct table_visit {
    struct walk *walk;
    struct rdb_writer *writer;
    unsigned database;
};

static void write_cell(void *arg, table_cell *cell)
{
    struct table_visit *visit = arg;
    struct entry *entry = table_cell_entry(cell);
    if (entry->generation == visit->walk->generation)
        return;
    entry->generation = visit->walk->generation;
    if (is_wanted(visit->walk))
        write_entry(visit->walk, visit->writer, visit->database, entry);
}

static void write_preserved(
    struct walk *walk, struct rdb_writer *writer, struct preserved *preserved)
{
    if (preserved->entry) {
        if (is_wanted(walk))
            write_entry(walk, writer, preserved->database, preserved->entry);
        entry_free(preserved->entry);
        return;
    }
    struct table_visit visit = { walk, writer, preserved->database };
    if (preserved->table.used > 0 && is_wanted(walk))
        table_scan(&preserved->table, 0, SIZE_MAX, write_cell, &visit);
    lazy_free_table(preserved->table);
}

static void write_all_preserved(struct walk *walk, struct rdb_writer *writer)
{
    if (!atomic_load_explicit(&walk->preserved, memory_order_relaxed))
        return;
    struct preserved *preserved =
        atomic_exchange_explicit(&walk->preserved, NULL, memory_order_acquire);
    while (preserved) {
        struct preserved *next = preserved->next;
        write_preserved(walk, writer, preserved);
        atomic_fetch_sub_explicit(&walk->preserved_bytes, preserved->bytes, memory_order_relaxed);
        free(preserved);
        preserved = next;
    }
}

/* --- Copying, under a slot's lock. --- */

static size_t copy_size(const struct entry *entry)
{
    return sizeof(*entry) + entry_expiry_size(entry) + entry_pointer_size(entry) + entry->key_len +
           entry->inline_len;
}

/* Marks the entry; a copy goes to the batch, with a share in what lies out of line. */
static void copy_cell(void *arg, table_cell *cell)
{
    struct walk *walk = arg;
    struct entry *entry = table_cell_entry(cell);
    if (entry->generation == walk->generation)
        return;
    entry->generation = walk->generation;
    if (!is_wanted(walk))
        return;
    size_t size = copy_size(entry), room = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    buffer_reserve(&walk->batch, room);
    struct entry *copy = (struct entry *)(walk->batch.data + walk->batch.len);
    memcpy(copy, entry, size);
    if (entry->flags & ENTRY_OUT_OF_LINE)
        entry_set_value(copy, type_of(entry->type)->share(entry_value(entry), entry->encoding));
    walk->batch.len += room;
}

static void write_batch(struct walk *walk, struct rdb_writer *writer, unsigned database)
{
    for (size_t at = 0; at < walk->batch.len;) {
        struct entry *copy = (struct entry *)(walk->batch.data + at);
        if (is_wanted(walk))
            write_entry(walk, writer, database, copy);
        if (copy->flags & ENTRY_OUT_OF_LINE)
            type_of(copy->type)->release(entry_value(copy), copy->encoding);
        at += (copy_size(copy) + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    }
    walk->batch.len = 0;
    if (walk->batch.capacity > BATCH_KEEP_MAX)
        buffer_free(&walk->batch);
}

static bool is_stopped(struct walk *walk)
{
    return atomic_load_explicit(&walk->stop, memory_order_relaxed);
}

/* A SWAPDB between two pieces puts another table there: it is begun anew, and what was left of the
 * first one is found where that is now. */
static void walk_slot(
    struct walk *walk, struct rdb_writer *writer, unsigned database, unsigned number)
{
    struct slot *slot = store_slot(walk->store, database, number);
    uint64_t position = 0, swaps = store_swap_count(walk->store);
    while (position != TABLE_SCAN_END && !is_stopped(walk)) {
        slot_lock_acquire(&slot->lock);
        if (swaps != store_swap_count(walk->store)) {
            swaps = store_swap_count(walk->store);
            position = 0;
        }
        bool rest = slot->table.used && slot->walked != walk->generation;
        position =
            rest ? table_scan(&slot->table, position, PIECE, copy_cell, walk) : TABLE_SCAN_END;
        if (position == TABLE_SCAN_END)
            slot->walked = walk->generation;
        unsigned origin = store_snapshot_origin(walk->store, database);
        slot_lock_release(&slot->lock);
        write_batch(walk, writer, origin);
        write_all_preserved(walk, writer);
    }
}

/* A database that had no key may have got those of one that had, with marks of its walk. */
static void note_swaps(struct walk *walk)
{
    for (unsigned d = 0; d < store_databases(walk->store); d++) {
        struct slot *slot = store_slot(walk->store, d, 0);
        slot_lock_acquire(&slot->lock);
        bool swapped = store_snapshot_origin(walk->store, d) != d;
        slot_lock_release(&slot->lock);
        walk->databases[d].used = walk->databases[d].used || swapped;
    }
}

void walk_run(struct walk *walk, struct rdb_writer *writer)
{
    /* The slots of a database that never had a key carry no marks, and need no memory yet. */
    uint64_t swaps;
    do {
        swaps = store_swap_count(walk->store);
        if (walk->swaps != swaps)
            note_swaps(walk);
        for (unsigned d = 0; d < store_databases(walk->store); d++) {
            for (unsigned s = 0; walk->databases[d].used && s < SLOT_COUNT; s++)
                walk_slot(walk, writer, d, s);
        }
    } while (swaps != store_swap_count(walk->store) && !is_stopped(walk));
    /* A table of a database that was passed over may be under way to the stack even now. */
    turn_stop_all();
    store_snapshot_end(walk->store);
    turn_resume_all();
    write_all_preserved(walk, writer);
    walk_forget(walk);
}
