/* What is on the disk: the append-only file, RDB files, which of them is read, and what a failing disk does. One per
 * process; joins journal/aof.h, snapshot/snapshot.h, rdb_save.h (which has the saves) and data_set.h (which reads) with
 * the configuration and the commands' conditions. */
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
/* A full sync: empties the store, functions too, and reads an RDB file into it, under CONDITION_LOADING, which it sets and clears.
 * False: the store is left empty. Blocks; not from within a turn. */
bool persistence_load_rdb(const char *path, struct error *error);
/* DEBUG RELOAD and LOADAOF: reads the RDB file, or the append-only file, which is written to its end first, and is on.
 * flush: all keys and functions are deleted before; merge: keys that are there already are replaced, else they are an error. Block;
 * the caller has paused all clients. On failure what was read stays. */
bool persistence_reload_rdb(bool flush, bool merge, struct error *error);
bool persistence_reload_aof(struct error *error);

/* BGREWRITEAOF. *scheduled: it begins once the snapshot under way has ended. */
bool persistence_rewrite_aof(bool *scheduled, struct error *error);

/* Writes and syncs what the AOF still has. Blocks. */
bool persistence_close(struct error *error);

#endif
