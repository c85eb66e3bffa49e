/* A dictionary: what large sets, hashes and sorted sets keep their members in.
 *
 * Extendible hashing: a directory of 2^depth pointers, chosen by the top bits of the hash, to
 * segments of at most 31 cells; a segment that is full splits in two, alone, so that no insert ever
 * moves more than a few dozen members. Buckets are in the order of the hashes: a scan's cursor is a
 * position on that scale and stays good while the dictionary grows and shrinks. A cell is a pointer
 * to the item with 16 bits of its hash.
 *
 * Items and segments are reference counted, and copied before a change while more than one
 * dictionary holds them; so a clone, which is what a snapshot gets, costs a copy of the directory.
 * A dictionary belongs to whoever holds its value (the slot's lock, or the snapshot's thread for a
 * clone); only the counts are touched by several. */
#ifndef SERVER_TYPE_DICT_H
#define SERVER_TYPE_DICT_H

#include "common/bytes.h"
#include <stdatomic.h>
#include <stdint.h>

/* A member: `prefix` bytes that its type keeps there (a score, a length), the key, and whatever the
 * type wants behind it. One allocation. */
struct item {
    _Atomic uint32_t refs;
    uint32_t key_len;
    char data[];
};

struct segment;

struct dict {
    union {
        struct segment *single;     /* depth 0; NULL: empty */
        struct segment **directory; /* 2^depth of them, owned; neighbours may be the same */
    };
    size_t count;     /* items */
    size_t memory;    /* bytes of the items, as whoever adds and removes them says */
    uint32_t deepest; /* segments whose depth is the directory's */
    uint8_t depth;
    uint8_t prefix; /* bytes before an item's key */
};

uint64_t dict_hash(struct bytes key); /* seeded anew for each process */

/* --- Items. --- */

/* One reference; the prefix and `extra` bytes behind the key are the caller's to fill. */
struct item *item_create(size_t prefix, struct bytes key, size_t extra);
struct item *item_hold(struct item *item);
void item_release(struct item *item);
/* Nobody else holds it: it may be changed in place (if it came from dict_find_for_change). */
static inline bool item_is_private(const struct item *item)
{
    return atomic_load_explicit(&item->refs, memory_order_acquire) == 1;
}
static inline struct bytes dict_key(const struct dict *dict, const struct item *item)
{
    return (struct bytes){ item->data + dict->prefix, item->key_len };
}
/* What follows the key. */
static inline char *dict_extra(const struct dict *dict, struct item *item)
{
    return item->data + dict->prefix + item->key_len;
}

/* --- Life. --- */

void dict_init(struct dict *dict, unsigned prefix);
/* `to` is not initialised yet. Both may be changed afterwards, neither sees the other's changes. */
void dict_clone(struct dict *to, const struct dict *from);
void dict_free(struct dict *dict);
size_t dict_memory(
    const struct dict *dict); /* bytes of directory, segments (estimated) and items */

/* --- Members. --- */

/* The dictionary's own reference: hold it to keep it beyond the next change. */
struct item *dict_find(const struct dict *dict, uint64_t hash, struct bytes key);
/* The same, to be changed in place where item_is_private says so; else replaced. */
struct item *dict_find_for_change(struct dict *dict, uint64_t hash, struct bytes key);
/* The key is not there. Takes over the caller's reference. size: bytes of the item, for `memory`.
 */
void dict_insert(struct dict *dict, uint64_t hash, struct item *item, size_t size);
/* The key is there: another item with it takes its place; takes over the new one's reference, lets
 * go of the old. growth: by how many bytes the new one is larger. */
void dict_replace(struct dict *dict, uint64_t hash, struct item *item, int64_t growth);
/* Returns the item, whose reference is the caller's now (item_release), or NULL. size_of: bytes of
 * it. */
struct item *dict_remove(struct dict *dict, uint64_t hash, struct bytes key);
static inline void dict_forget_size(struct dict *dict, size_t size) /* of a removed item */
{
    dict->memory -= size;
}
/* Brings what a look for the hash will touch into the cache, one step after the other (the
 * directory, the segment, the item: DICT_PREFETCH_STEPS), each of which wants the one before to
 * have arrived. */
enum { DICT_PREFETCH_STEPS = 3 };
void dict_prefetch(const struct dict *dict, uint64_t hash, unsigned step);
/* Room for that many without a split on the way: call it once, on an empty dictionary. */
void dict_reserve(struct dict *dict, size_t count);

/* --- Going about. --- */

/* All items, in no order that means anything. The dictionary must not change in between.
 *     struct dict_iterator iterator = dict_iterate(dict);
 *     while ((item = dict_next(&iterator))) ... */
struct dict_iterator {
    const struct dict *dict;
    size_t at; /* in the directory */
    unsigned cell;
};
static inline struct dict_iterator dict_iterate(const struct dict *dict)
{
    return (struct dict_iterator){ dict, 0, 0 };
}
struct item *dict_next(struct dict_iterator *iterator);

/* Visits whole segments from the position on until `enough` items have been visited; returns the
 * position to go on with, or DICT_SCAN_END. Positions are the upper halves of hashes; an item that
 * is there during a whole scan is visited at least once. visit must not change the dictionary. */
#define DICT_SCAN_END (UINT64_C(1) << 32)
typedef void dict_visit_fn(void *arg, struct item *item);
uint64_t dict_scan(
    const struct dict *dict, uint64_t position, size_t enough, dict_visit_fn *visit, void *arg);

/* Some item, each with the same likelihood; NULL where it is empty. random is any number. */
struct item *dict_random(const struct dict *dict, uint64_t random);

#endif
