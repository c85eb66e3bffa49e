/* XREAD and XREADGROUP: the new entries of several streams, or what a consumer has not
 * acknowledged; they may wait for entries. An XREADGROUP leaves effects: each delivery as an
 * XCLAIM, and how far the group has come. */
#include "server/command/families.h"
#include "server/command/notify.h"
#include "server/command/rows.h"
#include "server/command/stream.h"

#include "common/memory.h"
#include <stdlib.h>

struct read_args {
    bool waits, no_ack;
    int64_t timeout_ms;
    uint64_t count; /* 0: all */
    int first;      /* of the keys */
    int streams;
    struct bytes group, consumer; /* data NULL: XREAD */
    struct stream_id *after;      /* owned, for each stream: what was seen; STREAM_ID_MAX: `>` */
};

/* ---- Reading the request ---- */

static bool is_group_command(const struct call *call)
{
    return strcmp(call->entry->name, "xreadgroup") == 0;
}

static bool only_for_groups(struct call *call, const char *option)
{
    if (is_group_command(call))
        return true;
    reply_error(call->reply,
        "The %s option is only supported by XREADGROUP. You called XREAD instead.", option);
    return false;
}

static bool parse_streams(struct call *call, int at, struct read_args *args)
{
    int left = call->argc - at - 1;
    args->first = at + 1;
    args->streams = left / 2;
    if (left > 0 && left % 2 == 0)
        return true;
    if (left % 2)
        reply_error(call->reply, "Unbalanced XREAD list of streams: for each stream key an ID or "
                                 "'$' must be specified.");
    else
        call_error_syntax(call);
    return false;
}

static bool parse_count(struct call *call, int at, struct read_args *args)
{
    int64_t count;
    if (!call_integer(call, at, &count))
        return false;
    args->count = count > 0 ? (uint64_t)count : 0;
    return true;
}

static bool parse_options(struct call *call, struct read_args *args)
{
    *args = (struct read_args){ 0 };
    for (int i = 1; i < call->argc && !args->first; i++) {
        struct bytes option = call->argv[i];
        int more = call->argc - i - 1;
        bool good = true;
        if (bytes_is(option, "BLOCK") && more) {
            args->waits = true;
            good = block_timeout_ms(call, ++i, &args->timeout_ms);
        } else if (bytes_is(option, "COUNT") && more) {
            good = parse_count(call, ++i, args);
        } else if (bytes_is(option, "STREAMS") && more) {
            good = parse_streams(call, i, args);
        } else if (bytes_is(option, "GROUP") && more >= 2) {
            good = only_for_groups(call, "GROUP");
            args->group = call->argv[++i];
            args->consumer = call->argv[++i];
        } else if (bytes_is(option, "NOACK")) {
            good = only_for_groups(call, "NOACK");
            args->no_ack = true;
        } else {
            call_error_syntax(call);
            return false;
        }
        if (!good)
            return false;
    }
    if (!args->first) {
        call_error_syntax(call);
        return false;
    }
    if (is_group_command(call) && !args->group.data) {
        reply_error(call->reply, "Missing GROUP option for XREADGROUP");
        return false;
    }
    return true;
}

static bool has_group(struct call *call, const struct key *key, const struct read_args *args)
{
    if (key->entry && stream_group_find(stream_of(key), args->group))
        return true;
    reply_error(call->reply,
        "NOGROUP No such key '%.*s' or consumer group '%.*s' in XREADGROUP with GROUP option",
        (int)key->name.len, key->name.data, (int)args->group.len, args->group.data);
    return false;
}

/* The same for who has waited for entries: not only the group may be gone meanwhile. */
static bool still_has_group(
    struct call *call, int at, struct key *key, const struct read_args *args)
{
    if (!key_read(call, at, key) || key->entry->type != TYPE_STREAM)
        reply_error(call->reply, "UNBLOCKED the stream key no longer exists");
    else if (!stream_group_find(stream_of(key), args->group))
        reply_error(call->reply,
            "NOGROUP the consumer group this client was blocked on no longer exists");
    else
        return true;
    return false;
}

/* The stream argv[at], with its group where one is asked for; false: the error has been written. */
static bool find_stream(struct call *call, int at, struct key *key, const struct read_args *args)
{
    bool wrong;
    if (call->waiter && args->group.data)
        return still_has_group(call, at, key, args);
    key_read_type(call, at, TYPE_STREAM, key, &wrong);
    return !wrong && (!args->group.data || has_group(call, key, args));
}

/* One ID, or $ or > in its place. */
static bool parse_after(struct call *call, int at, const struct key *key,
    const struct read_args *args, struct stream_id *id)
{
    struct bytes text = call->argv[at];
    if (bytes_is(text, "$")) {
        *id = key->entry ? stream_of(key)->last_id : STREAM_ID_MIN;
        if (!args->group.data)
            return true;
        reply_error(call->reply,
            "The $ ID is meaningless in the context of XREADGROUP: you want to read the history of "
            "this consumer by specifying a proper ID, or use the > ID to get new messages. The $ "
            "ID would just return an empty result set.");
        return false;
    }
    if (bytes_is(text, ">")) {
        *id = STREAM_ID_MAX;
        if (args->group.data)
            return true;
        reply_error(call->reply, "The > ID can be specified only when calling XREADGROUP using the "
                                 "GROUP <group> <consumer> option.");
        return false;
    }
    return stream_id_parse(call, at, 0, id);
}

static bool parse_ids(struct call *call, struct read_args *args)
{
    args->after = memory_alloc((size_t)args->streams * sizeof(*args->after));
    for (int i = 0; i < args->streams; i++) {
        struct key key;
        if (!find_stream(call, args->first + i, &key, args) ||
            !parse_after(call, args->first + args->streams + i, &key, args, &args->after[i]))
            return false;
    }
    return true;
}

/* ---- Delivering ---- */

static void deliver(struct call *call, const struct key *key, struct stream *stream,
    struct stream_group *group, struct stream_consumer *consumer, struct stream_id id, bool no_ack)
{
    if (stream_id_compare(id, group->last_id) > 0)
        stream_group_deliver(stream, group, id);
    if (no_ack)
        return;
    struct stream_pending *pending = stream_pending_give(group, id, consumer);
    pending->delivered_ms = call->now;
    pending->deliveries = 1;
    stream_effect_claim(call, key, group, id, stream_consumer_name(consumer), pending);
}

/* The entries behind the group's last one, for the consumer. */
static void reply_new(struct call *call, const struct key *key, struct stream *stream,
    struct stream_group *group, struct stream_consumer *consumer, const struct read_args *args)
{
    struct stream_id from = group->last_id;
    uint64_t count = 0;
    struct reply_mark mark = reply_deferred(call->reply);
    if (stream_id_increase(&from)) {
        struct stream_cursor cursor = stream_walk(stream, from, STREAM_ID_MAX, false);
        struct stream_entry entry;
        while ((args->count == 0 || count < args->count) && stream_next(&cursor, &entry)) {
            struct stream_id id = entry.id;
            stream_reply_entry(call, &entry);
            deliver(call, key, stream, group, consumer, id, args->no_ack);
            count++;
        }
    }
    reply_deferred_array(call->reply, mark, count);
    if (count > 0) {
        call_changed(call);
        stream_effect_position(call, key, group);
    }
}

/* What the consumer has not acknowledged yet. */
static void reply_pending(struct call *call, const struct stream *stream,
    struct stream_group *group, struct stream_consumer *consumer, struct stream_id from,
    uint64_t limit)
{
    uint64_t count = 0;
    struct reply_mark mark = reply_deferred(call->reply);
    struct stream_id id;
    if (stream_id_increase(&from)) {
        struct idmap_cursor cursor = idmap_seek(&consumer->pending, from);
        while ((limit == 0 || count < limit) && idmap_next(&cursor, &id, NULL)) {
            count++;
            if (!stream_reply_id_entry(call, stream, id)) {
                reply_array(call->reply, 2);
                stream_reply_id(call, id);
                reply_null_array(call->reply);
                continue;
            }
            struct stream_pending *pending = idmap_change(&group->pending, id, false, NULL);
            pending->delivered_ms = call->now;
            pending->deliveries++;
        }
    }
    reply_deferred_array(call->reply, mark, count);
}

static void begin_stream(struct call *call, const struct key *key)
{
    if (call->reply->protocol < 3)
        reply_array(call->reply, 2);
    reply_bulk(call->reply, key->name);
}

static bool has_behind(const struct stream *stream, struct stream_id id)
{
    return stream->length > 0 && stream_id_compare(stream_edge(stream, false), id) > 0;
}

/* Of one stream, for a group. False: there is nothing, and nothing has been written. */
static bool read_for_group(struct call *call, struct key *key, const struct read_args *args, int i)
{
    struct stream *stream = stream_open(call, key);
    struct stream_group *group = stream_group_find(stream, args->group);
    struct stream_consumer *consumer = stream_consumer_use(call, key, group, args->consumer);
    bool history = stream_id_compare(args->after[i], STREAM_ID_MAX) != 0;
    if (!history && !has_behind(stream, group->last_id))
        return false;
    begin_stream(call, key);
    if (history)
        reply_pending(call, stream, group, consumer, args->after[i], args->count);
    else
        reply_new(call, key, stream, group, consumer, args);
    return true;
}

static bool read_plain(
    struct call *call, const struct key *key, const struct read_args *args, int i)
{
    const struct stream *stream = stream_of(key);
    struct stream_id from = args->after[i];
    if (!has_behind(stream, from) || !stream_id_increase(&from))
        return false;
    begin_stream(call, key);
    stream_reply_range(call, stream, from, STREAM_ID_MAX, false, args->count);
    return true;
}

/* Writes what there is; returns of how many streams. */
static size_t read_all(struct call *call, const struct read_args *args)
{
    size_t start = call->reply->bytes.len, count = 0;
    struct reply_mark mark = reply_deferred(call->reply);
    for (int i = 0; i < args->streams; i++) {
        struct key key;
        if (block_passes_over(call, args->first + i) || !key_write(call, args->first + i, &key))
            continue;
        count += args->group.data ? read_for_group(call, &key, args, i)
                                  : read_plain(call, &key, args, i);
    }
    if (count == 0)
        reply_cut(call->reply, start);
    else if (call->reply->protocol < 3)
        reply_deferred_array(call->reply, mark, count);
    else
        reply_deferred_map(call->reply, mark, count);
    return count;
}

/* ---- Waiting ---- */

/* What is new must be new to the moment of the request: $ stands for an ID then. */
static void wait_for_entries(struct call *call, const struct read_args *args)
{
    size_t count = (size_t)args->streams;
    int *positions = memory_alloc(count * sizeof(*positions));
    struct bytes *argv = memory_alloc((size_t)call->argc * sizeof(*argv));
    char(*texts)[STREAM_ID_TEXT_MAX] = memory_alloc(count * sizeof(*texts));
    memcpy(argv, call->argv, (size_t)call->argc * sizeof(*argv));
    for (int i = 0; i < args->streams; i++) {
        int at = args->first + args->streams + i;
        positions[i] = args->first + i;
        if (bytes_is(argv[at], "$"))
            argv[at] = stream_id_format(args->after[i], texts[i]);
    }
    block_on_keys(call, &(struct block_wish){ .positions = positions,
                            .count = args->streams,
                            .type = TYPE_STREAM,
                            .also_gone = args->group.data,
                            .timeout_ms = args->timeout_ms,
                            .nothing = BLOCK_NULL_ARRAY,
                            .argv = argv,
                            .argc = call->argc });
    free(texts);
    free(argv);
    free(positions);
}

static void xread(struct call *call)
{
    struct read_args args;
    if (!parse_options(call, &args))
        return;
    if (parse_ids(call, &args) && read_all(call, &args) == 0) {
        if (args.waits)
            wait_for_entries(call, &args);
        else
            reply_null_array(call->reply);
    }
    free(args.after);
}

/* ---- The table ---- */

static const struct command_arg streams_block[] = { ARG_MANY("key", ARG_KEY),
    ARG_MANY("id", ARG_STRING), { 0 } };
static const struct command_arg group_streams_block[] = { ARG_MANY("key", ARG_KEY),
    ARG_MANY("id", ARG_STRING), { 0 } };
static const struct command_arg group_block[] = { ARG("group", ARG_STRING),
    ARG("consumer", ARG_STRING), { 0 } };

#define STREAMS_KEYS(start)                                                                        \
    KEYS({ KEY_BEGIN_KEYWORD, KEY_RO | KEY_ACCESS, start, "STREAMS", KEY_FIND_RANGE, -1, 1, 2, 0,  \
        0, NULL })

const struct command stream_read_commands[] = {
    { "xread", xread, -4, CMD_READONLY | CMD_BLOCKING | CMD_MOVABLE_KEYS, STREAMS_KEYS(1),
        .group = "stream", .since = "5.0.0", .complexity = "O(N), N entries returned",
        .summary = "Returns the entries of streams behind given IDs; may wait for some",
        .args = ARGS(OPTION("count", ARG_INTEGER, "COUNT", NULL),
            OPTION("milliseconds", ARG_INTEGER, "BLOCK", NULL),
            { "streams", ARG_BLOCK, 0, "STREAMS", 0, NULL, streams_block }) },
    { "xreadgroup", xread, -7, CMD_WRITE | CMD_BLOCKING | CMD_MOVABLE_KEYS, STREAMS_KEYS(4),
        .group = "stream", .since = "5.0.0", .complexity = "O(N), N entries returned",
        .summary =
            "Returns entries of streams that no other consumer of the group has got, or those "
            "that the consumer has not acknowledged; may wait for some",
        .args = ARGS({ "group_consumer", ARG_BLOCK, 0, "GROUP", 0, NULL, group_block },
            OPTION("count", ARG_INTEGER, "COUNT", NULL),
            OPTION("milliseconds", ARG_INTEGER, "BLOCK", NULL),
            { "noack", ARG_PURE_TOKEN, ARG_OPTIONAL, "NOACK", 0, NULL, NULL },
            { "streams", ARG_BLOCK, 0, "STREAMS", 0, NULL, group_streams_block }) },
    { 0 }
};
