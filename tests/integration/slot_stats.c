/* CLUSTER SLOT-STATS: what is counted, in which order it is told, and its errors. */
#include "tests/support/node.h"
#include "tests/support/scratch.h"
#include "tests/support/wait.h"
#include <stdlib.h>
#include <string.h>

TestSuite(slot_stats, .init = nodes_begin, .fini = nodes_end, .timeout = 60);

/* Of keys {a}, {b}, {c}. */
enum { A = 15495, B = 3300, C = 7365 };

static long figure(struct node *node, int slot, const char *name)
{
    const char *text = node_text(node, "CLUSTER SLOT-STATS SLOTSRANGE %d %d", slot, slot);
    const char *at = strstr(text, name);
    return at ? atol(at + strlen(name) + 2) : -1;
}

Test(slot_stats, without_the_directive_counts_keys_and_memory_only)
{
    struct node *node = node_start_owner("io-threads 2\n");
    node_expect(node, "OK", "MSET {a}1 x {a}2 y {a}3 z");
    node_expect(node, "OK", "SET b x");
    cr_expect_eq(figure(node, A, "key-count"), 3);
    cr_expect_gt(figure(node, A, "memory-bytes"), 3 * 20);
    cr_expect_eq(figure(node, C, "memory-bytes"), 0);
    cr_expect_eq(figure(node, A, "cpu-usec"), -1);
    node_expect(node, "[[15495, [key-count, 3, memory-bytes, *",
        "CLUSTER SLOT-STATS ORDERBY key-count LIMIT 1");
    node_expect(node, "[[0, [key-count, 0, *", "CLUSTER SLOT-STATS ORDERBY KEY-COUNT ASC LIMIT 2");
    node_expect(node, "-ERR Unrecognized sort metric for ORDERBY.",
        "CLUSTER SLOT-STATS ORDERBY cpu-usec");
}

Test(slot_stats, counts_time_and_bytes)
{
    struct node *node = node_start_owner("cluster-slot-stats-enabled yes\nio-threads 2\n");
    node_expect(node, "OK", "SET a 0123456789");
    for (int i = 0; i < 100; i++)
        node_expect(node, "0123456789", "GET a");
    /* *2 $3 GET $1 a, and $10 with its bytes. */
    long in = figure(node, A, "network-bytes-in"), out = figure(node, A, "network-bytes-out");
    cr_expect_eq(in, 100 * 20 + 4 + 9 + 7 + 17, "%ld bytes in", in);
    cr_expect_eq(out, 100 * 17 + 5, "%ld bytes out", out);
    cr_expect_gt(figure(node, A, "cpu-usec"), 0);
    cr_expect_eq(figure(node, B, "cpu-usec"), 0);
    node_expect(node, "OK", "MULTI");
    node_expect(node, "QUEUED", "GET c");
    node_expect(node, "[(nil)]", "EXEC");
    cr_expect_eq(figure(node, C, "network-bytes-out"), 5);
    node_expect(node, "[[15495, *", "CLUSTER SLOT-STATS ORDERBY network-bytes-in LIMIT 3 DESC");
    node_expect(node, "[[15495, *", "CLUSTER SLOT-STATS ORDERBY cpu-usec");
    node_expect(node, "[[15495, *", "CLUSTER SLOT-STATS ORDERBY memory-bytes");
    node_expect(node, "OK", "CONFIG RESETSTAT");
    cr_expect_eq(figure(node, A, "network-bytes-in"), 0);
    node_expect(node, "OK", "CONFIG SET cluster-slot-stats-enabled no");
    node_expect(node, "0123456789", "GET a");
    node_expect(node, "OK", "CONFIG SET cluster-slot-stats-enabled yes");
    cr_expect_eq(figure(node, A, "network-bytes-in"), 0);
}

Test(slot_stats, tells_of_this_shard_alone)
{
    struct node *node = node_start_owner("io-threads 1\n");
    node_expect(node, "OK", "CLUSTER DELSLOTSRANGE 0 16382");
    node_expect(node, "[[16383, [key-count, 0, memory-bytes, 0]]]",
        "CLUSTER SLOT-STATS SLOTSRANGE 0 16383");
    node_expect(node, "[[16383, [key-count, 0, memory-bytes, 0]]]",
        "CLUSTER SLOT-STATS ORDERBY key-count");
    node_expect(node, "[]", "CLUSTER SLOT-STATS SLOTSRANGE 5 7");
}

Test(slot_stats, errors)
{
    struct node *node = node_start_owner("io-threads 1\n");
    static const char *const slots[] = { "-1 5", "0 16384", "x 1", "1 x", "1.5 2" };
    for (size_t i = 0; i < sizeof(slots) / sizeof(*slots); i++)
        node_expect(node, "-ERR Invalid or out of range slot",
            scratch_printf("CLUSTER SLOT-STATS SLOTSRANGE %s", slots[i]));
    node_expect(node, "-ERR Start slot number 7 is greater than end slot number 3",
        "CLUSTER SLOT-STATS SLOTSRANGE 7 3");
    node_expect(node, "-ERR wrong number *", "CLUSTER SLOT-STATS");
    node_expect(node, "-ERR wrong number *", "CLUSTER SLOT-STATS SLOTSRANGE");
    node_expect(node, "-ERR unknown subcommand or wrong *", "CLUSTER SLOT-STATS SLOTSRANGE 1");
    node_expect(node, "-ERR unknown subcommand or wrong *", "CLUSTER SLOT-STATS BY x");
    node_expect(node, "-ERR Unrecognized sort *", "CLUSTER SLOT-STATS ORDERBY keys");
    node_expect(node, "-ERR Limit has to lie in *", "CLUSTER SLOT-STATS ORDERBY key-count LIMIT 0");
    node_expect(
        node, "-ERR Limit has to lie in *", "CLUSTER SLOT-STATS ORDERBY key-count LIMIT 16385");
    node_expect(node, "-ERR syntax error", "CLUSTER SLOT-STATS ORDERBY key-count LIMIT");
    node_expect(node, "-ERR syntax error", "CLUSTER SLOT-STATS ORDERBY key-count ASC DESC");
    node_expect(
        node, "-ERR syntax error", "CLUSTER SLOT-STATS ORDERBY key-count LIMIT 1 LIMIT 2");
    struct node *alone = node_start("cluster-enabled no\n");
    node_expect(alone, "-ERR This instance has cluster support disabled",
        "CLUSTER SLOT-STATS SLOTSRANGE 0 1");
}
