/* XINFO: what a stream, its groups and their consumers are like. */
#include "server/command/families.h"
#include "server/command/help.h"
#include "server/command/rows.h"
#include "server/command/stream.h"

#include <stdlib.h>

enum { FULL_DEFAULT = 10 }; /* entries that FULL shows of each kind */

static bool find_stream(struct call *call, struct key *key)
{
    bool wrong, there = key_read_type(call, 2, TYPE_STREAM, key, &wrong);
    if (!there && !wrong)
        reply_error(call->reply, "no such key");
    return there;
}

static void field(struct call *call, const char *name)
{
    reply_bulk_text(call->reply, name);
}

static void field_integer(struct call *call, const char *name, uint64_t value)
{
    field(call, name);
    reply_integer(call->reply, (int64_t)value);
}

static void field_id(struct call *call, const char *name, struct stream_id id)
{
    field(call, name);
    stream_reply_id(call, id);
}

/* ---- XINFO STREAM ---- */

/* How many nodes a radix tree with compressed paths would have that holds the IDs of the listpacks,
 * which is what redis-server tells: a leaf for each ID, a node where IDs part, and one for each
 * longer path between these. */
struct tree_count {
    size_t nodes;
    int stack[STREAM_ID_BYTES + 1]; /* depths at which IDs part, on the path to the last leaf */
    int top;
};

/* A node at this depth below one at `parent` (-1: the root): with the path to it. */
static void count_below(struct tree_count *count, int depth, int parent)
{
    count->nodes += depth > parent + 1 ? 2 : 1;
}

/* The last leaf, and those parting points that lie deeper than the one at `depth` (-1: the root),
 * are complete. */
static void close_down_to(struct tree_count *count, int depth)
{
    int below = STREAM_ID_BYTES;
    while (count->top > 0 && count->stack[count->top - 1] > depth) {
        int parting = count->stack[--count->top];
        count_below(count, below, parting);
        below = parting;
    }
    count_below(count, below, depth);
}

static size_t tree_nodes(const struct stream *stream)
{
    struct tree_count count = { 0 };
    char previous[STREAM_ID_BYTES], next[STREAM_ID_BYTES];
    for (size_t i = 0; i < stream_node_count(stream); i++) {
        stream_id_encode(stream_node_id(stream, i), next);
        int same = 0;
        while (i > 0 && previous[same] == next[same])
            same++;
        if (i > 0) {
            close_down_to(&count, same);
            if (count.top == 0 || count.stack[count.top - 1] != same)
                count.stack[count.top++] = same;
        }
        memcpy(previous, next, sizeof(next));
    }
    if (stream_node_count(stream) == 0)
        return 1;
    close_down_to(&count, -1);
    return count.nodes;
}

static void reply_head(struct call *call, const struct stream *stream)
{
    field_integer(call, "length", stream->length);
    field_integer(call, "radix-tree-keys", stream_node_count(stream));
    field_integer(call, "radix-tree-nodes", tree_nodes(stream));
    field_id(call, "last-generated-id", stream->last_id);
    field_id(call, "max-deleted-entry-id", stream->max_deleted_id);
    field_integer(call, "entries-added", stream->entries_added);
    field_id(call, "recorded-first-entry-id", stream->first_id);
}

static void reply_edge(struct call *call, const char *name, const struct stream *stream, bool first)
{
    struct stream_cursor cursor = stream_walk(stream, STREAM_ID_MIN, STREAM_ID_MAX, !first);
    struct stream_entry entry;
    field(call, name);
    if (stream_next(&cursor, &entry))
        stream_reply_entry(call, &entry);
    else
        reply_null(call->reply);
}

static void field_read(struct call *call, int64_t entries_read)
{
    field(call, "entries-read");
    if (entries_read == STREAM_ENTRIES_READ_UNKNOWN)
        reply_null(call->reply);
    else
        reply_integer(call->reply, entries_read);
}

static void field_lag(
    struct call *call, const struct stream *stream, const struct stream_group *group)
{
    uint64_t lag;
    field(call, "lag");
    if (stream_group_lag(stream, group, &lag))
        reply_integer(call->reply, (int64_t)lag);
    else
        reply_null(call->reply);
}

/* ---- FULL ---- */

static size_t at_most(size_t count, uint64_t limit)
{
    return limit && count > limit ? (size_t)limit : count;
}

static void reply_group_pending(struct call *call, const struct stream_group *group, uint64_t limit)
{
    struct idmap_cursor cursor = idmap_seek(&group->pending, STREAM_ID_MIN);
    struct stream_id id;
    const void *value;
    size_t count = at_most(group->pending.count, limit);
    field(call, "pending");
    reply_array(call->reply, count);
    while (count-- > 0 && idmap_next(&cursor, &id, &value)) {
        const struct stream_pending *pending = value;
        reply_array(call->reply, 4);
        stream_reply_id(call, id);
        reply_bulk(call->reply, stream_consumer_name(stream_consumer_of(group, pending)));
        reply_integer(call->reply, pending->delivered_ms);
        reply_integer(call->reply, (int64_t)pending->deliveries);
    }
}

static void reply_full_consumer(struct call *call, const struct stream_group *group,
    const struct stream_consumer *consumer, uint64_t limit)
{
    struct idmap_cursor cursor = idmap_seek(&consumer->pending, STREAM_ID_MIN);
    struct stream_id id;
    size_t count = at_most(consumer->pending.count, limit);
    reply_map(call->reply, 4);
    field(call, "name");
    reply_bulk(call->reply, stream_consumer_name(consumer));
    field_integer(call, "seen-time", (uint64_t)consumer->seen_ms);
    field_integer(call, "pel-count", consumer->pending.count);
    field(call, "pending");
    reply_array(call->reply, count);
    while (count-- > 0 && idmap_next(&cursor, &id, NULL)) {
        const struct stream_pending *pending = idmap_find(&group->pending, id);
        reply_array(call->reply, 3);
        stream_reply_id(call, id);
        reply_integer(call->reply, pending->delivered_ms);
        reply_integer(call->reply, (int64_t)pending->deliveries);
    }
}

static void reply_full_group(struct call *call, const struct stream *stream,
    const struct stream_group *group, uint64_t limit)
{
    reply_map(call->reply, 7);
    field(call, "name");
    reply_bulk(call->reply, stream_group_name(group));
    field_id(call, "last-delivered-id", group->last_id);
    field_read(call, group->entries_read);
    field_lag(call, stream, group);
    field_integer(call, "pel-count", group->pending.count);
    reply_group_pending(call, group, limit);
    field(call, "consumers");
    reply_array(call->reply, group->consumer_count);
    for (size_t i = 0; i < group->consumer_count; i++)
        reply_full_consumer(call, group, group->consumers[i], limit);
}

static void reply_full(struct call *call, const struct stream *stream, uint64_t limit)
{
    reply_map(call->reply, 9);
    reply_head(call, stream);
    field(call, "entries");
    stream_reply_range(call, stream, STREAM_ID_MIN, STREAM_ID_MAX, false, limit);
    field(call, "groups");
    reply_array(call->reply, stream->group_count);
    for (uint32_t i = 0; i < stream->group_count; i++)
        reply_full_group(call, stream, stream->groups[i], limit);
}

static void xinfo_stream(struct call *call)
{
    struct key key;
    int64_t limit = FULL_DEFAULT;
    bool full = call->argc > 3;
    if (!find_stream(call, &key))
        return;
    if (full && (!bytes_is(call->argv[3], "FULL") || (call->argc != 4 && call->argc != 6) ||
                    (call->argc == 6 && !bytes_is(call->argv[4], "COUNT")))) {
        call_error_subcommand(call);
        return;
    }
    if (call->argc == 6 && !call_integer(call, 5, &limit))
        return;
    const struct stream *stream = stream_of(&key);
    if (full) {
        reply_full(call, stream, limit < 0 ? FULL_DEFAULT : (uint64_t)limit);
        return;
    }
    reply_map(call->reply, 10);
    reply_head(call, stream);
    field_integer(call, "groups", stream->group_count);
    reply_edge(call, "first-entry", stream, true);
    reply_edge(call, "last-entry", stream, false);
}

/* ---- XINFO GROUPS and CONSUMERS ---- */

static void xinfo_groups(struct call *call)
{
    struct key key;
    if (!find_stream(call, &key))
        return;
    const struct stream *stream = stream_of(&key);
    reply_array(call->reply, stream->group_count);
    for (uint32_t i = 0; i < stream->group_count; i++) {
        const struct stream_group *group = stream->groups[i];
        reply_map(call->reply, 6);
        field(call, "name");
        reply_bulk(call->reply, stream_group_name(group));
        field_integer(call, "consumers", group->consumer_count);
        field_integer(call, "pending", group->pending.count);
        field_id(call, "last-delivered-id", group->last_id);
        field_read(call, group->entries_read);
        field_lag(call, stream, group);
    }
}

static void xinfo_consumers(struct call *call)
{
    struct key key;
    if (!find_stream(call, &key))
        return;
    const struct stream_group *group = stream_group_find(stream_of(&key), call->argv[3]);
    if (!group) {
        reply_error(call->reply, "NOGROUP No such consumer group '%.*s' for key name '%.*s'",
            (int)call->argv[3].len, call->argv[3].data, (int)key.name.len, key.name.data);
        return;
    }
    reply_array(call->reply, group->consumer_count);
    for (size_t i = 0; i < group->consumer_count; i++) {
        const struct stream_consumer *consumer = group->consumers[i];
        int64_t idle = call->now - consumer->seen_ms;
        reply_map(call->reply, 3);
        field(call, "name");
        reply_bulk(call->reply, stream_consumer_name(consumer));
        field_integer(call, "pending", consumer->pending.count);
        field_integer(call, "idle", idle < 0 ? 0 : (uint64_t)idle);
    }
}

/* ---- The table ---- */

static const struct command_arg full_block[] = { OPTION("count", ARG_INTEGER, "COUNT", NULL), { 0 } };

static const struct command xinfo_subcommands[] = {
    { "consumers", xinfo_consumers, 4, CMD_READONLY, KEYS(KEYS_AT(2, KEY_RO | KEY_ACCESS, 0)),
        .group = "stream", .since = "5.0.0", .complexity = "O(1)",
        .summary = "Tells about the consumers of a group", .tips = TIPS("nondeterministic_output"),
        .args = ARGS(KEY_ARG, ARG("groupname", ARG_STRING)) },
    { "groups", xinfo_groups, 3, CMD_READONLY, KEYS(KEYS_AT(2, KEY_RO | KEY_ACCESS, 0)),
        .group = "stream", .since = "5.0.0", .complexity = "O(1)",
        .summary = "Tells about the consumer groups of a stream",
        .history = HISTORY({ "7.0.0", "Added the `entries-read` and `lag` fields" }),
        .args = ARGS(KEY_ARG) },
    { "help", call_help, 2, CMD_LOADING | CMD_STALE, .categories = "@stream", .group = "stream",
        .since = "5.0.0", .complexity = "O(1)", .summary = "Tells about the subcommands" },
    { "stream", xinfo_stream, -3, CMD_READONLY, KEYS(KEYS_AT(2, KEY_RO | KEY_ACCESS, 0)),
        .group = "stream", .since = "5.0.0", .complexity = "O(N), N listpacks of the stream",
        .summary = "Tells about a stream",
        .history = HISTORY({ "6.0.0", "Added the `FULL` modifier." },
            { "7.0.0", "Added the `max-deleted-entry-id`, `entries-added`, "
                       "`recorded-first-entry-id`, `entries-read` and `lag` fields" }),
        .args = ARGS(KEY_ARG, { "full", ARG_BLOCK, ARG_OPTIONAL, "FULL", 0, NULL, full_block }) },
    { 0 }
};

const struct command stream_info_commands[] = {
    { "xinfo", NULL, -2, 0, .group = "stream", .since = "5.0.0",
        .complexity = "Depends on the subcommand", .summary = "Tells about streams",
        .subcommands = xinfo_subcommands },
    { 0 }
};
