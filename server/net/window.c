/* Requests are run in windows: for a window of requests the memory that they will touch is asked
 * for in stages, first the slots, then the buckets, then the entries, so that the processor waits
 * for many cache lines at once instead of for one after the other.
 *
 * Within a window the requests of one connection stand in their order. When one must wait (parked,
 * or told to retry) those behind it are dropped from the window and read again from the input
 * later. */
#include "server/net/window.h"

#include "server/clock.h"
#include "server/command/client_memory.h"
#include "server/command/condition.h"
#include "server/command/dispatch.h"
#include "server/config.h"
#include "server/journal/journal.h"
#include "server/net/worker.h"
#include <string.h>

enum {
    WINDOW = 32,                   /* requests under way at once */
    WINDOW_ARGS = RESP_ARGV_FIRST, /* requests with more arguments run alone */
};

/* Requests whose memory is on its way. */
struct window {
    size_t count;
    size_t at; /* the one that is being run */
    struct request requests[WINDOW];
    size_t ends[WINDOW]; /* how far the input is consumed once the request has run */
    struct bytes args[WINDOW][WINDOW_ARGS];
};

static _Thread_local struct window own_window; /* of this worker */

/* ---- Running requests ---- */

/* A connection that cannot take its next request now. */
static bool is_blocked(const struct connection *connection)
{
    return connection->closing || connection->waiting ||
           connection->session.flags & (SESSION_PARKED | SESSION_CLOSE_AFTER_REPLY);
}

/* What was parsed ahead is read again later, from the first request that has not run. */
static void rewind_input(struct connection *connection)
{
    connection->parsed = connection->consumed;
    resp_reader_reset(&connection->reader);
}

static void run_request(struct worker *worker, struct request *request, size_t end)
{
    struct connection *connection = connection_of(request->session);
    if (is_blocked(connection))
        return;
    struct session *session = &connection->session;
    unsigned skip = session->flags & SESSION_REPLY_SKIP;
    session->reply.muted = session->flags & (SESSION_REPLY_OFF | SESSION_REPLY_SKIP);
    session->flags &= ~(unsigned)SESSION_REPLY_SKIP;
    switch (dispatch_run(worker->executor, request)) {
    case DISPATCH_RETRY:
        session->flags |= skip;
        connection->waiting = true;
        worker->waiting++;
        return;
    case DISPATCH_PARKED:
    case DISPATCH_DONE:
        connection->consumed = end;
    }
    connection->held_offset = journal_offset(worker->executor->journal);
    if (session->flags & SESSION_REPLY_SKIP_NEXT)
        session->flags ^= SESSION_REPLY_SKIP_NEXT | SESSION_REPLY_SKIP;
    session->active_ms = worker->executor->now;
    if (session->flags & SESSION_CLOSE_NOW)
        connection_close(connection);
    else
        connection_want_flush(connection);
}

static void run_window(struct worker *worker, struct window *window)
{
    struct request *requests = window->requests;
    size_t count = window->count;
    if (count > 1) {
        for (size_t i = 0; i < count; i++)
            dispatch_prefetch_bucket(&requests[i]);
        for (size_t i = 0; i < count; i++)
            dispatch_prefetch_entry(&requests[i]);
        dispatch_prefetch_members(requests, count);
    }
    for (size_t i = 0; i < count; i++) {
        window->at = i;
        if (requests[i].session) /* it has not been put back */
            run_request(worker, &requests[i], window->ends[i]);
    }
    window->count = 0;
}

/* Makes a request of what the reader has just read, from start to `parsed`. */
static void make_request(struct request *request, struct connection *connection, const char *start)
{
    struct resp_reader *reader = &connection->reader;
    const char *end = connection->input.data + connection->parsed;
    request->session = &connection->session;
    request->argv = reader->argv;
    request->argc = (int)reader->argc;
    request->raw =
        *start == '*' ? (struct bytes){ start, (size_t)(end - start) } : (struct bytes){ 0 };
}

static void add_request(
    struct worker *worker, struct window *window, struct connection *connection, const char *start)
{
    struct resp_reader *reader = &connection->reader;
    size_t at = window->count;
    struct request *request = &window->requests[at];
    make_request(request, connection, start);
    if (request->raw.len > 0 && reader->argc <= WINDOW_ARGS) {
        memcpy(window->args[at], reader->argv, sizeof(window->args[at])); /* all: it is faster */
        request->argv = window->args[at];
    }
    dispatch_prepare(worker->executor, request, at > 0 ? request - 1 : NULL);
    window->ends[at] = connection->parsed;
    window->count++;
    /* The arguments of the others lie in the reader, and only until it reads on. Before a password
     * is given each request runs at once: what may follow depends on whether it was the right one.
     */
    if (window->count == WINDOW || request->argv == reader->argv ||
        session_needs_password(request->session))
        run_window(worker, window);
}

static void refuse_protocol(struct connection *connection)
{
    struct session *session = &connection->session;
    session->reply.muted = false;
    reply_error(&session->reply, "Protocol error: %s", connection->reader.error);
    session->flags |= SESSION_CLOSE_AFTER_REPLY;
    connection->consumed = connection->parsed = connection->input.len;
    connection_want_flush(connection);
}

/* Reads the next request of the input; `parsed` is behind it then. */
static enum resp_status read_request(struct connection *connection)
{
    struct resp_reader *reader = &connection->reader;
    int64_t bulk_max = config_number(CONFIG_PROTO_MAX_BULK_LEN);
    reader->bulk_max =
        bulk_max < UINT32_MAX ? bulk_max : UINT32_MAX; /* what the length of a key may be */
    reader->strict_bounds = condition_all() & CONDITION_PASSWORD;
    reader->authenticated = connection->session.flags & SESSION_AUTHENTICATED;
    const char *start = connection->input.data + connection->parsed;
    size_t used;
    enum resp_status status =
        resp_read(reader, start, connection->input.len - connection->parsed, &used);
    if (status == RESP_OK)
        connection->parsed += used;
    return status;
}

/* Adds the requests of a connection to the window. */
static void parse(struct worker *worker, struct window *window, struct connection *connection)
{
    struct buffer *input = &connection->input;
    struct resp_reader *reader = &connection->reader;
    while (connection->parsed < input->len && !is_blocked(connection)) {
        const char *start = input->data + connection->parsed;
        enum resp_status status = read_request(connection);
        if (status == RESP_MORE)
            break;
        if (status == RESP_ERROR) {
            run_window(worker, window);
            if (!is_blocked(connection))
                refuse_protocol(connection);
            break;
        }
        if (reader->argc > 0)
            add_request(worker, window, connection, start);
        else if (window->count == 0)
            connection->consumed = connection->parsed;
    }
}

/* Drops from the input what has been executed. */
static void tidy_input(struct connection *connection)
{
    struct buffer *input = &connection->input;
    if (is_blocked(connection))
        rewind_input(connection);
    else
        connection->consumed = connection->parsed;
    if (connection->consumed == input->len) {
        connection_give_input(connection);
    } else if (connection->consumed > 0) {
        buffer_consume(input, connection->consumed);
    }
    connection->parsed -= connection->consumed;
    connection->consumed = 0;
}

/* A client that does not wait for its answers, while it has to wait itself, is read no further than
 * this. */
static void bound_input(struct connection *connection)
{
    enum { ENOUGH = 1024 * 1024 };
    bool enough = is_blocked(connection) && connection->input.len > ENOUGH;
    connection_set_reading(connection, !enough);
}

void window_run_ready(struct worker *worker)
{
    struct connection_list *ready = &worker->ready;
    if (ready->count == 0)
        return;
    worker->executor->now = clock_unix_ms();
    turn_begin(worker->executor->turn);
    for (size_t i = 0; i < ready->count; i++)
        parse(worker, &own_window, ready->items[i]);
    run_window(worker, &own_window);
    turn_end(worker->executor->turn);
    for (size_t i = 0; i < ready->count; i++) {
        struct connection *connection = ready->items[i];
        connection->on_ready = false;
        if (connection->closing)
            continue;
        tidy_input(connection);
        client_memory_note(&connection->session);
        bound_input(connection);
    }
    ready->count = 0;
}

/* ---- In the midst of a request that takes long ---- */

/* The requests behind the one that is being run are not to wait for it: they are put back into the
 * input of their connections. That of the one's own connection must stay where it is, for its
 * arguments lie there. */
void window_put_back(void)
{
    struct window *all = &own_window;
    if (all->count == 0)
        return; /* it is none of the window's: connections are being buried */
    const struct session *busy = all->requests[all->at].session;
    for (size_t i = all->at + 1; i < all->count; i++) {
        struct session *session = all->requests[i].session;
        if (!session || session == busy)
            continue;
        all->requests[i].session = NULL;
        rewind_input(connection_of(session));
    }
    if (!connection_of((struct session *)busy)->closing)
        connection_set_reading(connection_of((struct session *)busy), false);
}

/* A session that watches keys is left alone, too: to forget them it may want a slot that the one
 * under way has. */
static bool can_be_served(const struct connection *connection)
{
    return !is_blocked(connection) && connection->parsed == connection->consumed &&
           !connection->session.watches;
}

/* Its requests one by one: the window is in use. */
static void serve(struct worker *worker, struct connection *connection)
{
    struct buffer *input = &connection->input;
    struct resp_reader *reader = &connection->reader;
    while (connection->parsed < input->len && can_be_served(connection)) {
        const char *start = input->data + connection->parsed;
        enum resp_status status = read_request(connection);
        if (status == RESP_MORE)
            break;
        if (status == RESP_ERROR) {
            refuse_protocol(connection);
            break;
        }
        if (reader->argc == 0) {
            connection->consumed = connection->parsed;
            continue;
        }
        struct request request;
        make_request(&request, connection, start);
        dispatch_prepare(worker->executor, &request, NULL);
        turn_begin(worker->executor->turn);
        run_request(worker, &request, connection->parsed);
        turn_end(worker->executor->turn);
    }
    if (!connection->closing)
        tidy_input(connection);
}

void window_serve_ready(struct worker *worker)
{
    worker->executor->now = clock_unix_ms();
    for (size_t i = 0; i < worker->ready.count; i++) {
        struct connection *connection = worker->ready.items[i];
        if (!connection->closing && can_be_served(connection))
            serve(worker, connection);
    }
}
