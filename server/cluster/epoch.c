/* Epochs are the cluster's logical clock: the current epoch is the highest that anyone has heard
 * of, and a primary's config epoch says how new its claim to its slots is.
 *
 * There are two ways to a new one. An election has it granted by a majority, so no two elections
 * have the same. But the end of a slot's import and a takeover take one without asking, as Redis
 * has it, and in a partition that may be the one that an election on the other side is given: two
 * owners of a slot with one epoch. To keep them apart, elections here use even epochs and whoever
 * does not ask uses odd ones. (Redis always uses the next one; beside it things are as among Redis
 * nodes.) Where two that did not ask have taken the same, it is resolved when they hear each other:
 * the one with the smaller ID takes a new one. */
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
    /* A replica shows its primary's. Taken for its own, it would make what is remembered of its
     * slots look newer than it is. */
    if (!node_id_is_set(&message->primary) && message->config_epoch > sender->config_epoch) {
        node_set_config_epoch(sender, message->config_epoch, cluster->now);
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

static uint64_t highest(const struct cluster *cluster)
{
    uint64_t claimed = epoch_highest_claim(cluster);
    return claimed > cluster->current_epoch ? claimed : cluster->current_epoch;
}

uint64_t epoch_for_election(const struct cluster *cluster)
{
    return (highest(cluster) | 1) + 1;
}

static uint64_t epoch_unasked(const struct cluster *cluster)
{
    return (highest(cluster) + 1) | 1;
}

static void take_unasked(struct cluster *cluster)
{
    cluster->current_epoch = epoch_unasked(cluster);
    cluster->myself->config_epoch = cluster->current_epoch;
    cluster_changed_synced(cluster);
}

bool epoch_bump(struct cluster *cluster)
{
    struct cluster_node *myself = cluster->myself;
    if (myself->config_epoch != 0 && myself->config_epoch == highest(cluster))
        return false;
    take_unasked(cluster);
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
    take_unasked(cluster);
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
