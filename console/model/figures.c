/* INFO into figures, by a table of names. What a node doesn't say is -1. */
#include "common/number.h"
#include "console/client/reply.h"
#include "console/model/build.h"
#include <stddef.h>
#include <stdio.h>

static const struct {
    const char *name;
    size_t offset;
} numbers[] = {
    { "used_memory", offsetof(struct model_figures, memory) },
    { "used_memory_peak", offsetof(struct model_figures, memory_peak) },
    { "used_memory_rss", offsetof(struct model_figures, memory_rss) },
    { "used_memory_dataset", offsetof(struct model_figures, dataset) },
    { "maxmemory", offsetof(struct model_figures, memory_max) },
    { "connected_clients", offsetof(struct model_figures, clients) },
    { "total_connections_received", offsetof(struct model_figures, connections_total) },
    { "total_commands_processed", offsetof(struct model_figures, commands_total) },
    { "keyspace_hits", offsetof(struct model_figures, hits) },
    { "keyspace_misses", offsetof(struct model_figures, misses) },
    { "master_repl_offset", offsetof(struct model_figures, offset) },
    { "uptime_in_seconds", offsetof(struct model_figures, uptime) },
    { "total_net_input_bytes", offsetof(struct model_figures, input_bytes) },
    { "total_net_output_bytes", offsetof(struct model_figures, output_bytes) },
    { "master_link_down_since_seconds", offsetof(struct model_figures, link_down_for) },
    { "master_last_io_seconds_ago", offsetof(struct model_figures, link_idle) },
};

static const struct {
    const char *field, *program;
} programs[] = {
    { "slotd_version", "slotd" },
    { "valkey_version", "valkey" },
    { "redis_version", "redis" },
};

/* "db0:keys=10,expires=0,avg_ttl=0"; the line is missing where there are no keys. */
static void read_keyspace(struct bytes info, struct model_figures *figures)
{
    struct bytes value;
    figures->keys = figures->expires = 0;
    if (!reply_field(info, "db0", &value)) {
        return;
    }
    char text[128];
    snprintf(text, sizeof text, "%.*s", (int)(value.len < 127 ? value.len : 127), value.data);
    long long keys, expires;
    if (sscanf(text, "keys=%lld,expires=%lld", &keys, &expires) == 2) {
        figures->keys = keys;
        figures->expires = expires;
    }
}

static void read_figures(struct bytes info, struct model_figures *figures)
{
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        *(int64_t *)((char *)figures + numbers[i].offset) =
            reply_field_number(info, numbers[i].name, -1);
    }
    read_keyspace(info, figures);
    int64_t processed = reply_field_number(info, "slave_repl_offset", -1);
    if (processed >= 0) {
        figures->offset = processed;
    }
    struct bytes value;
    figures->link_up = reply_field(info, "master_link_status", &value) && bytes_is(value, "up");
    figures->loading = reply_field_number(info, "loading", 0) != 0;
    figures->syncing = reply_field_number(info, "master_sync_in_progress", 0) != 0;
    figures->version[0] = '\0';
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
        if (reply_field(info, programs[i].field, &value)) {
            snprintf(figures->version, sizeof figures->version, "%s %.*s", programs[i].program,
                (int)(value.len < 24 ? value.len : 24), value.data);
            break;
        }
    }
}

enum {
    OWN_REQUESTS = 4, /* of a poll, see poll.c */
    RATE_MS = 500,    /* polls that follow each other faster count as one: else a few commands in
                         some milliseconds would look like thousands a second */
};

static double rate(int64_t now_total, int64_t old_total, int64_t ours, int64_t ms)
{
    int64_t more = now_total - old_total - ours;
    return now_total < 0 || old_total < 0 || more <= 0 ? 0 : (double)more * 1000 / (double)ms;
}

static void start_rates(struct model_node *node, int64_t now)
{
    node->rated = node->figures;
    node->rated_at = now;
    node->own_requests = 0;
}

void model_build_info(struct model *model, int index, struct bytes info, int64_t now)
{
    struct model_node *node = model->nodes[index];
    read_figures(info, &node->figures);
    int64_t ms = now - node->rated_at;
    node->own_requests += OWN_REQUESTS;
    if (node->figures_at == 0 || node->figures.commands_total < node->rated.commands_total) {
        node->ops = (double)reply_field_number(info, "instantaneous_ops_per_sec", 0);
        start_rates(node, now);
    } else if (ms >= RATE_MS) {
        node->ops =
            rate(node->figures.commands_total, node->rated.commands_total, node->own_requests, ms);
        node->input_rate = rate(node->figures.input_bytes, node->rated.input_bytes, 0, ms);
        node->output_rate = rate(node->figures.output_bytes, node->rated.output_bytes, 0, ms);
        model_history_add(&node->ops_history, node->ops);
        start_rates(node, now);
    }
    node->figures_at = now;
    if (node->latency_us >= 0) {
        model_history_add(&node->latency_history, (double)node->latency_us / 1000);
    }
}

void model_build_cluster_info(struct model *model, int index, struct bytes info)
{
    struct model_node *node = model->nodes[index];
    struct bytes state;
    node->says_ok = reply_field(info, "cluster_state", &state) && bytes_is(state, "ok");
    int64_t epoch = reply_field_number(info, "cluster_current_epoch", 0);
    node->says_epoch = epoch > 0 ? (uint64_t)epoch : 0;
}
