/* A reader of the journal: a replica's connection, the AOF's writer, a slot move. It sees every
 * byte from its position on, and holds memory from there on only. A reader belongs to one thread at
 * a time; lag, position and limits may be asked by any while it is open. */
#ifndef SERVER_JOURNAL_READER_H
#define SERVER_JOURNAL_READER_H

#include "server/journal/journal.h"
#include <sys/uio.h>

struct journal_reader;

/* From what is appended next on; that begins with a SELECT. */
#define JOURNAL_NOW INT64_C(-1)

/* Called when bytes have come after journal_reader_wait said that there are none; once for each
 * such wait. In the thread that called journal_wake; must be cheap (write to an eventfd, post a
 * semaphore) and call nothing of the journal. NULL for a reader that polls. */
typedef void journal_notify(void *context);

/* Opens at an offset that is still held (0-based: the count of bytes already known), or at
 * JOURNAL_NOW. NULL where the journal does not hold that offset any more, or not yet. For PSYNC:
 * ask journal_can_continue first, then open at psync_offset - 1; NULL then means that the bytes
 * went away between the two. */
struct journal_reader *journal_reader_open(
    struct journal *journal, int64_t offset, journal_notify *notify, void *context);
/* After it no notify is running and none comes. NULL is allowed. */
void journal_reader_close(struct journal_reader *reader);

/* Up to max views of the bytes that follow the position; they are good until the reader advances
 * over them or is closed. Returns how many; 0: there is nothing new (see journal_reader_wait).
 * Takes no lock. The bytes end where an append ended unless max was reached. */
size_t journal_reader_peek(struct journal_reader *reader, struct iovec *views, size_t max);
/* Moves over `len` bytes that peek showed; memory that nobody needs any more is freed. */
void journal_reader_advance(struct journal_reader *reader, size_t len);
/* Asks to be notified. True: armed, notify will be called once when bytes come. False: there are
 * bytes already (or the reader is cut); nothing is armed. */
bool journal_reader_wait(struct journal_reader *reader);

int64_t journal_reader_offset(const struct journal_reader *reader); /* the position */
int64_t journal_reader_lag(const struct journal_reader *reader);    /* bytes behind the journal */
/* journal_restart has cut this reader off; it can only be closed. */
bool journal_reader_is_cut(const struct journal_reader *reader);

/* client-output-buffer-limit replica: bytes; 0: no limit. A hard or soft limit below the backlog's
 * size counts as the backlog's size, since those bytes are kept anyway. */
struct journal_limit {
    int64_t hard, soft;
    int64_t soft_ms; /* how long the soft limit may be exceeded without a break */
};

/* Whether the reader lags too far and must be closed. now_ms: a monotonic clock. To be asked
 * regularly by the reader's own thread, for the soft limit's time runs from one asking to the next.
 */
bool journal_reader_over_limit(
    struct journal_reader *reader, const struct journal_limit *limit, int64_t now_ms);

#endif
