/* The beginning and the end of replication, and what the other rooms ask of it. */
#include "server/replication/replication.h"

#include "common/memory.h"
#include "common/number.h"
#include "common/words.h"
#include "server/clock.h"
#include "server/cluster/published.h"
#include "server/command/background.h"
#include "server/command/condition.h"
#include "server/command/dispatch.h"
#include "server/config.h"
#include "server/log.h"
#include "server/periodic.h"
#include "server/process.h"
#include "server/replication/apply.h"
#include "server/replication/failover.h"
#include "server/replication/feed.h"
#include "server/replication/full_sync.h"
#include "server/replication/info.h"
#include "server/replication/link.h"
#include "server/replication/origin.h"
#include "server/replication/wait.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static struct journal *journal; /* set by replication_open */

/* ---- Status ---- */

struct replication_status replication_status(void)
{
    struct link_target target = role_target();
    struct link_view view = link_view();
    int64_t max_lag = config_number(CONFIG_MIN_REPLICAS_MAX_LAG);
    struct feed_count count = feed_count(max_lag * 1000 + 999);
    struct replication_status status = { .is_replica = target.host[0],
        .link = view.link,
        .port = target.port,
        .last_io_ms = view.last_io_ms,
        .down_since_ms = view.down_since_ms,
        .ever_connected = view.ever_connected,
        .replicas = count.attached,
        .good_replicas = count.good };
    memcpy(status.host, target.host, sizeof(status.host));
    memcpy(status.failure, view.failure, sizeof(status.failure));
    if (!status.is_replica || journal_backlog(journal).active)
        status.offset = journal_offset(journal);
    return status;
}

struct cluster_replication replication_for_cluster(void)
{
    struct replication_status status = replication_status();
    int64_t now = clock_unix_ms();
    struct cluster_replication stand = { .offset = (uint64_t)status.offset,
        .link_up = status.link == REPLICATION_CONNECTED,
        .age = -1 };
    if (stand.link_up)
        stand.age = now - status.last_io_ms;
    else if (status.ever_connected)
        stand.age = now - status.down_since_ms;
    return stand;
}

int replication_stream_database(void)
{
    return condition_all() & CONDITION_REPLICA ? applier_database() : -1;
}

/* ---- REPLICAOF ---- */

void replication_follow(const char *host, int port)
{
    role_follow(host, port, false);
}

void replication_lead(void)
{
    role_lead();
}

/* The change stops all turns, and the command is in one: so a background thread makes it. */
struct change {
    struct ticket *ticket; /* NULL: answered already */
    char host[REPLICATION_HOST_MAX];
    int port;
};

static void answer_ok(struct session *session, void *arg)
{
    if (session)
        reply_ok(&session->reply);
}

static void make_change(void *arg)
{
    static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER; /* role and directive agree */
    struct change *change = arg;
    char text[REPLICATION_HOST_MAX + 16] = "";
    pthread_mutex_lock(&one_at_a_time);
    if (change->host[0]) {
        role_follow(change->host, change->port, false);
        snprintf(text, sizeof(text), "%s %d", change->host, change->port);
    } else {
        role_lead();
    }
    config_set_text(CONFIG_REPLICAOF, text);
    pthread_mutex_unlock(&one_at_a_time);
    if (change->ticket)
        ticket_finish(change->ticket, answer_ok, NULL);
    free(change);
}

static bool parse_change(struct call *call, struct change *change)
{
    struct bytes host = call->argv[1];
    int64_t port;
    if (bytes_is(host, "no") && bytes_is(call->argv[2], "one"))
        return true;
    if (!number_parse(call->argv[2], &port) || port < 0 || port > 65535) {
        reply_error(call->reply, "Invalid master port");
        return false;
    }
    if (host.len == 0 || host.len >= sizeof(change->host) || memchr(host.data, '\0', host.len)) {
        reply_error(call->reply, "Invalid master host");
        return false;
    }
    for (size_t i = 0; i < host.len; i++) {
        unsigned char c = (unsigned char)host.data[i];
        if (c <= ' ' || c == 0x7f) { /* it will stand in INFO and in the configuration */
            reply_error(call->reply, "Invalid master host");
            return false;
        }
    }
    memcpy(change->host, host.data, host.len);
    change->port = (int)port;
    return true;
}

void replication_replicaof(struct call *call)
{
    struct change change = { .port = 0 };
    if (dispatch_is_cluster()) {
        reply_error(call->reply, "ERR REPLICAOF not allowed in cluster mode.");
        return;
    }
    if (failover_is_on()) {
        reply_error(call->reply, "ERR REPLICAOF not allowed while failing over.");
        return;
    }
    if (call->session->flags & SESSION_REPLICA) {
        reply_error(call->reply, "Command is not valid when client is a replica.");
        return;
    }
    if (!parse_change(call, &change))
        return;
    struct link_target now = role_target();
    if (change.host[0] && strcasecmp(now.host, change.host) == 0 && now.port == change.port &&
        !link_has_failed()) {
        reply_simple(call->reply, "OK Already connected to specified master");
        return;
    }
    log_write(LOG_NOTICE, "REPLICAOF %s, asked for by '%s'",
        change.host[0] ? change.host : "NO ONE", call->session->peer);
    if (call_can_park(call))
        change.ticket = call_park(call);
    else
        reply_ok(call->reply);
    background_run(0, make_change, memory_copy(&change, sizeof(change)));
}

/* ---- Life ---- */

/* The data that will be loaded may be a replica's at an offset that it can go on from. Returns the
 * database that the stream is in there, or -1. */
static int restore_origin(void)
{
    int database = -1;
    struct origin origin;
    char *path = config_text(CONFIG_DBFILENAME);
    if (!config_is(CONFIG_APPENDONLY) && origin_read(path, &origin) && origin.id[0]) {
        journal_restart(journal, origin.id, origin.offset);
        journal_backlog_start(journal);
        database = origin.database;
    }
    free(path);
    return database;
}

/* "host port" */
static void follow_configured(void)
{
    char *text = config_text(CONFIG_REPLICAOF);
    struct words words = { 0 };
    int64_t port;
    if (words_split(bytes_of(text), &words) && words.count == 2 &&
        number_parse(words.items[1], &port)) {
        char host[REPLICATION_HOST_MAX];
        snprintf(host, sizeof(host), "%.*s", (int)words.items[0].len, words.items[0].data);
        role_follow(host, (int)port, false);
    }
    words_free(&words);
    free(text);
}

static bool is_cluster_replica(void)
{
    const struct cluster_view *view = cluster_view_hold();
    bool replica = view && view->nodes[view->myself].primary != CLUSTER_NO_NODE;
    cluster_view_release(view);
    return replica;
}

static void tick(struct executor *executor, unsigned worker, unsigned workers)
{
    full_sync_tick();
}

bool replication_open(struct store *store, struct journal *the_journal, struct error *error)
{
    journal = the_journal;
    if (config_is(CONFIG_CLUSTER_ENABLED) && config_text_is_set(CONFIG_REPLICAOF))
        return error_set(error, "replicaof directive not allowed in cluster mode");
    feed_open(journal);
    wait_open();
    failover_open();
    replication_info_open(journal);
    role_open(journal);
    link_open(store, journal, restore_origin());
    periodic_add(tick, false);
    process_set_laggards(feed_laggards);
    if (config_text_is_set(CONFIG_REPLICAOF))
        condition_set(CONDITION_REPLICA, true); /* no write before we follow */
    return true;
}

bool replication_start(struct error *error)
{
    role_start(config_text_is_set(CONFIG_REPLICAOF) || is_cluster_replica());
    if (config_text_is_set(CONFIG_REPLICAOF))
        follow_configured();
    return true;
}

void replication_stop(void)
{
    link_stop();
}
