/* ZRANDMEMBER and ZSCAN: members in no order. */
#include "server/command/families.h"
#include "server/command/member_scan.h"
#include "server/command/random_count.h"
#include "server/command/rows.h"
#include "server/command/zset_key.h"

#include "common/memory.h"
#include "server/type/sample.h"
#include <stdlib.h>

/* ---- ZRANDMEMBER ---- */

static void reply_header(struct reply *reply, uint64_t count, bool scores)
{
    reply_array(reply, scores && reply->protocol == 2 ? count * 2 : count);
}

static void reply_element(struct reply *reply, const struct zset_element *element, bool scores)
{
    if (scores && reply->protocol == 3)
        reply_array(reply, 2);
    reply_bulk(reply, element->member);
    if (scores)
        reply_double(reply, element->score);
}

static void get_at(
    const struct zset *zset, size_t rank, struct zset_cursor *cursor, struct zset_element *element)
{
    zset_walk(zset, rank, false, cursor);
    zset_next(cursor, element);
}

/* The same member may come again. */
static void reply_drawn(struct call *call, const struct zset *zset, uint64_t wanted, bool scores)
{
    size_t count = zset_count(zset);
    struct zset_cursor cursor;
    struct zset_element element;
    reply_header(call->reply, wanted, scores);
    for (uint64_t i = 0; i < wanted && random_count_goes_on(call); i++) {
        get_at(zset, random_below(count), &cursor, &element);
        reply_element(call->reply, &element, scores);
    }
}

/* All, from the last to the first. */
static void reply_all(struct call *call, const struct zset *zset, bool scores)
{
    struct zset_cursor cursor;
    struct zset_element element;
    reply_header(call->reply, zset_count(zset), scores);
    zset_walk(zset, zset_count(zset) - 1, true, &cursor);
    while (zset_next(&cursor, &element))
        reply_element(call->reply, &element, scores);
}

/* A large part: goes over all and takes some. */
static void reply_taken(struct call *call, const struct zset *zset, size_t wanted, bool scores)
{
    struct sample sample = { zset_count(zset), wanted };
    struct zset_cursor cursor;
    struct zset_element element;
    zset_walk(zset, 0, false, &cursor);
    while (sample.wanted > 0 && zset_next(&cursor, &element)) {
        if (sample_takes(&sample))
            reply_element(call->reply, &element, scores);
    }
}

/* A small part: draws ranks, and draws again what has been drawn. */
static void reply_picked(struct call *call, const struct zset *zset, size_t wanted, bool scores)
{
    size_t count = zset_count(zset);
    unsigned char *drawn = memory_alloc_zeroed(count / 8 + 1, 1);
    struct zset_cursor cursor;
    struct zset_element element;
    while (wanted > 0) {
        size_t rank = random_below(count);
        unsigned char bit = (unsigned char)(1 << rank % 8);
        if (drawn[rank / 8] & bit)
            continue;
        drawn[rank / 8] |= bit;
        get_at(zset, rank, &cursor, &element);
        reply_element(call->reply, &element, scores);
        wanted--;
    }
    free(drawn);
}

static void reply_sample(struct call *call, const struct zset *zset, size_t wanted, bool scores)
{
    reply_header(call->reply, wanted, scores);
    if (wanted > zset_count(zset) / 3)
        reply_taken(call, zset, wanted, scores);
    else
        reply_picked(call, zset, wanted, scores);
}

static bool parse_many(struct call *call, int64_t *count, bool *scores)
{
    if (!random_count_parse(call, 2, count))
        return false;
    *scores = call->argc == 4 && bytes_is(call->argv[3], "WITHSCORES");
    if (call->argc > 4 || (call->argc == 4 && !*scores)) {
        call_error_syntax(call);
        return false;
    }
    if (*scores && (*count < -INT64_MAX / 2 || *count > INT64_MAX / 2)) {
        reply_error(call->reply, "value is out of range");
        return false;
    }
    return true;
}

static void random_many(struct call *call)
{
    int64_t count;
    bool scores, wrong;
    struct key key;
    if (!parse_many(call, &count, &scores))
        return;
    bool there = key_read_type(call, 1, TYPE_ZSET, &key, &wrong);
    if (wrong)
        return;
    if (!there || count == 0) {
        reply_array(call->reply, 0);
        return;
    }
    struct zset zset = zset_of(&key);
    if (count < 0)
        reply_drawn(call, &zset, 0 - (uint64_t)count, scores);
    else if ((uint64_t)count >= zset_count(&zset))
        reply_all(call, &zset, scores);
    else
        reply_sample(call, &zset, (size_t)count, scores);
}

static void zrandmember(struct call *call)
{
    if (call->argc > 2) {
        random_many(call);
        return;
    }
    struct key key;
    bool wrong;
    if (key_read_type(call, 1, TYPE_ZSET, &key, &wrong)) {
        struct zset_cursor cursor;
        struct zset_element element;
        struct zset zset = zset_of(&key);
        get_at(&zset, random_below(zset_count(&zset)), &cursor, &element);
        reply_bulk(call->reply, element.member);
    } else if (!wrong) {
        reply_null(call->reply);
    }
}

/* ---- ZSCAN ---- */

static void scan_pack(struct member_scan *scan, const struct listpack *pack)
{
    char scratch[NUMBER_TEXT_MAX];
    const unsigned char *at = listpack_first(pack);
    while (at) {
        bool wanted = member_scan_wants(scan, listpack_get(at, scratch));
        for (int i = 0; i < 2; i++, at = listpack_next(pack, at)) {
            if (wanted)
                member_scan_add(scan, listpack_get(at, scratch));
        }
    }
}

static void scan_item(void *arg, struct item *item)
{
    char text[128];
    struct bytes member = ranked_member(item);
    if (!member_scan_wants(arg, member))
        return;
    member_scan_add(arg, member);
    member_scan_add(arg, (struct bytes){ text, number_format_double(text, zset_item_score(item)) });
}

static void zscan(struct call *call)
{
    struct member_scan scan;
    struct key key;
    if (!member_scan_begin(call, TYPE_ZSET, &key, &scan))
        return;
    struct zset zset = zset_of(&key);
    if (zset.encoding == ENCODING_LISTPACK) {
        scan_pack(&scan, zset.value);
        scan.position = 0;
    } else {
        const struct zset_large *large = zset.value;
        member_scan_dict(&scan, &large->members, scan_item, &scan);
    }
    member_scan_end(call, &scan);
}

/* ---- The table ---- */

static const struct command_arg options_args[] = { ARG("count", ARG_INTEGER),
    OPTION("withscores", ARG_PURE_TOKEN, "WITHSCORES", NULL), { 0 } };

const struct command zset_random_commands[] = {
    { "zrandmember", zrandmember, -2, CMD_READONLY, KEYS(ONE_KEY(KEY_RO | KEY_ACCESS)),
        .group = "sorted-set", .since = "6.2.0",
        .complexity = "O(M*log(N)), M members returned of N; O(N) where that is a large part",
        .summary = "Returns members of a sorted set by chance",
        .tips = TIPS("nondeterministic_output"),
        .args =
            ARGS(KEY_ARG, { "options", ARG_BLOCK, ARG_OPTIONAL, NULL, 0, NULL, options_args }) },
    { "zscan", zscan, -3, CMD_READONLY, KEYS(ONE_KEY(KEY_RO | KEY_ACCESS)), .group = "sorted-set",
        .since = "2.8.0", .complexity = "O(1) for each call, O(N) for the whole, N members",
        .summary = "Goes through the members of a sorted set, some with each call",
        .tips = TIPS("nondeterministic_output"),
        .args =
            ARGS(KEY_ARG, ARG("cursor", ARG_INTEGER), OPTION("pattern", ARG_PATTERN, "MATCH", NULL),
                OPTION("count", ARG_INTEGER, "COUNT", NULL)) },
    { 0 }
};
