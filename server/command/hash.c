/* Hashes: HSET, HGET and their kin. How fields and values are kept is type/hash.h's. */
#include "server/command/hash.h"

#include "common/number.h"
#include "server/command/families.h"
#include "server/command/notify.h"
#include "server/command/rows.h"
#include "server/config.h"
#include <math.h>

/* ---- A hash that is changed ---- */

static bool find(struct call *call, struct key *key, bool *wrong)
{
    return key_write_type(call, 1, TYPE_HASH, key, wrong);
}

/* The key's hash, for a change, or one that no key has yet. */
static struct hash open_hash(struct call *call, struct key *key)
{
    if (!key->entry)
        return hash_create();
    key_will_change(call, key);
    return hash_of(key);
}

/* Puts the changed hash where it came from, or into a new key. */
static void close_hash(struct call *call, struct key *key, const struct hash *hash)
{
    if (!key->entry) {
        key_set(call, key,
            entry_create_value(key->name, TYPE_HASH, hash->encoding, hash->value, ENTRY_NO_EXPIRY));
        return;
    }
    entry_set_value(key->entry, hash->value);
    key->entry->encoding = hash->encoding;
    key_did_change(call, key);
}

static bool put(struct hash *hash, struct bytes field, struct bytes value)
{
    struct hash_limits limits = { (size_t)config_number(CONFIG_HASH_MAX_LISTPACK_ENTRIES),
        (size_t)config_number(CONFIG_HASH_MAX_LISTPACK_VALUE) };
    return hash_set(hash, field, value, &limits);
}

/* Finds the key and what it has in the field that argv[2] names; old->data is NULL where there
 * is no such field. False: the key is of another type, which has been replied. */
static bool find_field(struct call *call, struct key *key, char *scratch, struct bytes *old)
{
    bool wrong, there = find(call, key, &wrong);
    *old = (struct bytes){ NULL, 0 };
    if (there) {
        struct hash hash = hash_of(key);
        hash_get(&hash, call->argv[2], scratch, old);
    }
    return !wrong;
}

/* Puts one value into that field of the key that was found. */
static void change_field(struct call *call, struct key *key, struct bytes value)
{
    struct hash hash = open_hash(call, key);
    put(&hash, call->argv[2], value);
    close_hash(call, key, &hash);
}

/* ---- Writing ---- */

static void set_pairs(struct call *call, bool replies_ok)
{
    struct key key;
    bool wrong;
    int64_t added = 0;
    if (call->argc % 2 != 0) {
        call_error_arity(call);
        return;
    }
    find(call, &key, &wrong);
    if (wrong)
        return;
    struct hash hash = open_hash(call, &key);
    for (int i = 2; i < call->argc; i += 2)
        added += put(&hash, call->argv[i], call->argv[i + 1]);
    close_hash(call, &key, &hash);
    if (replies_ok)
        reply_ok(call->reply);
    else
        reply_integer(call->reply, added);
    key_notify(call, &key, NOTIFY_HASH, "hset");
}

static void hset(struct call *call)
{
    set_pairs(call, false);
}

static void hmset(struct call *call)
{
    set_pairs(call, true);
}

static void hsetnx(struct call *call)
{
    struct key key;
    struct bytes old;
    char scratch[NUMBER_TEXT_MAX];
    if (!find_field(call, &key, scratch, &old))
        return;
    if (old.data) {
        reply_integer(call->reply, 0);
        return;
    }
    change_field(call, &key, call->argv[3]);
    reply_integer(call->reply, 1);
    key_notify(call, &key, NOTIFY_HASH, "hset");
}

static void hdel(struct call *call)
{
    struct key key;
    bool wrong;
    int64_t removed = 0;
    if (!find(call, &key, &wrong)) {
        if (!wrong)
            reply_integer(call->reply, 0);
        return;
    }
    struct hash hash = open_hash(call, &key);
    for (int i = 2; i < call->argc && hash_count(&hash) > 0; i++)
        removed += hash_remove(&hash, call->argv[i]);
    if (removed > 0) {
        close_hash(call, &key, &hash);
        key_notify(call, &key, NOTIFY_HASH, "hdel");
        if (hash_count(&hash) == 0) {
            key_delete(call, &key);
            key_notify(call, &key, NOTIFY_GENERIC, "del");
        }
    }
    reply_integer(call->reply, removed);
}

/* ---- Numbers ---- */

static void hincrby(struct call *call)
{
    struct key key;
    struct bytes old;
    int64_t by, value = 0;
    char text[NUMBER_TEXT_MAX];
    if (!call_integer(call, 3, &by) || !find_field(call, &key, text, &old))
        return;
    if (old.data && !number_parse(old, &value)) {
        reply_error(call->reply, "hash value is not an integer");
        return;
    }
    if (__builtin_add_overflow(value, by, &value)) {
        reply_error(call->reply, "increment or decrement would overflow");
        return;
    }
    change_field(call, &key, (struct bytes){ text, number_format(text, value) });
    reply_integer(call->reply, value);
    key_notify(call, &key, NOTIFY_HASH, "hincrby");
}

/* What the argument says, and whether it can be added. */
static bool parse_float(struct call *call, long double *by)
{
    if (!number_parse_long_double(call->argv[3], by))
        reply_error(call->reply, "value is not a valid float");
    else if (isnan(*by) || isinf(*by))
        reply_error(call->reply, "value is NaN or Infinity");
    else
        return true;
    return false;
}

static void hincrbyfloat(struct call *call)
{
    struct key key;
    struct bytes old;
    long double by, value = 0;
    char text[DOUBLE_TEXT_MAX];
    if (!parse_float(call, &by) || !find_field(call, &key, text, &old))
        return;
    if (old.data && !number_parse_long_double(old, &value)) {
        reply_error(call->reply, "hash value is not a float");
        return;
    }
    value += by;
    if (isnan(value) || isinf(value)) {
        reply_error(call->reply, "increment would produce NaN or Infinity");
        return;
    }
    struct bytes sum = { text, number_format_long_double(text, value) };
    change_field(call, &key, sum);
    reply_bulk(call->reply, sum);
    key_notify(call, &key, NOTIFY_HASH, "hincrbyfloat");
    call_effect(call, (struct bytes[]){ BYTES("HSET"), call->argv[1], call->argv[2], sum }, 4);
}

/* ---- Reading ---- */

/* The key's hash, or one without a value where there is no key. False: the key is of another type,
 * which has been replied. */
static bool read_hash(struct call *call, struct hash *hash)
{
    struct key key;
    bool wrong, there = key_read_type(call, 1, TYPE_HASH, &key, &wrong);
    *hash = there ? hash_of(&key) : (struct hash){ 0 };
    return !wrong;
}

/* The same; where there is no key, the count 0 is the answer. */
static bool look(struct call *call, struct hash *hash)
{
    if (!read_hash(call, hash))
        return false;
    if (!hash->value)
        reply_integer(call->reply, 0);
    return hash->value;
}

static void reply_field(struct call *call, const struct hash *hash, struct bytes field)
{
    struct bytes value;
    char scratch[NUMBER_TEXT_MAX];
    if (hash->value && hash_get(hash, field, scratch, &value))
        reply_bulk(call->reply, value);
    else
        reply_null(call->reply);
}

static void hget(struct call *call)
{
    struct hash hash;
    if (read_hash(call, &hash))
        reply_field(call, &hash, call->argv[2]);
}

static void hmget(struct call *call)
{
    struct hash hash;
    if (!read_hash(call, &hash))
        return;
    reply_array(call->reply, (size_t)call->argc - 2);
    for (int i = 2; i < call->argc; i++)
        reply_field(call, &hash, call->argv[i]);
}

/* Replies with fields, values or both. */
static void reply_whole(struct call *call, bool fields, bool values)
{
    struct hash hash;
    if (!read_hash(call, &hash))
        return;
    size_t count = hash.value ? hash_count(&hash) : 0;
    if (fields && values)
        reply_map(call->reply, count);
    else
        reply_array(call->reply, count);
    if (!hash.value)
        return;
    struct hash_iterator iterator = hash_iterate(&hash);
    struct hash_pair pair;
    while (hash_next(&iterator, &pair)) {
        if (fields)
            reply_bulk(call->reply, pair.field);
        if (values)
            reply_bulk(call->reply, pair.value);
    }
}

static void hgetall(struct call *call)
{
    reply_whole(call, true, true);
}

static void hkeys(struct call *call)
{
    reply_whole(call, true, false);
}

static void hvals(struct call *call)
{
    reply_whole(call, false, true);
}

static void hlen(struct call *call)
{
    struct hash hash;
    if (look(call, &hash))
        reply_integer(call->reply, (int64_t)hash_count(&hash));
}

static void hexists(struct call *call)
{
    struct hash hash;
    struct bytes value;
    char scratch[NUMBER_TEXT_MAX];
    if (look(call, &hash))
        reply_integer(call->reply, hash_get(&hash, call->argv[2], scratch, &value));
}

static void hstrlen(struct call *call)
{
    struct hash hash;
    struct bytes value = { NULL, 0 };
    char scratch[NUMBER_TEXT_MAX];
    if (!look(call, &hash))
        return;
    hash_get(&hash, call->argv[2], scratch, &value);
    reply_integer(call->reply, (int64_t)value.len);
}

/* ---- The table ---- */

enum {
    READ = CMD_READONLY | CMD_FAST,
    WRITE = CMD_WRITE | CMD_DENYOOM | CMD_FAST,
};

#define FIELD_ARG ARG("field", ARG_STRING)

static const struct command_arg pair_args[] = { FIELD_ARG, ARG("value", ARG_STRING), { 0 } };
static const struct command_arg random_args[] = { ARG("count", ARG_INTEGER),
    OPTION("withvalues", ARG_PURE_TOKEN, "WITHVALUES", NULL), { 0 } };

const struct command hash_commands[] = {
    { "hdel", hdel, -3, CMD_WRITE | CMD_FAST, KEYS(ONE_KEY(KEY_RW | KEY_DELETE)), .group = "hash",
        .member = 2, .since = "2.0.0", .complexity = "O(N), N fields named",
        .summary = "Removes fields from a hash, and the key with the last of them",
        .history = HISTORY({ "2.4.0", "Accepts multiple `field` arguments." }),
        .args = ARGS(KEY_ARG, ARG_MANY("field", ARG_STRING)) },
    { "hexists", hexists, 3, READ, KEYS(ONE_KEY(KEY_RO)), .group = "hash", .member = 2,
        .since = "2.0.0", .complexity = "O(1)", .summary = "Tells whether a hash has a field",
        .args = ARGS(KEY_ARG, FIELD_ARG) },
    { "hget", hget, 3, READ, keys_first_ro, .group = "hash", .member = 2, .since = "2.0.0",
        .complexity = "O(1)", .summary = "Returns the value of a field of a hash",
        .args = ARGS(KEY_ARG, FIELD_ARG) },
    { "hgetall", hgetall, 2, CMD_READONLY, keys_first_ro, .group = "hash", .since = "2.0.0",
        .complexity = "O(N), N fields in the hash",
        .summary = "Returns all fields of a hash with their values",
        .tips = TIPS("nondeterministic_output_order"), .args = ARGS(KEY_ARG) },
    { "hincrby", hincrby, 4, WRITE, KEYS(ONE_KEY(KEY_RW | KEY_ACCESS | KEY_UPDATE)),
        .group = "hash", .member = 2, .since = "2.0.0", .complexity = "O(1)",
        .summary = "Adds a number to the integer that the value of a field is",
        .args = ARGS(KEY_ARG, FIELD_ARG, ARG("increment", ARG_INTEGER)) },
    { "hincrbyfloat", hincrbyfloat, 4, WRITE, KEYS(ONE_KEY(KEY_RW | KEY_ACCESS | KEY_UPDATE)),
        .group = "hash", .member = 2, .since = "2.6.0", .complexity = "O(1)",
        .summary = "Adds a number to the floating point number that the value of a field is",
        .args = ARGS(KEY_ARG, FIELD_ARG, ARG("increment", ARG_DOUBLE)) },
    { "hkeys", hkeys, 2, CMD_READONLY, keys_first_ro, .group = "hash", .since = "2.0.0",
        .complexity = "O(N), N fields in the hash", .summary = "Returns all fields of a hash",
        .tips = TIPS("nondeterministic_output_order"), .args = ARGS(KEY_ARG) },
    { "hlen", hlen, 2, READ, KEYS(ONE_KEY(KEY_RO)), .group = "hash", .since = "2.0.0",
        .complexity = "O(1)", .summary = "Counts the fields of a hash", .args = ARGS(KEY_ARG) },
    { "hmget", hmget, -3, READ, keys_first_ro, .group = "hash", .member = 2, .since = "2.0.0",
        .complexity = "O(N), N fields named",
        .summary = "Returns the values of several fields of a hash",
        .args = ARGS(KEY_ARG, ARG_MANY("field", ARG_STRING)) },
    { "hmset", hmset, -4, WRITE, keys_first_rw_update, .group = "hash", .member = 2,
        .since = "2.0.0", .complexity = "O(N), N fields named",
        .summary = "Sets several fields of a hash",
        .args = ARGS(KEY_ARG, { "field_value", ARG_BLOCK, ARG_MULTIPLE, NULL, 0, NULL, pair_args }),
        .deprecated_since = "4.0.0", .replaced_by = "`HSET` with multiple field-value pairs" },
    { "hrandfield", hash_random_command, -2, CMD_READONLY, keys_first_ro, .group = "hash",
        .since = "6.2.0", .complexity = "O(N), N fields returned",
        .summary = "Returns fields of a hash that are drawn by chance",
        .tips = TIPS("nondeterministic_output"),
        .args = ARGS(KEY_ARG, { "options", ARG_BLOCK, ARG_OPTIONAL, NULL, 0, NULL, random_args }) },
    { "hscan", hash_scan_command, -3, CMD_READONLY, keys_first_ro, .group = "hash",
        .since = "2.8.0",
        .complexity = "O(1) for each call, O(N) for the whole, N fields in the hash",
        .summary = "Goes through the fields of a hash, some with each call",
        .tips = TIPS("nondeterministic_output"),
        .args =
            ARGS(KEY_ARG, ARG("cursor", ARG_INTEGER), OPTION("pattern", ARG_PATTERN, "MATCH", NULL),
                OPTION("count", ARG_INTEGER, "COUNT", NULL)) },
    { "hset", hset, -4, WRITE, keys_first_rw_update, .group = "hash", .member = 2, .since = "2.0.0",
        .complexity = "O(N), N fields named", .summary = "Sets fields of a hash",
        .history = HISTORY({ "4.0.0", "Accepts multiple `field` and `value` arguments." }),
        .args =
            ARGS(KEY_ARG, { "field_value", ARG_BLOCK, ARG_MULTIPLE, NULL, 0, NULL, pair_args }) },
    { "hsetnx", hsetnx, 4, WRITE, KEYS(ONE_KEY(KEY_RW | KEY_INSERT)), .group = "hash", .member = 2,
        .since = "2.0.0", .complexity = "O(1)",
        .summary = "Sets a field of a hash, but only if it is not there",
        .args = ARGS(KEY_ARG, FIELD_ARG, ARG("value", ARG_STRING)) },
    { "hstrlen", hstrlen, 3, READ, KEYS(ONE_KEY(KEY_RO)), .group = "hash", .member = 2,
        .since = "3.2.0", .complexity = "O(1)",
        .summary = "Returns the length of the value of a field of a hash",
        .args = ARGS(KEY_ARG, FIELD_ARG) },
    { "hvals", hvals, 2, CMD_READONLY, keys_first_ro, .group = "hash", .since = "2.0.0",
        .complexity = "O(N), N fields in the hash", .summary = "Returns all values of a hash",
        .tips = TIPS("nondeterministic_output_order"), .args = ARGS(KEY_ARG) },
    { 0 }
};
