/* The turn. libevent tells which sockets can be read: each is read once into its connection's
 * buffer. When all are read, the requests of all these connections are run in windows: for a window
 * of requests the memory that they will touch is asked for in stages, first the slots, then the
 * buckets, then the entries, so that the processor waits for many cache lines at once instead of
 * for one after the other. Then the replies are written.
 *
 * Within a window the requests of one connection stand in their order. When one must wait (parked,
 * or told to retry) those behind it are dropped from the window and read again from the input
 * later. */
#include "server/net/worker.h"

#include "common/memory.h"
#include "server/clock.h"
#include "server/command/block.h"
#include "server/command/call.h"
#include "server/command/client_memory.h"
#include "server/command/condition.h"
#include "server/command/dispatch.h"
#include "server/command/push.h"
#include "server/command/topic.h"
#include "server/command/transaction.h"
#include "server/config.h"
#include "server/info.h"
#include "server/journal/aof.h"
#include "server/journal/gate.h"
#include "server/journal/journal.h"
#include "server/log.h"
#include "server/mailbox.h"
#include "server/net/listener.h"
#include "server/periodic.h"
#include "server/thread.h"
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    WINDOW = 32,     /* requests under way at once */
    WINDOW_ARGS = RESP_ARGV_FIRST, /* requests with more arguments run alone */
    TICK_MS = 100,
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
static struct net_config net;
static struct worker workers[WORKERS_MAX];
static atomic_bool stopping;

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
    connection->held_offset = journal_offset(net.journal);
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
static void make_request(
    struct request *request, struct connection *connection, const char *start)
{
    struct resp_reader *reader = &connection->reader;
    const char *end = connection->input.data + connection->parsed;
    request->session = &connection->session;
    request->argv = reader->argv;
    request->argc = (int)reader->argc;
    request->raw = *start == '*' ? (struct bytes){ start, (size_t)(end - start) } : (struct bytes){ 0 };
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

static void flush_replies(struct worker *worker);

static void run_ready(struct worker *worker)
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
static void put_back(struct window *all)
{
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

/* A turn within a turn: without the connection that the outer one is at, and nothing is buried. */
static bool serve_others(struct executor *executor)
{
    struct worker *worker = executor->worker;
    put_back(&own_window);
    event_base_loop(worker->base, EVLOOP_NONBLOCK);
    executor->now = clock_unix_ms();
    for (size_t i = 0; i < worker->ready.count; i++) {
        struct connection *connection = worker->ready.items[i];
        if (!connection->closing && can_be_served(connection))
            serve(worker, connection);
    }
    journal_wake(net.journal);
    flush_replies(worker);
    return !atomic_load_explicit(&stopping, memory_order_relaxed);
}

static void resume(struct session *session)
{
    struct connection *connection = connection_of(session);
    connection->held_offset = journal_offset(net.journal);
    connection_want_run(connection);
    connection_want_flush(connection);
}

static void flush(struct session *session)
{
    struct connection *connection = connection_of(session);
    connection->held_offset = journal_offset(net.journal);
    connection_want_flush(connection);
}

static void retry_waiting(struct executor *executor)
{
    struct worker *worker = executor->worker;
    if (worker->waiting == 0)
        return;
    for (struct connection *connection = worker->connections; connection;
         connection = connection->next) {
        if (!connection->waiting)
            continue;
        connection->waiting = false;
        connection_want_run(connection);
    }
    worker->waiting = 0;
}

/* ---- Writing ---- */

/* Under appendfsync always nobody sees a reply before all that was written by then is on the disk:
 * a reader might have seen what another has written. */
static bool must_hold(struct worker *worker, struct connection *connection)
{
    if (connection->stream)
        return false;
    /* While the disk fails only those wait who have written what it lacks: the others shall hear
     * -MISCONF, and may read. */
    bool failing = aof_errno(net.aof) != 0;
    int64_t offset = failing ? (int64_t)connection->session.write_offset : connection->held_offset;
    return !gate_wait(worker->listener, offset, 1);
}

static void enforce_output_limit(struct connection *connection)
{
    size_t size = reply_size(&connection->session.reply) - connection->sent;
    bool listens = connection->session.flags & SESSION_SUBSCRIBED;
    int64_t hard = config_number(
        listens ? CONFIG_OUTPUT_LIMIT_PUBSUB_HARD : CONFIG_OUTPUT_LIMIT_NORMAL_HARD);
    int64_t soft = config_number(
        listens ? CONFIG_OUTPUT_LIMIT_PUBSUB_SOFT : CONFIG_OUTPUT_LIMIT_NORMAL_SOFT);
    int64_t seconds = config_number(
        listens ? CONFIG_OUTPUT_LIMIT_PUBSUB_SECONDS : CONFIG_OUTPUT_LIMIT_NORMAL_SECONDS);
    bool over = hard > 0 && size >= (size_t)hard;
    if (soft > 0 && size >= (size_t)soft) {
        int64_t now = clock_monotonic_ms();
        if (!connection->soft_limit_since)
            connection->soft_limit_since = now;
        over = over || now - connection->soft_limit_since > seconds * 1000;
    } else {
        connection->soft_limit_since = 0;
    }
    if (over) {
        log_write(LOG_WARNING, "Closing client %s: its replies exceed client-output-buffer-limit",
            connection->session.peer);
        connection_close(connection);
    }
}

static void flush_replies(struct worker *worker)
{
    bool always = aof_holds_replies(net.aof);
    struct connection_list *flush = &worker->flush;
    size_t kept = 0;
    for (size_t i = 0; i < flush->count; i++) {
        struct connection *connection = flush->items[i];
        connection->on_flush = false;
        if (connection->closing)
            continue;
        if (always && must_hold(worker, connection)) {
            connection->on_flush = true;
            flush->items[kept++] = connection;
            continue;
        }
        connection_write(connection);
        if (!connection->closing)
            client_memory_note(&connection->session);
        if (connection->writing && !connection->closing && !connection->stream)
            enforce_output_limit(connection);
    }
    flush->count = kept;
}

static void unlist(struct connection_list *list, const struct connection *connection)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i] != connection)
            list->items[kept++] = list->items[i];
    }
    list->count = kept;
}

static void bury(struct worker *worker)
{
    while (worker->dead) {
        struct connection *connection = worker->dead;
        worker->dead = connection->next;
        if (connection->on_flush)
            unlist(&worker->flush, connection);
        if (connection->on_ready)
            unlist(&worker->ready, connection);
        connection_free(connection);
    }
}

static void run_turn(struct worker *worker)
{
    run_ready(worker);
    journal_wake(net.journal);
    flush_replies(worker);
    bury(worker);
    client_memory_enforce(worker->executor);
}

/* ---- Time ---- */

static void close_idle(struct worker *worker, int64_t now)
{
    int64_t timeout = config_number(CONFIG_TIMEOUT) * 1000;
    for (struct connection *connection = worker->connections, *next; connection;
         connection = next) {
        next = connection->next;
        struct session *session = &connection->session;
        if (connection->stream) {
            continue;
        } else if (timeout > 0 && now - session->active_ms > timeout && !connection->waiting &&
                   !(session->flags & SESSION_PARKED)) {
            log_write(LOG_VERBOSE, "Closing idle client");
            connection_close(connection);
        } else if (connection->writing) {
            enforce_output_limit(connection);
        }
    }
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct worker *worker = arg;
    int64_t now = clock_unix_ms();
    worker->executor->now = now;
    if (turn_is_held(worker->executor->turn))
        return; /* in the midst of a script that has written: what follows may stop all turns */
    periodic_run(worker->executor, worker->number, net.workers);
    patience_tick(&worker->patience,
        (struct patience_load){ .workers = net.workers,
            .connections = atomic_load(&worker->load),
            .reads = atomic_load(&worker->executor->counters.reads) });
    if (now / 1000 != worker->last_second) {
        worker->last_second = now / 1000;
        close_idle(worker, now);
    }
}

static void on_alarm(evutil_socket_t fd, short what, void *arg)
{
    struct worker *worker = arg;
    block_alarm(worker->executor);
}

static void set_alarm(struct executor *executor, int64_t at_ms)
{
    enum { FAR_MS = 24 * 60 * 60 * 1000 }; /* it is set again then */
    struct worker *worker = executor->worker;
    int64_t left = at_ms - clock_monotonic_ms();
    left = left < 0 ? 0 : left > FAR_MS ? FAR_MS : left;
    event_add(worker->alarm,
        &(struct timeval){ (time_t)(left / 1000), (suseconds_t)(left % 1000 * 1000) });
}

static void post(struct executor *executor, void (*fn)(void *arg), void *arg)
{
    worker_post(executor->worker, fn, arg);
}

void worker_post(struct worker *worker, void (*fn)(void *arg), void *arg)
{
    mailbox_post(worker->mailbox, fn, arg);
}

/* ---- Visiting all sessions ---- */

struct round {
    struct executor *asker;
    unsigned next;
    void (*visit)(void *arg, struct session *session);
    void (*done)(void *arg);
    void *arg;
};

static void finish_round(void *arg)
{
    struct round *round = arg;
    round->done(round->arg);
    free(round);
}

static void visit_worker(void *arg)
{
    struct round *round = arg;
    struct worker *worker = &workers[round->next++];
    for (struct connection *connection = worker->connections, *next; connection;
         connection = next) {
        next = connection->next; /* visit may close it */
        round->visit(round->arg, &connection->session);
    }
    if (round->next < net.workers)
        worker_post(&workers[round->next], visit_worker, round);
    else
        worker_post(round->asker->worker, finish_round, round);
}

static void visit_all(struct executor *asker, void (*visit)(void *arg, struct session *session),
    void (*done)(void *arg), void *arg)
{
    struct round *round = memory_alloc(sizeof(*round));
    *round = (struct round){ .asker = asker, .visit = visit, .done = done, .arg = arg };
    worker_post(&workers[0], visit_worker, round);
}

static void close_session(struct session *session)
{
    connection_close(connection_of(session));
}

static void measure(const struct session *session, struct session_figures *figures)
{
    const struct connection *connection = session->connection;
    const struct reply *reply = &session->reply;
    *figures = (struct session_figures){ .input = connection->input.len,
        .input_free = connection->input.capacity - connection->input.len,
        .output_buffer = reply->bytes.len - connection->sent,
        .output_blobs = reply->blob_count - connection->blobs_sent,
        .output_memory = reply->bytes.capacity + reply->blob_size,
        .is_writing = connection->writing,
        .fd = connection->fd };
    figures->memory = sizeof(*connection) + connection->input.capacity + figures->output_memory +
                      connection->reader.capacity * sizeof(struct bytes) + block_memory(session) +
                      topic_memory_of(session) + transaction_memory(session);
}

/* ---- Life ---- */

static struct session *find_session(struct executor *executor, uint64_t id)
{
    struct worker *worker = executor->worker;
    for (struct connection *connection = worker->by_id[id % WORKER_INDEX]; connection;
         connection = connection->next_by_id) {
        if (connection->session.id == id)
            return &connection->session;
    }
    return NULL;
}

static void nothing(void *arg)
{
}

/* In the thread of the AOF or of a replica's worker. */
static void wake(void *arg)
{
    worker_post(arg, nothing, NULL);
}

static void *run(void *arg)
{
    struct worker *worker = arg;
    thread_enter(worker->number > 0 ? "worker" : NULL, THREAD_SERVER); /* the first is the process */
    while (!atomic_load_explicit(&stopping, memory_order_relaxed)) {
        event_base_loop(worker->base, EVLOOP_ONCE);
        size_t found = worker->ready.count;
        run_turn(worker);
        if (worker->flush.count == 0)
            patience_rest(&worker->patience, found);
    }
    return NULL;
}

static bool worker_init(struct worker *worker, unsigned number, struct error *error)
{
    struct event_config *config = event_config_new();
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
    worker->base = event_base_new_with_config(config);
    event_config_free(config);
    if (!worker->base)
        return error_set(error, "cannot make an event loop: too few file descriptors?");
    worker->number = number;
    worker->mailbox = mailbox_create(worker->base);
    worker->listener = gate_listener_add(aof_gate(net.aof), wake, worker);
    struct executor *executor = executor_create(net.store, net.journal);
    executor->worker = worker;
    executor->post = post;
    executor->find_session = find_session;
    executor->resume = resume;
    executor->flush = flush;
    executor->retry_waiting = retry_waiting;
    executor->visit = visit_all;
    executor->measure = measure;
    executor->close = close_session;
    executor->set_alarm = set_alarm;
    worker->alarm = event_new(worker->base, -1, 0, on_alarm, worker);
    executor->serve = serve_others;
    executor->now = clock_unix_ms();
    push_box_create(executor);
    worker->executor = executor;
    struct event *tick = event_new(worker->base, -1, EV_PERSIST, on_tick, worker);
    event_add(tick, &(struct timeval){ 0, TICK_MS * 1000 });
    return true;
}

static void tell_clients(struct buffer *out)
{
    size_t waiting = 0;
    for (unsigned i = 0; i < net.workers; i++)
        waiting += atomic_load(&workers[i].waiting);
    buffer_printf(out, "connected_clients:%zu\r\n", net_client_count());
    buffer_printf(out, "blocked_clients:%zu\r\n", ticket_count() + waiting);
}

static void tell_stats(struct buffer *out)
{
    buffer_printf(out, "rejected_connections:%llu\r\n", (unsigned long long)listener_rejected());
}

bool net_open(const struct net_config *config, struct error *error)
{
    net = *config;
    info_register("clients", tell_clients);
    info_register("stats", tell_stats);
    for (unsigned i = 0; i < net.workers; i++) {
        if (!worker_init(&workers[i], i, error))
            return false;
    }
    return true;
}

bool net_start(struct error *error)
{
    for (unsigned i = 1; i < net.workers; i++) {
        if (pthread_create(&workers[i].thread, NULL, run, &workers[i]) != 0)
            return error_set(error, "cannot start worker thread %u: %m", i);
    }
    return true;
}

void net_run(void)
{
    run(&workers[0]);
    for (unsigned i = 1; i < net.workers; i++)
        pthread_join(workers[i].thread, NULL);
}

void net_stop(void)
{
    atomic_store(&stopping, true);
    for (unsigned i = 0; i < net.workers; i++)
        worker_post(&workers[i], nothing, NULL);
}

void net_finish(void)
{
    for (unsigned i = 0; i < net.workers; i++) {
        struct worker *worker = &workers[i];
        while (worker->connections)
            connection_close(worker->connections);
        bury(worker);
    }
}

struct event_base *net_main_base(void)
{
    return workers[0].base;
}

size_t net_client_count(void)
{
    size_t count = 0;
    for (unsigned i = 0; i < net.workers; i++)
        count += atomic_load(&workers[i].load);
    return count;
}

/* ---- New clients ---- */

struct newcomer {
    struct worker *worker;
    int fd;
    bool unix_socket;
    char peer[64], local[64];
};

static void adopt(void *arg)
{
    struct newcomer *newcomer = arg;
    connection_create(
        newcomer->worker, newcomer->fd, newcomer->peer, newcomer->local, newcomer->unix_socket);
    counter_add(&newcomer->worker->executor->counters.connections_accepted, 1);
    atomic_fetch_sub(&newcomer->worker->load, 1); /* counted twice since net_adopt */
    free(newcomer);
}

void net_adopt(int fd, const char *peer, const char *local, bool unix_socket)
{
    struct worker *least = &workers[0];
    for (unsigned i = 1; i < net.workers; i++) {
        if (atomic_load(&workers[i].load) < atomic_load(&least->load))
            least = &workers[i];
    }
    struct newcomer *newcomer = memory_alloc(sizeof(*newcomer));
    *newcomer = (struct newcomer){ .worker = least, .fd = fd, .unix_socket = unix_socket };
    snprintf(newcomer->peer, sizeof(newcomer->peer), "%s", peer);
    snprintf(newcomer->local, sizeof(newcomer->local), "%s", local);
    atomic_fetch_add(&least->load, 1);
    if (least == &workers[0])
        adopt(newcomer);
    else
        worker_post(least, adopt, newcomer);
}
