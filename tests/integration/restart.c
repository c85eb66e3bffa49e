/* Restarts: of one node and of all six, told to end or killed, with all data there afterwards. */
#include "tests/support/cluster.h"
#include "tests/support/file.h"
#include "tests/support/scratch.h"
#include "tests/support/shell.h"
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

/* ---- Collections that expire ---- */

static const struct {
    const char *name, *add;
} kinds[] = { { "hash", "HSET %s f%d v" }, { "set", "SADD %s m%d" }, { "integers", "SADD %s %d" },
    { "sorted", "ZADD %s 1 m%d" }, { "list", "RPUSH %s e%d" }, { "stream", "XADD %s %d-1 a b" } };

/* Small and large ones, that expire soon and later: by each of the four commands. */
enum { KINDS = sizeof(kinds) / sizeof(*kinds), TIMED = KINDS * 4, LARGE = 600, SOON_MS = 700 };

static bool is_soon(int index)
{
    return index % 4 < 2;
}

static const char *timed_key(int index)
{
    return scratch_printf("%s:%s:%s", kinds[index / 4].name, is_soon(index) ? "soon" : "later",
        index % 2 ? "large" : "small");
}

static void let_expire(struct client *client, int index)
{
    const char *key = timed_key(index);
    int64_t base = client_integer(client, "EVAL %s 0",
        "local t = redis.call('time') return t[1] * 1000 + math.floor(t[2] / 1000)");
    int64_t in = is_soon(index) ? (int64_t)(SOON_MS * test_slowness()) : 10000000 + index * 1000;
    switch (index / 2 % 4) {
    case 0:
        client_expect(client, "1", "PEXPIRE %s %lld", key, (long long)in);
        break;
    case 1:
        client_expect(client, "1", "EXPIRE %s %lld", key, (long long)(in + 999) / 1000);
        break;
    case 2:
        client_expect(client, "1", "PEXPIREAT %s %lld", key, (long long)(base + in));
        break;
    default:
        client_expect(client, "1", "EXPIREAT %s %lld", key, (long long)(base + in + 999) / 1000);
    }
}

/* Each is changed once more after its time has been set. */
static void fill_timed(struct client *client, int64_t *expiries)
{
    for (int i = 0; i < TIMED; i++) {
        int size = i % 2 ? LARGE : 3;
        const char *key = timed_key(i), *add = kinds[i / 4].add;
        for (int n = 1; n <= size; n++)
            client_queue(client, add, key, n);
        for (int n = 1; n <= size; n++)
            freeReplyObject(client_next(client));
    }
    for (int i = 0; i < TIMED; i++) {
        let_expire(client, i);
        client_text(client, kinds[i / 4].add, timed_key(i), LARGE + 1);
        expiries[i] = client_integer(client, "PEXPIRETIME %s", timed_key(i));
        cr_assert_gt(expiries[i], 0);
    }
}

/* What is not over has its time, is as it was, and what is over is gone. */
static void expect_timed(struct client *client, const int64_t *expiries, const char *where)
{
    for (int i = 0; i < TIMED; i++) {
        int64_t got = client_integer(client, "PEXPIRETIME %s", timed_key(i));
        bool over = is_soon(i) && got == -2;
        cr_expect(got == expiries[i] || over, "%s, %s: %lld, not %lld", where, timed_key(i),
            (long long)got, (long long)expiries[i]);
    }
}

static bool all_are_over(struct client *client)
{
    for (int i = 0; i < TIMED; i++) {
        if (is_soon(i) && strcmp(client_text(client, "TYPE %s", timed_key(i)), "none") != 0)
            return false;
    }
    return client_integer(client, "DBSIZE") == TIMED / 2;
}

/* The encodings of all, in one text. */
static const char *encodings(struct client *client)
{
    const char *text = "";
    for (int i = 0; i < TIMED; i++) {
        if (!is_soon(i))
            text = scratch_printf("%s%s %s\n", text, timed_key(i),
                client_text(client, "OBJECT ENCODING %s", timed_key(i)));
    }
    return text;
}

static struct node *timed_replica(struct node *primary)
{
    struct node *replica = node_start("replicaof 127.0.0.1 %d\n", node_port(primary));
    wait_until(10000, node_in_sync(replica, primary));
    return replica;
}

/* Both kinds of files are read twice: at once, and when what expires soon is over. A replica gets
 * all by the stream, and one by a full sync. */
Test(restart, collections_that_expire)
{
    static const char with_aof[] =
        "appendonly yes\nappendfsync always\nrepl-diskless-sync-delay 0\n";
    int64_t by_aof[TIMED], by_rdb[TIMED];
    struct node *aof = node_start(with_aof), *rdb = node_start("repl-diskless-sync-delay 0\n");
    struct node *aof_late = node_prepare(with_aof), *rdb_late = node_prepare("%s", " ");
    struct node *streamed = timed_replica(aof);
    fill_timed(node_client(aof), by_aof);
    fill_timed(node_client(rdb), by_rdb);
    const char *kept = encodings(node_client(aof));
    cr_expect_str_eq(encodings(node_client(rdb)), kept);
    wait_until(10000, node_in_sync(streamed, aof));
    expect_timed(node_client(streamed), by_aof, "stream");
    node_expect(rdb, "OK", "SAVE");
    node_kill(aof);
    node_kill(rdb);
    file_copy(node_path(rdb, "dump.rdb"), node_path(rdb_late, "dump.rdb"));
    cr_assert_eq(shell_run(5000, NULL, "cp -r %s %s", node_path(aof, "appendonlydir"),
                     node_folder(aof_late)),
        0);
    node_restart(aof);
    node_restart(rdb);
    struct node *synced = timed_replica(rdb);
    struct {
        struct node *node;
        const int64_t *expiries;
        const char *name;
    } all[] = { { aof, by_aof, "AOF" }, { rdb, by_rdb, "RDB" }, { streamed, by_aof, "stream" },
        { synced, by_rdb, "full sync" }, { aof_late, by_aof, "AOF, late" },
        { rdb_late, by_rdb, "RDB, late" } };
    enum { ALL = sizeof(all) / sizeof(*all), EARLY = 4 };
    for (int i = 0; i < EARLY; i++)
        expect_timed(node_client(all[i].node), all[i].expiries, all[i].name);
    for (int i = 0; i < EARLY; i++)
        wait_until(10000, all_are_over(node_client(all[i].node)));
    node_launch(aof_late);
    node_launch(rdb_late);
    for (int i = 0; i < ALL; i++) {
        struct client *client = node_client(all[i].node);
        wait_until(10000, all_are_over(client));
        expect_timed(client, all[i].expiries, all[i].name);
        cr_expect_str_eq(encodings(client), kept, "%s", all[i].name);
    }
}
