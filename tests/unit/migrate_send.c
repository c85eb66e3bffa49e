#include "server/command/migrate_send.h"

#include "common/number.h"
#include "common/resp.h"
#include "server/clock.h"
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* A node that says what it is told to: connections are served one after another, each with the
 * answers of its turn. */
struct node {
    int fd, port;
    pthread_t thread;
    const char
        *answers[4]; /* for each connection, sent at its first bytes; NULL: no more connections */
    struct buffer heard[4];
};

static void *serve(void *arg)
{
    struct node *node = arg;
    for (int i = 0; i < 4 && node->answers[i]; i++) {
        int fd = accept(node->fd, NULL, NULL);
        char bytes[65536];
        bool answered = false;
        ssize_t got;
        while ((got = recv(fd, bytes, sizeof(bytes), 0)) > 0) {
            buffer_append(&node->heard[i], bytes, (size_t)got);
            if (!answered && node->answers[i][0] == '!')
                break; /* hangs up */
            if (!answered)
                send(fd, node->answers[i], strlen(node->answers[i]), MSG_NOSIGNAL);
            answered = true;
        }
        close(fd);
    }
    return NULL;
}

static void node_begin(struct node *node)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof(address);
    node->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(node->fd, (struct sockaddr *)&address, size), 0);
    cr_assert_eq(listen(node->fd, 8), 0);
    getsockname(node->fd, (struct sockaddr *)&address, &size);
    node->port = ntohs(address.sin_port);
    pthread_create(&node->thread, NULL, serve, node);
    pthread_detach(node->thread); /* it ends with the test */
}

/* One request with two keys to the node. */
struct request {
    struct migrate_target target;
    struct migrate_item items[2];
    char port[16], failure[MIGRATE_FAILURE_MAX];
};

static void request_begin(struct request *request, int port)
{
    snprintf(request->port, sizeof(request->port), "%d", port);
    *request =
        (struct request){ .target = { .host = "127.0.0.1", .timeout_ms = 300, .asking = true } };
    snprintf(request->port, sizeof(request->port), "%d", port);
    request->target.port = request->port;
    request->items[0].entry = entry_create_string(BYTES("a"), BYTES("1"), ENTRY_NO_EXPIRY);
    request->items[1].entry = entry_create_string(BYTES("b"), BYTES("two"), ENTRY_NO_EXPIRY);
}

static bool run(struct request *request)
{
    return migrate_send(&request->target, request->items, 2, request->failure);
}

static void request_end(struct request *request)
{
    entry_free(request->items[0].entry);
    entry_free(request->items[1].entry);
}

static bool heard(const struct node *node, int i, const char *text)
{
    return memmem(node->heard[i].data, node->heard[i].len, text, strlen(text)) != NULL;
}

Test(migrate_send, sends_all_and_hears_all, .timeout = 20)
{
    static struct node node = { .answers = { "+OK\r\n+OK\r\n+OK\r\n+OK\r\n" } };
    struct request request;
    node_begin(&node);
    request_begin(&request, node.port);
    request.target.user = BYTES("me");
    request.target.password = BYTES("secret");
    request.target.replace = true;
    cr_assert(run(&request), "%s", request.failure);
    cr_assert(request.items[0].accepted && request.items[1].accepted);
    cr_assert(
        heard(&node, 0, "*3\r\n$4\r\nAUTH\r\n$2\r\nme\r\n$6\r\nsecret\r\n*2\r\n$6\r\nSELECT"));
    cr_assert(heard(&node, 0, "*5\r\n$14\r\nRESTORE-ASKING\r\n$1\r\na\r\n$1\r\n0\r\n"));
    cr_assert(heard(&node, 0, "$7\r\nREPLACE\r\n"));
    request_end(&request);
}

Test(migrate_send, tells_the_first_error_and_what_was_accepted, .timeout = 20)
{
    static struct node node = { .answers = { "+OK\r\n-BUSYKEY taken\r\n+OK\r\n" } };
    struct request request;
    node_begin(&node);
    request_begin(&request, node.port);
    cr_assert_not(run(&request));
    cr_assert_str_eq(request.failure, "Target instance replied with error: BUSYKEY taken");
    cr_assert(!request.items[0].accepted && request.items[1].accepted);
    request_end(&request);
}

Test(migrate_send, a_wrong_password_accepts_nothing, .timeout = 20)
{
    static struct node node = { .answers = { "-ERR no\r\n+OK\r\n+OK\r\n+OK\r\n" } };
    struct request request;
    node_begin(&node);
    request_begin(&request, node.port);
    request.target.password = BYTES("secret");
    cr_assert_not(run(&request));
    cr_assert_str_eq(request.failure, "Target instance replied with error: ERR no");
    cr_assert(!request.items[0].accepted && !request.items[1].accepted);
    request_end(&request);
}

Test(migrate_send, tries_again_where_nothing_was_answered, .timeout = 20)
{
    static struct node node = { .answers = { "!", "+OK\r\n+OK\r\n+OK\r\n" } };
    struct request request;
    node_begin(&node);
    request_begin(&request, node.port);
    cr_assert(run(&request), "%s", request.failure);
    cr_assert(request.items[0].accepted && request.items[1].accepted);
    request_end(&request);
}

Test(migrate_send, tries_only_twice, .timeout = 20)
{
    static struct node node = { .answers = { "!", "!" } };
    struct request request;
    node_begin(&node);
    request_begin(&request, node.port);
    cr_assert_not(run(&request));
    cr_assert_str_eq(request.failure, "IOERR error or timeout reading to target instance");
    request_end(&request);
}

Test(migrate_send, keeps_what_was_answered_before_silence, .timeout = 20)
{
    static struct node node = { .answers = { "+OK\r\n+OK\r\n" } };
    struct request request;
    node_begin(&node);
    request_begin(&request, node.port);
    cr_assert_not(run(&request));
    cr_assert_str_eq(request.failure, "IOERR error or timeout reading to target instance");
    cr_assert(request.items[0].accepted && !request.items[1].accepted);
    request_end(&request);
}

Test(migrate_send, leaves_out_what_has_expired, .timeout = 20)
{
    static struct node node = { .answers = { "+OK\r\n+OK\r\n" } };
    struct request request;
    node_begin(&node);
    request_begin(&request, node.port);
    entry_free(request.items[0].entry);
    request.items[0].entry = entry_create_string(BYTES("a"), BYTES("1"), clock_unix_ms() - 1000);
    cr_assert(run(&request), "%s", request.failure);
    cr_assert(!request.items[0].asked && !request.items[0].accepted && request.items[1].accepted);
    request_end(&request);
}

Test(migrate_send, keeps_the_connection, .timeout = 20)
{
    /* The answers for both requests come at once; the second needs no SELECT. */
    static struct node node = { .answers = { "+OK\r\n+OK\r\n+OK\r\n" } };
    struct request request;
    node_begin(&node);
    request_begin(&request, node.port);
    cr_assert(run(&request), "%s", request.failure);
    enum migrate_link_status status;
    struct migrate_link *link = migrate_link_open("127.0.0.1", request.port, 300, &status);
    cr_assert_not_null(link);
    cr_assert_eq(link->database, 0);
    migrate_link_close(link);
    request_end(&request);
}

Test(migrate_send, knows_the_ways_not_to_connect, .timeout = 20)
{
    struct request request;
    request_begin(&request, 1);
    cr_assert_not(run(&request));
    cr_assert_str_eq(request.failure, "IOERR error or timeout writing to target instance");
    request.target.port = "x";
    cr_assert_not(run(&request));
    cr_assert_str_eq(request.failure, "IOERR error or timeout writing to target instance");
    request.target.host = "no such host";
    cr_assert_not(run(&request));
    cr_assert_str_eq(request.failure, "IOERR error or timeout connecting to the client");
    request_end(&request);
}

Test(migrate_send, does_not_believe_nonsense, .timeout = 20)
{
    static char nonsense[5000];
    memset(nonsense, 'x', sizeof(nonsense) - 1);
    static struct node node = { .answers = { nonsense, nonsense } };
    struct request request;
    node_begin(&node);
    request_begin(&request, node.port);
    cr_assert_not(run(&request));
    cr_assert(!request.items[0].accepted && !request.items[1].accepted);
    request_end(&request);
}
