/* What a connection may hold and cost: queued transactions, announced arguments, replies that are
 * read slowly, requests that wait. */
#include "common/buffer.h"
#include "tests/support/node.h"
#include "tests/support/raw.h"
#include "tests/support/scratch.h"
#include "tests/support/wait.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(sessions, .init = nodes_begin, .fini = nodes_end, .timeout = 60);

enum { KB = 1024, MB = 1024 * 1024 };

/* A number of the one client's line of CLIENT LIST that has this name; -1: there is no such client.
 */
static long figure_of(struct node *node, const char *name, const char *figure)
{
    const char *line = strstr(node_text(node, "CLIENT LIST"), scratch_printf(" name=%s ", name));
    const char *found = line ? strstr(line, scratch_printf(" %s=", figure)) : NULL;
    return found ? strtol(found + strlen(figure) + 2, NULL, 10) : -1;
}

static struct raw *open_named(struct node *node, const char *name)
{
    struct raw *raw = raw_open_buffered(node_port(node), 64 * KB);
    cr_assert_not_null(raw);
    raw_expect(raw, "+OK\r\n", scratch_printf("CLIENT SETNAME %s", name));
    return raw;
}

/* Queued commands count as input that is not yet dealt with. */
Test(sessions, a_transaction_without_an_end)
{
    struct node *node = node_start("client-query-buffer-limit 1mb\n");
    struct raw *raw = open_named(node, "greedy");
    raw_expect(raw, "+OK\r\n", "MULTI");
    char *value = malloc(64 * KB + 1);
    memset(value, 'x', 64 * KB);
    value[64 * KB] = '\0';
    const char *set[] = { "SET", "k", value };
    int queued = 0;
    while (queued < 64 && raw_send_command(raw, 3, set) && raw_reply(raw, 5000).len > 0)
        queued++;
    cr_assert_geq(queued, 8);
    cr_assert_lt(queued, 20, "%d commands of 64 KB were queued", queued);
    raw_close(raw);
    /* Small ones cost more than their bytes. */
    raw = open_named(node, "patient");
    raw_expect(raw, "+OK\r\n", "MULTI");
    struct buffer pings = { 0 };
    for (int i = 0; i < 1000; i++)
        buffer_append_text(&pings, "*1\r\n$4\r\nPING\r\n");
    for (queued = 0; queued < 60 && raw_send(raw, pings.data, pings.len); queued++) {
        int replies = 0;
        while (replies < 1000 && raw_reply(raw, 5000).len > 0)
            replies++;
        if (replies < 1000)
            break;
        cr_assert_leq(figure_of(node, "patient", "multi-mem"), MB + 64 * KB);
    }
    cr_assert_lt(queued, 60);
    node_expect(node, "PONG", "PING");
    buffer_free(&pings);
    raw_close(raw);
    free(value);
}

/* Memory follows what has come, not what was announced. */
Test(sessions, an_announced_argument)
{
    struct node *node = node_start("%s", "");
    struct raw *raw = open_named(node, "braggart");
    raw_send_text(raw, "*2\r\n$3\r\nGET\r\n$536870912\r\n");
    wait_until(5000, figure_of(node, "braggart", "qbuf") > 0);
    for (int i = 0; i < 3; i++) {
        long before = figure_of(node, "braggart", "qbuf");
        raw_send_text(raw, "some of it");
        wait_until(5000, figure_of(node, "braggart", "qbuf") > before);
    }
    cr_assert_lt(figure_of(node, "braggart", "qbuf-free"), 4 * MB);
    raw_close(raw);
}

/* A client that has always replies on their way keeps none of those that it has read. */
Test(sessions, replies_that_never_end)
{
    enum { VALUE = 10 * KB, BATCH = 400, AHEAD = 3, ROUNDS = 40 };
    struct node *node = node_start("%s", "");
    char *value = malloc(VALUE + 1);
    memset(value, 'v', VALUE);
    value[VALUE] = '\0';
    node_expect(node, "OK", "SET k %s", value);
    struct raw *raw = open_named(node, "slow");
    struct buffer gets = { 0 };
    for (int i = 0; i < BATCH; i++)
        buffer_append_text(&gets, "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n");
    for (int i = 0; i < AHEAD; i++)
        raw_send(raw, gets.data, gets.len);
    long most = 0;
    for (int round = 0; round < ROUNDS; round++) {
        raw_send(raw, gets.data, gets.len);
        for (int i = 0; i < BATCH; i++)
            cr_assert_eq(raw_reply(raw, 10000).len, VALUE + strlen("$10240\r\n") + 2);
        long memory = figure_of(node, "slow", "omem");
        most = memory > most ? memory : most;
    }
    /* Four batches are on their way, 16 MB; all together are 160 MB. */
    cr_assert_lt(most, 64 * MB);
    buffer_free(&gets);
    raw_close(raw);
    free(value);
}

/* Whether an argument is too long for a stranger is asked when the password before it has been
 * looked at. */
Test(sessions, a_password_and_more_in_one_go)
{
    struct node *node = node_start("requirepass secret\n");
    struct raw *raw = raw_open(node_port(node));
    struct buffer text = { 0 };
    buffer_append_text(
        &text, "*2\r\n$4\r\nAUTH\r\n$6\r\nsecret\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$30000\r\n");
    for (int i = 0; i < 30000; i++)
        buffer_append_char(&text, 'x');
    buffer_append_text(&text, "\r\n");
    raw_send(raw, text.data, text.len);
    raw_expect_next(raw, "+OK\r\n");
    raw_expect_next(raw, "+OK\r\n");
    raw_expect(raw, ":30000\r\n", "STRLEN k");
    buffer_free(&text);
    raw_close(raw);
}

Test(sessions, a_password_that_comes_later)
{
    struct node *node = node_start("%s", "");
    struct raw *before = raw_open(node_port(node)), *other = raw_open(node_port(node));
    raw_expect(before, "+PONG\r\n", "PING");
    raw_expect(other, "+OK\r\n", "CONFIG SET requirepass secret");
    struct raw *after = raw_open(node_port(node));
    raw_expect(after, "-NOAUTH Authentication required.\r\n", "PING");
    raw_expect(before, "+PONG\r\n", "PING");
    raw_expect(before, "+RESET\r\n", "RESET");
    raw_expect(before, "-NOAUTH Authentication required.\r\n", "PING");
    raw_expect(other, "+OK\r\n", "CONFIG SET requirepass \"\"");
    raw_expect(after, "+PONG\r\n", "PING");
    raw_close(before);
    raw_close(other);
    raw_close(after);
}

/* The reply that is not wanted stays so when its request had to wait. */
Test(sessions, a_skipped_reply_of_a_write_that_waits)
{
    struct node *node = node_start("%s", "");
    struct raw *raw = raw_open(node_port(node));
    node_expect(node, "OK", "CLIENT PAUSE 100000 WRITE");
    raw_send_text(raw, "CLIENT REPLY SKIP\r\nSET k 1\r\nPING\r\n");
    wait_until(5000, node_info_number(node, "blocked_clients") == 1);
    node_expect(node, "OK", "CLIENT UNPAUSE");
    raw_expect_next(raw, "+PONG\r\n");
    node_expect(node, "1", "GET k");
    raw_expect(raw, "+OK\r\n", "MULTI");
    raw_expect(raw, "+QUEUED\r\n", "CLIENT REPLY OFF");
    raw_expect(raw, "+QUEUED\r\n", "PING");
    /* The array is left short: that is the client's doing. */
    raw_send_text(raw, "EXEC\r\nPING\r\nCLIENT REPLY ON\r\nPING\r\n");
    raw_expect_next(raw, "*2\r\n+OK\r\n+PONG\r\n");
    raw_close(raw);
}

/* What a page makes a browser send is not obeyed behind the first line of HTTP. */
Test(sessions, a_browser)
{
    static const char *const lines[] = { "POST / HTTP/1.1\r\n", "GET k\r\nHost: somewhere\r\n" };
    struct node *node = node_start("%s", "");
    for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
        struct raw *raw = raw_open(node_port(node));
        raw_send_text(raw, scratch_printf("%sSET k evil\r\n", lines[i]));
        cr_assert(raw_closed(raw, 5000));
        raw_close(raw);
    }
    node_expect(node, "(nil)", "GET k");
    cr_assert(node_log_has(node, "speaks HTTP"));
}

/* An address that nobody has is no wildcard. */
Test(sessions, kills_only_whom_it_names)
{
    struct node *node = node_start("%s", "");
    struct raw *raw = raw_open(node_port(node));
    raw_expect(raw, "-ERR No such client\r\n", "CLIENT KILL \"\"");
    raw_expect(raw, ":0\r\n", "CLIENT KILL ADDR \"\"");
    raw_expect(raw, ":0\r\n", "CLIENT KILL LADDR \"\"");
    raw_expect(raw, "+OK\r\n", "CLIENT SETNAME \"\"");
    raw_expect(raw, "$-1\r\n", "CLIENT GETNAME");
    raw_close(raw);
}

/* A server that is told to end while it waits for something does so, and a second word changes
 * nothing. */
Test(sessions, ends_with_requests_that_wait)
{
    struct node *node = node_start("%s", "");
    struct raw *raw = raw_open(node_port(node));
    node_expect(node, "OK", "CLIENT PAUSE 100000 WRITE");
    raw_send_text(raw, "SET k 1\r\n");
    wait_until(5000, node_info_number(node, "blocked_clients") == 1);
    cr_assert_eq(node_stop(node), 0);
    raw_close(raw);
}
