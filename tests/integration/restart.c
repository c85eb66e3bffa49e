/* Restarts: of one node and of all six, told to end or killed, with all data there afterwards. */
#include "tests/support/cluster.h"
#include "tests/support/file.h"
#include "tests/support/scratch.h"
#include "tests/support/wait.h"
#include "tests/support/writer.h"
#include <sys/wait.h>

TestSuite(restart, .init = nodes_begin, .fini = nodes_end, .timeout = 120);

enum { KEYS = 5000 };

static struct cluster *six_nodes(const char *config)
{
    struct cluster *cluster = cluster_start(3, 1, "cluster-node-timeout 3000\n%s", config);
    cluster_fill(cluster, "k", KEYS);
    for (int i = 0; i < 3; i++)
        wait_until(10000, node_in_sync(cluster->nodes[3 + i], cluster->nodes[i]));
    return cluster;
}

static void start_again(struct cluster *cluster)
{
    for (int i = 0; i < cluster->count; i++)
        node_spawn(cluster->nodes[i], NULL);
    for (int i = 0; i < cluster->count; i++)
        node_wait_ready(cluster->nodes[i], 15000);
    cluster_wait_ok(cluster, 60000);
    cr_expect_eq(cluster_keys(cluster), KEYS);
    cr_expect_eq(cluster_verify(cluster, "k", KEYS), 0);
}

Test(restart, all_killed)
{
    struct cluster *cluster = six_nodes("appendonly yes\nappendfsync always\n");
    const char *id = node_id(cluster->nodes[4]);
    for (int i = 0; i < cluster->count; i++)
        node_kill(cluster->nodes[i]);
    start_again(cluster);
    cr_expect_str_eq(node_id(cluster->nodes[4]), id);
}

Test(restart, all_told_to_end)
{
    struct cluster *cluster = six_nodes("appendonly yes\n");
    for (int i = 0; i < cluster->count; i++) {
        int status = node_stop(cluster->nodes[i]);
        cr_expect(
            WIFEXITED(status) && WEXITSTATUS(status) == 0, "SIGTERM: wait status 0x%x", status);
    }
    start_again(cluster);
}

/* Without an AOF: the snapshot that SIGTERM leaves where `save` is set. */
Test(restart, from_snapshot)
{
    struct cluster *cluster = six_nodes("save 3600 1\n");
    for (int i = 0; i < cluster->count; i++) {
        node_stop(cluster->nodes[i]);
        cr_expect(file_exists(node_path(cluster->nodes[i], "dump.rdb")));
    }
    start_again(cluster);
}

/* One after the other, as at an upgrade: each replica, then each primary handed over first; under a
 * writer that loses nothing, and sees no error but a node's that has just started and may not know
 * the cluster yet. */
Test(restart, rolling)
{
    struct cluster *cluster = six_nodes("appendonly yes\n");
    struct writer *writer = writer_start(cluster, NULL);
    writer_wait(writer, 500, 20000);
    for (int i = 0; i < 3; i++) {
        struct node *primary = cluster->nodes[i], *replica = cluster->nodes[3 + i];
        node_stop(replica);
        node_restart(replica);
        wait_until(20000,
            node_in_sync(replica, primary) || node_info_is(replica, "master_link_status", "up"));
        cluster_wait_ok(cluster, 30000);
        wait_until(10000, strcmp(node_text(replica, "CLUSTER FAILOVER"), "OK") == 0);
        wait_until(20000,
            strcmp(node_role(replica), "master") == 0 && strcmp(node_role(primary), "slave") == 0);
        cluster_wait_ok(cluster, 30000);
        node_stop(primary);
        node_restart(primary);
        cluster_wait_ok(cluster, 30000);
    }
    writer_wait(writer, 500, 20000);
    writer_stop(writer);
    struct writer_report report = writer_report(writer);
    cr_expect(report.errors == 0 || strncmp(report.first_error, "-CLUSTERDOWN", 12) == 0,
        "%ld errors, the first: %s", report.errors, report.first_error);
    cr_expect_eq(writer_lost(writer, INT64_MAX), 0);
    cr_expect_eq(cluster_verify(cluster, "k", KEYS), 0);
    writer_free(writer);
}

/* A node that comes back with an old nodes.conf learns of the failover that it has missed. */
Test(restart, old_primary_learns)
{
    const char *key = "a key";
    struct cluster *cluster = six_nodes("appendonly yes\n");
    struct node *primary = cluster_owner_of_key(cluster, key);
    struct node *replica = cluster_replica_of(cluster, primary);
    node_kill(primary);
    wait_until(30000, strcmp(node_role(replica), "master") == 0);
    node_expect(replica, "OK", "SET %s v", key);
    node_restart(primary);
    wait_until(30000, strcmp(node_role(primary), "slave") == 0 && node_in_sync(primary, replica));
    node_expect(primary, "-MOVED *", "GET %s", key);
    cluster_wait_ok(cluster, 30000);
    cr_expect(node_same_data(primary, replica));
}

/* The rewritten file has a key whose time runs out before the restart, and what follows it changes
 * the key while it lived: neither may that fail, nor make the key again, for ever. */
Test(restart, expired_since_the_rewrite)
{
    enum { LIFE_MS = 3000 };
    struct node *node = node_start("appendonly yes\nappendfsync always\n");
    int64_t start = now_ms();
    node_expect(node, "OK", "SET counter 7 PX %d", LIFE_MS);
    node_expect(node, "OK", "XGROUP CREATE stream group 0 MKSTREAM");
    node_expect(node, "1", "PEXPIRE stream %d", LIFE_MS);
    node_expect(node, "*", "BGREWRITEAOF");
    wait_until(LIFE_MS, node_info_is(node, "aof_rewrite_in_progress", "0") &&
                            file_exists(node_path(node, "appendonlydir/appendonly.aof.2.base.rdb")));
    node_expect(node, "8", "INCR counter");
    node_expect(node, "1", "XGROUP CREATECONSUMER stream group consumer");
    node_expect(node, "1", "LPUSH list a");
    node_kill(node);
    wait_until(LIFE_MS * 2, now_ms() - start > LIFE_MS);
    node_restart(node);
    node_expect(node, "0", "EXISTS counter stream");
    node_expect(node, "1", "LLEN list");
}
