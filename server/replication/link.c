/* The thread that follows a primary: connects, shakes hands, gets what is missing or all, and then
 * applies the stream until the connection breaks or somebody else is to be followed. It tries again
 * at once when a good connection breaks, else after a second; after a snapshot that could not be
 * loaded it waits longer each time, for that costs the primary much. */
#include "server/replication/link.h"

#include "common/number.h"
#include "common/resp.h"
#include "server/clock.h"
#include "server/config.h"
#include "server/log.h"
#include "server/persistence.h"
#include "server/replication/apply.h"
#include "server/replication/failover.h"
#include "server/replication/feed.h"
#include "server/replication/full_sync.h"
#include "server/replication/handshake.h"
#include "server/thread.h"
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    CONNECT_MS = 10 * 1000,
    ACK_MS = 1000,
    RETRY_MS = 1000,
    RETRY_MAX_MS = 60 * 1000,
    IN_TRANSIT_MS = 2,
    FSYNC_MS = 10, /* how often the disk is asked for what the primary waits for */
    RECEIVE = 256 * 1024,
    RECEIVE_MAX = 16 * 1024 * 1024, /* for a large argument */
};

/* Set by link_open. */
static struct store *store;
static struct journal *journal;
static int first_database;
static int wake = -1; /* an eventfd: there is a new target, or the end */

/* What others see, and ask for; guarded by mutex. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct {
    uint64_t generation; /* of the target that the view is about */
    struct link_view view;
    bool failed; /* this target is not tried any more */
    bool started, stopping;
    pthread_t thread;
} link_state;
static _Atomic uint64_t bytes_in;

/* The thread's own. */
struct link {
    struct link_target target;
    struct primary_socket socket;
    struct applier applier;
    struct position left; /* where the last stream ended; id empty: there was none */
    struct buffer out;    /* acknowledgements on their way */
    int64_t heard_ms;     /* monotonic: the last byte from the primary */
    int64_t ack_ms;       /* monotonic: the last acknowledgement to it */
    int64_t fsync_wanted; /* offset that the primary asked for and the disk has not yet; or 0 */
    int64_t connected_ms; /* monotonic: since when the stream runs; 0: it does not */
    int unloaded;         /* snapshots that could not be loaded, in a row */
    char told[sizeof(((struct error *)0)->text)]; /* the last failure in the log */
};

/* ---- What others see ---- */

struct link_view link_view(void)
{
    pthread_mutex_lock(&mutex);
    struct link_view view = link_state.view;
    pthread_mutex_unlock(&mutex);
    return view;
}

bool link_is_up(void)
{
    return link_view().link == REPLICATION_CONNECTED;
}

bool link_has_failed(void)
{
    pthread_mutex_lock(&mutex);
    bool failed = link_state.failed;
    pthread_mutex_unlock(&mutex);
    return failed;
}

uint64_t link_bytes_in(void)
{
    return atomic_load_explicit(&bytes_in, memory_order_relaxed);
}

/* The view is about this target from now on; mutex is held. */
static void begin_view(uint64_t generation, bool replica)
{
    link_state.generation = generation;
    link_state.failed = false;
    link_state.view =
        (struct link_view){ .link = replica ? REPLICATION_CONNECT : REPLICATION_NONE };
}

/* Begins a note; false: the view is about another target already, and there is nothing to note. */
static bool note(const struct link *link)
{
    pthread_mutex_lock(&mutex);
    if (link_state.generation < link->target.generation)
        begin_view(link->target.generation, true); /* sooner than link_retarget */
    if (link_state.generation == link->target.generation)
        return true;
    pthread_mutex_unlock(&mutex);
    return false;
}

static void noted(void)
{
    pthread_mutex_unlock(&mutex);
}

static void set_state(const struct link *link, enum replication_link state)
{
    struct link_view *view = &link_state.view;
    role_set_stale(link->target.generation, state != REPLICATION_CONNECTED);
    if (!note(link))
        return;
    if (state == REPLICATION_CONNECTED) {
        view->ever_connected = true;
        view->down_since_ms = 0;
        view->failure[0] = '\0';
        view->last_io_ms = clock_unix_ms();
    } else if (view->link == REPLICATION_CONNECTED) {
        view->down_since_ms = clock_unix_ms();
    }
    view->link = state;
    noted();
}

/* given_up: the target is not tried again. */
static void set_failure(const struct link *link, const char *text, bool given_up)
{
    if (!note(link))
        return;
    snprintf(link_state.view.failure, sizeof(link_state.view.failure), "%s", text);
    link_state.failed = given_up;
    noted();
}

/* Of the link's thread, which has but one socket; a byte of an old one does no harm. */
void link_note_bytes(size_t len)
{
    atomic_fetch_add_explicit(&bytes_in, len, memory_order_relaxed);
    pthread_mutex_lock(&mutex);
    link_state.view.last_io_ms = clock_unix_ms();
    pthread_mutex_unlock(&mutex);
}

void link_note_sync(int64_t total, int64_t read)
{
    pthread_mutex_lock(&mutex);
    link_state.view.sync_total = total;
    link_state.view.sync_read = read;
    link_state.view.sync_io_ms = clock_unix_ms();
    pthread_mutex_unlock(&mutex);
}

/* ---- The stream ---- */

static void send_ack(struct link *link)
{
    char digits[NUMBER_TEXT_MAX];
    char fsynced_digits[NUMBER_TEXT_MAX];
    int64_t applied = journal_offset(journal), fsynced = aof_synced_offset(persistence_aof());
    struct bytes words[] = { BYTES("REPLCONF"), BYTES("ACK"),
        { digits, number_format(digits, applied) }, BYTES("FACK"),
        { fsynced_digits, number_format(fsynced_digits, fsynced) } };
    if (link->out.len == 0)
        resp_write_command(&link->out, words, fsynced >= 0 ? 5 : 3);
    if (link->applier.wants_ack)
        link->fsync_wanted = applied;
    if (fsynced < 0 || fsynced >= link->fsync_wanted)
        link->fsync_wanted = 0;
    link->ack_ms = clock_monotonic_ms();
    link->applier.wants_ack = false;
}

/* The primary has asked how far we are, and since then the disk has got there. */
static bool has_fsynced(const struct link *link)
{
    return link->fsync_wanted > 0 &&
           aof_synced_offset(persistence_aof()) >= link->fsync_wanted;
}

static bool flush_acks(struct link *link, struct error *error)
{
    if (link->out.len == 0)
        return true;
    ssize_t sent = primary_socket_try_send(&link->socket, buffer_bytes(&link->out));
    if (sent < 0)
        return error_set(error, "the primary has closed the connection");
    buffer_consume(&link->out, (size_t)sent);
    return true;
}

static size_t receive_size(struct link *link)
{
    struct buffer *input = &link->socket.input;
    size_t missing = resp_reader_missing(&link->applier.reader, input->len - link->applier.parsed);
    missing = missing > RECEIVE_MAX ? RECEIVE_MAX : missing;
    return missing > RECEIVE ? missing : RECEIVE;
}

/* Until the next acknowledgement is due. */
static int patience(const struct link *link, enum apply_result last)
{
    int64_t left = link->ack_ms + ACK_MS - clock_monotonic_ms();
    if (last == APPLY_WAIT)
        return IN_TRANSIT_MS;
    if (link->fsync_wanted > 0 && left > FSYNC_MS)
        return FSYNC_MS;
    return left > 0 ? (int)left : 0;
}

/* Follows the stream until it breaks. What is in the input already comes first. */
static enum apply_result follow_stream(struct link *link, struct error *error)
{
    struct buffer *input = &link->socket.input;
    link->heard_ms = clock_monotonic_ms();
    link->out.len = 0;
    link->fsync_wanted = 0;
    send_ack(link);
    for (;;) {
        enum apply_result result =
            applier_run(&link->applier, input, link->target.generation, error);
        if (result != APPLY_OK && result != APPLY_WAIT)
            return result;
        if (link->applier.wants_ack || has_fsynced(link) ||
            clock_monotonic_ms() - link->ack_ms >= ACK_MS)
            send_ack(link);
        if (!flush_acks(link, error))
            return APPLY_OK;
        int64_t timeout = config_number(CONFIG_REPL_TIMEOUT) * 1000;
        switch (primary_socket_receive(
            &link->socket, receive_size(link), patience(link, result), error)) {
        case PRIMARY_BROKEN:
            return APPLY_OK;
        case PRIMARY_GOT:
            link->heard_ms = clock_monotonic_ms();
            break;
        case PRIMARY_NOTHING:
            if (clock_monotonic_ms() - link->heard_ms > timeout) {
                error_set(error, "the primary has been silent for repl-timeout");
                return APPLY_OK;
            }
        }
    }
}

/* ---- One connection ---- */

/* How it ended, for what comes next. */
enum end {
    END_RETRY,
    END_UNLOADED, /* a snapshot could not be loaded */
    END_GIVEN_UP, /* another try would end the same way */
};

/* Where this node stands, if anybody can know: offsets count while there is a backlog, and are the
 * history's while nobody but the link has written in its name. */
static struct position position_now(struct link *link)
{
    struct position position = { "", 0 };
    if (!journal_backlog(journal).active)
        return position;
    struct journal_history history = journal_history(journal);
    int64_t offset = journal_offset(journal);
    if (strcmp(history.id, link->left.id) == 0 && offset != link->left.offset) {
        log_write(LOG_WARNING, "This replica was written to at offset %lld: it needs a full sync",
            (long long)link->left.offset);
        journal_backlog_stop(journal);
        return position;
    }
    memcpy(position.id, history.id, sizeof(position.id));
    position.offset = offset;
    return position;
}

static void connected(struct link *link)
{
    link->connected_ms = clock_monotonic_ms();
    link->unloaded = 0;
    link->told[0] = '\0';
    role_failover_done(link->target.generation);
    link->target.failover = false;
    set_state(link, REPLICATION_CONNECTED);
    failover_succeeded();
}

/* +CONTINUE: the history may have another name since the primary was made one. */
static bool go_on(struct link *link, const struct position *have, const struct position *answer)
{
    applier_reset(&link->applier, -1);
    if (strcmp(have->id, answer->id) != 0) {
        turn_begin(link->applier.executor->turn);
        bool current = role_generation() == link->target.generation;
        if (current)
            journal_history_continue(journal, answer->id);
        turn_end(link->applier.executor->turn);
        if (!current)
            return false;
        feed_drop_all("they are to learn the new replication ID");
    }
    log_write(LOG_NOTICE, "Going on with the primary from offset %lld", (long long)answer->offset);
    connected(link);
    return true;
}

static enum end start_over(struct link *link, const struct position *answer, struct error *error)
{
    int database = -1;
    log_write(LOG_NOTICE, "Full sync from the primary: %s, offset %lld", answer->id,
        (long long)answer->offset);
    set_state(link, REPLICATION_SYNC);
    link_note_sync(0, 0);
    switch (full_sync(&link->socket, journal, answer, link->target.generation,
        (int)config_number(CONFIG_REPL_TIMEOUT) * 1000, &database, error)) {
    case FULL_SYNC_DONE:
        applier_reset(&link->applier, database >= 0 ? database : 0);
        connected(link);
        return END_RETRY;
    case FULL_SYNC_UNLOADED:
        error_prefix(error, "the primary's snapshot cannot be loaded, the data set is empty now");
        return END_UNLOADED;
    case FULL_SYNC_BROKEN:
    case FULL_SYNC_STOPPED:
        break;
    }
    return END_RETRY;
}

static enum end stream(struct link *link, struct error *error)
{
    switch (follow_stream(link, error)) {
    case APPLY_UNKNOWN:
        return END_GIVEN_UP;
    case APPLY_FAILED:
        /* What is here has no place in the primary's history any more. */
        journal_backlog_stop(journal);
        feed_drop_all("this replica needs a full sync itself");
        return END_UNLOADED;
    case APPLY_OK:
    case APPLY_WAIT:
    case APPLY_STOPPED:
        break;
    }
    return END_RETRY;
}

static enum end talk(struct link *link, struct error *error)
{
    int timeout_ms = (int)config_number(CONFIG_REPL_TIMEOUT) * 1000;
    struct position have = position_now(link), answer;
    enum end end = END_RETRY;
    set_state(link, REPLICATION_HANDSHAKE);
    switch (handshake(&link->socket, &link->target, &have, &answer, timeout_ms, error)) {
    case HANDSHAKE_CONTINUE:
        if (!go_on(link, &have, &answer))
            return END_RETRY;
        break;
    case HANDSHAKE_FULL:
        end = start_over(link, &answer, error);
        break;
    case HANDSHAKE_REFUSED:
        failover_refused(error->text);
        return END_RETRY;
    case HANDSHAKE_FAILED:
        return END_RETRY;
    }
    if (!link->connected_ms)
        return end;
    memcpy(link->left.id, answer.id, sizeof(link->left.id));
    end = stream(link, error);
    link->left.offset = link->applier.offset;
    return end;
}

static enum end connect_once(struct link *link, struct error *error)
{
    const struct link_target *target = &link->target;
    int timeout_ms = (int)config_number(CONFIG_REPL_TIMEOUT) * 1000;
    link->connected_ms = 0;
    link->socket =
        (struct primary_socket){ .fd = -1, .wake = wake, .generation = target->generation };
    set_state(link, REPLICATION_CONNECTING);
    enum end end = END_RETRY;
    if (primary_socket_open(&link->socket, target->host, target->port,
            timeout_ms < CONNECT_MS ? timeout_ms : CONNECT_MS, error))
        end = talk(link, error);
    primary_socket_close(&link->socket);
    set_state(link, end == END_GIVEN_UP ? REPLICATION_NONE : REPLICATION_CONNECT);
    return end;
}

/* ---- One connection after the other ---- */

/* Until the target changes, at most so long; -1: without end. */
static void rest(uint64_t generation, int64_t ms)
{
    int64_t end = clock_monotonic_ms() + ms;
    while (role_generation() == generation) {
        int64_t left = end - clock_monotonic_ms();
        if (ms >= 0 && left <= 0)
            return;
        struct pollfd fd = { wake, POLLIN, 0 };
        uint64_t value;
        if (poll(&fd, 1, ms >= 0 ? (int)left : -1) > 0 && read(wake, &value, sizeof(value)) < 0)
            continue;
    }
}

static int64_t pause_after(struct link *link, enum end end)
{
    if (end == END_GIVEN_UP)
        return -1;
    if (end == END_UNLOADED) {
        int64_t pause = RETRY_MS;
        for (int i = 0; i < link->unloaded && pause < RETRY_MAX_MS; i++)
            pause *= 2;
        link->unloaded++;
        return pause < RETRY_MAX_MS ? pause : RETRY_MAX_MS;
    }
    bool was_good = link->connected_ms && clock_monotonic_ms() - link->connected_ms >= RETRY_MS;
    return was_good ? 0 : RETRY_MS;
}

/* The same failure each second is told once. */
static void tell_failure(struct link *link, enum end end, const struct error *error)
{
    const struct link_target *target = &link->target;
    if (role_generation() != target->generation)
        return;
    set_failure(link, error->text, end == END_GIVEN_UP);
    bool known = strcmp(link->told, error->text) == 0;
    snprintf(link->told, sizeof(link->told), "%s", error->text);
    enum log_level level = known ? LOG_DEBUG : LOG_WARNING;
    log_write(level, "The link to the primary %s:%d is down: %s", target->host, target->port,
        error->text);
    if (end == END_GIVEN_UP)
        log_write(LOG_WARNING,
            "This replica follows no more. REPLICAOF (or CLUSTER REPLICATE) makes "
            "it try again");
}

static bool is_stopping(void)
{
    pthread_mutex_lock(&mutex);
    bool stopping = link_state.stopping;
    pthread_mutex_unlock(&mutex);
    return stopping;
}

static void *run(void *arg)
{
    struct link link = { .socket.fd = -1 };
    thread_enter("replication", THREAD_SERVER);
    applier_init(&link.applier, store, journal);
    applier_reset(&link.applier, first_database);
    while (!is_stopping()) {
        link.target = role_target();
        link.unloaded = 0;
        link.told[0] = '\0';
        while (link.target.host[0] && role_generation() == link.target.generation) {
            struct error error = { "" };
            enum end end = connect_once(&link, &error);
            tell_failure(&link, end, &error);
            rest(link.target.generation, pause_after(&link, end));
        }
        if (!is_stopping())
            rest(link.target.generation, -1);
    }
    applier_free(&link.applier);
    buffer_free(&link.out);
    return NULL;
}

/* ---- Life ---- */

void link_open(struct store *the_store, struct journal *the_journal, int database)
{
    first_database = database;
    store = the_store;
    journal = the_journal;
    wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    full_sync_open();
}

static void kick(void)
{
    uint64_t one = 1;
    if (write(wake, &one, sizeof(one)) < 0)
        return; /* the counter is full: it will wake anyway */
}

void link_retarget(uint64_t generation, bool replica)
{
    pthread_mutex_lock(&mutex);
    if (link_state.generation < generation)
        begin_view(generation, replica);
    if (replica && !link_state.started && !link_state.stopping) {
        link_state.started = pthread_create(&link_state.thread, NULL, run, NULL) == 0;
        if (!link_state.started)
            log_write(LOG_WARNING, "No thread can be started to follow the primary");
    }
    pthread_mutex_unlock(&mutex);
    kick();
}

void link_stop(void)
{
    pthread_mutex_lock(&mutex);
    link_state.stopping = true;
    bool started = link_state.started;
    pthread_mutex_unlock(&mutex);
    role_close();
    kick();
    if (started)
        pthread_join(link_state.thread, NULL);
}
