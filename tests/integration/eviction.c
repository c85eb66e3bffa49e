/* maxmemory: the limit holds, what is used much stays, nothing goes where nothing may, replicas
 * follow, and what is known of the use of keys goes with them to the disk. */
#include "tests/support/file.h"
#include "tests/support/node.h"
#include "tests/support/raw.h"
#include "tests/support/scratch.h"
#include "tests/support/wait.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

TestSuite(eviction, .init = nodes_begin, .fini = nodes_end, .timeout = 120);

enum {
    KEYS = 20000,
    LOOKUPS = 60000,
    BATCH = 100,
    ROOM = 3 * 1024 * 1024,   /* for a good third of the keys */
    SLACK = 768 * 1024,       /* what a limit may be passed by: threads keep some to themselves */
    VALUE = 300,
};

static const char *const evicting[] = { "allkeys-lru", "allkeys-lfu", "allkeys-random",
    "volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl" };

/* Sums of the weights 1 / rank^0.9 up to each key. */
static double *zipf_sums(void)
{
    double *sums = malloc(KEYS * sizeof(*sums)), sum = 0;
    for (int i = 0; i < KEYS; i++)
        sums[i] = sum += 1 / pow(i + 1, 0.9);
    return sums;
}

static int zipf_draw(const double *sums, unsigned *state)
{
    double wanted = rand_r(state) / (double)RAND_MAX * sums[KEYS - 1];
    int low = 0, high = KEYS - 1;
    while (low < high) {
        int middle = (low + high) / 2;
        if (sums[middle] < wanted)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct outcome {
    int hits, refused;
    int64_t over; /* the most that used_memory was above the limit */
};

/* A cache in use: looked up, and filled where it lacks. The same trace for every server. */
static struct outcome run_cache(struct node *node, const char *policy)
{
    struct outcome outcome = { 0 };
    struct client *client = node_client(node);
    bool timed = strncmp(policy, "volatile", 8) == 0;
    double *sums = zipf_sums();
    unsigned state = 12345;
    int64_t limit = node_info_number(node, "used_memory") + ROOM;
    node_expect(node, "OK", "CONFIG SET maxmemory-policy %s", policy);
    node_expect(node, "OK", "CONFIG SET maxmemory %lld", (long long)limit);
    char *value = scratch_printf("%*s", VALUE, "v");
    for (int done = 0; done < LOOKUPS; done += BATCH) {
        int keys[BATCH], missed = 0;
        for (int i = 0; i < BATCH; i++) {
            keys[i] = zipf_draw(sums, &state);
            client_queue(client, "GET key:%d", keys[i]);
        }
        for (int i = 0; i < BATCH; i++) {
            redisReply *reply = client_next(client);
            if (reply->type == REDIS_REPLY_NIL)
                keys[missed++] = keys[i];
            else
                outcome.hits += done > LOOKUPS / 3;
            freeReplyObject(reply);
        }
        for (int i = 0; i < missed; i++)
            client_queue(client, timed ? "SET key:%d %s EX %d" : "SET key:%d %s", keys[i], value,
                10000 + keys[i] % 1000);
        for (int i = 0; i < missed; i++) {
            redisReply *reply = client_next(client);
            outcome.refused += reply->type == REDIS_REPLY_ERROR;
            freeReplyObject(reply);
        }
        int64_t over = node_info_number(node, "used_memory") - limit;
        outcome.over = over > outcome.over ? over : outcome.over;
    }
    free(sums);
    return outcome;
}

static void compare_with_redis(const char *policy)
{
    struct node *redis = node_start_program("redis-server", "%s", "");
    struct node *node = node_start("io-threads 2\n");
    struct outcome theirs = run_cache(redis, policy), ours = run_cache(node, policy);
    fprintf(stderr, "%s: %d hits, redis-server %d; at most %lld bytes above the limit\n", policy,
        ours.hits, theirs.hits, (long long)ours.over);
    cr_expect_geq(ours.hits, theirs.hits * 0.95, "%s: %d hits to %d", policy, ours.hits,
        theirs.hits);
    cr_expect_eq(ours.refused, 0, "%s refuses", policy);
    cr_expect_leq(ours.over, SLACK, "%s: %lld bytes above the limit", policy,
        (long long)ours.over);
    cr_expect_gt(node_info_number(node, "evicted_keys"), 0);
}

Test(eviction, allkeys_policies_keep_the_limit_and_the_hot_keys)
{
    for (int i = 0; i < 3; i++)
        compare_with_redis(evicting[i]);
}

Test(eviction, volatile_policies_keep_the_limit_and_the_hot_keys)
{
    for (int i = 3; i < 7; i++)
        compare_with_redis(evicting[i]);
}

/* Sets keys until one is refused; gives how many were taken. */
static int fill(struct node *node, const char *prefix, const char *more)
{
    char *value = scratch_printf("%*s", VALUE, "v");
    int taken = 0;
    for (; taken < 100000; taken++) {
        const char *reply = node_text(node, "SET %s%d %s%s", prefix, taken, value, more);
        if (strcmp(reply, "OK") != 0) {
            cr_expect_str_eq(
                reply, "-OOM command not allowed when used memory > 'maxmemory'.");
            break;
        }
    }
    return taken;
}

static void limit(struct node *node, const char *policy)
{
    int64_t used = node_info_number(node, "used_memory");
    node_expect(node, "OK", "CONFIG SET maxmemory %lld maxmemory-policy %s",
        (long long)used + ROOM, policy);
}

Test(eviction, nothing_goes_where_nothing_may)
{
    struct node *node = node_start("%s", "");
    limit(node, "noeviction");
    int taken = fill(node, "k", "");
    cr_assert(taken > 1000 && taken < 100000, "%d keys were taken", taken);
    cr_expect_eq(node_info_number(node, "evicted_keys"), 0);
    cr_expect_eq(node_integer(node, "DBSIZE"), taken);
    node_expect(node, "1", "DEL k0");
    node_expect(node, "1", "EXISTS k1");
    /* The last key may have gone just under the limit again; half of it is over in any case. */
    node_expect(node, "OK", "CONFIG SET maxmemory %lld",
        (long long)node_info_number(node, "used_memory") / 2);
    wait_until(10000, node_info_number(node, "current_eviction_exceeded_time") > 0);
    node_expect(node, "OK", "CONFIG SET maxmemory 0");
    node_expect(node, "OK", "SET k0 v");
    cr_expect_eq(node_info_number(node, "current_eviction_exceeded_time"), 0);
    cr_expect_gt(node_info_number(node, "total_eviction_exceeded_time"), 0);
}

/* Keys without an expiry are not for volatile-*. */
Test(eviction, volatile_policies_leave_what_stays)
{
    struct node *node = node_start("%s", "");
    const char *value = scratch_printf("%*s", VALUE, "v");
    for (int i = 0; i < 500; i++)
        node_expect(node, "OK", "SET stays%d %d", i, i);
    limit(node, "volatile-lru");
    for (int i = 0; i < 20000; i++)
        node_expect(node, "OK", "SET goes%d %s EX 1000", i, value);
    cr_expect_gt(node_info_number(node, "evicted_keys"), 5000);
    for (int i = 0; i < 500; i++)
        node_expect(node, scratch_printf("%d", i), "GET stays%d", i);
    int taken = fill(node, "full", "");
    cr_expect_lt(taken, 100000, "with nothing left that may go it must refuse");
}

/* All keys in one slot, and but a few in all slots. */
Test(eviction, one_slot_or_few_keys)
{
    struct node *node = node_start("%s", "");
    const char *value = scratch_printf("%*s", VALUE, "v");
    limit(node, "allkeys-lru");
    for (int i = 0; i < 20000; i++)
        node_expect(node, "OK", "SET {one}%d %s", i, value);
    cr_expect_gt(node_info_number(node, "evicted_keys"), 5000);
    node_expect(node, "OK", "FLUSHALL");
    const char *large = scratch_printf("%*s", 200000, "v");
    for (int i = 0; i < 200; i++)
        node_expect(node, "OK", "SET few%d %s", i, large);
    int64_t left = node_integer(node, "DBSIZE");
    cr_expect(left > 5 && left < 40, "%lld large keys are left", (long long)left);
}

/* A limit that is lowered is reached without any command. */
Test(eviction, a_lowered_limit_is_reached)
{
    struct node *node = node_start("maxmemory-policy allkeys-random\n");
    const char *value = scratch_printf("%*s", VALUE, "v");
    int64_t empty = node_info_number(node, "used_memory");
    for (int i = 0; i < 20000; i++)
        node_expect(node, "OK", "SET k%d %s", i, value);
    int64_t goal = empty + ROOM / 2;
    node_expect(node, "OK", "CONFIG SET maxmemory %lld", (long long)goal);
    wait_until(20000, node_info_number(node, "used_memory") <= goal + SLACK);
    cr_expect_gt(node_integer(node, "DBSIZE"), 100);
}

Test(eviction, replicas_follow)
{
    struct node *primary = node_start("%s", "");
    struct node *replica = node_start("%s", "");
    node_expect(replica, "OK", "REPLICAOF 127.0.0.1 %d", node_port(primary));
    const char *value = scratch_printf("%*s", VALUE, "v");
    wait_until(20000, node_in_sync(replica, primary));
    node_expect(replica, "OK", "CONFIG SET maxmemory 1 maxmemory-policy allkeys-lru");
    limit(primary, "allkeys-lru");
    for (int i = 0; i < 20000; i++)
        node_expect(primary, "OK", "SET k%d %s", i, value);
    /* Comparing takes memory as well, and shall evict no more. */
    node_expect(primary, "OK", "CONFIG SET maxmemory 0");
    wait_until(20000, node_in_sync(replica, primary));
    cr_expect_gt(node_info_number(primary, "evicted_keys"), 5000);
    cr_expect_eq(node_info_number(replica, "evicted_keys"), 0);
    cr_expect(node_same_data(primary, replica));
}

/* RDB files carry what the policy keeps, from and to redis-server. */
static void carry(struct node *from, struct node *to, const char *policy, const char *option,
    int64_t value, const char *question)
{
    node_add_config(to, "maxmemory-policy %s\n", policy);
    node_expect(from, "OK", "CONFIG SET maxmemory-policy %s", policy);
    node_expect(from, "OK", "SET source v");
    redisReply *dump = client_ask(node_client(from), "DUMP source");
    redisReply *ok = client_ask(node_client(from), "RESTORE k 0 %b %s %lld", dump->str, dump->len,
        option, (long long)value);
    cr_assert_eq(ok->type, REDIS_REPLY_STATUS, "%s", reply_text(ok));
    freeReplyObject(dump);
    freeReplyObject(ok);
    node_expect(from, "OK", "SAVE");
    file_copy(node_path(from, "dump.rdb"), node_path(to, "dump.rdb"));
    node_launch(to);
    int64_t got = node_integer(to, "OBJECT %s k", question);
    cr_expect(llabs(got - value) <= 5, "%s to %s: %s is %lld, not %lld", node_program(from),
        node_program(to), question, (long long)got, (long long)value);
}

Test(eviction, files_carry_idle_times_and_frequencies)
{
    static const char *const programs[][2] = { { NULL, "redis-server" }, { "redis-server", NULL },
        { NULL, NULL } };
    for (size_t i = 0; i < sizeof(programs) / sizeof(*programs); i++) {
        carry(node_start_program(programs[i][0], "%s", ""),
            node_prepare_program(programs[i][1], "%s", " "), "allkeys-lru", "IDLETIME", 5000,
            "IDLETIME");
        carry(node_start_program(programs[i][0], "%s", ""),
            node_prepare_program(programs[i][1], "%s", " "), "volatile-lfu", "FREQ", 200, "FREQ");
    }
}

/* What is evicted is told of: to those who cache it, and as an event. */
Test(eviction, those_who_listen_hear_of_it)
{
    struct node *node = node_start("io-threads 2\nnotify-keyspace-events Ee\n");
    struct raw *reader = raw_open(node_port(node)), *listener = raw_open(node_port(node));
    node_expect(node, "OK", "SET cached v");
    raw_send_text(reader, "HELLO 3\r\nCLIENT TRACKING ON\r\nGET cached\r\n");
    for (int i = 0; i < 3; i++)
        raw_reply(reader, 5000);
    raw_send_text(listener, "SUBSCRIBE __keyevent@0__:evicted\r\n");
    raw_reply(listener, 5000);
    node_expect(node, "OK", "CONFIG SET maxmemory-policy allkeys-random maxmemory 1");
    struct bytes told = raw_reply(reader, 10000);
    cr_expect(bytes_equal(told, BYTES(">2\r\n$10\r\ninvalidate\r\n*1\r\n$6\r\ncached\r\n")), "%s",
        raw_escape(told));
    told = raw_reply(listener, 10000);
    cr_expect(bytes_equal(told, BYTES("*3\r\n$7\r\nmessage\r\n$22\r\n__keyevent@0__:evicted\r\n"
                                      "$6\r\ncached\r\n")),
        "%s", raw_escape(told));
    raw_close(reader);
    raw_close(listener);
}

/* The counter of how often a key is used is the value's, whatever its name. */
Test(eviction, use_survives_a_new_name)
{
    struct node *node = node_start("maxmemory-policy allkeys-lfu\nlfu-log-factor 0\n");
    node_expect(node, "OK", "SET {k}a v");
    for (int i = 0; i < 60; i++)
        node_text(node, "GET {k}a");
    int64_t before = node_integer(node, "OBJECT FREQ {k}a");
    cr_expect_gt(before, 50);
    node_expect(node, "OK", "RENAME {k}a {k}b");
    cr_expect_geq(node_integer(node, "OBJECT FREQ {k}b"), before);
}

/* Keys of every family, and what reads them: the key, and the command. */
static const char *const made[] = { "SET s 12345", "RPUSH l 1 2 3", "HSET h a 1 b 2",
    "SADD t a b c", "SADD i 1 2 3", "ZADD z 1 a 2 b", "GEOADD g 1 1 a 2 2 b", "XADD x 1-0 a b",
    "PFADD p a b" };
static const char *const reads[][2] = { { "s", "GET s" }, { "s", "STRLEN s" },
    { "s", "GETRANGE s 0 1" }, { "s", "MGET s none" }, { "s", "GETEX s" }, { "s", "LCS s s" },
    { "s", "GETBIT s 1" }, { "s", "BITCOUNT s" }, { "s", "BITPOS s 1" },
    { "s", "BITFIELD s GET u8 0" }, { "s", "BITFIELD_RO s GET u8 0" }, { "s", "DUMP s" },
    { "s", "EVAL return{redis.call('get','s')} 0" }, { "l", "LLEN l" }, { "l", "LRANGE l 0 -1" },
    { "l", "LINDEX l 0" }, { "l", "LPOS l 1" }, { "l", "SORT l" }, { "l", "SORT_RO l" },
    { "h", "HGET h a" }, { "h", "HMGET h a b" }, { "h", "HGETALL h" }, { "h", "HKEYS h" },
    { "h", "HVALS h" }, { "h", "HLEN h" }, { "h", "HEXISTS h a" }, { "h", "HSTRLEN h a" },
    { "h", "HRANDFIELD h" }, { "h", "HSCAN h 0" }, { "t", "SMEMBERS t" }, { "t", "SISMEMBER t a" },
    { "t", "SMISMEMBER t a" }, { "t", "SCARD t" }, { "t", "SRANDMEMBER t" }, { "t", "SSCAN t 0" },
    { "i", "SINTER i t" }, { "i", "SINTERCARD 2 t i" }, { "i", "SUNION t i" }, { "t", "SDIFF t i" },
    { "i", "SUNIONSTORE none i t" }, { "z", "ZRANGE z 0 -1" }, { "z", "ZRANGE z 0 1 BYSCORE" },
    { "z", "ZREVRANGEBYSCORE z 1 0" }, { "z", "ZRANGEBYLEX z - +" }, { "z", "ZSCORE z a" },
    { "z", "ZMSCORE z a" }, { "z", "ZRANK z a" }, { "z", "ZCARD z" }, { "z", "ZCOUNT z 0 1" },
    { "z", "ZLEXCOUNT z - +" }, { "z", "ZRANDMEMBER z" }, { "z", "ZSCAN z 0" },
    { "z", "ZUNION 1 z" }, { "z", "ZINTER 2 z z" }, { "z", "ZDIFF 1 z" },
    { "z", "ZRANGESTORE none z 0 -1" }, { "g", "GEOPOS g a" }, { "g", "GEODIST g a b" },
    { "g", "GEOHASH g a" }, { "g", "GEOSEARCH g FROMMEMBER a BYRADIUS 1 km" }, { "x", "XLEN x" },
    { "x", "XRANGE x - +" }, { "x", "XREVRANGE x + -" }, { "x", "XREAD STREAMS x 0" },
    { "x", "XINFO STREAM x" }, { "p", "PFCOUNT p" }, { "p", "PFCOUNT p p" } };

/* The key with a use of `value` as the RESTORE option `kind` has it, read; and its use then. */
static int64_t use_after(
    struct client *client, const char *key, const char *kind, int64_t value, const char *command)
{
    redisReply *dump = client_ask(client, "DUMP %s", key);
    redisReply *restored = client_ask(client, "RESTORE %s 0 %b %s %lld REPLACE", key, dump->str,
        dump->len, kind, (long long)value);
    cr_assert_str_eq(reply_text(restored), "OK");
    freeReplyObject(dump);
    freeReplyObject(restored);
    redisReply *reply = client_ask(client, command);
    cr_assert_neq(reply->type, REDIS_REPLY_ERROR, "%s: %s", command, reply->str);
    freeReplyObject(reply);
    return client_integer(client, "OBJECT %s %s", kind, key);
}

/* Who does not want to count as a user does not, but for TOUCH, which means it. */
Test(eviction, no_touch)
{
    enum { IDLE = 1000, OFTEN = 10 };
    struct node *node = node_start("lfu-log-factor 0\nlfu-decay-time 0\n");
    struct client *client = node_client(node);
    for (size_t i = 0; i < sizeof(made) / sizeof(*made); i++)
        client_run(client, made[i]);
    for (int lfu = 0; lfu < 2; lfu++) {
        const char *kind = lfu ? "FREQ" : "IDLETIME";
        int64_t value = lfu ? OFTEN : IDLE;
        client_expect(
            client, "OK", "CONFIG SET maxmemory-policy %s", lfu ? "allkeys-lfu" : "allkeys-lru");
        for (size_t i = 0; i < sizeof(reads) / sizeof(*reads); i++) {
            const char *key = reads[i][0], *command = reads[i][1];
            client_expect(client, "OK", "CLIENT NO-TOUCH on");
            int64_t use = use_after(client, key, kind, value, command);
            cr_expect(lfu ? use == OFTEN : use >= IDLE, "%s counted: %s is %lld", command, kind,
                (long long)use);
            client_expect(client, "OK", "CLIENT NO-TOUCH off");
            use = use_after(client, key, kind, value, command);
            cr_expect(lfu ? use > OFTEN : use < IDLE, "%s did not count: %s is %lld", command, kind,
                (long long)use);
        }
        client_expect(client, "OK", "CLIENT NO-TOUCH on");
        int64_t use = use_after(client, "s", kind, value, "TOUCH s");
        cr_expect(lfu ? use > OFTEN : use < IDLE, "TOUCH did not count: %s is %lld", kind,
            (long long)use);
    }
}
