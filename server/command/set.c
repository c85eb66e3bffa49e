/* Sets: SADD, SREM, SISMEMBER and their kin. How members are kept is type/set.h's. */
#include "server/command/set.h"

#include "server/command/families.h"
#include "server/command/notify.h"
#include "server/command/rows.h"

/* ---- A set that is changed ---- */

struct set set_open(struct call *call, struct key *key)
{
    key_will_change(call, key);
    return set_of(key);
}

void set_close(struct call *call, struct key *key, const struct set *set)
{
    if (!key->entry) {
        key_set(call, key,
            entry_create_value(key->name, TYPE_SET, set->encoding, set->value, ENTRY_NO_EXPIRY));
        return;
    }
    entry_set_value(key->entry, set->value);
    key->entry->encoding = set->encoding;
    key_did_change(call, key);
}

/* The set has become empty, or not: the key goes with its last member. */
static void delete_if_empty(struct call *call, struct key *key, const struct set *set)
{
    if (set_count(set) > 0)
        return;
    key_delete(call, key);
    key_notify(call, key, NOTIFY_GENERIC, "del");
}

/* ---- Writing ---- */

static void sadd(struct call *call)
{
    struct key key;
    bool wrong, there = key_write_type(call, 1, TYPE_SET, &key, &wrong);
    if (wrong)
        return;
    int64_t added = 0;
    struct member member = member_of(call->argv[2]);
    struct set set = there ? set_open(call, &key) : set_create_for(&member);
    size_t intset_max = set_intset_max();
    for (int i = 2; i < call->argc; i++) {
        if (i > 2)
            member = member_of(call->argv[i]);
        added += set_add(&set, &member, intset_max);
    }
    if (added > 0) {
        set_close(call, &key, &set);
        key_notify(call, &key, NOTIFY_SET, "sadd");
    }
    reply_integer(call->reply, added);
}

static void srem(struct call *call)
{
    struct key key;
    bool wrong;
    int64_t removed = 0;
    if (!key_write_type(call, 1, TYPE_SET, &key, &wrong)) {
        if (!wrong)
            reply_integer(call->reply, 0);
        return;
    }
    struct set set = set_open(call, &key);
    for (int i = 2; i < call->argc && set_count(&set) > 0; i++) {
        struct member member = member_of(call->argv[i]);
        removed += set_remove(&set, &member);
    }
    if (removed > 0) {
        set_close(call, &key, &set);
        key_notify(call, &key, NOTIFY_SET, "srem");
        delete_if_empty(call, &key, &set);
    }
    reply_integer(call->reply, removed);
}

/* Takes the member from the source. */
static bool move_out(struct call *call, struct key *key, const struct member *member)
{
    struct set set = set_of(key);
    if (!set_has(&set, member))
        return false;
    set = set_open(call, key);
    set_remove(&set, member);
    set_close(call, key, &set);
    key_notify(call, key, NOTIFY_SET, "srem");
    delete_if_empty(call, key, &set);
    return true;
}

static void smove(struct call *call)
{
    struct key from, to;
    bool wrong;
    struct member member = member_of(call->argv[3]);
    if (!key_write_type(call, 1, TYPE_SET, &from, &wrong)) {
        if (!wrong)
            reply_integer(call->reply, 0);
        return;
    }
    key_write_type(call, 2, TYPE_SET, &to, &wrong);
    if (wrong)
        return;
    key_write(call, 1, &from); /* the other look may have moved cells */
    if (bytes_equal(from.name, to.name)) {
        struct set set = set_of(&from);
        reply_integer(call->reply, set_has(&set, &member));
        return;
    }
    if (!move_out(call, &from, &member)) {
        reply_integer(call->reply, 0);
        return;
    }
    bool there = key_write(call, 2, &to);
    struct set set = there ? set_open(call, &to) : set_create_for(&member);
    if (set_add(&set, &member, set_intset_max())) {
        set_close(call, &to, &set);
        key_notify(call, &to, NOTIFY_SET, "sadd");
    }
    reply_integer(call->reply, 1);
}

/* ---- Reading ---- */

static void sismember(struct call *call)
{
    struct key key;
    bool wrong, there = key_read_type(call, 1, TYPE_SET, &key, &wrong);
    if (wrong)
        return;
    if (there) {
        struct set set = set_of(&key);
        struct member member = member_of(call->argv[2]);
        there = set_has(&set, &member);
    }
    reply_integer(call->reply, there);
}

static void smismember(struct call *call)
{
    struct key key;
    bool wrong, there = key_read_type(call, 1, TYPE_SET, &key, &wrong);
    if (wrong)
        return;
    struct set set = { 0 };
    if (there)
        set = set_of(&key);
    reply_array(call->reply, (size_t)call->argc - 2);
    for (int i = 2; i < call->argc; i++) {
        struct member member = member_of(call->argv[i]);
        reply_integer(call->reply, there && set_has(&set, &member));
    }
}

static void scard(struct call *call)
{
    struct key key;
    bool wrong;
    if (key_read_type(call, 1, TYPE_SET, &key, &wrong)) {
        struct set set = set_of(&key);
        reply_integer(call->reply, (int64_t)set_count(&set));
    } else if (!wrong) {
        reply_integer(call->reply, 0);
    }
}

void set_reply_members(struct call *call, const struct key *key)
{
    if (!key->entry) {
        reply_set(call->reply, 0);
        return;
    }
    struct set set = set_of(key);
    struct set_iterator iterator = set_iterate(&set);
    struct member member;
    reply_set(call->reply, set_count(&set));
    while (set_next(&iterator, &member))
        reply_bulk(call->reply, member.text);
}

static void smembers(struct call *call)
{
    struct key key;
    bool wrong;
    key_read_type(call, 1, TYPE_SET, &key, &wrong);
    if (!wrong)
        set_reply_members(call, &key);
}

/* ---- The table ---- */

enum {
    READ = CMD_READONLY | CMD_FAST,
    WRITE = CMD_WRITE | CMD_FAST,
};

#define MEMBER_ARG ARG("member", ARG_STRING)
#define DESTINATION_ARG ARG("destination", ARG_KEY)

static const struct key_spec keys_store_ow[] = { ONE_KEY(KEY_OW | KEY_UPDATE),
    KEYS_AT(2, KEY_RO | KEY_ACCESS, -1), { 0 } };
static const struct command_arg store_args[] = { DESTINATION_ARG,
    { "key", ARG_KEY, ARG_MULTIPLE, NULL, 1, NULL, NULL }, { 0 } };
static const struct command_arg keys_args[] = { ARG_MANY("key", ARG_KEY), { 0 } };

const struct command set_commands[] = {
    { "sadd", sadd, -3, WRITE | CMD_DENYOOM, KEYS(ONE_KEY(KEY_RW | KEY_INSERT)), .group = "set",
        .member = 2, .since = "1.0.0", .complexity = "O(N), N members named",
        .summary = "Adds members to a set, which is made if it is not there",
        .history = HISTORY({ "2.4.0", "Accepts multiple `member` arguments." }),
        .args = ARGS(KEY_ARG, ARG_MANY("member", ARG_STRING)) },
    { "scard", scard, 2, READ, KEYS(ONE_KEY(KEY_RO)), .group = "set", .since = "1.0.0",
        .complexity = "O(1)", .summary = "Counts the members of a set", .args = ARGS(KEY_ARG) },
    { "sdiff", set_diff_command, -2, CMD_READONLY, keys_all_ro, .group = "set", .since = "1.0.0",
        .complexity = "O(N), N members of all the sets together",
        .summary = "Returns the members of the first set that none of the others has",
        .tips = TIPS("nondeterministic_output_order"), .args = keys_args },
    { "sdiffstore", set_diff_store_command, -3, CMD_WRITE | CMD_DENYOOM, keys_store_ow,
        .group = "set", .since = "1.0.0", .complexity = "O(N), N members of all the sets together",
        .summary = "Stores the members of the first set that none of the others has",
        .args = store_args },
    { "sinter", set_inter_command, -2, CMD_READONLY, keys_all_ro, .group = "set", .since = "1.0.0",
        .complexity = "O(N*M), N members of the smallest set, M sets",
        .summary = "Returns the members that all the sets have",
        .tips = TIPS("nondeterministic_output_order"), .args = keys_args },
    { "sintercard", set_inter_count_command, -3, CMD_READONLY | CMD_MOVABLE_KEYS,
        KEYS(COUNTED_KEYS(1, KEY_RO | KEY_ACCESS)), .group = "set", .since = "7.0.0",
        .complexity = "O(N*M), N members of the smallest set, M sets",
        .summary = "Counts the members that all the sets have, up to a limit",
        .args = ARGS(COUNTED_KEY_ARGS, OPTION("limit", ARG_INTEGER, "LIMIT", NULL)) },
    { "sinterstore", set_inter_store_command, -3, CMD_WRITE | CMD_DENYOOM,
        KEYS(ONE_KEY(KEY_RW | KEY_UPDATE), KEYS_AT(2, KEY_RO | KEY_ACCESS, -1)), .group = "set",
        .since = "1.0.0", .complexity = "O(N*M), N members of the smallest set, M sets",
        .summary = "Stores the members that all the sets have", .args = store_args },
    { "sismember", sismember, 3, READ, KEYS(ONE_KEY(KEY_RO)), .group = "set", .member = 2,
        .since = "1.0.0", .complexity = "O(1)", .summary = "Tells whether a set has a member",
        .args = ARGS(KEY_ARG, MEMBER_ARG) },
    { "smembers", smembers, 2, CMD_READONLY, keys_first_ro, .group = "set", .since = "1.0.0",
        .complexity = "O(N), N members of the set", .summary = "Returns all members of a set",
        .tips = TIPS("nondeterministic_output_order"), .args = ARGS(KEY_ARG) },
    { "smismember", smismember, -3, READ, keys_first_ro, .group = "set", .member = 2,
        .since = "6.2.0", .complexity = "O(N), N members named",
        .summary = "Tells for each of several members whether a set has it",
        .args = ARGS(KEY_ARG, ARG_MANY("member", ARG_STRING)) },
    { "smove", smove, 4, WRITE,
        KEYS(ONE_KEY(KEY_RW | KEY_ACCESS | KEY_DELETE), KEYS_AT(2, KEY_RW | KEY_INSERT, 0)),
        .group = "set", .since = "1.0.0", .complexity = "O(1)",
        .summary = "Takes a member from one set and adds it to another",
        .args = ARGS(ARG("source", ARG_KEY), { "destination", ARG_KEY, 0, NULL, 1, NULL, NULL },
            MEMBER_ARG) },
    { "spop", set_pop_command, -2, WRITE, KEYS(ONE_KEY(KEY_RW | KEY_ACCESS | KEY_DELETE)),
        .group = "set", .since = "1.0.0",
        .complexity = "O(1); O(N) with a count, N members returned",
        .summary = "Removes members that are drawn by chance from a set, and returns them",
        .tips = TIPS("nondeterministic_output"),
        .history = HISTORY({ "3.2.0", "Added the `count` argument." }),
        .args = ARGS(KEY_ARG, OPTION("count", ARG_INTEGER, NULL, "3.2.0")) },
    { "srandmember", set_random_command, -2, CMD_READONLY, keys_first_ro, .group = "set",
        .since = "1.0.0", .complexity = "O(1); O(N) with a count, N members returned",
        .summary = "Returns members of a set that are drawn by chance",
        .tips = TIPS("nondeterministic_output"),
        .history = HISTORY({ "2.6.0", "Added the optional `count` argument." }),
        .args = ARGS(KEY_ARG, OPTION("count", ARG_INTEGER, NULL, "2.6.0")) },
    { "srem", srem, -3, WRITE, KEYS(ONE_KEY(KEY_RW | KEY_DELETE)), .group = "set", .member = 2,
        .since = "1.0.0", .complexity = "O(N), N members named",
        .summary = "Removes members from a set, and the key with the last of them",
        .history = HISTORY({ "2.4.0", "Accepts multiple `member` arguments." }),
        .args = ARGS(KEY_ARG, ARG_MANY("member", ARG_STRING)) },
    { "sscan", set_scan_command, -3, CMD_READONLY, keys_first_ro, .group = "set", .since = "2.8.0",
        .complexity = "O(1) for each call, O(N) for the whole, N members of the set",
        .summary = "Goes through the members of a set, some with each call",
        .tips = TIPS("nondeterministic_output"),
        .args =
            ARGS(KEY_ARG, ARG("cursor", ARG_INTEGER), OPTION("pattern", ARG_PATTERN, "MATCH", NULL),
                OPTION("count", ARG_INTEGER, "COUNT", NULL)) },
    { "sunion", set_union_command, -2, CMD_READONLY, keys_all_ro, .group = "set", .since = "1.0.0",
        .complexity = "O(N), N members of all the sets together",
        .summary = "Returns the members that any of the sets has",
        .tips = TIPS("nondeterministic_output_order"), .args = keys_args },
    { "sunionstore", set_union_store_command, -3, CMD_WRITE | CMD_DENYOOM, keys_store_ow,
        .group = "set", .since = "1.0.0", .complexity = "O(N), N members of all the sets together",
        .summary = "Stores the members that any of the sets has", .args = store_args },
    { 0 }
};
