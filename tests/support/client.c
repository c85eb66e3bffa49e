/* A client of one address; see the header. */
#include "tests/support/client.h"
#include "common/buffer.h"
#include "tests/support/scratch.h"
#include "tests/support/wait.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct client {
    redisContext *context; /* NULL: not connected */
    const char *path;      /* of a Unix socket, or NULL */
    int port;
    int timeout_ms;
    char error[160];
    redisReply **kept; /* replies that live as long as this */
    size_t kept_count;
};

static struct client *client_new(int port, const char *path)
{
    signal(SIGPIPE, SIG_IGN);
    struct client *client = calloc(1, sizeof(*client));
    cr_assert_not_null(client);
    client->port = port;
    client->path = path;
    client->timeout_ms = 10000;
    return client;
}

struct client *client_open(int port)
{
    return client_new(port, NULL);
}

struct client *client_open_unix(const char *path)
{
    return client_new(0, scratch_printf("%s", path));
}

void client_close(struct client *client)
{
    if (client == NULL)
        return;
    client_break(client);
    for (size_t i = 0; i < client->kept_count; i++)
        freeReplyObject(client->kept[i]);
    free(client->kept);
    free(client);
}

void client_break(struct client *client)
{
    if (client->context != NULL)
        redisFree(client->context);
    client->context = NULL;
}

void client_set_timeout(struct client *client, int ms)
{
    client->timeout_ms = ms;
    client_break(client);
}

bool client_connect(struct client *client)
{
    if (client->context != NULL && client->context->err == 0)
        return true;
    client_break(client);
    int64_t us = (int64_t)(client->timeout_ms * test_slowness()) * 1000;
    struct timeval limit = { .tv_sec = us / 1000000, .tv_usec = us % 1000000 };
    client->context = client->path != NULL
                          ? redisConnectUnixWithTimeout(client->path, limit)
                          : redisConnectWithTimeout("127.0.0.1", client->port, limit);
    if (client->context != NULL && client->context->err == 0 &&
        redisSetTimeout(client->context, limit) == REDIS_OK)
        return true;
    snprintf(client->error, sizeof(client->error), "%s",
        client->context != NULL ? client->context->errstr : "no memory");
    client_break(client);
    return false;
}

const char *client_error(struct client *client)
{
    return client->error;
}

static redisReply *next_reply(struct client *client)
{
    void *reply = NULL;
    if (redisGetReply(client->context, &reply) == REDIS_OK)
        return reply;
    snprintf(client->error, sizeof(client->error), "%s", client->context->errstr);
    client_break(client);
    return NULL;
}

static redisReply *vask(struct client *client, const char *format, va_list args)
{
    if (!client_connect(client) || redisvAppendCommand(client->context, format, args) != REDIS_OK)
        return NULL;
    return next_reply(client);
}

redisReply *client_ask(struct client *client, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    redisReply *reply = vask(client, format, args);
    va_end(args);
    return reply;
}

redisReply *client_ask_argv(struct client *client, int argc, const char **argv, const size_t *lens)
{
    if (!client_connect(client) ||
        redisAppendCommandArgv(client->context, argc, argv, lens) != REDIS_OK)
        return NULL;
    return next_reply(client);
}

static redisReply *keep(struct client *client, redisReply *reply)
{
    if (reply == NULL)
        return NULL;
    client->kept = realloc(client->kept, (client->kept_count + 1) * sizeof(*client->kept));
    cr_assert_not_null(client->kept);
    client->kept[client->kept_count++] = reply;
    return reply;
}

redisReply *client_vrun(struct client *client, const char *format, va_list args)
{
    return keep(client, vask(client, format, args));
}

redisReply *client_run(struct client *client, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    redisReply *reply = client_vrun(client, format, args);
    va_end(args);
    return reply;
}

redisReply *client_run_argv(struct client *client, int argc, const char **argv, const size_t *lens)
{
    return keep(client, client_ask_argv(client, argc, argv, lens));
}

bool client_queue(struct client *client, const char *format, ...)
{
    if (!client_connect(client))
        return false;
    va_list args;
    va_start(args, format);
    bool queued = redisvAppendCommand(client->context, format, args) == REDIS_OK;
    va_end(args);
    return queued;
}

bool client_flush(struct client *client)
{
    int done = 0;
    while (client->context != NULL && !done) {
        if (redisBufferWrite(client->context, &done) != REDIS_OK)
            return false;
    }
    return client->context != NULL;
}

redisReply *client_next(struct client *client)
{
    return client->context != NULL ? next_reply(client) : NULL;
}

static void append_reply(struct buffer *out, const redisReply *reply)
{
    switch (reply->type) {
    case REDIS_REPLY_NIL:
        buffer_append_text(out, "(nil)");
        break;
    case REDIS_REPLY_INTEGER:
        buffer_printf(out, "%lld", reply->integer);
        break;
    case REDIS_REPLY_ARRAY:
        buffer_append_char(out, '[');
        for (size_t i = 0; i < reply->elements; i++) {
            buffer_append_text(out, i > 0 ? ", " : "");
            append_reply(out, reply->element[i]);
        }
        buffer_append_char(out, ']');
        break;
    case REDIS_REPLY_ERROR:
        buffer_append_char(out, '-');
        buffer_append(out, reply->str, reply->len);
        break;
    default:
        buffer_append(out, reply->str, reply->len);
    }
}

const char *reply_text(const redisReply *reply)
{
    if (reply == NULL)
        return NULL;
    struct buffer text = { 0 };
    append_reply(&text, reply);
    const char *copy = scratch_copy(text.len > 0 ? text.data : "", text.len);
    buffer_free(&text);
    return copy;
}

static const char *vtext(struct client *client, const char *format, va_list args)
{
    redisReply *reply = vask(client, format, args);
    const char *text = reply_text(reply);
    if (reply != NULL)
        freeReplyObject(reply);
    return text;
}

const char *client_try(struct client *client, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *text = vtext(client, format, args);
    va_end(args);
    return text;
}

const char *client_text(struct client *client, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *text = vtext(client, format, args);
    va_end(args);
    cr_assert_not_null(text, "%s (port %d): no reply: %s", format, client->port, client->error);
    return text;
}

int64_t client_integer(struct client *client, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *text = vtext(client, format, args);
    va_end(args);
    cr_assert_not_null(text, "%s (port %d): no reply: %s", format, client->port, client->error);
    char *end;
    int64_t value = strtoll(text, &end, 10);
    cr_assert(end != text && *end == 0, "%s: not an integer: %s", format, text);
    return value;
}

void client_check_text(const char *file, int line, const char *expected, const char *got)
{
    size_t len = strlen(expected);
    bool equal = len > 0 && expected[len - 1] == '*' ? strncmp(expected, got, len - 1) == 0
                                                     : strcmp(expected, got) == 0;
    cr_assert(equal, "%s:%d: expected \"%s\", got \"%s\"", file, line, expected, got);
}

const char *info_field(const char *text, const char *name)
{
    size_t len = strlen(name);
    for (const char *line = text; line != NULL && *line != 0;) {
        if (strncmp(line, name, len) == 0 && line[len] == ':') {
            const char *value = line + len + 1;
            return scratch_copy(value, strcspn(value, "\r\n"));
        }
        line = strchr(line, '\n');
        line = line != NULL ? line + 1 : NULL;
    }
    return NULL;
}

int64_t info_number(const char *text, const char *name)
{
    const char *value = info_field(text, name);
    return value != NULL ? strtoll(value, NULL, 10) : -1;
}
