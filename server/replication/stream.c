/* What goes out on a replica's connection behind the replies: the snapshot from its queue, then the
 * journal from its reader, each as far as the socket has room. */
#include "server/replication/replica.h"

#include "server/clock.h"
#include "server/log.h"
#include "server/net/connection.h"
#include "server/net/worker.h"
#include "server/replication/feed.h"
#include <errno.h>
#include <sys/uio.h>

enum {
    VIEWS = 16,
    BUDGET = 1024 * 1024, /* bytes in one go: others of the worker want their turn */
};

/* How a write went. */
enum progress { WROTE_ALL, WROTE_SOME, WROTE_NOTHING_MORE_NOW, BROKEN };

static enum progress write_views(
    struct session *session, int fd, const struct iovec *views, int count, size_t *written)
{
    size_t wanted = 0;
    for (int i = 0; i < count; i++)
        wanted += views[i].iov_len;
    ssize_t sent = writev(fd, views, count);
    *written = sent > 0 ? (size_t)sent : 0;
    if (sent < 0)
        return errno == EAGAIN || errno == EINTR ? WROTE_NOTHING_MORE_NOW : BROKEN;
    struct replica *replica = session->replica;
    replica->progress_ms = clock_monotonic_ms();
    connection_of(session)->bytes_out += *written;
    counter_add(&session->executor->counters.bytes_out, *written);
    feed_note_bytes(*written);
    return *written == wanted ? WROTE_ALL : WROTE_SOME;
}

static enum progress write_head(struct session *session, int fd)
{
    struct replica *replica = session->replica;
    struct buffer *head = &replica->head;
    if (replica->head_sent == head->len)
        return WROTE_ALL;
    struct iovec view = { head->data + replica->head_sent, head->len - replica->head_sent };
    size_t written;
    enum progress progress = write_views(session, fd, &view, 1, &written);
    replica->head_sent += written;
    if (replica->head_sent == head->len)
        head->len = replica->head_sent = 0;
    return progress;
}

void stream_announce(struct replica *replica)
{
    replica->announced = true;
    if (!replica->old)
        buffer_printf(
            &replica->head, "+FULLRESYNC %s %lld\r\n", replica->id, (long long)replica->offset);
    replica_set_state(replica, REPLICA_SENDING);
}

/* The snapshot is out. False: so is all that the replica wants. */
static bool end_snapshot(struct replica *replica)
{
    snapshot_queue_close(replica->queue);
    replica->queue = NULL;
    log_write(LOG_NOTICE, "The snapshot is sent to the replica %s:%d", replica->ip, replica->port);
    if (replica->rdb_only)
        return false;
    replica_set_state(replica, REPLICA_LOADING);
    return true;
}

/* One piece of the snapshot. */
static enum progress write_snapshot(struct session *session, int fd, bool *empty, size_t *written)
{
    struct replica *replica = session->replica;
    struct error error = { "" };
    enum snapshot_queue_state state = snapshot_queue_state(replica->queue, &error);
    struct bytes piece = snapshot_queue_peek(replica->queue);
    *written = 0;
    *empty = piece.len == 0;
    if (state == SNAPSHOT_QUEUE_FAILED) {
        log_write(LOG_WARNING, "The full sync of the replica %s:%d has failed: %s", replica->ip,
            replica->port, error.text);
        return BROKEN;
    }
    if (piece.len == 0 && state == SNAPSHOT_QUEUE_COMPLETE)
        return end_snapshot(replica) ? WROTE_ALL : BROKEN;
    if (piece.len == 0)
        return WROTE_ALL;
    if (!replica->announced) {
        stream_announce(replica);
        return WROTE_ALL; /* its line goes first */
    }
    struct iovec view = { (void *)piece.data, piece.len };
    enum progress progress = write_views(session, fd, &view, 1, written);
    if (*written > 0)
        snapshot_queue_advance(replica->queue, *written);
    return progress;
}

/* One piece of the journal. */
static enum progress write_journal(struct session *session, int fd, bool *empty, size_t *written)
{
    struct replica *replica = session->replica;
    struct iovec views[VIEWS];
    *written = 0;
    if (journal_reader_is_cut(replica->reader))
        return BROKEN;
    size_t count = journal_reader_peek(replica->reader, views, VIEWS);
    *empty = count == 0 && journal_reader_wait(replica->reader);
    if (count == 0)
        return WROTE_ALL;
    enum progress progress = write_views(session, fd, views, (int)count, written);
    if (*written > 0)
        journal_reader_advance(replica->reader, *written);
    return progress;
}

static enum progress write_piece(struct session *session, int fd, bool *empty, size_t *written)
{
    struct replica *replica = session->replica;
    *empty = false;
    *written = 0;
    enum progress progress = write_head(session, fd);
    if (progress != WROTE_ALL)
        return progress;
    if (replica->queue)
        return write_snapshot(session, fd, empty, written);
    if (replica->state == REPLICA_ONLINE || (replica->state == REPLICA_LOADING && replica->old))
        return write_journal(session, fd, empty, written);
    *empty = true; /* nothing yet, or it loads: Redis needs the stream to begin after its answer */
    return WROTE_ALL;
}

static bool write_stream(struct session *session, int fd, bool *more)
{
    size_t total = 0, written;
    bool empty = false;
    while (!empty && total < BUDGET) {
        switch (write_piece(session, fd, &empty, &written)) {
        case BROKEN:
            return false;
        case WROTE_SOME:
        case WROTE_NOTHING_MORE_NOW:
            *more = true;
            return true;
        case WROTE_ALL:
            total += written;
        }
    }
    *more = !empty;
    return true;
}

static void closed(struct session *session)
{
    struct replica *replica = session->replica;
    if (session->flags & SESSION_REPLICA)
        log_write(LOG_NOTICE, "The connection of the replica %s:%d is closed", replica->ip,
            replica->port);
    session->replica = NULL;
    session->flags &= ~(unsigned)SESSION_REPLICA;
    replica_free(replica);
}

const struct connection_stream replica_stream = { write_stream, closed };
