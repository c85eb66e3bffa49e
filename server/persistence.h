/* What is on the disk: the append-only file, RDB files, when they are written, and what a failing disk does. One per
 * process; joins journal/aof.h and snapshot/snapshot.h with the configuration and the commands' conditions. */
#ifndef SERVER_PERSISTENCE_H
#define SERVER_PERSISTENCE_H

#include "server/journal/aof.h"
#include "server/snapshot/snapshot.h"
#include "server/store/store.h"

/* Before anything runs: names and folders, the directives' hooks. */
bool persistence_open(struct store *store, struct journal *journal, struct error *error);
struct aof *persistence_aof(void);                 /* never NULL after persistence_open */
struct snapshotter *persistence_snapshotter(void); /* likewise; for full syncs */

/* Reads the AOF, or where appendonly is no the RDB file, then starts the AOF. Blocks; for a thread of its own, while
 * CONDITION_LOADING is set. An error says file, offset and what to do. */
bool persistence_load(struct error *error);
/* A full sync: empties the store and reads an RDB file into it, under CONDITION_LOADING, which it sets and clears.
 * False: the store is left empty. Blocks; not from within a turn. */
bool persistence_load_rdb(const char *path, struct error *error);
/* Empties the store, as FLUSHALL does, without a word to the journal. Not from within a turn. */
void persistence_empty_store(void);
/* DEBUG RELOAD and LOADAOF: reads the RDB file, or the append-only file, which is written to its end first, and is on.
 * flush: all keys are deleted before; merge: keys that are there already are replaced, else they are an error. Block;
 * the caller has paused all clients. On failure what was read stays. */
bool persistence_reload_rdb(bool flush, bool merge, struct error *error);
bool persistence_reload_aof(struct error *error);

/* BGSAVE. False with the error that Redis gives where one is under way (schedule: then it is done after it). */
bool persistence_bgsave(bool schedule, struct error *error);
/* SAVE: done is called in the snapshotter's thread; error is NULL where the file is written. */
bool persistence_save(void (*done)(void *context, const struct error *error), void *context,
    struct error *error);
/* BGREWRITEAOF. *scheduled: it begins once the snapshot under way has ended. */
bool persistence_rewrite_aof(bool *scheduled, struct error *error);
int64_t persistence_last_save(void); /* Unix time in seconds */

/* At shutdown: an RDB file where save points are configured (or `save`), unless `nosave`. Blocks. */
bool persistence_save_last(bool save, bool nosave, struct error *error);
/* Writes and syncs what the AOF still has. Blocks. */
bool persistence_close(struct error *error);

/* INFO's lines. */
void persistence_info(struct buffer *out);

#endif
