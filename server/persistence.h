/* What is on the disk: the append-only file, RDB files, when they are written, and what a failing disk does. One per
 * process; joins journal/aof.h and snapshot/snapshot.h with the configuration and the commands' conditions. */
#ifndef SERVER_PERSISTENCE_H
#define SERVER_PERSISTENCE_H

#include "server/journal/aof.h"
#include "server/store/store.h"

/* Before anything runs: names and folders. */
bool persistence_open(struct store *store, struct journal *journal, struct error *error);
/* Reads the AOF, or where appendonly is no the RDB file; then starts the AOF. Sets CONDITION_LOADING while it does.
 * Blocks; an error says file, offset and what to do. */
bool persistence_load(struct error *error);
struct aof *persistence_aof(void); /* never NULL after persistence_open */

/* BGSAVE, and one under way already is fine where `schedule`. SAVE: blocks until it is done. */
bool persistence_bgsave(bool schedule, struct error *error);
/* Reads an RDB file into the empty store: a full sync. The file's repl-id and repl-offset are of no concern. */
bool persistence_load_rdb(const char *path, struct error *error);
/* After a full sync, or CONFIG SET appendonly yes: the AOF starts again from the data that is there. */
bool persistence_restart_aof(struct error *error);

/* At shutdown: RDB file where save points are configured (or `save`), unless `nosave`; the AOF synced. Blocks. */
bool persistence_save_last(bool save, bool nosave, struct error *error);
bool persistence_close(struct error *error);

#endif
