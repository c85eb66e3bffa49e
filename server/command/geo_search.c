/* Looking for places: GEOSEARCH, GEOSEARCHSTORE, and the older GEORADIUS and GEORADIUSBYMEMBER. All
 * read their arguments into one search; the boxes that cover what is searched are ranges of scores,
 * and each member in them is measured. */
#include "server/command/families.h"
#include "server/command/geo.h"
#include "server/command/rows.h"

#include "common/memory.h"
#include "common/partial_sort.h"
#include <stdio.h>
#include <stdlib.h>

enum search_kind { SEARCH, SEARCH_STORE, RADIUS, RADIUS_BY_MEMBER };
enum search_order { ORDER_NONE, ORDER_NEAREST, ORDER_FARTHEST };

/* Bits of what has been said. */
enum search_word {
    WITH_DISTANCE = 1,
    WITH_HASH = 2,
    WITH_POINT = 4,
    FROM_MEMBER = 8,
    FROM_POINT = 16,
    BY_RADIUS = 32,
    BY_BOX = 64,
    ANY = 128,
};

struct found {
    struct bytes member; /* in `names` at an offset, until all have been found */
    size_t offset;
    double score, distance; /* metres */
    size_t place;           /* among those found */
    struct geo_point point;
};

struct search {
    enum search_kind kind;
    bool may_store; /* STORE and STOREDIST are words */
    struct key key;
    bool there; /* the sorted set */
    struct geo_shape shape;
    unsigned words; /* enum search_word */
    enum search_order order;
    int64_t count; /* 0: all */
    int store;     /* argument that names the key for the result; 0: none */
    bool store_distance;
    struct found *found; /* owned */
    size_t found_count, capacity;
    struct buffer names; /* of the members found */
};

/* ---- Arguments ---- */

static bool parse_distance(
    struct call *call, int index, const char *error, const char *negative, double *distance)
{
    if (!zset_parse_double(call, call->argv[index], error, distance))
        return false;
    if (negative && *distance < 0) {
        reply_error(call->reply, "%s", negative);
        return false;
    }
    return true;
}

static bool parse_radius(struct call *call, int index, struct geo_shape *shape)
{
    shape->is_box = false;
    return parse_distance(
               call, index, "need numeric radius", "radius cannot be negative", &shape->radius) &&
           geo_parse_unit(call, call->argv[index + 1], &shape->unit);
}

static bool parse_box(struct call *call, int index, struct geo_shape *shape)
{
    shape->is_box = true;
    if (!parse_distance(call, index, "need numeric width", NULL, &shape->width) ||
        !parse_distance(call, index + 1, "need numeric height", NULL, &shape->height))
        return false;
    if (shape->width < 0 || shape->height < 0) {
        reply_error(call->reply, "height or width cannot be negative");
        return false;
    }
    return geo_parse_unit(call, call->argv[index + 2], &shape->unit);
}

static bool parse_member(struct call *call, int index, struct search *search)
{
    double score;
    if (!search->there)
        return true; /* what else is wrong is said first */
    struct zset zset = zset_of(&search->key);
    if (!zset_score(&zset, call->argv[index], &score)) {
        reply_error(call->reply, "could not decode requested zset member");
        return false;
    }
    search->shape.center = geo_decode(score);
    return true;
}

static bool parse_count(struct call *call, int index, int64_t *count)
{
    if (!call_integer(call, index, count))
        return false;
    if (*count > 0)
        return true;
    reply_error(call->reply, "COUNT must be > 0");
    return false;
}

static bool parse_flag(struct bytes word, struct search *search)
{
    static const struct {
        const char *word;
        unsigned flag;
        enum search_order order;
    } flags[] = { { "WITHDIST", WITH_DISTANCE, ORDER_NONE }, { "WITHHASH", WITH_HASH, ORDER_NONE },
        { "WITHCOORD", WITH_POINT, ORDER_NONE }, { "ANY", ANY, ORDER_NONE },
        { "ASC", 0, ORDER_NEAREST }, { "DESC", 0, ORDER_FARTHEST } };
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        if (bytes_is(word, flags[i].word)) {
            search->words |= flags[i].flag;
            if (flags[i].order)
                search->order = flags[i].order;
            return true;
        }
    }
    return false;
}

/* Words of GEOSEARCH that take arguments. Returns how many arguments the word at `at` takes; 0: it
 * is none of them; -1: an error has been written. */
static int parse_search_word(struct call *call, int at, struct search *search)
{
    struct bytes word = call->argv[at];
    int left = call->argc - at - 1;
    unsigned words = search->words;
    if (left >= 1 && !(words & FROM_POINT) && bytes_is(word, "FROMMEMBER")) {
        search->words |= FROM_MEMBER;
        return parse_member(call, at + 1, search) ? 1 : -1;
    }
    if (left >= 2 && !(words & FROM_MEMBER) && bytes_is(word, "FROMLONLAT")) {
        search->words |= FROM_POINT;
        return geo_parse_point(call, at + 1, &search->shape.center) ? 2 : -1;
    }
    if (left >= 2 && !(words & BY_BOX) && bytes_is(word, "BYRADIUS")) {
        search->words |= BY_RADIUS;
        return parse_radius(call, at + 1, &search->shape) ? 2 : -1;
    }
    if (left >= 3 && !(words & BY_RADIUS) && bytes_is(word, "BYBOX")) {
        search->words |= BY_BOX;
        return parse_box(call, at + 1, &search->shape) ? 3 : -1;
    }
    return 0;
}

static bool is_search(const struct search *search)
{
    return search->kind == SEARCH || search->kind == SEARCH_STORE;
}

static bool parse_options(struct call *call, int first, struct search *search)
{
    for (int at = first; at < call->argc; at++) {
        struct bytes word = call->argv[at];
        bool has_value = at + 1 < call->argc;
        bool distance = bytes_is(word, "STOREDIST");
        if (parse_flag(word, search))
            continue;
        if (has_value && bytes_is(word, "COUNT")) {
            if (!parse_count(call, ++at, &search->count))
                return false;
        } else if (has_value && search->may_store && (distance || bytes_is(word, "STORE"))) {
            search->store = ++at;
            search->store_distance = distance;
        } else if (search->kind == SEARCH_STORE && distance) {
            search->store_distance = true;
        } else {
            int taken = is_search(search) ? parse_search_word(call, at, search) : 0;
            if (taken == 0)
                call_error_syntax(call);
            if (taken <= 0)
                return false;
            at += taken;
        }
    }
    return true;
}

static bool is_complete(struct call *call, const struct search *search)
{
    const unsigned with = WITH_DISTANCE | WITH_HASH | WITH_POINT;
    int name_len = (int)call->argv[0].len;
    const char *name = call->argv[0].data; /* as the client has written it */
    if (search->store && search->words & with)
        reply_error(call->reply,
            "%s is not compatible with WITHDIST, WITHHASH and WITHCOORD options",
            search->kind == SEARCH_STORE ? "GEOSEARCHSTORE" : "STORE option in GEORADIUS");
    else if (is_search(search) && !(search->words & (FROM_MEMBER | FROM_POINT)))
        reply_error(call->reply,
            "exactly one of FROMMEMBER or FROMLONLAT can be specified for %.*s", name_len, name);
    else if (is_search(search) && !(search->words & (BY_RADIUS | BY_BOX)))
        reply_error(call->reply, "exactly one of BYRADIUS and BYBOX can be specified for %.*s",
            name_len, name);
    else if (search->words & ANY && search->count == 0)
        reply_error(call->reply, "the ANY argument requires COUNT argument");
    else
        return true;
    return false;
}

/* ---- Looking ---- */

static void note(struct search *search, const struct zset_element *element, struct geo_point point,
    double distance)
{
    if (search->found_count == search->capacity) {
        search->capacity = search->capacity ? search->capacity * 2 : 16;
        search->found = memory_resize(search->found, search->capacity * sizeof(*search->found));
    }
    search->found[search->found_count] = (struct found){ { NULL, element->member.len },
        search->names.len, element->score, distance, search->found_count, point };
    search->found_count++;
    buffer_append(&search->names, element->member.data, element->member.len);
}

/* Whether ANY is content with what there is. */
static bool is_enough(const struct search *search)
{
    return search->words & ANY && search->found_count >= (uint64_t)search->count;
}

static void look_into(struct search *search, const struct zset *zset, const struct geo_box *box)
{
    struct zset_score_range range = { box->min, box->max, false, true };
    struct zset_span span = zset_span_of_scores(zset, &range);
    struct zset_cursor cursor;
    struct zset_element element;
    if (span.first == span.end)
        return;
    zset_walk(zset, span.first, false, &cursor);
    for (size_t i = span.first; i < span.end && zset_next(&cursor, &element); i++) {
        double distance;
        struct geo_point point = geo_decode(element.score);
        if (geo_shape_has(&search->shape, point, &distance))
            note(search, &element, point, distance);
        if (is_enough(search))
            return;
    }
}

static int compare(double a, double b)
{
    return (a > b) - (a < b);
}

static int by_distance(const void *a, const void *b)
{
    return compare(((const struct found *)a)->distance, ((const struct found *)b)->distance);
}

static int by_distance_down(const void *a, const void *b)
{
    return by_distance(b, a);
}

static int by_distance_and_place(const void *a, const void *b)
{
    int order = by_distance(a, b);
    return order                                                                 ? order
           : ((const struct found *)a)->place < ((const struct found *)b)->place ? -1
                                                                                 : 1;
}

static int by_distance_down_and_place(const void *a, const void *b)
{
    int order = by_distance(b, a);
    return order                                                                 ? order
           : ((const struct found *)a)->place < ((const struct found *)b)->place ? -1
                                                                                 : 1;
}

/* What is equally far stays as it was found; but not where only a part is sorted. */
static void sort_found(struct search *search, size_t wanted)
{
    bool nearest = search->order == ORDER_NEAREST;
    if (wanted == search->found_count)
        qsort(search->found, wanted, sizeof(*search->found),
            nearest ? by_distance_and_place : by_distance_down_and_place);
    else
        partial_sort(search->found, search->found_count, sizeof(*search->found),
            nearest ? by_distance : by_distance_down, 0, wanted - 1);
}

static void look(struct search *search)
{
    struct geo_box boxes[GEO_BOXES];
    unsigned count = geo_shape_cover(&search->shape, boxes);
    struct zset zset = zset_of(&search->key);
    for (unsigned i = 0; i < count && !is_enough(search); i++)
        look_into(search, &zset, &boxes[i]);
    for (size_t i = 0; i < search->found_count; i++)
        search->found[i].member.data = search->names.data + search->found[i].offset;
    size_t wanted = search->found_count;
    if (search->count > 0 && (uint64_t)search->count < wanted)
        wanted = (size_t)search->count;
    if (search->count > 0 && search->order == ORDER_NONE && !(search->words & ANY))
        search->order = ORDER_NEAREST; /* so many of what, else */
    if (search->order != ORDER_NONE && search->found_count > 0)
        sort_found(search, wanted);
    search->found_count = wanted;
}

/* ---- Results ---- */

static void reply_found(struct call *call, const struct search *search)
{
    unsigned words = search->words;
    size_t more = !!(words & WITH_DISTANCE) + !!(words & WITH_HASH) + !!(words & WITH_POINT);
    reply_array(call->reply, search->found_count);
    for (size_t i = 0; i < search->found_count; i++) {
        const struct found *found = &search->found[i];
        if (more > 0)
            reply_array(call->reply, more + 1);
        reply_bulk(call->reply, found->member);
        if (words & WITH_DISTANCE) {
            char text[512];
            snprintf(text, sizeof(text), "%.4f", found->distance / search->shape.unit);
            reply_bulk_text(call->reply, text);
        }
        if (words & WITH_HASH)
            reply_integer(call->reply, (int64_t)found->score);
        if (words & WITH_POINT)
            geo_reply_point(call->reply, found->point);
    }
}

static void store_found(struct call *call, const struct search *search)
{
    struct zset_limits limits = zset_key_limits();
    struct zset result = zset_create_large();
    double now;
    for (size_t i = 0; i < search->found_count; i++) {
        const struct found *found = &search->found[i];
        double score = search->store_distance ? found->distance / search->shape.unit : found->score;
        zset_add(&result, found->member, score, 0, &limits, &now);
    }
    zset_shrink(&result, &limits);
    size_t count = zset_key_put(
        call, search->store, &result, is_search(search) ? "geosearchstore" : "georadiusstore");
    reply_integer(call->reply, (int64_t)count);
}

static void finish(struct call *call, struct search *search)
{
    if (search->there)
        look(search);
    if (search->store)
        store_found(call, search);
    else
        reply_found(call, search);
    free(search->found);
    buffer_free(&search->names);
}

/* ---- The commands ---- */

/* What stands at fixed places; *options is where the words begin. */
static bool parse_fixed(struct call *call, struct search *search, int *options)
{
    switch (search->kind) {
    case SEARCH:
        *options = 2;
        return true;
    case SEARCH_STORE:
        *options = 3;
        search->store = 1;
        return true;
    case RADIUS:
        *options = 6;
        return geo_parse_point(call, 2, &search->shape.center) &&
               parse_radius(call, 4, &search->shape);
    default:
        *options = 5;
        return !search->there ||
               (parse_member(call, 2, search) && parse_radius(call, 3, &search->shape));
    }
}

static void run(struct call *call, enum search_kind kind, bool may_store)
{
    struct search search = { .kind = kind, .may_store = may_store, .shape = { .unit = 1 } };
    bool wrong;
    int options;
    search.there =
        key_read_type(call, kind == SEARCH_STORE ? 2 : 1, TYPE_ZSET, &search.key, &wrong);
    if (wrong || !parse_fixed(call, &search, &options) || !parse_options(call, options, &search) ||
        !is_complete(call, &search))
        return;
    finish(call, &search);
}

static void geosearch(struct call *call)
{
    run(call, SEARCH, false);
}

static void geosearchstore(struct call *call)
{
    run(call, SEARCH_STORE, false);
}

static void georadius(struct call *call)
{
    run(call, RADIUS, true);
}

static void georadius_ro(struct call *call)
{
    run(call, RADIUS, false);
}

static void georadiusbymember(struct call *call)
{
    run(call, RADIUS_BY_MEMBER, true);
}

static void georadiusbymember_ro(struct call *call)
{
    run(call, RADIUS_BY_MEMBER, false);
}

/* ---- The table ---- */

static const struct command_arg unit_args[] = { TOKEN("m", "M"), TOKEN("km", "KM"),
    TOKEN("ft", "FT"), TOKEN("mi", "MI"), { 0 } };
static const struct command_arg count_args[] = { WITH("count", ARG_INTEGER, "COUNT"),
    OPTION("any", ARG_PURE_TOKEN, "ANY", "6.2.0"), { 0 } };
static const struct command_arg order_args[] = { TOKEN("asc", "ASC"), TOKEN("desc", "DESC"),
    { 0 } };
static const struct command_arg count_args2[] = { WITH("count", ARG_INTEGER, "COUNT"),
    OPTION("any", ARG_PURE_TOKEN, "ANY", NULL), { 0 } };
static const struct command_arg longitude_latitude_args[] = { ARG("longitude", ARG_DOUBLE),
    ARG("latitude", ARG_DOUBLE), { 0 } };
static const struct command_arg from_args[] = { WITH("member", ARG_STRING, "FROMMEMBER"),
    { "longitude_latitude", ARG_BLOCK, 0, "FROMLONLAT", 0, NULL, longitude_latitude_args }, { 0 } };
static const struct command_arg circle_args[] = { WITH("radius", ARG_DOUBLE, "BYRADIUS"),
    CHOICE("unit", 0, unit_args), { 0 } };
static const struct command_arg box_args[] = { WITH("width", ARG_DOUBLE, "BYBOX"),
    ARG("height", ARG_DOUBLE), CHOICE("unit", 0, unit_args), { 0 } };
static const struct command_arg by_args[] = { { "circle", ARG_BLOCK, 0, NULL, 0, NULL,
                                                  circle_args },
    { "box", ARG_BLOCK, 0, NULL, 0, NULL, box_args }, { 0 } };

const struct command geo_search_commands[] = {
    { "georadius", georadius, -6, CMD_WRITE | CMD_DENYOOM | CMD_MOVABLE_KEYS,
        KEYS(ONE_KEY(KEY_RO | KEY_ACCESS),
            { KEY_BEGIN_KEYWORD, KEY_OW | KEY_UPDATE, 6, "STORE", KEY_FIND_RANGE, 0, 1, 0, 0, 0,
                NULL },
            { KEY_BEGIN_KEYWORD, KEY_OW | KEY_UPDATE, 6, "STOREDIST", KEY_FIND_RANGE, 0, 1, 0, 0, 0,
                NULL }),
        .group = "geo", .since = "3.2.0",
        .complexity = "O(N+log(M)), N members in and around the area, M in the index",
        .summary = "Returns or stores the members within some distance of a place",
        .history = HISTORY({ "6.2.0", "Added the `ANY` option for `COUNT`." },
            { "7.0.0", "Added support for uppercase unit names." }),
        .args = ARGS(KEY_ARG, ARG("longitude", ARG_DOUBLE), ARG("latitude", ARG_DOUBLE),
            ARG("radius", ARG_DOUBLE), CHOICE("unit", 0, unit_args),
            OPTION("withcoord", ARG_PURE_TOKEN, "WITHCOORD", NULL),
            OPTION("withdist", ARG_PURE_TOKEN, "WITHDIST", NULL),
            OPTION("withhash", ARG_PURE_TOKEN, "WITHHASH", NULL),
            { "count", ARG_BLOCK, ARG_OPTIONAL, NULL, 0, NULL, count_args },
            CHOICE("order", ARG_OPTIONAL, order_args),
            { "key", ARG_KEY, ARG_OPTIONAL, "STORE", 1, NULL, NULL },
            { "key", ARG_KEY, ARG_OPTIONAL, "STOREDIST", 2, NULL, NULL }),
        .deprecated_since = "6.2.0",
        .replaced_by = "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument" },
    { "georadius_ro", georadius_ro, -6, CMD_READONLY, KEYS(ONE_KEY(KEY_RO | KEY_ACCESS)),
        .group = "geo", .since = "3.2.10",
        .complexity = "O(N+log(M)), N members in and around the area, M in the index",
        .summary = "Returns the members within some distance of a place",
        .history = HISTORY({ "6.2.0", "Added the `ANY` option for `COUNT`." }),
        .args = ARGS(KEY_ARG, ARG("longitude", ARG_DOUBLE), ARG("latitude", ARG_DOUBLE),
            ARG("radius", ARG_DOUBLE), CHOICE("unit", 0, unit_args),
            OPTION("withcoord", ARG_PURE_TOKEN, "WITHCOORD", NULL),
            OPTION("withdist", ARG_PURE_TOKEN, "WITHDIST", NULL),
            OPTION("withhash", ARG_PURE_TOKEN, "WITHHASH", NULL),
            { "count", ARG_BLOCK, ARG_OPTIONAL, NULL, 0, NULL, count_args },
            CHOICE("order", ARG_OPTIONAL, order_args)),
        .deprecated_since = "6.2.0", .replaced_by = "`GEOSEARCH` with the `BYRADIUS` argument" },
    { "georadiusbymember", georadiusbymember, -5, CMD_WRITE | CMD_DENYOOM | CMD_MOVABLE_KEYS,
        KEYS(ONE_KEY(KEY_RO | KEY_ACCESS),
            { KEY_BEGIN_KEYWORD, KEY_OW | KEY_UPDATE, 5, "STORE", KEY_FIND_RANGE, 0, 1, 0, 0, 0,
                NULL },
            { KEY_BEGIN_KEYWORD, KEY_OW | KEY_UPDATE, 5, "STOREDIST", KEY_FIND_RANGE, 0, 1, 0, 0, 0,
                NULL }),
        .group = "geo", .since = "3.2.0",
        .complexity = "O(N+log(M)), N members in and around the area, M in the index",
        .summary = "Returns or stores the members within some distance of a member",
        .history = HISTORY({ "7.0.0", "Added support for uppercase unit names." }),
        .args = ARGS(KEY_ARG, ARG("member", ARG_STRING), ARG("radius", ARG_DOUBLE),
            CHOICE("unit", 0, unit_args), OPTION("withcoord", ARG_PURE_TOKEN, "WITHCOORD", NULL),
            OPTION("withdist", ARG_PURE_TOKEN, "WITHDIST", NULL),
            OPTION("withhash", ARG_PURE_TOKEN, "WITHHASH", NULL),
            { "count", ARG_BLOCK, ARG_OPTIONAL, NULL, 0, NULL, count_args2 },
            CHOICE("order", ARG_OPTIONAL, order_args),
            { "key", ARG_KEY, ARG_OPTIONAL, "STORE", 1, NULL, NULL },
            { "key", ARG_KEY, ARG_OPTIONAL, "STOREDIST", 2, NULL, NULL }),
        .deprecated_since = "6.2.0",
        .replaced_by =
            "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments" },
    { "georadiusbymember_ro", georadiusbymember_ro, -5, CMD_READONLY,
        KEYS(ONE_KEY(KEY_RO | KEY_ACCESS)), .group = "geo", .since = "3.2.10",
        .complexity = "O(N+log(M)), N members in and around the area, M in the index",
        .summary = "Returns the members within some distance of a member",
        .args = ARGS(KEY_ARG, ARG("member", ARG_STRING), ARG("radius", ARG_DOUBLE),
            CHOICE("unit", 0, unit_args), OPTION("withcoord", ARG_PURE_TOKEN, "WITHCOORD", NULL),
            OPTION("withdist", ARG_PURE_TOKEN, "WITHDIST", NULL),
            OPTION("withhash", ARG_PURE_TOKEN, "WITHHASH", NULL),
            { "count", ARG_BLOCK, ARG_OPTIONAL, NULL, 0, NULL, count_args2 },
            CHOICE("order", ARG_OPTIONAL, order_args)),
        .deprecated_since = "6.2.0",
        .replaced_by = "`GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments" },
    { "geosearch", geosearch, -7, CMD_READONLY, KEYS(ONE_KEY(KEY_RO | KEY_ACCESS)), .group = "geo",
        .since = "6.2.0",
        .complexity = "O(N+log(M)), N members in and around the area, M in the index",
        .summary = "Returns the members in a circle or a box",
        .history = HISTORY({ "7.0.0", "Added support for uppercase unit names." }),
        .args = ARGS(KEY_ARG, CHOICE("from", 0, from_args), CHOICE("by", 0, by_args),
            CHOICE("order", ARG_OPTIONAL, order_args),
            { "count", ARG_BLOCK, ARG_OPTIONAL, NULL, 0, NULL, count_args2 },
            OPTION("withcoord", ARG_PURE_TOKEN, "WITHCOORD", NULL),
            OPTION("withdist", ARG_PURE_TOKEN, "WITHDIST", NULL),
            OPTION("withhash", ARG_PURE_TOKEN, "WITHHASH", NULL)) },
    { "geosearchstore", geosearchstore, -8, CMD_WRITE | CMD_DENYOOM,
        KEYS(ONE_KEY(KEY_OW | KEY_UPDATE), KEYS_AT(2, KEY_RO | KEY_ACCESS, 0)), .group = "geo",
        .since = "6.2.0",
        .complexity = "O(N+log(M)), N members in and around the area, M in the index",
        .summary = "Stores the members in a circle or a box under another key",
        .history = HISTORY({ "7.0.0", "Added support for uppercase unit names." }),
        .args = ARGS({ "destination", ARG_KEY, 0, NULL, 0, NULL, NULL },
            { "source", ARG_KEY, 0, NULL, 1, NULL, NULL }, CHOICE("from", 0, from_args),
            CHOICE("by", 0, by_args), CHOICE("order", ARG_OPTIONAL, order_args),
            { "count", ARG_BLOCK, ARG_OPTIONAL, NULL, 0, NULL, count_args2 },
            OPTION("storedist", ARG_PURE_TOKEN, "STOREDIST", NULL)) },
    { 0 }
};
