/* Members of sorted sets, one by one: ZADD, ZINCRBY, ZREM, ZCARD, ZSCORE, ZMSCORE, ZRANK,
 * ZREVRANK. */
#include "server/command/families.h"
#include "server/command/rows.h"
#include "server/command/zset_key.h"

#include "common/memory.h"
#include <stdlib.h>

/* ---- ZADD ---- */

struct add {
    unsigned conditions; /* enum zset_condition */
    bool changes;        /* CH */
    int first;           /* argument with the first score */
    int count;           /* pairs */
    double now;          /* the score of the last member */
    size_t added, changed, processed;
};

static bool is_contradictory(struct call *call, const struct add *add)
{
    unsigned conditions = add->conditions;
    bool absent = conditions & ZSET_ABSENT, greater = conditions & ZSET_GREATER,
         less = conditions & ZSET_LESS;
    if (absent && conditions & ZSET_PRESENT)
        reply_error(call->reply, "XX and NX options at the same time are not compatible");
    else if ((greater && absent) || (less && absent) || (greater && less))
        reply_error(call->reply, "GT, LT, and/or NX options at the same time are not compatible");
    else if (conditions & ZSET_BY && add->count > 1)
        reply_error(call->reply, "INCR option supports a single increment-element pair");
    else
        return false;
    return true;
}

static bool parse_words(struct call *call, struct add *add)
{
    static const struct {
        const char *word;
        unsigned condition;
    } words[] = { { "NX", ZSET_ABSENT }, { "XX", ZSET_PRESENT }, { "GT", ZSET_GREATER },
        { "LT", ZSET_LESS }, { "INCR", ZSET_BY }, { "CH", 0 } };
    enum { WORDS = sizeof(words) / sizeof(words[0]) };
    for (add->first = 2; add->first < call->argc; add->first++) {
        struct bytes word = call->argv[add->first];
        unsigned i = 0;
        while (i < WORDS && !bytes_is(word, words[i].word))
            i++;
        if (i == WORDS)
            break;
        add->conditions |= words[i].condition;
        add->changes |= words[i].condition == 0;
    }
    add->count = (call->argc - add->first) / 2;
    if (add->count == 0 || (call->argc - add->first) % 2) {
        call_error_syntax(call);
        return false;
    }
    return !is_contradictory(call, add);
}

enum { SCORES_INLINE = 32 };

/* All scores, before anything is changed; `room` or memory that the caller frees. NULL: one is no
 * number. */
static double *parse_scores(struct call *call, const struct add *add, double *room)
{
    double *scores =
        add->count <= SCORES_INLINE ? room : memory_alloc((size_t)add->count * sizeof(*scores));
    for (int i = 0; i < add->count; i++) {
        if (!zset_parse_double(call, call->argv[add->first + i * 2], NULL, &scores[i])) {
            if (scores != room)
                free(scores);
            return NULL;
        }
    }
    return scores;
}

/* False: a sum would be no number; then nothing after it is done, and no reply but the error. */
static bool add_members(struct call *call, struct add *add, struct zset *zset, const double *scores)
{
    struct zset_limits limits = zset_key_limits();
    for (int i = 0; i < add->count; i++) {
        enum zset_outcome outcome = zset_add(zset, call->argv[add->first + 1 + i * 2], scores[i],
            add->conditions, &limits, &add->now);
        if (outcome == ZSET_NAN) {
            reply_error(call->reply, "resulting score is not a number (NaN)");
            return false;
        }
        add->added += outcome == ZSET_ADDED;
        add->changed += outcome == ZSET_CHANGED;
        add->processed += outcome != ZSET_REFUSED;
    }
    return true;
}

static void add_reply(struct call *call, const struct add *add)
{
    if (!(add->conditions & ZSET_BY))
        reply_integer(
            call->reply, (int64_t)(add->changes ? add->added + add->changed : add->added));
    else if (add->processed)
        reply_double(call->reply, add->now);
    else
        reply_null(call->reply);
}

static const char *add_event(const struct add *add)
{
    return add->conditions & ZSET_BY ? "zincr" : "zadd";
}

static void add_to_new(struct call *call, struct add *add, struct key *key, const double *scores)
{
    if (add->conditions & ZSET_PRESENT) {
        add_reply(call, add);
        return;
    }
    struct zset_limits limits = zset_key_limits();
    struct zset zset = zset_create(&limits, call->argv[add->first + 1].len);
    add_members(call, add, &zset, scores); /* no sum, no NaN */
    key_set(call, key,
        entry_create_value(key->name, TYPE_ZSET, zset.encoding, zset.value, ENTRY_NO_EXPIRY));
    add_reply(call, add);
    key_notify(call, key, NOTIFY_ZSET, add_event(add));
}

static void add_to(struct call *call, struct add *add, struct key *key, const double *scores)
{
    struct zset zset = zset_key_begin(call, key);
    bool ok = add_members(call, add, &zset, scores);
    entry_set_value(key->entry, zset.value);
    key->entry->encoding = zset.encoding;
    if (ok)
        add_reply(call, add);
    if (add->added || add->changed) {
        key_did_change(call, key);
        key_notify(call, key, NOTIFY_ZSET, add_event(add));
    }
}

static void add_parsed(struct call *call, struct add *add)
{
    double room[SCORES_INLINE], *scores = parse_scores(call, add, room);
    struct key key;
    bool wrong;
    if (!scores)
        return;
    if (key_write_type(call, 1, TYPE_ZSET, &key, &wrong))
        add_to(call, add, &key, scores);
    else if (!wrong)
        add_to_new(call, add, &key, scores);
    if (scores != room)
        free(scores);
}

static void zadd(struct call *call)
{
    struct add add = { 0 };
    if (parse_words(call, &add))
        add_parsed(call, &add);
}

static void zincrby(struct call *call)
{
    struct add add = { .conditions = ZSET_BY, .first = 2, .count = 1 };
    add_parsed(call, &add);
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
        .group = "sorted-set", .since = "1.2.0",
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
        KEYS(ONE_KEY(KEY_RW | KEY_ACCESS | KEY_UPDATE)), .group = "sorted-set", .since = "1.2.0",
        .complexity = "O(log(N)), N members in the sorted set",
        .summary = "Adds a number to the score of a member, which is added if it is not there",
        .args = ARGS(KEY_ARG, ARG("increment", ARG_INTEGER), ARG("member", ARG_STRING)) },
    { "zmscore", zmscore, -3, CMD_READONLY | CMD_FAST, KEYS(ONE_KEY(KEY_RO | KEY_ACCESS)),
        .group = "sorted-set", .since = "6.2.0", .complexity = "O(N), N members asked for",
        .summary = "Returns the scores of several members",
        .args = ARGS(KEY_ARG, ARG_MANY("member", ARG_STRING)) },
    { "zrank", zrank, -3, CMD_READONLY | CMD_FAST, KEYS(ONE_KEY(KEY_RO | KEY_ACCESS)),
        .group = "sorted-set", .since = "2.0.0",
        .complexity = "O(log(N)), N members in the sorted set",
        .summary = "Returns how many members stand before one, from the lowest score up",
        .args = ARGS(KEY_ARG, ARG("member", ARG_STRING)) },
    { "zrem", zrem, -3, CMD_WRITE | CMD_FAST, KEYS(ONE_KEY(KEY_RW | KEY_DELETE)),
        .group = "sorted-set", .since = "1.2.0",
        .complexity = "O(M*log(N)), M members removed of N",
        .summary = "Removes members from a sorted set",
        .history = HISTORY({ "2.4.0", "Accepts multiple elements." }),
        .args = ARGS(KEY_ARG, ARG_MANY("member", ARG_STRING)) },
    { "zrevrank", zrevrank, -3, CMD_READONLY | CMD_FAST, KEYS(ONE_KEY(KEY_RO | KEY_ACCESS)),
        .group = "sorted-set", .since = "2.0.0",
        .complexity = "O(log(N)), N members in the sorted set",
        .summary = "Returns how many members stand before one, from the highest score down",
        .args = ARGS(KEY_ARG, ARG("member", ARG_STRING)) },
    { "zscore", zscore, 3, CMD_READONLY | CMD_FAST, KEYS(ONE_KEY(KEY_RO | KEY_ACCESS)),
        .group = "sorted-set", .since = "1.2.0", .complexity = "O(1)",
        .summary = "Returns the score of a member",
        .args = ARGS(KEY_ARG, ARG("member", ARG_STRING)) },
    { 0 }
};
