/* Databases that change places while clients write, keys move and a snapshot is taken: nothing is
 * lost or counted twice, and the snapshot is of one moment. */
#include "tests/support/file.h"
#include "tests/support/node.h"
#include "tests/support/scratch.h"
#include "tests/support/wait.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

TestSuite(databases, .init = nodes_begin, .fini = nodes_end, .timeout = 120);

enum { WRITERS = 3, COUNTERS = 16, DATABASES = 4, ROUNDS = 150, KEYS = 20000 };

struct writer {
    pthread_t thread;
    int port, database;
    unsigned seed;
    atomic_bool *stop;
    long added;
    atomic_long swapped;
    char error[200];
};

static void *count_up(void *arg)
{
    struct writer *writer = arg;
    struct client *client = client_open(writer->port);
    redisReply *reply = client_ask(client, "SELECT %d", writer->database);
    freeReplyObject(reply);
    while (!atomic_load(writer->stop) && !writer->error[0]) {
        int sent = 0;
        for (; sent < 16; sent++) {
            client_queue(client, sent % 4 ? "INCR c%d" : "APPEND text%d x",
                (int)(rand_r(&writer->seed) % COUNTERS));
            writer->added += sent % 4 ? 1 : 0;
        }
        for (int i = 0; i < sent; i++) {
            reply = client_next(client);
            if (!reply || reply->type != REDIS_REPLY_INTEGER)
                snprintf(writer->error, sizeof(writer->error), "%s",
                    reply ? reply->str : client_error(client));
            if (reply)
                freeReplyObject(reply);
        }
    }
    client_close(client);
    return NULL;
}

static void *swap_around(void *arg)
{
    struct writer *writer = arg;
    struct client *client = client_open(writer->port);
    while (!atomic_load(writer->stop) && !writer->error[0]) {
        int one = (int)(rand_r(&writer->seed) % DATABASES);
        int other = (int)(rand_r(&writer->seed) % DATABASES);
        redisReply *reply = client_ask(client, "SWAPDB %d %d", one, other);
        if (!reply || reply->type == REDIS_REPLY_ERROR)
            snprintf(writer->error, sizeof(writer->error), "%s",
                reply ? reply->str : client_error(client));
        if (reply)
            freeReplyObject(reply);
        reply = client_ask(client, "MOVE c%d %d", (int)(rand_r(&writer->seed) % COUNTERS),
            1 + (int)(rand_r(&writer->seed) % (DATABASES - 1)));
        if (reply)
            freeReplyObject(reply);
        atomic_fetch_add(&writer->swapped, 1);
    }
    client_close(client);
    return NULL;
}

static void begin(struct writer *writers, int port, atomic_bool *stop)
{
    for (int i = 0; i <= WRITERS; i++) {
        writers[i] = (struct writer){
            .port = port, .database = i, .seed = (unsigned)i + 7, .stop = stop
        };
        pthread_create(
            &writers[i].thread, NULL, i < WRITERS ? count_up : swap_around, &writers[i]);
    }
}

static void end(struct writer *writers, atomic_bool *stop)
{
    atomic_store(stop, true);
    for (int i = 0; i <= WRITERS; i++) {
        pthread_join(writers[i].thread, NULL);
        cr_expect_str_eq(writers[i].error, "", "a client was told: %s", writers[i].error);
    }
}

/* The sum of all counters, wherever they are. */
static long sum_of(struct node *node)
{
    long sum = 0;
    for (int database = 0; database < DATABASES; database++) {
        node_expect(node, "OK", "SELECT %d", database);
        for (int i = 0; i < COUNTERS; i++) {
            const char *count = node_text(node, "GET c%d", i);
            sum += strcmp(count, "(nil)") == 0 ? 0 : atol(count);
        }
    }
    node_expect(node, "OK", "SELECT 0");
    return sum;
}

/* Every INCR is in one of the databases, in memory, in the append-only file and on the replica. */
Test(databases, swapped_under_writers_lose_nothing)
{
    struct node *node = node_start("cluster-enabled no\nio-threads 4\nappendonly yes\n");
    struct node *replica = node_start("cluster-enabled no\nio-threads 2\n");
    node_expect(replica, "OK", "REPLICAOF 127.0.0.1 %d", node_port(node));
    wait_until(20000, node_info_is(replica, "master_link_status", "up"));
    struct writer writers[WRITERS + 1];
    atomic_bool stop = false;
    begin(writers, node_port(node), &stop);
    wait_until(60000, atomic_load(&writers[WRITERS].swapped) >= ROUNDS);
    end(writers, &stop);
    long added = 0;
    for (int i = 0; i < WRITERS; i++)
        added += writers[i].added;
    cr_expect_eq(sum_of(node), added, "%ld INCRs, the sum is %ld", added, sum_of(node));
    wait_until(20000, node_in_sync(replica, node));
    cr_expect_eq(sum_of(replica), added, "the replica has %ld of %ld", sum_of(replica), added);
    cr_expect_eq(node_stop(node), 0);
    node_restart(node);
    cr_expect_eq(sum_of(node), added, "after the restart there are %ld of %ld", sum_of(node), added);
}

static void fill(struct node *node, int database, const char *value)
{
    struct client *client = node_client(node);
    node_expect(node, "OK", "SELECT %d", database);
    for (int i = 0; i < KEYS; i++)
        client_queue(client, "SET k%d %s", i, value);
    for (int i = 0; i < KEYS; i++)
        freeReplyObject(client_next(client));
    node_expect(node, "OK", "SELECT 0");
}

/* How many of all keys of the database have the value. */
static int count_of(struct node *node, int database, const char *value)
{
    struct client *client = node_client(node);
    int count = 0;
    node_expect(node, "OK", "SELECT %d", database);
    for (int i = 0; i < KEYS; i++)
        client_queue(client, "GET k%d", i);
    for (int i = 0; i < KEYS; i++) {
        redisReply *reply = client_next(client);
        count += reply->type == REDIS_REPLY_STRING && strcmp(reply->str, value) == 0;
        freeReplyObject(reply);
    }
    node_expect(node, "OK", "SELECT 0");
    return count;
}

/* What the databases 0, 1 and 5 have: of each key "z", "o", "c" or nothing. */
struct model {
    char keys[3][KEYS];
};

static void swap_models(struct model *model, int one, int other)
{
    static char kept[KEYS];
    memcpy(kept, model->keys[one], KEYS);
    memcpy(model->keys[one], model->keys[other], KEYS);
    memcpy(model->keys[other], kept, KEYS);
}

/* One transaction; the marker tells which was the last that a snapshot has seen. */
static void change(struct node *node, int turn)
{
    static const char *const swaps[] = { "MULTI", "SWAPDB 0 1", "SWAPDB 1 5", "SELECT 0" };
    struct client *client = node_client(node);
    for (int i = 0; i < 4; i++)
        client_queue(client, swaps[i]);
    client_queue(client, "SET k%d c", turn);
    client_queue(client, "DEL k%d", turn + KEYS / 2);
    client_queue(client, "SELECT 7");
    client_queue(client, "SET marker %d", turn + 1);
    client_queue(client, "SELECT 0");
    client_queue(client, "EXEC");
    for (int i = 0; i < 10; i++)
        freeReplyObject(client_next(client));
}

static void change_model(struct model *model, int turn)
{
    swap_models(model, 0, 1);
    swap_models(model, 1, 2);
    model->keys[0][turn] = 'c';
    model->keys[0][turn + KEYS / 2] = 0;
}

static int model_count(const struct model *model, int database, char value)
{
    int count = 0;
    for (int i = 0; i < KEYS; i++)
        count += model->keys[database][i] == value;
    return count;
}

/* A snapshot begins, and the databases that it walks through change places again and again, one of
 * them with one that never had a key; keys of them are overwritten and deleted meanwhile. */
Test(databases, swapped_under_a_snapshot_are_in_it_as_they_were)
{
    struct node *node = node_start("cluster-enabled no\nio-threads 2\n");
    fill(node, 0, "z");
    fill(node, 1, "o");
    int turn = 0, meanwhile = 0;
    change(node, turn++);
    for (int tries = 0; meanwhile < 3 && tries < 100; tries++) { /* some are over too soon */
        node_text(node, "BGSAVE");
        for (meanwhile = 0; meanwhile == 0 || (node_info_number(node, "rdb_bgsave_in_progress") == 1 &&
                                                  turn < KEYS / 2);
             meanwhile++)
            change(node, turn++);
    }
    cr_expect(node_info_is(node, "rdb_last_bgsave_status", "ok"));
    cr_assert_geq(meanwhile, 3, "each snapshot was over before anything was swapped");
    node_kill(node);
    node_restart(node);
    node_expect(node, "OK", "SELECT 7");
    int seen = atoi(node_text(node, "GET marker"));
    static struct model model;
    memset(model.keys[0], 'z', KEYS);
    memset(model.keys[1], 'o', KEYS);
    for (int i = 0; i < seen; i++)
        change_model(&model, i);
    static const int numbers[] = { 0, 1, 5 };
    for (int i = 0; i < 9; i++) {
        char value[] = { "zoc"[i % 3], 0 };
        int there = count_of(node, numbers[i / 3], value);
        int expected = model_count(&model, i / 3, value[0]);
        cr_expect_eq(there, expected, "after turn %d of %d, database %d has %d of %d '%s'", seen,
            turn, numbers[i / 3], there, expected, value);
    }
}
