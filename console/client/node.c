/* One connection, as a small state machine over a libevent bufferevent, with hiredis writing the
 * requests and reading the answers:
 *
 *   IDLE --something to send--> PAUSING --pause over--> CONNECTING --connected--> GREETING (AUTH)
 *        <--closed, all quiet-- READY <--AUTH answered------------------------------'
 *
 * Requests stand in one queue from the moment they are made until they are answered; before READY
 * they wait in it unsent. One timer serves pauses, connecting and the limits of requests.
 * (hiredis's own asynchronous layer isn't used: in the version that Debian has it knows no limit
 * for connecting and ends the process when a node answers what nobody asked.) */
#include "console/client/node.h"
#include "common/memory.h"
#include "console/client/client.h"
#include "console/client/reply.h"
#include "console/client/resolve.h"
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <time.h>

enum {
    PAUSE_FIRST_MS = 100,
    PAUSE_MAX_MS = 2000,
    WHAT_MAX = 40,
    WORDS_MAX = 64,
    READ_CHUNK = 16384
};

enum state { IDLE, PAUSING, CONNECTING, GREETING, READY };

struct client_request {
    TAILQ_ENTRY(client_request) link;
    void (*done)(void *context, struct client_answer *answer); /* NULL: forgotten */
    void *context;
    char *bytes; /* hiredis's; NULL once sent */
    size_t len;
    int64_t limit_ms, deadline;
    int64_t sent_us; /* 0: not sent */
    char what[WHAT_MAX];
};
TAILQ_HEAD(request_list, client_request);

struct client_node {
    struct client *client;
    struct address address;
    enum state state;
    struct bufferevent *stream; /* NULL: no connection */
    redisReader *reader;        /* as long as the stream */
    size_t unanswered_bytes;    /* fed to the reader since the last whole answer */
    struct event *timer;
    int64_t timer_at; /* when the timer fires; 0: not set */
    int64_t pause_until, connect_until;
    unsigned failures;            /* attempts in a row that came to nothing */
    struct request_list queue;    /* in order; what was sent stands before what wasn't */
    struct request_list overflow; /* will be refused at the next turn */
    size_t queued, unsent_bytes;
    unsigned busy; /* callbacks under way */
    bool dying;
    char error[320];
};

static void on_timer(evutil_socket_t fd, short what, void *context);

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void describe(const struct client_node *node, char *out)
{
    address_format(out, &node->address);
}

/* --- requests --- */

static void request_free(struct client_request *request)
{
    if (request->bytes != NULL) {
        redisFreeCommand(request->bytes);
    }
    free(request);
}

static void requests_drop(struct request_list *list)
{
    struct client_request *request;
    while ((request = TAILQ_FIRST(list)) != NULL) {
        TAILQ_REMOVE(list, request, link);
        request_free(request);
    }
}

/* Calls done and frees the request, which stands in no list any more. */
static void request_finish(struct client_node *node, struct client_request *request,
    enum client_result result, redisReply *reply, const char *error)
{
    struct client_answer answer = { .result = result, .reply = reply, .error = error };
    if (request->sent_us != 0) {
        answer.took_us = now_us() - request->sent_us;
    }
    if (reply_is_error(reply)) {
        answer.error = reply->str;
    }
    if (request->done != NULL && !node->dying) {
        node->busy++;
        request->done(request->context, &answer);
        node->busy--;
    }
    if (answer.reply != NULL) {
        freeReplyObject(answer.reply);
    }
    request_free(request);
}

redisReply *client_answer_take(struct client_answer *answer)
{
    redisReply *reply = answer->reply;
    answer->reply = NULL;
    return reply;
}

void client_request_forget(struct client_request *request)
{
    request->done = NULL;
}

static struct client_request *queue_take(struct client_node *node, struct client_request *request)
{
    TAILQ_REMOVE(&node->queue, request, link);
    node->queued--;
    if (request->bytes != NULL) {
        node->unsent_bytes -= request->len;
    }
    return request;
}

/* --- life and death --- */

struct client_node *client_node_new(struct client *client, const struct address *address)
{
    struct client_node *node = memory_alloc_zeroed(1, sizeof *node);
    node->client = client;
    node->address = *address;
    TAILQ_INIT(&node->queue);
    TAILQ_INIT(&node->overflow);
    node->timer = evtimer_new(client_base(client), on_timer, node);
    return node;
}

static void close_stream(struct client_node *node)
{
    if (node->stream != NULL) {
        bufferevent_free(node->stream);
        redisReaderFree(node->reader);
        node->stream = NULL;
        node->reader = NULL;
    }
    node->unanswered_bytes = 0;
    node->state = IDLE;
}

/* Everything that may call back runs between enter and leave; freeing waits for the last leave. */
static void enter(struct client_node *node)
{
    node->busy++;
}

static void leave(struct client_node *node)
{
    if (--node->busy > 0 || !node->dying) {
        return;
    }
    requests_drop(&node->queue);
    requests_drop(&node->overflow);
    close_stream(node);
    event_free(node->timer);
    free(node);
}

void client_node_free(struct client_node *node)
{
    if (node != NULL) {
        enter(node);
        node->dying = true;
        leave(node);
    }
}

struct client *client_node_client(const struct client_node *node)
{
    return node->client;
}

const struct address *client_node_address(const struct client_node *node)
{
    return &node->address;
}

bool client_node_is_connected(const struct client_node *node)
{
    return node->state == READY;
}

size_t client_node_pending(const struct client_node *node)
{
    return node->queued;
}

/* --- the timer --- */

static void wake_at(struct client_node *node, int64_t at)
{
    if (node->timer_at != 0 && node->timer_at <= at) {
        return;
    }
    node->timer_at = at;
    int64_t left = at - client_now();
    struct timeval wait = { 0, 0 };
    if (left > 0) {
        wait = (struct timeval){ left / 1000, left % 1000 * 1000 };
    }
    event_add(node->timer, &wait);
}

/* Sets the timer for whatever comes next. */
static void schedule(struct client_node *node)
{
    if (node->state == IDLE && !TAILQ_EMPTY(&node->queue)) {
        node->state = PAUSING;
    }
    if (node->state == PAUSING) {
        wake_at(node, node->pause_until);
    }
    if (node->state == CONNECTING || node->state == GREETING) {
        wake_at(node, node->connect_until);
    }
}

/* --- failing --- */

/* Ends the connection. What was sent is lost; what wasn't is refused where `refuse` says so, and
 * else waits for the next connection. error is ours to copy. */
static void give_up(struct client_node *node, enum client_result sent_result, bool refuse)
{
    close_stream(node);
    node->failures++;
    int64_t pause = PAUSE_FIRST_MS << (node->failures < 6 ? node->failures - 1 : 5);
    node->pause_until = client_now() + (pause < PAUSE_MAX_MS ? pause : PAUSE_MAX_MS);
    char error[sizeof node->error];
    snprintf(error, sizeof error, "%s", node->error);

    struct request_list failed;
    TAILQ_INIT(&failed);
    struct client_request *request, *next;
    for (request = TAILQ_FIRST(&node->queue); request != NULL; request = next) {
        next = TAILQ_NEXT(request, link);
        if (refuse || request->sent_us != 0) {
            queue_take(node, request);
            TAILQ_INSERT_TAIL(&failed, request, link);
        }
    }
    while ((request = TAILQ_FIRST(&failed)) != NULL) {
        TAILQ_REMOVE(&failed, request, link);
        request_finish(
            node, request, request->sent_us != 0 ? sent_result : CLIENT_REFUSED, NULL, error);
    }
    if (!node->dying) {
        schedule(node);
    }
}

static void fail_connection(struct client_node *node, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void fail_connection(struct client_node *node, const char *format, ...)
{
    char where[ADDRESS_TEXT_MAX], why[200];
    va_list args;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    describe(node, where);
    snprintf(node->error, sizeof node->error, "%.100s: %s", where, why);
    give_up(node, CLIENT_LOST, node->state != READY);
}

/* --- sending --- */

static void transmit(struct client_node *node, struct client_request *request)
{
    bufferevent_write(node->stream, request->bytes, request->len);
    node->unsent_bytes -= request->len;
    redisFreeCommand(request->bytes);
    request->bytes = NULL;
    request->sent_us = now_us();
}

static void become_ready(struct client_node *node)
{
    node->state = READY;
    node->failures = 0;
    node->error[0] = '\0';
    node->pause_until = 0;
    struct client_request *request;
    TAILQ_FOREACH(request, &node->queue, link)
    {
        if (request->bytes != NULL) {
            transmit(node, request);
        }
    }
}

static struct client_request *request_new(const struct bytes *argv, size_t argc)
{
    struct client_request *request = memory_alloc_zeroed(1, sizeof *request);
    const char **data = memory_alloc(argc * sizeof *data);
    size_t *lens = memory_alloc(argc * sizeof *lens);
    size_t what = 0;
    for (size_t i = 0; i < argc; i++) {
        data[i] = argv[i].data != NULL ? argv[i].data : "";
        lens[i] = argv[i].len;
        if (i < 2) {
            what += (size_t)snprintf(request->what + what, WHAT_MAX - what, "%s%.*s",
                i > 0 ? " " : "", (int)(argv[i].len < 18 ? argv[i].len : 18), data[i]);
        }
    }
    int len = redisFormatCommandArgv(&request->bytes, (int)argc, data, lens);
    if (len < 0) {
        abort();
    }
    request->len = (size_t)len;
    free(data);
    free(lens);
    return request;
}

struct client_request *client_node_send(struct client_node *node, const struct bytes *argv,
    size_t argc, int64_t limit_ms, void (*done)(void *context, struct client_answer *answer),
    void *context)
{
    struct client_request *request = request_new(argv, argc);
    request->done = done;
    request->context = context;
    request->limit_ms = limit_ms > 0 ? limit_ms : client_options(node->client)->request_ms;
    request->deadline = client_now() + request->limit_ms;
    size_t waiting = node->unsent_bytes;
    if (node->stream != NULL) {
        waiting += evbuffer_get_length(bufferevent_get_output(node->stream));
    }
    if (node->queued >= CLIENT_QUEUE_MAX || waiting + request->len > (size_t)CLIENT_OUTPUT_MAX) {
        TAILQ_INSERT_TAIL(&node->overflow, request, link);
        wake_at(node, client_now());
        return request;
    }
    TAILQ_INSERT_TAIL(&node->queue, request, link);
    node->queued++;
    node->unsent_bytes += request->len;
    if (node->state == READY) {
        transmit(node, request);
    }
    wake_at(node, request->deadline);
    schedule(node);
    return request;
}

struct client_request *client_node_send_words(struct client_node *node, int64_t limit_ms,
    void (*done)(void *context, struct client_answer *answer), void *context, ...)
{
    struct bytes argv[WORDS_MAX];
    size_t argc = 0;
    va_list args;
    va_start(args, context);
    const char *word;
    while (argc < WORDS_MAX && (word = va_arg(args, const char *)) != NULL) {
        argv[argc++] = bytes_of(word);
    }
    va_end(args);
    return client_node_send(node, argv, argc, limit_ms, done, context);
}

/* --- AUTH --- */

static void on_greeted(void *context, struct client_answer *answer)
{
    struct client_node *node = context;
    if (answer->result != CLIENT_ANSWERED) {
        return; /* the connection ended, and whoever ended it tells the others */
    }
    /* A node without a password is as good: members of one cluster may differ for a while. */
    if (answer->error != NULL && strstr(answer->error, "without any password") == NULL &&
        strstr(answer->error, "no password is set") == NULL) {
        fail_connection(node, "%.150s", answer->error);
        return;
    }
    become_ready(node);
}

static void greet(struct client_node *node)
{
    const struct client_options *options = client_options(node->client);
    if (options->password[0] == '\0') {
        become_ready(node);
        return;
    }
    struct bytes argv[3] = { BYTES("AUTH"), bytes_of(options->user), bytes_of(options->password) };
    size_t argc = 3;
    if (options->user[0] == '\0') {
        argv[1] = argv[2];
        argc = 2;
    }
    struct client_request *request = request_new(argv, argc);
    snprintf(request->what, sizeof request->what, "AUTH");
    request->done = on_greeted;
    request->context = node;
    request->limit_ms = client_options(node->client)->connect_ms;
    request->deadline = node->connect_until;
    TAILQ_INSERT_HEAD(&node->queue, request, link);
    node->queued++;
    node->unsent_bytes += request->len;
    node->state = GREETING;
    transmit(node, request);
}

/* --- receiving --- */

/* One answer for the first request of the queue. */
static bool take_answer(struct client_node *node)
{
    redisReply *reply = NULL;
    if (redisReaderGetReply(node->reader, (void **)&reply) != REDIS_OK) {
        fail_connection(node, "is no Redis or slotd node: %.100s", node->reader->errstr);
        return false;
    }
    if (reply == NULL) {
        return false;
    }
    node->unanswered_bytes = 0;
    struct client_request *request = TAILQ_FIRST(&node->queue);
    if (request == NULL || request->sent_us == 0) {
        struct bytes text = BYTES("an answer that nobody asked for");
        reply_text(reply, &text);
        fail_connection(node, "said without being asked: %.*s",
            (int)(text.len < 150 ? text.len : 150), text.data);
        freeReplyObject(reply);
        return false;
    }
    queue_take(node, request);
    request_finish(node, request, CLIENT_ANSWERED, reply, NULL);
    return !node->dying && node->stream != NULL;
}

static void on_read(struct bufferevent *stream, void *context)
{
    struct client_node *node = context;
    struct evbuffer *input = bufferevent_get_input(stream);
    char chunk[READ_CHUNK];
    enter(node);
    while (!node->dying && node->stream == stream) {
        int len = evbuffer_remove(input, chunk, sizeof chunk);
        if (len <= 0) {
            break;
        }
        node->unanswered_bytes += (size_t)len;
        if (node->unanswered_bytes > client_options(node->client)->answer_max) {
            fail_connection(node, "an answer of more than %zu bytes, which is over the limit",
                client_options(node->client)->answer_max);
            break;
        }
        if (redisReaderFeed(node->reader, chunk, (size_t)len) != REDIS_OK) {
            fail_connection(node, "is no Redis or slotd node: %.100s", node->reader->errstr);
            break;
        }
        while (take_answer(node)) {
        }
    }
    leave(node);
}

static void on_event(struct bufferevent *stream, short what, void *context)
{
    struct client_node *node = context;
    enter(node);
    if (what & BEV_EVENT_CONNECTED) {
        int on = 1;
        setsockopt(bufferevent_getfd(stream), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        greet(node);
    } else if (what & BEV_EVENT_ERROR) {
        fail_connection(node, "%s", evutil_socket_error_to_string(EVUTIL_SOCKET_ERROR()));
    } else if (what & BEV_EVENT_EOF) {
        if (TAILQ_EMPTY(&node->queue)) {
            close_stream(node);
        } else {
            fail_connection(node, "closed the connection");
        }
    }
    leave(node);
}

/* --- connecting --- */

static void connect_now(struct client_node *node)
{
    struct sockaddr_storage to;
    socklen_t len;
    const char *error = NULL;
    node->state = CONNECTING;
    node->connect_until = client_now() + client_options(node->client)->connect_ms;
    if (!client_resolve_socket(&node->address, &to, &len, &error)) {
        fail_connection(node, "%s", error);
        return;
    }
    node->stream = bufferevent_socket_new(client_base(node->client), -1, BEV_OPT_CLOSE_ON_FREE);
    node->reader = redisReaderCreate();
    if (node->stream == NULL || node->reader == NULL) {
        abort();
    }
    bufferevent_setcb(node->stream, on_read, NULL, on_event, node);
    bufferevent_enable(node->stream, EV_READ | EV_WRITE);
    if (bufferevent_socket_connect(node->stream, (struct sockaddr *)&to, (int)len) != 0 &&
        node->stream != NULL) {
        fail_connection(node, "%s", strerror(errno));
    }
}

void client_node_set_address(struct client_node *node, const struct address *address)
{
    if (!address_equal(&node->address, address)) {
        enter(node);
        if (node->stream != NULL) {
            fail_connection(node, "has another address now");
        }
        node->address = *address;
        node->pause_until = 0;
        leave(node);
    }
}

void client_node_abort(struct client_node *node, const char *why)
{
    enter(node);
    close_stream(node);
    fail_connection(node, "%s", why);
    leave(node);
}

/* --- limits --- */

static void refuse_overflow(struct client_node *node)
{
    struct client_request *request;
    while (!node->dying && (request = TAILQ_FIRST(&node->overflow)) != NULL) {
        TAILQ_REMOVE(&node->overflow, request, link);
        request_finish(node, request, CLIENT_REFUSED, NULL, "too many requests wait for an answer");
    }
}

static void say_timeout(struct client_node *node, const char *what, int64_t limit_ms)
{
    char where[ADDRESS_TEXT_MAX];
    describe(node, where);
    snprintf(node->error, sizeof node->error, "%.100s: no answer%s%s within %g s", where,
        what[0] != '\0' ? " to " : "", what, (double)limit_ms / 1000);
}

/* Requests that wait unsent and are too late by now; the rest keeps waiting for the connection. */
static void expire_unsent(struct client_node *node, int64_t now)
{
    struct client_request *request, *next;
    for (request = TAILQ_FIRST(&node->queue); request != NULL; request = next) {
        next = TAILQ_NEXT(request, link);
        if (request->bytes != NULL && request->deadline <= now) {
            queue_take(node, request);
            TAILQ_INSERT_TAIL(&node->overflow, request, link);
        }
    }
    while (!node->dying && (request = TAILQ_FIRST(&node->overflow)) != NULL) {
        TAILQ_REMOVE(&node->overflow, request, link);
        if (node->error[0] == '\0') {
            say_timeout(node, request->what, request->limit_ms);
        }
        request_finish(node, request, CLIENT_TIMEOUT, NULL, node->error);
    }
}

/* The first limit that passes among what was sent ends the connection. */
static bool expire_sent(struct client_node *node, int64_t now)
{
    struct client_request *request;
    TAILQ_FOREACH(request, &node->queue, link)
    {
        if (request->sent_us != 0 && request->deadline <= now) {
            say_timeout(node, request->what, request->limit_ms);
            give_up(node, CLIENT_TIMEOUT, node->state != READY);
            return true;
        }
    }
    return false;
}

static void wake_for_deadlines(struct client_node *node)
{
    struct client_request *request;
    TAILQ_FOREACH(request, &node->queue, link)
    {
        wake_at(node, request->deadline);
    }
    schedule(node);
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
    struct client_node *node = context;
    int64_t now = client_now();
    enter(node);
    node->timer_at = 0;
    refuse_overflow(node);
    if (!node->dying && node->state == PAUSING && node->pause_until <= now) {
        connect_now(node);
    }
    if (!node->dying && node->state == CONNECTING && node->connect_until <= now) {
        say_timeout(node, "", client_options(node->client)->connect_ms);
        give_up(node, CLIENT_LOST, true);
    }
    if (!node->dying && !expire_sent(node, now) && !node->dying) {
        expire_unsent(node, now);
    }
    if (!node->dying) {
        wake_for_deadlines(node);
    }
    leave(node);
}
