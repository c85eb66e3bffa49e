/* PSYNC: a replica says which history it has and how far. Where the backlog still has all that
 * follows it goes on from there; else it gets a snapshot, and the stream from the snapshot's moment
 * on. The snapshot comes without a file, through a queue. */
#include "server/replication/replica.h"

#include "common/memory.h"
#include "common/node_id.h"
#include "common/number.h"
#include "server/clock.h"
#include "server/command/background.h"
#include "server/command/condition.h"
#include "server/command/dispatch.h"
#include "server/config.h"
#include "server/log.h"
#include "server/net/connection.h"
#include "server/persistence.h"
#include "server/replication/failover.h"
#include "server/replication/feed.h"
#include "server/replication/link.h"
#include "server/replication/replication.h"
#include "server/snapshot/rdb_write.h"
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { QUEUE_LIMIT = 4 * 1024 * 1024 };

/* What a replica asks for. */
struct wish {
    bool old; /* SYNC */
    char id[JOURNAL_ID_LEN + 1];
    int64_t offset; /* the first byte wanted, counted from one */
};

/* ---- The whole ---- */

static void on_journal(void *context)
{
    replica_wake(context);
}

static void on_queue(void *context)
{
    replica_wake(context);
}

/* In the snapshot's moment, in the snapshotter's thread. */
static bool snapshot_begins(void *context, struct error *error)
{
    struct replica *replica = context;
    struct journal *journal = feed_journal();
    struct journal_history history = journal_history(journal);
    replica->offset = journal_offset(journal);
    replica->reader = journal_reader_open(journal, JOURNAL_NOW, on_journal, replica);
    memcpy(replica->id, history.id, sizeof(replica->id));
    return true;
}

void replica_begin_snapshot(struct replica *replica)
{
    replica->queue = snapshot_queue_create(&(struct snapshot_queue_options){ .limit = QUEUE_LIMIT,
        .stall_ms = (int)config_number(CONFIG_REPL_TIMEOUT) * 1000,
        .begin = snapshot_begins,
        .notify = on_queue,
        .context = replica });
    snapshotter_request(persistence_snapshotter(), snapshot_queue_target(replica->queue));
}

/* For who wants the stream alone: a snapshot of nothing, and what is written from now on. */
static void send_nothing(struct replica *replica)
{
    struct node_id mark = node_id_random(); /* 40 random digits */
    struct rdb_writer writer;
    snapshot_begins(replica, NULL);
    stream_announce(replica);
    buffer_printf(&replica->head, "$EOF:%s\r\n", mark.text);
    rdb_writer_init(&writer, &(struct rdb_writer_options){ .checksum = true });
    rdb_write_preamble(&writer, &(struct rdb_preamble){ .created = clock_unix_ms() / 1000 });
    rdb_write_end(&writer, NULL);
    buffer_append(&replica->head, writer.pending.data, writer.pending.len);
    rdb_writer_free(&writer);
    buffer_append_text(&replica->head, mark.text);
    replica_set_state(replica, REPLICA_LOADING);
}

/* With repl-diskless-sync-delay it waits a little for others, to make one snapshot for all. */
static void send_all(struct session *session, struct replica *replica)
{
    int64_t delay = config_number(CONFIG_REPL_DISKLESS_SYNC_DELAY) * 1000;
    feed_note(FEED_FULL_SYNC);
    if (replica->no_data) {
        send_nothing(replica);
        return;
    }
    replica_set_start(replica, clock_monotonic_ms() + delay);
    if (delay == 0)
        replica_begin_snapshot(replica);
    log_write(LOG_NOTICE, "The replica %s:%d gets a full sync%s", replica->ip, replica->port,
        delay > 0 ? ", after repl-diskless-sync-delay" : "");
}

/* ---- Only what is missing ---- */

static bool send_missing(struct session *session, struct replica *replica, const struct wish *wish)
{
    struct journal *journal = feed_journal();
    struct bytes id = bytes_of(wish->id);
    if (!journal_can_continue(journal, id, wish->offset))
        return false;
    replica->reader = journal_reader_open(journal, wish->offset - 1, on_journal, replica);
    if (!replica->reader)
        return false;
    struct journal_history history = journal_history(journal);
    char line[16 + JOURNAL_ID_LEN];
    snprintf(line, sizeof(line),
        replica->capabilities & REPLICA_PSYNC2 ? "CONTINUE %s" : "CONTINUE", history.id);
    reply_simple(&session->reply, line);
    replica->announced = true;
    replica_set_state(replica, REPLICA_ONLINE);
    gate_follower_advance(replica->follower, wish->offset - 1);
    feed_note(FEED_PARTIAL_SYNC);
    log_write(LOG_NOTICE, "The replica %s:%d goes on from offset %lld", replica->ip, replica->port,
        (long long)wish->offset);
    return true;
}

/* ---- Both ---- */

static void use_connection(struct session *session)
{
    struct connection *connection = connection_of(session);
    if (config_is(CONFIG_REPL_DISABLE_TCP_NODELAY)) {
        int off = 0;
        setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &off, sizeof(off));
    }
    session->flags |= SESSION_REPLICA | SESSION_REPLY_OFF;
    connection_stream_ready(session);
}

static bool may_attach(struct session *session, struct replica *replica)
{
    struct error error = { "" };
    bool ok = false;
    if (failover_is_on())
        error_set(&error, "NOMASTERLINK Can't SYNC while failing over");
    else if (condition_all() & CONDITION_REPLICA && !link_is_up())
        error_set(&error, "NOMASTERLINK Can't SYNC while not connected with my master");
    else if (condition_all() & CONDITION_LOADING)
        error_set(&error, "LOADING Redis is loading the dataset in memory");
    else
        ok = feed_attach(replica, &error);
    if (!ok)
        reply_error(&session->reply, "%s", error.text);
    return ok;
}

static void attach(struct session *session, const struct wish *wish)
{
    struct replica *replica = replica_of(session);
    bool wants_all = wish->old || strcmp(wish->id, "?") == 0;
    if (!may_attach(session, replica))
        return;
    replica->old = wish->old;
    if (!wants_all && send_missing(session, replica, wish)) {
        use_connection(session);
        return;
    }
    if (!(replica->capabilities & REPLICA_EOF)) {
        replica_set_state(replica, REPLICA_INTRODUCED);
        reply_error(&session->reply,
            "a full sync comes without a length here: say REPLCONF capa eof "
            "before PSYNC or SYNC");
        return;
    }
    if (!wants_all)
        feed_note(FEED_PARTIAL_REFUSED);
    send_all(session, replica);
    use_connection(session);
}

/* ---- PSYNC id offset FAILOVER: the primary hands over to this node ---- */

struct takeover {
    struct ticket *ticket;
    struct wish wish;
};

static void attach_old_primary(struct session *session, void *arg)
{
    struct takeover *takeover = arg;
    if (session)
        attach(session, &takeover->wish);
    free(takeover);
}

/* In a background thread. */
static void take_over(void *arg)
{
    struct takeover *takeover = arg;
    replication_lead();
    config_set_text(CONFIG_REPLICAOF, "");
    ticket_finish(takeover->ticket, attach_old_primary, takeover);
}

static void accept_failover(struct call *call, const struct wish *wish)
{
    struct journal_history history = journal_history(feed_journal());
    if (!(condition_all() & CONDITION_REPLICA)) {
        reply_error(call->reply, "ERR PSYNC FAILOVER can't be sent to a master.");
    } else if (dispatch_is_cluster()) {
        reply_error(call->reply, "ERR PSYNC FAILOVER not allowed in cluster mode.");
    } else if (strcasecmp(wish->id, history.id) != 0) {
        reply_error(call->reply, "ERR PSYNC FAILOVER replid must match my replid.");
    } else {
        log_write(LOG_NOTICE, "Becoming the primary: '%s' hands over", call->session->peer);
        struct takeover *takeover = memory_alloc(sizeof(*takeover));
        *takeover = (struct takeover){ call_park(call), *wish };
        background_run(0, take_over, takeover);
    }
}

void replication_psync(struct call *call)
{
    struct session *session = call->session;
    struct wish wish = { .old = call->argc == 1 };
    if (!session->connection) {
        reply_error(call->reply, "ERR PSYNC and SYNC are for connections");
        return;
    }
    if (session->flags & SESSION_REPLICA)
        return;
    if (!wish.old) {
        struct bytes id = call->argv[1];
        if (!call_integer(call, 2, &wish.offset))
            return;
        if (id.len < sizeof(wish.id))
            memcpy(wish.id, id.data, id.len);
        if (call->argc > 3 && bytes_is(call->argv[3], "FAILOVER")) {
            accept_failover(call, &wish);
            return;
        }
    }
    attach(session, &wish);
}

/* ---- REPLCONF ---- */

static bool set_port(struct call *call, struct replica *replica, struct bytes value)
{
    int64_t port;
    if (!number_parse(value, &port)) {
        reply_error(call->reply, "value is not an integer or out of range");
        return false;
    }
    replica->port = (int)port;
    return true;
}

static bool set_ip(struct call *call, struct replica *replica, struct bytes value)
{
    if (value.len >= sizeof(replica->ip)) {
        reply_error(call->reply,
            "ERR REPLCONF ip-address provided by replica instance is too long: %zu bytes",
            value.len);
        return false;
    }
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.data[i];
        if (c <= ' ' || c > '~' || c == ',' || c == '=') { /* it will stand in a line of INFO */
            reply_error(call->reply, "ERR REPLCONF ip-address is neither an address nor a name");
            return false;
        }
    }
    memcpy(replica->ip, value.data, value.len);
    replica->ip[value.len] = '\0';
    return true;
}

static bool set_capability(struct call *call, struct replica *replica, struct bytes value)
{
    if (bytes_is(value, "eof"))
        replica->capabilities |= REPLICA_EOF;
    else if (bytes_is(value, "psync2"))
        replica->capabilities |= REPLICA_PSYNC2;
    return true; /* others are for others */
}

static bool set_rdb_only(struct call *call, struct replica *replica, struct bytes value)
{
    int64_t on;
    if (!number_parse(value, &on) || on < 0 || on > 1) {
        reply_error(call->reply, "value is out of range, value must between 0 and 1");
        return false;
    }
    replica->rdb_only = on;
    return true;
}

/* Redis 7.2 and Valkey tell their version; what is sent here each of them can read. */
static bool set_version(struct call *call, struct replica *replica, struct bytes value)
{
    return true;
}

/* The parts of a data set that are wanted: of those that can be named there are none here. */
static bool set_filter(struct call *call, struct replica *replica, struct bytes value)
{
    if (value.len > 0 && !bytes_is(value, "functions")) {
        reply_error(call->reply, "Unsupported rdb-filter-only option: %.*s",
            (int)(value.len < 64 ? value.len : 64), value.data);
        return false;
    }
    replica->no_data = true;
    return true;
}

static const struct {
    const char *name;
    bool (*set)(struct call *call, struct replica *replica, struct bytes value);
} options[] = {
    { "listening-port", set_port },
    { "ip-address", set_ip },
    { "capa", set_capability },
    { "rdb-only", set_rdb_only },
    { "rdb-filter-only", set_filter },
    { "version", set_version },
};
enum { OPTIONS = sizeof(options) / sizeof(options[0]) };

/* An acknowledgement is not answered, whoever sends it. */
static void take_ack(struct call *call)
{
    int64_t offset, fsynced = -1;
    if (call->argc > 4 && bytes_is(call->argv[3], "fack") &&
        !number_parse(call->argv[4], &fsynced))
        fsynced = -1;
    if (call->session->flags & SESSION_REPLICA && number_parse(call->argv[2], &offset))
        replica_acknowledge(call->session->replica, offset, fsynced);
}

void replication_replconf(struct call *call)
{
    if (call->argc % 2 == 0) {
        call_error_syntax(call);
        return;
    }
    for (int i = 1; i < call->argc; i += 2) {
        struct bytes name = call->argv[i], value = call->argv[i + 1];
        size_t option = 0;
        if (bytes_is(name, "ack") && i == 1) {
            take_ack(call);
            return;
        }
        if (bytes_is(name, "getack") && i == 1)
            return; /* a primary's to its replicas: the link answers it */
        while (option < OPTIONS && !bytes_is(name, options[option].name))
            option++;
        if (option == OPTIONS) {
            reply_error(call->reply, "Unrecognized REPLCONF option: %.*s",
                (int)(name.len < 128 ? name.len : 128), name.data);
            return;
        }
        if (!call->session->connection) {
            reply_error(call->reply, "ERR REPLCONF is for connections");
            return;
        }
        if (call->session->flags & SESSION_REPLICA)
            return; /* it has said what it is, others look at it already */
        if (!options[option].set(call, replica_of(call->session), value))
            return;
    }
    reply_ok(call->reply);
}
