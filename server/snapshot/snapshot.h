/* Snapshots: the data set as it was at one moment, written as an RDB file while commands go on; no
 * fork.
 *
 * A snapshot has one or more targets (a file, the base of an AOF, the queue of a replica), and all
 * get the same bytes. One snapshot is made at a time; what is requested meanwhile is served by the
 * next one, all together. Everything happens in the snapshotter's thread:
 *
 *     prepare of each target              may block: creates its file
 *     all turns are stopped               moment(), begin of each target: the snapshot is of this
 * moment the walk through all slots          write of each target; may block; commands go on finish
 * of each target               once for each, whether it went well or not
 *
 * The walk holds a slot's lock for a few dozen entries at a time and copies them; encoding,
 * compression and writing happen without it. Whoever changes what the walk has not reached leaves a
 * copy of the old value, each value at most once; so a snapshot costs at most the memory of the
 * data set again, and only as far as it is overwritten (large strings are shared, not copied). A
 * target that fails is left out; the others go on. */
#ifndef SERVER_SNAPSHOT_SNAPSHOT_H
#define SERVER_SNAPSHOT_SNAPSHOT_H

#include "common/error.h"
#include "server/snapshot/rdb_write.h"
#include "server/store/store.h"

struct snapshotter;

/* Who gets a snapshot. The requester's; must live until finish has been called, which is the last
 * that the snapshotter does with it. All calls come from the snapshotter's thread. prepare and
 * begin may be NULL. */
struct snapshot_target {
    /* Before the moment; may block. False with error: no part in it, finish follows. */
    bool (*prepare)(void *context, struct error *error);
    /* In the moment, all turns stopped: note the journal's offset, switch the AOF's files. A few
     * instructions. False with error: no part in it, finish follows. */
    bool (*begin)(void *context, struct error *error);
    /* Takes all bytes; may block. False with error: it gets no more, finish follows. */
    bool (*write)(void *context, struct bytes data, struct error *error);
    /* error is NULL where all bytes of the snapshot have been written. May block. */
    void (*finish)(void *context, const struct error *error);
    void *context;
    bool aof_base;                /* the file says that it is one where all targets are */
    struct snapshot_target *next; /* the snapshotter's */
};

struct snapshotter_options {
    bool compress; /* rdbcompression */
    bool checksum; /* rdbchecksum */
    /* In the moment: fills in what the file says of its origin. used_memory and repl_* ; the text
     * of repl_id must stay until the next moment. created is filled in already. May be NULL. */
    void (*moment)(void *context, struct rdb_preamble *preamble);
    void *context;
};

/* The thread starts with the first request. The store must outlive the snapshotter. */
struct snapshotter *snapshotter_create(
    struct store *store, const struct snapshotter_options *options);
/* Ends what is under way (finish is called with an error) and frees. Not from within a turn. */
void snapshotter_destroy(struct snapshotter *snapshotter);
/* CONFIG SET rdbcompression: from the next snapshot on. Any thread. */
void snapshotter_set_compress(struct snapshotter *snapshotter, bool compress);

/* Any thread, also within a turn: returns at once. But never wait within a turn for a snapshot to
 * finish, as it waits for the turn to end. */
void snapshotter_request(struct snapshotter *snapshotter, struct snapshot_target *target);
/* Fails all targets, those of the next snapshot included, with "reason"; their finish comes soon,
 * from the snapshotter's thread, once a write that is blocked returns. Any thread. */
void snapshotter_cancel(struct snapshotter *snapshotter, const char *reason);

/* For INFO persistence. Any thread; may be a moment old. */
struct snapshot_progress {
    bool running;    /* from the moment until the last byte is written (finish may still come) */
    bool waiting;    /* targets wait for the next one */
    int64_t started; /* Unix time in seconds */
    uint64_t keys_total;     /* keys at the moment */
    uint64_t keys_done;      /* of them, written */
    uint64_t preserved;      /* bytes of old values that wait to be written now */
    uint64_t preserved_peak; /* the most they were in this snapshot, or in the last one */
};
struct snapshot_progress snapshotter_progress(struct snapshotter *snapshotter);

#endif
