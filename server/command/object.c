/* OBJECT: how a value is kept and used. */
#include "server/command/families.h"
#include "server/command/help.h"
#include "server/command/key.h"
#include "server/command/key_look.h"
#include "server/command/rows.h"
#include "server/store/access.h"

/* Looks the key up; where it is not there, null is the answer. */
static bool look(struct call *call, struct key *key)
{
    bool there = key_look_quietly(call, 2, key);
    if (!there)
        reply_null(call->reply);
    return there;
}

static void object_encoding(struct call *call)
{
    struct key key;
    if (look(call, &key))
        reply_bulk_text(call->reply, encoding_name(key.entry->encoding));
}

/* Which of the two is told depends on what the policy of maxmemory keeps: see access.h. */
static void object_freq(struct call *call)
{
    struct key key;
    if (!look(call, &key))
        return;
    if (access_is_lfu())
        reply_integer(call->reply, access_count(key.entry, call->now));
    else
        reply_error(call->reply,
            "An LFU maxmemory policy is not selected, access frequency not tracked. Please note "
            "that "
            "when switching between policies at runtime LRU and LFU data will take some time to "
            "adjust.");
}

static void object_idletime(struct call *call)
{
    struct key key;
    if (!look(call, &key))
        return;
    if (!access_is_lfu())
        reply_integer(call->reply, access_idle_seconds(key.entry, call->now));
    else
        reply_error(call->reply,
            "An LFU maxmemory policy is selected, idle time not tracked. Please note that when "
            "switching between policies at runtime LRU and LFU data will take some time to "
            "adjust.");
}

/* Values are not shared between keys here; but clients know that small integers say this number. */
static void object_refcount(struct call *call)
{
    enum { SHARED_INTEGERS = 10000 };
    struct key key;
    if (!look(call, &key))
        return;
    bool shared = key.entry->type == TYPE_STRING && key.entry->encoding == ENCODING_INT &&
                  entry_integer(key.entry) >= 0 && entry_integer(key.entry) < SHARED_INTEGERS;
    reply_integer(call->reply, shared ? INT32_MAX : 1);
}

#define OBJECT_ROW(name, run, since_text, summary_text)                                            \
    {                                                                                              \
        name, run, 3, CMD_READONLY, KEYS(KEYS_AT(2, KEY_RO, 0)),                                   \
            .categories = "@keyspace", .group = "generic", .since = since_text,                    \
            .complexity = "O(1)", .summary = summary_text,                                         \
            .tips = TIPS("nondeterministic_output"), .args = ARGS(KEY_ARG)                         \
    }

static const struct command subcommands[] = { OBJECT_ROW("encoding", object_encoding, "2.2.3",
                                                  "Tells how the value of a key is kept"),
    OBJECT_ROW("freq", object_freq, "4.0.0", "Tells how often a key has been used of late"),
    { "help", call_help, 2, CMD_LOADING | CMD_STALE, .categories = "@keyspace", .group = "generic",
        .since = "6.2.0", .complexity = "O(1)", .summary = "Tells about the subcommands" },
    OBJECT_ROW(
        "idletime", object_idletime, "2.2.3", "Tells for how many seconds a key has not been used"),
    OBJECT_ROW("refcount", object_refcount, "2.2.3",
        "Tells how many references there are to the value of a key"),
    { 0 } };

const struct command object_commands[] = {
    { "object", NULL, -2, 0, .group = "generic", .since = "2.2.3",
        .complexity = "Depends on the subcommand", .summary = "Tells how values are kept and used",
        .subcommands = subcommands },
    { 0 }
};
