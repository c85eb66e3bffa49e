/* The append only file in Redis 7's multi-part layout: dir/appenddirname/ holds a base (an RDB file
 * or RESP), increments (RESP: the journal's bytes) and a manifest that names them (aof_manifest.h).
 *
 * Life of an AOF:   aof_create, aof_load, aof_start (appendonly yes) ... aof_stop, aof_destroy
 * Turned on later:  aof_start_with_rewrite, then a rewrite as below; loadable once that has
 * finished A rewrite:        aof_rewrite_begin in the barrier, the snapshot writes the base to
 *                   aof_rewrite_path, then aof_rewrite_finish or aof_rewrite_abort
 *
 * Under appendfsync always a write's reply waits at aof_gate until the fsync has passed its offset:
 *     if (aof_holds_replies(aof) && !gate_wait(listener, offset, 1)) hold the reply.
 *
 * No function blocks on the disk but those that say so. */
#ifndef SERVER_JOURNAL_AOF_H
#define SERVER_JOURNAL_AOF_H

#include "common/bytes.h"
#include "common/error.h"
#include "server/journal/gate.h"
#include "server/journal/journal.h"

struct aof;

enum aof_policy { AOF_FSYNC_NO, AOF_FSYNC_EVERYSEC, AOF_FSYNC_ALWAYS };
enum aof_log_level { AOF_LOG_NOTICE, AOF_LOG_WARNING };

struct aof_options {
    const char *dir;      /* the node's working directory; only looked at by aof_create */
    const char *dirname;  /* appenddirname: one name, no path */
    const char *filename; /* appendfilename: likewise */
    enum aof_policy policy;
    bool load_truncated; /* aof-load-truncated */
    bool timestamps;     /* aof-timestamp-enabled */
    bool rdb_base;       /* aof-use-rdb-preamble: new bases are named .base.rdb, else .base.aof */
    /* One line for the log, from any of the AOF's threads. */
    void (*log)(void *context, enum aof_log_level level, const char *line);
    void *log_context;
};

/* Opens the directory (not appenddirname, which may not be there). The texts are copied. NULL and
 * error where a name is not a plain one or the directory cannot be opened. */
struct aof *aof_create(
    const struct aof_options *options, struct journal *journal, struct error *error);
void aof_destroy(struct aof *aof); /* stopped before */

/* Loading, at the start only. */
struct aof_loader {
    void *context;
    /* An RDB file from the start of fd (path is for messages); returns how many bytes it has with
     * its checksum, since RESP may follow; -1 and error where it is damaged. The fd stays open. */
    int64_t (*load_rdb)(void *context, int fd, const char *path, struct error *error);
    /* One command; the views are good during the call. Never MULTI or EXEC: the commands of a
     * transaction come once its EXEC has been seen; nor PING and REPLCONF, which a
     * replica's stream has. SELECT comes. False and error ends the load. */
    bool (*apply)(void *context, const struct bytes *argv, size_t argc, struct error *error);
    /* Called now and then with bytes done and in all, to answer -LOADING with progress. May be
     * NULL. */
    void (*progress)(void *context, int64_t done, int64_t total);
};

struct aof_load_result {
    bool found;        /* false: there is no AOF; nothing was applied */
    int64_t commands;  /* applied, those of a RESP base included */
    int64_t bytes;     /* of all files */
    int64_t truncated; /* bytes cut off the last file */
};

/* Moves an appendonly.aof of a version before 7 into the directory first. Reads the manifest, loads
 * base and increments. Cuts a truncated tail off the last file (load_truncated) with a log line;
 * anything else that is wrong fails with file, offset and what to do. Blocks. */
bool aof_load(struct aof *aof, const struct aof_loader *loader, struct aof_load_result *result,
    struct error *error);

/* Starts to write what is appended to the journal from now on, behind what aof_load has read. Where
 * there is no base, an empty one is made: call it before the first write is accepted, with a state
 * that aof_load gave or that is empty (else aof_start_with_rewrite). Blocks. */
bool aof_start(struct aof *aof, struct error *error);
/* CONFIG SET appendonly yes, or after a full sync: on, but nothing is written until
 * aof_rewrite_begin. The set of files on disk stays as it was until aof_rewrite_finish. */
bool aof_start_with_rewrite(struct aof *aof, struct error *error);
/* Writes what the journal holds, fsyncs, ends the writer; a rewrite under way is aborted. The files
 * stay loadable. Opens the gate. Blocks, at most limit_ms for a disk that fails; false and error
 * where bytes could not be written in that time. No effect where it is off. To be done before
 * journal_restart, which would cut the writer off. */
bool aof_stop(struct aof *aof, int limit_ms, struct error *error);

bool aof_is_on(const struct aof *aof); /* since aof_start* until aof_stop; any thread */
void aof_set_policy(struct aof *aof, enum aof_policy policy);
void aof_set_load_truncated(struct aof *aof, bool load_truncated);
/* Whether the increments tell, with a line "#TS:SECONDS", when the commands behind it were written. */
void aof_set_timestamps(struct aof *aof, bool timestamps);
void aof_set_rdb_base(struct aof *aof, bool rdb_base);
/* Whether replies to writes must wait at the gate: on, policy always, and the files on disk are
 * this state (not while the first rewrite after aof_start_with_rewrite is under way). */
bool aof_holds_replies(const struct aof *aof);
/* One follower: the fsync. WAITAOF counts it as the local one. */
struct gate *aof_gate(const struct aof *aof);
/* Up to which offset of the journal the files on disk are this state, fsynced; -1 where they are
 * not: off, or before the first rewrite is done. Any thread. */
int64_t aof_synced_offset(const struct aof *aof);
/* 0, or the errno of the write or fsync that fails since; the node answers -MISCONF to writes. The
 * writer tries again each second and sets 0 by itself when the disk works. One relaxed load. */
int aof_errno(const struct aof *aof);
/* Bytes of the journal that are not written yet (write(2), not fsync): for back-pressure. */
int64_t aof_lag(const struct aof *aof);

/* Rewriting. Only one at a time. */

/* In the barrier, where offset == journal_offset(): commands up to there go to the files so far,
 * those behind to a new increment. Only notes it; the writer's thread does the work. False and
 * error where the AOF is off or a rewrite is under way already. */
bool aof_rewrite_begin(struct aof *aof, int64_t offset, struct error *error);
/* Where the snapshot has to write the new base; good until the rewrite ends. */
const char *aof_rewrite_path(const struct aof *aof);
/* The base is complete at aof_rewrite_path (closed; not necessarily fsynced): fsyncs it, gives it
 * its name, writes the manifest; the old files are deleted in the background. Blocks on the disk:
 * from the snapshot's thread. False and error: the rewrite is aborted and the files so far stay
 * good. */
bool aof_rewrite_finish(struct aof *aof, struct error *error);
/* The snapshot failed: removes what it left; everything stays loadable. Blocks. */
void aof_rewrite_abort(struct aof *aof);
/* Whether a rewrite is due: it has never had its first one (aof_start_with_rewrite), or the files
 * grew by `percentage` over the size after the last rewrite and are at least min_size (percentage
 * 0: never), or an fsync failed in a way that left the file doubtful. After a failed rewrite it
 * waits a minute, then twice as long with each further one, up to an hour. False while one is under
 * way. */
bool aof_rewrite_is_due(const struct aof *aof, int percentage, int64_t min_size);

/* INFO persistence. */
struct aof_info {
    bool on, rewrite_in_progress, rewrite_scheduled_first; /* first: waits for its first rewrite */
    bool last_rewrite_ok, last_write_ok;
    int64_t current_size, base_size; /* bytes of all files; after the last rewrite or load */
    int64_t pending_fsyncs;          /* 0 or 1: the background thread is at an fsync */
    int64_t delayed_fsyncs;          /* seconds in which everysec found the last fsync unfinished */
    int64_t last_rewrite_seconds, current_rewrite_seconds; /* -1: none */
    int64_t rewrites;                                      /* finished since the start */
    int rewrite_failures;                                  /* since the last that finished */
    int64_t written_offset, synced_offset;                 /* of the journal */
    int64_t buffer_length;                                 /* aof_lag */
};
void aof_info(const struct aof *aof, struct aof_info *info);

#endif
