/* Replica migration: a primary with slots whose last good replica has gone (an orphan) gets one
 * from the primary that has most, as long as that keeps as many as the migration barrier says. All
 * replicas that could go reach the same conclusion without talking: the one with the smallest ID
 * among the replicas of the richest primaries goes, after the orphan has been one for a while. */
#include "server/cluster/cluster.h"

enum { DELAY = 5000 /* ms */ };

static bool is_good(const struct cluster_node *node)
{
    return !node_has(node, NODE_FAIL | NODE_PFAIL);
}

static bool is_orphan(const struct cluster_node *node, unsigned good_replicas)
{
    return node_votes(node) && !node_is_failed(node) && node_has(node, NODE_MIGRATE_TO) &&
           good_replicas == 0;
}

/* Notes since when each primary is an orphan; gives the first orphan and the most good replicas
 * that a primary has. */
static struct cluster_node *look_for_orphan(struct cluster *cluster, unsigned *most)
{
    struct cluster_node *orphan = NULL;
    *most = 0;
    for (size_t i = 0; i < cluster->nodes.count; i++) {
        struct cluster_node *node = cluster->nodes.items[i];
        unsigned good = nodes_count_good_replicas(&cluster->nodes, node);
        if (!node_is_primary(node) || !is_orphan(node, good)) {
            node->orphaned_time = 0;
        } else {
            if (node->orphaned_time == 0)
                node->orphaned_time = cluster->now;
            if (orphan == NULL)
                orphan = node;
        }
        if (node_is_primary(node) && !node_is_failed(node) && good > *most)
            *most = good;
    }
    return orphan;
}

/* The table is in the order of IDs, so the first that fits has the smallest. */
static const struct cluster_node *choose_migrant(const struct cluster *cluster, unsigned most)
{
    for (size_t i = 0; i < cluster->nodes.count; i++) {
        const struct cluster_node *node = cluster->nodes.items[i];
        if (node->primary != NULL && is_good(node) && node_is_primary(node->primary) &&
            nodes_count_good_replicas(&cluster->nodes, node->primary) == most)
            return node;
    }
    return NULL;
}

void replica_migration_tick(struct cluster *cluster)
{
    const struct cluster_config *config = &cluster->config;
    const struct cluster_node *myself = cluster->myself;
    unsigned most;
    if (myself->primary == NULL || !config->allow_replica_migration)
        return;
    struct cluster_node *orphan = look_for_orphan(cluster, &most);
    unsigned mine = nodes_count_good_replicas(&cluster->nodes, myself->primary);
    if (orphan == NULL || !cluster->health.ok || most < 2 || mine != most ||
        mine <= (unsigned)config->migration_barrier || choose_migrant(cluster, most) != myself ||
        cluster->now - orphan->orphaned_time <= DELAY || config->replica_no_failover)
        return;
    cluster_log(cluster, LOG_NOTICE, "Migrating to orphaned master %s", orphan->id.text);
    role_become_replica(cluster, orphan);
}
