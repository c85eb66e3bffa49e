/* The worker's thread and its turn. libevent tells which sockets can be read: each is read once into
 * its connection's buffer. When all are read, the requests of all these connections are run
 * (window.c). Then the replies are written (output.c), and connections that were closed are freed. */
#include "server/net/worker.h"

#include "common/memory.h"
#include "server/clock.h"
#include "server/command/block.h"
#include "server/command/call.h"
#include "server/command/client_memory.h"
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
#include "server/net/output.h"
#include "server/net/window.h"
#include "server/periodic.h"
#include "server/thread.h"
#include <pthread.h>
#include <stdlib.h>

enum { TICK_MS = 100 };

static struct net_config net;
static struct worker workers[WORKERS_MAX];
static atomic_bool stopping;

/* ---- The turn ---- */

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
    window_run_ready(worker);
    journal_wake(net.journal);
    output_flush(worker);
    bury(worker);
    client_memory_enforce(worker->executor);
}

/* A turn within a turn: without the connection that the outer one is at, and nothing is buried. */
static bool serve_others(struct executor *executor)
{
    struct worker *worker = executor->worker;
    window_put_back();
    event_base_loop(worker->base, EVLOOP_NONBLOCK);
    window_serve_ready(worker);
    journal_wake(net.journal);
    output_flush(worker);
    return !atomic_load_explicit(&stopping, memory_order_relaxed);
}

/* ---- What is asked of a connection from elsewhere ---- */

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
            output_enforce_limit(connection);
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
    worker->aof = net.aof;
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
