/* Strings: SET, GET and their kin. Small strings lie in their entries, integers as such, long ones
 * in blobs that replies and snapshots share. */
#include "server/command/families.h"
#include "server/command/key.h"
#include "server/command/notify.h"
#include "server/command/rows.h"
#include "server/command/string_args.h"
#include "server/command/string_edit.h"

#include "common/memory.h"
#include "common/number.h"
#include <math.h>
#include <stdlib.h>

static void reply_value(struct call *call, const struct key *key)
{
    if (key->entry->flags & ENTRY_OUT_OF_LINE) {
        reply_bulk_blob(call->reply, entry_value(key->entry));
        return;
    }
    char scratch[NUMBER_TEXT_MAX];
    reply_bulk(call->reply, entry_string(key->entry, scratch));
}

/* The key gets the value as SET gives it. A value of the same shape is written over the old one. */
static void put(struct call *call, struct key *key, struct bytes value, int64_t expiry)
{
    if (key->entry && expiry == ENTRY_NO_EXPIRY && !(key->entry->flags & ENTRY_EXPIRES)) {
        key_will_change(call, key);
        if (entry_overwrite_string(key->entry, value)) {
            key_did_change(call, key);
            return;
        }
    }
    key_set(call, key, entry_create_string(key->name, value, expiry));
}

/* ---- SET and its old forms ---- */

/* The effect of a SET with any way to say when: the time itself. */
static void effect_of_set(struct call *call, struct bytes key, struct bytes value, int64_t expiry)
{
    char when[NUMBER_TEXT_MAX];
    size_t len = number_format(when, expiry);
    call_effect(
        call, (struct bytes[]){ BYTES("SET"), key, value, BYTES("PXAT"), { when, len } }, 5);
}

static void set(struct call *call)
{
    struct key key;
    struct set_args args = { .expiry = ENTRY_NO_EXPIRY };
    if (call->argc > 3 && !set_args_parse(call, 3, SET_ARGS_SET, &args))
        return;
    key_write(call, 1, &key);
    if (args.get) {
        if (key.entry && key.entry->type != TYPE_STRING) {
            call_error_type(call);
            return;
        }
        counter_add(key.entry ? &call->executor->counters.keyspace_hits
                              : &call->executor->counters.keyspace_misses,
            1);
        if (key.entry) {
            reply_value(call, &key);
        } else {
            key_notify(call, &key, NOTIFY_KEY_MISS, "keymiss");
            reply_null(call->reply);
        }
    }
    if ((args.if_absent && key.entry) || (args.if_present && !key.entry)) {
        if (!args.get)
            reply_null(call->reply);
        return;
    }
    int64_t expiry = args.keep ? string_expiry(&key) : args.expiry;
    put(call, &key, call->argv[2], expiry);
    key_notify(call, &key, NOTIFY_STRING, "set");
    if (args.expiry != ENTRY_NO_EXPIRY)
        key_notify(call, &key, NOTIFY_GENERIC, "expire");
    if (args.expiry != ENTRY_NO_EXPIRY)
        effect_of_set(call, call->argv[1], call->argv[2], args.expiry);
    else if (args.get)
        call_effect(call,
            (struct bytes[]){ BYTES("SET"), call->argv[1], call->argv[2], BYTES("KEEPTTL") },
            args.keep ? 4 : 3);
    if (!args.get)
        reply_ok(call->reply);
}

static void setnx(struct call *call)
{
    struct key key;
    bool there = key_write(call, 1, &key);
    if (!there) {
        put(call, &key, call->argv[2], ENTRY_NO_EXPIRY);
        key_notify(call, &key, NOTIFY_STRING, "set");
    }
    reply_integer(call->reply, !there);
}

static void set_with_time(struct call *call, int64_t unit)
{
    struct key key;
    int64_t expiry;
    if (!expiry_parse(call, call->argv[2], unit, EXPIRY_RELATIVE, &expiry))
        return;
    key_write(call, 1, &key);
    put(call, &key, call->argv[3], expiry);
    key_notify(call, &key, NOTIFY_STRING, "set");
    key_notify(call, &key, NOTIFY_GENERIC, "expire");
    effect_of_set(call, call->argv[1], call->argv[3], expiry);
    reply_ok(call->reply);
}

static void setex(struct call *call)
{
    set_with_time(call, 1000);
}

static void psetex(struct call *call)
{
    set_with_time(call, 1);
}

static void mset_all(struct call *call)
{
    for (int i = 1; i < call->argc; i += 2) {
        struct key key;
        key_write(call, i, &key);
        put(call, &key, call->argv[i + 1], ENTRY_NO_EXPIRY);
        key_notify(call, &key, NOTIFY_STRING, "set");
    }
}

static void mset(struct call *call)
{
    if (call->argc % 2 == 0) {
        call_error_arity(call);
        return;
    }
    mset_all(call);
    reply_ok(call->reply);
}

static void msetnx(struct call *call)
{
    if (call->argc % 2 == 0) {
        call_error_arity(call);
        return;
    }
    for (int i = 1; i < call->argc; i += 2) {
        struct key key;
        if (key_write(call, i, &key)) {
            reply_integer(call->reply, 0);
            return;
        }
    }
    mset_all(call);
    reply_integer(call->reply, 1);
}

static void getset(struct call *call)
{
    struct key key;
    bool wrong;
    if (key_read_type(call, 1, TYPE_STRING, &key, &wrong))
        reply_value(call, &key);
    else if (wrong)
        return;
    else
        reply_null(call->reply);
    put(call, &key, call->argv[2], ENTRY_NO_EXPIRY);
    key_notify(call, &key, NOTIFY_STRING, "set");
    call_effect(call, (struct bytes[]){ BYTES("SET"), call->argv[1], call->argv[2] }, 3);
}

/* ---- Reading ---- */

static void get(struct call *call)
{
    struct key key;
    bool wrong;
    if (key_read_type(call, 1, TYPE_STRING, &key, &wrong))
        reply_value(call, &key);
    else if (!wrong)
        reply_null(call->reply);
}

static void mget(struct call *call)
{
    reply_array(call->reply, (size_t)call->argc - 1);
    for (int i = 1; i < call->argc; i++) {
        struct key key;
        if (key_read(call, i, &key) && key.entry->type == TYPE_STRING)
            reply_value(call, &key);
        else
            reply_null(call->reply);
    }
}

static void getdel(struct call *call)
{
    struct key key;
    bool wrong;
    if (key_read_type(call, 1, TYPE_STRING, &key, &wrong)) {
        reply_value(call, &key);
        key_delete(call, &key);
        key_notify(call, &key, NOTIFY_GENERIC, "del");
        call_effect(call, (struct bytes[]){ BYTES("DEL"), call->argv[1] }, 2);
    } else if (!wrong) {
        reply_null(call->reply);
    }
}

static void getex(struct call *call)
{
    struct key key;
    bool wrong;
    struct set_args args = { .expiry = ENTRY_NO_EXPIRY };
    if (!set_args_parse(call, 2, SET_ARGS_GETEX, &args))
        return;
    if (!key_read_type(call, 1, TYPE_STRING, &key, &wrong)) {
        if (!wrong)
            reply_null(call->reply);
        return;
    }
    reply_value(call, &key);
    char when[NUMBER_TEXT_MAX];
    if (args.expiry != ENTRY_NO_EXPIRY && args.expiry <= call->now && args.is_absolute &&
        call_from_client(call)) {
        key_delete(call, &key);
        key_notify(call, &key, NOTIFY_GENERIC, "del");
        call_effect(call, (struct bytes[]){ BYTES("DEL"), call->argv[1] }, 2);
    } else if (args.expiry != ENTRY_NO_EXPIRY) {
        key_set_expiry(call, &key, args.expiry);
        key_notify(call, &key, NOTIFY_GENERIC, "expire");
        size_t len = number_format(when, args.expiry);
        call_effect(call, (struct bytes[]){ BYTES("PEXPIREAT"), call->argv[1], { when, len } }, 3);
    } else if (args.persist && string_expiry(&key) != ENTRY_NO_EXPIRY) {
        key_set_expiry(call, &key, ENTRY_NO_EXPIRY);
        key_notify(call, &key, NOTIFY_GENERIC, "persist");
        call_effect(call, (struct bytes[]){ BYTES("PERSIST"), call->argv[1] }, 2);
    }
}

static void string_length(struct call *call)
{
    struct key key;
    bool wrong;
    char scratch[NUMBER_TEXT_MAX];
    if (key_read_type(call, 1, TYPE_STRING, &key, &wrong))
        reply_integer(call->reply, (int64_t)entry_string(key.entry, scratch).len);
    else if (!wrong)
        reply_integer(call->reply, 0);
}

static void getrange(struct call *call)
{
    int64_t start, end;
    struct key key;
    bool wrong;
    char scratch[NUMBER_TEXT_MAX];
    if (!call_integer(call, 2, &start) || !call_integer(call, 3, &end))
        return;
    if (!key_read_type(call, 1, TYPE_STRING, &key, &wrong)) {
        if (!wrong)
            reply_bulk(call->reply, BYTES(""));
        return;
    }
    struct bytes value = entry_string(key.entry, scratch);
    int64_t len = (int64_t)value.len;
    if (start < 0 && end < 0 && start > end) {
        reply_bulk(call->reply, BYTES(""));
        return;
    }
    if (start < 0)
        start = start + len > 0 ? start + len : 0;
    if (end < 0)
        end = end + len > 0 ? end + len : 0;
    if (end >= len)
        end = len - 1;
    if (start > end || len == 0)
        reply_bulk(call->reply, BYTES(""));
    else
        reply_bulk(call->reply, (struct bytes){ value.data + start, (size_t)(end - start + 1) });
}

/* ---- Changing in place ---- */

static void append(struct call *call)
{
    struct key key;
    bool wrong;
    char scratch[NUMBER_TEXT_MAX];
    struct bytes more = call->argv[2];
    if (!key_write_type(call, 1, TYPE_STRING, &key, &wrong)) {
        if (wrong)
            return;
        put(call, &key, more, ENTRY_NO_EXPIRY);
        key_notify(call, &key, NOTIFY_STRING, "append");
        reply_integer(call->reply, (int64_t)more.len);
        return;
    }
    size_t len = entry_string(key.entry, scratch).len;
    if (string_is_too_long(call, (int64_t)(len + more.len)))
        return;
    memcpy(string_stretch(call, &key, len + more.len) + len, more.data, more.len);
    key_notify(call, &key, NOTIFY_STRING, "append");
    reply_integer(call->reply, (int64_t)(len + more.len));
}

static void setrange(struct call *call)
{
    int64_t offset;
    struct key key;
    bool wrong;
    char scratch[NUMBER_TEXT_MAX];
    struct bytes value = call->argv[3];
    if (!call_integer(call, 2, &offset))
        return;
    if (offset < 0) {
        reply_error(call->reply, "offset is out of range");
        return;
    }
    bool there = key_write_type(call, 1, TYPE_STRING, &key, &wrong);
    if (wrong)
        return;
    if (value.len == 0) {
        size_t len = there ? entry_string(key.entry, scratch).len : 0;
        reply_integer(call->reply, (int64_t)len);
        return;
    }
    if (offset > INT64_MAX - (int64_t)value.len || string_is_too_long(call, offset + (int64_t)value.len)) {
        if (offset > INT64_MAX - (int64_t)value.len)
            string_is_too_long(call, INT64_MAX);
        return;
    }
    char *bytes = string_stretch(call, &key, (size_t)offset + value.len);
    memcpy(bytes + offset, value.data, value.len);
    key_notify(call, &key, NOTIFY_STRING, "setrange");
    reply_integer(call->reply, (int64_t)entry_string(key.entry, scratch).len);
}

/* ---- Numbers ---- */

static void increment(struct call *call, int64_t by)
{
    struct key key;
    bool wrong;
    int64_t value = 0;
    char scratch[NUMBER_TEXT_MAX];
    bool there = key_write_type(call, 1, TYPE_STRING, &key, &wrong);
    if (wrong)
        return;
    if (there && key.entry->encoding == ENCODING_INT) {
        value = entry_integer(key.entry);
    } else if (there && !number_parse(entry_string(key.entry, scratch), &value)) {
        reply_error(call->reply, "value is not an integer or out of range");
        return;
    }
    if (__builtin_add_overflow(value, by, &value)) {
        reply_error(call->reply, "increment or decrement would overflow");
        return;
    }
    if (there && key.entry->encoding == ENCODING_INT) {
        key_will_change(call, &key);
        entry_set_integer(key.entry, value);
        key_did_change(call, &key);
    } else {
        key_set(call, &key, entry_create_integer(key.name, value, string_expiry(&key)));
    }
    key_notify(call, &key, NOTIFY_STRING, "incrby");
    reply_integer(call->reply, value);
}

static void incr(struct call *call)
{
    increment(call, 1);
}

static void decr(struct call *call)
{
    increment(call, -1);
}

static void incrby(struct call *call)
{
    int64_t by;
    if (call_integer(call, 2, &by))
        increment(call, by);
}

static void decrby(struct call *call)
{
    int64_t by;
    if (!call_integer(call, 2, &by))
        return;
    if (by == INT64_MIN)
        reply_error(call->reply, "decrement would overflow");
    else
        increment(call, -by);
}

static void incrbyfloat(struct call *call)
{
    struct key key;
    bool wrong;
    long double value = 0, by;
    char scratch[NUMBER_TEXT_MAX];
    bool there = key_write_type(call, 1, TYPE_STRING, &key, &wrong);
    if (wrong)
        return;
    if ((there && !number_parse_long_double(entry_string(key.entry, scratch), &value)) ||
        !number_parse_long_double(call->argv[2], &by)) {
        reply_error(call->reply, "value is not a valid float");
        return;
    }
    value += by;
    if (isnan(value) || isinf(value)) {
        reply_error(call->reply, "increment would produce NaN or Infinity");
        return;
    }
    char text[DOUBLE_TEXT_MAX];
    struct bytes sum = { text, number_format_long_double(text, value) };
    key_set(call, &key, entry_create_text(key.name, sum, string_expiry(&key)));
    key_notify(call, &key, NOTIFY_STRING, "incrbyfloat");
    reply_bulk(call->reply, sum);
    call_effect(call, (struct bytes[]){ BYTES("SET"), call->argv[1], sum, BYTES("KEEPTTL") }, 4);
}

/* ---- The table ---- */

enum {
    READ = CMD_READONLY | CMD_FAST,
    WRITE = CMD_WRITE | CMD_DENYOOM | CMD_FAST,
    WRITE_SLOW = CMD_WRITE | CMD_DENYOOM,
};

static const struct command_arg expiration_args[] = {
    { "seconds", ARG_INTEGER, 0, "EX", 0, "2.6.12", NULL },
    { "milliseconds", ARG_INTEGER, 0, "PX", 0, "2.6.12", NULL },
    { "unix-time-seconds", ARG_UNIX_TIME, 0, "EXAT", 0, "6.2.0", NULL },
    { "unix-time-milliseconds", ARG_UNIX_TIME, 0, "PXAT", 0, "6.2.0", NULL },
    { "keepttl", ARG_PURE_TOKEN, 0, "KEEPTTL", 0, "6.0.0", NULL }, { 0 }
};
static const struct command_arg getex_args[] = { WITH("seconds", ARG_INTEGER, "EX"),
    WITH("milliseconds", ARG_INTEGER, "PX"), WITH("unix-time-seconds", ARG_UNIX_TIME, "EXAT"),
    WITH("unix-time-milliseconds", ARG_UNIX_TIME, "PXAT"), TOKEN("persist", "PERSIST"), { 0 } };
static const struct command_arg condition_args[] = { TOKEN("nx", "NX"), TOKEN("xx", "XX"), { 0 } };
static const struct command_arg pair_args[] = { KEY_ARG, ARG("value", ARG_STRING), { 0 } };

/* INCR and its kin. */
#define NUMBER_ROW(name, function, arity, version, text, arguments)                                \
    {                                                                                              \
        name, function, arity, WRITE, KEYS(ONE_KEY(KEY_RW | KEY_ACCESS | KEY_UPDATE)),             \
            .group = "string", .since = version, .complexity = "O(1)", .summary = text,            \
            .args = arguments                                                                      \
    }

const struct command string_commands[] = {
    { "append", append, 3, WRITE, KEYS(ONE_KEY(KEY_RW | KEY_INSERT)), .group = "string",
        .since = "2.0.0", .complexity = "O(1) on average: the room for a string grows by halves",
        .summary = "Adds bytes to the end of a string, which is made if it is not there",
        .args = ARGS(KEY_ARG, ARG("value", ARG_STRING)) },
    NUMBER_ROW("decr", decr, 2, "1.0.0",
        "Takes one from the integer that a string is; what is not there counts as 0",
        ARGS(KEY_ARG)),
    NUMBER_ROW("decrby", decrby, 3, "1.0.0", "Takes a number from the integer that a string is",
        ARGS(KEY_ARG, ARG("decrement", ARG_INTEGER))),
    { "get", get, 2, READ, keys_first_ro, .group = "string", .since = "1.0.0", .complexity = "O(1)",
        .summary = "Returns a string", .args = ARGS(KEY_ARG) },
    { "getdel", getdel, 2, CMD_WRITE | CMD_FAST, KEYS(ONE_KEY(KEY_RW | KEY_ACCESS | KEY_DELETE)),
        .group = "string", .since = "6.2.0", .complexity = "O(1)",
        .summary = "Returns a string and deletes its key", .args = ARGS(KEY_ARG) },
    { "getex", getex, -2, CMD_WRITE | CMD_FAST,
        KEYS({ KEY_BEGIN_INDEX, KEY_RW | KEY_ACCESS | KEY_UPDATE, 1, NULL, KEY_FIND_RANGE, 0, 1, 0,
            0, 0, "RW and UPDATE because it changes the TTL" }),
        .group = "string", .since = "6.2.0", .complexity = "O(1)",
        .summary = "Returns a string and sets or removes the time at which it expires",
        .args =
            ARGS(KEY_ARG, { "expiration", ARG_ONEOF, ARG_OPTIONAL, NULL, 0, NULL, getex_args }) },
    { "getrange", getrange, 4, CMD_READONLY, keys_first_ro, .group = "string", .since = "2.4.0",
        .complexity = "O(N), N bytes returned",
        .summary = "Returns a part of a string, from one offset to another",
        .args = ARGS(KEY_ARG, ARG("start", ARG_INTEGER), ARG("end", ARG_INTEGER)) },
    { "getset", getset, 3, WRITE, KEYS(ONE_KEY(KEY_RW | KEY_ACCESS | KEY_UPDATE)),
        .group = "string", .since = "1.0.0", .complexity = "O(1)",
        .summary = "Returns the old string and sets a new one",
        .args = ARGS(KEY_ARG, ARG("value", ARG_STRING)), .deprecated_since = "6.2.0",
        .replaced_by = "`SET` with the `!GET` argument" },
    NUMBER_ROW("incr", incr, 2, "1.0.0",
        "Adds one to the integer that a string is; what is not there counts as 0", ARGS(KEY_ARG)),
    NUMBER_ROW("incrby", incrby, 3, "1.0.0", "Adds a number to the integer that a string is",
        ARGS(KEY_ARG, ARG("increment", ARG_INTEGER))),
    NUMBER_ROW("incrbyfloat", incrbyfloat, 3, "2.6.0",
        "Adds a number to the floating point number that a string is",
        ARGS(KEY_ARG, ARG("increment", ARG_DOUBLE))),
    { "mget", mget, -2, READ, keys_all_ro, .group = "string", .since = "1.0.0",
        .complexity = "O(N), N keys", .summary = "Returns the strings of several keys",
        .tips = TIPS("request_policy:multi_shard"), .args = ARGS(ARG_MANY("key", ARG_KEY)) },
    { "mset", mset, -3, WRITE_SLOW, keys_pairs_ow, .group = "string", .since = "1.0.1",
        .complexity = "O(N), N keys", .summary = "Sets several keys at once",
        .tips = TIPS("request_policy:multi_shard", "response_policy:all_succeeded"),
        .args = ARGS({ "key_value", ARG_BLOCK, ARG_MULTIPLE, NULL, 0, NULL, pair_args }) },
    { "msetnx", msetnx, -3, WRITE_SLOW,
        KEYS({ KEY_BEGIN_INDEX, KEY_OW | KEY_INSERT, 1, NULL, KEY_FIND_RANGE, -1, 2, 0, 0, 0,
            NULL }),
        .group = "string", .since = "1.0.1", .complexity = "O(N), N keys",
        .summary = "Sets several keys at once, but only if none of them is there",
        .tips = TIPS("request_policy:multi_shard", "response_policy:agg_min"),
        .args = ARGS({ "key_value", ARG_BLOCK, ARG_MULTIPLE, NULL, 0, NULL, pair_args }) },
    { "psetex", psetex, 4, WRITE_SLOW, keys_first_ow, .group = "string", .since = "2.6.0",
        .complexity = "O(1)", .summary = "Sets a string that expires after some milliseconds",
        .args = ARGS(KEY_ARG, ARG("milliseconds", ARG_INTEGER), ARG("value", ARG_STRING)) },
    { "set", set, -3, WRITE_SLOW,
        KEYS({ KEY_BEGIN_INDEX, KEY_RW | KEY_ACCESS | KEY_UPDATE | KEY_VARIABLE_FLAGS, 1, NULL,
            KEY_FIND_RANGE, 0, 1, 0, 0, 0, "RW and ACCESS due to the optional `GET` argument" }),
        .group = "string", .since = "1.0.0", .complexity = "O(1)",
        .summary = "Sets a string, whatever the key held before",
        .history = HISTORY({ "2.6.12", "Added the `EX`, `PX`, `NX` and `XX` options." },
            { "6.0.0", "Added the `KEEPTTL` option." },
            { "6.2.0", "Added the `GET`, `EXAT` and `PXAT` option." },
            { "7.0.0", "Allowed the `NX` and `GET` options to be used together." }),
        .args = ARGS(KEY_ARG, ARG("value", ARG_STRING),
            { "condition", ARG_ONEOF, ARG_OPTIONAL, NULL, 0, "2.6.12", condition_args },
            { "get", ARG_PURE_TOKEN, ARG_OPTIONAL, "GET", 0, "6.2.0", NULL },
            { "expiration", ARG_ONEOF, ARG_OPTIONAL, NULL, 0, NULL, expiration_args }) },
    { "setex", setex, 4, WRITE_SLOW, keys_first_ow, .group = "string", .since = "2.0.0",
        .complexity = "O(1)", .summary = "Sets a string that expires after some seconds",
        .args = ARGS(KEY_ARG, ARG("seconds", ARG_INTEGER), ARG("value", ARG_STRING)) },
    { "setnx", setnx, 3, WRITE, KEYS(ONE_KEY(KEY_OW | KEY_INSERT)), .group = "string",
        .since = "1.0.0", .complexity = "O(1)",
        .summary = "Sets a string, but only if the key is not there",
        .args = ARGS(KEY_ARG, ARG("value", ARG_STRING)) },
    { "setrange", setrange, 4, WRITE_SLOW, KEYS(ONE_KEY(KEY_RW | KEY_UPDATE)), .group = "string",
        .since = "2.2.0", .complexity = "O(M), M bytes written; O(N) where the string grows to N",
        .summary = "Writes over a part of a string, from an offset on",
        .args = ARGS(KEY_ARG, ARG("offset", ARG_INTEGER), ARG("value", ARG_STRING)) },
    { "strlen", string_length, 2, READ, KEYS(ONE_KEY(KEY_RO)), .group = "string", .since = "2.2.0",
        .complexity = "O(1)", .summary = "Returns the length of a string", .args = ARGS(KEY_ARG) },
    { "substr", getrange, 4, CMD_READONLY, keys_first_ro, .group = "string", .since = "1.0.0",
        .complexity = "O(N), N bytes returned",
        .summary = "Returns a part of a string, from one offset to another",
        .args = ARGS(KEY_ARG, ARG("start", ARG_INTEGER), ARG("end", ARG_INTEGER)),
        .deprecated_since = "2.0.0", .replaced_by = "`GETRANGE`" },
    { 0 }
};
