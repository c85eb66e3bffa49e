/* Consumer groups: XGROUP, XACK, XPENDING. */
#include "server/command/families.h"
#include "server/command/help.h"
#include "server/command/notify.h"
#include "server/command/rows.h"
#include "server/command/stream.h"

#include "common/number.h"

struct stream_consumer *stream_consumer_use(
    struct call *call, struct key *key, struct stream_group *group, struct bytes name)
{
    struct stream_consumer *consumer = stream_consumer_find(group, name);
    if (!consumer) {
        consumer = stream_consumer_add(group, name);
        key_did_change(call, key);
        key_notify(call, key, NOTIFY_STREAM, "xgroup-createconsumer");
        call_effect(call,
            (struct bytes[]){ BYTES("XGROUP"), BYTES("CREATECONSUMER"), key->name,
                stream_group_name(group), name },
            5);
    }
    consumer->seen_ms = call->now;
    return consumer;
}

/* ---- XGROUP ---- */

static void error_no_key(struct call *call)
{
    reply_error(call->reply,
        "The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use "
        "the MKSTREAM option to create an empty stream automatically.");
}

static void error_no_group(struct call *call, const struct key *key, struct bytes group)
{
    reply_error(call->reply, "NOGROUP No such consumer group '%.*s' for key name '%.*s'",
        (int)group.len, group.data, (int)key->name.len, key->name.data);
}

/* The stream that argv[2] names; false: the error has been written. */
static bool find_stream(struct call *call, struct key *key)
{
    bool wrong, there = key_write_type(call, 2, TYPE_STREAM, key, &wrong);
    if (!there && !wrong)
        error_no_key(call);
    return there;
}

/* Its group argv[3], in a stream that is the key's alone. NULL: the error has been written. */
static struct stream_group *find_group(struct call *call, struct key *key)
{
    if (!find_stream(call, key))
        return NULL;
    struct stream_group *group = stream_group_find(stream_open(call, key), call->argv[3]);
    if (!group)
        error_no_group(call, key, call->argv[3]);
    return group;
}

struct group_args {
    bool make_stream;
    int64_t entries_read;
};

static bool parse_group_args(struct call *call, bool may_make, struct group_args *args)
{
    *args = (struct group_args){ false, STREAM_ENTRIES_READ_UNKNOWN };
    for (int i = 5; i < call->argc; i++) {
        if (may_make && bytes_is(call->argv[i], "MKSTREAM")) {
            args->make_stream = true;
        } else if (bytes_is(call->argv[i], "ENTRIESREAD") && i + 1 < call->argc) {
            if (!call_integer(call, ++i, &args->entries_read))
                return false;
            if (args->entries_read < STREAM_ENTRIES_READ_UNKNOWN) {
                reply_error(call->reply, "value for ENTRIESREAD must be positive or -1");
                return false;
            }
        } else {
            call_error_subcommand(call);
            return false;
        }
    }
    return true;
}

/* argv[4]: an ID, or $ for the stream's last. */
static bool parse_position(struct call *call, const struct stream *stream, struct stream_id *id)
{
    if (!bytes_is(call->argv[4], "$"))
        return stream_id_parse(call, 4, 0, id);
    *id = stream ? stream->last_id : STREAM_ID_MIN;
    return true;
}

static void xgroup_create(struct call *call)
{
    struct group_args args;
    struct key key;
    struct stream_id id;
    bool wrong;
    if (!parse_group_args(call, true, &args))
        return;
    bool there = key_write_type(call, 2, TYPE_STREAM, &key, &wrong);
    if (wrong)
        return;
    if (!there && !args.make_stream) {
        error_no_key(call);
        return;
    }
    if (!parse_position(call, there ? stream_of(&key) : NULL, &id))
        return;
    if (!there)
        key_set(call, &key,
            entry_create_value(
                key.name, TYPE_STREAM, ENCODING_STREAM, stream_create(), ENTRY_NO_EXPIRY));
    if (!stream_group_add(stream_open(call, &key), call->argv[3], id, args.entries_read)) {
        reply_error(call->reply, "BUSYGROUP Consumer Group name already exists");
        return;
    }
    reply_ok(call->reply);
    key_did_change(call, &key);
    key_notify(call, &key, NOTIFY_STREAM, "xgroup-create");
}

static void xgroup_setid(struct call *call)
{
    struct group_args args;
    struct key key;
    struct stream_id id;
    if (!parse_group_args(call, false, &args))
        return;
    struct stream_group *group = find_group(call, &key);
    if (!group || !parse_position(call, stream_of(&key), &id))
        return;
    group->last_id = id;
    group->entries_read = args.entries_read;
    reply_ok(call->reply);
    key_did_change(call, &key);
    key_notify(call, &key, NOTIFY_STREAM, "xgroup-setid");
}

static void xgroup_destroy(struct call *call)
{
    struct key key;
    if (!find_stream(call, &key))
        return;
    bool there = stream_group_remove(stream_open(call, &key), call->argv[3]);
    reply_integer(call->reply, there);
    if (there) {
        key_did_change(call, &key);
        block_signal(call, &key); /* who waits in the group hears that it is gone */
        key_notify(call, &key, NOTIFY_STREAM, "xgroup-destroy");
    }
}

static void xgroup_createconsumer(struct call *call)
{
    struct key key;
    struct stream_group *group = find_group(call, &key);
    if (!group)
        return;
    bool there = stream_consumer_find(group, call->argv[4]);
    if (!there)
        stream_consumer_use(call, &key, group, call->argv[4]);
    reply_integer(call->reply, !there);
}

static void xgroup_delconsumer(struct call *call)
{
    struct key key;
    struct stream_group *group = find_group(call, &key);
    if (!group)
        return;
    struct stream_consumer *consumer = stream_consumer_find(group, call->argv[4]);
    uint64_t pending = 0;
    if (consumer) {
        pending = stream_consumer_remove(group, consumer);
        key_did_change(call, &key);
        key_notify(call, &key, NOTIFY_STREAM, "xgroup-delconsumer");
    }
    reply_integer(call->reply, (int64_t)pending);
}

/* ---- XACK ---- */

static void xack(struct call *call)
{
    struct key key;
    bool wrong, there = key_write_type(call, 1, TYPE_STREAM, &key, &wrong);
    struct stream_id id;
    int64_t count = 0;
    if (wrong)
        return;
    if (!there || !stream_group_find(stream_of(&key), call->argv[2])) {
        reply_integer(call->reply, 0);
        return;
    }
    for (int i = 3; i < call->argc; i++) {
        if (!stream_id_parse(call, i, 0, &id))
            return;
    }
    struct stream_group *group = stream_group_find(stream_open(call, &key), call->argv[2]);
    for (int i = 3; i < call->argc; i++) {
        stream_id_read(call->argv[i], 0, &id);
        count += stream_pending_remove(group, id);
    }
    if (count > 0)
        key_did_change(call, &key);
    reply_integer(call->reply, count);
}

/* ---- XPENDING ---- */

static void reply_summary(struct call *call, const struct stream_group *group)
{
    struct idmap_cursor cursor = idmap_seek(&group->pending, STREAM_ID_MIN);
    struct stream_id first, last;
    size_t consumers = 0;
    reply_array(call->reply, 4);
    reply_integer(call->reply, (int64_t)group->pending.count);
    if (!idmap_next(&cursor, &first, NULL) || !idmap_last(&group->pending, &last)) {
        reply_null(call->reply);
        reply_null(call->reply);
        reply_null_array(call->reply);
        return;
    }
    stream_reply_id(call, first);
    stream_reply_id(call, last);
    struct reply_mark mark = reply_deferred(call->reply);
    for (size_t i = 0; i < group->consumer_count; i++) {
        const struct stream_consumer *consumer = group->consumers[i];
        if (consumer->pending.count == 0)
            continue;
        reply_array(call->reply, 2);
        reply_bulk(call->reply, stream_consumer_name(consumer));
        reply_bulk_integer(call->reply, (int64_t)consumer->pending.count);
        consumers++;
    }
    reply_deferred_array(call->reply, mark, consumers);
}

struct pending_args {
    struct stream_id from, to;
    int64_t idle_ms, count;
    int consumer_at; /* 0: all consumers */
};

static bool parse_pending(struct call *call, struct pending_args *args)
{
    int first = 3;
    *args = (struct pending_args){ 0 };
    if (call->argc < 6 || call->argc > 9) {
        call_error_syntax(call);
        return false;
    }
    if (bytes_is(call->argv[3], "IDLE")) {
        if (!call_integer(call, 4, &args->idle_ms))
            return false;
        if (call->argc < 8) {
            call_error_syntax(call);
            return false;
        }
        first = 5;
    }
    if (!call_integer(call, first + 2, &args->count) ||
        !stream_interval_parse(call, first, true, &args->from) ||
        !stream_interval_parse(call, first + 1, false, &args->to))
        return false;
    args->consumer_at = first + 3 < call->argc ? first + 3 : 0;
    return true;
}

static void reply_details(
    struct call *call, const struct stream_group *group, const struct pending_args *args)
{
    const struct stream_consumer *only = NULL;
    if (args->consumer_at) {
        only = stream_consumer_find(group, call->argv[args->consumer_at]);
        if (!only) {
            reply_array(call->reply, 0);
            return;
        }
    }
    struct idmap_cursor cursor = idmap_seek(only ? &only->pending : &group->pending, args->from);
    struct stream_id id;
    int64_t count = 0;
    struct reply_mark mark = reply_deferred(call->reply);
    while (count < args->count && idmap_next(&cursor, &id, NULL) &&
           stream_id_compare(id, args->to) <= 0) {
        const struct stream_pending *pending = idmap_find(&group->pending, id);
        int64_t idle = call->now - pending->delivered_ms;
        if (args->idle_ms && idle < args->idle_ms)
            continue;
        reply_array(call->reply, 4);
        stream_reply_id(call, id);
        reply_bulk(call->reply, stream_consumer_name(stream_consumer_of(group, pending)));
        reply_integer(call->reply, idle < 0 ? 0 : idle);
        reply_integer(call->reply, (int64_t)pending->deliveries);
        count++;
    }
    reply_deferred_array(call->reply, mark, (size_t)count);
}

static void xpending(struct call *call)
{
    struct key key;
    struct pending_args args;
    bool wrong, summary = call->argc == 3;
    if (!summary && !parse_pending(call, &args))
        return;
    bool there = key_read_type(call, 1, TYPE_STREAM, &key, &wrong);
    if (wrong)
        return;
    const struct stream_group *group =
        there ? stream_group_find(stream_of(&key), call->argv[2]) : NULL;
    if (!group)
        reply_error(call->reply, "NOGROUP No such key '%.*s' or consumer group '%.*s'",
            (int)key.name.len, key.name.data, (int)call->argv[2].len, call->argv[2].data);
    else if (summary)
        reply_summary(call, group);
    else
        reply_details(call, group, &args);
}

/* ---- The table ---- */

#define GROUP_ARG ARG("group", ARG_STRING)
#define GROUPNAME_ARG ARG("groupname", ARG_STRING)

static const struct command_arg position_choice[] = { ARG("id", ARG_STRING), TOKEN("new_id", "$"),
    { 0 } };
static const struct command_arg filter_block[] = { OPTION("min-idle-time", ARG_INTEGER, "IDLE",
                                                       "6.2.0"),
    ARG("start", ARG_STRING), ARG("end", ARG_STRING), ARG("count", ARG_INTEGER),
    OPTION("consumer", ARG_STRING, NULL, NULL), { 0 } };

static const struct command xgroup_subcommands[] = {
    { "create", xgroup_create, -5, CMD_WRITE | CMD_DENYOOM,
        KEYS(KEYS_AT(2, KEY_RW | KEY_INSERT, 0)), .group = "stream", .since = "5.0.0",
        .complexity = "O(1)", .summary = "Makes a consumer group",
        .history = HISTORY({ "7.0.0", "Added the `entries_read` named argument." }),
        .args = ARGS(KEY_ARG, GROUPNAME_ARG, CHOICE("id", 0, position_choice),
            { "mkstream", ARG_PURE_TOKEN, ARG_OPTIONAL, "MKSTREAM", 0, NULL, NULL },
            OPTION("entries_read", ARG_INTEGER, "ENTRIESREAD", NULL)) },
    { "createconsumer", xgroup_createconsumer, 5, CMD_WRITE | CMD_DENYOOM,
        KEYS(KEYS_AT(2, KEY_RW | KEY_INSERT, 0)), .group = "stream", .since = "6.2.0",
        .complexity = "O(1)", .summary = "Makes a consumer in a group",
        .args = ARGS(KEY_ARG, GROUPNAME_ARG, ARG("consumername", ARG_STRING)) },
    { "delconsumer", xgroup_delconsumer, 5, CMD_WRITE, KEYS(KEYS_AT(2, KEY_RW | KEY_DELETE, 0)),
        .group = "stream", .since = "5.0.0", .complexity = "O(N), N entries pending for it",
        .summary = "Removes a consumer from a group, with what is pending for it",
        .args = ARGS(KEY_ARG, GROUPNAME_ARG, ARG("consumername", ARG_STRING)) },
    { "destroy", xgroup_destroy, 4, CMD_WRITE, KEYS(KEYS_AT(2, KEY_RW | KEY_DELETE, 0)),
        .group = "stream", .since = "5.0.0", .complexity = "O(N), N entries pending in it",
        .summary = "Removes a consumer group", .args = ARGS(KEY_ARG, GROUPNAME_ARG) },
    { "help", call_help, 2, CMD_LOADING | CMD_STALE, .categories = "@stream", .group = "stream",
        .since = "5.0.0", .complexity = "O(1)", .summary = "Tells about the subcommands" },
    { "setid", xgroup_setid, -5, CMD_WRITE, KEYS(KEYS_AT(2, KEY_RW | KEY_UPDATE, 0)),
        .group = "stream", .since = "5.0.0", .complexity = "O(1)",
        .summary = "Sets how far a group has come",
        .history = HISTORY({ "7.0.0", "Added the optional `entries_read` argument." }),
        .args = ARGS(KEY_ARG, GROUPNAME_ARG, CHOICE("id", 0, position_choice),
            OPTION("entries_read", ARG_INTEGER, "ENTRIESREAD", NULL)) },
    { 0 }
};

const struct command stream_group_commands[] = {
    { "xack", xack, -4, CMD_WRITE | CMD_FAST, KEYS(ONE_KEY(KEY_RW | KEY_UPDATE)), .group = "stream",
        .since = "5.0.0", .complexity = "O(1) for each ID",
        .summary = "Acknowledges entries: they are pending in the group no more",
        .args = ARGS(KEY_ARG, GROUP_ARG, ARG_MANY("id", ARG_STRING)) },
    { "xgroup", NULL, -2, 0, .group = "stream", .since = "5.0.0",
        .complexity = "Depends on the subcommand", .summary = "Manages consumer groups",
        .subcommands = xgroup_subcommands },
    { "xpending", xpending, -3, CMD_READONLY, keys_first_ro, .group = "stream", .since = "5.0.0",
        .complexity = "O(N), N entries returned, or consumers of the group",
        .summary = "Tells of entries that were delivered and not acknowledged",
        .tips = TIPS("nondeterministic_output"),
        .history = HISTORY({ "6.2.0", "Added the `IDLE` option and exclusive range intervals." }),
        .args = ARGS(KEY_ARG, GROUP_ARG,
            { "filters", ARG_BLOCK, ARG_OPTIONAL, NULL, 0, NULL, filter_block }) },
    { 0 }
};
