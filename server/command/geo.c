/* Geo indexes are sorted sets whose scores are places: GEOADD, GEODIST, GEOHASH, GEOPOS. */
#include "server/command/geo.h"

#include "server/command/families.h"
#include "server/command/rows.h"

#include "common/memory.h"
#include <stdio.h>
#include <stdlib.h>

/* ---- Arguments ---- */

bool geo_parse_point(struct call *call, int index, struct geo_point *point)
{
    if (!zset_parse_double(call, call->argv[index], NULL, &point->longitude) ||
        !zset_parse_double(call, call->argv[index + 1], NULL, &point->latitude))
        return false;
    if (geo_point_is_valid(*point))
        return true;
    reply_error(
        call->reply, "invalid longitude,latitude pair %f,%f", point->longitude, point->latitude);
    return false;
}

bool geo_parse_unit(struct call *call, struct bytes word, double *metres)
{
    static const struct {
        const char *word;
        double metres;
    } units[] = { { "m", 1 }, { "km", 1000 }, { "ft", 0.3048 }, { "mi", 1609.34 } };
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (bytes_is(word, units[i].word)) {
            *metres = units[i].metres;
            return true;
        }
    }
    reply_error(call->reply, "unsupported unit provided. please use M, KM, FT, MI");
    return false;
}

/* ---- GEOADD ---- */

/* Is journaled as the ZADD that it is. */
static void effect(struct call *call, int first, const struct bytes *scores, int count)
{
    int argc = first + count * 2;
    struct bytes *argv = memory_alloc((size_t)argc * sizeof(*argv));
    memcpy(argv, call->argv, (size_t)first * sizeof(*argv));
    argv[0] = BYTES("zadd"); /* as redis-server writes it */
    for (int i = 0; i < count; i++) {
        argv[first + i * 2] = scores[i];
        argv[first + i * 2 + 1] = call->argv[first + i * 3 + 2];
    }
    call_effect(call, argv, argc);
    free(argv);
}

/* A place as a score, and that as text. */
struct placed {
    double *scores;
    struct bytes *texts;
    char (*digits)[NUMBER_TEXT_MAX];
};

static bool place_all(struct call *call, int first, int count, struct placed *placed)
{
    for (int i = 0; i < count; i++) {
        struct geo_point point;
        if (!geo_parse_point(call, first + i * 3, &point))
            return false;
        uint64_t bits = geo_encode(point);
        placed->scores[i] = (double)bits;
        placed->texts[i] =
            (struct bytes){ placed->digits[i], number_format(placed->digits[i], (int64_t)bits) };
    }
    return true;
}

static void add_places(struct call *call, struct zset_addition *addition, int first)
{
    size_t count = (size_t)addition->count;
    struct placed placed = { memory_alloc(count * sizeof(*placed.scores)),
        memory_alloc(count * sizeof(*placed.texts)), memory_alloc(count * sizeof(*placed.digits)) };
    if (place_all(call, first, addition->count, &placed)) {
        addition->scores = placed.scores;
        addition->members = &call->argv[first + 2];
        addition->stride = 3;
        if (zset_key_add(call, addition))
            effect(call, first, placed.texts, addition->count);
    }
    free(placed.scores);
    free(placed.texts);
    free(placed.digits);
}

static void geoadd(struct call *call)
{
    struct zset_addition addition = { 0 };
    int first = 2;
    for (; first < call->argc; first++) {
        struct bytes word = call->argv[first];
        if (bytes_is(word, "NX"))
            addition.conditions |= ZSET_ABSENT;
        else if (bytes_is(word, "XX"))
            addition.conditions |= ZSET_PRESENT;
        else if (bytes_is(word, "CH"))
            addition.changes = true;
        else
            break;
    }
    addition.count = (call->argc - first) / 3;
    if (addition.count == 0 || (call->argc - first) % 3 ||
        addition.conditions == (ZSET_ABSENT | ZSET_PRESENT))
        call_error_syntax(call);
    else
        add_places(call, &addition, first);
}

/* ---- Questions ---- */

static void geodist(struct call *call)
{
    double unit = 1, from = 0, to = 0;
    if (call->argc > 5) {
        call_error_syntax(call);
        return;
    }
    if (call->argc == 5 && !geo_parse_unit(call, call->argv[4], &unit))
        return;
    struct key key;
    bool wrong, there = key_read_type(call, 1, TYPE_ZSET, &key, &wrong);
    if (wrong)
        return;
    if (there) {
        struct zset zset = zset_of(&key);
        there = zset_score(&zset, call->argv[2], &from) && zset_score(&zset, call->argv[3], &to);
    }
    if (!there) {
        reply_null(call->reply);
        return;
    }
    char text[512];
    double distance = geo_distance(geo_decode(from), geo_decode(to)) / unit;
    snprintf(text, sizeof(text), "%.4f", distance);
    reply_bulk_text(call->reply, text);
}

/* Says of each member named what `say` says of its score, or nothing. */
static void each_member(struct call *call, void (*say)(struct reply *reply, double score),
    void (*nothing)(struct reply *reply))
{
    struct key key;
    bool wrong, there = key_read_type(call, 1, TYPE_ZSET, &key, &wrong);
    if (wrong)
        return;
    struct zset zset = { ENCODING_LISTPACK, NULL };
    if (there)
        zset = zset_of(&key);
    reply_array(call->reply, (size_t)call->argc - 2);
    for (int i = 2; i < call->argc; i++) {
        double score;
        if (there && zset_score(&zset, call->argv[i], &score))
            say(call->reply, score);
        else
            nothing(call->reply);
    }
}

static void say_hash(struct reply *reply, double score)
{
    char text[GEO_TEXT_LEN];
    geo_text(score, text);
    reply_bulk(reply, (struct bytes){ text, sizeof(text) });
}

static void geohash(struct call *call)
{
    each_member(call, say_hash, reply_null);
}

static void say_point(struct reply *reply, double score)
{
    geo_reply_point(reply, geo_decode(score));
}

static void geopos(struct call *call)
{
    each_member(call, say_point, reply_null_array);
}

static void reply_degrees(struct reply *reply, double value)
{
    char text[DOUBLE_TEXT_MAX];
    struct bytes digits = { text, number_format_long_double(text, value) };
    if (reply->protocol == 2) {
        reply_bulk(reply, digits);
        return;
    }
    reply_raw(reply, BYTES(","));
    reply_raw(reply, digits);
    reply_raw(reply, BYTES("\r\n"));
}

void geo_reply_point(struct reply *reply, struct geo_point point)
{
    reply_array(reply, 2);
    reply_degrees(reply, point.longitude);
    reply_degrees(reply, point.latitude);
}

/* ---- The table ---- */

static const struct command_arg condition_args[] = { TOKEN("nx", "NX"), TOKEN("xx", "XX"), { 0 } };
static const struct command_arg longitude_latitude_member_args[] = { ARG("longitude", ARG_DOUBLE),
    ARG("latitude", ARG_DOUBLE), ARG("member", ARG_STRING), { 0 } };
static const struct command_arg unit_args[] = { TOKEN("m", "M"), TOKEN("km", "KM"),
    TOKEN("ft", "FT"), TOKEN("mi", "MI"), { 0 } };

const struct command geo_commands[] = {
    { "geoadd", geoadd, -5, CMD_WRITE | CMD_DENYOOM, KEYS(ONE_KEY(KEY_RW | KEY_UPDATE)),
        .group = "geo", .member = 4, .since = "3.2.0",
        .complexity = "O(log(N)) for each member, N members in the sorted set",
        .summary = "Adds members with their places to a geo index",
        .history = HISTORY({ "6.2.0", "Added the `CH`, `NX` and `XX` options." }),
        .args = ARGS(KEY_ARG,
            { "condition", ARG_ONEOF, ARG_OPTIONAL, NULL, 0, "6.2.0", condition_args },
            OPTION("change", ARG_PURE_TOKEN, "CH", "6.2.0"),
            { "longitude_latitude_member", ARG_BLOCK, ARG_MULTIPLE, NULL, 0, NULL,
                longitude_latitude_member_args }) },
    { "geodist", geodist, -4, CMD_READONLY, KEYS(ONE_KEY(KEY_RO | KEY_ACCESS)), .group = "geo",
        .member = 2, .since = "3.2.0", .complexity = "O(1)",
        .summary = "Returns how far two members are from each other",
        .args = ARGS(KEY_ARG, ARG("member1", ARG_STRING), ARG("member2", ARG_STRING),
            CHOICE("unit", ARG_OPTIONAL, unit_args)) },
    { "geohash", geohash, -2, CMD_READONLY, KEYS(ONE_KEY(KEY_RO | KEY_ACCESS)), .group = "geo",
        .member = 2, .since = "3.2.0", .complexity = "O(M), M members asked for",
        .summary = "Returns the geohashes of members as text",
        .args = ARGS(KEY_ARG, ARG_MANY("member", ARG_STRING)) },
    { "geopos", geopos, -2, CMD_READONLY, KEYS(ONE_KEY(KEY_RO | KEY_ACCESS)), .group = "geo",
        .member = 2, .since = "3.2.0", .complexity = "O(M), M members asked for",
        .summary = "Returns the places of members",
        .args = ARGS(KEY_ARG, ARG_MANY("member", ARG_STRING)) },
    { 0 }
};
