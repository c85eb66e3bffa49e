/* Hundreds of clusters, each living through its own schedule of crashes, power cuts, pauses,
 * partitions, one-way cuts, resets, failovers by hand and slot moves, drawn from a seed. At no time
 * may two primaries claim one slot with one epoch; and when the trouble ends, all nodes must come
 * to agree on one owner for each slot, with nobody failed in anybody's eyes.
 *
 * SIM_SEED=n runs one schedule, SIM_COUNT=n that many, SIM_LOG=1 prints what the nodes log.
 *
 * Between elections that is impossible, and between an election and an epoch that is taken without
 * asking too (epoch.c). Two that are taken without asking, on two sides of a partition, may be the
 * same until the sides hear each other, as in Redis. The schedules leave out TAKEOVER, and move
 * slots only where a tool would; what is left of it takes two slot moves on two sides of a cut
 * within a node timeout, and a failover of the same shard between them. */
#include "tests/support/simulation.h"
#include "tests/support/wait.h"
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#ifdef SLOTD_SANITIZE
enum { SCHEDULES = 60 };
#else
enum { SCHEDULES = 300 };
#endif

enum {
    TROUBLE_TIME = 25000, /* ms of virtual time */
    QUIET_LIMIT = 120000,
    PAUSE_BETWEEN = 1500, /* at most, between two of them */
};

static unsigned draw_node(struct sim *sim, const struct sim_options *options)
{
    return (unsigned)sim_random(sim, options->nodes);
}

static void kill_or_start(struct sim *sim, const struct sim_options *options)
{
    unsigned node = draw_node(sim, options);
    if (!sim_is_up(sim, node))
        sim_start(sim, node);
    else if (sim_random(sim, 4) == 0)
        sim_cut_power(sim, node);
    else
        sim_kill(sim, node);
}

static void start_someone(struct sim *sim, const struct sim_options *options)
{
    for (unsigned i = 0; i < options->nodes; i++) {
        if (!sim_is_up(sim, i)) {
            sim_start(sim, i);
            return;
        }
    }
}

static void restart_at_once(struct sim *sim, const struct sim_options *options)
{
    unsigned node = draw_node(sim, options);
    if (!sim_is_up(sim, node))
        return;
    sim_kill(sim, node);
    sim_run(sim, (int64_t)sim_random(sim, 600));
    sim_start(sim, node);
}

static void pause_or_resume(struct sim *sim, const struct sim_options *options)
{
    unsigned node = draw_node(sim, options);
    if (!sim_is_up(sim, node))
        return;
    if (sim_runs(sim, node))
        sim_pause(sim, node);
    else
        sim_resume(sim, node);
}

static void split(struct sim *sim, const struct sim_options *options)
{
    uint64_t sides = sim_random(sim, UINT64_C(1) << options->nodes);
    for (unsigned i = 0; i < options->nodes; i++) {
        for (unsigned j = 0; j < options->nodes; j++)
            sim_cut(sim, i, j, ((sides >> i ^ sides >> j) & 1) != 0);
    }
}

static void cut_one_way(struct sim *sim, const struct sim_options *options)
{
    unsigned from = draw_node(sim, options), to = draw_node(sim, options);
    if (from != to)
        sim_cut(sim, from, to, true);
}

static void isolate(struct sim *sim, const struct sim_options *options)
{
    sim_isolate(sim, draw_node(sim, options));
}

static void heal(struct sim *sim, const struct sim_options *options)
{
    (void)options;
    sim_heal(sim);
}

static void reset_connections(struct sim *sim, const struct sim_options *options)
{
    sim_reset_connections(sim, draw_node(sim, options));
}

static void refuse_or_not(struct sim *sim, const struct sim_options *options)
{
    sim_refuse(sim, draw_node(sim, options), sim_random(sim, 3) == 0);
}

static void fail_over_by_hand(struct sim *sim, const struct sim_options *options)
{
    unsigned node = draw_node(sim, options);
    struct error error;
    if (!sim_runs(sim, node))
        return;
    cluster_failover(sim_cluster(sim, node),
        sim_random(sim, 3) == 0 ? CLUSTER_FAILOVER_FORCE : CLUSTER_FAILOVER_PLAIN, sim_now(sim),
        &error);
    sim_drain(sim, node);
}

static bool set_slot(struct sim *sim, unsigned node, unsigned slot, enum cluster_setslot action,
    const struct node_id *id)
{
    struct error error;
    bool done = cluster_set_slot(
        sim_cluster(sim, node), slot, action, bytes_of(id->text), sim_now(sim), &error);
    sim_drain(sim, node);
    return done;
}

/* What a tool checks before it moves slots: that the two see the cluster ok, and agree about who
 * owns what, in which epoch. */
static bool do_agree(struct sim *sim, unsigned source, unsigned target)
{
    if (!sim_runs(sim, source) || !sim_runs(sim, target) ||
        !cluster_is_ok(sim_cluster(sim, source)) || !cluster_is_ok(sim_cluster(sim, target)))
        return false;
    const struct cluster_node *owner = sim_cluster(sim, source)->myself;
    const struct cluster_node *known = nodes_find(&sim_cluster(sim, target)->nodes, &owner->id);
    return known != NULL && known->config_epoch == owner->config_epoch &&
           memcmp(&known->slots, &owner->slots, sizeof(known->slots)) == 0;
}

static void move_slot(struct sim *sim, const struct sim_options *options)
{
    unsigned slot = (unsigned)sim_random(sim, SLOT_COUNT), target = draw_node(sim, options);
    if (!sim_runs(sim, target) || !cluster_is_primary(sim_cluster(sim, target)))
        return;
    const struct cluster_node *owner = sim_cluster(sim, target)->slots.owner[slot];
    if (owner == NULL || owner == sim_cluster(sim, target)->myself)
        return;
    struct node_id source_id = owner->id, target_id = *cluster_my_id(sim_cluster(sim, target));
    unsigned source = sim_index(sim, &source_id);
    if (!do_agree(sim, source, target) ||
        !set_slot(sim, target, slot, CLUSTER_SETSLOT_IMPORTING, &source_id) ||
        !set_slot(sim, source, slot, CLUSTER_SETSLOT_MIGRATING, &target_id))
        return;
    sim_run(sim, (int64_t)sim_random(sim, 500));
    if (!do_agree(sim, source, target) || !cluster_is_primary(sim_cluster(sim, target)))
        return; /* a target that has been voted out meanwhile refuses the slot */
    sim_set_keys(sim, source, slot, false);
    sim_set_keys(sim, target, slot, true);
    if (set_slot(sim, target, slot, CLUSTER_SETSLOT_NODE, &target_id))
        set_slot(sim, source, slot, CLUSTER_SETSLOT_NODE, &target_id);
}

static const struct trouble {
    unsigned share;
    void (*make)(struct sim *sim, const struct sim_options *options);
} troubles[] = {
    { 6, kill_or_start },
    { 5, start_someone },
    { 3, restart_at_once },
    { 4, pause_or_resume },
    { 2, split },
    { 3, cut_one_way },
    { 2, isolate },
    { 5, heal },
    { 2, reset_connections },
    { 2, refuse_or_not },
    { 4, fail_over_by_hand },
    { 5, move_slot },
};

static void make_trouble(struct sim *sim, const struct sim_options *options)
{
    enum { COUNT = sizeof(troubles) / sizeof(troubles[0]) };
    unsigned sum = 0, at = 0;
    for (unsigned i = 0; i < COUNT; i++)
        sum += troubles[i].share;
    unsigned drawn = (unsigned)sim_random(sim, sum);
    while (drawn >= troubles[at].share)
        drawn -= troubles[at++].share;
    troubles[at].make(sim, options);
}

/* Peace, and what an operator does about slots that were left open. */
static void end_trouble(struct sim *sim, const struct sim_options *options)
{
    static const struct node_id none;
    sim_heal(sim);
    for (unsigned i = 0; i < options->nodes; i++) {
        sim_refuse(sim, i, false);
        sim_resume(sim, i);
        if (!sim_is_up(sim, i))
            sim_start(sim, i);
    }
    sim_run(sim, 3 * options->node_timeout);
    for (unsigned i = 0; i < options->nodes; i++) {
        const struct cluster *cluster = sim_cluster(sim, i);
        for (unsigned slot = 0; slot < SLOT_COUNT && cluster_is_primary(cluster); slot++) {
            if (cluster->slots.migrating_to[slot] != NULL ||
                cluster->slots.importing_from[slot] != NULL)
                set_slot(sim, i, slot, CLUSTER_SETSLOT_STABLE, &none);
        }
    }
}

static struct sim_options draw_options(uint64_t seed)
{
    struct sim_options options = { .seed = seed };
    unsigned draw = (unsigned)(seed * 2654435761u >> 7);
    options.nodes = 3 + draw % 18;
    options.primaries = 3 + draw / 18 % (options.nodes - 2);
    if (options.primaries > options.nodes / 2 && options.nodes >= 6)
        options.primaries = options.nodes / 2;
    options.node_timeout = (const int[]){ 1000, 2000, 5000 }[draw / 7 % 3];
    options.delay_max = (const int[]){ 1, 10, 60 }[draw / 5 % 3];
    options.loss = (const unsigned[]){ 0, 5, 40 }[draw / 3 % 3];
    options.migration_barrier = (int)(draw / 11 % 2);
    return options;
}

static void run_schedule(uint64_t seed)
{
    struct sim_options options = draw_options(seed);
    struct sim *sim = sim_create(&options);
    sim_form(sim);
    for (int64_t end = sim_now(sim) + TROUBLE_TIME; sim_now(sim) < end;) {
        make_trouble(sim, &options);
        sim_run(sim, (int64_t)sim_random(sim, PAUSE_BETWEEN));
    }
    end_trouble(sim, &options);
    bool settled = sim_settles(sim, QUIET_LIMIT);
    cr_assert(settled,
        "seed %" PRIu64 " (%u nodes, %u primaries, timeout %" PRId64 "): not agreed: %s", seed,
        options.nodes, options.primaries, options.node_timeout, sim_reason(sim));
    sim_free(sim);
}

static uint64_t number_from(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

Test(cluster_simulation, all_agree_in_the_end, .timeout = 600)
{
    uint64_t count = number_from("SIM_COUNT", (uint64_t)(SCHEDULES / test_slowness()));
    if (getenv("SIM_SEED") != NULL) {
        run_schedule(number_from("SIM_SEED", 1));
        return;
    }
    for (uint64_t seed = 1; seed <= count; seed++)
        run_schedule(seed);
}
