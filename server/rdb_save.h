/* RDB files: when one is written, and what is known of the last. Any thread, unless it is said
 * otherwise; has a lock of its own, and under it takes that of the configuration's texts alone.
 * Sets CONDITION_RDB_FAILING.
 */
#ifndef SERVER_RDB_SAVE_H
#define SERVER_RDB_SAVE_H

#include "common/error.h"
#include <stdbool.h>
#include <stdint.h>

struct snapshotter;

void rdb_save_open(struct snapshotter *snapshotter); /* at first */
/* The data set is what has just been read from a file: changes count from here. */
void rdb_save_data_loaded(void);
/* `save` or stop-writes-on-bgsave-error is another one. */
void rdb_save_config_changed(void);

/* In the snapshotter's thread; error is NULL where the file is written. */
typedef void rdb_save_done_fn(void *context, const struct error *error);
/* SAVE and BGSAVE: begins to write a file; done may be NULL. False with the error that Redis gives
 * where one is under way; schedule: then it is done after that one, and done is not called. */
bool rdb_save_begin(bool schedule, rdb_save_done_fn *done, void *context, struct error *error);
/* Begins a save where a save point is reached. now: Unix time in seconds. */
void rdb_save_if_due(int64_t now);
/* At shutdown: writes a file where save points are configured (or `save`), unless `nosave`. Blocks.
 */
bool rdb_save_last(bool save, bool nosave, struct error *error);

struct rdb_save_figures {
    bool saving, last_ok;
    uint64_t changes; /* since the last save */
    uint64_t saves;
    int64_t last_save;                     /* Unix time in seconds */
    int64_t last_seconds, current_seconds; /* that a save took, or takes; -1: none */
};
struct rdb_save_figures rdb_save_figures(void);

#endif
