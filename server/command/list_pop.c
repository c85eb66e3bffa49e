/* Popping from lists, at once or when there is something. What is journaled is always LPOP or RPOP
 * of the key that had something. */
#include "server/command/families.h"
#include "server/command/list_key.h"
#include "server/command/rows.h"

#include "common/number.h"
#include <limits.h>

/* Replies and removes one element. */
static void pop_one(struct call *call, struct key *key, enum list_end end)
{
    struct list_cursor cursor;
    char scratch[NUMBER_TEXT_MAX];
    list_seek(&cursor, list_of(key), end == LIST_HEAD ? 0 : -1);
    reply_bulk(call->reply, list_get(&cursor, scratch));
    list_cursor_end(&cursor);
    list_pop_some(call, key, end, 1);
}

/* Replies and removes up to `count` elements; returns how many it were. */
static size_t pop_some(struct call *call, struct key *key, enum list_end end, int64_t count)
{
    const struct list *list = list_of(key);
    size_t some = (uint64_t)count < list->count ? (size_t)count : list->count;
    list_reply_range(
        call, list, end == LIST_HEAD ? 0 : list->count - 1, some, end == LIST_HEAD ? 1 : -1);
    if (some > 0)
        list_pop_some(call, key, end, some);
    return some;
}

static void pop(struct call *call, enum list_end end)
{
    struct key key;
    bool wrong, counted = call->argc == 3;
    int64_t count;
    if (call->argc > 3) {
        call_error_arity(call);
        return;
    }
    if (counted && !list_parse_count(call, 2, 0, "value is out of range, must be positive", &count))
        return;
    if (!key_write_type(call, 1, TYPE_LIST, &key, &wrong)) {
        if (!wrong && counted)
            reply_null_array(call->reply);
        else if (!wrong)
            reply_null(call->reply);
    } else if (counted) {
        pop_some(call, &key, end, count);
    } else {
        pop_one(call, &key, end);
    }
}

static void lpop(struct call *call)
{
    pop(call, LIST_HEAD);
}

static void rpop(struct call *call)
{
    pop(call, LIST_TAIL);
}

/* ---- Of the first of several keys that has something ---- */

static struct bytes name_of_pop(enum list_end end)
{
    return end == LIST_HEAD ? BYTES("LPOP") : BYTES("RPOP");
}

static void blocking_pop(struct call *call, enum list_end end)
{
    struct key key;
    bool wrong;
    int64_t timeout_ms;
    if (!block_timeout_seconds(call, call->argc - 1, &timeout_ms))
        return;
    if (block_find_any(call, 1, call->argc - 2, TYPE_LIST, &key, &wrong)) {
        struct bytes name = key.name;
        reply_array(call->reply, 2);
        reply_bulk(call->reply, name);
        pop_one(call, &key, end);
        call_effect(call, (struct bytes[]){ name_of_pop(end), name }, 2);
    } else if (!wrong) {
        block_on_any(call, 1, call->argc - 2, TYPE_LIST, timeout_ms);
    }
}

static void blpop(struct call *call)
{
    blocking_pop(call, LIST_HEAD);
}

static void brpop(struct call *call)
{
    blocking_pop(call, LIST_TAIL);
}

struct mpop_args {
    int first, keys;
    enum list_end end;
    int64_t count;
};

/* numkeys key ... LEFT|RIGHT [COUNT count] */
static bool mpop_parse(struct call *call, int at, struct mpop_args *args)
{
    int64_t keys;
    *args = (struct mpop_args){ .first = at + 1, .count = -1 };
    if (!list_parse_count(call, at, 1, "numkeys should be greater than 0", &keys))
        return false;
    if (keys >= call->argc - at - 1) {
        call_error_syntax(call);
        return false;
    }
    args->keys = (int)keys;
    at += 1 + args->keys;
    if (!list_parse_end(call, at, &args->end))
        return false;
    while (++at < call->argc) {
        if (args->count != -1 || !bytes_is(call->argv[at], "COUNT") || at + 1 == call->argc) {
            call_error_syntax(call);
            return false;
        }
        if (!list_parse_count(call, ++at, 1, "count should be greater than 0", &args->count))
            return false;
    }
    if (args->count == -1)
        args->count = 1;
    return true;
}

/* False: nothing was there, and nothing was replied but what was wrong. */
static bool mpop(struct call *call, const struct mpop_args *args, bool *wrong)
{
    struct key key;
    if (!block_find_any(call, args->first, args->keys, TYPE_LIST, &key, wrong))
        return false;
    struct bytes name = key.name;
    char digits[NUMBER_TEXT_MAX];
    reply_array(call->reply, 2);
    reply_bulk(call->reply, name);
    size_t some = pop_some(call, &key, args->end, args->count);
    struct bytes number = { digits, number_format(digits, (int64_t)some) };
    call_effect(call, (struct bytes[]){ name_of_pop(args->end), name, number }, 3);
    return true;
}

static void lmpop(struct call *call)
{
    struct mpop_args args;
    bool wrong;
    if (mpop_parse(call, 1, &args) && !mpop(call, &args, &wrong) && !wrong)
        reply_null_array(call->reply);
}

static void blmpop(struct call *call)
{
    struct mpop_args args;
    int64_t timeout_ms;
    bool wrong;
    if (!block_timeout_seconds(call, 1, &timeout_ms) || !mpop_parse(call, 2, &args))
        return;
    if (!mpop(call, &args, &wrong) && !wrong)
        block_on_any(call, args.first, args.keys, TYPE_LIST, timeout_ms);
}

/* ---- The table ---- */

static const struct command_arg ends[] = { TOKEN("left", "LEFT"), TOKEN("right", "RIGHT"), { 0 } };

#define POP_ROW(name, run, text)                                                                   \
    {                                                                                              \
        name, run, -2, CMD_WRITE | CMD_FAST, KEYS(ONE_KEY(KEY_RW | KEY_ACCESS | KEY_DELETE)),      \
            .group = "list", .since = "1.0.0", .complexity = "O(N), N elements returned",          \
            .summary = text, .args = ARGS(KEY_ARG, OPTION("count", ARG_INTEGER, NULL, "6.2.0")),   \
            .history = HISTORY({ "6.2.0", "Added the `count` argument." })                         \
    }

#define BLOCKING_POP_ROW(name, run, text)                                                          \
    {                                                                                              \
        name, run, -3, CMD_WRITE | CMD_NOSCRIPT | CMD_BLOCKING,                                    \
            KEYS(KEYS_AT(1, KEY_RW | KEY_ACCESS | KEY_DELETE, -2)),                                \
            .group = "list", .since = "2.0.0", .complexity = "O(N), N keys", .summary = text,      \
            .args = ARGS(ARG_MANY("key", ARG_KEY), ARG("timeout", ARG_DOUBLE)),                    \
            .history = HISTORY(                                                                    \
                { "6.0.0", "`timeout` is interpreted as a double instead of an integer." })        \
    }

const struct command list_pop_commands[] = {
    { "blmpop", blmpop, -5, CMD_WRITE | CMD_BLOCKING | CMD_MOVABLE_KEYS,
        KEYS(COUNTED_KEYS(2, KEY_RW | KEY_ACCESS | KEY_DELETE)), .group = "list", .since = "7.0.0",
        .complexity = "O(N + M), N keys, M elements returned",
        .summary = "Takes elements out of the first of several lists that has some, or waits",
        .args = ARGS(ARG("timeout", ARG_DOUBLE), COUNTED_KEY_ARGS, CHOICE("where", 0, ends),
            OPTION("count", ARG_INTEGER, "COUNT", NULL)) },
    BLOCKING_POP_ROW("blpop", blpop,
        "Takes the first element out of the first of several lists that has one, or waits"),
    BLOCKING_POP_ROW("brpop", brpop,
        "Takes the last element out of the first of several lists that has one, or waits"),
    { "lmpop", lmpop, -4, CMD_WRITE | CMD_MOVABLE_KEYS,
        KEYS(COUNTED_KEYS(1, KEY_RW | KEY_ACCESS | KEY_DELETE)), .group = "list", .since = "7.0.0",
        .complexity = "O(N + M), N keys, M elements returned",
        .summary = "Takes elements out of the first of several lists that has some",
        .args = ARGS(COUNTED_KEY_ARGS, CHOICE("where", 0, ends),
            OPTION("count", ARG_INTEGER, "COUNT", NULL)) },
    POP_ROW("lpop", lpop, "Takes the first elements out of a list"),
    POP_ROW("rpop", rpop, "Takes the last elements out of a list"), { 0 }
};
