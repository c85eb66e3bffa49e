/* Many clients at once, and what they may ask of each other: transactions, pauses, kills. */
#include "tests/support/cluster.h"
#include "tests/support/raw.h"
#include "tests/support/scratch.h"
#include "tests/support/wait.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

TestSuite(clients, .init = nodes_begin, .fini = nodes_end, .timeout = 60);

enum { THREADS = 8, ROUNDS = 4000, BATCH = 50, MANY_KEYS = 64 };

struct load {
    int port, number;
    const char *(*key_of)(struct load *load, int round);
    long wrong; /* replies that were not what they must be */
    char key[32];
};

static const char *one_key(struct load *load, int round)
{
    return "counter";
}

static const char *many_keys(struct load *load, int round)
{
    snprintf(load->key, sizeof(load->key), "counter:%d", round % MANY_KEYS);
    return load->key;
}

/* INCRs in pipelines: the replies for one key only grow. */
static void *increment(void *context)
{
    struct load *load = context;
    struct client *client = client_open(load->port);
    long long last[MANY_KEYS] = { 0 };
    for (int round = 0; round < ROUNDS; round += BATCH) {
        for (int i = 0; i < BATCH; i++)
            client_queue(client, "INCR %s", load->key_of(load, round + i));
        for (int i = 0; i < BATCH; i++) {
            redisReply *reply = client_next(client);
            long long *before = &last[load->key_of == one_key ? 0 : (round + i) % MANY_KEYS];
            if (reply == NULL || reply->type != REDIS_REPLY_INTEGER || reply->integer <= *before)
                load->wrong++;
            else
                *before = reply->integer;
            if (reply != NULL)
                freeReplyObject(reply);
        }
    }
    client_close(client);
    return NULL;
}

static void run_threads(struct load *loads, void *(*run)(void *))
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, run, &loads[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        cr_expect_eq(loads[i].wrong, 0, "thread %d: %ld wrong replies", i, loads[i].wrong);
    }
}

Test(clients, increments_of_one_key)
{
    struct node *node = node_start_owner("%s", "");
    struct load loads[THREADS];
    for (int i = 0; i < THREADS; i++)
        loads[i] = (struct load){ .port = node_port(node), .number = i, .key_of = one_key };
    run_threads(loads, increment);
    cr_expect_eq(node_integer(node, "INCRBY counter 0"), THREADS * ROUNDS);
}

Test(clients, increments_of_many_keys)
{
    struct node *node = node_start_owner("%s", "");
    struct load loads[THREADS];
    for (int i = 0; i < THREADS; i++)
        loads[i] = (struct load){ .port = node_port(node), .number = i, .key_of = many_keys };
    run_threads(loads, increment);
    int64_t sum = 0;
    for (int i = 0; i < MANY_KEYS; i++)
        sum += node_integer(node, "INCRBY counter:%d 0", i);
    cr_expect_eq(sum, THREADS * ROUNDS);
}

/* Each moves 1 from one account to another in a transaction, tried again where WATCH says so. */
static void *transfer(void *context)
{
    struct load *load = context;
    struct client *client = client_open(load->port);
    for (int done = 0; done < 100;) {
        client_expect(client, "OK", "WATCH {bank}a {bank}b");
        int64_t a = client_integer(client, "GET {bank}a"),
                b = client_integer(client, "GET {bank}b");
        client_expect(client, "OK", "MULTI");
        client_expect(client, "QUEUED", "SET {bank}a %lld", (long long)a - 1);
        client_expect(client, "QUEUED", "SET {bank}b %lld", (long long)b + 1);
        const char *result = client_text(client, "EXEC");
        if (strcmp(result, "[OK, OK]") == 0)
            done++;
        else if (strcmp(result, "(nil)") != 0)
            load->wrong++;
    }
    client_close(client);
    return NULL;
}

Test(clients, watch_and_transfer)
{
    struct node *node = node_start_owner("%s", "");
    node_expect(node, "OK", "MSET {bank}a 1000 {bank}b 0");
    struct load loads[THREADS];
    for (int i = 0; i < THREADS; i++)
        loads[i] = (struct load){ .port = node_port(node), .number = i };
    run_threads(loads, transfer);
    cr_expect_eq(node_integer(node, "GET {bank}a"), 1000 - THREADS * 100);
    cr_expect_eq(node_integer(node, "GET {bank}b"), THREADS * 100);
}

/* A transaction's reader never sees one half of it. */
static void *write_pairs(void *context)
{
    struct load *load = context;
    struct client *client = client_open(load->port);
    for (int i = 0; i < 500; i++) {
        if (load->number % 2 == 0) {
            client_queue(client, "MULTI");
            client_queue(client, "INCR {pair}a");
            client_queue(client, "INCR {pair}b");
            client_queue(client, "EXEC");
            for (int j = 0; j < 4; j++) {
                redisReply *reply = client_next(client);
                load->wrong += reply == NULL || reply->type == REDIS_REPLY_ERROR;
                if (reply != NULL)
                    freeReplyObject(reply);
            }
        } else {
            redisReply *reply = client_ask(client, "MGET {pair}a {pair}b");
            load->wrong += reply == NULL || reply->elements != 2 ||
                           strcmp(reply->element[0]->str, reply->element[1]->str) != 0;
            if (reply != NULL)
                freeReplyObject(reply);
        }
    }
    client_close(client);
    return NULL;
}

Test(clients, transactions_are_whole)
{
    struct node *node = node_start_owner("%s", "");
    node_expect(node, "OK", "MSET {pair}a 0 {pair}b 0");
    struct load loads[THREADS];
    for (int i = 0; i < THREADS; i++)
        loads[i] = (struct load){ .port = node_port(node), .number = i };
    run_threads(loads, write_pairs);
    cr_expect_eq(node_integer(node, "GET {pair}a"), THREADS / 2 * 500);
}

/* WATCH sees every way in which a key can change. */
Test(clients, watch_sees_all_changes)
{
    static const char *const changes[] = { "SET {w}k 2", "DEL {w}k", "APPEND {w}k x",
        "EXPIRE {w}k 9", "RENAME {w}k {w}other", "COPY {w}other {w}k REPLACE",
        "RESTORE {w}k 0 %b REPLACE", "FLUSHALL", "FLUSHDB", "PEXPIRE {w}k 1", "UNLINK {w}k",
        "MSET {w}k 3" };
    struct node *node = node_start_owner("%s", "");
    struct client *other = client_open(node_port(node));
    node_expect(node, "OK", "SET {w}other 7");
    redisReply *dump = client_run(other, "DUMP {w}other");
    for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
        client_text(other, "SET {w}k 1");
        client_text(other, "SET {w}other 7");
        node_expect(node, "OK", "WATCH {w}k");
        if (strstr(changes[i], "%b") != NULL)
            client_text(other, changes[i], dump->str, dump->len);
        else
            client_text(other, changes[i]);
        if (strncmp(changes[i], "PEXPIRE", 7) == 0)
            wait_until(5000, client_integer(other, "EXISTS {w}k") == 0);
        node_expect(node, "OK", "MULTI");
        node_expect(node, "QUEUED", "GET {w}k");
        node_expect(node, "(nil)", "EXEC");
    }
    /* and does not see what is no change of this key */
    client_text(other, "SET {w}k 1");
    node_expect(node, "OK", "WATCH {w}k");
    client_text(other, "SET {w}other 8");
    client_text(other, "GET {w}k");
    node_expect(node, "OK", "MULTI");
    node_expect(node, "QUEUED", "GET {w}k");
    node_expect(node, "[1]", "EXEC");
    client_close(other);
}

/* CLIENT PAUSE WRITE holds writes back and lets reads through; UNPAUSE ends it early. */
Test(clients, pause)
{
    struct node *node = node_start_owner("%s", "");
    struct raw *writer = raw_open(node_port(node)), *reader = raw_open(node_port(node));
    node_expect(node, "OK", "CLIENT PAUSE 30000 WRITE");
    raw_send_text(writer, "SET k v\r\n");
    cr_expect_eq(raw_reply(writer, 300).len, 0, "a write went through");
    raw_expect(reader, "$-1\r\n", "GET k");
    node_expect(node, "OK", "CLIENT UNPAUSE");
    raw_expect_next(writer, "+OK\r\n");
    node_expect(node, "OK", "CLIENT PAUSE 300 ALL");
    int64_t start = now_ms();
    raw_expect(reader, "$1\r\nv\r\n", "GET k");
    cr_expect_geq(now_ms() - start, 250);
    raw_close(writer);
    raw_close(reader);
}

Test(clients, list_and_kill)
{
    struct node *node = node_start_owner("%s", "");
    struct client *clients[4];
    int64_t ids[4];
    for (int i = 0; i < 4; i++) {
        clients[i] = client_open(node_port(node));
        client_expect(clients[i], "OK", "CLIENT SETNAME name%d", i);
        ids[i] = client_integer(clients[i], "CLIENT ID");
    }
    cr_expect(ids[0] < ids[1] && ids[1] < ids[2] && ids[2] < ids[3]);
    const char *list = node_text(node, "CLIENT LIST");
    for (int i = 0; i < 4; i++)
        cr_expect_not_null(strstr(list, scratch_printf(" name=name%d ", i)), "%s", list);
    node_expect(node, "1", "CLIENT KILL ID %lld", (long long)ids[1]);
    node_expect(node, "0", "CLIENT KILL ID %lld", (long long)ids[1]);
    cr_expect_null(client_try(clients[1], "PING"));
    client_expect(clients[2], "PONG", "PING");
    cr_expect_geq(node_integer(node, "CLIENT KILL TYPE normal SKIPME yes"), 3);
    cr_expect_null(client_try(clients[2], "PING"));
    node_expect(node, "PONG", "PING");
    for (int i = 0; i < 4; i++)
        client_close(clients[i]);
}

/* Idle clients are closed after `timeout` seconds. */
Test(clients, idle_timeout)
{
    struct node *node = node_start("timeout 3\n");
    struct raw *raw = raw_open(node_port(node));
    raw_expect(raw, "+PONG\r\n", "PING");
    cr_expect_not(raw_closed(raw, 500));
    cr_expect(raw_closed(raw, 10000));
    raw_close(raw);
}

/* Replies come in the order of the requests, however they are cut into pieces on the way. */
Test(clients, pipelines_in_pieces)
{
    struct node *node = node_start_owner("%s", "");
    struct buffer all = { 0 };
    for (int i = 0; i < 500; i++)
        buffer_printf(&all, "*2\r\n$4\r\nECHO\r\n$3\r\n%03d\r\n", i);
    struct raw *raw = raw_open(node_port(node));
    unsigned seed = 7;
    for (size_t at = 0; at < all.len;) {
        size_t piece = 1 + (seed = seed * 1103515245u + 12345u) / 65536 % 40;
        piece = piece < all.len - at ? piece : all.len - at;
        cr_assert(raw_send(raw, all.data + at, piece));
        at += piece;
    }
    for (int i = 0; i < 500; i++) {
        struct bytes got = raw_reply(raw, 5000);
        cr_expect(bytes_equal(got, bytes_of(scratch_printf("$3\r\n%03d\r\n", i))), "%d: %s", i,
            raw_escape(got));
    }
    raw_close(raw);
    buffer_free(&all);
}
