/* The walk of a snapshot through the store: see snapshot.h for what it is part of. */
#ifndef SERVER_SNAPSHOT_WALK_H
#define SERVER_SNAPSHOT_WALK_H

#include "server/snapshot/rdb_write.h"
#include "server/store/store.h"
#include <stdatomic.h>

struct preserved;
struct walk_database;

/* One for a store, for its whole life. Fields without a note are the walking thread's. */
struct walk {
    struct store *store;
    struct store_snapshot hooks;     /* what the store calls; constant */
    uint64_t swaps;                  /* SWAPDBs before it began */
    uint8_t generation;              /* written while all turns are stopped */
    struct walk_database *databases; /* owned */
    int64_t written_database;        /* that the file is in; -1: none yet */
    struct buffer batch;             /* copies of entries, each at a multiple of 8 */
    _Atomic bool wanted; /* false: nobody takes the bytes any more, only marks are set */
    _Atomic bool stop;   /* end at once: the store will be walked no more */
    struct preserved
        *_Atomic preserved; /* old values to be written, newest first; any thread pushes */
    _Atomic uint64_t keys_total, keys_done, preserved_bytes, preserved_peak;
};

void walk_init(struct walk *walk, struct store *store);
void walk_free(struct walk *walk);
/* While all turns are stopped: the walk will be of this moment. walk_run must follow. */
void walk_begin(struct walk *walk);
/* Writes all databases, keys and values of the moment. Goes through all slots even when the writer
 * has failed or nobody wants it, for generations are one byte: an entry must be marked at least
 * every 255 snapshots. Takes slot locks, one at a time. */
void walk_run(struct walk *walk, struct rdb_writer *writer);
/* Any thread. */
void walk_forget(struct walk *walk); /* nothing needs to be copied any more; the walk goes on */
void walk_stop(struct walk *walk);

#endif
