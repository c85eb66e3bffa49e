/* Commands of all types, drawn by chance, from several connections at once: what comes of them is
 * the same on replicas, however they were attached, and in what is on the disk after a kill -9. */
#include "tests/support/draw.h"
#include "tests/support/file.h"
#include "tests/support/node.h"
#include "tests/support/raw.h"
#include "tests/support/scratch.h"
#include "tests/support/value.h"
#include "tests/support/wait.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

TestSuite(load, .init = nodes_begin, .fini = nodes_end, .timeout = 120);

enum { LOADS = 3, BATCH = 50 };

static const char limits[] = "hash-max-listpack-entries 20\nzset-max-listpack-entries 20\n"
                             "set-max-intset-entries 20\nrepl-diskless-sync-delay 0\n";

/* ---- The load ---- */

struct load {
    pthread_t thread;
    struct raw *raw;
    struct draw draw;
    atomic_bool *stop;
    atomic_long commands;
    bool broken;
};

static void *run_load(void *argument)
{
    struct load *load = argument;
    struct buffer out = { 0 };
    while (!atomic_load(load->stop) && !load->broken) {
        buffer_consume(&out, out.len);
        for (int i = 0; i < BATCH; i++)
            draw_command(&load->draw, &out);
        load->broken = !raw_send(load->raw, out.data, out.len);
        for (int i = 0; i < BATCH && !load->broken; i++)
            load->broken = raw_reply(load->raw, 20000).len == 0;
        atomic_fetch_add(&load->commands, BATCH);
    }
    buffer_free(&out);
    return NULL;
}

static void start_loads(struct load *loads, struct node *node, atomic_bool *stop)
{
    const char *seed = getenv("RANDOM_SEED");
    uint64_t state = seed ? strtoull(seed, NULL, 10) : (uint64_t)now_us() * 2 + 1;
    fprintf(stderr, "RANDOM_SEED=%llu\n", (unsigned long long)state);
    for (int i = 0; i < LOADS; i++) {
        loads[i] = (struct load){ .raw = raw_open(node_port(node)),
            .draw = { .state = state + (uint64_t)i * 1000, .by_chance = true },
            .stop = stop };
        pthread_create(&loads[i].thread, NULL, run_load, &loads[i]);
    }
}

static long commands_of(struct load *loads)
{
    long sum = 0;
    for (int i = 0; i < LOADS; i++)
        sum += atomic_load(&loads[i].commands);
    return sum;
}

static void stop_loads(struct load *loads, atomic_bool *stop)
{
    atomic_store(stop, true);
    for (int i = 0; i < LOADS; i++) {
        pthread_join(loads[i].thread, NULL);
        cr_expect(!loads[i].broken, "a connection broke under the load");
        raw_close(loads[i].raw);
    }
}

/* ---- Comparing ---- */

/* Group for group: how far it is, and how much is pending. */
static bool same_groups(struct client *a, struct client *b, const redisReply *key)
{
    redisReply *there = client_ask(a, "XINFO GROUPS %b", key->str, key->len);
    const char *text = scratch_printf("%s", reply_text(there));
    freeReplyObject(there);
    redisReply *here = client_ask(b, "XINFO GROUPS %b", key->str, key->len);
    bool same = strcmp(text, reply_text(here)) == 0;
    cr_expect(same, "the groups of %s are\n%s\nand\n%s", key->str, text, reply_text(here));
    freeReplyObject(here);
    return same;
}

/* What expires while it is compared is gone on both sides a little later. */
static void wait_for_expiry(struct node *node)
{
    wait_until(20000, client_integer(node_client(node), "EVAL %s 0",
                          "local n=0 for _,k in ipairs(redis.call('keys','*')) do "
                          "local t=redis.call('pttl',k) if t>=0 and t<60000 then n=n+1 end end "
                          "return n") == 0);
}

static void expect_same(struct node *a, struct node *b, bool groups)
{
    struct client *one = node_client(a), *other = node_client(b);
    redisReply *keys = client_ask(one, "KEYS *");
    redisReply *others = client_ask(other, "KEYS *");
    cr_expect_eq(
        keys->elements, others->elements, "%zu keys and %zu", keys->elements, others->elements);
    cr_expect_gt(keys->elements, 5);
    for (size_t i = 0; i < keys->elements; i++) {
        const redisReply *key = keys->element[i];
        cr_expect(value_equal(one, key->str, key->len, other, key->str, key->len),
            "%s is another value", key->str);
        cr_expect_eq(client_integer(one, "PEXPIRETIME %b", key->str, key->len),
            client_integer(other, "PEXPIRETIME %b", key->str, key->len), "%s expires elsewhere",
            key->str);
        if (groups && strcmp(client_text(one, "TYPE %b", key->str, key->len), "stream") == 0)
            same_groups(one, other, key);
    }
    freeReplyObject(keys);
    freeReplyObject(others);
}

/* ---- The tests ---- */

static struct node *replica_of(struct node *primary, const char *program)
{
    return node_start_program(program, "replicaof 127.0.0.1 %d\n%s", node_port(primary), limits);
}

/* Replicas: one from the start, one in the midst, one behind another, and Redis; with links cut.
 * Redis tells its replicas less of groups than it knows (how many entries were read, new
 * consumers). */
static void run_replicas(const char *program)
{
    struct node *primary = node_start_program(program, "%s", limits);
    struct node *first = replica_of(primary, NULL), *behind = replica_of(first, NULL);
    struct load loads[LOADS];
    atomic_bool stop = false;
    wait_until(10000, node_in_sync(first, primary) && node_in_sync(behind, primary));
    start_loads(loads, primary, &stop);
    wait_until(20000, commands_of(loads) > 5000);
    struct node *late = replica_of(primary, NULL), *redis = replica_of(primary, "redis-server");
    for (int i = 1; i <= 3; i++) {
        wait_until(20000, commands_of(loads) > 5000 + i * 10000);
        client_run(node_client(i % 2 ? primary : first), "CLIENT KILL TYPE replica");
    }
    stop_loads(loads, &stop);
    wait_for_expiry(primary);
    struct node *replicas[] = { first, behind, late, redis };
    for (int i = 0; i < 4; i++) {
        wait_until(20000, node_in_sync(replicas[i], primary));
        expect_same(primary, replicas[i], !program);
    }
}

Test(load, replicas)
{
    run_replicas(NULL);
}

Test(load, replicas_of_redis)
{
    run_replicas("redis-server");
}

/* The append-only file, with rewrites and snapshots under way, read again after kill -9. */
Test(load, disk)
{
    struct node *node =
        node_start("appendonly yes\nappendfsync always\nauto-aof-rewrite-percentage 50\n"
                   "auto-aof-rewrite-min-size 200kb\n%s",
            limits);
    struct load loads[LOADS];
    atomic_bool stop = false;
    start_loads(loads, node, &stop);
    for (int i = 1; i <= 3; i++) {
        wait_until(20000, commands_of(loads) > i * 10000);
        client_run(node_client(node), i % 2 ? "BGREWRITEAOF" : "BGSAVE");
    }
    stop_loads(loads, &stop);
    struct node *replica = replica_of(node, NULL);
    wait_for_expiry(node);
    wait_until(20000, node_in_sync(replica, node));
    node_expect(replica, "OK", "REPLICAOF NO ONE");
    node_kill(node);
    node_restart(node);
    expect_same(node, replica, true);
}
