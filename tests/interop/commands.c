/* What COMMAND INFO, COMMAND DOCS and COMMAND GETKEYSANDFLAGS say of every command that
 * redis-server and the server under test both have, in RESP2 and RESP3. Summaries, complexities and
 * the words of histories are each server's own; all else is equal, but for what `meant` names. */
#include "common/buffer.h"
#include "tests/support/node.h"
#include "tests/support/raw.h"
#include "tests/support/scratch.h"
#include "tests/support/wait.h"
#include <stdlib.h>
#include <string.h>

TestSuite(commands, .init = nodes_begin, .fini = nodes_end, .timeout = 120);

/* Differences that are meant: a command and the part of it, with the reason. */
static const struct {
    const char *name, *part, *reason;
} meant[] = {
    { "zrank", "arity", "WITHSCORE, of Redis 7.2" },
    { "zrank", "arguments", "WITHSCORE, of Redis 7.2" },
    { "zrank", "history", "WITHSCORE, of Redis 7.2" },
    { "zrevrank", "arity", "WITHSCORE, of Redis 7.2" },
    { "zrevrank", "arguments", "WITHSCORE, of Redis 7.2" },
    { "zrevrank", "history", "WITHSCORE, of Redis 7.2" },
    { "zrank", "keys", "WITHSCORE, of Redis 7.2: one word more is no error" },
    { "zrevrank", "keys", "WITHSCORE, of Redis 7.2: one word more is no error" },
    { "migrate", "keys", "that KEYS wants an empty key before it MIGRATE itself says" },
    { "client|kill", "arguments", "arguments have no deprecated_since here" },
    { "client|list", "arguments", "arguments have no deprecated_since here" },
    { "pfmerge", "keys", "it has one key, and is routed by it" },
    { "pubsub|help", "categories", "it is of @pubsub as all of PUBSUB" },
};

static bool is_meant(const char *name, const char *part)
{
    for (size_t i = 0; i < sizeof(meant) / sizeof(*meant); i++) {
        if (strcasecmp(meant[i].name, name) == 0 && strcmp(meant[i].part, part) == 0)
            return true;
    }
    return false;
}

static const char *text_of(const redisReply *reply)
{
    return reply ? reply_text(reply) : "(nothing)";
}

static void compare(
    const char *name, const char *part, const redisReply *expected, const redisReply *got)
{
    const char *left = text_of(expected), *right = text_of(got);
    if (expected && got && expected->type != got->type)
        right = scratch_printf("%s, of another type", right);
    if (strcmp(left, right) != 0 && !is_meant(name, part))
        cr_expect(false, "%s, %s: redis-server says %s, the server under test %s", name, part, left,
            right);
}

static int by_text(const void *a, const void *b)
{
    const redisReply *const *left = a, *const *right = b;
    return strcmp(text_of(*left), text_of(*right));
}

static void compare_unordered(
    const char *name, const char *part, redisReply *expected, redisReply *got)
{
    qsort(expected->element, expected->elements, sizeof(*expected->element), by_text);
    qsort(got->element, got->elements, sizeof(*got->element), by_text);
    compare(name, part, expected, got);
}

/* ---- COMMAND INFO ---- */

static redisReply *info_named(redisReply *list, const char *name)
{
    for (size_t i = 0; i < list->elements; i++) {
        if (strcmp(list->element[i]->element[0]->str, name) == 0)
            return list->element[i];
    }
    return NULL;
}

static void compare_info(redisReply *expected, redisReply *got)
{
    static const char *const parts[] = { "name", "arity", "flags", "first key", "last key", "step",
        "categories", "tips", "key specifications" };
    enum { FLAGS = 2, CATEGORIES = 6, SUBCOMMANDS = 9, FIELDS };
    const char *name = expected->element[0]->str;
    cr_assert(expected->elements == FIELDS && got->elements == FIELDS, "%s: %zu and %zu fields",
        name, expected->elements, got->elements);
    for (size_t i = 0; i < SUBCOMMANDS; i++) {
        redisReply *left = expected->element[i], *right = got->element[i];
        if (i == FLAGS || i == CATEGORIES)
            compare_unordered(name, parts[i], left, right);
        else
            compare(name, parts[i], left, right);
    }
    redisReply *subcommands = expected->element[SUBCOMMANDS];
    for (size_t i = 0; i < subcommands->elements; i++) {
        redisReply *left = subcommands->element[i];
        redisReply *right = info_named(got->element[SUBCOMMANDS], left->element[0]->str);
        if (right) /* tests/tool/command-table tells which are missing */
            compare_info(left, right);
    }
}

/* ---- COMMAND DOCS ---- */

/* Maps are arrays of names and values in RESP2, and come like that in RESP3, too. */
static redisReply *value_of(redisReply *map, const char *name)
{
    for (size_t i = 0; map && i + 1 < map->elements; i += 2) {
        if (strcmp(map->element[i]->str, name) == 0)
            return map->element[i + 1];
    }
    return NULL;
}

static const char *versions_of(const redisReply *history)
{
    struct buffer text = { 0 };
    for (size_t i = 0; history && i < history->elements; i++)
        buffer_printf(&text, "%s ", history->element[i]->element[0]->str);
    buffer_terminate(&text);
    const char *copy = scratch_printf("%s", text.data);
    buffer_free(&text);
    return copy;
}

static void compare_docs(const char *name, redisReply *expected, redisReply *got)
{
    static const char *const parts[] = { "since", "group", "module", "doc_flags",
        "deprecated_since", "replaced_by", "arguments" };
    for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
        compare(name, parts[i], value_of(expected, parts[i]), value_of(got, parts[i]));
    cr_expect(value_of(got, "summary") != NULL, "%s has no summary", name);
    cr_expect(!value_of(expected, "complexity") || value_of(got, "complexity"),
        "%s has no complexity", name);
    const char *left = versions_of(value_of(expected, "history"));
    const char *right = versions_of(value_of(got, "history"));
    cr_expect(strcmp(left, right) == 0 || is_meant(name, "history"),
        "%s: the versions of its history are %s, of the server under test's %s", name, left, right);
    redisReply *subcommands = value_of(expected, "subcommands");
    for (size_t i = 0; subcommands && i + 1 < subcommands->elements; i += 2) {
        const char *sub = subcommands->element[i]->str;
        redisReply *other = value_of(value_of(got, "subcommands"), sub);
        if (other)
            compare_docs(sub, subcommands->element[i + 1], other);
    }
}

/* hiredis reads nine levels of replies in replies, and documents go deeper. */
static redisReply *parse(const char **at)
{
    redisReply *reply = calloc(1, sizeof(*reply));
    char kind = **at;
    long long number = atoll(*at + 1);
    const char *line = *at + 1, *end = strstr(line, "\r\n");
    *at = end + 2;
    if (kind == '*' || kind == '%' || kind == '~') {
        reply->type = REDIS_REPLY_ARRAY;
        reply->elements = (size_t)(kind == '%' ? 2 * number : number);
        reply->element = calloc(reply->elements + 1, sizeof(*reply->element));
        for (size_t i = 0; i < reply->elements; i++)
            reply->element[i] = parse(at);
        return reply;
    }
    if (kind == ':') {
        reply->type = REDIS_REPLY_INTEGER;
        reply->integer = number;
        return reply;
    }
    reply->type = kind == '-' ? REDIS_REPLY_ERROR : REDIS_REPLY_STRING;
    reply->len = (size_t)(end - line);
    if (kind == '$') {
        line = *at;
        reply->len = (size_t)number;
        *at += number + 2;
    }
    reply->str = calloc(1, reply->len + 1);
    memcpy(reply->str, line, reply->len);
    return reply;
}

static redisReply *ask_docs(struct raw *raw, const char *name)
{
    raw_send_text(raw, scratch_printf("COMMAND DOCS %s\r\n", name));
    struct bytes bytes = raw_reply(raw, 10000);
    cr_assert_gt(bytes.len, 0, "no documents of %s", name);
    const char *at = scratch_printf("%.*s", (int)bytes.len, bytes.data);
    return parse(&at);
}

/* ---- Keys ---- */

/* Calls with up to eight words behind the name, of which any may be a number of keys. */
static void compare_keys(const char *name, struct client *expected, struct client *got)
{
    enum { WORDS = 11 };
    const char *words[WORDS] = { "COMMAND", "GETKEYSANDFLAGS", name, "1", "2", "2", "STORE", "1",
        "KEYS", "STREAMS", "1" };
    for (int count = 3; count <= WORDS; count++) {
        redisReply *left = client_ask_argv(expected, count, words, NULL);
        redisReply *right = client_ask_argv(got, count, words, NULL);
        compare(name, "keys", left, right);
        freeReplyObject(left);
        freeReplyObject(right);
    }
}

/* ---- All of them ---- */

static struct client *open_in(struct node *node, int protocol)
{
    struct client *client = client_open(node_port(node));
    freeReplyObject(client_ask(client, "HELLO %d", protocol));
    return client;
}

static void compare_all(int protocol)
{
    struct node *redis = node_start_program("redis-server", "io-threads 1\n");
    struct node *tested = node_start("cluster-enabled no\n");
    struct client *a = open_in(redis, protocol), *b = open_in(tested, protocol);
    redisReply *names = client_ask(a, "COMMAND LIST");
    struct raw *raws[] = { raw_open(node_port(redis)), raw_open(node_port(tested)) };
    for (int i = 0; i < 2; i++) {
        raw_send_text(raws[i], scratch_printf("HELLO %d\r\n", protocol));
        cr_assert_gt(raw_reply(raws[i], 10000).len, 0);
    }
    size_t both = 0;
    for (size_t i = 0; i < names->elements; i++) {
        const char *name = names->element[i]->str;
        redisReply *left = client_ask(a, "COMMAND INFO %s", name);
        redisReply *right = client_ask(b, "COMMAND INFO %s", name);
        redisReply *left_docs = ask_docs(raws[0], name), *right_docs = ask_docs(raws[1], name);
        if (right->element[0]->elements > 0) {
            both++;
            compare_info(left->element[0], right->element[0]);
            compare_docs(name, value_of(left_docs, name), value_of(right_docs, name));
            compare_keys(name, a, b);
        }
        freeReplyObject(left);
        freeReplyObject(right);
        freeReplyObject(left_docs);
        freeReplyObject(right_docs);
    }
    cr_expect_gt(both, 150, "only %zu commands are in both servers", both);
    freeReplyObject(names);
    client_close(a);
    client_close(b);
    raw_close(raws[0]);
    raw_close(raws[1]);
}

Test(commands, are_told_alike_in_resp2)
{
    compare_all(2);
}

Test(commands, are_told_alike_in_resp3)
{
    compare_all(3);
}
