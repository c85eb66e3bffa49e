/* The hash table of one slot. A bucket is one cache line of eight cells; a cell is the pointer to
 * an entry with 16 bits of its hash in the unused top bits, so that a probe that misses touches
 * nothing but the line, and one that hits goes to the right entry but once in some 8,000 times. A
 * bucket that overflows turns its last cell into a link to one more bucket.
 *
 * The bucket of a hash is (upper half of the hash * number of buckets) >> 32. So buckets are in the
 * order of the hashes whatever their number: tables grow by a third or a half instead of doubling,
 * and a scan's cursor, a position on the scale of hashes, stays good while the table changes its
 * size.
 *
 * A large table grows in small steps: `moved` buckets of the old one have gone over; each write
 * moves some more. A table is guarded by the lock of its slot. */
#ifndef SERVER_STORE_TABLE_H
#define SERVER_STORE_TABLE_H

#include "server/store/entry.h"

enum { TABLE_CELLS = 8 };

/* A cell: 0 empty, else pointer | tag << 48; bit 0 says that the pointer is a bucket's. */
struct bucket {
    uint64_t cells[TABLE_CELLS];
} __attribute__((aligned(64)));

struct table {
    struct bucket *buckets;     /* NULL: no bucket yet */
    struct bucket *old_buckets; /* NULL: not growing or shrinking */
    uint32_t bucket_count;
    uint32_t old_count;
    uint32_t moved; /* old buckets below this one are empty */
    uint32_t used;  /* entries in both */
};

/* Where an entry stands: good until the next insert or remove. */
typedef uint64_t table_cell;

static inline struct entry *table_cell_entry(const table_cell *cell)
{
    return (struct entry *)(uintptr_t)(*cell & 0x0000fffffffffff8);
}

static inline uint32_t table_bucket_index(uint64_t hash, uint32_t count)
{
    return (uint32_t)(((hash >> 32) * count) >> 32);
}

/* The cell of the entry with this key, or NULL. */
table_cell *table_find(const struct table *table, uint64_t hash, struct bytes key);

/* The key is not there. The table owns the entry from now on; returns its cell. rehash gives the
 * hash of any entry's key, wanted where the table grows. */
typedef uint64_t table_hash_fn(const void *arg, struct bytes key);
table_cell *table_insert(struct table *table, uint64_t hash, struct entry *entry,
    table_hash_fn *rehash, const void *arg);
/* Puts another entry with the same key into the cell; the old one is the caller's. */
void table_replace(table_cell *cell, struct entry *entry);
/* Empties the cell; the entry is the caller's. May shrink the table. */
void table_remove(
    struct table *table, uint64_t hash, table_cell *cell, table_hash_fn *rehash, const void *arg);

/* Asks the processor for the bucket, and for the entry that the tag points at. The first needs no lock: of what is read only an address is made, and one that is out of date, or made of an
 * old and a new half, is asked for in vain. */
__attribute__((no_sanitize("thread"))) static inline void table_prefetch_bucket(
    const struct table *table, uint64_t hash)
{
    const struct bucket *buckets = __atomic_load_n(&table->buckets, __ATOMIC_RELAXED);
    uint32_t count = __atomic_load_n(&table->bucket_count, __ATOMIC_RELAXED);
    if (buckets)
        __builtin_prefetch((const char *)buckets +
                           (size_t)table_bucket_index(hash, count) * sizeof(*buckets));
}
void table_prefetch_entry(const struct table *table, uint64_t hash);

/* Calls visit for the entries whose hash lies at or after the position (the upper half of a hash),
 * a bucket at least and then until `enough` have been visited; returns the position to go on with,
 * or TABLE_SCAN_END. An entry that is there during a whole scan is visited at least once. visit may
 * change the entry but neither insert nor remove. */
#define TABLE_SCAN_END (UINT64_C(1) << 32)
typedef void table_visit_fn(void *arg, table_cell *cell);
uint64_t table_scan(
    const struct table *table, uint64_t position, size_t enough, table_visit_fn *visit, void *arg);

/* Some entry, each with about the same likelihood; NULL where the table is empty. random is any
 * number. */
struct entry *table_random(const struct table *table, uint64_t random);

/* Frees buckets and entries. */
void table_free(struct table *table);
size_t table_memory(const struct table *table); /* bytes of the buckets, overflow ones estimated */

#endif
