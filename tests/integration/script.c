/* Scripts beside other work: those that take long and how they are ended, what they leave in the
 * append-only file and on replicas, and many of them at once on several workers. */
#include "tests/support/cluster.h"
#include "tests/support/file.h"
#include "tests/support/scratch.h"
#include "tests/support/shell.h"
#include "tests/support/wait.h"
#include <stdio.h>
#include <string.h>

TestSuite(script, .init = nodes_begin, .fini = nodes_end, .timeout = 90);

#define FOREVER "while true do end"
#define BUSY                                                                                       \
    "-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."

enum { CONNECTIONS = 8 };

/* Connections to all workers: a new one goes to the worker with the fewest. */
static void open_many(struct node *node, struct client **clients)
{
    for (int i = 0; i < CONNECTIONS; i++) {
        clients[i] = client_open(node_port(node));
        client_expect(clients[i], "PONG", "PING");
    }
}

/* Sends the script, whose reply is to be had with reply_of. */
static struct client *begin(struct node *node, const char *script, const char *key)
{
    struct client *client = client_open(node_port(node));
    client_set_timeout(client, 60000);
    cr_assert(client_queue(client, "EVAL %s 1 %s", script, key) && client_flush(client));
    return client;
}

static void check_next(struct client *client, const char *expected)
{
    redisReply *reply = client_next(client);
    cr_assert_not_null(reply);
    client_check_text(__FILE__, __LINE__, expected, reply_text(reply));
    freeReplyObject(reply);
}

static void check_reply(struct client *client, const char *expected)
{
    check_next(client, expected);
    client_close(client);
}

static bool is_busy(struct node *node, const char *key)
{
    return strcmp(client_text(node_client(node), "GET %s", key), BUSY) == 0;
}

/* On one worker, so that whoever is served is served by the worker that runs the script; on four.
 */
static void check_others_go_on(int workers)
{
    struct node *node = node_start_owner("io-threads %d\nbusy-reply-threshold 100\n", workers);
    struct client *clients[CONNECTIONS];
    node_expect(node, "OK", "SET {a}key v");
    node_expect(node, "OK", "SET {b}key v");
    open_many(node, clients);
    struct client *busy = begin(node, FOREVER, "{a}key");
    wait_until(10000, is_busy(node, "{a}key"));
    for (int i = 0; i < CONNECTIONS; i++) {
        client_expect(clients[i], "v", "GET {b}key");
        client_expect(clients[i], "OK", "SET {b}key v");
        client_expect(clients[i], BUSY, "SET {a}key w");
        client_expect(clients[i], BUSY, "KEYS *");
        client_expect(clients[i], "PONG", "PING");
        client_expect(clients[i], "OK", "MULTI");
        client_expect(clients[i], "QUEUED", "INCR {b}n");
        client_expect(clients[i], "[*", "EXEC");
    }
    struct client *fresh = client_open(node_port(node));
    client_expect(fresh, "PONG", "PING");
    client_expect(fresh, "-BUSY*", "FUNCTION KILL");
    client_expect(fresh, "OK", "SCRIPT KILL");
    check_reply(busy, "-ERR Script killed by user with SCRIPT KILL... script: *");
    client_expect(fresh, "-NOTBUSY*", "SCRIPT KILL");
    for (int i = 0; i < CONNECTIONS; i++)
        client_expect(clients[i], "v", "GET {a}key");
    node_expect(node, scratch_printf("%d", CONNECTIONS), "GET {b}n");
}

Test(script, busy_on_the_only_worker)
{
    check_others_go_on(1);
}

Test(script, busy_among_four_workers)
{
    check_others_go_on(4);
}

/* What waits for the slot gets it when the script is through, if that is before the threshold. */
Test(script, those_who_wait_get_their_turn)
{
    struct node *node = node_start("io-threads 2\nbusy-reply-threshold 60000\n");
    struct client *waiting[CONNECTIONS];
    const char *script = scratch_printf("local n = %d for i = 1, n do if i == n then "
                                        "redis.call('set', KEYS[1], 'end') end end return 'through'",
        (int)(100000000 * test_slowness()));
    struct client *busy = begin(node, script, "key");
    wait_until(10000, node_info_number(node, "number_of_cached_scripts") > 0); /* it has the slot */
    for (int i = 0; i < CONNECTIONS; i++) {
        waiting[i] = client_open(node_port(node));
        client_set_timeout(waiting[i], 60000);
        cr_assert(client_queue(waiting[i], "APPEND key .") && client_flush(waiting[i]));
    }
    wait_until(10000, node_info_number(node, "blocked_clients") == CONNECTIONS);
    check_reply(busy, "through");
    for (int i = 0; i < CONNECTIONS; i++) {
        redisReply *reply = client_next(waiting[i]);
        cr_assert(reply && reply->type == REDIS_REPLY_INTEGER, "%s", reply_text(reply));
        freeReplyObject(reply);
    }
    node_expect(node, "end........", "GET key");
}

/* Sent together, they run in one turn. */
Test(script, the_next_request_sees_the_time_after_a_long_one)
{
    struct node *node = node_start("io-threads 1\n");
    struct client *client = node_client(node);
    client_queue(client, "SET key value PX 1");
    client_queue(client, "EVAL %s 0", "return #string.rep('x', 50000000)");
    client_queue(client, "GET key");
    check_next(client, "OK");
    check_next(client, "50000000");
    check_next(client, "(nil)");
}

/* An error that catches itself. */
Test(script, pcall_does_not_save_from_a_kill)
{
    struct node *node = node_start("io-threads 1\nbusy-reply-threshold 100\n");
    struct client *busy =
        begin(node, "while true do pcall(function()\nwhile true do end\nend)\nend", "key");
    wait_until(10000, is_busy(node, "key"));
    node_expect(node, "OK", "SCRIPT KILL");
    check_reply(busy, "-ERR Script killed by user*");
}

Test(script, busy_function)
{
    struct node *node = node_start("io-threads 1\nbusy-reply-threshold 100\n");
    node_expect(node, "l", "FUNCTION LOAD %s",
        "#!lua name=l\nredis.register_function('f',function() while true do end end)");
    struct client *busy = client_open(node_port(node));
    cr_assert(client_queue(busy, "FCALL f 1 key arg") && client_flush(busy));
    wait_until(10000, strncmp(client_text(node_client(node), "GET key"), "-BUSY", 5) == 0);
    node_expect(node, "[running_script, [name, f, command, [FCALL, f, 1, key, arg], duration_ms, *",
        "FUNCTION STATS");
    node_expect(node,
        "-BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.",
        "SCRIPT KILL");
    node_expect(node, "-BUSY*", "FCALL f 1 other");
    node_expect(node, "OK", "FUNCTION KILL");
    check_reply(busy, "-ERR Script killed by user with SCRIPT KILL... script: f, on *");
}

/* Nothing that it has changed is on the disk, all that others had is. */
Test(script, one_that_has_written_ends_with_the_process_alone)
{
    struct node *node =
        node_start("io-threads 2\nbusy-reply-threshold 100\nappendonly yes\nappendfsync always\n");
    node_expect(node, "OK", "SET before v");
    node_expect(node, "OK", "SET key v");
    struct client *busy = begin(node, "redis.call('set',KEYS[1],'changed') " FOREVER, "key");
    wait_until(10000, is_busy(node, "key"));
    node_expect(node, "-UNKILLABLE*", "SCRIPT KILL");
    struct client *clients[CONNECTIONS];
    open_many(node, clients);
    for (int i = 0; i < CONNECTIONS; i++)
        client_expect(clients[i], "OK", "SET other%d v", i);
    node_expect(node, "-BUSY*", "SHUTDOWN");
    cr_expect_null(client_try(node_client(node), "SHUTDOWN NOSAVE"));
    node_wait_exit(node, 10000);
    client_close(busy);
    node_restart(node);
    node_expect(node, "v", "GET before");
    node_expect(node, "v", "GET key");
    for (int i = 0; i < CONNECTIONS; i++)
        node_expect(node, "v", "GET other%d", i);
}

/* A snapshot waits for a script that has written, and no worker for the snapshot. */
Test(script, snapshot_waits_for_one_that_has_written)
{
    struct node *node = node_start("io-threads 2\nbusy-reply-threshold 100\n");
    struct client *busy = begin(node,
        "redis.call('incr',KEYS[1]) for i=1,300000000 do end return redis.call('incr',KEYS[1])",
        "key");
    wait_until(10000, is_busy(node, "key"));
    node_expect(node, "Background saving started", "BGSAVE");
    struct client *clients[CONNECTIONS];
    open_many(node, clients);
    for (int i = 0; i < CONNECTIONS; i++)
        client_expect(clients[i], "OK", "SET other v");
    check_reply(busy, "2");
    wait_until(20000, node_info_is(node, "rdb_bgsave_in_progress", "0"));
    node_kill(node);
    node_restart(node);
    node_expect(node, "2", "GET key");
}

/* ---- Effects ---- */

static const char library[] =
    "#!lua name=lib\n"
    "redis.register_function('add',function(k,a) return redis.call('incrby',k[1],a[1]) end)";

/* A random value, a clock, two commands as one: replicas and the file get what came of it. */
static void run_scripts(struct node *node)
{
    node_expect(node, "OK", "EVAL %s 2 {t}a {t}b",
        "redis.call('set',KEYS[1],tostring(math.random())) redis.call('incr',KEYS[2]) "
        "return redis.call('set',KEYS[1]..'x','y','EX',1000)");
    node_expect(node, "OK", "EVAL %s 1 {t}c", "return redis.call('setex',KEYS[1],1000,'v')");
    node_expect(node, "1", "EVAL %s 1 {t}secret",
        "redis.set_repl(redis.REPL_NONE) redis.call('set',KEYS[1],'v') "
        "redis.set_repl(redis.REPL_ALL) return redis.call('incr','{t}open')");
    node_expect(node, "-*", "EVAL %s 1 {t}d",
        "redis.call('set',KEYS[1],'before the error') redis.call('nosuch')");
    node_expect(node, "lib", "FUNCTION LOAD %s", library);
    node_expect(node, "5", "FCALL add 1 {t}n 5");
    node_expect(node, "5", "EVAL %s 1 {t}n", "return tonumber(redis.call('get',KEYS[1]))");
}

static void check_effects(struct node *node, struct node *origin, bool with_functions)
{
    node_expect(node, client_text(node_client(origin), "GET {t}a"), "GET {t}a");
    node_expect(node, "y", "GET {t}ax");
    node_expect(node, "v", "GET {t}c");
    node_expect(node, "(nil)", "GET {t}secret");
    node_expect(node, "1", "GET {t}open");
    node_expect(node, "before the error", "GET {t}d");
    node_expect(node, "5", "GET {t}n");
    if (with_functions)
        node_expect(node, "[[library_name, lib, *", "FUNCTION LIST");
}

Test(script, effects_reach_replicas)
{
    struct node *primary = node_start("io-threads 2\n");
    struct node *early = node_start("io-threads 2\n");
    struct node *redis = node_start_program("redis-server", "%s", "");
    node_expect(early, "OK", "REPLICAOF 127.0.0.1 %d", node_port(primary));
    node_expect(redis, "OK", "REPLICAOF 127.0.0.1 %d", node_port(primary));
    wait_until(20000, node_in_sync(early, primary) && node_in_sync(redis, primary));
    run_scripts(primary);
    wait_until(20000, node_in_sync(early, primary) && node_in_sync(redis, primary));
    check_effects(early, primary, true);
    check_effects(redis, primary, true);
    node_expect(early, "-READONLY*", "EVAL %s 1 k", "return redis.call('set',KEYS[1],'v')");
    node_expect(early, "-READONLY Can not run script with write flag on readonly replica.",
        "EVAL %s 1 k", "#!lua\nreturn 1");
    node_expect(early, "5", "EVAL %s 1 {t}n", "return tonumber(redis.call('get',KEYS[1]))");
    /* One that comes later gets all in the full sync. */
    node_expect(primary, "1", "DEL {t}secret");
    struct node *late = node_start("io-threads 2\n");
    node_expect(late, "old", "FUNCTION LOAD %s",
        "#!lua name=old\nredis.register_function('old',function() end)");
    node_expect(late, "OK", "REPLICAOF 127.0.0.1 %d", node_port(primary));
    wait_until(20000, node_in_sync(late, primary));
    check_effects(late, primary, true);
    node_expect(late, "OK", "REPLICAOF NO ONE");
    node_expect(late, "8", "FCALL add 1 {t}n 3");
    node_expect(primary, "OK", "FUNCTION FLUSH");
    wait_until(20000, node_in_sync(early, primary));
    node_expect(early, "[]", "FUNCTION LIST");
}

Test(script, effects_survive_in_the_append_only_file)
{
    struct node *node = node_start("io-threads 2\nappendonly yes\n");
    run_scripts(node);
    const char *random = client_text(node_client(node), "GET {t}a");
    node_stop(node);
    node_restart(node);
    node_expect(node, random, "GET {t}a");
    check_effects(node, node, true);
    node_expect(node, "Background append only file rewriting started", "BGREWRITEAOF");
    wait_until(20000, node_info_is(node, "aof_rewrite_in_progress", "0") &&
                          node_info_is(node, "aof_rewrite_scheduled", "0"));
    node_stop(node);
    node_restart(node);
    check_effects(node, node, true);
    node_expect(node, "6", "FCALL add 1 {t}n 1");
}

Test(script, functions_are_in_rdb_files_of_both)
{
    struct node *node = node_start("%s", "");
    run_scripts(node);
    node_expect(node, "1", "DEL {t}secret");
    node_expect(node, "OK", "SAVE");
    struct node *redis = node_prepare_program("redis-server", "%s", "");
    shell_run(5000, NULL, "cp %s %s", node_path(node, "dump.rdb"), node_path(redis, "dump.rdb"));
    node_launch(redis);
    check_effects(redis, node, true);
    node_expect(redis, "6", "FCALL add 1 {t}n 1");
    node_expect(redis, "OK", "SAVE");
    struct node *again = node_prepare("%s", "");
    shell_run(5000, NULL, "cp %s %s", node_path(redis, "dump.rdb"), node_path(again, "dump.rdb"));
    node_launch(again);
    node_expect(again, "7", "FCALL add 1 {t}n 1");
}

/* ---- Many at once ---- */

enum { ROUNDS = 300, MANY = 8, SLOTS = 16 };

/* Declared keys of one slot, of two, undeclared ones, functions, flushes of the cache: the sums are
 * right in the end. */
Test(script, many_workers_and_slots)
{
    struct node *node = node_start("io-threads 4\n");
    struct client *clients[MANY];
    node_expect(node, "lib", "FUNCTION LOAD %s", library);
    for (int i = 0; i < MANY; i++)
        clients[i] = client_open(node_port(node));
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < MANY; i++) {
            int a = (round + i) % SLOTS, b = (round * 7 + i * 3) % SLOTS;
            client_queue(clients[i], "EVAL %s 1 k%d",
                "redis.call('incr','total') return redis.call('incr',KEYS[1])", a);
            client_queue(clients[i], "EVAL %s 2 k%d k%d",
                "redis.call('incr',KEYS[1]) return redis.call('decr',KEYS[2])", a, b);
            client_queue(clients[i], "EVAL %s 0",
                "redis.call('incr','u1') redis.call('incr','u2') return redis.call('incr','u3')");
            client_queue(clients[i], "FCALL add 1 f%d 2", b);
            client_queue(clients[i], "INCR plain%d", a);
            if (round % 100 == 50 && i == 0)
                client_queue(clients[i], "SCRIPT FLUSH");
        }
        for (int i = 0; i < MANY; i++) {
            int count = 5 + (round % 100 == 50 && i == 0);
            for (int k = 0; k < count; k++) {
                redisReply *reply = client_next(clients[i]);
                cr_assert(reply && reply->type != REDIS_REPLY_ERROR, "%s", reply_text(reply));
                freeReplyObject(reply);
            }
        }
    }
    const char *all = scratch_printf("%d", ROUNDS * MANY);
    node_expect(node, all, "GET total");
    node_expect(node, all, "GET u1");
    node_expect(node, all, "GET u3");
    int64_t keys = 0, functions = 0;
    for (int i = 0; i < SLOTS; i++) {
        keys += client_integer(node_client(node), "INCRBY k%d 0", i);
        functions += client_integer(node_client(node), "INCRBY f%d 0", i);
    }
    cr_expect_eq(keys, ROUNDS * MANY);
    cr_expect_eq(functions, 2 * ROUNDS * MANY);
}

/* Busy scripts on several workers at the same time, killed together. */
Test(script, several_busy_ones)
{
    struct node *node = node_start("io-threads 4\nbusy-reply-threshold 100\n");
    struct client *busy[4];
    for (int i = 0; i < 4; i++)
        busy[i] = begin(node, FOREVER, scratch_printf("key%d", i));
    hold_for(300, strcmp(client_text(node_client(node), "PING"), "PONG") == 0);
    wait_until(20000, strncmp(client_text(node_client(node), "SCRIPT KILL"), "-NOTBUSY", 8) == 0);
    for (int i = 0; i < 4; i++)
        check_reply(busy[i], "-*");
}
