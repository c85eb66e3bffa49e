/* A command for each type asks for the whole value; its reply is written out with lengths, so that
 * no two values look alike. */
#include "tests/support/value.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

/* How the value of a type is asked for; %b is the key. group: elements that belong together where
 * their order means nothing, 0 where it means something. */
static const struct {
    const char *type, *command;
    size_t group;
} rows[] = {
    { "string", "GET %b", 0 },
    { "list", "LRANGE %b 0 -1", 0 },
    { "set", "SMEMBERS %b", 1 },
    { "hash", "HGETALL %b", 2 },
    { "zset", "ZRANGE %b 0 -1 WITHSCORES", 0 },
    { "stream", "XRANGE %b - +", 0 },
};

static void write_reply(struct buffer *out, const redisReply *reply)
{
    if (reply->type == REDIS_REPLY_INTEGER) {
        buffer_printf(out, ":%lld ", reply->integer);
    } else if (reply->elements > 0 || reply->type == REDIS_REPLY_ARRAY) {
        buffer_printf(out, "*%zu ", reply->elements);
        for (size_t i = 0; i < reply->elements; i++)
            write_reply(out, reply->element[i]);
    } else {
        buffer_printf(out, "%d:%zu ", reply->type, reply->len);
        buffer_append(out, reply->str, reply->len);
        buffer_append_char(out, ' ');
    }
}

static int compare(const void *a, const void *b)
{
    const struct buffer *left = a, *right = b;
    size_t len = left->len < right->len ? left->len : right->len;
    int order = memcmp(left->data, right->data, len);
    return order ? order : (left->len > right->len) - (left->len < right->len);
}

static void write_sorted(struct buffer *out, const redisReply *reply, size_t group)
{
    size_t count = reply->elements / group;
    struct buffer *parts = calloc(count + 1, sizeof(*parts));
    for (size_t i = 0; i < count * group; i++)
        write_reply(&parts[i / group], reply->element[i]);
    qsort(parts, count, sizeof(*parts), compare);
    for (size_t i = 0; i < count; i++) {
        buffer_append(out, parts[i].data, parts[i].len);
        buffer_free(&parts[i]);
    }
    free(parts);
}

struct buffer value_text(struct client *client, const char *key, size_t len)
{
    struct buffer out = { 0 };
    redisReply *type = client_ask(client, "TYPE %b", key, len);
    cr_assert_not_null(type, "no reply: %s", client_error(client));
    buffer_append_text(&out, type->str);
    buffer_append_char(&out, ' ');
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        if (strcmp(rows[i].type, type->str) != 0)
            continue;
        redisReply *reply = client_ask(client, rows[i].command, key, len);
        cr_assert_not_null(reply, "no reply: %s", client_error(client));
        if (rows[i].group && reply->type == REDIS_REPLY_ARRAY)
            write_sorted(&out, reply, rows[i].group);
        else
            write_reply(&out, reply);
        freeReplyObject(reply);
    }
    freeReplyObject(type);
    return out;
}

bool value_equal(struct client *a, const char *key, size_t len, struct client *b, const char *other,
    size_t other_len)
{
    struct buffer left = value_text(a, key, len), right = value_text(b, other, other_len);
    bool equal = bytes_equal(buffer_bytes(&left), buffer_bytes(&right));
    if (!equal) {
        enum { SHOWN = 300 };
        fprintf(stderr, "%.*s: %.*s\n  and %.*s: %.*s\n", (int)len, key,
            (int)(left.len < SHOWN ? left.len : SHOWN), left.data, (int)other_len, other,
            (int)(right.len < SHOWN ? right.len : SHOWN), right.data);
    }
    buffer_free(&left);
    buffer_free(&right);
    return equal;
}
