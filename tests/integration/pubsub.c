/* What clients get unasked, with many of them over several workers: every message, once, in the
 * order of its publisher; and what a cluster, a lost slot, MONITOR and a small table of tracked
 * keys add to it. */
#include "common/slot.h"
#include "tests/support/cluster.h"
#include "tests/support/raw.h"
#include "tests/support/scratch.h"
#include "tests/support/wait.h"
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(pubsub, .init = nodes_begin, .fini = nodes_end, .timeout = 90);

enum { PUBLISHERS = 4, SUBSCRIBERS = 12, MESSAGES = 2000, BATCH = 50, LIMIT_MS = 20000 };

struct publisher {
    int port, number;
    long wrong; /* replies that were not the number of the subscribers */
};

static void *publish(void *context)
{
    struct publisher *publisher = context;
    struct client *client = client_open(publisher->port);
    for (int first = 0; first < MESSAGES; first += BATCH) {
        for (int i = first; i < first + BATCH; i++)
            client_queue(client, "PUBLISH news.%d %d:%d", publisher->number, publisher->number, i);
        for (int i = 0; i < BATCH; i++) {
            redisReply *reply = client_next(client);
            if (reply == NULL || reply->type != REDIS_REPLY_INTEGER ||
                reply->integer != SUBSCRIBERS)
                publisher->wrong++;
            if (reply != NULL)
                freeReplyObject(reply);
        }
    }
    client_close(client);
    return NULL;
}

struct subscriber {
    struct raw *raw;
    bool by_pattern;
    long got, wrong;
};

/* The last bulk of a message, "publisher:number". */
static bool read_message(struct bytes reply, int *publisher, int *number)
{
    const char *at = reply.data + reply.len - 2;
    while (at > reply.data && at[-1] != '\n')
        at--;
    return reply.len > 0 && sscanf(at, "%d:%d", publisher, number) == 2;
}

static void *listen_to(void *context)
{
    struct subscriber *subscriber = context;
    int next[PUBLISHERS] = { 0 }, publisher, number;
    for (long i = 0; i < (long)PUBLISHERS * MESSAGES; i++) {
        struct bytes reply = raw_reply(subscriber->raw, LIMIT_MS);
        if (!read_message(reply, &publisher, &number) || publisher < 0 || publisher >= PUBLISHERS ||
            number != next[publisher]++) {
            subscriber->wrong++;
            break;
        }
        subscriber->got++;
    }
    return NULL;
}

static void subscribe_all(struct subscriber *subscriber, int port, int i)
{
    subscriber->raw = raw_open(port);
    subscriber->by_pattern = i % 3 == 0;
    if (i % 2 == 1) {
        raw_send_text(subscriber->raw, "HELLO 3\r\n");
        raw_reply(subscriber->raw, LIMIT_MS);
    }
    raw_send_text(subscriber->raw, subscriber->by_pattern
                                       ? "PSUBSCRIBE news.*\r\n"
                                       : "SUBSCRIBE news.0 news.1 news.2 news.3\r\n");
    for (int k = 0; k < (subscriber->by_pattern ? 1 : PUBLISHERS); k++)
        cr_assert(raw_reply(subscriber->raw, LIMIT_MS).len > 0);
}

/* Others that come and go, and change what they listen to, while the messages are under way. */
static void *fidget(void *context)
{
    struct publisher *fidgeter = context;
    atomic_bool *stop = (atomic_bool *)(fidgeter + 1);
    for (int round = 0; !atomic_load(stop); round++) {
        struct raw *raw = raw_open(fidgeter->port);
        raw_send_text(raw, "HELLO 3\r\n");
        raw_send_text(raw, "SUBSCRIBE other\r\nPSUBSCRIBE oth*\r\nPUBLISH other x\r\n"
                           "CLIENT TRACKING on BCAST\r\nSET fidget 1\r\nUNSUBSCRIBE\r\n"
                           "PUBSUB CHANNELS\r\nMONITOR\r\nPUBSUB NUMPAT\r\n");
        if (round % 2 == 0)
            raw_reply(raw, 100);
        raw_close(raw);
    }
    return NULL;
}

Test(pubsub, every_message_once_and_in_order)
{
    struct node *node = node_start_owner("io-threads 4\n");
    struct subscriber subscribers[SUBSCRIBERS] = { 0 };
    struct publisher publishers[PUBLISHERS];
    struct {
        struct publisher who;
        atomic_bool stop;
    } fidgeter = { .who = { node_port(node), 0, 0 } };
    pthread_t listening[SUBSCRIBERS], publishing[PUBLISHERS], fidgeting;
    for (int i = 0; i < SUBSCRIBERS; i++)
        subscribe_all(&subscribers[i], node_port(node), i);
    cr_assert_eq(pthread_create(&fidgeting, NULL, fidget, &fidgeter), 0);
    for (int i = 0; i < SUBSCRIBERS; i++)
        cr_assert_eq(pthread_create(&listening[i], NULL, listen_to, &subscribers[i]), 0);
    for (int i = 0; i < PUBLISHERS; i++) {
        publishers[i] = (struct publisher){ node_port(node), i, 0 };
        cr_assert_eq(pthread_create(&publishing[i], NULL, publish, &publishers[i]), 0);
    }
    for (int i = 0; i < PUBLISHERS; i++) {
        pthread_join(publishing[i], NULL);
        cr_expect_eq(publishers[i].wrong, 0, "%ld wrong counts", publishers[i].wrong);
    }
    for (int i = 0; i < SUBSCRIBERS; i++) {
        pthread_join(listening[i], NULL);
        cr_expect_eq(subscribers[i].got, (long)PUBLISHERS * MESSAGES, "subscriber %d got %ld", i,
            subscribers[i].got);
        cr_expect_eq(subscribers[i].wrong, 0);
        raw_close(subscribers[i].raw);
    }
    atomic_store(&fidgeter.stop, true);
    pthread_join(fidgeting, NULL);
    wait_until(10000, node_info_number(node, "pubsub_channels") == 0 &&
                          node_info_number(node, "pubsub_patterns") == 0 &&
                          node_info_number(node, "tracking_clients") == 0);
}

/* A message longer than what is copied goes out by reference, to all. */
Test(pubsub, long_messages)
{
    enum { LONG = 300000, MANY = 5 };
    struct node *node = node_start_owner("io-threads 2\n");
    struct raw *subscribers[MANY];
    char *text = malloc(LONG + 1);
    memset(text, 'x', LONG);
    text[LONG] = 0;
    for (int i = 0; i < MANY; i++) {
        subscribers[i] = raw_open(node_port(node));
        raw_send_text(subscribers[i], "SUBSCRIBE long\r\n");
        raw_reply(subscribers[i], LIMIT_MS);
    }
    for (int k = 0; k < 3; k++)
        node_expect(node, "5", "PUBLISH long %b", text, (size_t)LONG - (size_t)k);
    for (int i = 0; i < MANY; i++) {
        for (int k = 0; k < 3; k++) {
            const char *expected = scratch_printf(
                "*3\r\n$7\r\nmessage\r\n$4\r\nlong\r\n$%d\r\n%s\r\n", LONG - k, text + k);
            struct bytes reply = raw_reply(subscribers[i], LIMIT_MS);
            cr_expect(bytes_equal(reply, bytes_of(expected)), "%zu bytes", reply.len);
        }
        raw_close(subscribers[i]);
    }
    free(text);
}

/* One who never reads is closed at the limit of his class, and nobody else is. */
Test(pubsub, output_limit)
{
    struct node *node =
        node_start_owner("io-threads 2\nclient-output-buffer-limit pubsub 1mb 0 0\n");
    struct raw *deaf = raw_open_buffered(node_port(node), 4096);
    raw_send_text(deaf, "SUBSCRIBE c\r\n");
    wait_until(5000, node_info_number(node, "pubsub_channels") == 1);
    char *text = calloc(1, 100000);
    memset(text, 'y', 99999);
    wait_until(20000, strcmp(node_text(node, "PUBLISH c %s", text), "0") == 0);
    cr_expect(node_log_has(node, "client-output-buffer-limit"));
    raw_close(deaf);
    free(text);
}

Test(pubsub, clients_of_the_class)
{
    struct node *node = node_start_owner("io-threads 2\n");
    struct raw *listener = raw_open(node_port(node)), *other = raw_open(node_port(node));
    raw_expect(other, "+PONG\r\n", "PING");
    raw_send_text(listener, "PSUBSCRIBE a* b*\r\n");
    wait_until(5000, strstr(node_text(node, "CLIENT LIST TYPE pubsub"), "psub=2") != NULL);
    cr_expect_not_null(strstr(node_text(node, "CLIENT LIST TYPE pubsub"), "flags=P "));
    node_expect(node, "1", "CLIENT KILL TYPE pubsub");
    cr_expect(raw_closed(listener, 5000));
    raw_expect(other, "+PONG\r\n", "PING");
    raw_close(listener);
    raw_close(other);
}

/* ---- Across the cluster ---- */

static struct raw *subscribed(struct node *node, const char *line)
{
    struct raw *raw = raw_open(node_port(node));
    cr_assert_not_null(raw);
    raw_send_text(raw, line);
    struct bytes reply = raw_reply(raw, LIMIT_MS);
    cr_assert(reply.len > 0 && reply.data[0] == '*', "%s", raw_escape(reply));
    return raw;
}

static void expect_message(struct raw *raw, const char *kind, const char *channel, const char *text)
{
    const char *expected = scratch_printf("*3\r\n$%zu\r\n%s\r\n$%zu\r\n%s\r\n$%zu\r\n%s\r\n",
        strlen(kind), kind, strlen(channel), channel, strlen(text), text);
    raw_expect_next(raw, expected);
}

Test(pubsub, through_the_cluster)
{
    struct cluster *cluster = cluster_start(2, 1, "io-threads 2\n");
    struct raw *raws[4];
    /* A message is for the nodes that are connected; the last links may just be coming up. */
    for (int i = 0; i < cluster->count; i++)
        wait_until(LIMIT_MS,
            strstr(node_text(cluster->nodes[i], "CLUSTER NODES"), "disconnected") == NULL);
    for (int i = 0; i < cluster->count; i++)
        raws[i] = subscribed(cluster->nodes[i], "SUBSCRIBE everywhere\r\n");
    for (int from = 0; from < cluster->count; from++) {
        node_expect(cluster->nodes[from], "1", "PUBLISH everywhere %d", from);
        for (int i = 0; i < cluster->count; i++)
            expect_message(raws[i], "message", "everywhere", scratch_printf("%d", from));
    }
    /* Sharded: the owner and its replica, and nobody else. */
    struct node *owner = cluster_owner_of_key(cluster, "shard");
    struct node *replica = cluster_replica_of(cluster, owner);
    struct raw *at_owner = subscribed(owner, "SSUBSCRIBE shard\r\n");
    struct raw *at_replica = subscribed(replica, "SSUBSCRIBE shard\r\n");
    node_expect(owner, "1", "SPUBLISH shard one");
    expect_message(at_owner, "smessage", "shard", "one");
    expect_message(at_replica, "smessage", "shard", "one");
    struct node *stranger = cluster->nodes[owner == cluster->nodes[0] ? 1 : 0];
    const char *moved = node_text(stranger, "SPUBLISH shard two");
    cr_expect(strncmp(moved, "-MOVED", 6) == 0, "%s", moved);
    /* The slot goes: its subscribers are told, and may go elsewhere. */
    unsigned slot = slot_of_key(BYTES("shard"));
    node_expect(stranger, "OK", "CLUSTER SETSLOT %u IMPORTING %s", slot, node_id(owner));
    node_expect(owner, "OK", "CLUSTER SETSLOT %u MIGRATING %s", slot, node_id(stranger));
    node_expect(owner, "1", "SPUBLISH shard three");
    expect_message(at_owner, "smessage", "shard", "three");
    expect_message(at_replica, "smessage", "shard", "three");
    node_expect(stranger, "OK", "CLUSTER SETSLOT %u NODE %s", slot, node_id(stranger));
    node_expect(owner, "OK", "CLUSTER SETSLOT %u NODE %s", slot, node_id(stranger));
    const char *goodbye = "*3\r\n$12\r\nsunsubscribe\r\n$5\r\nshard\r\n:0\r\n";
    raw_expect_next(at_owner, goodbye);
    raw_expect_next(at_replica, goodbye);
    for (int i = 0; i < cluster->count; i++)
        raw_close(raws[i]);
    raw_close(at_owner);
    raw_close(at_replica);
}

/* The slot stays in the shard, but who listens where it was is sent to look for it. */
Test(pubsub, sharded_through_a_failover)
{
    struct cluster *cluster = cluster_start(3, 1, "%s", "");
    struct node *owner = cluster_owner_of_key(cluster, "shard");
    struct node *replica = cluster_replica_of(cluster, owner);
    struct raw *at_owner = subscribed(owner, "SSUBSCRIBE shard\r\n");
    struct raw *at_replica = subscribed(replica, "SSUBSCRIBE shard\r\n");
    node_expect(replica, "OK", "CLUSTER FAILOVER");
    raw_expect_next(at_owner, "*3\r\n$12\r\nsunsubscribe\r\n$5\r\nshard\r\n:0\r\n");
    wait_until(LIMIT_MS, node_info_is(replica, "role", "master"));
    node_expect(replica, "1", "SPUBLISH shard here");
    expect_message(at_replica, "smessage", "shard", "here");
    raw_close(at_owner);
    raw_close(at_replica);
}

/* In RESP3 what a client hears of its own transaction comes behind the answer: within the array,
 * where redis-server 7.0 puts it, it could not be told from an element. */
Test(pubsub, own_messages_of_a_transaction)
{
    struct node *node = node_start("%s", "");
    struct raw *raw = raw_open(node_port(node));
    raw_send_text(raw, "HELLO 3\r\nSUBSCRIBE ch\r\nMULTI\r\nPUBLISH ch a\r\nUNSUBSCRIBE ch\r\n"
                       "PUBLISH ch b\r\nEXEC\r\n");
    for (int i = 0; i < 6; i++)
        raw_reply(raw, LIMIT_MS);
    raw_expect_next(raw, "*3\r\n:1\r\n>3\r\n$11\r\nunsubscribe\r\n$2\r\nch\r\n:0\r\n:0\r\n");
    raw_expect_next(raw, ">3\r\n$7\r\nmessage\r\n$2\r\nch\r\n$1\r\na\r\n");
    raw_close(raw);
}

/* Without a cluster messages go down the replication stream. */
Test(pubsub, through_replication)
{
    struct node *primary = node_start("repl-diskless-sync-delay 0\n");
    struct node *replica = node_start("replicaof 127.0.0.1 %d\n", node_port(primary));
    wait_until(20000, strcmp(node_info(replica, "master_link_status"), "up") == 0);
    struct raw *raw = subscribed(replica, "SUBSCRIBE c\r\n");
    node_expect(primary, "0", "PUBLISH c hello");
    expect_message(raw, "message", "c", "hello");
    node_expect(primary, "OK", "SET k v");
    wait_until(10000, strcmp(node_text(replica, "GET k"), "v") == 0);
    node_expect(replica, "1", "PUBLISH c here");
    expect_message(raw, "message", "c", "here");
    raw_close(raw);
}

/* ---- MONITOR ---- */

static void expect_line(struct raw *raw, const char *after)
{
    struct bytes line = raw_reply(raw, LIMIT_MS);
    double time;
    int used = 0;
    const char *text = scratch_copy(line.data, line.len);
    cr_expect(sscanf(text, "+%lf %n", &time, &used) == 1 && used > 0 && time > 1e9 &&
                  strncmp(text + used, after, strlen(after)) == 0,
        "%s instead of %s", raw_escape(line), after);
    const char *bracket = strchr(text + used, ']');
    cr_expect(bracket != NULL);
}

static const char *rest_of_line(struct raw *raw)
{
    struct bytes line = raw_reply(raw, LIMIT_MS);
    const char *text = scratch_copy(line.data, line.len), *end = strstr(text, "] ");
    return end != NULL ? end + 2 : text;
}

Test(pubsub, monitor)
{
    struct node *node = node_start("io-threads 2\ndatabases 4\nunixsocket s.sock\n");
    struct raw *monitor = raw_open(node_port(node)), *other = raw_open(node_port(node));
    raw_expect(monitor, "+OK\r\n", "MONITOR");
    raw_expect(other, "+OK\r\n", "SELECT 2");
    expect_line(monitor, "[2 127.0.0.1:");
    static const char *const lines[][2] = {
        { "SET a \"b \\x01\\xff\\n\\\"\\\\'\"", "\"SET\" \"a\" \"b \\x01\\xff\\n\\\"\\\\'\"\r\n" },
        { "AUTH secret", "\"AUTH\" \"(redacted)\"\r\n" },
        { "HELLO 2 AUTH default secret",
            "\"HELLO\" \"2\" \"AUTH\" \"(redacted)\" \"(redacted)\"\r\n" },
        { "CONFIG GET port", NULL },
        { "GET", NULL },
        { "nosuch", NULL },
        { "MULTI", "\"MULTI\"\r\n" },
        { "INCR n", NULL },
        { "EXEC", "\"INCR\" \"n\"\r\n" },
        { NULL, "\"EXEC\"\r\n" },
        { "PING", "\"PING\"\r\n" },
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
        if (lines[i][0] != NULL) {
            raw_send_text(other, scratch_printf("%s\r\n", lines[i][0]));
            raw_reply(other, LIMIT_MS);
        }
        if (lines[i][1] != NULL) {
            const char *got = rest_of_line(monitor);
            cr_expect_str_eq(got, lines[i][1]);
        }
    }
    raw_expect(monitor, "-ERR Replica can't interact with the keyspace\r\n", "GET a");
    raw_expect(monitor, "+RESET\r\n", "RESET");
    raw_expect(monitor, "$-1\r\n", "GET a");
    raw_close(monitor);
    raw_close(other);
}

/* ---- Tracking ---- */

Test(pubsub, tracking_table_is_bounded)
{
    enum { KEYS = 500, BOUND = 100 };
    struct node *node = node_start_owner("io-threads 2\ntracking-table-max-keys %d\n", BOUND);
    struct raw *reader = raw_open(node_port(node));
    raw_send_text(reader, "HELLO 3\r\n");
    raw_reply(reader, LIMIT_MS);
    raw_expect(reader, "+OK\r\n", "CLIENT TRACKING on");
    for (int i = 0; i < KEYS; i++)
        raw_send_text(reader, scratch_printf("GET key%d\r\n", i));
    int nulls = 0, pushes = 0;
    while (nulls < KEYS || pushes < KEYS - BOUND) {
        struct bytes reply = raw_reply(reader, LIMIT_MS);
        cr_assert(reply.len > 0, "%d replies, %d pushes", nulls, pushes);
        nulls += reply.data[0] == '_';
        pushes += reply.data[0] == '>';
    }
    cr_expect_eq(node_info_number(node, "tracking_total_keys"), BOUND);
    cr_expect_eq(node_info_number(node, "tracking_clients"), 1);
    raw_close(reader);
    wait_until(5000, node_info_number(node, "tracking_total_keys") == 0);
}

/* Whoever keeps what he has read, and drops it when he is told, ends with what is true. */
struct cacher {
    struct raw *raw;
    int version; /* what he believes key to be; -1: nothing */
};

Test(pubsub, caches_end_with_the_truth)
{
    enum { CACHERS = 6, WRITES = 300 };
    struct node *node = node_start_owner("io-threads 3\n");
    struct cacher cachers[CACHERS];
    for (int i = 0; i < CACHERS; i++) {
        cachers[i] = (struct cacher){ raw_open(node_port(node)), -1 };
        raw_send_text(cachers[i].raw, "HELLO 3\r\n");
        raw_reply(cachers[i].raw, LIMIT_MS);
        raw_expect(cachers[i].raw, "+OK\r\n", "CLIENT TRACKING on");
    }
    for (int write = 0; write < WRITES; write++) {
        for (int i = 0; i < CACHERS; i++)
            if (cachers[i].version < 0)
                raw_send_text(cachers[i].raw, "GET key\r\n");
        node_expect(node, "OK", "SET key %d", write);
        for (int i = 0; i < CACHERS; i++) {
            /* The reply, old or new; then, if it was the old one, its end. */
            while (cachers[i].version < 0) {
                struct bytes reply = raw_reply(cachers[i].raw, LIMIT_MS);
                cr_assert(reply.len > 0);
                if (reply.data[0] == '$')
                    sscanf(strchr(reply.data, '\n') + 1, "%d", &cachers[i].version);
                else if (reply.data[0] == '_')
                    cachers[i].version = WRITES; /* before the first write */
            }
            if (cachers[i].version != write) {
                struct bytes push = raw_reply(cachers[i].raw, LIMIT_MS);
                cr_assert(
                    push.len > 0 && push.data[0] == '>', "write %d: %s", write, raw_escape(push));
                cachers[i].version = -1;
            }
        }
    }
    for (int i = 0; i < CACHERS; i++)
        raw_close(cachers[i].raw);
}

/* ---- maxmemory-clients ---- */

/* A transaction that grows: its queue is its client's memory. */
static bool fill(struct raw *raw, int commands)
{
    static char text[1000];
    memset(text, 'x', sizeof(text) - 1);
    const char *argv[] = { "SET", "k", text };
    raw_send_text(raw, "MULTI\r\n");
    if (raw_reply(raw, LIMIT_MS).len == 0)
        return false;
    for (int i = 0; i < commands; i++)
        if (!raw_send_command(raw, 3, argv) || raw_reply(raw, LIMIT_MS).len == 0)
            return false;
    return true;
}

Test(pubsub, the_largest_client_is_evicted)
{
    struct node *node = node_start_owner("io-threads 2\nmaxmemory 200mb\nmaxmemory-clients 1%%\n");
    struct raw *small = raw_open(node_port(node)), *kept = raw_open(node_port(node));
    struct raw *large = raw_open(node_port(node));
    cr_assert(fill(small, 100));
    raw_expect(kept, "+OK\r\n", "CLIENT NO-EVICT on");
    cr_assert(fill(kept, 500));
    node_expect(node, "0", "EXISTS k");
    cr_expect_eq(node_info_number(node, "evicted_clients"), 0);
    cr_expect(!fill(large, 5000), "it is larger than all clients may be");
    wait_until(5000, node_info_number(node, "evicted_clients") == 1);
    raw_expect(small, "+OK\r\n", "DISCARD");
    raw_expect(kept, "+OK\r\n", "DISCARD");
    cr_expect(node_log_has(node, "Evicting client"));
    raw_close(small);
    raw_close(kept);
    raw_close(large);
}
