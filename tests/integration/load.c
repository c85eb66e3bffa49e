/* Commands of all types, drawn by chance, from several connections at once: what comes of them is
 * the same on replicas, however they were attached, in what is on the disk after a kill -9, and
 * where one node of a cluster hands over to another in the midst of it. */
#include "tests/support/cluster.h"
#include "tests/support/draw.h"
#include "tests/support/file.h"
#include "tests/support/raw.h"
#include "tests/support/scratch.h"
#include "tests/support/shell.h"
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
    int port;              /* of a cluster's node, where redirects are followed */
    long redirects;        /* that were */
    struct buffer unclear; /* writes that a replica refused, as if they had no keys */
    char wrong[200];       /* an answer that nobody should get, or "" */
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

static bool begins(struct bytes reply, const char *start)
{
    size_t len = strlen(start);
    return reply.len >= len && memcmp(reply.data, start, len) == 0;
}

/* Drawn commands have errors of their own; of the cluster's there may be redirects, and the word
 * for those who wait at a primary that steps down, whose connection then ends. False: it does. */
static bool take_reply(struct load *load, struct bytes request, struct bytes reply)
{
    static const char *const own[] = { "-ERR ", "-WRONGTYPE ", "-NOGROUP ", "-BUSYGROUP ",
        "-EXECABORT ", "-BUSYKEY ", "-CROSSSLOT ", "-INVALIDOBJ ",
        "-UNBLOCKED the stream key no longer exists" };
    static const char *const never_within[] = { "-MOVED ", "-READONLY ", "-CLUSTERDOWN ",
        "-MISCONF " };
    const char *wrong = NULL;
    if (begins(reply, "-MOVED ")) {
        load->port = atoi(memrchr(reply.data, ':', reply.len) + 1);
        load->redirects++;
        return true;
    }
    if (begins(reply, "-UNBLOCKED force unblock "))
        return false;
    if (begins(reply, "-READONLY ")) {
        buffer_append(&load->unclear, request.data, request.len);
        return true;
    }
    if (begins(reply, "-")) {
        wrong = reply.data;
        for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++)
            wrong = wrong && begins(reply, own[i]) ? NULL : wrong;
    }
    for (size_t i = 0; i < sizeof(never_within) / sizeof(*never_within) && begins(reply, "*");
         i++) {
        const char *found = memmem(reply.data, reply.len, never_within[i], strlen(never_within[i]));
        wrong = found ? found : wrong;
    }
    if (wrong)
        snprintf(
            load->wrong, sizeof(load->wrong), "%.*s", (int)(reply.data + reply.len - wrong), wrong);
    return true;
}

/* The first of some requests, which is then behind the place. */
static struct bytes next_request(const struct buffer *requests, size_t *at)
{
    struct bytes rest = { requests->data + *at, requests->len - *at };
    struct bytes first = { rest.data, (size_t)raw_reply_length(rest) };
    *at += first.len;
    return first;
}

/* A command whose keys cannot be found is not redirected: it is wrong at the primary, too. */
static void ask_again(struct load *load)
{
    for (size_t at = 0; at < load->unclear.len && !load->wrong[0];) {
        struct bytes request = next_request(&load->unclear, &at);
        bool sent = raw_send(load->raw, request.data, request.len);
        struct bytes reply = sent ? raw_reply(load->raw, 20000) : BYTES("");
        if (begins(reply, "-ERR "))
            continue;
        snprintf(load->wrong, sizeof(load->wrong), "-READONLY, and then %.*s", (int)reply.len,
            reply.data);
    }
    buffer_consume(&load->unclear, load->unclear.len);
}

/* The same in a cluster whose slots are all one node's, now this one's and then that one's. */
static void *run_cluster_load(void *argument)
{
    struct load *load = argument;
    struct buffer out = { 0 };
    int connected = load->port;
    while (!atomic_load(load->stop) && !load->broken && !load->wrong[0]) {
        buffer_consume(&out, out.len);
        for (int i = 0; i < BATCH; i++)
            draw_command(&load->draw, &out);
        bool ended = false;
        size_t at = 0;
        load->broken = !raw_send(load->raw, out.data, out.len);
        for (int i = 0; i < BATCH && !load->broken && !ended; i++) {
            struct bytes reply = raw_reply(load->raw, 20000);
            load->broken = reply.len == 0;
            ended = !load->broken && !take_reply(load, next_request(&out, &at), reply);
            atomic_fetch_add(&load->commands, 1);
        }
        if (ended || load->port != connected) {
            load->broken = load->broken || (ended && !raw_closed(load->raw, 20000));
            raw_close(load->raw);
            bool moved = load->port != connected;
            load->raw = raw_open(connected = load->port);
            if (moved)
                ask_again(load);
        }
    }
    buffer_free(&load->unclear);
    buffer_free(&out);
    return NULL;
}

static void start_loads(
    struct load *loads, struct node *node, atomic_bool *stop, void *(*run)(void *))
{
    const char *seed = getenv("RANDOM_SEED");
    uint64_t state = seed ? strtoull(seed, NULL, 10) : (uint64_t)now_us() * 2 + 1;
    fprintf(stderr, "RANDOM_SEED=%llu\n", (unsigned long long)state);
    for (int i = 0; i < LOADS; i++) {
        loads[i] = (struct load){ .raw = raw_open(node_port(node)),
            .draw = { .state = state + (uint64_t)i * 1000, .by_chance = true },
            .stop = stop,
            .port = node_port(node) };
        pthread_create(&loads[i].thread, NULL, run, &loads[i]);
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
        cr_expect_str_eq(loads[i].wrong, "", "a client was told: %s", loads[i].wrong);
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
    start_loads(loads, primary, &stop, run_load);
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
    start_loads(loads, node, &stop, run_load);
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

/* Handing over by hand, there and back: nobody is refused, nothing is lost on the way, and who did
 * not take part follows. */
Test(load, failover)
{
    /* A redis-server that wins again within its election's time-out counts the old votes. */
    int turns = server_is_slotd() ? 4 : 2;
    struct cluster *cluster = cluster_start(1, 2, "cluster-node-timeout 3000\n%s", limits);
    struct load loads[LOADS];
    atomic_bool stop = false;
    start_loads(loads, cluster->nodes[0], &stop, run_cluster_load);
    for (int turn = 0; turn < turns; turn++) {
        struct node *next = cluster->nodes[(turn + 1) % 2];
        long before = commands_of(loads);
        wait_until(20000, commands_of(loads) > before + 4000);
        node_expect(next, "OK", "CLUSTER FAILOVER");
        wait_until(20000, strcmp(node_role(next), "master") == 0 &&
                              strcmp(node_role(cluster->nodes[turn % 2]), "slave") == 0);
        cluster_wait_ok(cluster, 20000);
    }
    long before = commands_of(loads);
    wait_until(20000, commands_of(loads) > before + 4000);
    stop_loads(loads, &stop);
    for (int i = 0; i < LOADS; i++)
        cr_expect_geq(loads[i].redirects, turns, "%ld redirects", loads[i].redirects);
    struct node *primary = cluster->nodes[turns % 2];
    wait_for_expiry(primary);
    for (int i = 0; i < cluster->count; i++) {
        struct node *replica = cluster->nodes[i];
        if (replica == primary)
            continue;
        wait_until(20000, node_in_sync(replica, primary));
        node_expect(replica, "OK", "READONLY");
        expect_same(primary, replica, server_is_slotd());
    }
}
