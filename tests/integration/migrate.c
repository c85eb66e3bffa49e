/* MIGRATE between two nodes, and what others may do meanwhile. */
#include "tests/support/node.h"
#include "tests/support/raw.h"
#include "tests/support/scratch.h"
#include "tests/support/wait.h"
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

TestSuite(migrate, .init = nodes_begin, .fini = nodes_end, .timeout = 60);

/* A port where connections are taken and nothing is ever said. */
static int silent_open(int *port)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(fd, (struct sockaddr *)&address, size), 0);
    cr_assert_eq(listen(fd, 8), 0);
    getsockname(fd, (struct sockaddr *)&address, &size);
    *port = ntohs(address.sin_port);
    return fd;
}

static void moves_keys_to(struct node *source, struct node *target)
{
    int port = node_port(target);
    node_expect(source, "OK", "MSET one 1 two zwei three %s", scratch_printf("%05000d", 3));
    node_expect(source, "1", "PEXPIRE two 1000000");
    node_expect(source, "OK", "MIGRATE 127.0.0.1 %d one 0 5000", port);
    node_expect(source, "0", "EXISTS one");
    node_expect(target, "1", "GET one");
    node_expect(source, "NOKEY", "MIGRATE 127.0.0.1 %d one 0 5000", port);
    node_expect(source, "OK", "MIGRATE 127.0.0.1 %d %s 0 5000 COPY KEYS one two", port, "");
    node_expect(source, "1", "EXISTS two");
    cr_assert_gt(node_integer(target, "PTTL two"), 900000);
    /* The target has one of two already: that one stays, the other goes. */
    node_expect(source, "-ERR Target instance replied with error: BUSYKEY*",
        "MIGRATE 127.0.0.1 %d %s 0 5000 KEYS two three", port, "");
    node_expect(source, "1", "EXISTS two three");
    node_expect(target, "5000", "STRLEN three");
    node_expect(source, "OK", "MIGRATE 127.0.0.1 %d two 0 5000 REPLACE", port);
    node_expect(source, "0", "DBSIZE");
    node_expect(target, "3", "DBSIZE");
}

Test(migrate, moves_keys)
{
    moves_keys_to(node_start("%s", ""), node_start("%s", ""));
}

Test(migrate, moves_keys_to_redis)
{
    moves_keys_to(node_start("%s", ""), node_start_program("redis-server", "%s", ""));
}

Test(migrate, moves_keys_to_another_database)
{
    struct node *source = node_start("%s", ""), *target = node_start("%s", "");
    node_expect(source, "OK", "MSET a 1 b 2");
    node_expect(source, "OK", "MIGRATE 127.0.0.1 %d %s 3 5000 KEYS a b", node_port(target), "");
    node_expect(source, "OK", "SET c 3");
    node_expect(source, "OK", "MIGRATE 127.0.0.1 %d c 0 5000", node_port(target));
    node_expect(target, "1", "DBSIZE");
    node_expect(target, "OK", "SELECT 3");
    node_expect(target, "[1, 2]", "MGET a b");
}

/* A client of the node that sends without waiting. */
static struct raw *sender_open(struct node *node, const char *line)
{
    struct raw *raw = raw_open(node_port(node));
    cr_assert_not_null(raw);
    cr_assert(raw_send_text(raw, line));
    return raw;
}

/* A MIGRATE that is under way: its target has taken the connection, and says nothing. */
struct move {
    struct raw *mover;
    int listener, target;
};

static struct move move_begin(struct node *node, const char *key, int timeout_ms)
{
    int port;
    struct move move = { .listener = silent_open(&port) };
    move.mover = sender_open(
        node, scratch_printf("MIGRATE 127.0.0.1 %d %s 0 %d\r\n", port, key, timeout_ms));
    move.target = accept(move.listener, NULL, NULL); /* it has begun when the node connects */
    return move;
}

static void move_end(struct move *move)
{
    if (move->mover)
        raw_close(move->mover);
    close(move->target);
    close(move->listener);
}

Test(migrate, keys_in_transit_are_read_and_not_written)
{
    struct node *node = node_start("%s", "");
    node_expect(node, "OK", "MSET {t}key old {t}other old");
    struct move move = move_begin(node, "{t}key", 1000);
    struct raw *writer = sender_open(node, "SET {t}key new\r\n");
    node_expect(node, "OK", "SET {t}other new");
    node_expect(node, "old", "GET {t}key");
    raw_expect_next(move.mover, "-IOERR error or timeout reading to target instance\r\n");
    raw_expect_next(writer, "+OK\r\n");
    node_expect(node, "new", "GET {t}key");
    raw_close(writer);
    move_end(&move);
}

Test(migrate, a_flush_takes_keys_in_transit_too)
{
    struct node *node = node_start("%s", "");
    node_expect(node, "OK", "SET key old");
    struct move move = move_begin(node, "key", 10000);
    node_expect(node, "OK", "FLUSHALL");
    struct raw *writer = sender_open(node, "SET key new\r\n");
    node_expect(node, "(nil)", "GET key");
    /* The other side says now that it has it: what is written afterwards is another key. */
    cr_assert_eq(send(move.target, "+OK\r\n+OK\r\n", 10, 0), 10);
    raw_expect_next(move.mover, "+OK\r\n");
    raw_expect_next(writer, "+OK\r\n");
    node_expect(node, "new", "GET key");
    raw_close(writer);
    move_end(&move);
}

Test(migrate, whoever_asked_may_go)
{
    struct node *node = node_start("%s", "");
    node_expect(node, "OK", "SET key old");
    struct move move = move_begin(node, "key", 300);
    raw_close(move.mover);
    move.mover = NULL;
    node_expect(node, "OK", "SET key new"); /* when the time is over */
    node_expect(node, "new", "GET key");
    move_end(&move);
}

/* The keys go out as they are where MIGRATE stands, and leave behind the transaction. */
Test(migrate, within_a_transaction)
{
    struct node *source = node_start("%s", ""), *target = node_start("%s", "");
    int port = node_port(target);
    node_expect(source, "OK", "MSET a 1 b 2 c 3");
    node_expect(source, "OK", "MULTI");
    node_expect(source, "QUEUED", "INCR a");
    node_expect(source, "QUEUED", "MIGRATE 127.0.0.1 %d a 0 5000", port);
    node_expect(source, "QUEUED", "CLIENT LIST ID 999999");
    node_expect(source, "QUEUED", "GET b");
    node_expect(source, "QUEUED", "MIGRATE 127.0.0.1 %d b 0 5000 COPY", port);
    node_expect(source, "QUEUED", "INCR b");
    node_expect(source, "QUEUED", "MIGRATE 127.0.0.1 %d c 0 5000", port);
    node_expect(source, "QUEUED", "INCR c");
    node_expect(source,
        "[2, OK, , 2, OK, 3, -ERR Keys that MIGRATE moves leave when the transaction is through, "
        "but a later command of it may use them: put MIGRATE behind that, 4]",
        "EXEC");
    node_expect(source, "[(nil), 3, 4]", "MGET a b c");
    node_expect(target, "[2, 2, (nil)]", "MGET a b c");
    node_expect(source, "OK", "SET a 5");
    node_expect(source, "OK", "MULTI");
    node_expect(source, "QUEUED", "MIGRATE 127.0.0.1 %d a 0 5000", port);
    node_expect(source, "QUEUED", "SET d 1");
    node_expect(source,
        "[-ERR Target instance replied with error: BUSYKEY Target key name already exists., OK]",
        "EXEC");
    node_expect(source, "[5, 1]", "MGET a d");
}

/* What comes from other threads must not meet a session that is gone. */
Test(migrate, a_client_that_leaves_its_transaction)
{
    struct node *source = node_start("%s", "");
    int port, fd = silent_open(&port);
    node_expect(source, "OK", "MSET a 1 b 2");
    struct raw *raw = raw_open(node_port(source));
    raw_send_text(raw, scratch_printf("MULTI\r\nMIGRATE 127.0.0.1 %d a 0 300\r\nCLIENT LIST\r\n"
                                      "CLIENT PAUSE 100 WRITE\r\nCLIENT UNPAUSE\r\nINCR b\r\n"
                                      "EXEC\r\n",
                           port));
    wait_until(5000, strcmp(node_text(source, "GET b"), "3") == 0);
    raw_close(raw);
    node_expect(source, "OK", "SET a 2"); /* when it is no longer on its way */
    node_expect(source, "PONG", "PING");
    close(fd);
}
