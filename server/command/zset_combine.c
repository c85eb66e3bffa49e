/* ZUNION, ZINTER, ZDIFF, with a key to store the result or without, and ZINTERCARD. What is found
 * gathers in a dictionary, with the score that it has so far; in the end it is put in order.
 *
 * Inputs are taken from the smallest to the largest, and those of one size as they were named: the
 * sum of floating point numbers depends on it. */
#include "server/command/families.h"
#include "server/command/rows.h"
#include "server/command/zset_key.h"
#include "server/command/zset_source.h"

#include "common/memory.h"
#include <math.h>
#include <stdlib.h>

enum combine_op { COMBINE_UNION, COMBINE_INTER, COMBINE_DIFF };
enum aggregate { AGGREGATE_SUM, AGGREGATE_MIN, AGGREGATE_MAX };

struct combine {
    enum combine_op op;
    bool store;      /* argv[1] is where the result goes */
    bool only_count; /* ZINTERCARD */
    const char *event;
    int count_at; /* argument with the number of keys */
    struct zset_source *sources;
    size_t count;
    enum aggregate aggregate;
    bool with_scores;
    int64_t limit; /* of ZINTERCARD; 0: none */
    size_t found;
    struct dict gathered; /* items with scores */
};

/* ---- Arguments ---- */

static bool parse_sources(struct call *call, struct combine *combine)
{
    int64_t count;
    if (!call_integer(call, combine->count_at, &count))
        return false;
    if (count < 1) {
        reply_error(
            call->reply, "at least 1 input key is needed for '%s' command", call->entry->name);
        return false;
    }
    if (count > call->argc - combine->count_at - 1) {
        call_error_syntax(call);
        return false;
    }
    combine->count = (size_t)count;
    combine->sources = memory_alloc(combine->count * sizeof(*combine->sources));
    for (size_t i = 0; i < combine->count; i++) {
        struct key key;
        int at = combine->count_at + 1 + (int)i;
        if (combine->store)
            key_write(call, at, &key);
        else
            key_read(call, at, &key);
        if (!zset_source_of(&combine->sources[i], key.entry)) {
            call_error_type(call);
            return false;
        }
        combine->sources[i].place = (int)i;
    }
    return true;
}

static bool parse_aggregate(struct bytes word, enum aggregate *aggregate)
{
    static const char *const words[] = { "SUM", "MIN", "MAX" };
    for (int i = 0; i < 3; i++) {
        if (bytes_is(word, words[i])) {
            *aggregate = (enum aggregate)i;
            return true;
        }
    }
    return false;
}

static bool parse_options(struct call *call, struct combine *combine)
{
    int at = combine->count_at + 1 + (int)combine->count;
    bool weighs = combine->op != COMBINE_DIFF && !combine->only_count;
    while (at < call->argc) {
        struct bytes word = call->argv[at];
        int left = call->argc - at;
        if (weighs && (size_t)left > combine->count && bytes_is(word, "WEIGHTS")) {
            for (size_t i = 0; i < combine->count; i++) {
                if (!zset_parse_double(call, call->argv[at + 1 + (int)i],
                        "weight value is not a float", &combine->sources[i].weight))
                    return false;
            }
            at += 1 + (int)combine->count;
        } else if (weighs && left > 1 && bytes_is(word, "AGGREGATE") &&
                   parse_aggregate(call->argv[at + 1], &combine->aggregate)) {
            at += 2;
        } else if (!combine->store && !combine->only_count && bytes_is(word, "WITHSCORES")) {
            combine->with_scores = true;
            at++;
        } else if (combine->only_count && left > 1 && bytes_is(word, "LIMIT")) {
            if (!zset_parse_count(
                    call, call->argv[at + 1], 0, "LIMIT can't be negative", &combine->limit))
                return false;
            at += 2;
        } else {
            call_error_syntax(call);
            return false;
        }
    }
    return true;
}

/* ---- Scores ---- */

static double weighed(const struct zset_source *source, double score)
{
    return source->weight * score;
}

static double aggregate(enum aggregate how, double a, double b)
{
    switch (how) {
    case AGGREGATE_MIN:
        return b < a ? b : a;
    case AGGREGATE_MAX:
        return b > a ? b : a;
    default:
        return isnan(a + b) ? 0 : a + b;
    }
}

static double first_score(const struct zset_source *source, double score)
{
    double first = weighed(source, score);
    return isnan(first) ? 0 : first; /* infinity by zero */
}

static void set_score(struct item *item, double score)
{
    memcpy(item->data, &score, sizeof(score));
}

static void gather(struct combine *combine, uint64_t hash, struct bytes member, double score)
{
    struct item *item = item_create(RANKED_PREFIX, member, 0);
    set_score(item, score);
    dict_insert(&combine->gathered, hash, item, sizeof(*item) + RANKED_PREFIX + member.len);
}

/* ---- The three of them ---- */

static void unite(struct combine *combine)
{
    struct zset_source_walk walk;
    struct zset_element element;
    for (size_t i = 0; i < combine->count; i++) {
        const struct zset_source *source = &combine->sources[i];
        zset_source_walk(source, &walk);
        while (zset_source_next(&walk, &element)) {
            double score = first_score(source, element.score);
            uint64_t hash = dict_hash(element.member);
            struct item *item = dict_find(&combine->gathered, hash, element.member);
            if (item)
                set_score(item, aggregate(combine->aggregate, zset_item_score(item), score));
            else
                gather(combine, hash, element.member, score);
        }
    }
}

/* Whether all inputs from the second on have the member; *score then takes theirs in. */
static bool all_have(const struct combine *combine, struct bytes member, double *score)
{
    for (size_t i = 1; i < combine->count; i++) {
        double other;
        if (!zset_source_find(&combine->sources[i], member, &other))
            return false;
        *score = aggregate(combine->aggregate, *score, weighed(&combine->sources[i], other));
    }
    return true;
}

static void intersect(struct combine *combine)
{
    struct zset_source_walk walk;
    struct zset_element element;
    zset_source_walk(&combine->sources[0], &walk);
    while (zset_source_next(&walk, &element)) {
        double score = first_score(&combine->sources[0], element.score);
        if (!all_have(combine, element.member, &score))
            continue;
        combine->found++;
        if (!combine->only_count)
            gather(combine, dict_hash(element.member), element.member, score);
        else if (combine->limit > 0 && combine->found >= (size_t)combine->limit)
            return;
    }
}

static bool any_has(const struct combine *combine, struct bytes member)
{
    double score;
    for (size_t i = 1; i < combine->count; i++) {
        if (zset_source_find(&combine->sources[i], member, &score))
            return true;
    }
    return false;
}

/* Each member of the first is looked for in the others; or, where that is more work, each member of
 * the others is taken out of the first's. */
static void subtract(struct combine *combine)
{
    struct zset_source_walk walk;
    struct zset_element element;
    size_t others = 0;
    for (size_t i = 1; i < combine->count; i++)
        others += combine->sources[i].count;
    bool looks = combine->sources[0].count * (combine->count - 1) / 2 <= others;
    zset_source_walk(&combine->sources[0], &walk);
    while (zset_source_next(&walk, &element)) {
        if (!looks || !any_has(combine, element.member))
            gather(combine, dict_hash(element.member), element.member, element.score);
    }
    for (size_t i = 1; i < combine->count && !looks; i++) {
        zset_source_walk(&combine->sources[i], &walk);
        while (zset_source_next(&walk, &element)) {
            struct item *item =
                dict_remove(&combine->gathered, dict_hash(element.member), element.member);
            if (item) {
                dict_forget_size(
                    &combine->gathered, sizeof(*item) + RANKED_PREFIX + element.member.len);
                item_release(item);
            }
        }
    }
}

static int compare_counts(const void *a, const void *b)
{
    const struct zset_source *one = a, *other = b;
    if (one->count != other->count)
        return one->count < other->count ? -1 : 1;
    return one->place - other->place;
}

static void work(struct combine *combine)
{
    dict_init(&combine->gathered, RANKED_PREFIX);
    if (combine->op != COMBINE_DIFF)
        qsort(combine->sources, combine->count, sizeof(*combine->sources), compare_counts);
    switch (combine->op) {
    case COMBINE_UNION:
        unite(combine);
        break;
    case COMBINE_INTER:
        intersect(combine);
        break;
    case COMBINE_DIFF:
        subtract(combine);
        break;
    }
}

/* ---- Results ---- */

static void reply_all(struct call *call, const struct zset *zset, bool with_scores)
{
    bool flat = call->reply->protocol == 2;
    size_t count = zset_count(zset);
    struct zset_cursor cursor;
    struct zset_element element;
    reply_array(call->reply, with_scores && flat ? count * 2 : count);
    zset_walk(zset, 0, false, &cursor);
    while (zset_next(&cursor, &element)) {
        if (with_scores && !flat)
            reply_array(call->reply, 2);
        reply_bulk(call->reply, element.member);
        if (with_scores)
            reply_double(call->reply, element.score);
    }
}

static void finish(struct call *call, struct combine *combine)
{
    if (combine->only_count) {
        reply_integer(call->reply, (int64_t)combine->found);
        return;
    }
    struct zset result = zset_from_dict(&combine->gathered);
    if (combine->store) {
        struct zset_limits limits = zset_key_limits();
        zset_shrink(&result, &limits);
        zset_key_store(call, 1, &result, combine->event);
        return;
    }
    reply_all(call, &result, combine->with_scores);
    zset_free(&result);
}

static void run(struct call *call, struct combine combine)
{
    combine.count_at = combine.store ? 2 : 1;
    if (parse_sources(call, &combine) && parse_options(call, &combine)) {
        work(&combine);
        finish(call, &combine);
    }
    free(combine.sources);
}

static void zunion(struct call *call)
{
    run(call, (struct combine){ .op = COMBINE_UNION });
}

static void zinter(struct call *call)
{
    run(call, (struct combine){ .op = COMBINE_INTER });
}

static void zdiff(struct call *call)
{
    run(call, (struct combine){ .op = COMBINE_DIFF });
}

static void zunionstore(struct call *call)
{
    run(call, (struct combine){ .op = COMBINE_UNION, .store = true, .event = "zunionstore" });
}

static void zinterstore(struct call *call)
{
    run(call, (struct combine){ .op = COMBINE_INTER, .store = true, .event = "zinterstore" });
}

static void zdiffstore(struct call *call)
{
    run(call, (struct combine){ .op = COMBINE_DIFF, .store = true, .event = "zdiffstore" });
}

static void zintercard(struct call *call)
{
    run(call, (struct combine){ .op = COMBINE_INTER, .only_count = true });
}

/* ---- The table ---- */

static const struct key_spec counted_keys[] = { COUNTED_KEYS(1, KEY_RO | KEY_ACCESS), { 0 } };
static const struct key_spec store_keys[] = { ONE_KEY(KEY_OW | KEY_UPDATE),
    COUNTED_KEYS(2, KEY_RO | KEY_ACCESS), { 0 } };

static const struct command_arg aggregate_args[] = { TOKEN("sum", "SUM"), TOKEN("min", "MIN"),
    TOKEN("max", "MAX"), { 0 } };

#define STORE_ARGS                                                                                 \
    ARG("destination", ARG_KEY), ARG("numkeys", ARG_INTEGER),                                      \
    {                                                                                              \
        "key", ARG_KEY, ARG_MULTIPLE, NULL, 1, NULL, NULL                                          \
    }
#define WEIGHING_ARGS                                                                              \
    { "weight", ARG_INTEGER, ARG_OPTIONAL | ARG_MULTIPLE, "WEIGHTS", 0, NULL, NULL },              \
    {                                                                                              \
        "aggregate", ARG_ONEOF, ARG_OPTIONAL, "AGGREGATE", 0, NULL, aggregate_args                 \
    }

static const struct command_arg combine_args[] = { COUNTED_KEY_ARGS, WEIGHING_ARGS,
    OPTION("withscores", ARG_PURE_TOKEN, "WITHSCORES", NULL), { 0 } };
static const struct command_arg store_args[] = { STORE_ARGS, WEIGHING_ARGS, { 0 } };

const struct command zset_combine_commands[] = {
    { "zdiff", zdiff, -3, CMD_READONLY | CMD_MOVABLE_KEYS, counted_keys, .group = "sorted-set",
        .since = "6.2.0", .complexity = "O(N+M*log(M)), N members in all inputs, M in the result",
        .summary = "Returns the members of a sorted set that no other one has",
        .args = ARGS(COUNTED_KEY_ARGS, OPTION("withscores", ARG_PURE_TOKEN, "WITHSCORES", NULL)) },
    { "zdiffstore", zdiffstore, -4, CMD_WRITE | CMD_DENYOOM | CMD_MOVABLE_KEYS, store_keys,
        .group = "sorted-set", .since = "6.2.0",
        .complexity = "O(N+M*log(M)), N members in all inputs, M in the result",
        .summary = "Stores the members of a sorted set that no other one has",
        .args = ARGS(STORE_ARGS) },
    { "zinter", zinter, -3, CMD_READONLY | CMD_MOVABLE_KEYS, counted_keys, .group = "sorted-set",
        .since = "6.2.0",
        .complexity = "O(N*K+M*log(M)), N members in the smallest of K inputs, M in the result",
        .summary = "Returns the members that all of several sorted sets have",
        .args = combine_args },
    { "zintercard", zintercard, -3, CMD_READONLY | CMD_MOVABLE_KEYS, counted_keys,
        .group = "sorted-set", .since = "7.0.0",
        .complexity = "O(N*K), N members in the smallest of K inputs",
        .summary = "Counts the members that all of several sorted sets have",
        .args = ARGS(COUNTED_KEY_ARGS, OPTION("limit", ARG_INTEGER, "LIMIT", NULL)) },
    { "zinterstore", zinterstore, -4, CMD_WRITE | CMD_DENYOOM | CMD_MOVABLE_KEYS, store_keys,
        .group = "sorted-set", .since = "2.0.0",
        .complexity = "O(N*K+M*log(M)), N members in the smallest of K inputs, M in the result",
        .summary = "Stores the members that all of several sorted sets have", .args = store_args },
    { "zunion", zunion, -3, CMD_READONLY | CMD_MOVABLE_KEYS, counted_keys, .group = "sorted-set",
        .since = "6.2.0", .complexity = "O(N+M*log(M)), N members in all inputs, M in the result",
        .summary = "Returns the members that any of several sorted sets has",
        .args = combine_args },
    { "zunionstore", zunionstore, -4, CMD_WRITE | CMD_DENYOOM | CMD_MOVABLE_KEYS, store_keys,
        .group = "sorted-set", .since = "2.0.0",
        .complexity = "O(N+M*log(M)), N members in all inputs, M in the result",
        .summary = "Stores the members that any of several sorted sets has", .args = store_args },
    { 0 }
};
