/* What CLUSTER NODES and CLUSTER INFO reply, out of a view. */
#include "server/cluster/view.h"

#include "common/memory.h"
#include <inttypes.h>
#include <stdlib.h>

static void add_move(
    struct topology_node *line, unsigned slot, bool importing, const struct cluster_view_node *peer)
{
    struct topology_move move = { .slot = (uint16_t)slot, .importing = importing };
    move.peer = peer->id;
    line->moves = memory_resize(line->moves, (line->move_count + 1) * sizeof(line->moves[0]));
    line->moves[line->move_count++] = move;
}

static void describe_moves(const struct cluster_view *view, struct topology_node *line)
{
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        if (view->migrating_to[slot] != CLUSTER_NO_NODE)
            add_move(line, slot, false, &view->nodes[view->migrating_to[slot]]);
        if (view->importing_from[slot] != CLUSTER_NO_NODE)
            add_move(line, slot, true, &view->nodes[view->importing_from[slot]]);
    }
}

void cluster_view_describe(
    const struct cluster_view *view, uint16_t node, struct topology_node *line)
{
    const struct cluster_view_node *shown = &view->nodes[node];
    *line = (struct topology_node){
        .id = shown->id,
        .address = shown->address,
        .shard_id = shown->shard_id,
        .flags = shown->flags,
        .ping_sent = shown->ping_sent,
        .pong_received = shown->pong_received,
        .config_epoch = shown->config_epoch,
        .connected = shown->connected,
    };
    memcpy(line->hostname, shown->hostname, sizeof(line->hostname));
    if (shown->primary != CLUSTER_NO_NODE) {
        line->primary = view->nodes[shown->primary].id;
        line->config_epoch = view->nodes[shown->primary].config_epoch;
    }
    cluster_view_slots(view, node, &line->slots);
    if (node == view->myself)
        describe_moves(view, line);
}

void cluster_view_render_node(const struct cluster_view *view, uint16_t node, struct buffer *out)
{
    struct topology_node line;
    cluster_view_describe(view, node, &line);
    topology_write_node(out, &line, false);
    out->len--; /* the line feed */
    free(line.moves);
}

void cluster_view_render_nodes(const struct cluster_view *view, struct buffer *out)
{
    for (size_t i = 0; i < view->node_count; i++) {
        cluster_view_render_node(view, (uint16_t)i, out);
        buffer_append_char(out, '\n');
    }
}

static const char *const type_names[MESSAGE_TYPES] = {
    [MESSAGE_PING] = "ping",
    [MESSAGE_PONG] = "pong",
    [MESSAGE_MEET] = "meet",
    [MESSAGE_FAIL] = "fail",
    [MESSAGE_PUBLISH] = "publish",
    [MESSAGE_AUTH_REQUEST] = "auth-req",
    [MESSAGE_AUTH_ACK] = "auth-ack",
    [MESSAGE_UPDATE] = "update",
    [MESSAGE_MFSTART] = "mfstart",
    [MESSAGE_MODULE] = "module",
    [MESSAGE_PUBLISHSHARD] = "publishshard",
};

static void render_messages(const uint64_t *counts, const char *direction, struct buffer *out)
{
    uint64_t sum = 0;
    for (unsigned type = 0; type < MESSAGE_TYPES; type++) {
        sum += counts[type];
        if (counts[type] != 0)
            buffer_printf(out, "cluster_stats_messages_%s_%s:%" PRIu64 "\r\n", type_names[type],
                direction, counts[type]);
    }
    buffer_printf(out, "cluster_stats_messages_%s:%" PRIu64 "\r\n", direction, sum);
}

static uint64_t my_epoch(const struct cluster_view *view)
{
    const struct cluster_view_node *node = &view->nodes[view->myself];
    return node->primary != CLUSTER_NO_NODE ? view->nodes[node->primary].config_epoch
                                            : node->config_epoch;
}

void cluster_view_render_info(
    const struct cluster_view *view, uint64_t links_closed, struct buffer *out)
{
    unsigned assigned = 0, failing = 0, failed = 0;
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        if (view->owner[slot] == CLUSTER_NO_NODE)
            continue;
        unsigned flags = view->nodes[view->owner[slot]].flags;
        assigned++;
        failed += (flags & NODE_FAIL) != 0;
        failing += (flags & (NODE_FAIL | NODE_PFAIL)) == NODE_PFAIL;
    }
    buffer_printf(out,
        "cluster_state:%s\r\ncluster_slots_assigned:%u\r\ncluster_slots_ok:%u\r\n"
        "cluster_slots_pfail:%u\r\ncluster_slots_fail:%u\r\ncluster_known_nodes:%zu\r\n"
        "cluster_size:%u\r\ncluster_current_epoch:%" PRIu64 "\r\ncluster_my_epoch:%" PRIu64 "\r\n",
        view->ok ? "ok" : "fail", assigned, assigned - failing - failed, failing, failed,
        view->node_count, view->size, view->current_epoch, my_epoch(view));
    render_messages(view->sent, "sent", out);
    render_messages(view->received, "received", out);
    buffer_printf(out, "total_cluster_links_buffer_limit_exceeded:%" PRIu64 "\r\n", links_closed);
}
