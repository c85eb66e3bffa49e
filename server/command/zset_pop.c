/* Taking members from either end: ZPOPMIN, ZPOPMAX, ZMPOP, and those that wait for one: BZPOPMIN,
 * BZPOPMAX, BZMPOP. */
#include "server/command/block.h"
#include "server/command/families.h"
#include "server/command/rows.h"
#include "server/command/zset_key.h"

enum pop_end { POP_MIN, POP_MAX };

/* How the reply looks. */
enum pop_form {
    POP_FLAT,  /* member, score, member, score ... */
    POP_PAIRS, /* (member, score) ... */
    POP_KEYED, /* key, member, score */
    POP_MANY,  /* key, ((member, score) ...) */
};

static void reply_header(struct call *call, enum pop_form form, struct bytes key, size_t count)
{
    if (form == POP_FLAT || form == POP_PAIRS) {
        reply_array(call->reply, form == POP_FLAT ? count * 2 : count);
        return;
    }
    reply_array(call->reply, form == POP_KEYED ? 3 : 2);
    reply_bulk(call->reply, key);
    if (form == POP_MANY)
        reply_array(call->reply, count);
}

/* Takes `wanted` members, or all, from the sorted set that is there, and replies with them; returns
 * how many. */
static size_t pop(
    struct call *call, struct key *key, enum pop_end end, size_t wanted, enum pop_form form)
{
    struct zset zset = zset_key_begin(call, key);
    size_t there = zset_count(&zset), count = wanted < there ? wanted : there;
    struct zset_cursor cursor;
    struct zset_element element;
    reply_header(call, form, key->name, count);
    zset_walk(&zset, end == POP_MIN ? 0 : there - 1, end == POP_MAX, &cursor);
    for (size_t i = 0; i < count && zset_next(&cursor, &element); i++) {
        if (form == POP_PAIRS || form == POP_MANY)
            reply_array(call->reply, 2);
        reply_bulk(call->reply, element.member);
        reply_double(call->reply, element.score);
    }
    struct zset_span span = { 0, count };
    if (end == POP_MAX)
        span = (struct zset_span){ there - count, there };
    zset_remove_span(&zset, span);
    zset_key_end(call, key, &zset);
    key_notify(call, key, NOTIFY_ZSET, end == POP_MIN ? "zpopmin" : "zpopmax");
    zset_key_delete_empty(call, key);
    return count;
}

/* ---- ZPOPMIN, ZPOPMAX ---- */

static void pop_plain(struct call *call, enum pop_end end)
{
    int64_t count = 1;
    bool nested = call->argc == 3 && call->reply->protocol == 3;
    if (call->argc > 3) {
        call_error_syntax(call);
        return;
    }
    if (call->argc == 3 && !zset_parse_count(call, call->argv[2], 0, NULL, &count))
        return;
    struct key key;
    bool wrong, there = key_write_type(call, 1, TYPE_ZSET, &key, &wrong);
    if (wrong)
        return;
    if (there && count > 0)
        pop(call, &key, end, (size_t)count, nested ? POP_PAIRS : POP_FLAT);
    else
        reply_array(call->reply, 0);
}

static void zpopmin(struct call *call)
{
    pop_plain(call, POP_MIN);
}

static void zpopmax(struct call *call)
{
    pop_plain(call, POP_MAX);
}

/* ---- ZMPOP ---- */

struct pop_many {
    int first, keys; /* arguments */
    enum pop_end end;
    int64_t count;
};

static bool parse_many(struct call *call, int count_at, struct pop_many *many)
{
    int64_t keys;
    many->count = 0;
    if (!zset_parse_count(call, call->argv[count_at], 1, "numkeys should be greater than 0", &keys))
        return false;
    bool there = keys < call->argc - count_at - 1;
    int at = there ? count_at + 1 + (int)keys : 0;
    if (!there || (!bytes_is(call->argv[at], "MIN") && !bytes_is(call->argv[at], "MAX"))) {
        call_error_syntax(call);
        return false;
    }
    many->first = count_at + 1;
    many->keys = (int)keys;
    many->end = bytes_is(call->argv[at], "MIN") ? POP_MIN : POP_MAX;
    for (at++; at < call->argc; at += 2) {
        if (many->count > 0 || at + 1 >= call->argc || !bytes_is(call->argv[at], "COUNT")) {
            call_error_syntax(call);
            return false;
        }
        if (!zset_parse_count(
                call, call->argv[at + 1], 1, "count should be greater than 0", &many->count))
            return false;
    }
    many->count = many->count > 0 ? many->count : 1;
    return true;
}

/* ZMPOP and those that wait are journaled as what they did. */
static void effect(
    struct call *call, const struct key *key, enum pop_end end, size_t count, bool counted)
{
    char digits[NUMBER_TEXT_MAX];
    struct bytes argv[] = { end == POP_MIN ? BYTES("ZPOPMIN") : BYTES("ZPOPMAX"), key->name,
        { digits, number_format(digits, (int64_t)count) } };
    call_effect(call, argv, counted ? 3 : 2);
}

/* False: nothing was there, and nothing has been replied unless *wrong. */
static bool pop_first(struct call *call, const struct pop_many *many, bool *wrong)
{
    struct key key;
    if (!block_find_any(call, many->first, many->keys, TYPE_ZSET, &key, wrong))
        return false;
    size_t count = pop(call, &key, many->end, (size_t)many->count, POP_MANY);
    effect(call, &key, many->end, count, true);
    return true;
}

static void zmpop(struct call *call)
{
    struct pop_many many;
    bool wrong;
    if (parse_many(call, 1, &many) && !pop_first(call, &many, &wrong) && !wrong)
        reply_null_array(call->reply);
}

/* ---- Those that wait ---- */

static void blocking_pop(struct call *call, enum pop_end end)
{
    struct key key;
    bool wrong;
    int64_t timeout_ms;
    int keys = call->argc - 2;
    if (!block_timeout_seconds(call, call->argc - 1, &timeout_ms))
        return;
    if (block_find_any(call, 1, keys, TYPE_ZSET, &key, &wrong)) {
        pop(call, &key, end, 1, POP_KEYED);
        effect(call, &key, end, 1, false);
    } else if (!wrong) {
        block_on_any(call, 1, keys, TYPE_ZSET, timeout_ms);
    }
}

static void bzpopmin(struct call *call)
{
    blocking_pop(call, POP_MIN);
}

static void bzpopmax(struct call *call)
{
    blocking_pop(call, POP_MAX);
}

static void bzmpop(struct call *call)
{
    struct pop_many many;
    int64_t timeout_ms;
    bool wrong;
    if (!block_timeout_seconds(call, 1, &timeout_ms) || !parse_many(call, 2, &many))
        return;
    if (!pop_first(call, &many, &wrong) && !wrong)
        block_on_any(call, many.first, many.keys, TYPE_ZSET, timeout_ms);
}

/* ---- The table ---- */

enum { TAKES = KEY_RW | KEY_ACCESS | KEY_DELETE };

static const struct command_arg where_args[] = { TOKEN("min", "MIN"), TOKEN("max", "MAX"), { 0 } };

#define BLOCKING_POP_ROW(name, function, text)                                                     \
    {                                                                                              \
        name, function, -3, CMD_WRITE | CMD_NOSCRIPT | CMD_BLOCKING | CMD_FAST,                    \
            KEYS(KEYS_AT(1, TAKES, -2)),                                                           \
            .group = "sorted-set", .since = "5.0.0",                                               \
            .complexity = "O(K+log(N)), K keys named, N members", .summary = text,                 \
            .history = HISTORY(                                                                    \
                { "6.0.0", "`timeout` is interpreted as a double instead of an integer." }),       \
            .args = ARGS(ARG_MANY("key", ARG_KEY), ARG("timeout", ARG_DOUBLE))                     \
    }
#define POP_ROW(name, function, text)                                                              \
    {                                                                                              \
        name, function, -2, CMD_WRITE | CMD_FAST, KEYS(ONE_KEY(TAKES)),                            \
            .group = "sorted-set", .since = "5.0.0",                                               \
            .complexity = "O(M*log(N)), M members removed of N", .summary = text,                  \
            .args = ARGS(KEY_ARG, OPTION("count", ARG_INTEGER, NULL, NULL))                        \
    }

const struct command zset_pop_commands[] = {
    { "bzmpop", bzmpop, -5, CMD_WRITE | CMD_BLOCKING | CMD_MOVABLE_KEYS,
        KEYS(COUNTED_KEYS(2, TAKES)), .group = "sorted-set", .since = "7.0.0",
        .complexity = "O(K+M*log(N)), K keys named, M members removed of N",
        .summary = "Removes and returns the lowest or highest members of the first sorted set that "
                   "has any, or waits for one",
        .args = ARGS(ARG("timeout", ARG_DOUBLE), COUNTED_KEY_ARGS, CHOICE("where", 0, where_args),
            OPTION("count", ARG_INTEGER, "COUNT", NULL)) },
    BLOCKING_POP_ROW("bzpopmax", bzpopmax,
        "Removes and returns the member with the highest score of the first sorted set that has "
        "any, "
        "or waits for one"),
    BLOCKING_POP_ROW("bzpopmin", bzpopmin,
        "Removes and returns the member with the lowest score of the first sorted set that has "
        "any, "
        "or waits for one"),
    { "zmpop", zmpop, -4, CMD_WRITE | CMD_MOVABLE_KEYS, KEYS(COUNTED_KEYS(1, TAKES)),
        .group = "sorted-set", .since = "7.0.0",
        .complexity = "O(K+M*log(N)), K keys named, M members removed of N",
        .summary = "Removes and returns the lowest or highest members of the first sorted set that "
                   "has any",
        .args = ARGS(COUNTED_KEY_ARGS, CHOICE("where", 0, where_args),
            OPTION("count", ARG_INTEGER, "COUNT", NULL)) },
    POP_ROW("zpopmax", zpopmax, "Removes and returns the members with the highest scores"),
    POP_ROW("zpopmin", zpopmin, "Removes and returns the members with the lowest scores"), { 0 }
};
