/* Who owns which slot. The rule that makes the cluster agree is short: of two claims on a slot the
 * one with the higher config epoch holds. A node that claims with an older epoch than is known here
 * is told so with an UPDATE.
 *
 * Three things make it longer. A slot being imported here changes hands only by an operator's word.
 * A slot that its owner does not claim any more stays bound to it, so that clients are redirected
 * and not refused, but is open for any claim, and is not told of to others nor inherited by a
 * replica. And this node may be the loser: keys that it still has in a lost slot are deleted, and
 * when its last slot goes it becomes the new owner's replica.
 */
#include "server/cluster/cluster.h"

static bool some_primary_has_replicas(const struct cluster *cluster)
{
    for (size_t i = 0; i < cluster->nodes.count; i++) {
        if (node_votes(cluster->nodes.items[i]) && cluster->nodes.items[i]->replica_count > 0)
            return true;
    }
    return false;
}

void ownership_clear(struct cluster *cluster, unsigned slot)
{
    struct ownership *slots = &cluster->slots;
    struct cluster_node *owner = slots->owner[slot];
    slot_set_remove(&slots->unclaimed, slot);
    if (owner == NULL)
        return;
    slots->owner[slot] = NULL;
    slots->assigned--;
    slot_set_remove(&owner->slots, slot);
    owner->slot_count--;
    cluster_changed(cluster);
    if (owner != cluster->myself)
        return;
    slots->migrating_to[slot] = NULL;
    effects_slot(&cluster->effects, slot);
}

void ownership_assign(struct cluster *cluster, unsigned slot, struct cluster_node *owner)
{
    struct ownership *slots = &cluster->slots;
    if (slots->owner[slot] == owner)
        return;
    ownership_clear(cluster, slot);
    slots->owner[slot] = owner;
    slots->assigned++;
    slot_set_add(&owner->slots, slot);
    if (owner->slot_count++ == 0 && some_primary_has_replicas(cluster))
        owner->flags |= NODE_MIGRATE_TO;
    cluster_changed(cluster);
    if (owner != cluster->myself)
        return;
    slots->importing_from[slot] = NULL;
    effects_slot(&cluster->effects, slot);
}

void ownership_claims_of(
    const struct cluster *cluster, const struct cluster_node *node, struct slot_set *claims)
{
    for (size_t i = 0; i < SLOT_BITMAP_SIZE; i++)
        claims->bits[i] = (uint8_t)(node->slots.bits[i] & ~cluster->slots.unclaimed.bits[i]);
}

void ownership_clear_all_of(struct cluster *cluster, struct cluster_node *node)
{
    for (unsigned slot = 0; slot < SLOT_COUNT && node->slot_count > 0; slot++) {
        if (cluster->slots.owner[slot] == node)
            ownership_clear(cluster, slot);
    }
}

static void set_move(
    struct cluster *cluster, struct cluster_node **move, unsigned slot, struct cluster_node *peer)
{
    if (*move == peer)
        return;
    *move = peer;
    effects_slot(&cluster->effects, slot);
    cluster_changed_saved(cluster);
}

void ownership_set_migrating(struct cluster *cluster, unsigned slot, struct cluster_node *to)
{
    set_move(cluster, &cluster->slots.migrating_to[slot], slot, to);
}

void ownership_set_importing(struct cluster *cluster, unsigned slot, struct cluster_node *from)
{
    set_move(cluster, &cluster->slots.importing_from[slot], slot, from);
}

void ownership_close_all(struct cluster *cluster)
{
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        ownership_set_migrating(cluster, slot, NULL);
        ownership_set_importing(cluster, slot, NULL);
    }
}

void ownership_forget(struct cluster *cluster, struct cluster_node *node)
{
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        if (cluster->slots.migrating_to[slot] == node)
            ownership_set_migrating(cluster, slot, NULL);
        if (cluster->slots.importing_from[slot] == node)
            ownership_set_importing(cluster, slot, NULL);
    }
    ownership_clear_all_of(cluster, node);
}

/* What a round of claims has cost the primary of this node's shard. */
struct losses {
    unsigned lost;         /* slots of the shard's primary that went to the claimer */
    struct slot_set dirty; /* mine, with keys in them */
    bool any_dirty;
};

static void take_claim(struct cluster *cluster, struct cluster_node *claimer, uint64_t epoch,
    unsigned slot, struct losses *losses)
{
    struct ownership *slots = &cluster->slots;
    struct cluster_node *owner = slots->owner[slot], *myself = cluster->myself;
    const struct cluster_node *shard_primary = myself->primary != NULL ? myself->primary : myself;
    if (owner == claimer) {
        slot_set_remove(&slots->unclaimed, slot);
        return;
    }
    if (slots->importing_from[slot] != NULL)
        return;
    if (owner != NULL && owner->config_epoch >= epoch && !slot_set_has(&slots->unclaimed, slot))
        return;
    if (owner == myself && cluster->host.count_keys(cluster->host.context, slot) > 0) {
        slot_set_add(&losses->dirty, slot);
        losses->any_dirty = true;
    }
    losses->lost += owner != NULL && owner == shard_primary;
    ownership_assign(cluster, slot, claimer);
    effects_save(&cluster->effects, true);
}

/* The claimer may have taken all that this node's shard had. */
static bool follow_claimer(
    struct cluster *cluster, struct cluster_node *claimer, const struct losses *losses)
{
    struct cluster_node *myself = cluster->myself;
    const struct cluster_node *shard_primary = myself->primary != NULL ? myself->primary : myself;
    if (losses->lost == 0 || shard_primary->slot_count > 0 || claimer == shard_primary)
        return false;
    /* A failover takes all the slots at once, and only those: then the replicas have to follow even
     * where they are not to go to another shard. */
    if (!cluster->config.allow_replica_migration && claimer->slot_count != losses->lost)
        return false;
    cluster_log(cluster, LOG_NOTICE,
        "Configuration change detected. Reconfiguring myself as a replica of %s", claimer->id.text);
    role_yield(cluster, claimer);
    return true;
}

void ownership_claimed(struct cluster *cluster, struct cluster_node *claimer, uint64_t epoch,
    const struct slot_set *claimed)
{
    struct losses losses = { 0 };
    if (claimer == cluster->myself)
        return;
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        if (slot_set_has(claimed, slot))
            take_claim(cluster, claimer, epoch, slot, &losses);
        else if (cluster->slots.owner[slot] == claimer)
            slot_set_add(&cluster->slots.unclaimed, slot);
    }
    if (follow_claimer(cluster, claimer, &losses) || !losses.any_dirty)
        return;
    cluster_log(cluster, LOG_NOTICE, "Deleting the keys of %u slots that node %s owns now",
        slot_set_count(&losses.dirty), claimer->id.text);
    effects_delete_keys(&cluster->effects, &losses.dirty);
}

void ownership_correct(struct cluster *cluster, struct cluster_node *sender, uint64_t epoch,
    const struct slot_set *claimed)
{
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        const struct cluster_node *owner = cluster->slots.owner[slot];
        if (owner == NULL || owner == sender || !slot_set_has(claimed, slot) ||
            slot_set_has(&cluster->slots.unclaimed, slot) || owner->config_epoch <= epoch)
            continue;
        cluster_log(cluster, LOG_VERBOSE,
            "Node %s has old slots configuration, sending an UPDATE message about %s",
            sender->id.text, owner->id.text);
        outgoing_update(cluster, sender, owner);
        return;
    }
}

void cluster_verify_keys(struct cluster *cluster, int64_t now)
{
    cluster_begin(cluster, now);
    for (unsigned slot = 0; slot < SLOT_COUNT && node_is_primary(cluster->myself); slot++) {
        struct cluster_node *owner = cluster->slots.owner[slot];
        if (owner == cluster->myself || cluster->slots.importing_from[slot] != NULL ||
            cluster->host.count_keys(cluster->host.context, slot) == 0)
            continue;
        if (owner == NULL) {
            cluster_log(cluster, LOG_WARNING,
                "I have keys for unassigned slot %u. Taking responsibility for it.", slot);
            ownership_assign(cluster, slot, cluster->myself);
            cluster_changed_synced(cluster);
        } else {
            cluster_log(cluster, LOG_WARNING,
                "I have keys for slot %u, but the slot is assigned to another node. Setting it to "
                "importing state.",
                slot);
            ownership_set_importing(cluster, slot, owner);
        }
    }
    cluster_settle(cluster);
}
