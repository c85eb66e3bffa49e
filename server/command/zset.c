/* Members of sorted sets, one by one: ZADD, ZINCRBY, ZREM, ZCARD, ZSCORE, ZMSCORE, ZRANK,
 * ZREVRANK. */
#include "server/command/families.h"
#include "server/command/rows.h"
#include "server/command/zset_key.h"

#include "common/memory.h"
#include <stdlib.h>

/* ---- ZADD ---- */

static bool is_contradictory(struct call *call, unsigned conditions, int count)
{
    bool absent = conditions & ZSET_ABSENT, greater = conditions & ZSET_GREATER,
         less = conditions & ZSET_LESS;
    if (absent && conditions & ZSET_PRESENT)
        reply_error(call->reply, "XX and NX options at the same time are not compatible");
    else if ((greater && absent) || (less && absent) || (greater && less))
        reply_error(call->reply, "GT, LT, and/or NX options at the same time are not compatible");
    else if (conditions & ZSET_BY && count > 1)
        reply_error(call->reply, "INCR option supports a single increment-element pair");
    else
        return false;
    return true;
}

/* Whether the argument is one of ZADD's words, which is noted then. */
static bool parse_word(struct bytes word, struct zset_addition *addition)
{
    static const struct {
        const char *word;
        unsigned condition;
    } words[] = { { "NX", ZSET_ABSENT }, { "XX", ZSET_PRESENT }, { "GT", ZSET_GREATER },
        { "LT", ZSET_LESS }, { "INCR", ZSET_BY }, { "CH", 0 } };
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (bytes_is(word, words[i].word)) {
            addition->conditions |= words[i].condition;
            addition->changes |= words[i].condition == 0;
            return true;
        }
    }
    return false;
}

/* False: a sum would be no number; nothing has been done then, for a sum comes alone. */
static bool add_members(struct call *call, struct zset_addition *addition, struct zset *zset)
{
    struct zset_limits limits = zset_key_limits();
    for (int i = 0; i < addition->count; i++) {
        enum zset_outcome outcome = zset_add(zset, addition->members[i * addition->stride],
            addition->scores[i], addition->conditions, &limits, &addition->now);
        if (outcome == ZSET_NAN) {
            reply_error(call->reply, "resulting score is not a number (NaN)");
            return false;
        }
        addition->added += outcome == ZSET_ADDED;
        addition->changed += outcome == ZSET_CHANGED;
        addition->processed += outcome != ZSET_REFUSED;
    }
    return true;
}

static void add_reply(struct call *call, const struct zset_addition *addition)
{
    size_t count = addition->added + (addition->changes ? addition->changed : 0);
    if (!(addition->conditions & ZSET_BY))
        reply_integer(call->reply, (int64_t)count);
    else if (addition->processed)
        reply_double(call->reply, addition->now);
    else
        reply_null(call->reply);
}

static void add_to_new(struct call *call, struct zset_addition *addition, struct key *key)
{
    struct zset_limits limits = zset_key_limits();
    struct zset zset = zset_create(&limits, addition->members[0].len);
    add_members(call, addition, &zset); /* no sum, no NaN */
    key_set(call, key,
        entry_create_value(key->name, TYPE_ZSET, zset.encoding, zset.value, ENTRY_NO_EXPIRY));
    add_reply(call, addition);
}

static void add_to(struct call *call, struct zset_addition *addition, struct key *key)
{
    struct zset zset = zset_key_begin(call, key);
    if (add_members(call, addition, &zset))
        add_reply(call, addition);
    entry_set_value(key->entry, zset.value);
    key->entry->encoding = zset.encoding;
    if (addition->added || addition->changed)
        key_did_change(call, key);
}

bool zset_key_add(struct call *call, struct zset_addition *addition)
{
    struct key key;
    bool wrong;
    if (key_write_type(call, 1, TYPE_ZSET, &key, &wrong))
        add_to(call, addition, &key);
    else if (!wrong && addition->conditions & ZSET_PRESENT)
        add_reply(call, addition);
    else if (!wrong)
        add_to_new(call, addition, &key);
    bool changed = addition->added || addition->changed;
    if (changed)
        key_notify(call, &key, NOTIFY_ZSET, addition->conditions & ZSET_BY ? "zincr" : "zadd");
    return changed;
}

/* Score and member in turn, from that argument on. All scores are read before anything changes. */
static void add_pairs(struct call *call, struct zset_addition *addition, int first)
{
    enum { ROOM = 32 };
    double room[ROOM];
    double *scores =
        addition->count <= ROOM ? room : memory_alloc((size_t)addition->count * sizeof(*scores));
    bool ok = true;
    for (int i = 0; i < addition->count && ok; i++)
        ok = zset_parse_double(call, call->argv[first + i * 2], NULL, &scores[i]);
    if (ok) {
        addition->scores = scores;
        addition->members = &call->argv[first + 1];
        addition->stride = 2;
        zset_key_add(call, addition);
    }
    if (scores != room)
        free(scores);
}

static void zadd(struct call *call)
{
    struct zset_addition addition = { 0 };
    int first = 2;
    while (first < call->argc && parse_word(call->argv[first], &addition))
        first++;
    addition.count = (call->argc - first) / 2;
    if (addition.count == 0 || (call->argc - first) % 2)
        call_error_syntax(call);
    else if (!is_contradictory(call, addition.conditions, addition.count))
        add_pairs(call, &addition, first);
}

static void zincrby(struct call *call)
{
    struct zset_addition addition = { .conditions = ZSET_BY, .count = 1 };
    add_pairs(call, &addition, 2);
}

/* ---- ZREM ---- */

static void zrem(struct call *call)
{
    struct key key;
    bool wrong;
    if (!key_write_type(call, 1, TYPE_ZSET, &key, &wrong)) {
        if (!wrong)
            reply_integer(call->reply, 0);
        return;
    }
    struct zset zset = zset_key_begin(call, &key);
    int64_t removed = 0;
    for (int i = 2; i < call->argc && zset_count(&zset) > 0; i++)
        removed += zset_remove(&zset, call->argv[i]);
    entry_set_value(key.entry, zset.value);
    if (removed > 0) {
        key_did_change(call, &key);
        key_notify(call, &key, NOTIFY_ZSET, "zrem");
        zset_key_delete_empty(call, &key);
    }
    reply_integer(call->reply, removed);
}

/* ---- Questions ---- */

static void zcard(struct call *call)
{
    struct key key;
    bool wrong, there = key_read_type(call, 1, TYPE_ZSET, &key, &wrong);
    if (wrong)
        return;
    struct zset zset = { 0 };
    if (there)
        zset = zset_of(&key);
    reply_integer(call->reply, there ? (int64_t)zset_count(&zset) : 0);
}

static void reply_score(struct call *call, const struct key *key, struct bytes member)
{
    double score;
    struct zset zset = { 0 };
    if (key->entry)
        zset = zset_of(key);
    if (key->entry && zset_score(&zset, member, &score))
        reply_double(call->reply, score);
    else
        reply_null(call->reply);
}

static void zscore(struct call *call)
{
    struct key key;
    bool wrong;
    key_read_type(call, 1, TYPE_ZSET, &key, &wrong);
    if (!wrong)
        reply_score(call, &key, call->argv[2]);
}

static void zmscore(struct call *call)
{
    struct key key;
    bool wrong;
    key_read_type(call, 1, TYPE_ZSET, &key, &wrong);
    if (wrong)
        return;
    reply_array(call->reply, (size_t)call->argc - 2);
    for (int i = 2; i < call->argc; i++)
        reply_score(call, &key, call->argv[i]);
}

static void rank(struct call *call, bool reverse)
{
    if (call->argc > 4) {
        call_error_arity(call);
        return;
    }
    bool with_score = call->argc == 4;
    if (with_score && !bytes_is(call->argv[3], "WITHSCORE")) {
        call_error_syntax(call);
        return;
    }
    struct key key;
    bool wrong, there = key_read_type(call, 1, TYPE_ZSET, &key, &wrong);
    size_t before = 0, count = 0;
    double score = 0;
    if (wrong)
        return;
    if (there) {
        struct zset zset = zset_of(&key);
        there = zset_rank(&zset, call->argv[2], &before, &score);
        count = zset_count(&zset);
    }
    if (!there) {
        if (with_score)
            reply_null_array(call->reply);
        else
            reply_null(call->reply);
        return;
    }
    if (with_score)
        reply_array(call->reply, 2);
    reply_integer(call->reply, (int64_t)(reverse ? count - 1 - before : before));
    if (with_score)
        reply_double(call->reply, score);
}

static void zrank(struct call *call)
{
    rank(call, false);
}

static void zrevrank(struct call *call)
{
    rank(call, true);
}

/* ---- The table ---- */

static const struct command_arg condition_args[] = { TOKEN("nx", "NX"), TOKEN("xx", "XX"), { 0 } };
static const struct command_arg comparison_args[] = { TOKEN("gt", "GT"), TOKEN("lt", "LT"), { 0 } };
static const struct command_arg score_member_args[] = { ARG("score", ARG_DOUBLE),
    ARG("member", ARG_STRING), { 0 } };

const struct command zset_commands[] = {
    { "zadd", zadd, -4, CMD_WRITE | CMD_DENYOOM | CMD_FAST, KEYS(ONE_KEY(KEY_RW | KEY_UPDATE)),
        .group = "sorted-set", .member = 3, .since = "1.2.0",
        .complexity = "O(log(N)) for each member, N members in the sorted set",
        .summary = "Adds members to a sorted set, or gives them other scores",
        .history = HISTORY({ "2.4.0", "Accepts multiple elements." },
            { "3.0.2", "Added the `XX`, `NX`, `CH` and `INCR` options." },
            { "6.2.0", "Added the `GT` and `LT` options." }),
        .args = ARGS(KEY_ARG,
            { "condition", ARG_ONEOF, ARG_OPTIONAL, NULL, 0, "3.0.2", condition_args },
            { "comparison", ARG_ONEOF, ARG_OPTIONAL, NULL, 0, "6.2.0", comparison_args },
            OPTION("change", ARG_PURE_TOKEN, "CH", "3.0.2"),
            OPTION("increment", ARG_PURE_TOKEN, "INCR", "3.0.2"),
            { "score_member", ARG_BLOCK, ARG_MULTIPLE, NULL, 0, NULL, score_member_args }) },
    { "zcard", zcard, 2, CMD_READONLY | CMD_FAST, KEYS(ONE_KEY(KEY_RO)), .group = "sorted-set",
        .since = "1.2.0", .complexity = "O(1)", .summary = "Counts the members of a sorted set",
        .args = ARGS(KEY_ARG) },
    { "zincrby", zincrby, 4, CMD_WRITE | CMD_DENYOOM | CMD_FAST,
        KEYS(ONE_KEY(KEY_RW | KEY_ACCESS | KEY_UPDATE)), .group = "sorted-set", .member = 3,
        .since = "1.2.0", .complexity = "O(log(N)), N members in the sorted set",
        .summary = "Adds a number to the score of a member, which is added if it is not there",
        .args = ARGS(KEY_ARG, ARG("increment", ARG_INTEGER), ARG("member", ARG_STRING)) },
    { "zmscore", zmscore, -3, CMD_READONLY | CMD_FAST, KEYS(ONE_KEY(KEY_RO | KEY_ACCESS)),
        .group = "sorted-set", .member = 2, .since = "6.2.0",
        .complexity = "O(N), N members asked for",
        .summary = "Returns the scores of several members",
        .args = ARGS(KEY_ARG, ARG_MANY("member", ARG_STRING)) },
    { "zrank", zrank, -3, CMD_READONLY | CMD_FAST, KEYS(ONE_KEY(KEY_RO | KEY_ACCESS)),
        .group = "sorted-set", .member = 2, .since = "2.0.0",
        .complexity = "O(log(N)), N members in the sorted set",
        .summary = "Returns how many members stand before one, from the lowest score up",
        .args = ARGS(KEY_ARG, ARG("member", ARG_STRING)) },
    { "zrem", zrem, -3, CMD_WRITE | CMD_FAST, KEYS(ONE_KEY(KEY_RW | KEY_DELETE)),
        .group = "sorted-set", .member = 2, .since = "1.2.0",
        .complexity = "O(M*log(N)), M members removed of N",
        .summary = "Removes members from a sorted set",
        .history = HISTORY({ "2.4.0", "Accepts multiple elements." }),
        .args = ARGS(KEY_ARG, ARG_MANY("member", ARG_STRING)) },
    { "zrevrank", zrevrank, -3, CMD_READONLY | CMD_FAST, KEYS(ONE_KEY(KEY_RO | KEY_ACCESS)),
        .group = "sorted-set", .member = 2, .since = "2.0.0",
        .complexity = "O(log(N)), N members in the sorted set",
        .summary = "Returns how many members stand before one, from the highest score down",
        .args = ARGS(KEY_ARG, ARG("member", ARG_STRING)) },
    { "zscore", zscore, 3, CMD_READONLY | CMD_FAST, KEYS(ONE_KEY(KEY_RO | KEY_ACCESS)),
        .group = "sorted-set", .member = 2, .since = "1.2.0", .complexity = "O(1)",
        .summary = "Returns the score of a member",
        .args = ARGS(KEY_ARG, ARG("member", ARG_STRING)) },
    { 0 }
};
