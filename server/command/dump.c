/* DUMP and RESTORE: a value as bytes that any node can read, and back. What is restored comes from
 * anywhere, so it is believed only after its checksum, and even then read with every bound checked.
 */
#include "server/command/expiry.h"
#include "server/command/families.h"
#include "server/command/key.h"
#include "server/command/notify.h"
#include "server/command/rows.h"
#include "server/config.h"
#include "server/snapshot/rdb_payload.h"
#include "server/snapshot/value.h"
#include "server/store/access.h"

#include "common/memory.h"
#include "common/number.h"
#include <stdlib.h>

static void dump(struct call *call)
{
    struct key key;
    if (!key_read(call, 1, &key)) {
        reply_null(call->reply);
        return;
    }
    struct rdb_writer writer;
    rdb_payload_begin(&writer, value_type(key.entry), config_is(CONFIG_RDBCOMPRESSION));
    value_write(&writer, key.entry);
    reply_bulk(call->reply, rdb_payload_end(&writer));
    rdb_writer_free(&writer);
}

struct restore_args {
    bool replace, absolute;
    int64_t idle; /* seconds, or -1 */
    int64_t freq; /* 0 .. 255, or -1 */
};

static bool parse_options(struct call *call, struct restore_args *args)
{
    *args = (struct restore_args){ .idle = -1, .freq = -1 };
    for (int i = 4; i < call->argc; i++) {
        struct bytes word = call->argv[i];
        bool has_value = i + 1 < call->argc;
        if (bytes_is(word, "REPLACE")) {
            args->replace = true;
        } else if (bytes_is(word, "ABSTTL")) {
            args->absolute = true;
        } else if (bytes_is(word, "IDLETIME") && has_value && args->freq < 0) {
            if (!call_integer(call, ++i, &args->idle))
                return false;
            if (args->idle < 0) {
                reply_error(call->reply, "Invalid IDLETIME value, must be >= 0");
                return false;
            }
        } else if (bytes_is(word, "FREQ") && has_value && args->idle < 0) {
            if (!call_integer(call, ++i, &args->freq))
                return false;
            if (args->freq < 0 || args->freq > 255) {
                reply_error(call->reply, "Invalid FREQ value, must be >= 0 and <= 255");
                return false;
            }
        } else {
            call_error_syntax(call);
            return false;
        }
    }
    return true;
}

/* Whether there is such a type at all. */
static bool is_type(uint8_t type)
{
    return strcmp(rdb_type_name(type), "unknown type") != 0;
}

/* The payload as an entry, or NULL and the error has been written. */
static struct entry *read_payload(struct call *call, int64_t expiry)
{
    struct rdb_key key = { .name = call->argv[1], .expiry = expiry };
    if (!rdb_payload_verify(call->argv[3])) {
        reply_error(call->reply, "ERR %s", RDB_PAYLOAD_BAD_TAIL);
        return NULL;
    }
    struct rdb_reader reader;
    struct entry *entry = NULL;
    bool opened = rdb_payload_open(call->argv[3], &key.type, &reader);
    if (opened && is_type(key.type) && !value_is_known(key.type)) {
        reply_error(call->reply, "a value of type %s can't be kept here yet",
            rdb_type_name(key.type));
    } else {
        if (opened)
            entry = value_read(&reader, &key, NULL);
        if (!entry)
            reply_error(call->reply, "ERR %s", RDB_PAYLOAD_BAD_VALUE);
    }
    rdb_reader_free(&reader);
    return entry;
}

/* The request with the time at which the key expires, in place of how long it lives. */
static void effect_of_restore(struct call *call, int64_t expiry)
{
    char digits[NUMBER_TEXT_MAX];
    size_t size = ((size_t)call->argc + 1) * sizeof(struct bytes);
    struct bytes *argv = memory_alloc(size);
    memcpy(argv, call->argv, size - sizeof(struct bytes));
    argv[2] = (struct bytes){ digits, number_format(digits, expiry) };
    argv[call->argc] = BYTES("ABSTTL");
    call_effect(call, argv, call->argc + 1);
    free(argv);
}

/* Reads how long or until when; 0 is for ever. */
static bool parse_expiry(struct call *call, bool absolute, int64_t *expiry)
{
    int64_t ttl;
    if (!call_integer(call, 2, &ttl))
        return false;
    if (ttl < 0) {
        reply_error(call->reply, "Invalid TTL value, must be >= 0");
        return false;
    }
    *expiry = ttl > 0 ? ttl : ENTRY_NO_EXPIRY;
    if (ttl > 0 && !absolute && __builtin_add_overflow(ttl, call->now, expiry))
        *expiry = INT64_MAX;
    return true;
}

/* Only what the policy of maxmemory keeps now. */
static void set_access(const struct call *call, struct key *key, const struct restore_args *args)
{
    access_begin(key->entry, call->now);
    if (access_is_lfu() && args->freq >= 0)
        access_set_count(key->entry, call->now, (unsigned)args->freq);
    else if (!access_is_lfu() && args->idle >= 0)
        access_set_idle(key->entry, call->now, args->idle);
}

static void restore(struct call *call)
{
    struct restore_args args;
    struct key key;
    int64_t expiry;
    if (!parse_options(call, &args))
        return;
    bool there = key_write(call, 1, &key);
    if (there && !args.replace) {
        reply_error(call->reply, "BUSYKEY Target key name already exists.");
        return;
    }
    if (!parse_expiry(call, args.absolute, &expiry))
        return;
    struct entry *entry = read_payload(call, expiry);
    if (!entry)
        return;
    if (expiry == ENTRY_NO_EXPIRY || !expiry_is_past(call, expiry)) {
        key_set(call, &key, entry);
        set_access(call, &key, &args);
        if (there) /* what it replaces is gone: it counts as new */
            key_notify(call, &key, NOTIFY_NEW, "new");
        key_notify(call, &key, NOTIFY_GENERIC, "restore");
        if (expiry != ENTRY_NO_EXPIRY && !args.absolute)
            effect_of_restore(call, expiry);
    } else {
        entry_free(entry);
        if (there) {
            key_delete(call, &key);
            key_notify(call, &key, NOTIFY_GENERIC, "del");
            call_effect(call, (struct bytes[]){ BYTES("DEL"), call->argv[1] }, 2);
        }
    }
    reply_ok(call->reply);
}

/* ---- The table ---- */

#define RESTORE_ROW(name, more_flags, of, group_text, since_text, summary_text)                    \
    {                                                                                              \
        name, restore, -4, CMD_WRITE | CMD_DENYOOM | (more_flags),                                 \
            KEYS(ONE_KEY(KEY_OW | KEY_UPDATE)),                                                    \
            .categories = of, .group = group_text, .since = since_text,                            \
            .complexity = "O(1) for a string; O(N) for N elements", .summary = summary_text,       \
            .history = HISTORY({ "3.0.0", "Added the `REPLACE` modifier." },                       \
                { "5.0.0", "Added the `ABSTTL` modifier." },                                       \
                { "5.0.0", "Added the `IDLETIME` and `FREQ` options." }),                          \
            .args = ARGS(KEY_ARG, ARG("ttl", ARG_INTEGER), ARG("serialized-value", ARG_STRING),    \
                OPTION("replace", ARG_PURE_TOKEN, "REPLACE", "3.0.0"),                             \
                OPTION("absttl", ARG_PURE_TOKEN, "ABSTTL", "5.0.0"),                               \
                OPTION("seconds", ARG_INTEGER, "IDLETIME", "5.0.0"),                               \
                OPTION("frequency", ARG_INTEGER, "FREQ", "5.0.0"))                                 \
    }

const struct command dump_commands[] = {
    { "dump", dump, 2, CMD_READONLY, KEYS(ONE_KEY(KEY_RO | KEY_ACCESS)), .group = "generic",
        .since = "2.6.0", .complexity = "O(1) for a string; O(N) for N elements",
        .summary = "Returns a value as the bytes that RESTORE takes",
        .tips = TIPS("nondeterministic_output"), .args = ARGS(KEY_ARG) },
    RESTORE_ROW("restore", 0, "@dangerous", "generic", "2.6.0",
        "Makes a key of the bytes that DUMP has returned"),
    RESTORE_ROW("restore-asking", CMD_ASKING, "@keyspace @dangerous", "server", "3.0.0",
        "RESTORE into a slot that is being imported: what MIGRATE sends"),
    { 0 }
};
