/* What the nodes of a cluster know and say: gossip, epochs, forgetting, resetting, reading from
 * replicas, and a minority that notices. */
#include "tests/support/cluster.h"
#include "common/slot.h"
#include "tests/support/raw.h"
#include "tests/support/scratch.h"
#include "tests/support/wait.h"
#include "tests/support/writer.h"
#include <stdio.h>
#include <stdlib.h>

TestSuite(cluster, .init = nodes_begin, .fini = nodes_end, .timeout = 90);

/* Who was met by one is known to all. */
Test(cluster, gossip_spreads)
{
    struct cluster *cluster = cluster_start_nodes(8, 0, "%s", "");
    for (int i = 1; i < cluster->count; i++)
        node_expect(
            cluster->nodes[i - 1], "OK", "CLUSTER MEET 127.0.0.1 %d", node_port(cluster->nodes[i]));
    for (int i = 0; i < cluster->count; i++)
        for (int j = 0; j < cluster->count; j++)
            wait_until(
                30000, cluster_line_of(cluster->nodes[i], cluster->nodes[j])[0] != 0 &&
                           !cluster_sees(cluster->nodes[i], cluster->nodes[j], "handshake") &&
                           strstr(cluster_line_of(cluster->nodes[i], cluster->nodes[j]),
                               node_id(cluster->nodes[j])));
    cr_expect_eq(
        info_number(node_text(cluster->nodes[3], "CLUSTER INFO"), "cluster_known_nodes"), 8);
}

/* Two primaries with one epoch: the one with the smaller ID takes a new one. */
Test(cluster, epoch_collision)
{
    struct cluster *cluster = cluster_start_nodes(3, 0, "%s", "");
    for (int i = 0; i < 3; i++)
        node_expect(cluster->nodes[i], "OK", "CLUSTER ADDSLOTSRANGE %d %d", i * 5461,
            i == 2 ? SLOT_COUNT - 1 : i * 5461 + 5460);
    for (int i = 1; i < 3; i++)
        node_expect(
            cluster->nodes[0], "OK", "CLUSTER MEET 127.0.0.1 %d", node_port(cluster->nodes[i]));
    wait_until(30000, ({
        int64_t epochs[3];
        for (int i = 0; i < 3; i++)
            epochs[i] =
                info_number(node_text(cluster->nodes[i], "CLUSTER INFO"), "cluster_my_epoch");
        epochs[0] != epochs[1] && epochs[1] != epochs[2] && epochs[0] != epochs[2];
    }));
    cluster_wait_ok(cluster, 20000);
}

/* FORGET keeps a node out for a minute, though the others still gossip of it. */
Test(cluster, forget)
{
    struct cluster *cluster = cluster_start(3, 1, "%s", "");
    struct node *gone = cluster->nodes[5];
    const char *id = node_id(gone);
    node_expect(cluster->nodes[2], "OK", "CLUSTER FORGET %s", id);
    hold_for(1500, strstr(node_text(cluster->nodes[2], "CLUSTER NODES"), id) == NULL);
    for (int i = 0; i < 5; i++)
        if (i != 2)
            node_expect(cluster->nodes[i], "OK", "CLUSTER FORGET %s", id);
    for (int i = 0; i < 5; i++)
        cr_expect_null(strstr(node_text(cluster->nodes[i], "CLUSTER NODES"), id));
    node_expect(cluster->nodes[5], "-ERR Can't forget my master!", "CLUSTER FORGET %s",
        node_id(cluster->nodes[2]));
    node_expect(cluster->nodes[5], "-ERR I tried hard but I can't forget myself...",
        "CLUSTER FORGET %s", id);
    node_expect(gone, "OK", "CLUSTER RESET HARD");
    cr_expect_str_neq(node_id(gone), id);
    cr_expect_eq(info_number(node_text(gone, "CLUSTER INFO"), "cluster_known_nodes"), 1);
    node_expect(gone, "0", "DBSIZE");
}

/* A primary with keys is not reset; an empty one forgets all, and can be met again. */
Test(cluster, reset_and_meet_again)
{
    struct cluster *cluster = cluster_start(3, 0, "cluster-node-timeout 1000\n");
    cluster_fill(cluster, "k", 100);
    node_expect(cluster->nodes[2],
        "-ERR CLUSTER RESET can't be called with master nodes containing keys", "CLUSTER RESET");
    node_expect(cluster->nodes[2], "OK", "FLUSHALL");
    const char *id = node_id(cluster->nodes[2]);
    node_expect(cluster->nodes[2], "OK", "CLUSTER RESET SOFT");
    cr_expect_str_eq(node_id(cluster->nodes[2]), id);
    for (int i = 0; i < 2; i++)
        node_expect(cluster->nodes[i], "OK", "CLUSTER FORGET %s", id);
    node_expect(cluster->nodes[0], "OK", "CLUSTER ADDSLOTSRANGE 10922 16383");
    struct cluster two = { .nodes = { cluster->nodes[0], cluster->nodes[1] }, .count = 2 };
    cluster_wait_ok(&two, 20000);
}

/* READONLY lets a client read from a replica; writes are redirected all the same. */
Test(cluster, reads_from_replicas)
{
    struct cluster *cluster = cluster_start(3, 1, "%s", "");
    struct node *primary = cluster_owner_of_key(cluster, "k");
    struct node *replica = cluster_replica_of(cluster, primary);
    node_expect(primary, "OK", "SET k v");
    wait_until(10000, node_in_sync(replica, primary));
    const char *moved =
        scratch_printf("-MOVED %u %s", slot_of_key(BYTES("k")), node_address(primary));
    node_expect(replica, moved, "GET k");
    node_expect(replica, "OK", "READONLY");
    node_expect(replica, "v", "GET k");
    node_expect(replica, moved, "SET k w");
    node_expect(replica, "OK", "MULTI");
    node_expect(replica, "QUEUED", "GET k");
    node_expect(replica, "[v]", "EXEC");
    node_expect(replica, "OK", "READWRITE");
    node_expect(replica, moved, "GET k");
    node_expect(replica, moved, "WATCH k");
}

/* MOVED tells a transaction's commands one by one, and EXEC then refuses. */
Test(cluster, transactions_are_redirected)
{
    struct cluster *cluster = cluster_start(3, 0, "%s", "");
    struct node *owner = cluster_owner_of_key(cluster, "k");
    struct node *other = cluster->nodes[owner == cluster->nodes[0] ? 1 : 0];
    node_expect(other, "OK", "MULTI");
    node_expect(other, "-MOVED *", "SET k v");
    node_expect(other, "-EXECABORT Transaction discarded because of previous errors.", "EXEC");
    node_expect(owner, "OK", "MULTI");
    node_expect(owner, "QUEUED", "SET k v");
    node_expect(owner, "-CROSSSLOT Keys in request don't hash to the same slot", "MSET k 1 l 2");
    node_expect(owner, "-EXECABORT Transaction discarded because of previous errors.", "EXEC");
    node_expect(owner, "(nil)", "GET k");
}

/* A replica is told to clients when something has come to it from its primary. */
static bool tells_replicas(struct node *node)
{
    redisReply *slots = client_run(node_client(node), "CLUSTER SLOTS");
    for (size_t i = 0; i < slots->elements; i++)
        if (slots->element[i]->elements < 4)
            return false;
    return true;
}

/* What the nodes say of the cluster in CLUSTER SLOTS, SHARDS, NODES is the same thing. */
Test(cluster, descriptions_agree)
{
    struct cluster *cluster = cluster_start(3, 1, "%s", "");
    cluster_fill(cluster, "k", 100);
    for (int i = 0; i < 6; i++) {
        struct node *node = cluster->nodes[i];
        wait_until(20000, tells_replicas(node));
        redisReply *slots = client_run(node_client(node), "CLUSTER SLOTS");
        cr_assert_eq(slots->elements, 3, "%s", reply_text(slots));
        for (size_t j = 0; j < 3; j++) {
            redisReply *row = slots->element[j];
            cr_expect_eq(row->elements, 4, "%s", reply_text(row));
            struct node *primary = cluster_node_by_id(cluster, row->element[2]->element[2]->str);
            struct node *replica = cluster_node_by_id(cluster, row->element[3]->element[2]->str);
            cr_assert(primary != NULL && replica != NULL);
            cr_expect_str_eq(node_role(primary), "master");
            cr_expect_str_eq(node_role(replica), "slave");
            const char *range =
                scratch_printf(" %lld-%lld", row->element[0]->integer, row->element[1]->integer);
            cr_expect_not_null(strstr(cluster_line_of(node, primary), range));
            cr_expect_not_null(strstr(cluster_line_of(node, replica), node_id(primary)));
        }
        redisReply *shards = client_run(node_client(node), "CLUSTER SHARDS");
        cr_assert_eq(shards->elements, 3, "%s", reply_text(shards));
        for (size_t j = 0; j < 3; j++) {
            redisReply *shard = shards->element[j];
            cr_expect_str_eq(shard->element[0]->str, "slots");
            cr_expect_eq(shard->element[1]->elements, 2, "%s", reply_text(shard));
            cr_expect_str_eq(shard->element[2]->str, "nodes");
            cr_expect_eq(shard->element[3]->elements, 2, "%s", reply_text(shard));
        }
    }
    redisReply *replicas = client_run(
        node_client(cluster->nodes[1]), "CLUSTER REPLICAS %s", node_id(cluster->nodes[0]));
    cr_assert_eq(replicas->elements, 1);
    cr_expect_not_null(strstr(replicas->element[0]->str, node_id(cluster->nodes[3])));
}

/* The primary that is cut off with a minority stops taking writes after the node timeout. */
Test(cluster, minority_stops)
{
    struct cluster *cluster = cluster_start(3, 1, "cluster-node-timeout 1500\n");
    struct node *lone = cluster->nodes[0];
    const char *key = "{06S}";
    node_expect(lone, "OK", "SET %s v", key);
    for (int i = 1; i < 6; i++)
        node_pause(cluster->nodes[i]);
    wait_until(15000, strncmp(node_text(lone, "SET %s v", key), "-CLUSTERDOWN", 12) == 0);
    node_expect(lone, "-CLUSTERDOWN *", "GET %s", key);
    node_expect(lone, "OK", "CONFIG SET cluster-allow-reads-when-down yes");
    node_expect(lone, "v", "GET %s", key);
    node_expect(lone, "-CLUSTERDOWN *", "SET %s w", key);
    node_expect(lone, "OK", "CONFIG SET cluster-allow-reads-when-down no");
    for (int i = 1; i < 6; i++)
        node_resume(cluster->nodes[i]);
    cluster_wait_ok(cluster, 40000);
    struct node *owner = cluster_owner_of_key(cluster, key);
    node_expect(owner, "v", "GET %s", key);
}

/* A replica is told to follow another primary; a primary with slots is not. */
Test(cluster, replicate)
{
    struct cluster *cluster = cluster_start(3, 1, "%s", "");
    cluster_fill(cluster, "k", 500);
    node_expect(cluster->nodes[0],
        "-ERR To set a master the node must be empty and without assigned slots.",
        "CLUSTER REPLICATE %s", node_id(cluster->nodes[1]));
    node_expect(cluster->nodes[3], "-ERR I can only replicate a master, not a replica.",
        "CLUSTER REPLICATE %s", node_id(cluster->nodes[4]));
    node_expect(cluster->nodes[3], "-ERR Can't replicate myself", "CLUSTER REPLICATE %s",
        node_id(cluster->nodes[3]));
    node_expect(
        cluster->nodes[3], "-ERR REPLICAOF not allowed in cluster mode.", "REPLICAOF NO ONE");
    node_expect(cluster->nodes[3], "OK", "CLUSTER REPLICATE %s", node_id(cluster->nodes[1]));
    wait_until(
        20000, node_info_number(cluster->nodes[3], "master_port") == node_port(cluster->nodes[1]) &&
                   node_in_sync(cluster->nodes[3], cluster->nodes[1]));
    cr_expect(node_same_data(cluster->nodes[1], cluster->nodes[3]));
    cluster_wait_ok(cluster, 20000);
    for (int i = 0; i < 6; i++)
        wait_until(10000, strstr(cluster_line_of(cluster->nodes[i], cluster->nodes[3]),
                              node_id(cluster->nodes[1])) != NULL);
}

/* A node that is added gets slots and a replica, and serves. */
Test(cluster, grows)
{
    struct cluster *cluster = cluster_start(3, 0, "%s", "");
    cluster_fill(cluster, "k", 1000);
    struct node *added = cluster_add_node(cluster, NULL);
    cluster_introduce(cluster, added);
    struct node *replica = cluster_add_node(cluster, NULL);
    cluster_introduce(cluster, replica);
    wait_until(
        10000, strcmp(node_text(replica, "CLUSTER REPLICATE %s", node_id(added)), "OK") == 0);
    cluster_wait_ok(cluster, 20000);
    for (unsigned slot = 0; slot < 20; slot++) {
        struct node *from = cluster->nodes[0];
        node_expect(added, "OK", "CLUSTER SETSLOT %u IMPORTING %s", slot, node_id(from));
        node_expect(from, "OK", "CLUSTER SETSLOT %u MIGRATING %s", slot, node_id(added));
        redisReply *keys = client_run(node_client(from), "CLUSTER GETKEYSINSLOT %u 1000", slot);
        for (size_t i = 0; i < keys->elements; i++)
            node_expect(from, "OK", "MIGRATE 127.0.0.1 %d %s 0 5000", node_port(added),
                keys->element[i]->str);
        node_expect(added, "OK", "CLUSTER SETSLOT %u NODE %s", slot, node_id(added));
        node_expect(from, "OK", "CLUSTER SETSLOT %u NODE %s", slot, node_id(added));
    }
    cluster_wait_ok(cluster, 20000);
    cr_expect_eq(cluster_verify(cluster, "k", 1000), 0);
    wait_until(20000, node_in_sync(replica, added));
    cr_expect(node_same_data(added, replica));
    cr_expect_eq(node_port(cluster_owner_of_slot(cluster, 7)), node_port(added));
}

static size_t links_of(struct node *node)
{
    return client_run(node_client(node), "CLUSTER LINKS")->elements;
}

/* Links are there in both directions, and are made again when they break. */
Test(cluster, links)
{
    struct cluster *cluster = cluster_start(3, 0, "%s", "");
    for (int i = 0; i < 3; i++)
        wait_until(10000, links_of(cluster->nodes[i]) == 4);
    node_stop(cluster->nodes[2]);
    node_restart(cluster->nodes[2]);
    cluster_wait_ok(cluster, 20000);
    wait_until(10000, links_of(cluster->nodes[0]) == 4);
}
