/* The list of all replicas. A replica belongs to the worker of its connection, which alone changes
 * it; what others look at it changes under the mutex. Ten times a second each worker looks after
 * its own replicas (who is silent, who lags too far), and worker 0 after what concerns all: PINGs
 * in the stream, the time to live of the backlog, min-replicas-to-write. */
#include "server/replication/feed.h"

#include "common/memory.h"
#include "server/clock.h"
#include "server/command/condition.h"
#include "server/config.h"
#include "server/log.h"
#include "server/net/connection.h"
#include "server/periodic.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { NEWLINE_MS = 1000, PAUSED_PING_MS = 12000 };

static struct journal *journal; /* set by feed_open */
static struct gate *gate, *fsync_gate;

/* Guarded by mutex. What is taken under it: the journal's mutexes, the gate's, a queue's, those of
 * mailboxes. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct {
    struct replica *first, **last; /* in the order in which they came */
    bool started;
    int64_t empty_since; /* monotonic ms: when the last one went; 0: none has gone yet */
    int64_t ping_ms;     /* monotonic: the last PING in the stream */
    int64_t getack_start, getack_end; /* offsets: of the last GETACK in the stream */
} feed = { .last = &feed.first, .getack_end = -1 };

static _Atomic uint64_t events[FEED_EVENTS], bytes_sent;

struct journal *feed_journal(void)
{
    return journal;
}

struct gate *feed_gate(void)
{
    return gate;
}

struct gate *feed_fsync_gate(void)
{
    return fsync_gate;
}

void feed_note(enum feed_event event)
{
    atomic_fetch_add(&events[event], 1);
}

void feed_note_bytes(size_t len)
{
    atomic_fetch_add_explicit(&bytes_sent, len, memory_order_relaxed);
}

uint64_t feed_events(enum feed_event event)
{
    return atomic_load(&events[event]);
}

uint64_t feed_bytes(void)
{
    return atomic_load(&bytes_sent);
}

/* ---- Letters to a replica's worker ---- */

struct letter {
    struct executor *executor;
    uint64_t session_id;
};

static void send_letter(const struct replica *replica, void (*fn)(void *arg))
{
    struct letter *letter = memory_alloc(sizeof(*letter));
    *letter = (struct letter){ replica->executor, replica->session_id };
    letter->executor->post(letter->executor, fn, letter);
}

/* The session, if it is still there; frees the letter. */
static struct session *open_letter(void *arg)
{
    struct letter *letter = arg;
    struct session *session = letter->executor->find_session(letter->executor, letter->session_id);
    free(letter);
    return session && session->replica ? session : NULL;
}

static void on_wake(void *arg)
{
    struct session *session = open_letter(arg);
    if (session)
        connection_stream_ready(session);
}

static void on_drop(void *arg)
{
    struct session *session = open_letter(arg);
    if (session)
        connection_close(connection_of(session));
}

void replica_wake(const struct replica *replica)
{
    send_letter(replica, on_wake);
}

void feed_drop_all(const char *reason)
{
    size_t count = 0;
    pthread_mutex_lock(&mutex);
    for (struct replica *replica = feed.first; replica; replica = replica->next) {
        if (replica->state == REPLICA_INTRODUCED)
            continue;
        send_letter(replica, on_drop);
        count++;
    }
    pthread_mutex_unlock(&mutex);
    if (count > 0)
        log_write(LOG_NOTICE, "Closing the connections of %zu replicas: %s", count, reason);
}

void feed_lead(void)
{
    pthread_mutex_lock(&mutex);
    feed.empty_since = clock_monotonic_ms();
    pthread_mutex_unlock(&mutex);
    feed_drop_all("they are to learn the new replication ID");
}

/* ---- Life of a replica ---- */

/* "[::1]:7001" or "1.2.3.4:7001" to the address alone. */
static void copy_ip(char *out, size_t size, const char *peer)
{
    const char *end = strrchr(peer, ':');
    size_t len = end ? (size_t)(end - peer) : strlen(peer);
    if (len > 1 && peer[0] == '[' && peer[len - 1] == ']') {
        peer++;
        len -= 2;
    }
    snprintf(out, size, "%.*s", (int)len, peer);
}

struct replica *replica_of(struct session *session)
{
    if (session->replica)
        return session->replica;
    struct replica *replica = memory_alloc_zeroed(1, sizeof(*replica));
    replica->executor = session->executor;
    replica->session_id = session->id;
    replica->ack_ms = replica->progress_ms = clock_monotonic_ms();
    copy_ip(replica->ip, sizeof(replica->ip), session->peer);
    session->replica = replica;
    connection_set_stream(session, &replica_stream);
    pthread_mutex_lock(&mutex);
    replica->previous = feed.last;
    *feed.last = replica;
    feed.last = &replica->next;
    pthread_mutex_unlock(&mutex);
    return replica;
}

static size_t count_attached(void)
{
    size_t count = 0;
    for (const struct replica *replica = feed.first; replica; replica = replica->next)
        count += replica->state != REPLICA_INTRODUCED;
    return count;
}

void replica_free(struct replica *replica)
{
    if (replica->queue)
        snapshot_queue_close(replica->queue); /* after it nobody else touches the reader */
    pthread_mutex_lock(&mutex);
    *replica->previous = replica->next;
    if (replica->next)
        replica->next->previous = replica->previous;
    else
        feed.last = replica->previous;
    if (replica->state != REPLICA_INTRODUCED && count_attached() == 0)
        feed.empty_since = clock_monotonic_ms();
    pthread_mutex_unlock(&mutex);
    journal_reader_close(replica->reader);
    gate_follower_remove(replica->follower);
    gate_follower_remove(replica->fsynced);
    buffer_free(&replica->head);
    if (replica->state == REPLICA_ONLINE)
        feed_judge_min_replicas();
    free(replica);
}

void replica_set_state(struct replica *replica, enum replica_state state)
{
    pthread_mutex_lock(&mutex);
    replica->state = state;
    replica->ack_ms = replica->progress_ms = clock_monotonic_ms();
    if (state == REPLICA_ONLINE && !replica->follower) {
        replica->follower = gate_follower_add(gate, 0);
        replica->fsynced = gate_follower_add(fsync_gate, -1);
    }
    pthread_mutex_unlock(&mutex);
    feed_judge_min_replicas();
}

void replica_set_start(struct replica *replica, int64_t monotonic_ms)
{
    pthread_mutex_lock(&mutex);
    for (const struct replica *other = feed.first; other; other = other->next) {
        bool waits = other->state == REPLICA_WAITING && other->start_ms > 0;
        if (waits && other->start_ms < monotonic_ms)
            monotonic_ms = other->start_ms;
    }
    replica->start_ms = monotonic_ms;
    replica->newline_ms = clock_monotonic_ms();
    pthread_mutex_unlock(&mutex);
}

bool feed_attach(struct replica *replica, struct error *error)
{
    pthread_mutex_lock(&mutex);
    bool started = feed.started;
    if (started) {
        if (count_attached() == 0)
            feed.ping_ms = clock_monotonic_ms();
        /* Offsets count only while there is a backlog, so what was before it needs another name. */
        if (!journal_backlog(journal).active) {
            journal_history_shift(journal);
            journal_history_clear_second(journal);
            journal_backlog_start(journal);
        }
        replica->state = REPLICA_WAITING;
        replica->ack_ms = replica->progress_ms = clock_monotonic_ms();
    }
    pthread_mutex_unlock(&mutex);
    return started || error_set(error, "LOADING Redis is loading the dataset in memory");
}

void replica_acknowledge(struct replica *replica, int64_t offset, int64_t fsynced)
{
    int64_t written = journal_offset(journal);
    pthread_mutex_lock(&mutex);
    replica->ack_ms = clock_monotonic_ms();
    pthread_mutex_unlock(&mutex);
    if (replica->state == REPLICA_LOADING) {
        replica_set_state(replica, REPLICA_ONLINE);
        log_write(
            LOG_NOTICE, "The replica %s:%d has loaded the snapshot", replica->ip, replica->port);
        replica_wake(replica);
    }
    if (replica->state == REPLICA_ONLINE)
        gate_follower_advance(replica->follower, offset < written ? offset : written);
    if (replica->state == REPLICA_ONLINE && fsynced >= 0)
        gate_follower_advance(replica->fsynced, fsynced < written ? fsynced : written);
}

/* ---- Questions ---- */

/* mutex is held. */
static void describe(const struct replica *replica, int64_t now, struct feed_replica *out)
{
    out->port = replica->port;
    out->state = replica->state;
    out->lag_ms = now - replica->ack_ms;
    out->offset = replica->follower ? gate_follower_offset(replica->follower) : 0;
    memcpy(out->ip, replica->ip, sizeof(out->ip));
}

bool feed_find(const char *ip, int port, int64_t acknowledged, struct feed_replica *out)
{
    bool found = false;
    int64_t now = clock_monotonic_ms();
    pthread_mutex_lock(&mutex);
    for (const struct replica *replica = feed.first; replica && !found; replica = replica->next) {
        if (replica->state == REPLICA_INTRODUCED ||
            (ip[0] && (strcmp(replica->ip, ip) != 0 || replica->port != port)))
            continue;
        describe(replica, now, out);
        found =
            acknowledged < 0 || (replica->state == REPLICA_ONLINE && out->offset >= acknowledged);
    }
    pthread_mutex_unlock(&mutex);
    return found;
}

size_t feed_list(struct feed_replica *out, size_t max)
{
    size_t count = 0;
    int64_t now = clock_monotonic_ms();
    pthread_mutex_lock(&mutex);
    for (const struct replica *replica = feed.first; replica; replica = replica->next) {
        if (replica->state == REPLICA_INTRODUCED)
            continue;
        if (count < max)
            describe(replica, now, &out[count]);
        count++;
    }
    pthread_mutex_unlock(&mutex);
    return count;
}

struct feed_count feed_count(int64_t max_lag_ms)
{
    struct feed_count count = { 0 };
    int64_t now = clock_monotonic_ms();
    pthread_mutex_lock(&mutex);
    for (const struct replica *replica = feed.first; replica; replica = replica->next) {
        bool online = replica->state == REPLICA_ONLINE;
        count.attached += replica->state != REPLICA_INTRODUCED;
        count.online += online;
        count.good += online && now - replica->ack_ms <= max_lag_ms;
    }
    pthread_mutex_unlock(&mutex);
    return count;
}

void feed_judge_min_replicas(void)
{
    int64_t wanted = config_number(CONFIG_MIN_REPLICAS_TO_WRITE);
    int64_t max_lag = config_number(CONFIG_MIN_REPLICAS_MAX_LAG);
    bool few =
        wanted > 0 && max_lag > 0 &&
        (int64_t)feed_count(max_lag * 1000 + 999).good < wanted; /* counted in whole seconds */
    bool said = condition_all() & CONDITION_FEW_REPLICAS;
    if (few != said)
        condition_set(CONDITION_FEW_REPLICAS, few);
}

/* ---- Acknowledgements ---- */

void feed_request_acks(bool paused_too)
{
    static const struct bytes getack[] = { { "REPLCONF", 8 }, { "GETACK", 6 }, { "*", 1 } };
    if ((pause_is_on() && !paused_too) || condition_all() & CONDITION_REPLICA ||
        !journal_backlog(journal).active)
        return;
    pthread_mutex_lock(&mutex);
    int64_t offset = journal_offset(journal);
    if (offset != feed.getack_end) {
        feed.getack_start = offset;
        feed.getack_end = journal_append(journal, JOURNAL_NO_DB, getack, 3);
    }
    pthread_mutex_unlock(&mutex);
    journal_wake(journal);
}

/* Redis acknowledges what came before the GETACK, so a GETACK at the end does not count. mutex is
 * held. */
static int64_t needed_offset(void)
{
    int64_t offset = journal_offset(journal);
    return offset == feed.getack_end ? feed.getack_start : offset;
}

int64_t feed_needed_offset(void)
{
    pthread_mutex_lock(&mutex);
    int64_t needed = needed_offset();
    pthread_mutex_unlock(&mutex);
    return needed;
}

size_t feed_laggards(void)
{
    size_t count = 0;
    if (condition_all() & CONDITION_REPLICA)
        return 0;
    feed_request_acks(true);
    pthread_mutex_lock(&mutex);
    int64_t needed = needed_offset();
    for (const struct replica *replica = feed.first; replica; replica = replica->next)
        count +=
            replica->state == REPLICA_ONLINE && gate_follower_offset(replica->follower) < needed;
    pthread_mutex_unlock(&mutex);
    return count;
}

/* ---- Ten times a second, in each worker ---- */

/* Somebody who has said REPLCONF is bound by what binds clients. */
static void judge_introduced(struct session *session, int64_t now_unix)
{
    int64_t timeout = config_number(CONFIG_TIMEOUT) * 1000;
    int64_t most = config_number(CONFIG_OUTPUT_LIMIT_NORMAL_HARD);
    if (timeout > 0 && now_unix - session->active_ms > timeout)
        connection_close(connection_of(session));
    else if (most > 0 && reply_size(&session->reply) > (size_t)most)
        connection_close(connection_of(session));
}

static bool is_over_limit(struct replica *replica, int64_t now)
{
    struct journal_limit limit = { .hard = config_number(CONFIG_OUTPUT_LIMIT_REPLICA_HARD),
        .soft = config_number(CONFIG_OUTPUT_LIMIT_REPLICA_SOFT),
        .soft_ms = config_number(CONFIG_OUTPUT_LIMIT_REPLICA_SECONDS) * 1000 };
    return journal_reader_over_limit(replica->reader, &limit, now);
}

/* Whatever comes from it is a sign of life: a replica that loads sends empty lines. */
static void note_signs_of_life(struct session *session, struct replica *replica, int64_t now)
{
    size_t bytes_in = connection_of(session)->bytes_in;
    if (replica->state == REPLICA_LOADING && bytes_in != replica->bytes_in)
        replica->ack_ms = now;
    replica->bytes_in = bytes_in;
}

static void wait_for_snapshot(struct session *session, struct replica *replica, int64_t now)
{
    if (!replica->queue && now >= replica->start_ms)
        replica_begin_snapshot(replica);
    bool silent = replica->head.len == 0 && now - replica->newline_ms >= NEWLINE_MS;
    if (!replica->announced && silent) {
        replica->newline_ms = now;
        buffer_append_char(&replica->head, '\n');
        connection_stream_ready(session);
    }
}

/* Why its connection must be closed; NULL: it need not. */
static const char *fault_of(struct replica *replica, int64_t now)
{
    int64_t timeout = config_number(CONFIG_REPL_TIMEOUT) * 1000;
    bool acknowledges = replica->state >= REPLICA_LOADING && !replica->old;
    if (replica->state == REPLICA_SENDING && now - replica->progress_ms > timeout)
        return "it takes nothing of the snapshot (repl-timeout)";
    if (acknowledges && now - replica->ack_ms > timeout)
        return "it has not been heard of for repl-timeout";
    if (replica->announced && journal_reader_is_cut(replica->reader))
        return "there is a new history here";
    if (replica->announced && is_over_limit(replica, now))
        return "it lags too far (client-output-buffer-limit replica)";
    return NULL;
}

static void judge(struct session *session, struct replica *replica, int64_t now)
{
    note_signs_of_life(session, replica, now);
    if (replica->state == REPLICA_INTRODUCED) {
        judge_introduced(session, clock_unix_ms());
        return;
    }
    if (replica->state == REPLICA_WAITING)
        wait_for_snapshot(session, replica, now);
    const char *fault = fault_of(replica, now);
    if (!fault)
        return;
    log_write(LOG_WARNING, "Closing the connection of the replica %s:%d: %s", replica->ip,
        replica->port, fault);
    connection_close(connection_of(session));
}

static void look_after_mine(struct executor *executor, unsigned worker, unsigned workers)
{
    int64_t now = clock_monotonic_ms();
    pthread_mutex_lock(&mutex);
    for (struct replica *replica = feed.first; replica; replica = replica->next) {
        if (replica->executor != executor)
            continue;
        struct session *session = executor->find_session(executor, replica->session_id);
        if (session)
            judge(session, replica, now);
    }
    pthread_mutex_unlock(&mutex);
}

/* ---- Ten times a second, in worker 0 ---- */

/* A PING in the stream tells replicas that the link is alive. A manual failover needs the offset to
 * stand still, so in a pause there are only as many as long ones cannot do without. */
static bool ping_is_due(int64_t now)
{
    int64_t period = config_number(CONFIG_REPL_PING_REPLICA_PERIOD) * 1000;
    if (pause_is_on()) {
        int64_t seldom = config_number(CONFIG_REPL_TIMEOUT) * 1000 / 3 * 2;
        period = seldom > period ? seldom : period;
        period = PAUSED_PING_MS > period ? PAUSED_PING_MS : period;
    }
    return now - feed.ping_ms >= period;
}

static void stop_backlog_when_due(int64_t now)
{
    int64_t ttl = config_number(CONFIG_REPL_BACKLOG_TTL) * 1000;
    if (ttl == 0 || feed.empty_since == 0 || now - feed.empty_since < ttl ||
        !journal_backlog(journal).active)
        return;
    journal_backlog_stop(journal);
    log_write(LOG_NOTICE,
        "The replication backlog is given up: for %lld seconds there was no replica",
        (long long)(ttl / 1000));
}

static void look_after_all(struct executor *executor, unsigned worker, unsigned workers)
{
    static const struct bytes ping = { "PING", 4 };
    int64_t now = clock_monotonic_ms();
    bool pinged = false;
    feed_judge_min_replicas();
    if (condition_all() & (CONDITION_REPLICA | CONDITION_LOADING))
        return;
    pthread_mutex_lock(&mutex);
    if (count_attached() == 0) {
        stop_backlog_when_due(now);
    } else if (ping_is_due(now)) {
        feed.ping_ms = now;
        journal_append(journal, JOURNAL_NO_DB, &ping, 1);
        pinged = true;
    }
    pthread_mutex_unlock(&mutex);
    if (pinged)
        journal_wake(journal);
}

/* ---- Life ---- */

static bool min_replicas_changed(enum config_id id, struct error *error)
{
    feed_judge_min_replicas();
    return true;
}

static bool backlog_size_changed(enum config_id id, struct error *error)
{
    journal_backlog_resize(journal, (size_t)config_number(CONFIG_REPL_BACKLOG_SIZE));
    return true;
}

void feed_open(struct journal *the_journal)
{
    journal = the_journal;
    gate = gate_create();
    fsync_gate = gate_create();
    config_on_change(CONFIG_MIN_REPLICAS_TO_WRITE, min_replicas_changed);
    config_on_change(CONFIG_MIN_REPLICAS_MAX_LAG, min_replicas_changed);
    config_on_change(CONFIG_REPL_BACKLOG_SIZE, backlog_size_changed);
    feed_judge_min_replicas();
    periodic_add(look_after_mine, true);
    periodic_add(look_after_all, false);
}

void feed_start(bool keep)
{
    pthread_mutex_lock(&mutex);
    if (!keep)
        journal_backlog_stop(journal);
    feed.empty_since = clock_monotonic_ms();
    feed.started = true;
    pthread_mutex_unlock(&mutex);
}
