/* nodes.conf's text and the state: what was known before the restart is known again; what was seen
 * (who answered when) is seen anew. */
#include "server/cluster/cluster.h"

#include "common/memory.h"
#include <inttypes.h>
#include <stdlib.h>

static bool restore_node(
    struct cluster *cluster, const struct topology_node *saved, struct error *error)
{
    unsigned flags = saved->flags & ~(unsigned)NODE_MEET;
    if ((flags & NODE_REPLICA) == 0)
        flags |= NODE_PRIMARY;
    struct cluster_node *node = nodes_add(&cluster->nodes, &saved->id, flags, cluster->now);
    if (node == NULL)
        return error_set(
            error, "node %s stands there twice, or there are too many nodes", saved->id.text);
    if ((flags & NODE_MYSELF) != 0)
        cluster->myself = node;
    node->address = saved->address;
    memcpy(node->hostname, saved->hostname, sizeof(node->hostname));
    node->shard_id = node_id_is_set(&saved->shard_id) ? saved->shard_id : saved->id;
    node->config_epoch = saved->config_epoch;
    node->ping_sent = saved->ping_sent != 0 ? cluster->now : 0;
    node->pong_received = saved->pong_received != 0 ? cluster->now : 0;
    node->fail_time = (flags & NODE_FAIL) != 0 ? cluster->now : 0;
    if (cluster->current_epoch < node->config_epoch)
        cluster->current_epoch = node->config_epoch;
    return true;
}

static void restore_primary(struct cluster *cluster, const struct topology_node *saved)
{
    struct cluster_node *node = nodes_find(&cluster->nodes, &saved->id);
    struct cluster_node *primary = nodes_find(&cluster->nodes, &saved->primary);
    if (node_is_replica(node) && primary != NULL && primary != node)
        node_set_primary(node, primary);
}

static void restore_slots(struct cluster *cluster, const struct topology_node *saved)
{
    struct cluster_node *node = nodes_find(&cluster->nodes, &saved->id);
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        if (slot_set_has(&saved->slots, slot) && cluster->slots.owner[slot] == NULL)
            ownership_assign(cluster, slot, node);
    }
}

static void restore_moves(struct cluster *cluster, const struct topology_node *saved)
{
    for (size_t i = 0; i < saved->move_count; i++) {
        const struct topology_move *move = &saved->moves[i];
        struct cluster_node *peer = nodes_find(&cluster->nodes, &move->peer);
        if (peer == NULL || peer == cluster->myself)
            continue;
        bool is_mine = cluster->slots.owner[move->slot] == cluster->myself;
        if (move->importing && !is_mine)
            ownership_set_importing(cluster, move->slot, peer);
        else if (!move->importing && is_mine)
            ownership_set_migrating(cluster, move->slot, peer);
    }
}

bool restore_nodes(struct cluster *cluster, const struct topology *saved, struct error *error)
{
    cluster->current_epoch = saved->current_epoch;
    cluster->last_vote_epoch = saved->last_vote_epoch;
    for (size_t i = 0; i < saved->count; i++) {
        if ((saved->nodes[i].flags & NODE_HANDSHAKE) == 0 &&
            !restore_node(cluster, &saved->nodes[i], error))
            return false;
    }
    if (cluster->myself == NULL)
        return error_set(error, "no node is marked as myself");
    for (size_t i = 0; i < saved->count; i++) {
        if ((saved->nodes[i].flags & NODE_HANDSHAKE) == 0) {
            restore_primary(cluster, &saved->nodes[i]);
            restore_slots(cluster, &saved->nodes[i]);
        }
    }
    for (size_t i = 0; i < saved->count; i++) {
        if ((saved->nodes[i].flags & NODE_MYSELF) != 0)
            restore_moves(cluster, &saved->nodes[i]);
    }
    cluster_log(cluster, LOG_NOTICE, "Node configuration loaded, I'm %s", cluster->myself->id.text);
    return true;
}

static void add_move(
    struct topology_node *line, unsigned slot, bool importing, const struct cluster_node *peer)
{
    if (peer == NULL)
        return;
    line->moves = memory_resize(line->moves, (line->move_count + 1) * sizeof(line->moves[0]));
    line->moves[line->move_count++] = (struct topology_move){ (uint16_t)slot, importing, peer->id };
}

static void write_line(
    const struct cluster *cluster, const struct cluster_node *node, struct buffer *out)
{
    struct topology_node line = {
        .id = node->id,
        .address = node->address,
        .shard_id = node->shard_id,
        .flags = node->flags,
        .ping_sent = node->ping_sent,
        .pong_received = node->pong_received,
        .config_epoch = node->config_epoch,
        .connected = node == cluster->myself || node_is_connected(node),
        .slots = node->slots,
    };
    memcpy(line.hostname, node->hostname, sizeof(line.hostname));
    if (node->primary != NULL) {
        line.primary = node->primary->id;
        line.config_epoch = node->primary->config_epoch;
    }
    for (unsigned slot = 0; slot < SLOT_COUNT && node == cluster->myself; slot++) {
        add_move(&line, slot, false, cluster->slots.migrating_to[slot]);
        add_move(&line, slot, true, cluster->slots.importing_from[slot]);
    }
    topology_write_node(out, &line, true);
    free(line.moves);
}

void cluster_render_conf(const struct cluster *cluster, struct buffer *out)
{
    for (size_t i = 0; i < cluster->nodes.count; i++) {
        if (!node_has(cluster->nodes.items[i], NODE_HANDSHAKE))
            write_line(cluster, cluster->nodes.items[i], out);
    }
    buffer_printf(out, "vars currentEpoch %" PRIu64 " lastVoteEpoch %" PRIu64 "\n",
        cluster->current_epoch, cluster->last_vote_epoch);
}
