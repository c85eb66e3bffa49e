/* The journal: the one ordered stream of writes, as RESP commands. It is the replication stream,
 * and its offset is the replication offset: the count of bytes that were ever appended (so the
 * first byte that is still to come has the number offset + 1 of PSYNC and INFO, which count from
 * one).
 *
 * Many threads append, each while it holds the lock of its slot, so the order of one slot's writes
 * is the order of the stream. Who reads (reader.h) gets the bytes without copies. While nobody
 * reads and there is no backlog the journal is inactive: appending does nothing and the offset
 * stays.
 *
 * All functions may be called from any thread at any time, unless they say otherwise. */
#ifndef SERVER_JOURNAL_JOURNAL_H
#define SERVER_JOURNAL_JOURNAL_H

#include "common/bytes.h"
#include <stdatomic.h>
#include <stdint.h>

struct journal;

enum {
    JOURNAL_ID_LEN = 40,
    JOURNAL_BACKLOG_MIN = 16 * 1024, /* smaller sizes are taken as this one, as Redis does */
    JOURNAL_NO_DB = -1,              /* a command that belongs to no database, such as PING */
};

/* What anyone may look at without a lock; the first member of struct journal. */
struct journal_state {
    _Atomic int64_t offset; /* written under the journal's mutex */
    _Atomic bool active;    /* likewise */
    _Atomic bool wake;      /* readers wait for bytes that have come; see journal_wake */
};

/* With a random replication id, offset 0, inactive. backlog_size: repl-backlog-size in bytes. */
struct journal *journal_create(size_t backlog_size);
/* All readers must have been closed. */
void journal_destroy(struct journal *journal);

/* Whether an append would do anything; for the hot path, to save the encoding. */
static inline bool journal_is_active(const struct journal *journal)
{
    const struct journal_state *state = (const struct journal_state *)journal;
    return atomic_load_explicit(&state->active, memory_order_relaxed);
}

/* The offset now. Between two commands of all workers (the barrier) it is the state's offset. */
static inline int64_t journal_offset(const struct journal *journal)
{
    const struct journal_state *state = (const struct journal_state *)journal;
    return atomic_load_explicit(&state->offset, memory_order_acquire);
}

/* Appending. Each returns the offset behind what was appended: a reader that has reached it has the
 * command. A SELECT goes before the command where db is not that of the command before it; with
 * JOURNAL_NO_DB none does. Readers that wait are woken by journal_wake, which whoever appends calls
 * at the end of its turn, so that an append makes no system call; only where it begins a new block,
 * once in 64 KB, it may ask for memory and wakes by itself. */
int64_t journal_append(struct journal *journal, int db, const struct bytes *argv, size_t argc);
/* The same for a request as a client sent it: takes its bytes where they are just as they would be
 * encoded, which saves the encoding. They may be otherwise, for a reader of requests skips line
 * ends without a look at them, and a hostile client's would make a file that cannot be loaded. argv
 * lies in `request`. */
int64_t journal_append_request(
    struct journal *journal, int db, struct bytes request, const struct bytes *argv, size_t argc);
/* Bytes that were encoded before: one or several whole commands. */
int64_t journal_append_raw(struct journal *journal, int db, struct bytes request);
/* A replica: whole commands as they came from its primary, SELECTs among them. Call it when they
 * have been applied. */
int64_t journal_append_stream(struct journal *journal, struct bytes stream);
/* MULTI, commands, EXEC that must not be torn apart: encode them into one buffer
 * (resp_write_command) and append that with journal_append_raw. */

/* The slow half of journal_wake. */
void journal_wake_readers(struct journal *journal);

/* Wakes the readers that wait for what was appended since; to be called by whoever appended, once
 * for a whole turn of commands, without slot locks. One load where nobody waits. */
static inline void journal_wake(struct journal *journal)
{
    struct journal_state *state = (struct journal_state *)journal;
    if (atomic_load_explicit(&state->wake, memory_order_relaxed)) {
        journal_wake_readers(journal);
    }
}

/* Lets the next command be preceded by a SELECT. Opening a reader at JOURNAL_NOW does it too. */
void journal_forget_db(struct journal *journal);

/* The backlog: the last bytes, kept readable for replicas that come back. */
struct journal_backlog {
    bool active;
    size_t size;          /* repl-backlog-size */
    int64_t first_offset; /* the first byte kept, counted from one as INFO and PSYNC do */
    int64_t length;       /* bytes kept that a replica may ask for: at most size */
};

/* Starts keeping; done when the first replica attaches. No effect where it is on. */
void journal_backlog_start(struct journal *journal);
/* Drops it (repl-backlog-ttl), and takes a new replication id without a second one: what comes
 * after cannot be told apart by offset alone. */
void journal_backlog_stop(struct journal *journal);
void journal_backlog_resize(struct journal *journal, size_t size); /* shrinks at once */
struct journal_backlog journal_backlog(const struct journal *journal);

/* Which history the offsets belong to. */
struct journal_history {
    char id[JOURNAL_ID_LEN + 1];
    char second_id[JOURNAL_ID_LEN + 1]; /* all '0' where there is none */
    int64_t
        second_offset; /* counted from one: PSYNC second_id up to this one can go on; -1: none */
};

struct journal_history journal_history(const struct journal *journal);
/* Becoming a primary: the id so far becomes the second one, good up to here, and a new one is made.
 */
void journal_history_shift(struct journal *journal);
/* A partial resync under a new id (+CONTINUE <id>): the old id becomes the second one, good up to
 * here. `id` has JOURNAL_ID_LEN bytes. */
void journal_history_continue(struct journal *journal, const char *id);
/* Forgets the second id. */
void journal_history_clear_second(struct journal *journal);
/* A full sync: id and offset of the primary; nothing before it is kept. Readers that are open are
 * cut off: they get nothing more (journal_reader_is_cut), and their owners must close them. The
 * offset of `id` may be anywhere, before or behind. id NULL: keeps the id (a start from files). */
void journal_restart(struct journal *journal, const char *id, int64_t offset);

/* Whether PSYNC <id> <offset> can be answered with +CONTINUE: the history is one of ours, and every
 * byte from `offset` (counted from one, as PSYNC does) on is still in the backlog. */
bool journal_can_continue(const struct journal *journal, struct bytes id, int64_t psync_offset);

/* Bytes of memory that blocks take, those held for readers included. */
size_t journal_memory(const struct journal *journal);

#endif
