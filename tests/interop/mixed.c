/* Nodes of the server under test and of redis-server in one cluster: they replicate from each
 * other, vote for each other, and take over from each other. */
#include "common/slot.h"
#include "tests/support/cluster.h"
#include "tests/support/raw.h"
#include "tests/support/scratch.h"
#include "tests/support/shell.h"
#include "tests/support/wait.h"
#include "tests/support/writer.h"
#include <stdio.h>
#include <stdlib.h>

TestSuite(mixed, .init = nodes_begin, .fini = nodes_end, .timeout = 150);

/* Nodes 0 to 2 are primaries, 3 to 5 their replicas; a bit set in `redis` makes node i a
 * redis-server. */
static struct cluster *mixed_cluster(unsigned redis)
{
    struct cluster *cluster = calloc(1, sizeof(*cluster));
    cr_assert_not_null(cluster);
    cluster->primaries = 3;
    cluster->replicas = 1;
    cluster->count = 6;
    for (int i = 0; i < 6; i++) {
        cluster->nodes[i] = node_prepare_program((redis >> i & 1) != 0 ? "redis-server" : NULL,
            "cluster-enabled yes\ncluster-node-timeout 2000\nappendonly yes\n");
        node_spawn(cluster->nodes[i], NULL);
    }
    for (int i = 0; i < 6; i++)
        node_wait_ready(cluster->nodes[i], 15000);
    cluster_make(cluster, CLUSTER_BY_COMMANDS);
    return cluster;
}

/* Primaries of one kind, replicas of the other. */
enum { REDIS_REPLICAS = 070, REDIS_PRIMARIES = 007, REDIS_EVERY_OTHER = 025 };

static void check_replication(struct cluster *cluster)
{
    for (int i = 0; i < cluster->count; i++) {
        struct node *replica = cluster_replica_of(cluster, cluster->nodes[i]);
        if (replica == NULL)
            continue;
        wait_until(20000, node_in_sync(replica, cluster->nodes[i]));
        cr_expect(node_same_data(cluster->nodes[i], replica), "%s and its replica differ",
            node_address(cluster->nodes[i]));
    }
}

static void fill_all_kinds(struct cluster *cluster)
{
    cluster_fill(cluster, "k", 3000);
    for (int i = 0; i < 300; i++) {
        const char *key = scratch_printf("t%d", i);
        struct node *owner = cluster_owner_of_key(cluster, key);
        if (i % 3 == 0)
            node_expect(owner, "OK", "SET %s %d PXAT 4000000000%03d", key, i * 1000003, i);
        else if (i % 3 == 1)
            node_expect(owner, "OK", "SET %s %s", key, scratch_printf("%*d", i * 50, i));
        else
            node_expect(owner, "OK", "SET %s %b", key, "\x00\x01\xff\r\n", (size_t)5);
    }
}

static void replication(unsigned redis)
{
    struct cluster *cluster = mixed_cluster(redis);
    fill_all_kinds(cluster);
    check_replication(cluster);
    /* The link breaks: a partial resynchronisation. */
    struct node *primary = cluster->nodes[0];
    int64_t partial = node_info_number(primary, "sync_partial_ok");
    node_expect(primary, "1", "CLIENT KILL TYPE replica");
    cluster_fill(cluster, "more", 1000);
    wait_until(20000, node_info_number(primary, "sync_partial_ok") > partial);
    check_replication(cluster);
    /* A new start of the replica, from its own files. */
    node_stop(cluster->nodes[4]);
    cluster_fill(cluster, "k", 1500);
    node_restart(cluster->nodes[4]);
    cluster_wait_ok(cluster, 30000);
    check_replication(cluster);
    cr_expect_eq(cluster_verify(cluster, "k", 3000), 0);
}

Test(mixed, redis_replicates_from_it)
{
    replication(REDIS_REPLICAS);
}

Test(mixed, it_replicates_from_redis)
{
    replication(REDIS_PRIMARIES);
}

static void failovers(unsigned redis)
{
    struct cluster *cluster = mixed_cluster(redis);
    struct node *primary = cluster->nodes[0], *replica = cluster->nodes[3];
    struct writer *writer = writer_start(cluster, NULL);
    writer_wait(writer, 1000, 20000);
    node_expect(replica, "OK", "CLUSTER FAILOVER");
    wait_until(20000,
        strcmp(node_role(replica), "master") == 0 && strcmp(node_role(primary), "slave") == 0);
    cluster_wait_ok(cluster, 30000);
    writer_wait(writer, 1000, 20000);
    writer_stop(writer);
    struct writer_report report = writer_report(writer);
    cr_expect_eq(report.errors, 0, "%ld errors, the first: %s", report.errors, report.first_error);
    cr_expect_eq(writer_lost(writer, INT64_MAX), 0);
    writer_free(writer);
    /* And now by a death, of another shard. */
    writer = writer_start(cluster, NULL);
    writer_wait(writer, 1000, 20000);
    int64_t start = now_ms();
    node_kill(cluster->nodes[1]);
    wait_until(30000, strcmp(node_role(cluster->nodes[4]), "master") == 0);
    writer_wait(writer, 1000, 20000);
    cluster_wait_ok(cluster, 30000);
    writer_stop(writer);
    fprintf(stderr, "%s took over from %s after %lld ms\n", node_program(cluster->nodes[4]),
        node_program(cluster->nodes[1]),
        (long long)writer_gap(writer, start, now_ms(), SLOT_COUNT / 3 + 1, 2 * SLOT_COUNT / 3 - 1));
    cr_expect_eq(writer_lost(writer, start - 1000), 0);
    node_restart(cluster->nodes[1]);
    wait_until(30000, strcmp(node_role(cluster->nodes[1]), "slave") == 0);
    cluster_wait_ok(cluster, 30000);
    check_replication(cluster);
    writer_free(writer);
}

Test(mixed, redis_takes_over_from_it)
{
    failovers(REDIS_REPLICAS);
}

Test(mixed, it_takes_over_from_redis)
{
    failovers(REDIS_PRIMARIES);
}

/* redis-cli moves slots between both kinds, in both directions. */
Test(mixed, reshard)
{
    struct cluster *cluster = mixed_cluster(REDIS_EVERY_OTHER);
    fill_all_kinds(cluster);
    struct writer *writer = writer_start(cluster, NULL);
    writer_wait(writer, 500, 20000);
    for (int i = 0; i < 3; i++) {
        const char *output;
        int status = shell_run(60000, &output,
            "redis-cli --cluster reshard %s --cluster-from %s --cluster-to %s --cluster-slots 300 "
            "--cluster-yes | tail -n 15",
            node_address(cluster->nodes[2]), node_id(cluster->nodes[i]),
            node_id(cluster->nodes[(i + 1) % 3]));
        cr_expect_eq(status, 0, "%s", output);
        cluster_wait_ok(cluster, 20000);
    }
    writer_wait(writer, 500, 20000);
    writer_stop(writer);
    struct writer_report report = writer_report(writer);
    cr_expect_eq(report.errors, 0, "%ld errors, the first: %s", report.errors, report.first_error);
    cr_expect_eq(writer_lost(writer, INT64_MAX), 0);
    cr_expect_eq(cluster_verify(cluster, "k", 3000), 0);
    check_replication(cluster);
    writer_free(writer);
}

/* Both kinds say the same of the cluster; a node of each kind is down, and comes back. */
Test(mixed, same_view)
{
    struct cluster *cluster = mixed_cluster(REDIS_EVERY_OTHER);
    cr_expect(cluster_agrees(cluster));
    for (int victim = 4; victim < 6; victim++) {
        node_kill(cluster->nodes[victim]);
        for (int i = 0; i < 6; i++)
            if (i != victim)
                wait_until(20000, cluster_sees(cluster->nodes[i], cluster->nodes[victim], "fail"));
        node_restart(cluster->nodes[victim]);
        cluster_wait_ok(cluster, 30000);
    }
    const char *output;
    for (int i = 0; i < 2; i++) {
        int status = shell_run(
            20000, &output, "redis-cli --cluster check %s", node_address(cluster->nodes[i]));
        cr_expect_eq(status, 0, "%s", output);
    }
}

/* The files of one are read by the other: RDB and AOF, both ways. */
Test(mixed, files)
{
    static const char *const config = "appendonly yes\nappendfsync always\nsave 3600 1\n";
    const char *first = "redis-server", *second = NULL;
    for (int turn = 0; turn < 2; turn++) {
        struct node *from = node_start_program(turn == 0 ? first : second, "%s", config);
        for (int i = 0; i < 500; i++)
            node_expect(from, "OK", "SET k%d %s PXAT 4000000000%03d", i,
                scratch_printf("%*d", 1 + i, i), i);
        node_expect(from, "Background append only file rewriting started", "BGREWRITEAOF");
        wait_until(20000, node_info_number(from, "aof_rewrite_in_progress") == 0);
        node_expect(from, "1500", "INCRBY n 1500");
        node_kill(from);
        struct node *to = node_prepare_program(
            turn == 0 ? second : first, "%sdir %s\n", config, node_folder(from));
        node_launch(to);
        node_expect(to, "501", "DBSIZE");
        node_expect(to, "1500", "GET n");
        node_expect(to, "4000000000123", "PEXPIRETIME k123");
        node_expect(to, "500", "STRLEN k499");
        node_stop(to);
        /* the RDB file alone */
        const char *output;
        cr_expect_eq(shell_run(5000, &output, "rm -r %s/appendonlydir", node_folder(from)), 0);
        struct node *last = node_prepare_program(
            turn == 0 ? first : second, "dir %s\ndbfilename dump.rdb\n", node_folder(from));
        node_launch(last);
        node_expect(last, "501", "DBSIZE");
        node_expect(last, "500", "STRLEN k499");
        node_stop(last);
    }
}

/* ---- Messages ---- */

static struct raw *subscribed(struct node *node, const char *line)
{
    struct raw *raw = raw_open(node_port(node));
    cr_assert_not_null(raw);
    raw_send_text(raw, line);
    cr_assert(raw_reply(raw, 10000).len > 0);
    return raw;
}

static void expect_message(struct raw *raw, const char *kind, const char *channel, int number)
{
    const char *text = scratch_printf("%d", number);
    const char *expected = scratch_printf("*3\r\n$%zu\r\n%s\r\n$%zu\r\n%s\r\n$%zu\r\n%s\r\n",
        strlen(kind), kind, strlen(channel), channel, strlen(text), text);
    raw_expect_next(raw, expected);
}

/* Whoever publishes, everybody hears it; of a shard its two nodes, one of each kind. */
Test(mixed, messages)
{
    struct cluster *cluster = mixed_cluster(REDIS_EVERY_OTHER);
    struct raw *plain[6], *sharded[6];
    for (int i = 0; i < 6; i++)
        plain[i] = subscribed(cluster->nodes[i], "SUBSCRIBE all\r\n");
    for (int from = 0; from < 6; from++) {
        node_expect(cluster->nodes[from], "1", "PUBLISH all %d", from);
        for (int i = 0; i < 6; i++)
            expect_message(plain[i], "message", "all", from);
    }
    for (int shard = 0; shard < 3; shard++) {
        struct node *primary = cluster->nodes[shard], *replica = cluster->nodes[3 + shard];
        const char *channel = NULL;
        for (int i = 0; channel == NULL; i++) {
            const char *name = scratch_printf("shard%d", i);
            if (cluster_owner_of_key(cluster, name) == primary)
                channel = name;
        }
        const char *line = scratch_printf("SSUBSCRIBE %s\r\n", channel);
        sharded[shard] = subscribed(primary, line);
        sharded[3 + shard] = subscribed(replica, line);
        node_expect(primary, "1", "SPUBLISH %s 1", channel);
        expect_message(sharded[shard], "smessage", channel, 1);
        expect_message(sharded[3 + shard], "smessage", channel, 1);
        node_expect(replica, "1", "SPUBLISH %s 2", channel);
        expect_message(sharded[shard], "smessage", channel, 2);
        expect_message(sharded[3 + shard], "smessage", channel, 2);
    }
    for (int i = 0; i < 6; i++) {
        raw_close(plain[i]);
        raw_close(sharded[i]);
    }
}
