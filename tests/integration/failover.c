/* Primaries that die, that fall silent, and that hand over: under a writer whose every acknowledged
 * write is remembered. */
#include "common/slot.h"
#include "tests/support/cluster.h"
#include "tests/support/scratch.h"
#include "tests/support/shell.h"
#include "tests/support/wait.h"
#include "tests/support/writer.h"
#include <stdio.h>

TestSuite(failover, .init = nodes_begin, .fini = nodes_end, .timeout = 150);

enum { TIMEOUT_MS = 5000 };

/* The slots of the primary with this number, as it was born. */
static unsigned first_slot(const struct cluster *cluster, int primary)
{
    return (unsigned)(primary * SLOT_COUNT / cluster->primaries);
}
static unsigned last_slot(const struct cluster *cluster, int primary)
{
    return first_slot(cluster, primary + 1) - 1;
}

static bool took_over(struct node *replica)
{
    return strcmp(node_role(replica), "master") == 0;
}

static bool is_replica_of(struct node *node, struct node *primary)
{
    return strcmp(node_role(node), "slave") == 0 &&
           node_info_number(node, "master_port") == node_port(primary);
}

/* kill -9 of a primary: replaced, nothing lost that was acknowledged a second before, and the gap
 * is less than the node timeout where the server can tell a crash from a partition. */
Test(failover, killed_primary)
{
    struct cluster *cluster =
        cluster_start(3, 1, "cluster-node-timeout %d\nappendonly yes\n", TIMEOUT_MS);
    struct node *primary = cluster->nodes[0], *replica = cluster->nodes[3];
    struct writer *writer = writer_start(cluster, NULL);
    writer_wait(writer, 3000, 20000);
    int64_t start = now_ms();
    node_kill(primary);
    wait_until(30000, took_over(replica));
    writer_wait(writer, 3000, 20000);
    cluster_wait_ok(cluster, 30000);
    writer_stop(writer);
    int64_t gap =
        writer_gap(writer, start - 1000, now_ms(), first_slot(cluster, 0), last_slot(cluster, 0));
    fprintf(stderr,
        "kill -9 of a primary: no write to its slots for %lld ms (node timeout %d ms)\n",
        (long long)gap, TIMEOUT_MS);
    if (server_is_slotd())
        cr_expect_lt(gap, TIMEOUT_MS, "a crash is not a partition: %lld ms", (long long)gap);
    cr_expect_eq(writer_lost(writer, start - 1000), 0);
    struct writer_report report = writer_report(writer);
    cr_expect_gt(report.acknowledged, 6000);
    writer_free(writer);

    node_restart(primary);
    wait_until(30000, is_replica_of(primary, replica) && node_in_sync(primary, replica));
    cluster_wait_ok(cluster, 30000);
    cr_expect(node_same_data(replica, primary));
}

/* A primary that is there and says nothing has its full timeout before it is given up. */
Test(failover, silent_primary)
{
    enum { SILENT_TIMEOUT_MS = 3000 };
    struct cluster *cluster = cluster_start(3, 1, "cluster-node-timeout %d\n", SILENT_TIMEOUT_MS);
    struct node *primary = cluster->nodes[1], *replica = cluster->nodes[4];
    cluster_fill(cluster, "k", 1000);
    wait_until(10000, node_in_sync(replica, primary));
    node_pause(primary);
    int64_t start = now_ms();
    hold_for(
        SILENT_TIMEOUT_MS - 200, !cluster_sees(replica, primary, "fail") && !took_over(replica));
    wait_until(30000, took_over(replica));
    fprintf(stderr, "a silent primary was replaced after %lld ms (node timeout %d ms)\n",
        (long long)(now_ms() - start), SILENT_TIMEOUT_MS);
    wait_until(20000, cluster_sees(cluster->nodes[0], primary, "fail"));
    node_resume(primary);
    wait_until(30000, is_replica_of(primary, replica));
    cluster_wait_ok(cluster, 30000);
    cr_expect_eq(cluster_verify(cluster, "k", 1000), 0);
    wait_until(10000, node_in_sync(primary, replica));
    cr_expect(node_same_data(replica, primary));
}

enum { TURNS = 2 }; /* there and back */

static void manual_failover(const char *option, bool lossless)
{
    struct cluster *cluster = cluster_start(3, 1, "cluster-node-timeout 3000\n");
    struct node *primary = cluster->nodes[0], *replica = cluster->nodes[3];
    struct writer *writer = writer_start(cluster, NULL);
    writer_wait(writer, 2000, 20000);
    int64_t starts[TURNS + 1] = { 0 };
    for (int turn = 0; turn < TURNS; turn++) {
        starts[turn] = now_ms();
        node_expect(
            replica, "OK", option[0] != 0 ? "CLUSTER FAILOVER %s" : "CLUSTER FAILOVER", option);
        wait_until(20000, took_over(replica) && is_replica_of(primary, replica));
        writer_wait(writer, 1000, 20000);
        cluster_wait_ok(cluster, 20000);
        wait_until(20000, cluster_sees(replica, primary, "slave"));
        struct node *swap = primary;
        primary = replica;
        replica = swap;
    }
    starts[TURNS] = now_ms();
    writer_stop(writer);
    for (int turn = 0; turn < TURNS; turn++)
        fprintf(stderr, "manual failover %s: no write to its slots for %lld ms\n", option,
            (long long)writer_gap(writer, starts[turn], starts[turn + 1], first_slot(cluster, 0),
                last_slot(cluster, 0)));
    struct writer_report report = writer_report(writer);
    cr_expect_eq(report.errors, 0, "%ld errors, the first: %s", report.errors, report.first_error);
    cr_expect_eq(report.broken, 0, "%ld broken connections", report.broken);
    if (lossless)
        cr_expect_eq(writer_lost(writer, INT64_MAX), 0);
    wait_until(10000, node_in_sync(replica, primary));
    cr_expect(node_same_data(primary, replica));
    writer_free(writer);
}

/* No failed and no lost write. */
Test(failover, manual)
{
    manual_failover("", true);
}

/* Without asking the primary: writes under way may be lost, none may fail. */
Test(failover, manual_takeover)
{
    manual_failover("TAKEOVER", false);
}

/* FORCE: the primary is dead, and the replica does not wait for the others to say so. */
Test(failover, manual_force)
{
    struct cluster *cluster = cluster_start(3, 1, "cluster-node-timeout 15000\n");
    cluster_fill(cluster, "k", 1000);
    struct node *primary = cluster->nodes[0], *replica = cluster->nodes[3];
    wait_until(10000, node_in_sync(replica, primary));
    node_pause(primary);
    node_expect(replica, "OK", "CLUSTER FAILOVER FORCE");
    wait_until(10000, took_over(replica));
    node_resume(primary);
    cluster_wait_ok(cluster, 30000);
    cr_expect_eq(cluster_verify(cluster, "k", 1000), 0);
}

/* TAKEOVER needs no votes: one shard of three is left. */
Test(failover, takeover_without_majority)
{
    struct cluster *cluster = cluster_start(3, 1, "cluster-node-timeout 2000\n");
    struct node *replica = cluster->nodes[3];
    for (int i = 0; i < 3; i++)
        node_kill(cluster->nodes[i]);
    for (int i = 3; i < 6; i++)
        node_expect(cluster->nodes[i], "OK", "CLUSTER FAILOVER TAKEOVER");
    wait_until(10000, took_over(replica));
    cluster_wait_ok(cluster, 30000);
}

Test(failover, errors)
{
    struct cluster *cluster = cluster_start(3, 1, "%s", "");
    node_expect(cluster->nodes[0], "-ERR You should send CLUSTER FAILOVER to a replica",
        "CLUSTER FAILOVER");
    node_expect(cluster->nodes[3], "-ERR syntax error", "CLUSTER FAILOVER NOW");
    node_kill(cluster->nodes[0]);
    wait_until(10000, node_info_is(cluster->nodes[3], "master_link_status", "down"));
    node_expect(cluster->nodes[3],
        "-ERR Master is down or failed, please use CLUSTER FAILOVER FORCE", "CLUSTER FAILOVER");
}

/* No primary is left that could vote: the slots stay uncovered, the cluster says so. */
Test(failover, no_majority)
{
    struct cluster *cluster = cluster_start(3, 0, "cluster-node-timeout 1000\n");
    node_kill(cluster->nodes[0]);
    node_kill(cluster->nodes[1]);
    struct node *left = cluster->nodes[2];
    wait_until(20000, strstr(node_text(left, "CLUSTER INFO"), "cluster_state:fail") != NULL);
    node_expect(left, "-CLUSTERDOWN The cluster is down", "SET {zzz}k v");
    node_restart(cluster->nodes[0]);
    node_restart(cluster->nodes[1]);
    cluster_wait_ok(cluster, 30000);
}

/* cluster-require-full-coverage no: what is served goes on. */
Test(failover, partial_coverage)
{
    struct cluster *cluster =
        cluster_start(3, 0, "cluster-node-timeout 1000\ncluster-require-full-coverage no\n");
    cluster_fill(cluster, "k", 300);
    struct node *dead = cluster_owner_of_key(cluster, "k1");
    node_kill(dead);
    for (int i = 0; i < 3; i++)
        if (cluster->nodes[i] != dead)
            wait_until(20000, cluster_sees(cluster->nodes[i], dead, "fail"));
    for (int i = 0; i < 300; i++) {
        const char *key = scratch_printf("k%d", i);
        unsigned slot = slot_of_key(bytes_of(key));
        int owner = (int)(slot * 3 / SLOT_COUNT);
        while (slot < first_slot(cluster, owner))
            owner--;
        while (slot > last_slot(cluster, owner))
            owner++;
        if (cluster->nodes[owner] != dead)
            node_expect(cluster->nodes[owner], scratch_printf("value-of-%s", key), "GET %s", key);
    }
    struct node *alive = dead == cluster->nodes[0] ? cluster->nodes[1] : cluster->nodes[0];
    node_expect(alive, "-MOVED *", "GET k1");
}

/* A primary that has lost its last replica gets one from a shard that has two. */
Test(failover, replica_migration)
{
    struct cluster *cluster = cluster_start(3, 2, "cluster-node-timeout 1000\n");
    struct node *orphan = cluster->nodes[0];
    node_kill(cluster->nodes[3]);
    node_kill(cluster->nodes[4]);
    wait_until(60000, cluster_replica_of(cluster, orphan) != NULL);
    cluster_wait_ok(cluster, 30000);
    int with = 0;
    for (int i = 0; i < 3; i++)
        with += cluster_replica_of(cluster, cluster->nodes[i]) != NULL;
    cr_expect_eq(with, 3, "%d of 3 primaries have a replica", with);
}

/* A replica with cluster-replica-no-failover lets its shard go down. */
Test(failover, replica_no_failover)
{
    struct cluster *cluster =
        cluster_start(3, 1, "cluster-node-timeout 1000\ncluster-replica-no-failover yes\n");
    node_kill(cluster->nodes[0]);
    wait_until(20000, cluster_sees(cluster->nodes[3], cluster->nodes[0], "fail"));
    hold_for(3000, !took_over(cluster->nodes[3]));
    node_expect(cluster->nodes[3], "OK", "CONFIG SET cluster-replica-no-failover no");
    wait_until(20000, took_over(cluster->nodes[3]));
}

/* Of two replicas the one that has more of the data wins, and the other follows it. */
Test(failover, two_replicas)
{
    struct cluster *cluster = cluster_start(3, 2, "cluster-node-timeout 2000\n");
    struct node *primary = cluster->nodes[0], *first = cluster->nodes[3],
                *second = cluster->nodes[4];
    struct writer_options options = {
        .slot_min = first_slot(cluster, 0), .slot_max = last_slot(cluster, 0), .threads = 1
    };
    struct writer *writer = writer_start(cluster, &options);
    writer_wait(writer, 1000, 20000);
    node_pause(second);
    writer_wait(writer, 300, 20000);
    int64_t until = now_ms() - 500;
    node_kill(primary);
    node_resume(second);
    wait_until(30000, took_over(first) || took_over(second));
    struct node *winner = took_over(first) ? first : second;
    struct node *loser = winner == first ? second : first;
    writer_wait(writer, 500, 30000);
    wait_until(30000, is_replica_of(loser, winner) && node_in_sync(loser, winner));
    writer_stop(writer);
    cr_expect_eq(writer_lost(writer, until), 0);
    wait_until(10000, node_in_sync(loser, winner));
    cr_expect(node_same_data(winner, loser));
    node_restart(primary);
    wait_until(30000, is_replica_of(primary, winner));
    cluster_wait_ok(cluster, 30000);
    writer_free(writer);
}
