/* Clients that do not behave: nonsense, sizes out of range, replies that nobody reads, too many of
 * them. They get an error or are closed, they cost bounded memory, and others do not notice. */
#include "common/buffer.h"
#include "tests/support/cluster.h"
#include "tests/support/raw.h"
#include "tests/support/scratch.h"
#include "tests/support/wait.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

TestSuite(hostile, .init = nodes_begin, .fini = nodes_end, .timeout = 60);

enum { MB = 1024 * 1024 };

/* Sends as much as is taken in a while, or until closed; gives the bytes sent. */
static size_t pour(struct raw *raw, const char *data, size_t len, size_t limit)
{
    size_t sent = 0;
    int64_t deadline = wait_deadline(3000);
    while (sent < limit && now_ms() < deadline) {
        ssize_t put = send(raw_fd(raw), data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (put > 0)
            sent += (size_t)put;
        else if (errno != EAGAIN)
            break;
        else if (!wait_pause(deadline))
            break;
    }
    return sent;
}

static void expect_error_and_close(
    struct node *node, const char *sent, size_t len, const char *error)
{
    struct raw *raw = raw_open(node_port(node));
    raw_send(raw, sent, len);
    cr_expect(raw_closed(raw, 5000), "\"%.40s\": the connection is open", sent);
    struct bytes got = raw_reply(raw, 100);
    cr_expect(bytes_equal(got, bytes_of(error)), "\"%.40s\": expected \"%s\", got \"%s\"", sent,
        raw_escape(bytes_of(error)), raw_escape(got));
    raw_close(raw);
}

struct nonsense {
    const char *sent, *error;
};

Test(hostile, protocol_errors)
{
    static const struct nonsense rows[] = {
        { "*1\r\n+PING\r\n", "-ERR Protocol error: expected '$', got '+'\r\n" },
        { "*abc\r\n", "-ERR Protocol error: invalid multibulk length\r\n" },
        { "*2147483648\r\n", "-ERR Protocol error: invalid multibulk length\r\n" },
        { "*1\r\n$-1\r\n", "-ERR Protocol error: invalid bulk length\r\n" },
        { "*1\r\n$536870913\r\n", "-ERR Protocol error: invalid bulk length\r\n" },
        { "*1\r\n$999999999999999999999\r\n", "-ERR Protocol error: invalid bulk length\r\n" },
        { "ECHO \"unbalanced\r\n", "-ERR Protocol error: unbalanced quotes in request\r\n" },
    };
    struct node *node = node_start_owner("%s", "");
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        expect_error_and_close(node, rows[i].sent, strlen(rows[i].sent), rows[i].error);
    node_expect(node, "PONG", "PING");
}

/* Bytes of chance, on the client's port and on the bus: nothing dies, nothing hangs. */
Test(hostile, random_bytes)
{
    struct node *node = node_start_owner("%s", "");
    unsigned seed = 12345;
    for (int turn = 0; turn < 300; turn++) {
        char bytes[2000];
        for (size_t i = 0; i < sizeof(bytes); i++)
            bytes[i] = (char)((seed = seed * 1103515245u + 12345u) >> 16);
        if (turn % 3 == 0)
            memcpy(bytes, "*3\r\n$3\r\nSET\r\n", 13);
        if (turn % 3 == 1)
            memcpy(bytes, "RCmb\0\0\x08\xd0\0\x01", 10);
        struct raw *raw = raw_open(node_port(node) + (turn % 2 == 0 ? 0 : 10000));
        cr_assert_not_null(raw, "turn %d: no connection", turn);
        raw_send(raw, bytes, 1 + seed % sizeof(bytes));
        raw_close(raw);
    }
    node_expect(node, "PONG", "PING");
    wait_until(5000, strstr(node_text(node, "CLUSTER INFO"), "cluster_known_nodes:1") != NULL);
}

Test(hostile, huge_inline)
{
    struct node *node = node_start_owner("%s", "");
    char *line = calloc(1, 2 * MB);
    memset(line, 'a', 2 * MB);
    struct raw *raw = raw_open(node_port(node));
    size_t sent = pour(raw, line, 2 * MB, 64 * (size_t)MB);
    cr_expect(raw_closed(raw, 5000), "%zu bytes without a line's end were taken", sent);
    raw_close(raw);
    node_expect(node, "PONG", "PING");
    cr_expect_lt(node_rss(node), 100L * MB);
    free(line);
}

/* A bulk of 512 MB is announced by many, and little of it comes: memory is for what has come. */
Test(hostile, announced_bulks)
{
    struct node *node = node_start_owner("%s", "");
    long before = node_rss(node);
    struct raw *raws[100];
    for (int i = 0; i < 100; i++) {
        raws[i] = raw_open(node_port(node));
        raw_send_text(raws[i], "*2\r\n$4\r\nECHO\r\n$536870912\r\nabc");
    }
    node_expect(node, "PONG", "PING");
    cr_expect_lt(node_rss(node) - before, 200L * MB);
    for (int i = 0; i < 100; i++)
        raw_close(raws[i]);
    for (int i = 0; i < 100; i++) {
        raws[i] = raw_open(node_port(node));
        raw_send_text(raws[i], "*1048576\r\n$4\r\nMGET\r\n");
    }
    node_expect(node, "PONG", "PING");
    cr_expect_lt(node_rss(node) - before, 1000L * MB);
    for (int i = 0; i < 100; i++)
        raw_close(raws[i]);
}

/* client-query-buffer-limit bounds what one client may have under way. */
Test(hostile, query_buffer_limit)
{
    struct node *node = node_start_owner("client-query-buffer-limit 2mb\n");
    char *block = calloc(1, MB);
    memset(block, 'x', MB);
    struct raw *raw = raw_open(node_port(node));
    raw_send_text(raw, "*2\r\n$4\r\nECHO\r\n$100000000\r\n");
    size_t sent = pour(raw, block, MB, 60 * (size_t)MB);
    cr_expect(raw_closed(raw, 5000), "%zu bytes were taken", sent);
    raw_close(raw);
    node_expect(node, "PONG", "PING");
    free(block);
}

/* One who never reads his replies is closed at client-output-buffer-limit. */
Test(hostile, never_reads)
{
    struct node *node = node_start_owner("client-output-buffer-limit normal 8mb 0 0\n");
    node_expect(node, "OK", "SET big %s", scratch_printf("%100000s", "x"));
    long before = node_rss(node);
    struct raw *raw = raw_open_buffered(node_port(node), 4096);
    struct buffer gets = { 0 };
    for (int i = 0; i < 1000; i++)
        buffer_append_text(&gets, "*2\r\n$3\r\nGET\r\n$3\r\nbig\r\n");
    pour(raw, gets.data, gets.len, 20 * gets.len);
    cr_expect_lt(node_rss(node) - before, 64L * MB, "%ld MB more", (node_rss(node) - before) / MB);
    wait_until(10000, strstr(node_text(node, "CLIENT LIST TYPE normal"), "cmd=get") == NULL);
    node_expect(node, "PONG", "PING");
    raw_close(raw);
    buffer_free(&gets);
}

/* Without a limit set, pipelining without reading holds back the client, or is closed: either way
 * the node's memory stays within what its replies need, and others are served. */
Test(hostile, soft_limit)
{
    struct node *node = node_start_owner("client-output-buffer-limit normal 0 1mb 1\n");
    node_expect(node, "OK", "SET big %s", scratch_printf("%100000s", "x"));
    struct raw *raw = raw_open_buffered(node_port(node), 4096);
    struct buffer gets = { 0 };
    for (int i = 0; i < 200; i++)
        buffer_append_text(&gets, "*2\r\n$3\r\nGET\r\n$3\r\nbig\r\n");
    raw_send(raw, gets.data, gets.len);
    wait_until(15000, strstr(node_text(node, "CLIENT LIST TYPE normal"), "cmd=get") == NULL);
    raw_close(raw);
    buffer_free(&gets);
}

/* maxclients: the next one is told, those who are there go on; a place that is left is given again.
 */
Test(hostile, maxclients)
{
    struct node *node = node_start("maxclients 20\n");
    node_expect(node, "PONG", "PING");
    struct raw *raws[20], *refused = NULL;
    int open = 0;
    while (open < 20 && refused == NULL) {
        struct raw *raw = raw_open(node_port(node));
        cr_assert_not_null(raw);
        raw_send_text(raw, "PING\r\n");
        struct bytes got = raw_reply(raw, 5000);
        if (bytes_equal(got, BYTES("+PONG\r\n")))
            raws[open++] = raw;
        else {
            cr_expect(bytes_equal(got, BYTES("-ERR max number of clients reached\r\n")), "%s",
                raw_escape(got));
            refused = raw;
        }
    }
    cr_expect_eq(open, 19, "%d beside the first", open);
    raw_close(refused);
    node_expect(node, "PONG", "PING");
    cr_expect_geq(node_info_number(node, "rejected_connections"), 1);
    raw_close(raws[--open]);
    struct raw *next = NULL;
    bool accepted = wait_for(5000, ({
        raw_close(next);
        next = raw_open(node_port(node));
        raw_send_text(next, "PING\r\n");
        bytes_equal(raw_reply(next, 1000), BYTES("+PONG\r\n"));
    }));
    cr_expect(accepted, "a place that was left is not given again");
    raw_close(next);
    while (open > 0)
        raw_close(raws[--open]);
}

/* Out of file descriptors: it goes on with the clients it has, and takes new ones when there is
 * room. */
Test(hostile, out_of_descriptors)
{
    struct node *node = node_prepare("appendonly yes\n");
    node_limit_files(node, 120);
    node_launch(node);
    node_expect(node, "OK", "SET k v");
    struct raw *raws[200];
    int open = 0;
    for (; open < 200; open++)
        if ((raws[open] = raw_open(node_port(node))) == NULL)
            break;
    for (int i = 0; i < 50; i++) {
        node_expect(node, "OK", "SET k%d v", i);
        node_expect(node, "v", "GET k%d", i);
    }
    while (open > 0)
        raw_close(raws[--open]);
    struct client *client = client_open(node_port(node));
    client_set_timeout(client, 1000);
    wait_until(10000, client_try(client, "PING") != NULL);
    client_expect(client, "51", "DBSIZE");
    client_close(client);
    node_stop(node);
    node_limit_files(node, 0);
    node_restart(node);
    node_expect(node, "51", "DBSIZE");
}

/* Connections that come and go leave nothing behind. */
Test(hostile, connection_churn)
{
    struct node *node = node_start_owner("%s", "");
    for (int round = 0; round < 2; round++) {
        long before = node_rss(node);
        for (int i = 0; i < 3000; i++) {
            struct raw *raw = raw_open(node_port(node));
            raw_send_text(raw, i % 2 == 0 ? "PING\r\n" : "*2\r\n$3\r\nGET\r\n$100\r\nabc");
            if (i % 2 == 0)
                raw_reply(raw, 5000);
            raw_close(raw);
        }
        wait_until(10000, node_info_number(node, "connected_clients") <= 2);
        if (round > 0 && test_slowness() <= 1) /* a sanitizer keeps what is freed */
            cr_expect_lt(
                node_rss(node) - before, 5L * MB, "%ld KB more", (node_rss(node) - before) / 1024);
    }
}

/* A pipeline of 100,000 commands, sent while replies pile up. */
Test(hostile, long_pipeline)
{
    struct node *node = node_start_owner("%s", "");
    struct buffer all = { 0 };
    for (int i = 0; i < 100000; i++)
        buffer_printf(&all, "SET key:%d %d\r\n", i, i);
    struct raw *raw = raw_open(node_port(node));
    cr_assert(raw_send(raw, all.data, all.len));
    for (int i = 0; i < 100000; i++)
        cr_assert(bytes_equal(raw_reply(raw, 10000), BYTES("+OK\r\n")), "reply %d", i);
    node_expect(node, "100000", "DBSIZE");
    raw_close(raw);
    buffer_free(&all);
}

/* A stranger on the bus who says that he is somebody: a PING from a node nobody knows changes
 * nothing. */
Test(hostile, stranger_on_the_bus)
{
    struct node *node = node_start_owner("cluster-announce-ip 127.0.0.1\n");
    const char *view = node_text(node, "CLUSTER NODES");
    char message[2256] = { 'R', 'C', 'm', 'b', 0, 0, 8, 208, 0, 1, 0x1b, 0x59 };
    for (int type = 0; type < 13; type++) {
        message[13] = (char)type;
        memset(message + 40, 'e', 40);
        memset(message + 80, 0xff, 2048);
        memset(message + 16, 0x7f, 16);
        struct raw *raw = raw_open(node_port(node) + 10000);
        cr_assert_not_null(raw);
        if (type != 2)
            raw_send(raw, message, sizeof(message));
        raw_send(raw, message, 17);
        raw_close(raw);
    }
    node_expect(node, "PONG", "PING");
    hold_for(500, strcmp(node_text(node, "CLUSTER NODES"), view) == 0);
}
