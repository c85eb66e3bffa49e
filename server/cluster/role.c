/* Primary or replica: mine, and others' as they tell it. Replication is told of a change once, at
 * the end of an input, when primary and address are settled. */
#include "server/cluster/cluster.h"

/* ms: the message of who took over left before this node knew of it, so it needs no long lead. */
enum { TELL_DELAY = 150 };

static void follow(struct cluster *cluster, struct cluster_node *primary)
{
    struct cluster_node *myself = cluster->myself;
    if (node_is_primary(myself)) {
        myself->flags &= ~(unsigned)(NODE_PRIMARY | NODE_MIGRATE_TO);
        myself->flags |= NODE_REPLICA;
        ownership_close_all(cluster);
    }
    node_set_primary(myself, primary);
    myself->shard_id = primary->shard_id;
    manual_end(cluster);
    cluster_changed_synced(cluster);
}

void role_become_replica(struct cluster *cluster, struct cluster_node *primary)
{
    follow(cluster, primary);
    outgoing_pong_to_all(cluster); /* so that nobody waits for a ping to know */
}

void role_yield(struct cluster *cluster, struct cluster_node *claimer)
{
    follow(cluster, claimer);
    cluster->role.tell_at = cluster->now + TELL_DELAY;
}

void role_tick(struct cluster *cluster)
{
    struct role *role = &cluster->role;
    if (role->tell_at == 0 || cluster->now < role->tell_at)
        return;
    role->tell_at = 0;
    outgoing_pong_to_all(cluster);
}

void role_become_primary(struct cluster *cluster)
{
    struct cluster_node *myself = cluster->myself;
    node_set_primary(myself, NULL);
    myself->flags &= ~(unsigned)NODE_REPLICA;
    myself->flags |= NODE_PRIMARY;
    cluster_changed_synced(cluster);
}

void role_set_primary(struct cluster *cluster, struct cluster_node *node)
{
    if (node_is_primary(node))
        return;
    node_set_primary(node, NULL);
    node->flags &= ~(unsigned)NODE_REPLICA;
    node->flags |= NODE_PRIMARY | NODE_MIGRATE_TO;
    cluster_changed_saved(cluster);
}

/* A primary has become a replica. Its header shows what its new primary owns, and if that is news
 * it is as good as an UPDATE: taken over first, or the slots would be nobody's until the new
 * primary's own message is here. */
static void demote(struct cluster *cluster, struct cluster_node *node, struct cluster_node *primary,
    const struct message *message)
{
    node->flags &= ~(unsigned)(NODE_PRIMARY | NODE_MIGRATE_TO);
    node->flags |= NODE_REPLICA;
    for (size_t i = 0; i < SLOT_BITMAP_SIZE; i++)
        cluster->slots.unclaimed.bits[i] |= node->slots.bits[i];
    if (primary != NULL && primary != cluster->myself &&
        message->config_epoch > primary->config_epoch) {
        role_set_primary(cluster, primary);
        node_set_config_epoch(primary, message->config_epoch, cluster->now);
        ownership_claimed(cluster, primary, message->config_epoch, message->slots);
    }
    ownership_clear_all_of(cluster, node);
    cluster_changed_saved(cluster);
}

/* My primary has become someone's replica: its primary is to be mine too. */
static void leave_chain(struct cluster *cluster)
{
    struct cluster_node *myself = cluster->myself, *primary = myself->primary;
    if (primary == NULL || primary->primary == NULL || primary->primary == myself)
        return;
    cluster_log(cluster, LOG_NOTICE,
        "I'm a sub-replica! Reconfiguring myself from %s to grandmaster %s", primary->id.text,
        primary->primary->id.text);
    role_become_replica(cluster, primary->primary);
}

void role_told(struct cluster *cluster, struct cluster_node *node, const struct message *message)
{
    if (!node_id_is_set(&message->primary)) {
        role_set_primary(cluster, node);
        return;
    }
    struct cluster_node *primary = nodes_find(&cluster->nodes, &message->primary);
    if (primary == node)
        return;
    if (node_is_primary(node))
        demote(cluster, node, primary, message);
    if (primary != NULL && node->primary != primary) {
        node_set_primary(node, primary);
        cluster_changed_saved(cluster);
    }
    leave_chain(cluster);
}

static void tell_to_lead(struct cluster *cluster)
{
    struct role *role = &cluster->role;
    bool was_replica = role->told && node_id_is_set(&role->primary);
    *role = (struct role){ .told = true, .tell_at = role->tell_at };
    if (was_replica)
        effects_add(&cluster->effects, CLUSTER_EFFECT_LEAD, 0, false);
}

void role_settle(struct cluster *cluster)
{
    struct role *role = &cluster->role;
    const struct cluster_node *primary = cluster->myself->primary;
    if (node_is_primary(cluster->myself)) {
        tell_to_lead(cluster);
        return;
    }
    if (primary == NULL || primary->address.ip[0] == '\0' || primary->address.port == 0)
        return;
    if (role->told && node_id_equal(&role->primary, &primary->id) &&
        address_equal(&role->address, &primary->address))
        return;
    *role = (struct role){ true, primary->id, primary->address, role->tell_at };
    effects_follow(&cluster->effects, &primary->id, &primary->address);
}
