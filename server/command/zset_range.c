/* Ranges of sorted sets: by rank, by score, by members' bytes. Each becomes a span of ranks, which
 * is then walked, counted, stored or removed. */
#include "server/command/families.h"
#include "server/command/rows.h"
#include "server/command/zset_key.h"

/* ---- What is asked for ---- */

enum range_by { BY_ANY, BY_RANK, BY_SCORE, BY_MEMBER };
enum range_order { ORDER_ANY, ORDER_FORWARD, ORDER_REVERSE };

struct range {
    int key; /* argument; minimum and maximum stand behind it */
    bool store;
    enum range_by by;
    enum range_order order;
    bool with_scores;
    int64_t offset, limit; /* limit below 0: all */
    int64_t start, stop;
    struct zset_score_range scores;
    struct zset_lex_range members;
};

static bool parse_options(struct call *call, struct range *range)
{
    for (int i = range->key + 3; i < call->argc; i++) {
        struct bytes word = call->argv[i];
        if (!range->store && bytes_is(word, "WITHSCORES")) {
            range->with_scores = true;
        } else if (bytes_is(word, "LIMIT") && call->argc - i > 2) {
            if (!call_integer(call, i + 1, &range->offset) ||
                !call_integer(call, i + 2, &range->limit))
                return false;
            i += 2;
        } else if (range->order == ORDER_ANY && bytes_is(word, "REV")) {
            range->order = ORDER_REVERSE;
        } else if (range->by == BY_ANY && bytes_is(word, "BYLEX")) {
            range->by = BY_MEMBER;
        } else if (range->by == BY_ANY && bytes_is(word, "BYSCORE")) {
            range->by = BY_SCORE;
        } else {
            call_error_syntax(call);
            return false;
        }
    }
    if (range->order == ORDER_ANY)
        range->order = ORDER_FORWARD;
    if (range->by == BY_ANY)
        range->by = BY_RANK;
    if (range->limit != -1 && range->by == BY_RANK)
        reply_error(call->reply,
            "syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX");
    else if (range->with_scores && range->by == BY_MEMBER)
        reply_error(
            call->reply, "syntax error, WITHSCORES not supported in combination with BYLEX");
    else
        return true;
    return false;
}

/* Minimum and maximum; ranges of scores and members that go backwards name the maximum first. */
static bool parse_ends(struct call *call, struct range *range)
{
    struct bytes first = call->argv[range->key + 1], second = call->argv[range->key + 2];
    bool swapped = range->order == ORDER_REVERSE;
    struct bytes min = swapped ? second : first, max = swapped ? first : second;
    if (range->by == BY_SCORE)
        return zset_parse_scores(call, min, max, &range->scores);
    if (range->by == BY_MEMBER)
        return zset_parse_members(call, min, max, &range->members);
    return call_integer(call, range->key + 1, &range->start) &&
           call_integer(call, range->key + 2, &range->stop);
}

/* ---- Spans ---- */

/* Start and stop count from the end where negative; stop is in the span. */
static struct zset_span span_of_ranks(size_t count, int64_t start, int64_t stop)
{
    int64_t len = (int64_t)count;
    start = start < 0 ? start + len : start;
    stop = stop < 0 ? stop + len : stop;
    start = start < 0 ? 0 : start;
    stop = stop >= len ? len - 1 : stop;
    if (start > stop || start >= len)
        return (struct zset_span){ 0, 0 };
    return (struct zset_span){ (size_t)start, (size_t)stop + 1 };
}

/* LIMIT takes from the end at which the walk begins. A negative offset leaves nothing. */
static struct zset_span limit_span(struct zset_span span, const struct range *range)
{
    size_t count = span.end - span.first;
    if (range->offset < 0 || (uint64_t)range->offset >= count)
        return (struct zset_span){ 0, 0 };
    count -= (size_t)range->offset;
    if (range->limit >= 0 && (uint64_t)range->limit < count)
        count = (size_t)range->limit;
    if (range->order == ORDER_REVERSE) {
        span.end -= (size_t)range->offset;
        span.first = span.end - count;
    } else {
        span.first += (size_t)range->offset;
        span.end = span.first + count;
    }
    return span;
}

static struct zset_span span_of(const struct zset *zset, const struct range *range)
{
    bool reverse = range->order == ORDER_REVERSE;
    size_t count = zset_count(zset);
    if (range->by == BY_SCORE)
        return limit_span(zset_span_of_scores(zset, &range->scores), range);
    if (range->by == BY_MEMBER)
        return limit_span(zset_span_of_members(zset, &range->members, reverse), range);
    struct zset_span span = span_of_ranks(count, range->start, range->stop);
    if (reverse && span.end > span.first)
        span = (struct zset_span){ count - span.end, count - span.first };
    return span;
}

/* ---- Replies ---- */

static void reply_span(
    struct call *call, const struct zset *zset, struct zset_span span, const struct range *range)
{
    bool reverse = range->order == ORDER_REVERSE, flat = call->reply->protocol == 2;
    size_t count = span.end - span.first;
    struct zset_cursor cursor;
    struct zset_element element;
    reply_array(call->reply, range->with_scores && flat ? count * 2 : count);
    if (count == 0)
        return;
    zset_walk(zset, reverse ? span.end - 1 : span.first, reverse, &cursor);
    for (size_t i = 0; i < count && zset_next(&cursor, &element); i++) {
        if (range->with_scores && !flat)
            reply_array(call->reply, 2);
        reply_bulk(call->reply, element.member);
        if (range->with_scores)
            reply_double(call->reply, element.score);
    }
}

/* What is known to be large is made large at once: a score of -0 lives through that, while a
 * listpack would make it 0. As redis-server does it, where it knows. */
static void store_span(
    struct call *call, const struct zset *zset, struct zset_span span, const struct range *range)
{
    struct zset_limits limits = zset_key_limits();
    bool large = range->by == BY_RANK && span.end - span.first > limits.entries;
    struct zset result = large ? zset_create_large() : zset_create(&limits, 0);
    struct zset_cursor cursor;
    struct zset_element element;
    double now;
    if (span.end > span.first) {
        zset_walk(zset, span.first, false, &cursor);
        for (size_t i = span.first; i < span.end && zset_next(&cursor, &element); i++)
            zset_add(&result, element.member, element.score, 0, &limits, &now);
    }
    zset_key_store(call, 1, &result, "zrangestore");
}

static void run(struct call *call, struct range range)
{
    range.limit = -1;
    if (!parse_options(call, &range) || !parse_ends(call, &range))
        return;
    struct key key;
    bool wrong, there = key_read_type(call, range.key, TYPE_ZSET, &key, &wrong);
    if (wrong)
        return;
    struct zset zset = { ENCODING_LISTPACK, NULL };
    struct zset_span span = { 0, 0 };
    if (there) {
        zset = zset_of(&key);
        span = span_of(&zset, &range);
    }
    if (range.store)
        store_span(call, &zset, span, &range);
    else
        reply_span(call, &zset, span, &range);
}

static void zrange(struct call *call)
{
    run(call, (struct range){ .key = 1 });
}

static void zrangestore(struct call *call)
{
    run(call, (struct range){ .key = 2, .store = true });
}

static void zrevrange(struct call *call)
{
    run(call, (struct range){ .key = 1, .by = BY_RANK, .order = ORDER_REVERSE });
}

static void zrangebyscore(struct call *call)
{
    run(call, (struct range){ .key = 1, .by = BY_SCORE, .order = ORDER_FORWARD });
}

static void zrevrangebyscore(struct call *call)
{
    run(call, (struct range){ .key = 1, .by = BY_SCORE, .order = ORDER_REVERSE });
}

static void zrangebylex(struct call *call)
{
    run(call, (struct range){ .key = 1, .by = BY_MEMBER, .order = ORDER_FORWARD });
}

static void zrevrangebylex(struct call *call)
{
    run(call, (struct range){ .key = 1, .by = BY_MEMBER, .order = ORDER_REVERSE });
}

/* ---- Counting ---- */

static void count_range(struct call *call, enum range_by by)
{
    struct range range = { .key = 1, .by = by, .order = ORDER_FORWARD, .limit = -1 };
    struct key key;
    bool wrong;
    if (!parse_ends(call, &range))
        return;
    bool there = key_read_type(call, 1, TYPE_ZSET, &key, &wrong);
    if (wrong)
        return;
    struct zset_span span = { 0, 0 };
    if (there) {
        struct zset zset = zset_of(&key);
        span = span_of(&zset, &range);
    }
    reply_integer(call->reply, (int64_t)(span.end - span.first));
}

static void zcount(struct call *call)
{
    count_range(call, BY_SCORE);
}

static void zlexcount(struct call *call)
{
    count_range(call, BY_MEMBER);
}

/* ---- Removing ---- */

static void remove_range(struct call *call, enum range_by by, const char *event)
{
    struct range range = { .key = 1, .by = by, .order = ORDER_FORWARD, .limit = -1 };
    struct key key;
    bool wrong;
    if (!parse_ends(call, &range))
        return;
    bool there = key_write_type(call, 1, TYPE_ZSET, &key, &wrong);
    if (wrong)
        return;
    struct zset_span span = { 0, 0 };
    struct zset zset;
    if (there) {
        zset = zset_of(&key);
        span = span_of(&zset, &range);
    }
    if (span.end > span.first) {
        zset = zset_key_begin(call, &key);
        zset_remove_span(&zset, span);
        zset_key_end(call, &key, &zset);
        key_notify(call, &key, NOTIFY_ZSET, event);
        zset_key_delete_empty(call, &key);
    }
    reply_integer(call->reply, (int64_t)(span.end - span.first));
}

static void zremrangebyrank(struct call *call)
{
    remove_range(call, BY_RANK, "zremrangebyrank");
}

static void zremrangebyscore(struct call *call)
{
    remove_range(call, BY_SCORE, "zremrangebyscore");
}

static void zremrangebylex(struct call *call)
{
    remove_range(call, BY_MEMBER, "zremrangebylex");
}

/* ---- The table ---- */

static const struct command_arg sortby_args[] = { TOKEN("byscore", "BYSCORE"),
    TOKEN("bylex", "BYLEX"), { 0 } };
static const struct command_arg offset_count_args[] = { ARG("offset", ARG_INTEGER),
    ARG("count", ARG_INTEGER), { 0 } };

const struct command zset_range_commands[] = {
    { "zcount", zcount, 4, CMD_READONLY | CMD_FAST, KEYS(ONE_KEY(KEY_RO | KEY_ACCESS)),
        .group = "sorted-set", .since = "2.0.0",
        .complexity = "O(log(N)), N members in the sorted set",
        .summary = "Counts the members whose scores are in a range",
        .args = ARGS(KEY_ARG, ARG("min", ARG_DOUBLE), ARG("max", ARG_DOUBLE)) },
    { "zlexcount", zlexcount, 4, CMD_READONLY | CMD_FAST, KEYS(ONE_KEY(KEY_RO | KEY_ACCESS)),
        .group = "sorted-set", .since = "2.8.9",
        .complexity = "O(log(N)), N members in the sorted set",
        .summary = "Counts the members between two members",
        .args = ARGS(KEY_ARG, ARG("min", ARG_STRING), ARG("max", ARG_STRING)) },
    { "zrange", zrange, -4, CMD_READONLY, KEYS(ONE_KEY(KEY_RO | KEY_ACCESS)), .group = "sorted-set",
        .since = "1.2.0", .complexity = "O(log(N)+M), M members returned of N",
        .summary = "Returns a range of members: by rank, by score or between two members",
        .history = HISTORY({ "6.2.0", "Added the `REV`, `BYSCORE`, `BYLEX` and `LIMIT` options." }),
        .args = ARGS(KEY_ARG, ARG("start", ARG_STRING), ARG("stop", ARG_STRING),
            { "sortby", ARG_ONEOF, ARG_OPTIONAL, NULL, 0, "6.2.0", sortby_args },
            OPTION("rev", ARG_PURE_TOKEN, "REV", "6.2.0"),
            { "offset_count", ARG_BLOCK, ARG_OPTIONAL, "LIMIT", 0, "6.2.0", offset_count_args },
            OPTION("withscores", ARG_PURE_TOKEN, "WITHSCORES", NULL)) },
    { "zrangebylex", zrangebylex, -4, CMD_READONLY, KEYS(ONE_KEY(KEY_RO | KEY_ACCESS)),
        .group = "sorted-set", .since = "2.8.9",
        .complexity = "O(log(N)+M), M members returned of N",
        .summary = "Returns the members between two members",
        .args = ARGS(KEY_ARG, ARG("min", ARG_STRING), ARG("max", ARG_STRING),
            { "offset_count", ARG_BLOCK, ARG_OPTIONAL, "LIMIT", 0, NULL, offset_count_args }),
        .deprecated_since = "6.2.0", .replaced_by = "`ZRANGE` with the `BYLEX` argument" },
    { "zrangebyscore", zrangebyscore, -4, CMD_READONLY, KEYS(ONE_KEY(KEY_RO | KEY_ACCESS)),
        .group = "sorted-set", .since = "1.0.5",
        .complexity = "O(log(N)+M), M members returned of N",
        .summary = "Returns the members whose scores are in a range",
        .history = HISTORY({ "2.0.0", "Added the `WITHSCORES` modifier." }),
        .args = ARGS(KEY_ARG, ARG("min", ARG_DOUBLE), ARG("max", ARG_DOUBLE),
            OPTION("withscores", ARG_PURE_TOKEN, "WITHSCORES", "2.0.0"),
            { "offset_count", ARG_BLOCK, ARG_OPTIONAL, "LIMIT", 0, NULL, offset_count_args }),
        .deprecated_since = "6.2.0", .replaced_by = "`ZRANGE` with the `BYSCORE` argument" },
    { "zrangestore", zrangestore, -5, CMD_WRITE | CMD_DENYOOM,
        KEYS(ONE_KEY(KEY_OW | KEY_UPDATE), KEYS_AT(2, KEY_RO | KEY_ACCESS, 0)),
        .group = "sorted-set", .since = "6.2.0", .complexity = "O(log(N)+M), M members stored of N",
        .summary = "Stores a range of members under another key",
        .args = ARGS({ "dst", ARG_KEY, 0, NULL, 0, NULL, NULL },
            { "src", ARG_KEY, 0, NULL, 1, NULL, NULL }, ARG("min", ARG_STRING),
            ARG("max", ARG_STRING), CHOICE("sortby", ARG_OPTIONAL, sortby_args),
            OPTION("rev", ARG_PURE_TOKEN, "REV", NULL),
            { "offset_count", ARG_BLOCK, ARG_OPTIONAL, "LIMIT", 0, NULL, offset_count_args }) },
    { "zremrangebylex", zremrangebylex, 4, CMD_WRITE, KEYS(ONE_KEY(KEY_RW | KEY_DELETE)),
        .group = "sorted-set", .since = "2.8.9",
        .complexity = "O(M*log(N)), M members removed of N",
        .summary = "Removes the members between two members",
        .args = ARGS(KEY_ARG, ARG("min", ARG_STRING), ARG("max", ARG_STRING)) },
    { "zremrangebyrank", zremrangebyrank, 4, CMD_WRITE, KEYS(ONE_KEY(KEY_RW | KEY_DELETE)),
        .group = "sorted-set", .since = "2.0.0",
        .complexity = "O(M*log(N)), M members removed of N",
        .summary = "Removes the members whose ranks are in a range",
        .args = ARGS(KEY_ARG, ARG("start", ARG_INTEGER), ARG("stop", ARG_INTEGER)) },
    { "zremrangebyscore", zremrangebyscore, 4, CMD_WRITE, KEYS(ONE_KEY(KEY_RW | KEY_DELETE)),
        .group = "sorted-set", .since = "1.2.0",
        .complexity = "O(M*log(N)), M members removed of N",
        .summary = "Removes the members whose scores are in a range",
        .args = ARGS(KEY_ARG, ARG("min", ARG_DOUBLE), ARG("max", ARG_DOUBLE)) },
    { "zrevrange", zrevrange, -4, CMD_READONLY, KEYS(ONE_KEY(KEY_RO | KEY_ACCESS)),
        .group = "sorted-set", .since = "1.2.0",
        .complexity = "O(log(N)+M), M members returned of N",
        .summary = "Returns a range of members by rank, from the highest score down",
        .args = ARGS(KEY_ARG, ARG("start", ARG_INTEGER), ARG("stop", ARG_INTEGER),
            OPTION("withscores", ARG_PURE_TOKEN, "WITHSCORES", NULL)),
        .deprecated_since = "6.2.0", .replaced_by = "`ZRANGE` with the `REV` argument" },
    { "zrevrangebylex", zrevrangebylex, -4, CMD_READONLY, KEYS(ONE_KEY(KEY_RO | KEY_ACCESS)),
        .group = "sorted-set", .since = "2.8.9",
        .complexity = "O(log(N)+M), M members returned of N",
        .summary = "Returns the members between two members, backwards",
        .args = ARGS(KEY_ARG, ARG("max", ARG_STRING), ARG("min", ARG_STRING),
            { "offset_count", ARG_BLOCK, ARG_OPTIONAL, "LIMIT", 0, NULL, offset_count_args }),
        .deprecated_since = "6.2.0",
        .replaced_by = "`ZRANGE` with the `REV` and `BYLEX` arguments" },
    { "zrevrangebyscore", zrevrangebyscore, -4, CMD_READONLY, KEYS(ONE_KEY(KEY_RO | KEY_ACCESS)),
        .group = "sorted-set", .since = "2.2.0",
        .complexity = "O(log(N)+M), M members returned of N",
        .summary = "Returns the members whose scores are in a range, from the highest down",
        .history = HISTORY({ "2.1.6", "`min` and `max` can be exclusive." }),
        .args = ARGS(KEY_ARG, ARG("max", ARG_DOUBLE), ARG("min", ARG_DOUBLE),
            OPTION("withscores", ARG_PURE_TOKEN, "WITHSCORES", NULL),
            { "offset_count", ARG_BLOCK, ARG_OPTIONAL, "LIMIT", 0, NULL, offset_count_args }),
        .deprecated_since = "6.2.0",
        .replaced_by = "`ZRANGE` with the `REV` and `BYSCORE` arguments" },
    { 0 }
};
