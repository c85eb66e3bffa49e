/* What INFO and ROLE tell of replication. */
#include "server/replication/info.h"

#include "server/clock.h"
#include "server/command/condition.h"
#include "server/command/stats.h"
#include "server/config.h"
#include "server/info.h"
#include "server/replication/failover.h"
#include "server/replication/feed.h"
#include "server/replication/link.h"

#include "common/memory.h"
#include "common/number.h"
#include <stdlib.h>

enum { REPLICAS_TOLD = 1024 };

static struct journal *journal; /* set by replication_info_open */

static const char *const state_names[] = { [REPLICA_WAITING] = "wait_bgsave",
    [REPLICA_SENDING] = "send_bulk",
    [REPLICA_LOADING] = "online", /* so Redis says of one that has got all and loads it */
    [REPLICA_ONLINE] = "online" };

/* All replicas, in memory that the caller frees. */
static struct feed_replica *list_replicas(size_t *count)
{
    size_t max = feed_count(0).attached + 8; /* some may come while we look */
    max = max < REPLICAS_TOLD ? max : REPLICAS_TOLD;
    struct feed_replica *replicas = memory_alloc_zeroed(max, sizeof(*replicas));
    *count = feed_list(replicas, max);
    if (*count > max)
        *count = max;
    return replicas;
}

static long long seconds_since(int64_t unix_ms)
{
    int64_t now = clock_unix_ms();
    return now > unix_ms ? (long long)((now - unix_ms) / 1000) : 0;
}

static void tell_sync(struct buffer *out, const struct link_view *view)
{
    int64_t left = view->sync_total ? view->sync_total - view->sync_read : 0;
    buffer_printf(out, "master_sync_total_bytes:%lld\r\nmaster_sync_read_bytes:%lld\r\n",
        (long long)view->sync_total, (long long)view->sync_read);
    buffer_printf(out, "master_sync_left_bytes:%lld\r\nmaster_sync_perc:%.2f\r\n", (long long)left,
        view->sync_total ? (double)view->sync_read / (double)view->sync_total * 100 : 0.0);
    buffer_printf(out, "master_sync_last_io_seconds_ago:%lld\r\n", seconds_since(view->sync_io_ms));
}

static void tell_link(struct buffer *out, const struct link_target *target)
{
    struct link_view view = link_view();
    bool up = view.link == REPLICATION_CONNECTED, syncs = view.link == REPLICATION_SYNC;
    long long offset = (long long)replication_status().offset;
    buffer_printf(out, "master_host:%s\r\nmaster_port:%d\r\nmaster_link_status:%s\r\n",
        target->host, target->port, up ? "up" : "down");
    buffer_printf(out, "master_last_io_seconds_ago:%lld\r\nmaster_sync_in_progress:%d\r\n",
        up ? seconds_since(view.last_io_ms) : -1LL, syncs);
    buffer_printf(out, "slave_read_repl_offset:%lld\r\nslave_repl_offset:%lld\r\n", offset, offset);
    if (syncs)
        tell_sync(out, &view);
    if (!up)
        buffer_printf(out, "master_link_down_since_seconds:%lld\r\n",
            view.ever_connected ? seconds_since(view.down_since_ms) : -1LL);
    if (!up && view.failure[0])
        buffer_printf(out, "master_link_failure:%s\r\n", view.failure);
    buffer_printf(out, "slave_priority:%lld\r\nslave_read_only:%d\r\nreplica_announced:%d\r\n",
        (long long)config_number(CONFIG_REPLICA_PRIORITY), config_is(CONFIG_REPLICA_READ_ONLY),
        config_is(CONFIG_REPLICA_ANNOUNCED));
}

static void tell_replicas(struct buffer *out)
{
    int64_t max_lag = config_number(CONFIG_MIN_REPLICAS_MAX_LAG);
    size_t count;
    struct feed_replica *replicas = list_replicas(&count);
    buffer_printf(out, "connected_slaves:%zu\r\n", count);
    if (config_number(CONFIG_MIN_REPLICAS_TO_WRITE) > 0 && max_lag > 0)
        buffer_printf(out, "min_slaves_good_slaves:%zu\r\n", feed_count(max_lag * 1000 + 999).good);
    for (size_t i = 0; i < count; i++) {
        const struct feed_replica *replica = &replicas[i];
        buffer_printf(out, "slave%zu:ip=%s,port=%d,state=%s,offset=%lld,lag=%lld\r\n", i,
            replica->ip, replica->port, state_names[replica->state], (long long)replica->offset,
            (long long)(replica->lag_ms / 1000));
    }
    free(replicas);
}

static void tell_replication(struct buffer *out)
{
    struct link_target target = role_target();
    struct journal_history history = journal_history(journal);
    struct journal_backlog backlog = journal_backlog(journal);
    buffer_printf(out, "role:%s\r\n", target.host[0] ? "slave" : "master");
    if (target.host[0])
        tell_link(out, &target);
    tell_replicas(out);
    buffer_printf(out,
        "master_failover_state:%s\r\nmaster_replid:%s\r\nmaster_replid2:%s\r\n"
        "master_repl_offset:%lld\r\nsecond_repl_offset:%lld\r\n",
        failover_state(), history.id, history.second_id, (long long)replication_status().offset,
        (long long)history.second_offset);
    buffer_printf(out,
        "repl_backlog_active:%d\r\nrepl_backlog_size:%zu\r\n"
        "repl_backlog_first_byte_offset:%lld\r\nrepl_backlog_histlen:%lld\r\n",
        backlog.active, backlog.size, backlog.active ? (long long)backlog.first_offset : 0LL,
        backlog.active ? (long long)backlog.length : 0LL);
}

static void tell_stats(struct buffer *out)
{
    buffer_printf(out,
        "total_net_repl_input_bytes:%llu\r\ntotal_net_repl_output_bytes:%llu\r\n"
        "sync_full:%llu\r\nsync_partial_ok:%llu\r\nsync_partial_err:%llu\r\n",
        (unsigned long long)link_bytes_in(), (unsigned long long)feed_bytes(),
        (unsigned long long)feed_events(FEED_FULL_SYNC),
        (unsigned long long)feed_events(FEED_PARTIAL_SYNC),
        (unsigned long long)feed_events(FEED_PARTIAL_REFUSED));
}

/* The bytes that the backlog and all readers share are kept once. */
static void tell_memory(struct buffer *out)
{
    size_t kept = journal_memory(journal);
    buffer_printf(out, "mem_replication_backlog:%zu\r\nmem_total_replication_buffers:%zu\r\n",
        journal_backlog(journal).active ? kept : 0, kept);
}

void replication_info_open(struct journal *the_journal)
{
    journal = the_journal;
    info_register("replication", tell_replication);
    info_register("stats", tell_stats);
    info_register("memory", tell_memory);
    stats_add_rate("instantaneous_input_repl_kbps", link_bytes_in);
    stats_add_rate("instantaneous_output_repl_kbps", feed_bytes);
}

/* ---- ROLE ---- */

static void role_of_primary(struct call *call)
{
    size_t count, online = 0;
    struct feed_replica *replicas = list_replicas(&count);
    for (size_t i = 0; i < count; i++)
        online += replicas[i].state >= REPLICA_LOADING;
    reply_array(call->reply, 3);
    reply_bulk_text(call->reply, "master");
    reply_integer(call->reply, replication_status().offset);
    reply_array(call->reply, online);
    for (size_t i = 0; i < count; i++) {
        if (replicas[i].state < REPLICA_LOADING)
            continue;
        reply_array(call->reply, 3);
        reply_bulk_text(call->reply, replicas[i].ip);
        reply_bulk_integer(call->reply, replicas[i].port);
        reply_bulk_integer(call->reply, replicas[i].offset);
    }
    free(replicas);
}

void replication_role(struct call *call)
{
    static const char *const names[] = { [REPLICATION_NONE] = "none",
        [REPLICATION_CONNECT] = "connect",
        [REPLICATION_CONNECTING] = "connecting",
        [REPLICATION_HANDSHAKE] = "handshake",
        [REPLICATION_SYNC] = "sync",
        [REPLICATION_CONNECTED] = "connected" };
    struct replication_status status = replication_status();
    if (!status.is_replica) {
        role_of_primary(call);
        return;
    }
    reply_array(call->reply, 5);
    reply_bulk_text(call->reply, "slave");
    reply_bulk_text(call->reply, status.host);
    reply_integer(call->reply, status.port);
    reply_bulk_text(call->reply, names[status.link]);
    reply_integer(call->reply, status.link == REPLICATION_CONNECTED ? status.offset : -1);
}
