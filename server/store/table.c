#include "server/store/table.h"

#include "common/memory.h"
#include <stdlib.h>

#define TAG_SHIFT 48
#define LINK UINT64_C(1)

enum {
    FULL = 6,     /* entries a bucket on average at which the table grows */
    SPARSE = 1,   /* and below which it shrinks */
    AT_ONCE = 64, /* tables of up to so many buckets are moved in one go */
    STEP = 4,     /* old buckets moved by each write else */
};

static inline uint64_t tag_of(uint64_t hash)
{
    return hash << TAG_SHIFT; /* the lower bits; the bucket comes from the upper half */
}

static inline uint64_t cell_of(struct entry *entry, uint64_t hash)
{
    return (uint64_t)(uintptr_t)entry | tag_of(hash);
}

static inline struct bucket *link_of(uint64_t cell)
{
    return cell & LINK ? (struct bucket *)(uintptr_t)(cell & ~LINK) : NULL;
}

static struct bucket *buckets_alloc(size_t count)
{
    struct bucket *buckets = aligned_alloc(sizeof(struct bucket), count * sizeof(struct bucket));
    if (!buckets)
        memory_exhausted(count * sizeof(struct bucket));
    memset(buckets, 0, count * sizeof(struct bucket));
    return buckets;
}

/* The head of the chain where this hash belongs now. */
static inline struct bucket *home(const struct table *table, uint64_t hash)
{
    if (__builtin_expect(table->old_buckets != NULL, 0)) {
        uint32_t index = table_bucket_index(hash, table->old_count);
        if (index >= table->moved)
            return &table->old_buckets[index];
    }
    return &table->buckets[table_bucket_index(hash, table->bucket_count)];
}

table_cell *table_find(const struct table *table, uint64_t hash, struct bytes key)
{
    if (!table->buckets)
        return NULL;
    uint64_t tag = tag_of(hash);
    for (struct bucket *bucket = home(table, hash); bucket;
         bucket = link_of(bucket->cells[TABLE_CELLS - 1])) {
        for (int i = 0; i < TABLE_CELLS; i++) {
            uint64_t cell = bucket->cells[i];
            if (!cell || (cell ^ tag) >> TAG_SHIFT || cell & LINK)
                continue;
            if (bytes_equal(entry_key(table_cell_entry(&cell)), key))
                return &bucket->cells[i];
        }
    }
    return NULL;
}

void table_prefetch_entry(const struct table *table, uint64_t hash)
{
    if (!table->buckets)
        return;
    uint64_t tag = tag_of(hash);
    const struct bucket *bucket = home(table, hash);
    for (int i = 0; i < TABLE_CELLS; i++) {
        uint64_t cell = bucket->cells[i];
        if (cell && !((cell ^ tag) >> TAG_SHIFT) && !(cell & LINK))
            __builtin_prefetch(table_cell_entry(&cell));
    }
}

/* Puts a cell into the chain that begins at bucket; a full one gets one more bucket. */
static table_cell *chain_put(struct bucket *bucket, uint64_t cell)
{
    for (;;) {
        for (int i = 0; i < TABLE_CELLS; i++) {
            if (!bucket->cells[i]) {
                bucket->cells[i] = cell;
                return &bucket->cells[i];
            }
        }
        struct bucket *next = link_of(bucket->cells[TABLE_CELLS - 1]);
        if (!next) {
            next = buckets_alloc(1);
            next->cells[0] = bucket->cells[TABLE_CELLS - 1];
            bucket->cells[TABLE_CELLS - 1] = (uint64_t)(uintptr_t)next | LINK;
        }
        bucket = next;
    }
}

static void move_bucket(
    struct table *table, struct bucket *from, table_hash_fn *rehash, const void *arg)
{
    struct bucket *bucket = from;
    while (bucket) {
        struct bucket *next = link_of(bucket->cells[TABLE_CELLS - 1]);
        for (int i = 0; i < TABLE_CELLS; i++) {
            uint64_t cell = bucket->cells[i];
            if (!cell || cell & LINK)
                continue;
            uint64_t hash = rehash(arg, entry_key(table_cell_entry(&cell)));
            chain_put(&table->buckets[table_bucket_index(hash, table->bucket_count)], cell);
        }
        if (bucket != from)
            free(bucket);
        bucket = next;
    }
    memset(from, 0, sizeof(*from));
}

static void move_some(struct table *table, uint32_t count, table_hash_fn *rehash, const void *arg)
{
    while (count-- > 0 && table->moved < table->old_count)
        move_bucket(table, &table->old_buckets[table->moved++], rehash, arg);
    if (table->moved == table->old_count) {
        free(table->old_buckets);
        table->old_buckets = NULL;
        table->old_count = table->moved = 0;
    }
}

/* 1 2 3 4 6 8 12 16 24 ... */
static uint32_t next_size(uint32_t count)
{
    if (count < 2)
        return count + 1;
    bool power = (count & (count - 1)) == 0;
    return power ? count + count / 2 : count / 3 * 4;
}

static uint32_t size_for(uint32_t entries)
{
    uint32_t count = 1;
    while ((uint64_t)count * FULL < entries)
        count = next_size(count);
    return count;
}

static void resize(struct table *table, uint32_t count, table_hash_fn *rehash, const void *arg)
{
    table->old_buckets = table->buckets;
    table->old_count = table->bucket_count;
    table->moved = 0;
    table->buckets = buckets_alloc(count);
    table->bucket_count = count;
    if (table->old_count <= AT_ONCE)
        move_some(table, table->old_count, rehash, arg);
}

table_cell *table_insert(
    struct table *table, uint64_t hash, struct entry *entry, table_hash_fn *rehash, const void *arg)
{
    if (!table->buckets) {
        table->buckets = buckets_alloc(1);
        table->bucket_count = 1;
    } else if (table->old_buckets) {
        move_some(table, STEP, rehash, arg);
    } else if (table->used >= (uint64_t)table->bucket_count * FULL &&
               table->bucket_count < UINT32_MAX / 4) {
        resize(table, next_size(table->bucket_count), rehash, arg);
    }
    table->used++;
    return chain_put(home(table, hash), cell_of(entry, hash));
}

void table_replace(table_cell *cell, struct entry *entry)
{
    *cell = (uint64_t)(uintptr_t)entry | (*cell >> TAG_SHIFT << TAG_SHIFT);
}

/* Unlinks buckets of the chain that have become empty. */
static void chain_trim(struct bucket *head)
{
    struct bucket *previous = head;
    for (struct bucket *bucket; (bucket = link_of(previous->cells[TABLE_CELLS - 1]));) {
        bool empty = true;
        for (int i = 0; i < TABLE_CELLS - 1; i++)
            empty = empty && !bucket->cells[i];
        uint64_t last = bucket->cells[TABLE_CELLS - 1];
        if (empty && (!last || last & LINK)) {
            previous->cells[TABLE_CELLS - 1] = last;
            free(bucket);
        } else {
            previous = bucket;
        }
    }
}

void table_remove(
    struct table *table, uint64_t hash, table_cell *cell, table_hash_fn *rehash, const void *arg)
{
    *cell = 0;
    table->used--;
    struct bucket *head = home(table, hash);
    if (head->cells[TABLE_CELLS - 1] & LINK)
        chain_trim(head);
    if (table->old_buckets) {
        move_some(table, STEP, rehash, arg);
    } else if (table->used == 0) {
        table_free(table);
    } else if (table->bucket_count > 4 && table->used < table->bucket_count * SPARSE) {
        resize(table, size_for(table->used * 2), rehash, arg);
    }
}

/* Visits the entries of a chain; returns how many. */
static size_t chain_visit(struct bucket *bucket, table_visit_fn *visit, void *arg)
{
    size_t count = 0;
    while (bucket) {
        struct bucket *next = link_of(bucket->cells[TABLE_CELLS - 1]);
        for (int i = 0; i < TABLE_CELLS; i++) {
            if (bucket->cells[i] && !(bucket->cells[i] & LINK)) {
                visit(arg, &bucket->cells[i]);
                count++;
            }
        }
        bucket = next;
    }
    return count;
}

/* The lowest position of the next bucket. */
static uint64_t position_after(uint64_t index, uint64_t count)
{
    return ((index + 1) * TABLE_SCAN_END + count - 1) / count;
}

uint64_t table_scan(
    const struct table *table, uint64_t position, size_t enough, table_visit_fn *visit, void *arg)
{
    if (!table->buckets)
        return TABLE_SCAN_END;
    size_t count = 0;
    while (position < TABLE_SCAN_END) {
        uint64_t index = position * table->bucket_count >> 32;
        uint64_t end = position_after(index, table->bucket_count);
        count += chain_visit(&table->buckets[index], visit, arg);
        if (table->old_buckets) {
            /* All old buckets that share a hash with the new one, whole: the end moves to the
             * last's end only where that lies before the new one's, so nothing is passed over. */
            uint64_t first = position * table->old_count >> 32;
            uint64_t last = (end - 1) * table->old_count >> 32;
            for (uint64_t old = first; old <= last; old++)
                count += chain_visit(&table->old_buckets[old], visit, arg);
        }
        position = end;
        if (count >= enough)
            break;
    }
    return position < TABLE_SCAN_END ? position : TABLE_SCAN_END;
}

struct entry *table_random(const struct table *table, uint64_t random)
{
    if (!table->used)
        return NULL;
    uint64_t total = (uint64_t)table->bucket_count + table->old_count;
    for (;; random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407)) {
        uint64_t index = (random >> 32) % total;
        struct bucket *bucket = index < table->bucket_count
                                    ? &table->buckets[index]
                                    : &table->old_buckets[index - table->bucket_count];
        /* A cell drawn from a row of 32: entries far down a chain are drawn as those in front. */
        unsigned cell = random >> 20 & 31;
        while (cell >= TABLE_CELLS && (bucket = link_of(bucket->cells[TABLE_CELLS - 1])))
            cell -= TABLE_CELLS;
        if (bucket && cell < TABLE_CELLS && bucket->cells[cell] && !(bucket->cells[cell] & LINK))
            return table_cell_entry(&bucket->cells[cell]);
    }
}

static void free_visited(void *arg, table_cell *cell)
{
    entry_free(table_cell_entry(cell));
}

static void free_buckets(struct bucket *buckets, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        chain_visit(&buckets[i], free_visited, NULL);
        for (struct bucket *next = link_of(buckets[i].cells[TABLE_CELLS - 1]); next;) {
            struct bucket *after = link_of(next->cells[TABLE_CELLS - 1]);
            free(next);
            next = after;
        }
    }
    free(buckets);
}

void table_free(struct table *table)
{
    free_buckets(table->buckets, table->bucket_count);
    free_buckets(table->old_buckets, table->old_count);
    memset(table, 0, sizeof(*table));
}

size_t table_memory(const struct table *table)
{
    /* At FULL entries a bucket about one in six has a second one. */
    size_t buckets = (size_t)table->bucket_count + table->old_count;
    return (buckets + buckets / 6) * sizeof(struct bucket);
}
