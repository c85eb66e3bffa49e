/* What a simulated cluster must never be and what it has to become, and how one is made. */
#include "tests/support/simulation.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>

static bool claim_one_slot(const struct cluster_node *a, const struct cluster_node *b)
{
    for (size_t i = 0; i < SLOT_BITMAP_SIZE; i++) {
        if ((a->slots.bits[i] & b->slots.bits[i]) != 0)
            return true;
    }
    return false;
}

bool sim_has_conflict(struct sim *sim)
{
    for (unsigned i = 0; i < sim_options(sim)->nodes; i++) {
        const struct cluster *first = sim_cluster(sim, i);
        if (first == NULL || !node_votes(first->myself))
            continue;
        for (unsigned j = 0; j < i; j++) {
            const struct cluster *second = sim_cluster(sim, j);
            if (second == NULL || !node_votes(second->myself) ||
                first->myself->config_epoch != second->myself->config_epoch ||
                !claim_one_slot(first->myself, second->myself))
                continue;
            snprintf(sim_reason(sim), SIM_REASON_MAX,
                "nodes %u and %u claim one slot with epoch %" PRIu64, i, j,
                first->myself->config_epoch);
            return true;
        }
    }
    return false;
}

static bool disagrees(struct sim *sim, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool disagrees(struct sim *sim, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(sim_reason(sim), SIM_REASON_MAX, format, args);
    va_end(args);
    return false;
}

static bool knows_all_well(struct sim *sim, unsigned index)
{
    const struct cluster *cluster = sim_cluster(sim, index);
    if (cluster->nodes.count != sim_options(sim)->nodes)
        return disagrees(sim, "node %u knows %zu nodes", index, cluster->nodes.count);
    for (size_t i = 0; i < cluster->nodes.count; i++) {
        const struct cluster_node *node = cluster->nodes.items[i];
        enum { UNWELL = NODE_FAIL | NODE_PFAIL | NODE_HANDSHAKE | NODE_NO_ADDRESS };
        if (node_has(node, UNWELL))
            return disagrees(sim, "node %u sees node %u with flags %#x", index,
                sim_index(sim, &node->id), node->flags);
    }
    if (!cluster->health.ok)
        return disagrees(sim, "node %u sees the cluster down", index);
    return true;
}

static bool owns_as_known(struct sim *sim, unsigned index, unsigned slot)
{
    const struct cluster *cluster = sim_cluster(sim, index);
    const struct cluster *first = sim_cluster(sim, 0);
    const struct cluster_node *owner = cluster->slots.owner[slot],
                              *other = first->slots.owner[slot];
    if (owner == NULL)
        return disagrees(sim, "node %u knows no owner of slot %u", index, slot);
    if (other == NULL || !node_id_equal(&owner->id, &other->id))
        return disagrees(sim, "nodes 0 and %u know another owner of slot %u", index, slot);
    if (slot_set_has(&cluster->slots.unclaimed, slot))
        return disagrees(sim, "node %u thinks that slot %u is not claimed", index, slot);
    if (cluster->slots.migrating_to[slot] != NULL || cluster->slots.importing_from[slot] != NULL)
        return disagrees(sim, "slot %u is open at node %u", slot, index);
    return true;
}

static bool owner_says_so(struct sim *sim, unsigned slot)
{
    const struct cluster_node *owner = sim_cluster(sim, 0)->slots.owner[slot];
    unsigned index = sim_index(sim, &owner->id);
    const struct cluster *cluster = sim_cluster(sim, index);
    return cluster->slots.owner[slot] == cluster->myself && node_is_primary(cluster->myself);
}

bool sim_is_settled(struct sim *sim)
{
    for (unsigned i = 0; i < sim_options(sim)->nodes; i++) {
        if (!sim_runs(sim, i))
            return disagrees(sim, "node %u does not run", i);
        if (!knows_all_well(sim, i))
            return false;
        for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
            if (!owns_as_known(sim, i, slot))
                return false;
        }
    }
    for (unsigned slot = 0; slot < SLOT_COUNT; slot += 64) {
        if (!owner_says_so(sim, slot))
            return disagrees(sim, "the owner of slot %u does not know it", slot);
    }
    return true;
}

static bool is_settled(struct sim *sim, void *context)
{
    (void)context;
    return sim_is_settled(sim);
}

static bool all_know_all(struct sim *sim, void *context)
{
    (void)context;
    for (unsigned i = 0; i < sim_options(sim)->nodes; i++) {
        const struct cluster *cluster = sim_cluster(sim, i);
        if (cluster->nodes.count != sim_options(sim)->nodes || cluster->nodes.handshakes != 0)
            return false;
    }
    return true;
}

void sim_form(struct sim *sim)
{
    unsigned primaries = sim_options(sim)->primaries, nodes = sim_options(sim)->nodes;
    struct error error;
    for (unsigned i = 0; i < nodes; i++) {
        struct cluster *cluster = sim_cluster(sim, i);
        cluster_set_config_epoch(cluster, i + 1, sim_now(sim), &error);
        if (i < primaries) {
            struct cluster_range range = { (uint16_t)(i * SLOT_COUNT / primaries),
                (uint16_t)((i + 1) * SLOT_COUNT / primaries - 1) };
            cr_assert(
                cluster_add_slots(cluster, &range, 1, sim_now(sim), &error), "%s", error.text);
        }
        if (i > 0)
            cluster_meet(
                cluster, bytes_of("10.0.0.1"), SIM_PORT, SIM_BUS_PORT, sim_now(sim), &error);
        sim_drain(sim, i);
    }
    cr_assert(sim_run_until(sim, all_know_all, NULL, 30000), "seed %" PRIu64 ": not all have met",
        sim_options(sim)->seed);
    for (unsigned i = primaries; i < nodes; i++) {
        struct cluster *cluster = sim_cluster(sim, i);
        const struct node_id *id = cluster_my_id(sim_cluster(sim, i % primaries));
        cr_assert(
            cluster_replicate(cluster, bytes_of(id->text), sim_now(sim), &error), "%s", error.text);
        sim_drain(sim, i);
    }
    cr_assert(sim_run_until(sim, is_settled, NULL, 30000), "seed %" PRIu64 ": %s",
        sim_options(sim)->seed, sim_reason(sim));
    sim_run(sim, SIM_SYNC_TIME * 4);
}

struct sim *sim_small(unsigned nodes, unsigned primaries, uint64_t seed)
{
    struct sim_options options = {
        .seed = seed,
        .nodes = nodes,
        .primaries = primaries,
        .node_timeout = SIM_TIMEOUT,
        .delay_max = 2,
        .migration_barrier = 1,
    };
    struct sim *sim = sim_create(&options);
    sim_form(sim);
    return sim;
}

struct cluster_node *sim_known(struct sim *sim, unsigned at, unsigned node)
{
    return nodes_find(&sim_cluster(sim, at)->nodes, cluster_my_id(sim_cluster(sim, node)));
}

bool sim_leads(struct sim *sim, unsigned node)
{
    return sim_is_up(sim, node) && node_votes(sim_cluster(sim, node)->myself);
}

bool sim_settles(struct sim *sim, int64_t limit)
{
    return sim_run_until(sim, is_settled, NULL, limit);
}
