/* Comparing the data of two nodes: every key of the one, its value and its expiry, is asked of both
 * in pipelines. */
#include "tests/support/node.h"
#include "tests/support/scratch.h"
#include "tests/support/value.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 500 };

static bool replies_equal(const redisReply *a, const redisReply *b)
{
    if (a == NULL || b == NULL || a->type != b->type)
        return false;
    if (a->type == REDIS_REPLY_INTEGER)
        return a->integer == b->integer;
    return a->len == b->len && (a->len == 0 || memcmp(a->str, b->str, a->len) == 0);
}

static void queue_key(struct client *client, const redisReply *key)
{
    client_queue(client, "GET %b", key->str, key->len);
    client_queue(client, "PEXPIRETIME %b", key->str, key->len);
}

/* GET was no way to ask for it. */
static bool is_collection(const redisReply *reply)
{
    return reply != NULL && reply->type == REDIS_REPLY_ERROR &&
           strncmp(reply->str, "WRONGTYPE", 9) == 0;
}

static bool same_batch(struct client *a, struct client *b, redisReply **keys, size_t count)
{
    bool same = true;
    bool *collections = calloc(count, sizeof(*collections));
    for (size_t i = 0; i < count; i++) {
        queue_key(a, keys[i]);
        queue_key(b, keys[i]);
    }
    for (size_t i = 0; i < 2 * count; i++) {
        redisReply *left = client_next(a), *right = client_next(b);
        if (!replies_equal(left, right) && same) {
            fprintf(stderr, "key %s differs: %s and %s\n", keys[i / 2]->str, reply_text(left),
                reply_text(right));
            same = false;
        }
        collections[i / 2] |= is_collection(left);
        if (left != NULL)
            freeReplyObject(left);
        if (right != NULL)
            freeReplyObject(right);
    }
    for (size_t i = 0; i < count && same; i++) {
        if (collections[i])
            same = value_equal(a, keys[i]->str, keys[i]->len, b, keys[i]->str, keys[i]->len);
    }
    free(collections);
    return same;
}

bool node_same_data(struct node *a, struct node *b)
{
    struct client *left = client_open(node_port(a)), *right = client_open(node_port(b));
    client_try(left, "READONLY");
    client_try(right, "READONLY");
    redisReply *keys = client_run(left, "KEYS *");
    int64_t count = client_integer(right, "DBSIZE");
    cr_assert_not_null(keys);
    bool same = (int64_t)keys->elements == count;
    if (!same)
        fprintf(stderr, "%zu keys in %s, %lld in %s\n", keys->elements, node_address(a),
            (long long)count, node_address(b));
    for (size_t at = 0; same && at < keys->elements; at += BATCH) {
        size_t left_over = keys->elements - at;
        same = same_batch(left, right, keys->element + at, left_over < BATCH ? left_over : BATCH);
    }
    client_close(left);
    client_close(right);
    return same;
}
