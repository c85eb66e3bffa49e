/* The key space: for every database 16384 slots, each with a lock, a hash table and a state of its
 * own.
 *
 * Rules of the locks: a thread holds one slot lock, or several that store_lock_many took;
 * everything in struct slot and in its entries is read and written under the slot's lock only. */
#ifndef SERVER_STORE_STORE_H
#define SERVER_STORE_STORE_H

#include "common/slot.h"
#include "server/store/lock.h"
#include "server/store/table.h"

/* Who serves the slot: written by the cluster under the slot's lock, read by every command under
 * it. */
enum slot_serving {
    SLOT_MINE,      /* zero: without a cluster all slots are served here */
    SLOT_MIGRATING, /* mine, but keys that are gone are asked for elsewhere */
    SLOT_FOREIGN,   /* somebody else's, or nobody's */
    SLOT_IMPORTING, /* somebody else's, served to those who say ASKING */
    SLOT_REPLICA,   /* my primary's: read here by those who say READONLY */
};

/* One cache line. `watches` and `blocked` are what few slots have, NULL as a rule. */
struct slot {
    struct slot_lock lock;
    uint8_t serving; /* enum slot_serving */
    uint8_t walked;  /* the snapshot generation that is through with this slot */
    struct table table;
    uint32_t expires;      /* entries that have an expiry */
    bool in_transit;       /* MIGRATE has keys of it under way: see command/transit.h */
    struct watch *watches; /* keys under WATCH: see command/watch.h */
    struct block_table *blocked; /* who waits for keys: see command/block.h */
} __attribute__((aligned(64)));

struct store;

/* `databases` times 16384 slots; memory is taken as slots are used. */
struct store *store_create(unsigned databases);
/* Frees everything; nobody else uses it any more. A process that ends has no need of it. */
void store_destroy(struct store *store);
unsigned store_databases(const struct store *store);
struct slot *store_slot(struct store *store, unsigned database, unsigned slot);
unsigned store_slot_database(const struct store *store, const struct slot *slot);
unsigned store_slot_number(const struct store *store, const struct slot *slot);

/* The hash of a key, seeded anew for each process. */
uint64_t store_hash(const struct store *store, struct bytes key);

/* Takes the locks of several slots of one store, in ascending order; the array is sorted and
 * cleared of duplicates, the new count returned. The one way to hold more than one. */
size_t store_lock_many(struct slot **slots, size_t count);
void store_unlock_many(struct slot **slots, size_t count);
/* As store_lock_many, but false, with nothing locked, where one of them is held for long (lock.h). */
bool store_enter_many(struct slot **slots, size_t *count);
/* Every slot of every database. */
void store_lock_all(struct store *store);
void store_unlock_all(struct store *store);

/* --- Entries. All under the slot's lock. --- */

table_cell *store_find(const struct slot *slot, uint64_t hash, struct bytes key);
/* The key is not there; the slot owns the entry from now on. Returns its cell. */
table_cell *store_insert(
    struct store *store, struct slot *slot, uint64_t hash, struct entry *entry);
/* Another entry in the place of one with the same key; frees the old one. */
void store_replace(struct store *store, struct slot *slot, table_cell *cell, struct entry *entry);
/* Removes and frees. Large values are freed by another thread (see lazy.h). */
void store_remove(struct store *store, struct slot *slot, uint64_t hash, table_cell *cell);
/* Before an entry is changed in place: value, expiry, anything a snapshot keeps. */
void store_will_change(struct store *store, struct slot *slot, struct entry *entry);
/* Sets or removes (ENTRY_NO_EXPIRY) the expiry; the entry may move: the cell tells where it is. */
void store_set_expiry(struct store *store, struct slot *slot, table_cell *cell, int64_t expiry);
/* Takes the whole table out of the slot and leaves it empty; the caller frees it (lazy_free_table).
 */
struct table store_take_table(struct store *store, struct slot *slot);

/* SWAPDB: all keys of two databases change places; the caller holds the locks of all their slots.
 * A snapshot that is under way still gets every key as one of the database where it was when the
 * snapshot began. */
void store_swap_databases(struct store *store, unsigned one, unsigned other);

/* Keys, and keys with an expiry, of a database; needs no lock, may be a moment old. */
int64_t store_key_count(const struct store *store, unsigned database);
int64_t store_expires_count(const struct store *store, unsigned database);

/* --- Snapshots: the state at one moment, while writes go on. ---
 *
 * store_snapshot_begin is called while all turns are stopped (turn.h). It makes a new generation:
 * entries made from now on carry its number, those of before do not. The walk goes through all
 * slots of all databases; when it has written an entry it sets entry->generation to the current
 * one, and when it is through with a slot it sets slot->walked, both under the slot's lock. Whoever
 * changes or removes an entry of an older generation in a slot not yet walked first hands it to
 * `preserve`, under the slot's lock: preserve copies what it needs (large values by
 * type_of()->share) and returns quickly. A table that is taken out whole goes to preserve_table if
 * the slot was not yet walked: that one owns the table then and writes the entries of older
 * generations in it. */
struct store_snapshot {
    void (*preserve)(void *arg, unsigned database, unsigned slot, const struct entry *entry);
    void (*preserve_table)(void *arg, unsigned database, unsigned slot, struct table table);
    void *arg;
};
/* snapshot stays the caller's and must live until store_snapshot_end. */
void store_snapshot_begin(struct store *store, const struct store_snapshot *snapshot);
/* All turns are stopped, or all slots have been walked. */
void store_snapshot_end(struct store *store);
uint8_t store_generation(
    const struct store *store); /* of the newest snapshot; never 0 once one began */
/* Where the old entries of a slot of this database were when the newest snapshot began: another
 * number than its own after SWAPDB. Under the lock of a slot of this database. */
unsigned store_snapshot_origin(const struct store *store, unsigned database);
/* How often databases have been swapped: when it has changed since a walk looked, what was there
 * may now be where the walk has been already. */
uint64_t store_swap_count(const struct store *store);

#endif
