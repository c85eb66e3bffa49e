/* XCLAIM and XAUTOCLAIM: pending entries change hands. What is journaled is each change as an
 * XCLAIM that has the same outcome anywhere; of an entry that the stream no longer has, it removes
 * what is pending. */
#include "server/command/families.h"
#include "server/command/rows.h"
#include "server/command/stream.h"

#include "common/memory.h"
#include "common/number.h"
#include <stdlib.h>

/* The group argv[2] of the stream argv[1], to be changed. NULL: the error has been written. */
static struct stream_group *find_group(struct call *call, struct key *key)
{
    bool wrong, there = key_write_type(call, 1, TYPE_STREAM, key, &wrong);
    if (wrong)
        return NULL;
    if (there && stream_group_find(stream_of(key), call->argv[2]))
        return stream_group_find(stream_open(call, key), call->argv[2]);
    reply_error(call->reply, "NOGROUP No such key '%.*s' or consumer group '%.*s'",
        (int)key->name.len, key->name.data, (int)call->argv[2].len, call->argv[2].data);
    return NULL;
}

static bool parse_idle(struct call *call, int64_t *min_idle)
{
    if (!number_parse(call->argv[4], min_idle)) {
        reply_error(call->reply, "Invalid min-idle-time argument for %s",
            strcmp(call->entry->name, "xclaim") == 0 ? "XCLAIM" : "XAUTOCLAIM");
        return false;
    }
    if (*min_idle < 0)
        *min_idle = 0;
    return true;
}

/* The stream has not got the entry any more. */
static void forget(struct call *call, const struct key *key, struct stream_group *group,
    struct stream_id id, const struct stream_pending *pending)
{
    struct stream_pending last = *pending;
    stream_pending_remove(group, id);
    stream_effect_claim(call, key, group, id, call->argv[3], &last);
    call_changed(call);
}

/* ---- XCLAIM ---- */

struct claim_args {
    int64_t min_idle, delivered_ms, deliveries; /* -1: count one more */
    bool force, only_ids;
    bool has_last_id;
    struct stream_id last_id;
    int ids_end; /* the first argument that is no ID */
};

/* An option that takes a number; false: the error has been written. */
static bool parse_number(struct call *call, int at, const char *option, int64_t *value)
{
    if (number_parse(call->argv[at], value))
        return true;
    reply_error(call->reply, "Invalid %s option argument for XCLAIM", option);
    return false;
}

static bool parse_claim(struct call *call, struct claim_args *args)
{
    struct stream_id id;
    args->delivered_ms = call->now;
    args->deliveries = -1;
    args->ids_end = 5;
    while (args->ids_end < call->argc && stream_id_read(call->argv[args->ids_end], 0, &id))
        args->ids_end++;
    for (int i = args->ids_end; i < call->argc; i++) {
        struct bytes option = call->argv[i];
        bool more = i + 1 < call->argc, good = true;
        int64_t number;
        if (bytes_is(option, "FORCE")) {
            args->force = true;
        } else if (bytes_is(option, "JUSTID")) {
            args->only_ids = true;
        } else if (bytes_is(option, "IDLE") && more) {
            good = parse_number(call, ++i, "IDLE", &number);
            if (good && __builtin_sub_overflow(call->now, number, &args->delivered_ms))
                args->delivered_ms = call->now;
        } else if (bytes_is(option, "TIME") && more) {
            good = parse_number(call, ++i, "TIME", &args->delivered_ms);
        } else if (bytes_is(option, "RETRYCOUNT") && more) {
            good = parse_number(call, ++i, "RETRYCOUNT", &args->deliveries);
        } else if (bytes_is(option, "LASTID") && more) {
            good = stream_id_parse(call, ++i, 0, &args->last_id);
            args->has_last_id = true;
        } else {
            reply_error(call->reply, "Unrecognized XCLAIM option '%.*s'",
                (int)(option.len < 128 ? option.len : 128), option.data);
            return false;
        }
        if (!good)
            return false;
    }
    if (args->delivered_ms < 0 || args->delivered_ms > call->now)
        args->delivered_ms = call->now;
    return true;
}

/* What is pending of the entry, if the consumer may have it; made by FORCE. */
static const struct stream_pending *claimable(struct call *call, struct stream_group *group,
    struct stream_id id, const struct claim_args *args, bool *made)
{
    const struct stream_pending *pending = idmap_find(&group->pending, id);
    *made = !pending && args->force;
    if (!pending || (args->min_idle && call->now - pending->delivered_ms < args->min_idle))
        return NULL;
    return pending;
}

/* One ID; returns whether something was replied. */
static bool claim(struct call *call, struct key *key, struct stream_group *group,
    struct stream_id id, const struct claim_args *args)
{
    const struct stream *stream = stream_of(key);
    const struct stream_pending *there = idmap_find(&group->pending, id);
    bool made;
    if (!stream_has(stream, id)) {
        if (there)
            forget(call, key, group, id, there);
        return false;
    }
    if (!claimable(call, group, id, args, &made) && !made)
        return false;
    struct stream_consumer *consumer = stream_consumer_use(call, key, group, call->argv[3]);
    struct stream_pending *pending = stream_pending_give(group, id, consumer);
    pending->delivered_ms = args->delivered_ms;
    if (made)
        pending->deliveries = 1;
    if (args->deliveries >= 0)
        pending->deliveries = (uint64_t)args->deliveries;
    else if (!args->only_ids)
        pending->deliveries++;
    stream_effect_claim(call, key, group, id, call->argv[3], pending);
    call_changed(call);
    if (args->only_ids)
        stream_reply_id(call, id);
    else
        stream_reply_id_entry(call, stream, id);
    return true;
}

static void xclaim(struct call *call)
{
    struct claim_args args = { 0 };
    struct key key;
    struct stream_group *group = find_group(call, &key);
    if (!group || !parse_idle(call, &args.min_idle) || !parse_claim(call, &args))
        return;
    bool moved = args.has_last_id && stream_id_compare(args.last_id, group->last_id) > 0;
    if (moved)
        group->last_id = args.last_id;
    struct stream_consumer *consumer = stream_consumer_find(group, call->argv[3]);
    if (consumer)
        consumer->seen_ms = call->now;
    size_t count = 0;
    struct reply_mark mark = reply_deferred(call->reply);
    for (int i = 5; i < args.ids_end; i++) {
        struct stream_id id;
        stream_id_read(call->argv[i], 0, &id);
        count += claim(call, &key, group, id, &args);
    }
    reply_deferred_array(call->reply, mark, count);
    if (moved && !call->changed) {
        call_changed(call);
        stream_effect_position(call, &key, group);
    }
}

/* ---- XAUTOCLAIM ---- */

struct auto_args {
    int64_t min_idle, count;
    struct stream_id from;
    bool only_ids;
};

static bool parse_auto(struct call *call, struct auto_args *args)
{
    enum { COUNT_DEFAULT = 100, ATTEMPTS = 10 };
    *args = (struct auto_args){ .count = COUNT_DEFAULT };
    if (!parse_idle(call, &args->min_idle) || !stream_interval_parse(call, 5, true, &args->from))
        return false;
    for (int i = 6; i < call->argc; i++) {
        if (bytes_is(call->argv[i], "COUNT") && i + 1 < call->argc) {
            if (!number_parse(call->argv[++i], &args->count) || args->count < 1 ||
                args->count > INT64_MAX / (ATTEMPTS * (int64_t)sizeof(struct stream_id))) {
                reply_error(call->reply, "COUNT must be > 0");
                return false;
            }
        } else if (bytes_is(call->argv[i], "JUSTID")) {
            args->only_ids = true;
        } else {
            call_error_syntax(call);
            return false;
        }
    }
    return true;
}

/* The IDs that will be looked at, as what is pending changes meanwhile; at most `max` and one more,
 * from which the next call goes on. */
static struct stream_id *copy_pending(
    const struct stream_group *group, struct stream_id from, size_t max, size_t *count)
{
    size_t room = group->pending.count < max ? group->pending.count : max;
    struct stream_id *ids = memory_alloc((room + 1) * sizeof(*ids));
    struct idmap_cursor cursor = idmap_seek(&group->pending, from);
    *count = 0;
    while (*count <= room && idmap_next(&cursor, &ids[*count], NULL))
        ++*count;
    return ids;
}

static void reply_ids(struct call *call, const struct stream_id *ids, size_t count)
{
    reply_array(call->reply, count);
    for (size_t i = 0; i < count; i++)
        stream_reply_id(call, ids[i]);
}

static void take(struct call *call, struct key *key, struct stream_group *group,
    struct stream_consumer *consumer, struct stream_id id, bool only_id)
{
    struct stream_pending *pending = stream_pending_give(group, id, consumer);
    pending->delivered_ms = call->now;
    if (!only_id)
        pending->deliveries++;
    stream_effect_claim(call, key, group, id, call->argv[3], pending);
    call_changed(call);
    if (only_id)
        stream_reply_id(call, id);
    else
        stream_reply_id_entry(call, stream_of(key), id);
}

static void xautoclaim(struct call *call)
{
    enum { ATTEMPTS = 10 };
    struct auto_args args;
    struct key key;
    if (!parse_auto(call, &args))
        return;
    struct stream_group *group = find_group(call, &key);
    if (!group)
        return;
    struct stream_consumer *consumer = stream_consumer_use(call, &key, group, call->argv[3]);
    size_t attempts = (size_t)args.count * ATTEMPTS, count, looked = 0, gone = 0, claimed = 0;
    struct stream_id *ids = copy_pending(group, args.from, attempts, &count);
    struct stream_id *deleted = memory_alloc((count + 1) * sizeof(*deleted));
    size_t start = call->reply->bytes.len;
    struct reply_mark mark = reply_deferred(call->reply);
    for (; looked < count && looked < attempts && args.count > 0; looked++) {
        const struct stream_pending *pending = idmap_find(&group->pending, ids[looked]);
        if (!stream_has(stream_of(&key), ids[looked])) {
            forget(call, &key, group, ids[looked], pending);
            deleted[gone++] = ids[looked];
            args.count--;
        } else if (!args.min_idle || call->now - pending->delivered_ms >= args.min_idle) {
            take(call, &key, group, consumer, ids[looked], args.only_ids);
            claimed++;
            args.count--;
        }
    }
    reply_deferred_array(call->reply, mark, claimed);
    /* The place to go on from stands before the entries. */
    struct buffer entries = { 0 };
    buffer_append(&entries, call->reply->bytes.data + start, call->reply->bytes.len - start);
    reply_cut(call->reply, start);
    reply_array(call->reply, 3);
    stream_reply_id(call, looked < count ? ids[looked] : STREAM_ID_MIN);
    reply_raw(call->reply, buffer_bytes(&entries));
    reply_ids(call, deleted, gone);
    buffer_free(&entries);
    free(deleted);
    free(ids);
}

/* ---- The table ---- */

#define GROUP_ARG ARG("group", ARG_STRING)
#define CONSUMER_ARG ARG("consumer", ARG_STRING)

const struct command stream_claim_commands[] = {
    { "xautoclaim", xautoclaim, -6, CMD_WRITE | CMD_FAST,
        KEYS(ONE_KEY(KEY_RW | KEY_DELETE)), .group = "stream", .since = "6.2.0",
        .complexity = "O(1), for a small COUNT",
        .summary =
            "Gives entries that have been pending for long to another consumer, as it finds them",
        .tips = TIPS("nondeterministic_output"),
        .history = HISTORY({ "7.0.0", "Added an element to the reply array, containing deleted "
                                      "entries the command cleared from the PEL" }),
        .args = ARGS(KEY_ARG, GROUP_ARG, CONSUMER_ARG, ARG("min-idle-time", ARG_STRING),
            ARG("start", ARG_STRING), OPTION("count", ARG_INTEGER, "COUNT", NULL),
            { "justid", ARG_PURE_TOKEN, ARG_OPTIONAL, "JUSTID", 0, NULL, NULL }) },
    { "xclaim", xclaim, -6, CMD_WRITE | CMD_FAST, KEYS(ONE_KEY(KEY_RW | KEY_UPDATE)),
        .group = "stream", .since = "5.0.0",
        .complexity = "O(log N), N entries pending in the group",
        .summary = "Gives pending entries to another consumer",
        .tips = TIPS("nondeterministic_output"),
        .args = ARGS(KEY_ARG, GROUP_ARG, CONSUMER_ARG, ARG("min-idle-time", ARG_STRING),
            ARG_MANY("id", ARG_STRING), OPTION("ms", ARG_INTEGER, "IDLE", NULL),
            OPTION("unix-time-milliseconds", ARG_UNIX_TIME, "TIME", NULL),
            OPTION("count", ARG_INTEGER, "RETRYCOUNT", NULL),
            { "force", ARG_PURE_TOKEN, ARG_OPTIONAL, "FORCE", 0, NULL, NULL },
            { "justid", ARG_PURE_TOKEN, ARG_OPTIONAL, "JUSTID", 0, NULL, NULL },
            OPTION("id", ARG_STRING, "LASTID", NULL)) },
    { 0 }
};
