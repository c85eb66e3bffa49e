/* Redis is the oracle, and chance asks the questions: the same long run of commands, drawn from a
 * seed, goes to redis-server and to the server under test; every reply must be the same, and in the
 * end the data. The seed is printed; RANDOM_SEED=N draws the same run again, RANDOM_COUNT=N draws
 * more or fewer. */
#include "tests/support/draw.h"
#include "tests/support/node.h"
#include "tests/support/normalize.h"
#include "tests/support/raw.h"
#include "tests/support/scratch.h"
#include "tests/support/value.h"
#include "tests/support/wait.h"
#include <stdio.h>
#include <stdlib.h>

TestSuite(random, .init = nodes_begin, .fini = nodes_end, .timeout = 200);

enum {
    COUNT = 100000,
    BATCH = 250,
    SHOWN = 2, /* of each form */
    DIFFERENCES_MAX = 5000
};

struct sides {
    struct node *node[2];
    struct raw *raw[2];
    int differences;
    int shown[DRAW_FORMS_MAX]; /* differences of each form */
};

static void compare_batch(struct sides *sides, const struct draw_form **batch, const struct buffer *sent,
    const size_t *starts, int size)
{
    for (int i = 0; i < size; i++) {
        struct bytes replies[2];
        for (int side = 0; side < 2; side++) {
            replies[side] = raw_reply(sides->raw[side], 20000);
            cr_assert_gt(replies[side].len, 0, "no reply of %s to \"%s\"",
                node_program(sides->node[side]),
                raw_escape((struct bytes){ sent->data + starts[i], starts[i + 1] - starts[i] }));
        }
        static const enum normalize_kind kinds[] = { [DRAW_EXACT] = NORMALIZE_EXACT,
            [DRAW_TIMED] = NORMALIZE_NEAR, [DRAW_UNORDERED] = NORMALIZE_UNORDERED,
            [DRAW_PAIRS] = NORMALIZE_PAIRS, [DRAW_DEEP] = NORMALIZE_DEEP };
        struct normalize normalize = { kinds[batch[i]->how], BYTES("3000") };
        if (normalize_equal(&normalize, replies[0], replies[1]))
            continue;
        sides->differences++;
        if (sides->shown[draw_form_index(batch[i])]++ < SHOWN)
            fprintf(stderr, "\"%s\"\n  redis-server \"%s\"\n  under test   \"%s\"\n",
                raw_escape((struct bytes){ sent->data + starts[i], starts[i + 1] - starts[i] }),
                raw_escape(replies[0]), raw_escape(replies[1]));
    }
}

static void run_batch(struct sides *sides, struct draw *draw, int size)
{
    const struct draw_form *batch[BATCH];
    size_t starts[BATCH + 1];
    struct buffer out = { 0 };
    for (int i = 0; i < size; i++) {
        starts[i] = out.len;
        batch[i] = draw_command(draw, &out);
    }
    starts[size] = out.len;
    for (int side = 0; side < 2; side++)
        cr_assert(raw_send(sides->raw[side], out.data, out.len), "%s has closed the connection",
            node_program(sides->node[side]));
    compare_batch(sides, batch, &out, starts, size);
    buffer_free(&out);
}

/* The DUMP of one side, loaded by the other, is the same value. */
static void compare_dump(struct client *from, struct client *to, const redisReply *key)
{
    redisReply *dump = client_ask(from, "DUMP %b", key->str, key->len);
    redisReply *ok = client_ask(to, "RESTORE {copy} 0 %b REPLACE", dump->str, dump->len);
    cr_expect(ok->type == REDIS_REPLY_STATUS &&
                  value_equal(from, key->str, key->len, to, "{copy}", strlen("{copy}")),
        "%s: dumped there and restored here it is another value: %s", key->str, reply_text(ok));
    freeReplyObject(dump);
    freeReplyObject(ok);
}

static void compare_data(struct sides *sides)
{
    struct client *redis = node_client(sides->node[0]), *other = node_client(sides->node[1]);
    redisReply *keys = client_run(redis, "KEYS *");
    /* Keys that have expired are counted until somebody looks. */
    wait_until(10000, client_integer(redis, "DBSIZE") == (int64_t)keys->elements &&
                          client_integer(other, "DBSIZE") == (int64_t)keys->elements);
    for (size_t i = 0; i < keys->elements; i++) {
        const redisReply *key = keys->element[i];
        cr_expect(value_equal(redis, key->str, key->len, other, key->str, key->len),
            "%s is another value", key->str);
        int64_t expires = client_integer(redis, "PEXPIRETIME %b", key->str, key->len);
        int64_t expires_there = client_integer(other, "PEXPIRETIME %b", key->str, key->len);
        cr_expect(llabs(expires - expires_there) < 3000 && (expires < 0) == (expires_there < 0),
            "%s expires at %lld, and at %lld", key->str, (long long)expires,
            (long long)expires_there);
        compare_dump(redis, other, key);
        compare_dump(other, redis, key);
    }
}

static uint64_t number_from(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

static void run(int protocol)
{
    struct sides sides = { 0 };
    struct draw draw = { .state = number_from("RANDOM_SEED", (uint64_t)now_us() * 2 + 1) };
    int count = (int)number_from("RANDOM_COUNT", COUNT);
    fprintf(stderr, "RANDOM_SEED=%llu (RESP%d, %d commands)\n", (unsigned long long)draw.state,
        protocol, count);
    for (int side = 0; side < 2; side++) {
        sides.node[side] = node_start_program(
            side == 0 ? "redis-server" : NULL, "cluster-enabled yes\ncluster-node-timeout 500\n"
                                            "hash-max-listpack-entries 6\n"
                                            "hash-max-listpack-value 20\n"
                                            "zset-max-listpack-entries 6\n"
                                            "zset-max-listpack-value 20\n"
                                            "set-max-intset-entries 6\n");
        node_expect(sides.node[side], "OK", "CLUSTER ADDSLOTSRANGE 0 16383");
    }
    for (int side = 0; side < 2; side++) {
        wait_until(
            10000, strstr(node_text(sides.node[side], "CLUSTER INFO"), "cluster_state:ok") != NULL);
        sides.raw[side] = raw_open(node_port(sides.node[side]));
        if (protocol == 3) {
            raw_send_text(sides.raw[side], "HELLO 3\r\n");
            raw_reply(sides.raw[side], 5000);
        }
    }
    for (int done = 0; done < count && sides.differences < DIFFERENCES_MAX; done += BATCH)
        run_batch(&sides, &draw, BATCH);
    cr_expect_eq(sides.differences, 0, "%d replies differ", sides.differences);
    compare_data(&sides);
}

Test(random, resp2)
{
    run(2);
}

Test(random, resp3)
{
    run(3);
}
