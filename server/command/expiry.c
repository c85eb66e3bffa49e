/* When keys expire: EXPIRE and its kin, TTL and its kin, PERSIST. Every way to say when is
 * journaled as the time itself, PEXPIREAT; a time that is past, as the deletion that it is. */
#include "server/command/expiry.h"

#include "server/command/condition.h"
#include "server/command/families.h"
#include "server/command/key.h"
#include "server/command/key_look.h"
#include "server/command/notify.h"
#include "server/command/rows.h"

#include "common/number.h"

enum expire_option { EXPIRE_NX = 1, EXPIRE_XX = 2, EXPIRE_GT = 4, EXPIRE_LT = 8 };

static bool parse_options(struct call *call, unsigned *options)
{
    static const struct {
        const char *word;
        enum expire_option option;
    } words[] = { { "NX", EXPIRE_NX }, { "XX", EXPIRE_XX }, { "GT", EXPIRE_GT },
        { "LT", EXPIRE_LT } };
    enum { WORDS = sizeof(words) / sizeof(words[0]) };
    *options = 0;
    for (int i = 3; i < call->argc; i++) {
        size_t word = 0;
        while (word < WORDS && !bytes_is(call->argv[i], words[word].word))
            word++;
        if (word == WORDS) {
            reply_error(
                call->reply, "Unsupported option %.*s", (int)call->argv[i].len, call->argv[i].data);
            return false;
        }
        *options |= words[word].option;
    }
    if (*options & EXPIRE_NX && *options & ~(unsigned)EXPIRE_NX) {
        reply_error(
            call->reply, "ERR NX and XX, GT or LT options at the same time are not compatible");
        return false;
    }
    if (*options & EXPIRE_GT && *options & EXPIRE_LT) {
        reply_error(call->reply, "ERR GT and LT options at the same time are not compatible");
        return false;
    }
    return true;
}

/* Unix time in ms; may be long past, even below zero. unit: ms in one of what the argument counts.
 */
static bool parse_when(struct call *call, int64_t unit, int64_t base, int64_t *when)
{
    if (!call_integer(call, 2, when))
        return false;
    if (__builtin_mul_overflow(*when, unit, when) || __builtin_add_overflow(*when, base, when)) {
        reply_error(call->reply, "invalid expire time in '%s' command", call->entry->name);
        return false;
    }
    return true;
}

static bool is_wanted(unsigned options, int64_t current, int64_t when)
{
    bool expires = current != ENTRY_NO_EXPIRY;
    if (options & EXPIRE_NX && expires)
        return false;
    if (options & EXPIRE_XX && !expires)
        return false;
    if (options & EXPIRE_GT && (!expires || when <= current))
        return false;
    return !(options & EXPIRE_LT) || !expires || when < current;
}

bool expiry_is_past(const struct call *call, int64_t when)
{
    return when <= call->now && call_from_client(call) && !(condition_all() & CONDITION_REPLICA);
}

static void expire_at(struct call *call, int64_t unit, int64_t base)
{
    struct key key;
    unsigned options;
    int64_t when;
    if (!parse_options(call, &options) || !parse_when(call, unit, base, &when))
        return;
    if (!key_write(call, 1, &key) || !is_wanted(options, entry_expiry(key.entry), when)) {
        reply_integer(call->reply, 0);
        return;
    }
    if (expiry_is_past(call, when)) {
        key_delete(call, &key);
        key_notify(call, &key, NOTIFY_GENERIC, "del");
        reply_integer(call->reply, 1);
        call_effect(call, (struct bytes[]){ BYTES("DEL"), call->argv[1] }, 2);
    } else {
        if (when < 0)
            when = 0; /* as long past, and no value that means something else */
        key_set_expiry(call, &key, when);
        reply_integer(call->reply, 1);
        key_notify(call, &key, NOTIFY_GENERIC, "expire");
        char digits[NUMBER_TEXT_MAX];
        struct bytes time = { digits, number_format(digits, when) };
        call_effect(call, (struct bytes[]){ BYTES("PEXPIREAT"), call->argv[1], time }, 3);
    }
}

static void expire(struct call *call)
{
    expire_at(call, 1000, call->now);
}

static void pexpire(struct call *call)
{
    expire_at(call, 1, call->now);
}

static void expireat(struct call *call)
{
    expire_at(call, 1000, 0);
}

static void pexpireat(struct call *call)
{
    expire_at(call, 1, 0);
}

static void persist(struct call *call)
{
    struct key key;
    bool expires = key_write(call, 1, &key) && entry_expiry(key.entry) != ENTRY_NO_EXPIRY;
    if (expires) {
        key_set_expiry(call, &key, ENTRY_NO_EXPIRY);
        key_notify(call, &key, NOTIFY_GENERIC, "persist");
    }
    reply_integer(call->reply, expires);
}

/* ---- Asking ---- */

/* -2: no such key; -1: it does not expire; else ms, from `base` on, rounded to the unit. */
static void reply_when(struct call *call, int64_t unit, int64_t base)
{
    struct key key;
    if (!key_look(call, 1, &key)) {
        reply_integer(call->reply, -2);
        return;
    }
    int64_t when = entry_expiry(key.entry);
    if (when == ENTRY_NO_EXPIRY) {
        reply_integer(call->reply, -1);
        return;
    }
    int64_t left = when > base ? when - base : 0;
    reply_integer(call->reply, left / unit + (left % unit * 2 >= unit));
}

static void ttl(struct call *call)
{
    reply_when(call, 1000, call->now);
}

static void pttl(struct call *call)
{
    reply_when(call, 1, call->now);
}

static void expiretime(struct call *call)
{
    reply_when(call, 1000, 0);
}

static void pexpiretime(struct call *call)
{
    reply_when(call, 1, 0);
}

/* ---- The table ---- */

enum { WRITE = CMD_WRITE | CMD_FAST, READ = CMD_READONLY | CMD_FAST };

static const struct command_arg condition_args[] = { TOKEN("nx", "NX"), TOKEN("xx", "XX"),
    TOKEN("gt", "GT"), TOKEN("lt", "LT"), { 0 } };

#define EXPIRE_ROW(name, run, of, since_text, summary_text, time)                                  \
    {                                                                                              \
        name, run, -3, WRITE, KEYS(ONE_KEY(KEY_RW | KEY_UPDATE)),                                  \
            .group = "generic", .since = since_text, .complexity = "O(1)",                         \
            .summary = summary_text,                                                               \
            .history = HISTORY({ "7.0.0", "Added options: `NX`, `XX`, `GT` and `LT`." }),          \
            .args = ARGS(KEY_ARG, ARG(time, of),                                                   \
                { "condition", ARG_ONEOF, ARG_OPTIONAL, NULL, 0, "7.0.0", condition_args })        \
    }

const struct command expiry_commands[] = { EXPIRE_ROW("expire", expire, ARG_INTEGER, "1.0.0",
                                               "Lets a key expire in some seconds", "seconds"),
    EXPIRE_ROW("expireat", expireat, ARG_UNIX_TIME, "1.2.0",
        "Lets a key expire at a time, given in seconds", "unix-time-seconds"),
    { "expiretime", expiretime, 2, READ, KEYS(ONE_KEY(KEY_RO | KEY_ACCESS)), .group = "generic",
        .since = "7.0.0", .complexity = "O(1)",
        .summary = "Tells the time at which a key expires, in seconds", .args = ARGS(KEY_ARG) },
    { "persist", persist, 2, WRITE, KEYS(ONE_KEY(KEY_RW | KEY_UPDATE)), .group = "generic",
        .since = "2.2.0", .complexity = "O(1)", .summary = "Lets a key expire no more",
        .args = ARGS(KEY_ARG) },
    EXPIRE_ROW("pexpire", pexpire, ARG_INTEGER, "2.6.0", "Lets a key expire in some milliseconds",
        "milliseconds"),
    EXPIRE_ROW("pexpireat", pexpireat, ARG_UNIX_TIME, "2.6.0",
        "Lets a key expire at a time, given in milliseconds", "unix-time-milliseconds"),
    { "pexpiretime", pexpiretime, 2, READ, KEYS(ONE_KEY(KEY_RO | KEY_ACCESS)), .group = "generic",
        .since = "7.0.0", .complexity = "O(1)",
        .summary = "Tells the time at which a key expires, in milliseconds",
        .args = ARGS(KEY_ARG) },
    { "pttl", pttl, 2, READ, KEYS(ONE_KEY(KEY_RO | KEY_ACCESS)), .group = "generic",
        .since = "2.6.0", .complexity = "O(1)",
        .summary = "Tells in how many milliseconds a key expires",
        .tips = TIPS("nondeterministic_output"),
        .history = HISTORY({ "2.8.0", "Added the -2 reply." }), .args = ARGS(KEY_ARG) },
    { "ttl", ttl, 2, READ, KEYS(ONE_KEY(KEY_RO | KEY_ACCESS)), .group = "generic", .since = "1.0.0",
        .complexity = "O(1)", .summary = "Tells in how many seconds a key expires",
        .tips = TIPS("nondeterministic_output"),
        .history = HISTORY({ "2.8.0", "Added the -2 reply." }), .args = ARGS(KEY_ARG) },
    { 0 } };
