/* Inside of the AOF, for aof*.c only: what its threads share, and the writer's own part. */
#ifndef SERVER_JOURNAL_AOF_STATE_H
#define SERVER_JOURNAL_AOF_STATE_H

#include "server/journal/aof.h"
#include "server/journal/aof_files.h"
#include "server/journal/aof_sync.h"
#include "server/journal/reader.h"

enum { AOF_NOTES_MAX = 64 };

/* A line of time that stands in the increment before the bytes of a journal offset. */
struct aof_note {
    int64_t offset;
    int64_t len;
};

/* Of the writer's thread alone, but where it is not running (aof_start* and aof_stop).
 *
 *     kept.offset <= boundary <= reader.offset: what the disk may not hold is in memory still, so
 * that it can be written once more. */
struct aof_writer {
    struct journal_reader *reader; /* at what is to be written next; NULL: not attached */
    struct journal_reader *keeper; /* at the last fsync, or as far back as memory is kept */
    int fd;                        /* the increment; -1: none yet */
    int64_t shift;                 /* a journal offset minus this is the place in the file */
    int64_t boundary;              /* offset of the last end of a command that was written */
    struct aof_note notes[AOF_NOTES_MAX]; /* those from the keeper on, which may have to be taken back */
    size_t note_count;
    int64_t noted_second; /* Unix time of the last note; 0: the next may come at once */
    int64_t retry_at, tick_at;     /* monotonic milliseconds; retry_at 0: nothing failed */
    int write_error, sync_error;   /* errno, or 0 */
    struct aof_sync sync;
};

enum aof_rewrite_state {
    AOF_REWRITE_NONE,
    AOF_REWRITE_REQUESTED, /* the writer goes over to the new increment when it reaches the offset
                            */
    AOF_REWRITE_SWITCHED,  /* it has */
    AOF_REWRITE_FINISHING, /* aof_rewrite_finish is at work */
    AOF_REWRITE_DISCARD,   /* an aborted first rewrite: the writer throws its increment away */
};

struct aof {
    struct aof_files files; /* files_mutex; the names never change */
    struct journal *journal;
    struct gate *gate;
    struct gate_follower *synced;
    void (*log)(void *context, enum aof_log_level level, const char *line);
    void *log_context;

    _Atomic int policy;      /* enum aof_policy */
    _Atomic int flush_ticks; /* seconds to go on with fsyncs after the policy was changed */
    _Atomic bool load_truncated, rdb_base, timestamps;
    _Atomic bool on;
    _Atomic bool first_rewrite; /* on, but the files are not this state until a rewrite is done */
    _Atomic int doubts;         /* how often an fsync failed for bytes that are kept no more */
    _Atomic int settled_doubts; /* those that a rewrite has made good */
    _Atomic int error;          /* written by the writer */
    _Atomic int64_t written_offset, synced_offset; /* written by the writer */
    _Atomic int64_t file_size;                     /* of the increment; written by the writer */
    _Atomic int64_t other_size; /* of all other files; written under files_mutex */
    _Atomic int64_t base_size;  /* likewise */
    _Atomic int64_t delayed_fsyncs;
    _Atomic bool fsync_pending;

    /* Held while files are made, renamed and deleted; before `mutex`. */
    pthread_mutex_t files_mutex;
    struct aof_manifest manifest; /* files_mutex */
    bool manifest_read;           /* files_mutex */
    int64_t switched_seq;         /* files_mutex; the increment that a rewrite began */
    int doubts_at_switch;         /* files_mutex */

    pthread_mutex_t mutex;
    pthread_cond_t wake;            /* to the writer: woken, stop, rewrite */
    pthread_cond_t progress;        /* from the writer: rewrite, error, ended */
    pthread_t thread;               /* of whoever starts and stops */
    _Atomic bool attached;          /* the writer has readers; changed under the mutex */
    bool woken;                     /* mutex */
    bool stop;                      /* mutex */
    int64_t stop_offset;            /* mutex; what is to be on disk before it stops */
    int64_t stop_deadline;          /* mutex; monotonic milliseconds */
    bool lost_on_stop;              /* mutex; the writer ended with bytes unwritten */
    enum aof_rewrite_state rewrite; /* mutex */
    int64_t rewrite_offset;         /* mutex */
    int64_t rewrite_since;          /* mutex; monotonic ms of its begin */
    int64_t rewrite_last;           /* mutex; seconds that the last one took; -1: none */
    int64_t rewrites;               /* mutex */
    int rewrite_failures;           /* mutex; in a row */
    int64_t rewrite_not_before;     /* mutex; monotonic ms */

    struct aof_writer writer;
};

/* A line for the log. */
void aof_log(const struct aof *aof, enum aof_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int64_t aof_now_ms(void); /* monotonic */

/* Reads the manifest if that has not been done; files_mutex is held. */
bool aof_read_manifest(struct aof *aof, struct error *error);

/* The writer's thread (aof_writer.c). */
void *aof_writer_run(void *aof);
void aof_writer_wake(void *aof); /* a journal_notify */
/* Opens its readers at the journal's offset now; the mutex is held, or there is no writer yet. */
void aof_writer_attach(struct aof *aof);
/* Closes readers and file: in the writer, or behind its end; without the mutex. */
void aof_writer_detach(struct aof *aof);
/* fsyncs what is written; false: it failed, and the state says so. */
bool aof_writer_sync(struct aof *aof);
void aof_writer_fail(struct aof *aof, int *kind, int error, const char *what);
void aof_writer_succeed(struct aof *aof, int *kind);
void aof_writer_set_synced(struct aof *aof, int64_t offset);

/* Lines of time (aof_notes.c). Writes one where one is due and the reader stands between commands;
 * false: writing failed with errno, and the file is as before. */
bool aof_notes_write(struct aof *aof);
/* The reader steps back to the offset: takes back the lines from there on. True: there were some, and
 * the file has too many bytes now. */
bool aof_notes_take_back(struct aof_writer *writer, int64_t offset);
/* Those before the offset stay for good. */
void aof_notes_settle(struct aof_writer *writer, int64_t offset);
/* Another file begins. */
void aof_notes_forget(struct aof_writer *writer);

/* Rewriting, the writer's half (aof_rewrite.c): begins the new increment; true where it did. */
bool aof_rewrite_switch(struct aof *aof);
/* Throws away the increment of an aborted first rewrite. */
void aof_rewrite_discard(struct aof *aof);

#endif
