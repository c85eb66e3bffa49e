/* WAITAOF: our own disk, and those of replicas. */
#include "tests/support/node.h"
#include "tests/support/raw.h"
#include "tests/support/wait.h"
#include <string.h>

TestSuite(waitaof, .init = nodes_begin, .fini = nodes_end, .timeout = 60);

static struct node *replica_of(struct node *primary, const char *config)
{
    struct node *replica = node_start("cluster-enabled no\n%s", config);
    node_expect(replica, "OK", "REPLICAOF 127.0.0.1 %d", node_port(primary));
    wait_until(20000, node_info_is(replica, "master_link_status", "up"));
    return replica;
}

Test(waitaof, waits_for_the_own_disk)
{
    struct node *node = node_start("cluster-enabled no\nappendonly yes\nappendfsync everysec\n");
    node_expect(node, "OK", "SET k v");
    node_expect(node, "[1, 0]", "WAITAOF 1 0 10000");
    node_expect(node, "[1, 0]", "WAITAOF 0 0 0");
    node_expect(node, "[1, 0]", "WAITAOF 1 1 50");
    node_expect(node, "OK", "CONFIG SET appendfsync always");
    node_expect(node, "OK", "SET k w");
    node_expect(node, "[1, 0]", "WAITAOF 1 0 0");
    node_expect(node, "OK", "CONFIG SET appendonly no");
    node_expect(node, "OK", "SET k x");
    node_expect(node, "[0, 0]", "WAITAOF 0 1 20");
    node_expect(node, "-ERR WAITAOF cannot be used when numlocal is set but appendonly is *",
        "WAITAOF 1 0 0");
    node_expect(node, "OK", "CONFIG SET appendonly yes");
    node_expect(node, "OK", "SET k y");
    node_expect(node, "[1, 0]", "WAITAOF 1 0 10000");
}

Test(waitaof, says_where_no_fsync_comes)
{
    struct node *node = node_start("cluster-enabled no\nappendonly yes\nappendfsync no\n");
    node_expect(node, "OK", "SET k v");
    node_expect(node, "[0, 0]", "WAITAOF 1 0 100");
    node_expect(node, "-ERR value is out of range, must be between 0 and 1", "WAITAOF 2 0 0");
    node_expect(node, "-ERR value is out of range, must be between 0 and 1", "WAITAOF -1 0 0");
    node_expect(node, "-ERR value is out of range, must be positive", "WAITAOF 1 -1 0");
    node_expect(node, "-ERR value is not an integer or out of range", "WAITAOF x 1 0");
    node_expect(node, "-ERR value is not an integer or out of range", "WAITAOF 1 x 0");
    node_expect(node, "-ERR timeout is negative", "WAITAOF 1 1 -1");
    node_expect(node, "-ERR timeout is not an integer or out of range", "WAITAOF 1 1 x");
    node_expect(node, "-ERR wrong number *", "WAITAOF 1 1");
    node_expect(node, "OK", "MULTI");
    node_expect(node, "QUEUED", "WAITAOF 1 1 0");
    node_expect(node, "[[0, 0]]", "EXEC");
}

Test(waitaof, counts_the_disks_of_replicas)
{
    struct node *node = node_start("cluster-enabled no\nappendonly no\n");
    struct node *none = replica_of(node, "appendonly no\n");
    struct node *one = replica_of(node, "appendonly yes\nappendfsync everysec\n");
    struct node *two = replica_of(node, "appendonly yes\nappendfsync always\n");
    node_expect(node, "OK", "SET k v");
    node_expect(node, "[0, 2]", "WAITAOF 0 2 20000");
    node_expect(node, "[0, 2]", "WAITAOF 0 3 1500");
    node_expect(node, "3", "WAIT 3 10000");
    node_expect(none, "-ERR WAITAOF cannot be used with replica instances. *", "WAITAOF 0 0 0");
    node_kill(two);
    node_expect(node, "OK", "SET k w");
    node_expect(node, "[0, 1]", "WAITAOF 0 1 20000");
    node_expect(one, "w", "GET k");
}

/* Who waits is told when there is no file any more, and when the node is no primary any more. */
Test(waitaof, ends_with_what_it_waits_for)
{
    struct node *other = node_start("cluster-enabled no\n");
    struct node *node = node_start("cluster-enabled no\nappendonly yes\nappendfsync no\n");
    struct raw *raw = raw_open(node_port(node));
    for (int turn = 0; turn < 2; turn++) {
        raw_send_text(raw, "SET k v\r\n");
        raw_reply(raw, 10000);
        raw_send_text(raw, "WAITAOF 1 1 0\r\n");
        wait_until(10000, node_info_is(node, "blocked_clients", "1"));
        if (turn == 0)
            node_expect(node, "OK", "CONFIG SET appendonly no");
        else
            node_expect(node, "OK", "REPLICAOF 127.0.0.1 %d", node_port(other));
        struct bytes got = raw_reply(raw, 10000);
        const char *expected = turn == 0 ? "-ERR WAITAOF cannot be used when" : "-UNBLOCKED";
        cr_expect(got.len > strlen(expected) && !memcmp(got.data, expected, strlen(expected)),
            "%s", raw_escape(got));
        if (turn == 0)
            node_expect(node, "OK", "CONFIG SET appendonly yes");
    }
    raw_close(raw);
}
