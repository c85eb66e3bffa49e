/* Commands that wait, under many clients of several workers: nothing is lost, nothing comes twice,
 * and whoever came first is served first. And what ends the waiting from outside: a slot that moves
 * away, a failover. */
#include "common/slot.h"
#include "tests/support/cluster.h"
#include "tests/support/raw.h"
#include "tests/support/scratch.h"
#include "tests/support/wait.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

TestSuite(blocking, .init = nodes_begin, .fini = nodes_end, .timeout = 120);

enum { PRODUCERS = 4, CONSUMERS = 8, EACH = 1500, TOTAL = PRODUCERS * EACH };

/* A run: producers push the numbers 0 to TOTAL - 1, consumers take them. */
struct run {
    int port;
    const char *const *keys; /* of producer i: keys[i % key_count] */
    int key_count;
    const char *take; /* a command with the keys in it; its reply ends with the number */
    atomic_int taken;
    atomic_int times[TOTAL]; /* that each number was taken */
    atomic_int wrong;
};

struct worker {
    struct run *run;
    int number;
};

static void *produce(void *context)
{
    struct worker *worker = context;
    struct run *run = worker->run;
    struct client *client = client_open(run->port);
    const char *key = run->keys[worker->number % run->key_count];
    for (int i = 0; i < EACH; i++) {
        /* In some ways of pushing, now one and now several at once. */
        int number = worker->number * EACH + i;
        redisReply *reply;
        if (i % 10 == 0 && i + 2 < EACH) {
            reply = client_ask(client, "RPUSH %s %d %d %d", key, number, number + 1, number + 2);
            i += 2;
        } else if (i % 10 == 5) {
            client_queue(client, "MULTI");
            client_queue(client, "RPUSH %s %d", key, number);
            client_queue(client, "EXEC");
            freeReplyObject(client_next(client));
            freeReplyObject(client_next(client));
            reply = client_next(client);
        } else {
            reply = client_ask(client, "RPUSH %s %d", key, number);
        }
        if (reply == NULL || reply->type == REDIS_REPLY_ERROR)
            atomic_fetch_add(&run->wrong, 1);
        if (reply != NULL)
            freeReplyObject(reply);
    }
    client_close(client);
    return NULL;
}

/* The number in a reply of the taking command, -1: none. */
static int number_in(const redisReply *reply)
{
    while (reply->type == REDIS_REPLY_ARRAY && reply->elements > 0)
        reply = reply->element[reply->elements - 1];
    return reply->type == REDIS_REPLY_STRING ? atoi(reply->str) : -1;
}

/* Each producer's numbers come to a consumer in the order in which they were pushed. */
static void note(struct run *run, int number, int *last)
{
    if (number < 0 || number >= TOTAL || number <= last[number / EACH]) {
        atomic_fetch_add(&run->wrong, 1);
        return;
    }
    last[number / EACH] = number;
    atomic_fetch_add(&run->times[number], 1);
    atomic_fetch_add(&run->taken, 1);
}

static void *consume(void *context)
{
    struct worker *worker = context;
    struct run *run = worker->run;
    struct client *client = client_open(run->port);
    int last[PRODUCERS];
    for (int i = 0; i < PRODUCERS; i++)
        last[i] = -1;
    int64_t deadline = wait_deadline(60000);
    while (atomic_load(&run->taken) < TOTAL && now_ms() < deadline) {
        redisReply *reply = client_ask(client, run->take);
        if (reply == NULL || reply->type == REDIS_REPLY_ERROR) {
            /* CLIENT UNBLOCK ... ERROR may have come. */
            if (reply == NULL || strncmp(reply->str, "UNBLOCKED", 9) != 0)
                atomic_fetch_add(&run->wrong, 1);
        } else if (number_in(reply) >= 0) {
            note(run, number_in(reply), last);
        }
        if (reply != NULL)
            freeReplyObject(reply);
        else
            break;
    }
    client_close(client);
    return NULL;
}

/* Unblocks whoever may wait, again and again. */
static void *disturb(void *context)
{
    struct run *run = context;
    struct client *client = client_open(run->port);
    for (int i = 0; atomic_load(&run->taken) < TOTAL; i++) {
        redisReply *reply =
            client_ask(client, "CLIENT UNBLOCK %d %s", 2 + i % 20, i % 2 ? "ERROR" : "TIMEOUT");
        if (reply == NULL)
            break;
        freeReplyObject(reply);
    }
    client_close(client);
    return NULL;
}

static void wait_for_blocked(struct node *node, int count)
{
    const char *line = scratch_printf("blocked_clients:%d\r", count);
    wait_until(10000, strstr(node_text(node, "INFO clients"), line) != NULL);
}

static void race(const char *config, const char *const *keys, int key_count, const char *take)
{
    struct node *node = node_start("io-threads 4\n%s", config);
    static struct run run;
    memset(&run, 0, sizeof(run));
    run.port = node_port(node);
    run.keys = keys;
    run.key_count = key_count;
    run.take = take;
    if (strstr(config, "cluster-enabled yes")) {
        node_expect(node, "OK", "CLUSTER ADDSLOTSRANGE 0 16383");
        wait_until(10000, strstr(node_text(node, "CLUSTER INFO"), "cluster_state:ok") != NULL);
    }
    struct raw *listener = raw_open(node_port(node));
    if (strstr(config, "notify-keyspace-events")) {
        raw_send_text(listener, "PSUBSCRIBE __key*\r\n");
        cr_assert_gt(raw_reply(listener, 10000).len, 0);
    }
    struct worker workers[PRODUCERS + CONSUMERS];
    pthread_t threads[PRODUCERS + CONSUMERS + 1];
    for (int i = 0; i < PRODUCERS + CONSUMERS; i++) {
        workers[i] = (struct worker){ &run, i };
        void *(*task)(void *) = i < PRODUCERS ? produce : consume;
        cr_assert_eq(pthread_create(&threads[i], NULL, task, &workers[i]), 0);
    }
    cr_assert_eq(pthread_create(&threads[PRODUCERS + CONSUMERS], NULL, disturb, &run), 0);
    for (int i = 0; i <= PRODUCERS + CONSUMERS; i++)
        pthread_join(threads[i], NULL);
    cr_expect_eq(run.wrong, 0, "%d replies were wrong", run.wrong);
    raw_close(listener);
    int lost = 0, twice = 0;
    for (int i = 0; i < TOTAL; i++) {
        lost += run.times[i] == 0;
        twice += run.times[i] > 1;
    }
    cr_expect(lost == 0 && twice == 0, "%d numbers were lost, %d came twice", lost, twice);
    wait_until(10000, strstr(node_text(node, "INFO clients"), "blocked_clients:0\r") != NULL);
    for (int i = 0; i < key_count; i++)
        node_expect(node, "0", "EXISTS %s", keys[i]);
}

static const char *const one_slot[] = { "{t}a", "{t}b", "{t}c" };
static const char *const many_slots[] = { "a", "b", "c", "d" };

Test(blocking, one_key)
{
    race("cluster-enabled yes\n", one_slot, 1, "BLPOP {t}a 0.05");
}

Test(blocking, keys_of_one_slot)
{
    race("cluster-enabled yes\n", one_slot, 3, "BLPOP {t}c {t}a {t}b 0.001");
}

/* Waiters of several slots are served behind the push, and want locks in order. */
Test(blocking, keys_of_many_slots)
{
    race("", many_slots, 4, "BLMPOP 0.05 4 d a c b LEFT");
}

/* The same while somebody hears of it all: answers take another way then. */
Test(blocking, one_key_among_messages)
{
    race("cluster-enabled yes\nnotify-keyspace-events EA\n", one_slot, 1, "BLPOP {t}a 0.05");
}

/* Who waits and listens by one connection hears of the push, gets what was pushed, and then hears
 * that it has been taken: whichever workers they and the givers have. */
Test(blocking, an_answer_among_messages)
{
    enum { PAIRS = 4, ROUNDS = 200 };
    static const char *const events[] = { "rpush", "lpop", "del" };
    struct node *node = node_start("io-threads 4\nnotify-keyspace-events EA\n");
    struct raw *takers[PAIRS], *givers[PAIRS];
    for (int i = 0; i < PAIRS; i++) {
        takers[i] = raw_open(node_port(node));
        givers[i] = raw_open(node_port(node));
        raw_send_text(takers[i], scratch_printf("HELLO 3\r\nSUBSCRIBE __keyevent@0__:rpush "
                                                "__keyevent@0__:lpop __keyevent@0__:del\r\n"));
        for (int j = 0; j < 4; j++)
            cr_assert_gt(raw_reply(takers[i], 10000).len, 0);
    }
    for (int round = 0; round < ROUNDS; round++) {
        struct raw *taker = takers[round % PAIRS], *giver = givers[round / PAIRS % PAIRS];
        raw_send_text(taker, "BLPOP k 0\r\n");
        wait_for_blocked(node, 1);
        raw_send_text(giver, scratch_printf("RPUSH k %d\r\n", 1000 + round));
        cr_assert_gt(raw_reply(giver, 10000).len, 0);
        for (int i = 0; i < PAIRS; i++) {
            for (int event = 0; event < 3; event++) {
                const char *wanted = scratch_printf(
                    ">3\r\n$7\r\nmessage\r\n$%zu\r\n__keyevent@0__:%s\r\n$1\r\nk\r\n",
                    strlen(events[event]) + 15, events[event]);
                if (event == 1 && takers[i] == taker) {
                    struct bytes answer = raw_reply(taker, 10000);
                    const char *pushed =
                        scratch_printf("*2\r\n$1\r\nk\r\n$4\r\n%d\r\n", 1000 + round);
                    cr_assert(bytes_equal(answer, bytes_of(pushed)), "round %d: %s", round,
                        raw_escape(answer));
                }
                struct bytes got = raw_reply(takers[i], 10000);
                cr_assert(bytes_equal(got, bytes_of(wanted)), "round %d, %s: %s", round,
                    events[event], raw_escape(got));
            }
        }
    }
    for (int i = 0; i < PAIRS; i++) {
        raw_close(takers[i]);
        raw_close(givers[i]);
    }
}

/* All move on through a list that has waiters of its own. */
Test(blocking, from_list_to_list)
{
    struct node *node = node_start("io-threads 4\n");
    enum { ROUNDS = 500 };
    struct raw *movers[3], *taker = raw_open(node_port(node));
    for (int i = 0; i < 3; i++)
        movers[i] = raw_open(node_port(node));
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < 3; i++)
            raw_send_text(movers[i], scratch_printf("BLMOVE l%d l%d LEFT RIGHT 0\r\n", i, i + 1));
        raw_send_text(taker, "BRPOP l3 0\r\n");
        redisReply *reply = client_ask(node_client(node), "RPUSH l0 %d", round);
        freeReplyObject(reply);
        struct bytes got = raw_reply(taker, 10000);
        const char *number = scratch_printf("%d", round);
        const char *wanted =
            scratch_printf("*2\r\n$2\r\nl3\r\n$%zu\r\n%s\r\n", strlen(number), number);
        cr_assert(bytes_equal(got, bytes_of(wanted)), "%s", raw_escape(got));
        for (int i = 0; i < 3; i++)
            cr_assert_gt(raw_reply(movers[i], 10000).len, 0);
    }
    node_expect(node, "0", "DBSIZE");
    for (int i = 0; i < 3; i++)
        raw_close(movers[i]);
    raw_close(taker);
}

Test(blocking, first_come_first_served)
{
    enum { CLIENTS = 24 };
    struct node *node = node_start("io-threads 4\n");
    struct raw *clients[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = raw_open(node_port(node));
        /* Those with keys of several slots stand in the same queue. */
        raw_send_text(clients[i], i % 3 == 2 ? "BLPOP other queue 0\r\n" : "BLPOP queue 0\r\n");
        wait_for_blocked(node, i + 1);
    }
    for (int i = 0; i < CLIENTS; i += 4)
        node_expect(node, "4", "RPUSH queue %d %d %d %d", i, i + 1, i + 2, i + 3);
    for (int i = 0; i < CLIENTS; i++) {
        struct bytes got = raw_reply(clients[i], 10000);
        const char *number = scratch_printf("%d", i);
        const char *wanted =
            scratch_printf("*2\r\n$5\r\nqueue\r\n$%zu\r\n%s\r\n", strlen(number), number);
        cr_expect(bytes_equal(got, bytes_of(wanted)), "client %d: %s", i, raw_escape(got));
        raw_close(clients[i]);
    }
}

/* Clients that go while they wait take nothing along. */
Test(blocking, clients_that_go)
{
    struct node *node = node_start("io-threads 4\n");
    for (int round = 0; round < 50; round++) {
        struct raw *going[4], *staying = raw_open(node_port(node));
        for (int i = 0; i < 4; i++) {
            going[i] = raw_open(node_port(node));
            raw_send_text(going[i], "BLPOP k 0\r\n");
        }
        wait_for_blocked(node, 4);
        raw_send_text(staying, "BLPOP k 0\r\n");
        wait_for_blocked(node, 5);
        for (int i = 0; i < 4; i++)
            raw_close(going[i]);
        wait_for_blocked(node, 1);
        node_expect(node, "1", "RPUSH k %d", round);
        cr_expect_gt(raw_reply(staying, 10000).len, 0);
        raw_close(staying);
    }
}

/* Slot 0 is node 0's; {06S} is a tag of slot 0. */
Test(blocking, slot_that_moves)
{
    struct cluster *cluster = cluster_start(2, 0, "io-threads 2\n");
    struct node *from = cluster->nodes[0], *to = cluster->nodes[1];
    struct raw *list = raw_open(node_port(from)), *other = raw_open(node_port(from));
    raw_send_text(list, "BLPOP {06S}a 0\r\n");
    raw_send_text(other, "BLMOVE {06S}a {06S}b LEFT LEFT 0\r\n");
    wait_for_blocked(from, 2);
    node_expect(to, "OK", "CLUSTER SETSLOT 0 IMPORTING %s", node_id(from));
    node_expect(from, "OK", "CLUSTER SETSLOT 0 MIGRATING %s", node_id(to));
    hold_for(300, strstr(node_text(from, "INFO clients"), "blocked_clients:2\r") != NULL);
    node_expect(to, "OK", "CLUSTER SETSLOT 0 NODE %s", node_id(to));
    node_expect(from, "OK", "CLUSTER SETSLOT 0 NODE %s", node_id(to));
    const char *moved = scratch_printf("-MOVED 0 127.0.0.1:%d\r\n", node_port(to));
    struct bytes got = raw_reply(list, 10000);
    cr_expect(bytes_equal(got, bytes_of(moved)), "%s", raw_escape(got));
    got = raw_reply(other, 10000);
    cr_expect(bytes_equal(got, bytes_of(moved)), "%s", raw_escape(got));
    wait_for_blocked(from, 0);
    raw_send_text(list, "PING\r\n"); /* the connection goes on */
    raw_expect_next(list, "+PONG\r\n");
    raw_close(list);
    raw_close(other);
}

/* A primary that becomes a replica sends its waiters away: what they wait for comes elsewhere. */
Test(blocking, failover)
{
    struct cluster *cluster = cluster_start(3, 1, "io-threads 2\n");
    struct node *primary = cluster->nodes[0], *replica = cluster->nodes[3];
    struct raw *waiter = raw_open(node_port(primary));
    raw_send_text(waiter, "BLPOP {06S}a 0\r\n");
    wait_for_blocked(primary, 1);
    wait_until(10000, node_in_sync(replica, primary));
    node_expect(replica, "OK", "CLUSTER FAILOVER");
    struct bytes got = raw_reply(waiter, 20000);
    cr_expect(bytes_equal(got, BYTES("-UNBLOCKED force unblock from blocking operation, instance "
                                     "state changed (master -> replica?)\r\n")),
        "%s", raw_escape(got));
    cr_expect(raw_closed(waiter, 10000));
    raw_close(waiter);
    cluster_wait_ok(cluster, 20000);
    node_expect(replica, "1", "RPUSH {06S}a x");
}

/* What waiters have taken is gone on the replica too, and moved where it was moved. */
Test(blocking, replica_follows)
{
    struct cluster *cluster = cluster_start(3, 1, "io-threads 4\n");
    struct node *primary = cluster->nodes[0], *replica = cluster->nodes[3];
    struct raw *clients[6];
    static const char *const commands[] = { "BLPOP {06S}a 0\r\n",
        "BLMOVE {06S}a {06S}b LEFT RIGHT 0\r\n", "BRPOPLPUSH {06S}b {06S}c 0\r\n",
        "BLMPOP 0 2 {06S}x {06S}a RIGHT COUNT 2\r\n", "BRPOP {06S}c {06S}a 0\r\n",
        "BLMOVE {06S}a {06S}a LEFT RIGHT 0\r\n" };
    for (int i = 0; i < 6; i++)
        clients[i] = raw_open(node_port(primary));
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < 6; i++) {
            raw_send_text(clients[i], commands[(i + round) % 6]);
        }
        for (int i = 0; i < 6; i++) {
            freeReplyObject(client_ask(node_client(primary), "RPUSH {06S}a %d %d", round, i));
            freeReplyObject(client_ask(node_client(primary), "RPUSH {06S}b %d", i));
        }
        for (int i = 0; i < 6; i++)
            cr_assert_gt(raw_reply(clients[i], 10000).len, 0, "round %d, client %d", round, i);
    }
    wait_until(10000, node_in_sync(replica, primary));
    cr_expect(node_same_data(primary, replica));
    for (int i = 0; i < 6; i++)
        raw_close(clients[i]);
}

/* ---- What expires on a replica ---- */

/* Until its primary says so, what is over is there and nobody is given it: neither to those who ask
 * nor to those who wait. */
Test(blocking, expired_on_a_replica)
{
    static const char *const made[] = { "RPUSH l a b", "HSET h a b", "SADD t a", "SADD i 1",
        "ZADD z 1 a", "XADD x 1-0 a b" };
    static const char *const hidden[][2] = { { "[]", "LRANGE l 0 -1" }, { "0", "LLEN l" },
        { "[]", "HGETALL h" }, { "(nil)", "HGET h a" }, { "[]", "SMEMBERS t" },
        { "0", "SISMEMBER i 1" }, { "[]", "ZRANGE z 0 -1" }, { "(nil)", "ZSCORE z a" },
        { "[]", "XRANGE x - +" }, { "(nil)", "XREAD STREAMS x 0" }, { "(nil)", "DUMP l" },
        { "0", "EXISTS l h t i z x" }, { "none", "TYPE x" }, { "-2", "PTTL h" },
        { "(nil)", "OBJECT ENCODING z" }, { "[]", "SORT_RO t" }, { "[]", "SUNION t i" },
        { "[[], []]", "EVAL_RO %s 0" }, { "6", "DBSIZE" } };
    static const char script[] =
        "return {redis.call('hgetall', 'h'), redis.call('lrange', 'l', 0, -1)}";
    struct node *primary = node_start("enable-debug-command yes\nrepl-diskless-sync-delay 0\n");
    struct node *replica =
        node_start("replicaof 127.0.0.1 %d\nreplica-read-only no\n", node_port(primary));
    node_expect(primary, "OK", "DEBUG SET-ACTIVE-EXPIRE 0");
    wait_until(10000, node_in_sync(replica, primary));
    struct raw *stream = raw_open(node_port(replica)), *list = raw_open(node_port(replica)),
               *sorted = raw_open(node_port(replica));
    for (size_t i = 0; i < sizeof(made) / sizeof(*made); i++) {
        node_text(primary, made[i]);
        node_expect(primary, "1", "PEXPIRE %b 50", strchr(made[i], ' ') + 1, (size_t)1);
    }
    node_expect(primary, "OK", "SET clock x PX 60");
    wait_until(10000, node_integer(primary, "EXISTS clock") == 0 && node_in_sync(replica, primary));
    for (size_t i = 0; i < sizeof(hidden) / sizeof(*hidden); i++)
        node_expect(replica, hidden[i][0], hidden[i][1], script);
    raw_send_text(stream, "XREAD BLOCK 0 STREAMS x 0\r\n");
    raw_send_text(list, "BLPOP none l 0\r\n");
    raw_send_text(sorted, "BZPOPMIN z 0\r\n");
    wait_for_blocked(replica, 3);
    node_expect(primary, "2-0", "XADD x 2-0 c d");
    struct bytes got = raw_reply(stream, 10000);
    cr_expect(bytes_equal(got, BYTES("*1\r\n*2\r\n$1\r\nx\r\n*1\r\n*2\r\n$3\r\n2-0\r\n*2\r\n"
                                     "$1\r\nc\r\n$1\r\nd\r\n")),
        "%s", raw_escape(got));
    node_expect(primary, "1", "RPUSH l c");
    got = raw_reply(list, 10000);
    cr_expect(bytes_equal(got, BYTES("*2\r\n$1\r\nl\r\n$1\r\nc\r\n")), "%s", raw_escape(got));
    node_expect(primary, "1", "ZADD z 2 b");
    got = raw_reply(sorted, 10000);
    cr_expect(
        bytes_equal(got, BYTES("*3\r\n$1\r\nz\r\n$1\r\nb\r\n$1\r\n2\r\n")), "%s", raw_escape(got));
    node_expect(primary, "OK", "DEBUG SET-ACTIVE-EXPIRE 1");
    wait_until(10000, node_integer(replica, "DBSIZE") == 1); /* x */
    raw_close(stream);
    raw_close(list);
    raw_close(sorted);
}
