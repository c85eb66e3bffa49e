/* Replication to the byte: what a replica is told and sent, and how a replica takes what a primary
 * sends, with a primary that does as the test says. And both ways between this server and Debian's
 * redis-server. */
#include "common/resp.h"
#include "tests/support/cluster.h"
#include "tests/support/file.h"
#include "tests/support/raw.h"
#include "tests/support/scratch.h"
#include "tests/support/wait.h"
#include "tests/support/writer.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

TestSuite(psync, .init = nodes_begin, .fini = nodes_end, .timeout = 90);

static bool is_slotd(struct node *node)
{
    return strstr(node_program(node), "redis-server") == NULL;
}

static int64_t full_syncs(struct node *primary)
{
    return node_info_number(primary, "sync_full");
}

/* ---- A replica that is a socket ---- */

/* What a raw replica has been told. */
struct told {
    char id[41];
    long long offset;
};

static struct raw *introduce(struct node *primary)
{
    struct raw *raw = raw_open(node_port(primary));
    raw_expect(raw, "+OK\r\n", "REPLCONF listening-port 12345");
    raw_expect(raw, "+OK\r\n", "REPLCONF capa eof capa psync2");
    return raw;
}

/* The next line that is not empty, without its end. */
static const char *read_line(struct raw *raw, int limit_ms)
{
    struct buffer line = { 0 };
    int64_t deadline = wait_deadline(limit_ms);
    char c = 0;
    while (line.len == 0 || c != '\n') {
        struct pollfd fd = { raw_fd(raw), POLLIN, 0 };
        cr_assert(now_ms() < deadline, "no line within %d ms", limit_ms);
        if (poll(&fd, 1, 100) <= 0)
            continue;
        cr_assert_eq(recv(raw_fd(raw), &c, 1, 0), 1, "the connection is closed");
        if (c != '\n' || line.len > 0)
            buffer_append_char(&line, c);
    }
    const char *text = scratch_printf("%.*s", (int)line.len - 2, line.data);
    buffer_free(&line);
    return text;
}

/* So many bytes, exactly. */
static struct bytes read_bytes(struct raw *raw, size_t len, int limit_ms)
{
    char *data = scratch_printf("%*s", (int)len, "");
    size_t got = 0;
    int64_t deadline = wait_deadline(limit_ms);
    while (got < len) {
        struct pollfd fd = { raw_fd(raw), POLLIN, 0 };
        cr_assert(now_ms() < deadline, "%zu bytes of %zu within %d ms", got, len, limit_ms);
        if (poll(&fd, 1, 100) <= 0)
            continue;
        ssize_t more = recv(raw_fd(raw), data + got, len - got, 0);
        cr_assert_gt(more, 0, "the connection is closed");
        got += (size_t)more;
    }
    return (struct bytes){ data, len };
}

static struct told parse_full(const char *line)
{
    struct told told = { "", -1 };
    cr_assert_eq(sscanf(line, "+FULLRESYNC %40s %lld", told.id, &told.offset), 2, "%s", line);
    cr_assert_eq(strlen(told.id), 40);
    return told;
}

static bool is_online(struct node *primary)
{
    const char *replica = node_info(primary, "slave0");
    return replica != NULL && strstr(replica, "state=online") != NULL;
}

/* From FULLRESYNC to the acknowledgement behind the snapshot, of the one replica there is. */
static struct told full_sync(struct node *primary, struct raw *raw)
{
    raw_send_text(raw, "PSYNC ? -1\r\n");
    struct told told = parse_full(read_line(raw, 10000));
    const char *head = read_line(raw, 10000);
    cr_assert_eq(strncmp(head, "$EOF:", 5), 0, "%s", head);
    struct bytes got = read_bytes(raw, 9, 5000);
    cr_assert_eq(strncmp(got.data, "REDIS00", 7), 0);
    char last[40] = { 0 };
    while (memcmp(last, head + 5, 40) != 0) {
        memmove(last, last + 1, 39);
        last[39] = read_bytes(raw, 1, 5000).data[0];
    }
    wait_until(5000, is_online(primary));
    raw_send_text(raw, scratch_printf("REPLCONF ACK %lld\r\n", told.offset));
    return told;
}

#define SELECT_0 "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n"
#define SET_K(value) "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\n" value "\r\n"

static void expect_stream(struct raw *raw, const char *expected)
{
    struct bytes got = read_bytes(raw, strlen(expected), 10000);
    cr_assert(bytes_equal(got, bytes_of(expected)), "%s", raw_escape(got));
}

static struct node *start_primary(const char *config)
{
    return node_start("repl-diskless-sync-delay 0\nrepl-ping-replica-period 1000\n%s", config);
}

/* The stream, and what is missing of it after a break, byte for byte. */
Test(psync, goes_on)
{
    struct node *primary = start_primary("");
    node_expect(primary, "OK", "SET before 1");
    struct raw *raw = introduce(primary);
    struct told told = full_sync(primary, raw);
    node_expect(primary, "OK", "SET k 1");
    expect_stream(raw, SELECT_0 SET_K("1"));
    long long known = told.offset + (long long)strlen(SELECT_0 SET_K("1"));
    raw_send_text(raw, scratch_printf("REPLCONF ACK %lld\r\n", known));
    cr_expect_eq(node_integer(primary, "WAIT 1 5000"), 1);
    raw_close(raw);
    node_expect(primary, "OK", "SET k 2");
    raw = introduce(primary);
    raw_send_text(raw, scratch_printf("PSYNC %s %lld\r\n", told.id, known + 1));
    cr_expect_str_eq(read_line(raw, 5000), scratch_printf("+CONTINUE %s", told.id));
    struct bytes missing = read_bytes(raw, strlen(SET_K("2")), 5000);
    cr_expect_neq(strncmp(missing.data, "+", 1), 0);
    raw_close(raw);
    cr_expect_eq(node_info_number(primary, "sync_partial_ok"), 1);
}

/* No place to go on from: another history, what is to come, what is gone. */
Test(psync, starts_over)
{
    struct node *primary = start_primary("repl-backlog-size 16kb\n");
    struct raw *raw = introduce(primary);
    struct told told = full_sync(primary, raw);
    char *value = scratch_printf("%*s", 5000, "v");
    for (int i = 0; i < 60; i++)
        node_expect(primary, "OK", "SET k%d %s", i, value);
    raw_close(raw);
    const char *wishes[] = { scratch_printf("%040d %lld", 0, told.offset + 1),
        scratch_printf("%s %lld", told.id, told.offset + 100000000),
        scratch_printf("%s %lld", told.id, told.offset + 1), scratch_printf("%s -5", told.id),
        "? -1", "short 1" };
    for (size_t i = 0; i < sizeof(wishes) / sizeof(*wishes); i++) {
        raw = introduce(primary);
        raw_send_text(raw, scratch_printf("PSYNC %s\r\n", wishes[i]));
        struct told again = parse_full(read_line(raw, 10000));
        cr_expect_str_eq(again.id, told.id);
        raw_close(raw);
    }
    cr_expect_eq(node_info_number(primary, "sync_full"), 7);
    cr_expect_eq(node_info_number(primary, "sync_partial_err"), 5);
}

/* The old way, and the snapshot alone. */
Test(psync, sync_and_rdb_only)
{
    struct node *primary = start_primary("");
    struct raw *raw = introduce(primary);
    raw_send_text(raw, "SYNC\r\n");
    cr_expect_eq(strncmp(read_line(raw, 10000), "$EOF:", 5), 0);
    raw_close(raw);
    raw = introduce(primary);
    raw_expect(raw, "+OK\r\n", "REPLCONF rdb-only 1");
    raw_send_text(raw, "PSYNC ? -1\r\n");
    parse_full(read_line(raw, 10000));
    cr_expect(raw_closed(raw, 10000));
    raw_close(raw);
}

Test(psync, replconf_errors)
{
    struct node *primary = start_primary("");
    struct raw *raw = raw_open(node_port(primary));
    raw_expect(raw, "+OK\r\n", "REPLCONF");
    raw_expect(raw, "-ERR syntax error\r\n", "REPLCONF capa");
    raw_expect(raw, "-ERR Unrecognized REPLCONF option: a\r\n", "REPLCONF a b");
    raw_expect(
        raw, "-ERR value is not an integer or out of range\r\n", "REPLCONF listening-port x");
    raw_expect(
        raw, "-ERR value is out of range, value must between 0 and 1\r\n", "REPLCONF rdb-only 2");
    raw_expect(raw, "-ERR Unsupported rdb-filter-only option: x\r\n", "REPLCONF rdb-filter-only x");
    raw_expect(raw,
        "-ERR REPLCONF ip-address provided by replica instance is too long: 300 bytes\r\n",
        scratch_printf("REPLCONF ip-address %0300d", 0));
    raw_expect(raw, "+OK\r\n", "REPLCONF capa other");
    raw_expect(raw, "+PONG\r\n", "PING");
    raw_close(raw);
}

/* A replica that does not read is let go, and its primary's memory with it. */
Test(psync, replica_that_does_not_read)
{
    struct node *primary =
        start_primary("client-output-buffer-limit replica 2mb 0 0\nrepl-backlog-size 64kb\n");
    struct raw *raw = introduce(primary);
    full_sync(primary, raw);
    char *value = scratch_printf("%*s", 100000, "v");
    for (int i = 0; i < 400; i++)
        node_expect(primary, "OK", "SET k %s", value);
    wait_until(10000, node_info_number(primary, "connected_slaves") == 0);
    raw_close(raw);
}

/* ---- A primary that is a socket ---- */

struct fake {
    int listener, fd, port;
    struct buffer input;
    struct resp_reader reader;
    size_t taken; /* of the input, by the last request */
};

static struct fake *fake_open(void)
{
    struct fake *fake = calloc(1, sizeof(*fake));
    int on = 1;
    fake->port = port_reserve();
    fake->fd = -1;
    fake->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = { .sin_family = AF_INET,
        .sin_port = htons((uint16_t)fake->port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    setsockopt(fake->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    cr_assert_eq(bind(fake->listener, (struct sockaddr *)&address, sizeof(address)), 0);
    cr_assert_eq(listen(fake->listener, 8), 0);
    return fake;
}

static void fake_hang_up(struct fake *fake)
{
    if (fake->fd >= 0)
        close(fake->fd);
    fake->fd = -1;
    fake->input.len = fake->taken = 0;
    resp_reader_reset(&fake->reader);
}

static void fake_close(struct fake *fake)
{
    fake_hang_up(fake);
    close(fake->listener);
    buffer_free(&fake->input);
    resp_reader_free(&fake->reader);
    free(fake);
}

static bool fake_accept(struct fake *fake, int limit_ms)
{
    struct pollfd fd = { fake->listener, POLLIN, 0 };
    fake_hang_up(fake);
    if (poll(&fd, 1, (int)(limit_ms * test_slowness())) == 1)
        fake->fd = accept(fake->listener, NULL, NULL);
    return fake->fd >= 0;
}

static void fake_send(struct fake *fake, const void *data, size_t len)
{
    cr_assert_eq(send(fake->fd, data, len, MSG_NOSIGNAL), (ssize_t)len);
}

static void fake_say(struct fake *fake, const char *text)
{
    fake_send(fake, text, strlen(text));
}

/* The next request, its words with spaces between them; NULL: the replica has closed, or says
 * nothing. */
static const char *fake_hear(struct fake *fake, int limit_ms)
{
    int64_t deadline = wait_deadline(limit_ms);
    buffer_consume(&fake->input, fake->taken);
    fake->taken = 0;
    for (;;) {
        enum resp_status status =
            resp_read(&fake->reader, fake->input.data, fake->input.len, &fake->taken);
        cr_assert_neq(status, RESP_ERROR);
        if (status == RESP_OK && fake->reader.argc == 0) { /* a sign of life */
            buffer_consume(&fake->input, fake->taken);
            fake->taken = 0;
            continue;
        }
        if (status == RESP_OK)
            break;
        struct pollfd fd = { fake->fd, POLLIN, 0 };
        if (poll(&fd, 1, 50) > 0) {
            buffer_reserve(&fake->input, 4096);
            ssize_t got = recv(fake->fd, fake->input.data + fake->input.len, 4096, 0);
            if (got <= 0)
                return NULL;
            fake->input.len += (size_t)got;
        } else if (now_ms() >= deadline) {
            return NULL;
        }
    }
    const char *text = "";
    for (size_t i = 0; i < fake->reader.argc; i++) {
        struct bytes word = fake->reader.argv[i];
        text = scratch_printf("%s%s%.*s", text, i ? " " : "", (int)word.len, word.data);
    }
    return text;
}

/* Takes part in the handshake up to PSYNC, which it returns. */
static const char *fake_handshake(struct fake *fake)
{
    cr_assert(fake_accept(fake, 15000), "nobody connects");
    for (;;) {
        const char *request = fake_hear(fake, 5000);
        cr_assert_not_null(request, "the replica has hung up");
        if (strncmp(request, "PSYNC ", 6) == 0)
            return request;
        fake_say(fake, strcmp(request, "PING") == 0 ? "+PONG\r\n" : "+OK\r\n");
    }
}

/* Waits until the replica has acknowledged this offset. */
static void fake_expect_ack(struct fake *fake, long long offset)
{
    const char *wanted = scratch_printf("REPLCONF ACK %lld", offset), *got = NULL;
    int64_t deadline = wait_deadline(10000);
    do {
        got = fake_hear(fake, 3000);
        cr_assert_not_null(got, "no acknowledgement");
    } while (strcmp(got, wanted) != 0 && now_ms() < deadline);
    cr_assert_str_eq(got, wanted);
}

#define HISTORY_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HISTORY_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define MARK "mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm"

static const char empty_rdb[] = "REDIS0010\xff\0\0\0\0\0\0\0"; /* with its last zero: 18 bytes */

/* An empty snapshot at offset 100 of history A, with a length in front. */
static void fake_full_sync(struct fake *fake)
{
    fake_handshake(fake);
    fake_say(fake, "\n+FULLRESYNC " HISTORY_A " 100\r\n\n\n$18\r\n");
    fake_send(fake, empty_rdb, 18);
}

static struct node *follow(struct fake *fake, const char *config)
{
    struct node *replica = node_start("%s", config);
    node_expect(replica, "OK", "REPLICAOF 127.0.0.1 %d", fake->port);
    return replica;
}

static bool link_is(struct node *replica, const char *state)
{
    return strcmp(node_info(replica, "master_link_status"), state) == 0;
}

/* In pieces of one byte; a transaction shows when it is whole; every byte counts. */
Test(psync, stream_in_pieces)
{
    struct fake *fake = fake_open();
    struct node *replica = follow(fake, "");
    fake_full_sync(fake);
    wait_until(10000, link_is(replica, "up"));
    const char *begin = "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*1\r\n$5\r\nMULTI\r\n" SET_K("1");
    const char *end = "*3\r\n$3\r\nSET\r\n$1\r\nj\r\n$1\r\n2\r\n*1\r\n$4\r\nEXEC\r\n";
    for (const char *c = begin; *c; c++)
        fake_send(fake, c, 1);
    hold_for(300, strcmp(node_text(replica, "GET k"), "(nil)") == 0);
    cr_expect_eq(node_info_number(replica, "slave_repl_offset"), 100 + 23);
    for (const char *c = end; *c; c++)
        fake_send(fake, c, 1);
    long long offset = 100 + (long long)(strlen(begin) + strlen(end));
    wait_until(5000, node_info_number(replica, "slave_repl_offset") == offset);
    node_expect(replica, "1", "GET k");
    node_expect(replica, "2", "GET j");
    fake_expect_ack(fake, offset);
    fake_close(fake);
}

/* A mark at the end; commands right behind it; GETACK is answered at once. */
Test(psync, mark_and_getack)
{
    struct fake *fake = fake_open();
    struct node *replica = follow(fake, "");
    fake_handshake(fake);
    fake_say(fake, "+FULLRESYNC " HISTORY_A " 7\r\n$EOF:" MARK "\r\n");
    fake_send(fake, empty_rdb, 10);
    fake_send(fake, empty_rdb + 10, 8);
    fake_say(fake, MARK);
    fake_expect_ack(fake, 7);
    const char *stream = SELECT_0 SET_K("1");
    fake_say(fake, stream);
    fake_say(fake, "*3\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n$1\r\n*\r\n");
    int64_t start = now_ms();
    const char *ack = fake_hear(fake, 3000);
    cr_assert_not_null(ack);
    cr_expect_eq(strncmp(ack, "REPLCONF ACK ", 13), 0, "%s", ack);
    cr_expect_lt(now_ms() - start, 900 * test_slowness());
    fake_expect_ack(fake, 7 + (long long)strlen(stream) + 37);
    node_expect(replica, "1", "GET k");
    fake_close(fake);
}

/* After a break it asks for what it lacks, and takes the new name of the history. */
Test(psync, asks_for_what_is_missing)
{
    struct fake *fake = fake_open();
    struct node *replica = follow(fake, "");
    fake_full_sync(fake);
    fake_say(fake, SELECT_0 SET_K("1") "*3\r\n$3\r\nSE"); /* half a command is none */
    long long known = 100 + (long long)strlen(SELECT_0 SET_K("1"));
    wait_until(5000, node_info_number(replica, "slave_repl_offset") == known);
    fake_hang_up(fake);
    cr_expect_str_eq(fake_handshake(fake), scratch_printf("PSYNC " HISTORY_A " %lld", known + 1));
    fake_say(fake, "+CONTINUE " HISTORY_B "\r\n" SET_K("2"));
    wait_until(5000, strcmp(node_text(replica, "GET k"), "2") == 0);
    cr_expect_str_eq(node_info(replica, "master_replid"), HISTORY_B);
    cr_expect_str_eq(node_info(replica, "master_replid2"), HISTORY_A);
    cr_expect_eq(node_info_number(replica, "second_repl_offset"), known + 1);
    fake_close(fake);
}

/* A command that this server does not have: no silence, and no other data than the primary's. */
Test(psync, unknown_command)
{
    struct fake *fake = fake_open();
    struct node *replica = follow(fake, "");
    if (is_slotd(replica)) {
        fake_full_sync(fake);
        fake_say(fake, SELECT_0 SET_K("1") "*2\r\n$7\r\nNOSUCHC\r\n$1\r\nk\r\n" SET_K("2"));
        wait_until(5000, node_info(replica, "master_link_failure") != NULL);
        cr_expect(link_is(replica, "down"));
        node_expect(replica, "1", "GET k");
        cr_expect_not_null(strstr(node_info(replica, "master_link_failure"), "NOSUCHC"));
        cr_expect(node_log_has(replica, "NOSUCHC"));
        cr_expect_eq(
            node_info_number(replica, "slave_repl_offset"), 100 + (int)strlen(SELECT_0 SET_K("1")));
        cr_expect_not(fake_accept(fake, 2500), "it should not try again by itself");
        /* Told again it goes on where it stopped. */
        node_expect(replica, "OK", "REPLICAOF 127.0.0.1 %d", fake->port);
        cr_expect_str_eq(fake_handshake(fake),
            scratch_printf("PSYNC " HISTORY_A " %d", 101 + (int)strlen(SELECT_0 SET_K("1"))));
    }
    fake_close(fake);
}

/* What is no stream, what cannot be applied, and what is no snapshot: it starts over, from nothing.
 */
Test(psync, starts_over_after_damage)
{
    struct fake *fake = fake_open();
    struct node *replica = follow(fake, "");
    if (is_slotd(replica)) {
        fake_full_sync(fake);
        wait_until(5000, link_is(replica, "up"));
        fake_say(fake, "*x\r\n");
        cr_expect_str_eq(fake_handshake(fake), "PSYNC ? -1");
        fake_hang_up(fake);
        fake_full_sync(fake);
        wait_until(5000, link_is(replica, "up"));
        fake_say(fake, SELECT_0 SET_K("a") "*2\r\n$4\r\nINCR\r\n$1\r\nk\r\n");
        fake_full_sync(fake);
        wait_until(5000, link_is(replica, "up"));
        node_expect(replica, "(nil)", "GET k");
        fake_say(fake, SELECT_0 SET_K("a"));
        wait_until(5000, strcmp(node_text(replica, "GET k"), "a") == 0);
        fake_hang_up(fake);
        fake_handshake(fake);
        fake_say(fake, "+FULLRESYNC " HISTORY_B " 5\r\n$12\r\nREDIS0010bad");
        cr_expect_str_eq(fake_handshake(fake), "PSYNC ? -1");
        node_expect(replica, "0", "DBSIZE");
        cr_expect(node_log_has(replica, "cannot be loaded"));
        cr_expect_not(file_exists(
            node_path(replica, scratch_printf("temp-full-sync-%d.rdb", node_port(replica)))));
    }
    fake_close(fake);
}

/* Half a snapshot changes nothing. */
Test(psync, broken_transfer)
{
    struct fake *fake = fake_open();
    struct node *replica = follow(fake, "");
    fake_full_sync(fake);
    fake_say(fake, SELECT_0 SET_K("1"));
    wait_until(5000, strcmp(node_text(replica, "GET k"), "1") == 0);
    fake_hang_up(fake);
    fake_handshake(fake);
    fake_say(fake, "+FULLRESYNC " HISTORY_B " 5\r\n$1000\r\nREDIS0010");
    fake_hang_up(fake);
    fake_handshake(fake);
    node_expect(replica, "1", "GET k");
    fake_close(fake);
}

/* A primary that falls silent is left after repl-timeout. */
Test(psync, silent_primary)
{
    struct fake *fake = fake_open();
    struct node *replica = follow(fake, "repl-timeout 2\n");
    fake_full_sync(fake);
    wait_until(5000, link_is(replica, "up"));
    wait_until(10000, !link_is(replica, "up"));
    cr_expect_eq(strncmp(fake_handshake(fake), "PSYNC " HISTORY_A, 46), 0);
    fake_close(fake);
}

/* Errors of a primary that may be over in a moment. */
Test(psync, primary_that_is_not_ready)
{
    static const char *const answers[] = { "-NOMASTERLINK Can't SYNC\r\n",
        "-LOADING Redis is loading\r\n", "-ERR no\r\n", "+FULLRESYNC short 1\r\n", "nonsense\r\n" };
    struct fake *fake = fake_open();
    struct node *replica = follow(fake, "");
    for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
        fake_handshake(fake);
        fake_say(fake, answers[i]);
        cr_expect(link_is(replica, "down"));
    }
    fake_full_sync(fake);
    wait_until(5000, link_is(replica, "up"));
    fake_close(fake);
}

/* ---- With Debian's redis-server ---- */

static void write_all_kinds(struct node *primary)
{
    node_expect(primary, "OK", "SET text hello");
    node_expect(primary, "OK", "SET number 41");
    node_expect(primary, "42", "INCR number");
    node_expect(primary, "OK", "SET big %s", scratch_printf("%*s", 300000, "x"));
    node_expect(primary, "OK", "SET expires v EX 1000");
    node_expect(primary, "1", "EXPIRE text 500");
    node_expect(primary, "OK", "SET soon v PX 200");
    node_expect(primary, "OK", "SET float 0");
    node_expect(primary, "0.5", "INCRBYFLOAT float 0.5");
    node_expect(primary, "OK", "MSET a 1 b 2 c 3");
    node_expect(primary, "2", "DEL a b");
    node_expect(primary, "OK", "MULTI");
    node_expect(primary, "QUEUED", "SET in multi");
    node_expect(primary, "QUEUED", "APPEND in 2");
    node_expect(primary, "[OK, 6]", "EXEC");
    node_expect(primary, "OK", "RENAME c d");
}

static void follow_and_compare(const char *leads, const char *follows)
{
    static const char config[] = "repl-diskless-sync-delay 0\n";
    struct node *primary =
        leads ? node_start_program(leads, "%s", config) : node_start("%s", config);
    struct node *replica =
        follows ? node_start_program(follows, "%s", config) : node_start("%s", config);
    write_all_kinds(primary);
    node_expect(replica, "OK", "REPLICAOF 127.0.0.1 %d", node_port(primary));
    wait_until(20000, node_in_sync(replica, primary));
    struct writer *writer = writer_start_node(primary, NULL);
    writer_wait(writer, 500, 10000);
    write_all_kinds(primary);
    writer_stop(writer);
    wait_until(10000, node_integer(primary, "EXISTS soon") == 0);
    wait_until(10000, node_same_data(primary, replica));
    node_expect(primary, "1", "CLIENT KILL TYPE replica");
    write_all_kinds(primary);
    wait_until(
        20000, node_info_number(primary, "sync_partial_ok") == 1 && node_in_sync(replica, primary));
    cr_expect_eq(node_integer(primary, "WAIT 1 5000"), 1);
    /* Roles change: what was the primary goes on from where it is. */
    node_expect(replica, "OK", "REPLICAOF NO ONE");
    node_expect(primary, "OK", "REPLICAOF 127.0.0.1 %d", node_port(replica));
    node_expect(replica, "OK", "SET after failover");
    wait_until(20000, node_in_sync(primary, replica));
    cr_expect_eq(node_info_number(replica, "sync_full"), 0);
    node_expect(primary, "failover", "GET after");
    wait_until(10000, node_same_data(primary, replica));
    writer_free(writer);
}

Test(psync, follows_redis)
{
    follow_and_compare("redis-server", NULL);
}

Test(psync, leads_redis)
{
    follow_and_compare(NULL, "redis-server");
}

/* A stream is in a database, and a replica of a replica begins in its midst. */
Test(psync, databases_in_a_chain)
{
    struct node *primary = start_primary("");
    struct node *first =
        start_primary(scratch_printf("replicaof 127.0.0.1 %d\n", node_port(primary)));
    wait_until(20000, node_in_sync(first, primary));
    node_expect(primary, "OK", "SELECT 7");
    node_expect(primary, "OK", "SET x 1");
    wait_until(20000, node_in_sync(first, primary));
    struct node *second =
        start_primary(scratch_printf("replicaof 127.0.0.1 %d\n", node_port(first)));
    struct node *third =
        node_start_program("redis-server", "replicaof 127.0.0.1 %d\n", node_port(first));
    wait_until(20000, node_in_sync(second, first) && node_in_sync(third, first));
    node_expect(primary, "OK", "SET y 2");
    wait_until(20000, node_in_sync(second, primary) && node_in_sync(third, primary));
    cr_expect_null(node_info(second, "db0"));
    cr_expect_null(node_info(third, "db0"));
    node_expect(second, "OK", "SELECT 7");
    node_expect(second, "2", "GET y");
}

/* What is written to a replica is its own: it neither reaches others nor counts as the primary's.
 */
Test(psync, writable_replica)
{
    struct node *primary = start_primary("");
    struct node *replica = start_primary(
        scratch_printf("replicaof 127.0.0.1 %d\nreplica-read-only no\n", node_port(primary)));
    wait_until(20000, node_in_sync(replica, primary));
    int64_t full = full_syncs(primary);
    node_expect(replica, "OK", "SET own 1");
    node_expect(primary, "OK", "SET k 1");
    wait_until(20000, node_in_sync(replica, primary));
    cr_expect_eq(node_info_number(replica, "slave_repl_offset"),
        node_info_number(primary, "master_repl_offset"));
    node_expect(primary, "1", "CLIENT KILL TYPE replica");
    node_expect(primary, "OK", "SET k 2");
    wait_until(20000, node_in_sync(replica, primary));
    node_expect(replica, "2", "GET k");
    node_expect(replica, "1", "GET own");
    cr_expect_eq(full_syncs(primary), full);
}

/* FAILOVER from one to the other and back. */
Test(psync, failover_with_redis)
{
    static const char config[] = "repl-diskless-sync-delay 0\n";
    struct node *first = node_start("%s", config);
    struct node *second = node_start_program("redis-server", "%s", config);
    node_expect(second, "OK", "REPLICAOF 127.0.0.1 %d", node_port(first));
    write_all_kinds(first);
    wait_until(20000, node_in_sync(second, first));
    node_expect(first, "OK", "FAILOVER TO 127.0.0.1 %d TIMEOUT 10000", node_port(second));
    wait_until(20000, node_in_sync(first, second));
    cr_expect_str_eq(node_info(second, "role"), "master");
    node_expect(second, "OK", "SET back 1");
    wait_until(20000, node_in_sync(first, second));
    node_expect(second, "OK", "FAILOVER");
    wait_until(
        20000, strcmp(node_info(first, "role"), "master") == 0 && node_in_sync(second, first));
    node_expect(first, "OK", "SET back 2");
    cr_expect_eq(node_integer(first, "WAIT 1 5000"), 1);
    node_expect(second, "2", "GET back");
    wait_until(10000, node_same_data(first, second));
}

/* A failover whose target cannot be reached is called off, and nothing is lost. */
Test(psync, failover_is_called_off)
{
    struct node *primary = start_primary("");
    struct raw *raw = introduce(primary);
    struct told told = full_sync(primary, raw);
    node_expect(primary, "OK", "SET k 1");
    node_expect(primary, "OK", "FAILOVER TIMEOUT 500");
    node_expect(primary, "-ERR FAILOVER already in progress.", "FAILOVER");
    node_expect(primary, "-ERR REPLICAOF not allowed while failing over.", "REPLICAOF NO ONE");
    wait_until(10000, strcmp(node_info(primary, "master_failover_state"), "no-failover") == 0);
    node_expect(primary, "OK", "SET k 2");
    node_expect(primary, "OK", "FAILOVER TO 127.0.0.1 12345 FORCE TIMEOUT 200");
    wait_until(
        10000, strcmp(node_info(primary, "master_failover_state"), "failover-in-progress") == 0);
    node_expect(primary, "OK", "FAILOVER ABORT");
    wait_until(10000, strcmp(node_try(primary, "SET k 3"), "OK") == 0);
    cr_expect_str_eq(node_info(primary, "role"), "master");
    cr_expect_geq(told.offset, 0);
    raw_close(raw);
}
