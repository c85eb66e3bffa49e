/* Epochs are the cluster's logical clock: the current epoch is the highest that anyone has heard
 * of, and a primary's config epoch says how new its claim to its slots is. Each election makes one;
 * an operator's order (takeover, the end of a slot's import) makes one without asking, and if two
 * do so at once the collision is resolved when they hear each other: the one with the smaller ID
 * takes a new one. */
#include "server/cluster/cluster.h"

#include <inttypes.h>

void epoch_seen(struct cluster *cluster, struct cluster_node *sender, const struct message *message)
{
    uint64_t current = message->current_epoch;
    if (current < message->config_epoch)
        current = message->config_epoch;
    if (current > cluster->current_epoch) {
        cluster->current_epoch = current;
        cluster->revision++;
    }
    if (message->config_epoch > sender->config_epoch) {
        sender->config_epoch = message->config_epoch;
        cluster_changed_synced(cluster);
    }
}

uint64_t epoch_highest_claim(const struct cluster *cluster)
{
    uint64_t highest = 0;
    for (size_t i = 0; i < cluster->nodes.count; i++) {
        if (cluster->nodes.items[i]->config_epoch > highest)
            highest = cluster->nodes.items[i]->config_epoch;
    }
    return highest;
}

bool epoch_bump(struct cluster *cluster)
{
    struct cluster_node *myself = cluster->myself;
    uint64_t known = epoch_highest_claim(cluster);
    if (known < cluster->current_epoch)
        known = cluster->current_epoch;
    if (myself->config_epoch != 0 && myself->config_epoch == known)
        return false;
    cluster->current_epoch = known + 1;
    myself->config_epoch = known + 1;
    cluster_changed_synced(cluster);
    cluster_log(cluster, LOG_NOTICE, "New configEpoch set to %" PRIu64, myself->config_epoch);
    return true;
}

void epoch_resolve_collision(
    struct cluster *cluster, const struct cluster_node *sender, const struct message *message)
{
    struct cluster_node *myself = cluster->myself;
    if (!node_is_primary(sender) || !node_is_primary(myself) ||
        message->config_epoch != myself->config_epoch ||
        memcmp(sender->id.text, myself->id.text, NODE_ID_LEN) <= 0)
        return;
    myself->config_epoch = ++cluster->current_epoch;
    cluster_changed_synced(cluster);
    cluster_log(cluster, LOG_VERBOSE,
        "WARNING: configEpoch collision with node %s. configEpoch set to %" PRIu64, sender->id.text,
        myself->config_epoch);
}

bool cluster_bump_epoch(struct cluster *cluster, int64_t now, uint64_t *epoch)
{
    cluster_begin(cluster, now);
    bool bumped = epoch_bump(cluster);
    *epoch = cluster->myself->config_epoch;
    cluster_settle(cluster);
    return bumped;
}
