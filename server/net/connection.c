#include "server/net/connection.h"

#include "common/memory.h"
#include "server/clock.h"
#include "server/command/acl_users.h"
#include "server/command/block.h"
#include "server/command/dispatch.h"
#include "server/command/transaction.h"
#include "server/command/watch.h"
#include "server/config.h"
#include "server/log.h"
#include "server/net/transfer.h"
#include "server/net/worker.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    INPUT_SIZE = 16 * 1024, /* read at once, and size of the pooled buffers */
    POOL_MAX = 256,
    REPLY_KEEP =
        16 * 1024, /* a reply buffer of up to this size stays with its connection between turns */
    VIEWS = 64,    /* pieces of one writev */
    ANNOUNCED_MAX = 1024 * 1024,      /* memory for an argument that has only been announced */
    STRANGER_INPUT_MAX = 1024 * 1024, /* input of a client that has not given the password */
    WRITE_MAX = 1024 * 1024,          /* written in one go: others wait */
    FORGET_MIN = 64 * 1024, /* bytes that are out before they are dropped from a long reply */
};

static atomic_uint_fast64_t last_id;

static void on_readable(evutil_socket_t fd, short what, void *arg);
static void on_writable(evutil_socket_t fd, short what, void *arg);

static void list_add(struct connection_list *list, struct connection *connection, bool *listed)
{
    if (*listed)
        return;
    *listed = true;
    if (list->count == list->capacity) {
        list->capacity = list->capacity ? list->capacity * 2 : 64;
        list->items = memory_resize(list->items, list->capacity * sizeof(struct connection *));
    }
    list->items[list->count++] = connection;
}

struct connection *connection_create(
    struct worker *worker, int fd, const char *peer, const char *local, bool unix_socket)
{
    struct connection *connection = memory_alloc_zeroed(1, sizeof(*connection));
    connection->worker = worker;
    connection->fd = fd;
    struct session *session = &connection->session;
    session->id = atomic_fetch_add(&last_id, 1) + 1;
    session->executor = worker->executor;
    session->reply.protocol = 2;
    session->connection = connection;
    session->flags = unix_socket ? SESSION_UNIX_SOCKET : 0;
    acl_session_begin(session);
    session->created_ms = session->active_ms = clock_unix_ms();
    snprintf(session->peer, sizeof(session->peer), "%s", peer);
    snprintf(session->local, sizeof(session->local), "%s", local);

    event_assign(
        &connection->readable, worker->base, fd, EV_READ | EV_PERSIST, on_readable, connection);
    event_assign(&connection->writable, worker->base, fd, EV_WRITE, on_writable, connection);
    connection_set_reading(connection, true);

    connection->next = worker->connections;
    connection->previous = &worker->connections;
    if (connection->next)
        connection->next->previous = &connection->next;
    worker->connections = connection;
    struct connection **place = &worker->by_id[session->id % WORKER_INDEX];
    connection->next_by_id = *place;
    *place = connection;
    atomic_fetch_add(&worker->load, 1);
    session_came(session);
    return connection;
}

void connection_set_reading(struct connection *connection, bool on)
{
    if (connection->reading == on)
        return;
    connection->reading = on;
    if (on)
        event_add(&connection->readable, NULL);
    else
        event_del(&connection->readable);
}

/* ---- Input ---- */

static void input_take(struct connection *connection)
{
    struct worker *worker = connection->worker;
    if (worker->pool_count > 0)
        connection->input = worker->pool[--worker->pool_count];
    else
        buffer_reserve(&connection->input, INPUT_SIZE);
    connection->input.len = 0;
}

void connection_give_input(struct connection *connection)
{
    struct worker *worker = connection->worker;
    struct buffer *input = &connection->input;
    if (input->capacity >= INPUT_SIZE && input->capacity <= 2 * INPUT_SIZE &&
        worker->pool_count < POOL_MAX) {
        if (!worker->pool)
            worker->pool = memory_alloc(POOL_MAX * sizeof(*worker->pool));
        worker->pool[worker->pool_count++] = *input;
        *input = (struct buffer){ 0 };
    } else {
        buffer_free(input);
    }
}

/* What a transaction has queued, or a command that waits has kept, is input that is not yet dealt
 * with, too. */
static bool is_over_input_limit(const struct connection *connection)
{
    size_t size = connection->input.len + transaction_memory(&connection->session) +
                  block_memory(&connection->session);
    return size > (size_t)config_number(CONFIG_CLIENT_QUERY_BUFFER_LIMIT) ||
           (size > STRANGER_INPUT_MAX && session_needs_password(&connection->session));
}

bool connection_read(struct connection *connection)
{
    struct buffer *input = &connection->input;
    if (!input->capacity)
        input_take(connection);
    size_t wanted = resp_reader_missing(&connection->reader, input->len - connection->parsed);
    /* What is announced is believed as far as there is as much already: memory follows what has
     * really come. */
    size_t believed = input->len > ANNOUNCED_MAX ? input->len : ANNOUNCED_MAX;
    if (wanted > believed)
        wanted = believed;
    size_t room = wanted > INPUT_SIZE ? wanted : INPUT_SIZE;
    if (input->capacity - input->len < room && input->capacity - input->len < INPUT_SIZE / 4)
        buffer_reserve(input, room);
    else if (wanted > input->capacity - input->len)
        buffer_reserve(input, wanted);
    ssize_t got =
        transfer_receive(connection->fd, input->data + input->len, input->capacity - input->len);
    if (got <= 0) {
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            return true;
        connection_close(connection);
        return false;
    }
    input->len += (size_t)got;
    connection->bytes_in += (size_t)got;
    counter_add(&connection->worker->executor->counters.bytes_in, (uint64_t)got);
    counter_add(&connection->worker->executor->counters.reads, 1);
    if (is_over_input_limit(connection)) {
        log_write(LOG_WARNING,
            "Closing client %s: its query buffer exceeds "
            "client-query-buffer-limit",
            connection->session.peer);
        connection_close(connection);
        return false;
    }
    return true;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct connection *connection = arg;
    if (!connection->closing && connection_read(connection))
        list_add(&connection->worker->ready, connection, &connection->on_ready);
}

/* ---- Output ---- */

/* The pieces of the reply that are not out yet. */
static int gather(struct connection *connection, struct iovec *views)
{
    struct reply *reply = &connection->session.reply;
    size_t at = connection->sent;
    size_t blob = connection->blobs_sent;
    size_t skip = connection->blob_sent;
    int count = 0;
    while (count < VIEWS) {
        size_t end = blob < reply->blob_count ? reply->blobs[blob].at : reply->bytes.len;
        if (at < end)
            views[count++] = (struct iovec){ reply->bytes.data + at, end - at };
        at = end;
        if (blob == reply->blob_count || count == VIEWS)
            break;
        struct blob *large = reply->blobs[blob++].blob;
        views[count++] = (struct iovec){ large->data + skip, large->len - skip };
        skip = 0;
    }
    return count;
}

/* Notes that `len` bytes more are out. */
static void advance(struct connection *connection, size_t len)
{
    struct reply *reply = &connection->session.reply;
    while (len > 0) {
        size_t blob = connection->blobs_sent;
        size_t end = blob < reply->blob_count ? reply->blobs[blob].at : reply->bytes.len;
        if (connection->sent < end) {
            size_t step = end - connection->sent < len ? end - connection->sent : len;
            connection->sent += step;
            len -= step;
            continue;
        }
        struct blob *large = reply->blobs[blob].blob;
        size_t step = large->len - connection->blob_sent;
        step = step < len ? step : len;
        connection->blob_sent += step;
        len -= step;
        if (connection->blob_sent == large->len) {
            connection->blobs_sent++;
            connection->blob_sent = 0;
        }
    }
}

static bool is_out(const struct connection *connection)
{
    const struct reply *reply = &connection->session.reply;
    return connection->sent == reply->bytes.len && connection->blobs_sent == reply->blob_count;
}

static void reply_is_out(struct connection *connection)
{
    struct reply *reply = &connection->session.reply;
    if (reply->bytes.capacity > REPLY_KEEP || reply->blob_count)
        reply_free(reply);
    reply->bytes.len = 0;
    connection->sent = connection->blobs_sent = connection->blob_sent = 0;
}

static void want_writable(struct connection *connection)
{
    if (!connection->writing) {
        connection->writing = true;
        event_add(&connection->writable, NULL);
    }
}

/* A client that always has replies on their way is not to keep those that it has got. */
static void forget_sent(struct connection *connection)
{
    struct reply *reply = &connection->session.reply;
    size_t out = connection->sent;
    for (size_t i = 0; i < connection->blobs_sent; i++)
        out += reply->blobs[i].blob->len;
    if (out < FORGET_MIN || out < reply->bytes.len - connection->sent)
        return;
    reply_forget(reply, connection->sent, connection->blobs_sent);
    connection->sent = connection->blobs_sent = 0;
}

static void wait_for_room(struct connection *connection)
{
    forget_sent(connection);
    want_writable(connection);
}

static bool write_reply(struct connection *connection)
{
    for (size_t total = 0; !is_out(connection);) {
        if (total >= WRITE_MAX) {
            wait_for_room(connection);
            return false;
        }
        struct iovec views[VIEWS];
        int count = gather(connection, views);
        ssize_t sent = count == 1
                           ? transfer_send(connection->fd, views[0].iov_base, views[0].iov_len)
                           : writev(connection->fd, views, count);
        if (sent < 0) {
            if (errno == EINTR)
                continue;
            if (errno == EAGAIN) {
                wait_for_room(connection);
                return false;
            }
            connection_close(connection);
            return false;
        }
        connection->bytes_out += (size_t)sent;
        counter_add(&connection->worker->executor->counters.bytes_out, (uint64_t)sent);
        counter_add(&connection->worker->executor->counters.writes, 1);
        advance(connection, (size_t)sent);
        total += (size_t)sent;
    }
    reply_is_out(connection);
    return true;
}

void connection_write(struct connection *connection)
{
    if (connection->closing || connection->writing)
        return;
    if (!is_out(connection) && !write_reply(connection))
        return;
    unsigned flags = connection->session.flags;
    if (flags & SESSION_CLOSE_AFTER_REPLY && !(flags & SESSION_PARKED)) {
        connection_close(connection);
        return;
    }
    if (connection->stream) {
        bool more = false;
        if (!connection->stream->write(&connection->session, connection->fd, &more))
            connection_close(connection);
        else if (more)
            want_writable(connection);
    }
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct connection *connection = arg;
    connection->writing = false;
    list_add(&connection->worker->flush, connection, &connection->on_flush);
}

void connection_want_flush(struct connection *connection)
{
    list_add(&connection->worker->flush, connection, &connection->on_flush);
}

void connection_want_run(struct connection *connection)
{
    list_add(&connection->worker->ready, connection, &connection->on_ready);
}

void connection_set_stream(struct session *session, const struct connection_stream *stream)
{
    connection_of(session)->stream = stream;
}

void connection_stream_ready(struct session *session)
{
    connection_want_flush(connection_of(session));
}

/* ---- The end ---- */

void connection_close(struct connection *connection)
{
    if (connection->closing)
        return;
    connection->closing = true;
    connection_set_reading(connection, false);
    if (connection->writing)
        event_del(&connection->writable);
    struct worker *worker = connection->worker;
    *connection->previous = connection->next;
    if (connection->next)
        connection->next->previous = connection->previous;
    struct connection **place = &worker->by_id[connection->session.id % WORKER_INDEX];
    while (*place != connection)
        place = &(*place)->next_by_id;
    *place = connection->next_by_id;
    connection->next = worker->dead;
    worker->dead = connection;
    worker->waiting -= connection->waiting;
    atomic_fetch_sub(&worker->load, 1);
}

void connection_free(struct connection *connection)
{
    struct session *session = &connection->session;
    block_abandon(session);
    if (connection->stream)
        connection->stream->closed(session);
    transaction_discard(session);
    session_gone(session);
    acl_session_end(session);
    close(connection->fd);
    connection_give_input(connection);
    resp_reader_free(&connection->reader);
    reply_free(&session->reply);
    free(session->name);
    free(session->library_name);
    free(session->library_version);
    free(connection);
}
