/* Failures and failovers, one rule at a time, on small clusters that run under a virtual clock.
 * What holds under any schedule is in cluster_simulation.c. */
#include "tests/support/simulation.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { TIMEOUT = SIM_TIMEOUT };

static bool node_leads(struct sim *sim, void *node)
{
    return sim_leads(sim, *(const unsigned *)node);
}

static bool all_see_failed(struct sim *sim, void *context)
{
    unsigned failed = *(const unsigned *)context;
    struct cluster_node *node;
    struct node_id id;
    for (unsigned i = 0; i < 6; i++) {
        if (i == failed || !sim_runs(sim, i))
            continue;
        /* Its ID is at the others even when it does not run. */
        const struct cluster *cluster = sim_cluster(sim, i);
        for (size_t n = 0; n < cluster->nodes.count; n++) {
            node = cluster->nodes.items[n];
            id = node->id;
            if (sim_index(sim, &id) == failed && !node_is_failed(node))
                return false;
        }
    }
    return true;
}

static bool old_primary_follows(struct sim *sim, void *context)
{
    (void)context;
    return !cluster_is_primary(sim_cluster(sim, 0));
}

/* Crashes and silence. */

Test(cluster_state, a_killed_primary_is_replaced_within_a_second)
{
    int64_t longest = 0;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct sim *sim = sim_small(6, 3, seed);
        unsigned replica = 3;
        sim_run(sim, (int64_t)(seed * 37 % 1000));
        int64_t start = sim_now(sim);
        sim_kill(sim, 0);
        cr_assert(sim_run_until(sim, node_leads, &replica, TIMEOUT), "seed %" PRIu64, seed);
        int64_t took = sim_now(sim) - start;
        longest = took > longest ? took : longest;
        cr_assert_lt(took, 1000, "seed %" PRIu64 ": it took %" PRId64 " ms", seed, took);
        cr_assert_geq(
            took, 300, "seed %" PRIu64 ": %" PRId64 " ms are too few to be sure", seed, took);
        sim_start(sim, 0);
        cr_assert(sim_settles(sim, 30000), "seed %" PRIu64 ": %s", seed, sim_reason(sim));
        cr_assert_not(cluster_is_primary(sim_cluster(sim, 0)), "it comes back as a replica");
        sim_free(sim);
    }
    cr_log_info("longest: %" PRId64 " ms", longest);
}

Test(cluster_state, of_two_replicas_one_replaces_a_killed_primary_at_once)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct sim *sim = sim_small(9, 3, seed);
        int64_t start = sim_now(sim);
        sim_kill(sim, 0);
        while (!sim_leads(sim, 3) && !sim_leads(sim, 6) && sim_now(sim) - start < 1500)
            sim_run(sim, 10);
        cr_assert_lt(sim_now(sim) - start, 1500, "seed %" PRIu64, seed);
        cr_assert_neq(sim_leads(sim, 3), sim_leads(sim, 6), "seed %" PRIu64, seed);
        sim_start(sim, 0);
        cr_assert(sim_settles(sim, 30000), "seed %" PRIu64 ": %s", seed, sim_reason(sim));
        sim_free(sim);
    }
}

static void expect_full_timeout(void (*silence)(struct sim *sim, unsigned node), uint64_t seed)
{
    struct sim *sim = sim_small(6, 3, seed);
    unsigned replica = 3;
    int64_t start = sim_now(sim);
    silence(sim, 0);
    cr_assert(sim_run_until(sim, node_leads, &replica, 4 * TIMEOUT), "seed %" PRIu64, seed);
    int64_t took = sim_now(sim) - start;
    cr_assert_geq(took, TIMEOUT, "seed %" PRIu64 ": after %" PRId64 " ms", seed, took);
    cr_assert_leq(took, 2 * TIMEOUT + 1500, "seed %" PRIu64 ": after %" PRId64 " ms", seed, took);
    sim_free(sim);
}

Test(cluster_state, a_silent_primary_has_its_full_timeout)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        expect_full_timeout(sim_pause, seed);
        expect_full_timeout(sim_isolate, seed);
        expect_full_timeout(sim_cut_power, seed);
    }
}

Test(cluster_state, a_fast_restart_is_no_crash)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct sim *sim = sim_small(6, 3, seed);
        sim_kill(sim, 0);
        sim_run(sim, 250);
        sim_start(sim, 0);
        cr_assert(sim_settles(sim, 10000), "%s", sim_reason(sim));
        cr_assert(sim_leads(sim, 0), "seed %" PRIu64, seed);
        cr_assert_not(sim_leads(sim, 3), "seed %" PRIu64, seed);
        sim_free(sim);
    }
}

Test(cluster_state, a_primary_without_replica_is_not_taken_for_crashed)
{
    struct sim *sim = sim_small(4, 3, 1); /* node 3 is a replica of node 0 */
    sim_kill(sim, 1);
    sim_run(sim, 3000);
    for (unsigned i = 0; i < 4; i++) {
        if (i != 1)
            cr_assert(cluster_is_ok(sim_cluster(sim, i)), "node %u", i);
    }
    sim_start(sim, 1);
    cr_assert(sim_settles(sim, 10000), "%s", sim_reason(sim));
    sim_free(sim);
}

Test(cluster_state, a_cluster_that_starts_one_by_one_fails_nobody_over)
{
    struct sim *sim = sim_small(6, 3, 2);
    for (unsigned i = 0; i < 6; i++)
        sim_kill(sim, i);
    sim_run(sim, 1000);
    for (unsigned i = 6; i-- > 0;) {
        sim_start(sim, i);
        sim_run(sim, 700);
    }
    cr_assert(sim_settles(sim, 20000), "%s", sim_reason(sim));
    for (unsigned i = 0; i < 6; i++)
        cr_assert_eq(sim_leads(sim, i), i < 3, "node %u", i);
    sim_free(sim);
}

/* A firewall refuses for a primary that lives, and swallows what it sends: the worst case that
 * crash.c talks about. There are two that take writes, for no longer than a node timeout. */
Test(cluster_state, an_old_primary_behind_a_firewall_stops_within_the_timeout)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct sim *sim = sim_small(6, 3, seed);
        unsigned replica = 3;
        int64_t start = sim_now(sim);
        sim_mute(sim, 0, true);
        sim_refuse(sim, 0, true);
        cr_assert(sim_run_until(sim, node_leads, &replica, 1000));
        cr_assert(sim_leads(sim, 0), "it does not know yet");
        while (cluster_is_ok(sim_cluster(sim, 0)) && sim_now(sim) - start < 4 * TIMEOUT)
            sim_run(sim, 10);
        int64_t stopped = sim_now(sim) - start;
        cr_assert_leq(stopped, TIMEOUT + 500, "stopped after %" PRId64 " ms", stopped);
        sim_mute(sim, 0, false);
        cr_assert(sim_run_until(sim, old_primary_follows, NULL, 3000),
            "its own connections tell it of its successor");
        sim_refuse(sim, 0, false);
        cr_assert(sim_settles(sim, 30000), "%s", sim_reason(sim));
        sim_free(sim);
    }
}

Test(cluster_state, an_isolated_primary_stops_within_the_timeout)
{
    struct sim *sim = sim_small(6, 3, 4);
    sim_isolate(sim, 0);
    int64_t start = sim_now(sim);
    while (cluster_is_ok(sim_cluster(sim, 0)) && sim_now(sim) - start < 3 * TIMEOUT)
        sim_run(sim, 10);
    cr_assert_leq(sim_now(sim) - start, TIMEOUT * 3 / 2 + 500);
    sim_heal(sim);
    cr_assert(sim_settles(sim, 60000), "%s", sim_reason(sim));
    sim_free(sim);
}

static bool is_ok(struct sim *sim, void *context)
{
    (void)context;
    return cluster_is_ok(sim_cluster(sim, 0));
}

Test(cluster_state, a_new_node_is_ok_as_soon_as_it_has_all_slots)
{
    struct sim *sim = sim_create(&(struct sim_options){
        .seed = 1, .nodes = 1, .primaries = 1, .node_timeout = TIMEOUT, .delay_max = 2 });
    sim_run(sim, 3 * TIMEOUT);
    struct cluster_range all = { 0, SLOT_COUNT - 1 };
    struct error error;
    cr_assert(cluster_add_slots(sim_cluster(sim, 0), &all, 1, sim_now(sim), &error));
    sim_drain(sim, 0);
    cr_assert(sim_run_until(sim, is_ok, NULL, 500), "it waits for others, and there are none");
    sim_free(sim);
}

Test(cluster_state, a_minority_marks_nobody_as_failed)
{
    struct sim *sim = sim_small(6, 3, 5);
    for (unsigned i = 1; i < 6; i++) {
        if (i == 3)
            continue;
        sim_cut(sim, 0, i, true);
        sim_cut(sim, i, 0, true);
        sim_cut(sim, 3, i, true);
        sim_cut(sim, i, 3, true);
    }
    sim_run(sim, 4 * TIMEOUT);
    for (unsigned i = 1; i < 6; i++) {
        if (i != 3)
            cr_assert_not(node_is_failed(sim_known(sim, 0, i)), "node %u", i);
    }
    cr_assert(node_is_failed(sim_known(sim, 1, 0)));
    cr_assert_not(sim_leads(sim, 3), "no majority, no election");
    sim_heal(sim);
    cr_assert(sim_settles(sim, 60000), "%s", sim_reason(sim));
    sim_free(sim);
}

Test(cluster_state, reads_go_on_in_part_where_full_coverage_is_not_required)
{
    struct sim *sim = sim_small(5, 5, 6);
    struct cluster_config config = sim_cluster(sim, 0)->config;
    config.require_full_coverage = false;
    cluster_configure(sim_cluster(sim, 0), &config, sim_now(sim));
    sim_drain(sim, 0);
    sim_kill(sim, 1);
    sim_run(sim, 3 * TIMEOUT);
    cr_assert(node_is_failed(sim_cluster(sim, 2)->slots.owner[SLOT_COUNT / 5 + 1]));
    cr_assert(cluster_is_ok(sim_cluster(sim, 0)));
    cr_assert_not(cluster_is_ok(sim_cluster(sim, 2)));
    sim_start(sim, 1);
    /* FAIL of a primary with slots is not cleared before two timeouts have passed. */
    cr_assert(sim_settles(sim, 4 * TIMEOUT), "%s", sim_reason(sim));
    sim_free(sim);
}

Test(cluster_state, a_failed_replica_is_well_as_soon_as_it_answers)
{
    struct sim *sim = sim_small(6, 3, 7);
    unsigned replica = 4;
    sim_kill(sim, 4);
    cr_assert(sim_run_until(sim, all_see_failed, &replica, 2000));
    sim_start(sim, 4);
    cr_assert(sim_settles(sim, 4000), "%s", sim_reason(sim));
    sim_free(sim);
}

/* Failovers by hand. */

static void fail_over(struct sim *sim, unsigned node, enum cluster_failover how)
{
    struct error error = { "" };
    cr_assert(
        cluster_failover(sim_cluster(sim, node), how, sim_now(sim), &error), "%s", error.text);
    sim_drain(sim, node);
}

static bool all_ok_and_covered(struct sim *sim, unsigned nodes)
{
    for (unsigned i = 0; i < nodes; i++) {
        if (!cluster_is_ok(sim_cluster(sim, i)) ||
            sim_cluster(sim, i)->slots.assigned != SLOT_COUNT)
            return false;
    }
    return true;
}

Test(cluster_state, a_failover_by_hand_loses_no_write_and_refuses_none)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct sim *sim = sim_small(6, 3, seed);
        uint64_t stopped_at = 0;
        fail_over(sim, 3, CLUSTER_FAILOVER_PLAIN);
        for (int64_t end = sim_now(sim) + 2000; !sim_leads(sim, 3) && sim_now(sim) < end;) {
            sim_run(sim, 1);
            if (sim_writes_are_paused(sim, 0) && stopped_at == 0)
                stopped_at = sim_offset(sim, 0);
            cr_assert(all_ok_and_covered(sim, 6), "seed %" PRIu64, seed);
        }
        cr_assert(sim_leads(sim, 3), "seed %" PRIu64, seed);
        cr_assert_neq(stopped_at, 0);
        cr_assert_geq(sim_offset(sim, 3), stopped_at, "seed %" PRIu64, seed);
        for (unsigned i = 0; i < 300; i++) {
            sim_run(sim, 1);
            cr_assert(all_ok_and_covered(sim, 6), "seed %" PRIu64 ", afterwards", seed);
        }
        cr_assert(sim_is_settled(sim), "seed %" PRIu64 ": %s", seed, sim_reason(sim));
        cr_assert_eq(sim_known(sim, 1, 0)->primary, sim_known(sim, 1, 3));
        cr_assert_not(sim_writes_are_paused(sim, 0));
        sim_free(sim);
    }
}

Test(cluster_state, a_failover_by_hand_that_cannot_end_is_given_up)
{
    struct sim *sim = sim_small(6, 3, 8);
    sim_cut(sim, 0, 3, true); /* the primary hears MFSTART, its replica hears no offset */
    fail_over(sim, 3, CLUSTER_FAILOVER_PLAIN);
    sim_run(sim, 1000);
    cr_assert(sim_writes_are_paused(sim, 0));
    cr_assert(cluster_fails_over_by_hand(sim_cluster(sim, 3)));
    sim_run(sim, 4500);
    cr_assert_not(cluster_fails_over_by_hand(sim_cluster(sim, 3)));
    cr_assert_not(cluster_fails_over_by_hand(sim_cluster(sim, 0)));
    cr_assert_not(sim_writes_are_paused(sim, 0), "the pause ends with it");
    cr_assert(sim_leads(sim, 0));
    sim_free(sim);
}

Test(cluster_state, forced_it_needs_no_primary_and_takeover_needs_nobody)
{
    struct sim *sim = sim_small(6, 3, 9);
    unsigned replica = 3;
    sim_pause(sim, 0);
    fail_over(sim, 3, CLUSTER_FAILOVER_FORCE);
    cr_assert(sim_run_until(sim, node_leads, &replica, 1000));
    sim_resume(sim, 0);
    cr_assert(sim_settles(sim, 20000), "%s", sim_reason(sim));
    for (unsigned i = 0; i < 6; i++) {
        if (i != 4)
            sim_pause(sim, i);
    }
    fail_over(sim, 4, CLUSTER_FAILOVER_TAKEOVER);
    cr_assert(sim_leads(sim, 4), "at once and alone");
    for (unsigned i = 0; i < 6; i++)
        sim_resume(sim, i);
    cr_assert(sim_settles(sim, 60000), "%s", sim_reason(sim));
    cr_assert(sim_leads(sim, 4));
    sim_free(sim);
}

/* Replicas. */

static bool orphan_has_replica(struct sim *sim, void *context)
{
    const struct cluster_node *replica = sim_cluster(sim, *(unsigned *)context)->myself;
    return replica->primary != NULL && sim_index(sim, &replica->primary->id) == 1;
}

Test(cluster_state, an_orphaned_primary_gets_a_replica_of_another)
{
    struct sim *sim = sim_small(7, 3, 16); /* 3 and 6 are node 0's, 4 is node 1's */
    const struct node_id *third = cluster_my_id(sim_cluster(sim, 3));
    const struct node_id *sixth = cluster_my_id(sim_cluster(sim, 6));
    unsigned goes = strcmp(third->text, sixth->text) < 0 ? 3 : 6;
    int64_t start = sim_now(sim);
    sim_kill(sim, 4);
    cr_assert(sim_run_until(sim, orphan_has_replica, &goes, 30000));
    cr_assert_geq(sim_now(sim) - start, 5000, "it waits for the old one to come back");
    sim_run(sim, 20000);
    unsigned stays = 9 - goes;
    cr_assert_eq(sim_index(sim, &sim_cluster(sim, stays)->myself->primary->id), 0, "the barrier");
    sim_free(sim);
}

Test(cluster_state, no_replica_moves_below_the_barrier_or_where_it_is_forbidden)
{
    struct sim *sim = sim_small(7, 3, 16);
    for (unsigned i = 0; i < 7; i++) {
        struct cluster_config config = sim_cluster(sim, i)->config;
        if (i == 3)
            config.allow_replica_migration = false;
        else
            config.migration_barrier = 2;
        cluster_configure(sim_cluster(sim, i), &config, sim_now(sim));
        sim_drain(sim, i);
    }
    sim_kill(sim, 4);
    sim_run(sim, 30000);
    cr_assert_eq(sim_index(sim, &sim_cluster(sim, 3)->myself->primary->id), 0);
    cr_assert_eq(sim_index(sim, &sim_cluster(sim, 6)->myself->primary->id), 0);
    sim_free(sim);
}

Test(cluster_state, a_replica_that_may_not_or_has_old_data_is_not_elected)
{
    for (unsigned round = 0; round < 2; round++) {
        struct sim *sim = sim_small(6, 3, 17);
        struct cluster_config config = sim_cluster(sim, 3)->config;
        if (round == 0)
            config.replica_no_failover = true;
        else
            config.replica_validity_factor = 1;
        config.replica_ping_period = 1000;
        cluster_configure(sim_cluster(sim, 3), &config, sim_now(sim));
        sim_drain(sim, 3);
        if (round == 1) { /* only its replication is cut off, for long */
            sim_kill(sim, 3);
            sim_start(sim, 3); /* in memory it has never been in sync */
            cluster_configure(sim_cluster(sim, 3), &config, sim_now(sim));
            sim_run(sim, 300);
        }
        sim_kill(sim, 0);
        sim_run(sim, 4 * TIMEOUT);
        cr_assert_not(sim_leads(sim, 3), "round %u", round);
        sim_free(sim);
    }
}
