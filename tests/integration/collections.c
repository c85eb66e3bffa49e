/* Large hashes, sets, lists and sorted sets under many clients, while snapshots and full syncs take
 * them: each of these sees one moment, and nobody waits for them. */
#include "tests/support/file.h"
#include "tests/support/node.h"
#include "tests/support/scratch.h"
#include "tests/support/value.h"
#include "tests/support/wait.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

TestSuite(collections, .init = nodes_begin, .fini = nodes_end, .timeout = 120);

enum { CLIENTS = 4, FIELDS = 2000, MEMBERS = 3000, ELEMENTS = 5000, PIPELINE = 20 };

/* ---- Many clients that change a few large keys ---- */

struct load {
    pthread_t thread;
    int port;
    unsigned seed;
    atomic_bool *stop;
    long commands;
    char error[256];
};

static int below(struct load *load, int limit)
{
    return (int)(rand_r(&load->seed) % (unsigned)limit);
}

/* The sum of all fields stays 0 in every moment between two transactions; each member of the first
 * set is in one of both; the third is made of these. The elements of two lists are all there, each
 * once, in whichever of them. */
static int queue_some(struct load *load, struct client *client)
{
    char value[200];
    int a = below(load, FIELDS), b = below(load, FIELDS), m = below(load, MEMBERS);
    switch (below(load, 10)) {
    case 0:
    case 1:
        client_queue(client, "MULTI");
        client_queue(client, "HINCRBY {x}sums f%d 7", a);
        client_queue(client, "HINCRBY {x}sums f%d -7", b);
        client_queue(client, "EXEC");
        return 4;
    case 2:
        client_queue(client, "SMOVE {x}left {x}right m%d", m);
        client_queue(client, "SMOVE {x}right {x}left m%d", below(load, MEMBERS));
        return 2;
    case 3:
        client_queue(client, "SINTERSTORE {x}both {x}left {x}right {x}numbers");
        client_queue(client, "SDIFFSTORE {x}copy {x}left {x}right");
        return 2;
    case 4:
        client_queue(client, "SADD {x}numbers %d %d", a, b);
        client_queue(client, "SPOP {x}numbers 3");
        return 2;
    case 5:
        client_queue(client, "LMOVE {x}front {x}back %s %s", a % 2 ? "LEFT" : "RIGHT",
            b % 2 ? "LEFT" : "RIGHT");
        client_queue(client, "LMOVE {x}back {x}front %s %s", a % 3 ? "LEFT" : "RIGHT",
            b % 3 ? "LEFT" : "RIGHT");
        client_queue(client, "LMOVE {x}front {x}front LEFT RIGHT");
        return 3;
    case 6:
        memset(value, 'l', sizeof(value));
        client_queue(client, "LINSERT {x}lines BEFORE %d %b", b % 50, value, (size_t)(a % 200));
        client_queue(client, "LSET {x}lines %d %d", m % 100, b % 50);
        client_queue(client, "RPUSH {x}lines %d %d", a % 50, b % 50);
        client_queue(client, "LREM {x}lines %d %d", a % 5 - 2, m % 50);
        client_queue(client, "LTRIM {x}lines -1500 -1");
        return 5;
    case 7: /* each has its twin, whose score is less by 1000000 */
        client_queue(client, "MULTI");
        client_queue(client, "ZADD {x}ranked %d up%d", 1000000 + m, a);
        client_queue(client, "ZADD {x}ranked %d down%d", m, a);
        client_queue(client, "ZINCRBY {x}ranked 3 up%d", b);
        client_queue(client, "ZINCRBY {x}ranked 3 down%d", b);
        client_queue(client, "EXEC");
        return 6;
    case 8:
        client_queue(client, "ZUNIONSTORE {x}best 2 {x}ranked {x}left AGGREGATE MAX");
        client_queue(client, "ZREMRANGEBYRANK {x}best %d %d", a, a + 300);
        client_queue(client, "ZPOPMAX {x}best 5");
        return 3;
    default:
        memset(value, 'v', sizeof(value));
        client_queue(client, "HSET {x}values f%d %b", a, value, (size_t)(1 + m % 200));
        client_queue(client, "HDEL {x}values f%d f%d", b, (a * 7) % FIELDS);
        client_queue(client, "HRANDFIELD {x}values 5 WITHVALUES");
        return 3;
    }
}

static void *run(void *arg)
{
    struct load *load = arg;
    struct client *client = client_open(load->port);
    while (!atomic_load(load->stop) && !load->error[0]) {
        int sent = 0;
        while (sent < PIPELINE)
            sent += queue_some(load, client);
        for (int i = 0; i < sent && !load->error[0]; i++) {
            redisReply *reply = client_next(client);
            if (!reply || (reply->type == REDIS_REPLY_ERROR &&
                              strstr(reply->str, "index out of range") == NULL))
                snprintf(load->error, sizeof(load->error), "%s",
                    reply ? reply->str : client_error(client));
            if (reply)
                freeReplyObject(reply);
            load->commands++;
        }
    }
    client_close(client);
    return NULL;
}

static void start(struct load *loads, int port, atomic_bool *stop)
{
    for (int i = 0; i < CLIENTS; i++) {
        loads[i] = (struct load){ .port = port, .seed = (unsigned)i + 1, .stop = stop };
        cr_assert_eq(pthread_create(&loads[i].thread, NULL, run, &loads[i]), 0);
    }
}

static void finish(struct load *loads, atomic_bool *stop)
{
    atomic_store(stop, true);
    for (int i = 0; i < CLIENTS; i++) {
        pthread_join(loads[i].thread, NULL);
        cr_expect_str_eq(loads[i].error, "", "a client was told: %s", loads[i].error);
        cr_expect_gt(loads[i].commands, PIPELINE);
    }
}

static void fill(struct client *client)
{
    for (int i = 0; i < FIELDS; i++)
        client_queue(client, "HSET {x}sums f%d 0", i);
    for (int i = 0; i < MEMBERS; i++)
        client_queue(client, "SADD {x}left m%d", i);
    for (int i = 0; i < ELEMENTS; i++)
        client_queue(client, "RPUSH {x}front %d", i);
    for (int i = 0; i < 200; i++)
        client_queue(client, "RPUSH {x}lines %d", i);
    for (int i = 0; i < FIELDS; i++)
        client_queue(client, "ZADD {x}ranked %d up%d %d down%d", 1000000 + i, i, i, i);
    for (int i = 0; i < FIELDS + MEMBERS + ELEMENTS + 200 + FIELDS; i++)
        freeReplyObject(client_next(client));
}

/* Counts how often each number is in the list. */
static void count_elements(struct client *client, const char *key, int *times)
{
    redisReply *values = client_ask(client, "LRANGE %s 0 -1", key);
    for (size_t i = 0; i < values->elements; i++) {
        int number = atoi(values->element[i]->str);
        cr_assert(number >= 0 && number < ELEMENTS);
        times[number]++;
    }
    freeReplyObject(values);
}

/* The upper half in order is the lower one, by twins: in one moment, whatever has been added. */
static void check_ranked(struct client *client)
{
    redisReply *all = client_ask(client, "ZRANGE {x}ranked 0 -1 WITHSCORES");
    cr_assert_eq(all->elements, FIELDS * 4);
    double before = -1, sum = 0;
    for (size_t i = 0; i < all->elements; i += 2) {
        double score = atof(all->element[i + 1]->str);
        cr_expect_geq(score, before, "not in order");
        before = score;
        sum += all->element[i]->str[0] == 'u' ? score - 1000000 : -score;
    }
    cr_expect_eq(sum, 0, "the twins differ by %f: not one moment", sum);
    freeReplyObject(all);
    cr_expect_eq(client_integer(client, "ZCOUNT {x}ranked -inf +inf"), FIELDS * 2);
}

/* What holds at every moment holds in this node's data. */
static void check_moment(struct node *node)
{
    struct client *client = node_client(node);
    redisReply *values = client_ask(client, "HVALS {x}sums");
    long long sum = 0;
    for (size_t i = 0; i < values->elements; i++)
        sum += atoll(values->element[i]->str);
    cr_expect_eq(values->elements, FIELDS);
    cr_expect_eq(sum, 0, "the sum is %lld: not one moment", sum);
    freeReplyObject(values);
    cr_expect_eq(client_integer(client, "SCARD {x}left") + client_integer(client, "SCARD {x}right"),
        MEMBERS);
    cr_expect_eq(client_integer(client, "SINTERCARD 2 {x}left {x}right"), 0);
    int times[ELEMENTS] = { 0 }, wrong = 0;
    count_elements(client, "{x}front", times);
    count_elements(client, "{x}back", times);
    for (int i = 0; i < ELEMENTS; i++)
        wrong += times[i] != 1;
    cr_expect_eq(wrong, 0, "%d elements are not there once", wrong);
    check_ranked(client);
}

static bool is_saved(struct node *node)
{
    return node_info_is(node, "rdb_bgsave_in_progress", "0");
}

/* A node that loads what the other has saved. */
static void check_file(struct node *saved)
{
    struct node *other = node_prepare("%s", "");
    file_copy(node_path(saved, "dump.rdb"), node_path(other, "dump.rdb"));
    node_launch(other);
    wait_until(20000, node_info_is(other, "loading", "0"));
    check_moment(other);
    node_stop(other);
}

Test(collections, snapshots_of_what_changes)
{
    enum { ROUNDS = 4 };
    struct load loads[CLIENTS];
    atomic_bool stop = false;
    struct node *primary = node_start("%s", "io-threads 2\n");
    fill(node_client(primary));
    start(loads, node_port(primary), &stop);
    for (int round = 0; round < ROUNDS; round++) {
        wait_until(20000, is_saved(primary));
        node_text(primary, "BGSAVE");
        struct node *replica = node_start("replicaof 127.0.0.1 %d\n", node_port(primary));
        wait_until(30000, node_info_is(replica, "master_link_status", "up"));
        wait_until(20000, is_saved(primary));
        cr_expect(node_info_is(primary, "rdb_last_bgsave_status", "ok"));
        check_file(primary);
        if (round == ROUNDS - 1) {
            finish(loads, &stop);
            wait_until(30000, node_in_sync(replica, primary));
            cr_expect(node_same_data(primary, replica));
            check_moment(replica);
        }
        node_stop(replica);
    }
    check_moment(primary);
    cr_expect_geq(node_info_number(primary, "sync_full"), ROUNDS);
}

/* ---- A key with a million members ---- */

/* A tenth of them where a sanitizer makes all ten times slower. */
static int members(void)
{
    return test_slowness() > 1 ? 100000 : 1000000;
}

static void fill_million(struct client *client, const char *command, int per_command)
{
    enum { AHEAD = 50 };
    int queued = 0, total = members();
    const char *format = command[0] == 'H'   ? " field:%d value:%d"
                         : command[0] == 'Z' ? " %d member:%d"
                                             : " member:%d";
    for (int at = 0; at < total; at += per_command) {
        struct buffer line = { 0 };
        buffer_append_text(&line, command);
        for (int i = at; i < at + per_command; i++)
            buffer_printf(&line, format, i, i);
        buffer_terminate(&line);
        cr_assert(client_queue(client, line.data));
        buffer_free(&line);
        if (++queued < AHEAD && at + per_command < total)
            continue;
        for (; queued > 0; queued--)
            freeReplyObject(client_next(client));
    }
}

/* The longest that one command took, in ms, while the condition held. */
#define longest_while(client, condition)                                                           \
    ({                                                                                             \
        int64_t longest_ = 0;                                                                      \
        for (int i_ = 0; i_ < 20 || (condition); i_++) {                                           \
            int64_t start_ = now_us();                                                             \
            client_text(client, "HSET {x}million field:%d changed", (i_ * 7919) % members());      \
            client_text(client, "SADD {x}many new:%d", i_);                                        \
            client_text(client, "LSET {x}long %d changed", (i_ * 7919) % members());               \
            client_text(client, "LPUSH {x}long new:%d", i_);                                       \
            client_text(client, "ZADD {x}ranks %d member:%d", i_, (i_ * 7919) % members());        \
            client_text(client, "SET {x}small %d", i_);                                            \
            int64_t took_ = (now_us() - start_) / 6000;                                            \
            longest_ = took_ > longest_ ? took_ : longest_;                                        \
        }                                                                                          \
        longest_;                                                                                  \
    })

Test(collections, a_million_members_stall_nobody)
{
    struct node *node = node_start("%s", "");
    struct client *client = client_open(node_port(node));
    int64_t start = now_ms();
    fill_million(node_client(node), "HSET {x}million", 100);
    fill_million(node_client(node), "SADD {x}many", 100);
    fill_million(node_client(node), "RPUSH {x}long", 100);
    cr_expect_eq(node_integer(node, "LLEN {x}long"), members());
    fill_million(node_client(node), "ZADD {x}ranks", 100);
    cr_expect_eq(node_integer(node, "HLEN {x}million"), members());
    cr_expect_eq(node_integer(node, "SCARD {x}many"), members());
    cr_expect_eq(node_integer(node, "ZCARD {x}ranks"), members());
    int64_t filling = now_ms() - start;
    start = now_ms();
    node_text(node, "BGSAVE");
    int64_t longest = longest_while(client, !is_saved(node)), took = now_ms() - start;
    fprintf(stderr, "BGSAVE took %lld ms, a command at most %lld ms\n", (long long)took,
        (long long)longest);
    cr_expect_lt(longest, took / 3 + 1, "a command waited for a good part of the snapshot");
    struct node *replica = node_start("replicaof 127.0.0.1 %d\n", node_port(node));
    start = now_ms();
    longest = longest_while(client, !node_info_is(replica, "master_link_status", "up"));
    took = now_ms() - start;
    fprintf(stderr, "the full sync took %lld ms, a command at most %lld ms\n", (long long)took,
        (long long)longest);
    cr_expect_lt(longest, took / 3 + 1, "a command waited for a good part of the full sync");
    wait_until(30000, node_in_sync(replica, node));
    cr_expect(node_same_data(node, replica));
    start = now_us();
    node_expect(node, "1", "DEL {x}million");
    node_expect(node, "1", "DEL {x}long");
    int64_t deleting = (now_us() - start) / 2000;
    cr_expect_lt(deleting, filling / 4 + 1, "DEL took %lld ms, filling %lld", (long long)deleting,
        (long long)filling);
    client_close(client);
}

/* What a command takes away is freed elsewhere, however it is said. */
Test(collections, large_values_go_at_once)
{
    static const char *const steps[][2] = { { "HSET {x}a", "DEL {x}a" },
        { "SADD {x}a", "SET {x}a v" }, { "ZADD {x}a", "RENAME {x}b {x}a" },
        { "HSET {x}a", "FLUSHALL ASYNC" }, { "RPUSH {x}a", "PEXPIRE {x}a -1" },
        { "ZADD {x}a", "UNLINK {x}a" } };
    struct node *node = node_start("%s", "");
    int64_t freed = 0;
    for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
        const char *fill = steps[i][0], *away = steps[i][1];
        fill_million(node_client(node), fill, 100);
        node_expect(node, "OK", "SET {x}b v");
        client_text(node_client(node), away);
        wait_until(10000, node_info_number(node, "lazyfree_pending_objects") == 0);
        int64_t now = node_info_number(node, "lazyfreed_objects");
        cr_expect_gt(now, freed, "%s after %s was not freed elsewhere", away, fill);
        freed = now;
        node_text(node, "FLUSHALL");
    }
}
