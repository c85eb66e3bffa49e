/* Replicas: full and partial synchronisation, chains, acknowledgements; with and without a cluster.
 */
#include "tests/support/cluster.h"
#include "tests/support/file.h"
#include "tests/support/raw.h"
#include "tests/support/scratch.h"
#include "tests/support/wait.h"
#include "tests/support/writer.h"
#include <stdio.h>

TestSuite(replication, .init = nodes_begin, .fini = nodes_end, .timeout = 90);

static struct node *replica_of(struct node *primary, const char *config)
{
    struct node *replica = node_start("%s", config);
    node_expect(replica, "OK", "REPLICAOF 127.0.0.1 %d", node_port(primary));
    return replica;
}

static void fill(struct node *node, const char *prefix, int count, int size)
{
    char *value = scratch_printf("%*s", size, "v");
    for (int i = 0; i < count; i++)
        client_queue(node_client(node), "SET %s%d %s", prefix, i, value);
    for (int i = 0; i < count; i++) {
        redisReply *reply = client_next(node_client(node));
        cr_assert(reply != NULL && reply->type == REDIS_REPLY_STATUS, "%s", reply_text(reply));
        freeReplyObject(reply);
    }
}

static int64_t full_syncs(struct node *primary)
{
    return node_info_number(primary, "sync_full");
}

static int64_t partial_syncs(struct node *primary)
{
    return node_info_number(primary, "sync_partial_ok");
}

/* While a writer goes on, with all kinds of values and expiries. */
Test(replication, full_sync_under_writer)
{
    struct node *primary = node_start("%s", "");
    fill(primary, "k", 20000, 100);
    node_expect(primary, "OK", "SET big %s", scratch_printf("%*s", 3000000, "x"));
    node_expect(primary, "OK", "SET expires v EX 1000");
    node_expect(primary, "OK", "SET number 12345");
    struct writer *writer = writer_start_node(primary, NULL);
    writer_wait(writer, 200, 10000);
    struct node *replica = replica_of(primary, "");
    wait_until(30000, node_in_sync(replica, primary));
    writer_wait(writer, 500, 10000);
    writer_stop(writer);
    wait_until(10000, node_in_sync(replica, primary));
    cr_expect(node_same_data(primary, replica));
    cr_expect_eq(full_syncs(primary), 1);
    node_expect(replica, "12345", "GET number");
    writer_free(writer);
}

/* The link breaks, the backlog has what was missed. */
Test(replication, partial_resync)
{
    struct node *primary = node_start("%s", "");
    struct node *replica = replica_of(primary, "");
    fill(primary, "k", 1000, 50);
    wait_until(20000, node_in_sync(replica, primary));
    int64_t full = full_syncs(primary);
    for (int turn = 1; turn <= 5; turn++) {
        node_expect(primary, "1", "CLIENT KILL TYPE replica");
        fill(primary, scratch_printf("turn%d:", turn), 200, 50);
        wait_until(20000, partial_syncs(primary) >= turn && node_in_sync(replica, primary));
    }
    cr_expect_eq(full_syncs(primary), full);
    cr_expect(node_same_data(primary, replica));
}

/* More was missed than the backlog holds. */
Test(replication, backlog_too_small)
{
    struct node *primary = node_start("repl-backlog-size 64kb\n");
    struct node *replica = replica_of(primary, "");
    wait_until(20000, node_in_sync(replica, primary));
    int64_t full = full_syncs(primary);
    node_pause(replica);
    node_expect(primary, "1", "CLIENT KILL TYPE replica");
    fill(primary, "k", 1000, 1000);
    node_resume(replica);
    wait_until(30000, full_syncs(primary) == full + 1 && node_in_sync(replica, primary));
    cr_expect(node_same_data(primary, replica));
}

/* primary <- first <- second <- third; a write arrives at the end; the offsets are the same. */
Test(replication, chain)
{
    struct node *nodes[4] = { node_start("%s", "") };
    for (int i = 1; i < 4; i++)
        nodes[i] = replica_of(nodes[i - 1], "");
    fill(nodes[0], "k", 1000, 50);
    for (int i = 1; i < 4; i++)
        wait_until(30000, node_in_sync(nodes[i], nodes[i - 1]) && node_in_sync(nodes[i], nodes[0]));
    cr_expect(node_same_data(nodes[0], nodes[3]));
    const char *id = node_info(nodes[0], "master_replid");
    cr_expect_str_eq(node_info(nodes[3], "master_replid"), id);
    /* The middle one becomes a primary: those behind it go on without a full synchronisation. */
    int64_t full = full_syncs(nodes[1]);
    node_expect(nodes[1], "OK", "REPLICAOF NO ONE");
    fill(nodes[1], "more", 100, 50);
    wait_until(20000, node_in_sync(nodes[3], nodes[1]));
    cr_expect_eq(full_syncs(nodes[1]), full);
    cr_expect(node_same_data(nodes[1], nodes[3]));
    cr_expect_str_eq(node_info(nodes[1], "master_replid2"), id);
    cr_expect_str_neq(node_info(nodes[1], "master_replid"), id);
}

/* After a failover the other replica, and the old primary, go on from the second replication ID. */
Test(replication, second_id)
{
    struct node *primary = node_start("%s", "");
    struct node *first = replica_of(primary, ""), *second = replica_of(primary, "");
    fill(primary, "k", 1000, 50);
    wait_until(20000, node_in_sync(first, primary) && node_in_sync(second, primary));
    node_expect(first, "OK", "REPLICAOF NO ONE");
    int64_t full = full_syncs(first);
    node_expect(second, "OK", "REPLICAOF 127.0.0.1 %d", node_port(first));
    node_expect(primary, "OK", "REPLICAOF 127.0.0.1 %d", node_port(first));
    fill(first, "after", 100, 50);
    wait_until(20000, node_in_sync(second, first) && node_in_sync(primary, first));
    cr_expect_eq(full_syncs(first), full);
    cr_expect(node_same_data(first, second));
    cr_expect(node_same_data(first, primary));
}

/* A replica that was told to end goes on from the offset in its snapshot. */
Test(replication, restarted_replica)
{
    struct node *primary = node_start("%s", "");
    struct node *replica =
        node_prepare("save 3600 1\nreplicaof 127.0.0.1 %d\n", node_port(primary));
    node_launch(replica);
    fill(primary, "k", 1000, 50);
    wait_until(20000, node_in_sync(replica, primary));
    node_stop(replica);
    fill(primary, "more", 100, 50);
    int64_t full = full_syncs(primary);
    node_restart(replica);
    wait_until(20000, node_in_sync(replica, primary));
    cr_expect_eq(full_syncs(primary), full);
    cr_expect(node_same_data(primary, replica));
}

Test(replication, wait)
{
    struct node *primary = node_start("%s", "");
    node_expect(primary, "0", "WAIT 0 100");
    struct node *first = replica_of(primary, ""), *second = replica_of(primary, "");
    wait_until(20000, node_in_sync(first, primary) && node_in_sync(second, primary));
    for (int i = 0; i < 20; i++) {
        node_expect(primary, "OK", "SET k %d", i);
        cr_expect_eq(node_integer(primary, "WAIT 2 5000"), 2);
        node_expect(first, scratch_printf("%d", i), "GET k");
        node_expect(second, scratch_printf("%d", i), "GET k");
    }
    node_pause(second);
    node_expect(primary, "OK", "SET k last");
    int64_t start = now_ms();
    cr_expect_eq(node_integer(primary, "WAIT 2 500"), 1);
    cr_expect_geq(now_ms() - start, 490);
    node_resume(second);
    cr_expect_eq(node_integer(primary, "WAIT 2 5000"), 2);
    node_expect(first, "-ERR WAIT cannot be used with replica instances. *", "WAIT 1 10");
}

Test(replication, min_replicas)
{
    struct node *primary = node_start("min-replicas-to-write 1\nmin-replicas-max-lag 2\n");
    const char *error = "-NOREPLICAS Not enough good replicas to write.";
    node_expect(primary, error, "SET k v");
    struct node *replica = replica_of(primary, "");
    wait_until(20000, strcmp(node_text(primary, "SET k v"), "OK") == 0);
    node_expect(primary, "v", "GET k");
    node_pause(replica);
    wait_until(10000, strcmp(node_text(primary, "SET k v"), error) == 0);
    node_resume(replica);
    wait_until(20000, strcmp(node_text(primary, "SET k v"), "OK") == 0);
    node_expect(primary, "OK", "CONFIG SET min-replicas-to-write 2");
    node_expect(primary, error, "SET k v");
    node_expect(primary, "OK", "CONFIG SET min-replicas-to-write 0");
    node_expect(primary, "OK", "SET k v");
}

Test(replication, replica_reads_only)
{
    struct node *primary = node_start("%s", "");
    struct node *replica = replica_of(primary, "");
    node_expect(primary, "OK", "SET k v");
    wait_until(20000, node_in_sync(replica, primary));
    node_expect(replica, "-READONLY You can't write against a read only replica.", "SET k w");
    node_expect(replica, "v", "GET k");
    node_expect(replica, "OK", "CONFIG SET replica-serve-stale-data no");
    node_kill(primary);
    wait_until(10000, node_info_is(replica, "master_link_status", "down"));
    node_expect(replica,
        "-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set "
        "to 'no'.",
        "GET k");
    node_expect(replica, "OK", "CONFIG SET replica-serve-stale-data yes");
    node_expect(replica, "v", "GET k");
}

/* A key expires on the replica when the primary says so; reads don't see it before. */
Test(replication, expiry)
{
    struct node *primary = node_start("%s", "");
    struct node *replica = replica_of(primary, "");
    for (int i = 0; i < 100; i++)
        node_expect(primary, "OK", "SET k%d v PX %d", i, 100 + i);
    node_expect(primary, "OK", "SET stays v");
    wait_until(20000, node_in_sync(replica, primary));
    wait_until(10000, node_integer(primary, "DBSIZE") == 1 && node_integer(replica, "DBSIZE") == 1);
    node_expect(replica, "v", "GET stays");
}

Test(replication, role)
{
    struct node *primary = node_start("%s", "");
    node_expect(primary, "[master, 0, []]", "ROLE");
    struct node *replica = replica_of(primary, "replica-priority 7\n");
    wait_until(20000, node_in_sync(replica, primary));
    node_expect(
        replica, scratch_printf("[slave, 127.0.0.1, %d, connected, *", node_port(primary)), "ROLE");
    const char *text = node_text(primary, "ROLE");
    cr_expect_not_null(
        strstr(text, scratch_printf("[127.0.0.1, %d, ", node_port(replica))), "%s", text);
    cr_expect_str_eq(node_info(replica, "slave_priority"), "7");
    cr_expect_str_eq(node_info(primary, "connected_slaves"), "1");
    node_expect(primary, "OK", "REPLICAOF NO ONE");
    node_expect(replica, "OK", "SLAVEOF NO ONE");
    node_expect(replica, "[master, *", "ROLE");
}

/* masterauth and requirepass; a wrong password is said in the log and tried again. */
Test(replication, password)
{
    struct node *primary = node_start("requirepass secret\nmasterauth secret\n");
    struct node *replica = node_start("replicaof 127.0.0.1 %d\n", node_port(primary));
    wait_until(10000, node_log_has(replica, "NOAUTH"));
    cr_expect_str_eq(node_info(replica, "master_link_status"), "down");
    node_expect(replica, "OK", "CONFIG SET masterauth secret");
    node_expect(primary, "OK", "AUTH secret");
    node_expect(primary, "OK", "SET k v");
    wait_until(20000, node_in_sync(replica, primary));
    node_expect(replica, "v", "GET k");
}

/* FAILOVER: the primary hands over and becomes a replica, without a cluster. */
Test(replication, failover_command)
{
    struct node *primary = node_start("%s", "");
    node_expect(primary, "-ERR FAILOVER requires connected replicas.", "FAILOVER");
    struct node *replica = replica_of(primary, "");
    fill(primary, "k", 500, 50);
    wait_until(20000, node_in_sync(replica, primary));
    wait_until(20000, strstr(node_info(primary, "slave0"), "state=online") != NULL);
    node_expect(primary, "-ERR No failover in progress.", "FAILOVER ABORT");
    node_expect(primary, "OK", "FAILOVER TO 127.0.0.1 %d TIMEOUT 10000", node_port(replica));
    wait_until(20000, strcmp(node_role(replica), "master") == 0 &&
                          strcmp(node_role(primary), "slave") == 0 &&
                          node_in_sync(primary, replica));
    cr_expect(node_same_data(replica, primary));
}

/* What a replica asks at the bottom: PSYNC with an unknown history is answered with a full one. */
Test(replication, psync_bytes)
{
    struct node *primary = node_start("%s", "");
    node_expect(primary, "OK", "SET k v");
    struct raw *raw = raw_open(node_port(primary));
    raw_expect(raw, "+OK\r\n", "REPLCONF listening-port 12345");
    raw_expect(raw, "+OK\r\n", "REPLCONF capa eof capa psync2");
    raw_send_text(raw, "PSYNC ? -1\r\n");
    struct bytes got = raw_reply(raw, 10000);
    cr_expect_eq(strncmp(got.data, "+FULLRESYNC ", 12), 0, "%s", raw_escape(got));
    raw_close(raw);
    node_expect(primary, "PONG", "PING");
}

/* A trimming that was asked for roughly is told to replicas exactly, also where nothing is left. */
Test(replication, streams_trimmed_to_nothing)
{
    struct node *primary = node_start("%s", ""), *replica = replica_of(primary, "");
    wait_until(10000, node_in_sync(replica, primary));
    node_expect(primary, "1-1", "XADD trimmed 1-1 a b");
    node_expect(primary, "1", "XTRIM trimmed MINID ~ 5");
    node_expect(primary, "1-1", "XADD added MINID ~ 5 1-1 a b");
    wait_until(10000, node_in_sync(replica, primary));
    node_expect(primary, "0", "XLEN trimmed");
    node_expect(replica, "0", "XLEN trimmed");
    node_expect(replica, node_text(primary, "XLEN added"), "XLEN added");
    node_expect(primary, "OK", "XSETID trimmed 0-1");
    wait_until(10000, node_in_sync(replica, primary));
    cr_expect(node_same_data(primary, replica));
    cr_expect_eq(full_syncs(primary), 1);
}
