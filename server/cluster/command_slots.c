/* The CLUSTER commands on slots: ADDSLOTS, DELSLOTS, FLUSHSLOTS, SETSLOT. The texts of errors are
 * Redis 7.0's. */
#include "server/cluster/cluster.h"

static bool check_ranges(struct cluster *cluster, const struct cluster_range *ranges, size_t count,
    bool adding, struct error *error)
{
    struct slot_set seen = { 0 };
    for (size_t i = 0; i < count; i++) {
        for (unsigned slot = ranges[i].first; slot <= ranges[i].last; slot++) {
            bool has_owner = cluster->slots.owner[slot] != NULL;
            if (adding && has_owner)
                return error_set(error, "ERR Slot %u is already busy", slot);
            if (!adding && !has_owner)
                return error_set(error, "ERR Slot %u is already unassigned", slot);
            if (slot_set_has(&seen, slot))
                return error_set(error, "ERR Slot %u specified multiple times", slot);
            slot_set_add(&seen, slot);
        }
    }
    return true;
}

bool cluster_add_slots(struct cluster *cluster, const struct cluster_range *ranges, size_t count,
    int64_t now, struct error *error)
{
    cluster_begin(cluster, now);
    if (!check_ranges(cluster, ranges, count, true, error))
        return false;
    for (size_t i = 0; i < count; i++) {
        for (unsigned slot = ranges[i].first; slot <= ranges[i].last; slot++)
            ownership_assign(cluster, slot, cluster->myself);
    }
    cluster_changed_synced(cluster);
    cluster_settle(cluster);
    return true;
}

bool cluster_del_slots(struct cluster *cluster, const struct cluster_range *ranges, size_t count,
    int64_t now, struct error *error)
{
    cluster_begin(cluster, now);
    if (!check_ranges(cluster, ranges, count, false, error))
        return false;
    for (size_t i = 0; i < count; i++) {
        for (unsigned slot = ranges[i].first; slot <= ranges[i].last; slot++)
            ownership_clear(cluster, slot);
    }
    cluster_changed_saved(cluster);
    cluster_settle(cluster);
    return true;
}

bool cluster_flush_slots(struct cluster *cluster, int64_t now, struct error *error)
{
    cluster_begin(cluster, now);
    if (cluster->host.count_all_keys(cluster->host.context) != 0)
        return error_set(error, "ERR DB must be empty to perform CLUSTER FLUSHSLOTS.");
    ownership_clear_all_of(cluster, cluster->myself);
    cluster_changed_saved(cluster);
    cluster_settle(cluster);
    return true;
}

/* One SETSLOT under way. */
struct setslot {
    struct cluster *cluster;
    unsigned slot;
    struct bytes id;
    struct error *error;
};

static struct cluster_node *find_target(const struct setslot *set, const char *unknown)
{
    struct node_id parsed;
    struct cluster_node *node =
        node_id_parse(set->id, &parsed) ? nodes_find(&set->cluster->nodes, &parsed) : NULL;
    if (node == NULL) {
        error_set(set->error, "ERR %s %.*s", unknown, (int)set->id.len, set->id.data);
        return NULL;
    }
    if (node_is_replica(node)) {
        error_set(set->error, "ERR Target node is not a master");
        return NULL;
    }
    return node;
}

static bool set_migrating(const struct setslot *set)
{
    struct cluster *cluster = set->cluster;
    if (cluster->slots.owner[set->slot] != cluster->myself)
        return error_set(set->error, "ERR I'm not the owner of hash slot %u", set->slot);
    struct cluster_node *node = find_target(set, "I don't know about node");
    if (node == NULL)
        return false;
    ownership_set_migrating(cluster, set->slot, node);
    return true;
}

static bool set_importing(const struct setslot *set)
{
    struct cluster *cluster = set->cluster;
    if (cluster->slots.owner[set->slot] == cluster->myself)
        return error_set(set->error, "ERR I'm already the owner of hash slot %u", set->slot);
    struct cluster_node *node = find_target(set, "I don't know about node");
    if (node == NULL)
        return false;
    ownership_set_importing(cluster, set->slot, node);
    return true;
}

static bool set_stable(const struct setslot *set)
{
    ownership_set_importing(set->cluster, set->slot, NULL);
    ownership_set_migrating(set->cluster, set->slot, NULL);
    return true;
}

/* The slot is mine now by an operator's word: a new epoch makes it known to all. */
static void end_import(struct cluster *cluster, unsigned slot)
{
    cluster_changed_synced(cluster);
    if (epoch_bump(cluster))
        cluster_log(cluster, LOG_NOTICE, "configEpoch updated after importing slot %u", slot);
    outgoing_pong_to_all_soon(cluster);
}

/* Everyone is told at once that the slot is not claimed here any more: whoever has not heard of the
 * new owner yet must not send old news of this one to it. */
static void give_away(struct cluster *cluster, struct cluster_node *node)
{
    struct cluster_node *myself = cluster->myself;
    if (myself->slot_count > 0 || !cluster->config.allow_replica_migration) {
        outgoing_pong_to_all_soon(cluster);
        return;
    }
    cluster_log(cluster, LOG_NOTICE,
        "Configuration change detected. Reconfiguring myself as a replica of %s", node->id.text);
    role_become_replica(cluster, node);
}

static bool set_node(const struct setslot *set)
{
    struct cluster *cluster = set->cluster;
    struct cluster_node *myself = cluster->myself;
    struct cluster_node *node = find_target(set, "Unknown node");
    if (node == NULL)
        return false;
    bool was_mine = cluster->slots.owner[set->slot] == myself;
    bool was_importing = cluster->slots.importing_from[set->slot] != NULL;
    size_t keys = cluster->host.count_keys(cluster->host.context, set->slot);
    if (was_mine && node != myself && keys != 0)
        return error_set(set->error,
            "ERR Can't assign hashslot %u to a different node while I still hold keys for this "
            "hash slot.",
            set->slot);
    if (keys == 0)
        ownership_set_migrating(cluster, set->slot, NULL);
    ownership_assign(cluster, set->slot, node);
    if (was_mine && node != myself)
        give_away(cluster, node);
    if (node == myself && was_importing) {
        ownership_set_importing(cluster, set->slot, NULL);
        end_import(cluster, set->slot);
    }
    return true;
}

static bool (*const actions[])(const struct setslot *set) = {
    [CLUSTER_SETSLOT_MIGRATING] = set_migrating,
    [CLUSTER_SETSLOT_IMPORTING] = set_importing,
    [CLUSTER_SETSLOT_STABLE] = set_stable,
    [CLUSTER_SETSLOT_NODE] = set_node,
};

bool cluster_may_set_slot(const struct cluster *cluster, struct error *error)
{
    return node_is_primary(cluster->myself) ||
           error_set(error, "ERR You can use SETSLOT only with masters.");
}

bool cluster_set_slot(struct cluster *cluster, unsigned slot, enum cluster_setslot action,
    struct bytes id, int64_t now, struct error *error)
{
    cluster_begin(cluster, now);
    struct setslot set = { cluster, slot, id, error };
    if (!cluster_may_set_slot(cluster, error) || !actions[action](&set))
        return false;
    cluster_changed_saved(cluster);
    cluster_settle(cluster);
    return true;
}
