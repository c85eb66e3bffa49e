/* Whether the cluster is ok, as this node sees it: every slot has an owner that has not failed (or
 * full coverage is not required), and a majority of the primaries with slots can be reached.
 *
 * A primary does not become ok in a hurry: after its start, and after it was in the minority, it
 * waits for others to tell it that it has been replaced, before it takes writes again. */
#include "server/cluster/cluster.h"

enum {
    START_DELAY = 2000, /* ms */
    REJOIN_DELAY_MIN = 500,
    REJOIN_DELAY_MAX = 5000,
};

static bool is_covered(const struct cluster *cluster)
{
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        const struct cluster_node *owner = cluster->slots.owner[slot];
        if (owner == NULL || node_is_failed(owner))
            return false;
    }
    return true;
}

static unsigned count_reachable(struct cluster *cluster)
{
    unsigned reachable = 0;
    cluster->health.size = 0;
    for (size_t i = 0; i < cluster->nodes.count; i++) {
        const struct cluster_node *node = cluster->nodes.items[i];
        if (!node_votes(node))
            continue;
        cluster->health.size++;
        reachable += !node_has(node, NODE_FAIL | NODE_PFAIL);
    }
    return reachable;
}

static bool must_wait(const struct cluster *cluster)
{
    const struct health *health = &cluster->health;
    int64_t delay = cluster->config.node_timeout;
    if (!node_is_primary(cluster->myself))
        return false;
    if (delay > REJOIN_DELAY_MAX)
        delay = REJOIN_DELAY_MAX;
    if (delay < REJOIN_DELAY_MIN)
        delay = REJOIN_DELAY_MIN;
    return cluster->now - health->started < START_DELAY ||
           (health->minority_since != 0 && cluster->now - health->minority_since < delay);
}

void health_check(struct cluster *cluster)
{
    struct health *health = &cluster->health;
    cluster->check_health = false;
    unsigned reachable = count_reachable(cluster);
    bool has_majority = reachable >= health->size / 2 + 1;
    if (!has_majority && health->size > 0) /* without any there is nobody to have been cut off from */
        health->minority_since = cluster->now;
    bool ok = has_majority && (!cluster->config.require_full_coverage || is_covered(cluster));
    if (ok == health->ok || (ok && must_wait(cluster)))
        return;
    health->ok = ok;
    cluster->revision++;
    cluster_log(cluster, LOG_NOTICE, "Cluster state changed: %s", ok ? "ok" : "fail");
    effects_add(&cluster->effects, CLUSTER_EFFECT_STATE, 0, ok);
}
