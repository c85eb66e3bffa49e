/* How a cluster comes to be: by both tools, and by hand as the tutorials have it. */
#include "common/slot.h"
#include "tests/support/cluster.h"
#include "tests/support/file.h"
#include "tests/support/router.h"
#include "tests/support/scratch.h"
#include "tests/support/shell.h"
#include "tests/support/wait.h"
#include <stdio.h>

TestSuite(create, .init = nodes_begin, .fini = nodes_end, .timeout = 120);

enum { KEYS = 10000 };

/* Three primaries, each with one replica, each replica of another primary than the others. */
static void check_shape(struct cluster *cluster)
{
    int replicas = 0;
    for (int i = 0; i < cluster->count; i++)
        if (strcmp(node_role(cluster->nodes[i]), "master") == 0) {
            cr_expect_not_null(cluster_replica_of(cluster, cluster->nodes[i]), "%s has no replica",
                node_address(cluster->nodes[i]));
            replicas++;
        }
    cr_expect_eq(replicas, 3, "%d primaries", replicas);
}

static void set_and_get_by_redirects(struct cluster *cluster)
{
    int ports[32];
    for (int i = 0; i < cluster->count; i++)
        ports[i] = node_port(cluster->nodes[i]);
    struct router *router = router_open(ports, cluster->count);
    router_set_timeout(router, 10000);
    int redirects = 0;
    for (int i = 0; i < 2 * KEYS; i++) {
        char key[32], value[32];
        snprintf(key, sizeof(key), "key:%d", i % KEYS);
        snprintf(value, sizeof(value), "value:%d", i % KEYS);
        const char *argv[] = { i < KEYS ? "SET" : "GET", key, value };
        struct router_answer answer = router_run(router, false, key, i < KEYS ? 3 : 2, argv);
        cr_assert_not_null(answer.reply, "%s: connection broken", key);
        cr_assert_str_eq(answer.reply->str, i < KEYS ? "OK" : value);
        redirects += answer.redirects;
        freeReplyObject(answer.reply);
    }
    router_close(router);
    cr_expect_gt(redirects, 0);
    cr_expect_eq(cluster_keys(cluster), KEYS);
}

static void create_and_use(enum cluster_tool tool)
{
    struct cluster *cluster = cluster_start_nodes(3, 1, "cluster-node-timeout 5000\n");
    cluster_make(cluster, tool);
    check_shape(cluster);
    set_and_get_by_redirects(cluster);
    const char *output;
    int status =
        shell_run(20000, &output, "redis-cli --cluster check %s", node_address(cluster->nodes[5]));
    cr_expect_eq(status, 0, "%s", output);
    cr_expect_not_null(strstr(output, "[OK] All 16384 slots covered."), "%s", output);
}

Test(create, by_redis_cli)
{
    create_and_use(CLUSTER_BY_REDIS_CLI);
}

Test(create, by_slotctl)
{
    create_and_use(CLUSTER_BY_SLOTCTL);
}

/* Six folders, in each the redis.conf of the tutorials. */
Test(create, by_hand)
{
    struct cluster cluster = { .count = 6, .primaries = 3, .replicas = 1 };
    for (int i = 0; i < cluster.count; i++) {
        struct node *node = cluster.nodes[i] = node_prepare(" ");
        node_write_config(node,
            "port %d\n"
            "cluster-enabled yes\n"
            "cluster-config-file nodes.conf\n"
            "cluster-node-timeout 5000\n"
            "appendonly yes\n",
            node_port(node));
        node_launch(node);
        cr_expect(
            node_log_has(node, node_id(node)), "the new ID is not in the log:\n%s", node_log(node));
        cr_expect(file_exists(node_path(node, "nodes.conf")));
    }
    cluster_make(&cluster, CLUSTER_BY_REDIS_CLI);
    for (int i = 0; i < cluster.count; i++) {
        const char *output;
        int port = node_port(cluster.nodes[i]), other = node_port(cluster.nodes[5 - i]);
        int status = shell_run(10000, &output,
            "redis-cli -c -p %d set foo%d bar%d && redis-cli -c -p %d get foo%d", port, i, i, other,
            i);
        cr_expect_eq(status, 0, "%s", output);
        cr_expect_str_eq(output, scratch_printf("OK\nbar%d\n", i));
    }
    cr_expect(file_exists(node_path(cluster.nodes[0], "appendonlydir")));
}

/* The ID is the node's for life, whatever its address. */
Test(create, id_stays)
{
    struct node *node = node_prepare("cluster-enabled yes\n");
    node_launch(node);
    const char *id = node_id(node);
    cr_expect_eq(strlen(id), 40);
    cr_expect_eq(strspn(id, "0123456789abcdef"), 40, "%s", id);
    node_kill(node);
    node_restart(node);
    cr_expect_str_eq(node_id(node), id);
    node_stop(node);
    struct node *moved = node_prepare("cluster-enabled yes\n");
    file_copy(node_path(node, "nodes.conf"), node_path(moved, "nodes.conf"));
    node_launch(moved);
    cr_expect_str_eq(node_id(moved), id);
    struct node *another = node_start("cluster-enabled yes\n");
    cr_expect_str_neq(node_id(another), id);
}

/* A node that is restarted on another port is found again by the others. */
Test(create, new_port_is_learned)
{
    struct cluster *cluster = cluster_start(3, 0, "%s", "");
    struct node *node = cluster->nodes[2];
    const char *id = node_id(node);
    node_stop(node);
    struct node *moved = node_prepare("cluster-enabled yes\ncluster-node-timeout 2000\n");
    file_copy(node_path(node, "nodes.conf"), node_path(moved, "nodes.conf"));
    node_launch(moved);
    cluster->nodes[2] = moved;
    cluster_wait_ok(cluster, 20000);
    cr_expect_str_eq(node_id(moved), id);
    cr_expect_not_null(strstr(cluster_line_of(cluster->nodes[0], moved), id));
    cr_expect_eq(node_port(cluster_owner_of_slot(cluster, 16383)), node_port(moved));
}

/* The addresses that a node announces are what others and their clients are told. */
Test(create, announced_address)
{
    struct node *node = node_prepare("cluster-enabled yes\n");
    node_add_config(node,
        "cluster-announce-ip 127.0.0.1\ncluster-announce-port %d\ncluster-announce-bus-port %d\n"
        "cluster-announce-hostname node-one.example\n",
        node_port(node), node_port(node) + 10000);
    node_launch(node);
    struct node *other = node_start("cluster-enabled yes\n");
    struct cluster cluster = { .nodes = { other, node }, .count = 2, .primaries = 2 };
    node_expect(other, "OK", "CLUSTER MEET 127.0.0.1 %d", node_port(node));
    wait_until(10000, strstr(cluster_line_of(other, node), ",node-one.example") != NULL);
    const char *expected = scratch_printf("%s 127.0.0.1:%d@%d,node-one.example ", node_id(node),
        node_port(node), node_port(node) + 10000);
    cr_expect_eq(strncmp(cluster_line_of(other, node), expected, strlen(expected)), 0, "%s",
        cluster_line_of(other, node));
    cr_expect(cluster_sees(node, node, "myself"));
    cr_expect_eq(cluster_agrees(&cluster), false, "nobody serves a slot yet");
}
