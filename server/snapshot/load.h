/* An RDB into the store: the file at the start, the base of an AOF, what a primary sends for a full
 * sync. */
#ifndef SERVER_SNAPSHOT_LOAD_H
#define SERVER_SNAPSHOT_LOAD_H

#include "server/snapshot/rdb_read.h"
#include "server/store/store.h"

struct load_options {
    /* Keys that have expired before this moment (Unix time in ms) are left out, as a primary does;
     * 0: all are kept, as a replica does. */
    int64_t expired_before;
    bool replace; /* a key that is there already gives way */
    /* What the file says of itself: "repl-id", "repl-offset", ... May be NULL. */
    void (*aux)(void *context, struct bytes name, struct bytes value);
    /* A library of functions. NULL: they are passed over. */
    bool (*function)(struct bytes code, struct error *error);
    /* Called about every megabyte with the bytes read. False ends the load (a full sync that was
     * given up). May be NULL. */
    bool (*progress)(void *context, uint64_t offset);
    void *context;
};

struct load_result {
    uint64_t keys, expired; /* kept, left out */
    uint64_t bytes;         /* of the RDB, checksum included */
};

/* Reads header, records and end. Each key is put into its slot under the slot's lock; the store is
 * empty, or at least holds none of the keys: a key that is there already is an error, as is a
 * database that the store does not have. On failure the store holds what was read so far. */
bool load_rdb(struct store *store, struct rdb_reader *reader, const struct load_options *options,
    struct load_result *result, struct error *error);

#endif
