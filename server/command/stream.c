/* Streams without groups: adding, reading and removing entries. */
#include "server/command/stream.h"

#include "server/command/families.h"
#include "server/command/notify.h"
#include "server/command/rows.h"
#include "server/config.h"

#include "common/memory.h"
#include "common/number.h"
#include <stdlib.h>

/* ---- What XADD and XTRIM share ---- */

struct trim_args {
    struct stream_trim trim;
    int value_at;   /* of the length or ID; 0: none was given */
    int id_at;      /* XADD: of the entry's ID */
    bool limited;   /* LIMIT was given */
    bool no_stream; /* NOMKSTREAM */
};

static bool parse_trim(struct call *call, int *at, struct trim_args *args, enum stream_trim_by by)
{
    if (args->trim.by != STREAM_TRIM_NONE) {
        reply_error(call->reply,
            "syntax error, MAXLEN and MINID options at the same time are not compatible");
        return false;
    }
    args->trim.by = by;
    if (call->argc - 1 - *at >= 2) {
        args->trim.approximate = bytes_is(call->argv[*at + 1], "~");
        *at += args->trim.approximate || bytes_is(call->argv[*at + 1], "=");
    }
    args->value_at = ++*at;
    if (by == STREAM_TRIM_ID)
        return stream_id_parse(call, *at, 0, &args->trim.id);
    int64_t length;
    if (!call_integer(call, *at, &length))
        return false;
    args->trim.length = (uint64_t)length;
    if (length >= 0)
        return true;
    reply_error(call->reply, "The MAXLEN argument must be >= 0.");
    return false;
}

static bool parse_limit(struct call *call, int at, struct trim_args *args)
{
    int64_t limit;
    if (!call_integer(call, at, &limit))
        return false;
    args->trim.limit = (uint64_t)limit;
    args->limited = true;
    if (limit >= 0)
        return true;
    reply_error(call->reply, "The LIMIT argument must be >= 0.");
    return false;
}

/* Trimming about so far is bounded in its work; what is replayed did all its work elsewhere. */
static bool settle_limit(struct call *call, struct trim_args *args)
{
    enum { LIMIT_DEFAULT = 10000, LIMIT_MAX = 1000000 };
    if (args->trim.limit && args->trim.by == STREAM_TRIM_NONE) {
        reply_error(call->reply,
            "syntax error, LIMIT cannot be used without specifying a trimming strategy");
        return false;
    }
    if (!args->id_at && args->trim.by == STREAM_TRIM_NONE) {
        reply_error(call->reply, "syntax error, XTRIM must be called with a trimming strategy");
        return false;
    }
    if (!call_from_client(call)) {
        args->trim.limit = 0;
    } else if (args->limited && !args->trim.approximate) {
        reply_error(call->reply, "syntax error, LIMIT cannot be used without the special ~ option");
        return false;
    } else if (!args->limited && args->trim.approximate) {
        int64_t limit = config_number(CONFIG_STREAM_NODE_MAX_ENTRIES);
        limit = limit > LIMIT_MAX / 100 ? LIMIT_MAX : limit * 100;
        args->trim.limit = (uint64_t)(limit > 0 ? limit : LIMIT_DEFAULT);
    }
    return true;
}

/* The ID of XADD: "*", ms-seq, ms-*. */
struct new_id {
    struct stream_id id;
    bool given, seq_given;
};

static bool parse_new_id(struct call *call, int at, struct new_id *new_id)
{
    struct bytes text = call->argv[at];
    new_id->given = !bytes_is(text, "*");
    new_id->seq_given = true;
    if (!new_id->given)
        return true;
    if (text.len > 2 && memcmp(text.data + text.len - 2, "-*", 2) == 0) {
        new_id->seq_given = false;
        new_id->id.seq = 0;
        if (number_parse_unsigned((struct bytes){ text.data, text.len - 2 }, &new_id->id.ms))
            return true;
    }
    return stream_id_parse(call, at, 0, &new_id->id);
}

static bool parse_args(struct call *call, struct trim_args *args, struct new_id *new_id)
{
    *args = (struct trim_args){ 0 };
    for (int i = 2; i < call->argc && !args->id_at; i++) {
        struct bytes option = call->argv[i];
        bool more = i + 1 < call->argc, good = true;
        if (new_id && bytes_is(option, "*"))
            args->id_at = i;
        else if (bytes_is(option, "MAXLEN") && more)
            good = parse_trim(call, &i, args, STREAM_TRIM_LENGTH);
        else if (bytes_is(option, "MINID") && more)
            good = parse_trim(call, &i, args, STREAM_TRIM_ID);
        else if (bytes_is(option, "LIMIT") && more)
            good = parse_limit(call, ++i, args);
        else if (new_id && bytes_is(option, "NOMKSTREAM"))
            args->no_stream = true;
        else if (new_id)
            args->id_at = i;
        else
            call_error_syntax(call);
        if (!good || (!new_id && call->reply->errors != call->errors))
            return false;
        if (args->id_at && !parse_new_id(call, args->id_at, new_id))
            return false;
    }
    return settle_limit(call, args);
}

/* "=" and what has come of the trimming, for the journal. */
static struct bytes trim_result(
    const struct stream *stream, const struct trim_args *args, char *room)
{
    if (args->trim.by == STREAM_TRIM_ID)
        return stream_id_format(stream_edge(stream, true), room);
    return (struct bytes){ room, number_format_unsigned(room, stream->length) };
}

static struct bytes trim_name(const struct trim_args *args)
{
    return args->trim.by == STREAM_TRIM_ID ? BYTES("MINID") : BYTES("MAXLEN");
}

/* ---- XADD ---- */

/* The ID that the entry gets; false: there is none above those that were. */
static bool choose_id(const struct call *call, const struct stream *stream,
    const struct new_id *wanted, struct stream_id *id)
{
    if (wanted->given && wanted->seq_given) {
        *id = wanted->id;
    } else if (wanted->given) {
        *id = wanted->id.ms == stream->last_id.ms ? stream->last_id : wanted->id;
        if (wanted->id.ms == stream->last_id.ms && ++id->seq == 0)
            return false;
    } else if ((uint64_t)call->now > stream->last_id.ms) {
        *id = (struct stream_id){ (uint64_t)call->now, 0 };
    } else {
        *id = stream->last_id;
        stream_id_increase(id);
    }
    return stream_id_compare(*id, stream->last_id) > 0;
}

static void effect_of_add(struct call *call, const struct stream *stream,
    const struct trim_args *args, struct stream_id id)
{
    char id_text[STREAM_ID_TEXT_MAX], trim_text[STREAM_ID_TEXT_MAX];
    int fields = call->argc - args->id_at - 1, argc = 0;
    struct bytes *argv = memory_alloc(((size_t)fields + 6) * sizeof(*argv));
    argv[argc++] = BYTES("XADD");
    argv[argc++] = call->argv[1];
    if (args->trim.by != STREAM_TRIM_NONE) {
        argv[argc++] = trim_name(args);
        argv[argc++] = BYTES("=");
        argv[argc++] = args->trim.approximate ? trim_result(stream, args, trim_text)
                                              : call->argv[args->value_at];
    }
    argv[argc++] = stream_id_format(id, id_text);
    memcpy(&argv[argc], &call->argv[args->id_at + 1], (size_t)fields * sizeof(*argv));
    call_effect(call, argv, argc + fields);
    free(argv);
}

static struct stream_limits limits_now(void)
{
    return (struct stream_limits){ (size_t)config_number(CONFIG_STREAM_NODE_MAX_BYTES),
        (uint64_t)config_number(CONFIG_STREAM_NODE_MAX_ENTRIES) };
}

/* Adds the entry to the stream; false: the error has been written. */
static bool add_entry(struct call *call, struct stream *stream, const struct trim_args *args,
    const struct new_id *new_id, struct stream_id *id)
{
    struct stream_limits limits = limits_now();
    size_t count = (size_t)(call->argc - args->id_at - 1) / 2;
    if (stream_id_compare(stream->last_id, STREAM_ID_MAX) == 0)
        reply_error(
            call->reply, "The stream has exhausted the last possible ID, unable to add more items");
    else if (!choose_id(call, stream, new_id, id))
        reply_error(call->reply, "The ID specified in XADD is equal or smaller than the target "
                                 "stream top item");
    else if (!stream_append(stream, *id, &call->argv[args->id_at + 1], count, &limits))
        reply_error(call->reply, "Elements are too large to be stored");
    else
        return true;
    return false;
}

static void xadd(struct call *call)
{
    struct trim_args args;
    struct new_id new_id;
    struct key key;
    struct stream_id id;
    bool wrong;
    if (!parse_args(call, &args, &new_id))
        return;
    int fields = call->argc - args.id_at - 1;
    if (!args.id_at || fields < 2 || fields % 2) {
        call_error_arity(call);
        return;
    }
    if (new_id.given && new_id.seq_given && stream_id_is_zero(new_id.id)) {
        reply_error(call->reply, "The ID specified in XADD must be greater than 0-0");
        return;
    }
    bool there = key_write_type(call, 1, TYPE_STREAM, &key, &wrong);
    if (wrong)
        return;
    if (!there && args.no_stream) {
        reply_null(call->reply);
        return;
    }
    struct stream *stream = there ? stream_open(call, &key) : stream_create();
    if (!add_entry(call, stream, &args, &new_id, &id)) {
        if (!there)
            stream_release(stream);
        return;
    }
    uint64_t trimmed = args.trim.by != STREAM_TRIM_NONE ? stream_trim(stream, &args.trim) : 0;
    if (there) {
        key_did_change(call, &key);
        block_signal(call, &key);
    } else {
        key_set(call, &key,
            entry_create_value(key.name, TYPE_STREAM, ENCODING_STREAM, stream, ENTRY_NO_EXPIRY));
    }
    stream_reply_id(call, id);
    key_notify(call, &key, NOTIFY_STREAM, "xadd");
    if (trimmed > 0)
        key_notify(call, &key, NOTIFY_STREAM, "xtrim");
    if (args.trim.approximate || !new_id.given || !new_id.seq_given)
        effect_of_add(call, stream, &args, id);
}

/* ---- Reading ---- */

static void xlen(struct call *call)
{
    struct key key;
    bool wrong, there = key_read_type(call, 1, TYPE_STREAM, &key, &wrong);
    if (!wrong)
        reply_integer(call->reply, there ? (int64_t)stream_of(&key)->length : 0);
}

static void range(struct call *call, bool backwards)
{
    struct key key;
    bool wrong;
    struct stream_id from, to;
    int64_t limit = -1;
    if (!stream_interval_parse(call, backwards ? 3 : 2, true, &from) ||
        !stream_interval_parse(call, backwards ? 2 : 3, false, &to))
        return;
    for (int i = 4; i < call->argc; i += 2) {
        if (!bytes_is(call->argv[i], "COUNT") || i + 1 == call->argc) {
            call_error_syntax(call);
            return;
        }
        if (!call_integer(call, i + 1, &limit))
            return;
        limit = limit < 0 ? 0 : limit;
    }
    bool there = key_read_type(call, 1, TYPE_STREAM, &key, &wrong);
    if (wrong)
        return;
    if (!there)
        reply_array(call->reply, 0);
    else if (limit == 0)
        reply_null_array(call->reply);
    else
        stream_reply_range(
            call, stream_of(&key), from, to, backwards, limit < 0 ? 0 : (uint64_t)limit);
}

static void xrange(struct call *call)
{
    range(call, false);
}

static void xrevrange(struct call *call)
{
    range(call, true);
}

/* ---- Removing ---- */

static bool ids_are_valid(struct call *call, int first)
{
    struct stream_id id;
    for (int i = first; i < call->argc; i++) {
        if (!stream_id_parse(call, i, 0, &id))
            return false;
    }
    return true;
}

static void xdel(struct call *call)
{
    struct key key;
    bool wrong, first_gone = false;
    int64_t deleted = 0;
    if (!key_write_type(call, 1, TYPE_STREAM, &key, &wrong)) {
        if (!wrong)
            reply_integer(call->reply, 0);
        return;
    }
    if (!ids_are_valid(call, 2))
        return;
    struct stream *stream = stream_open(call, &key);
    for (int i = 2; i < call->argc; i++) {
        struct stream_id id;
        stream_id_read(call->argv[i], 0, &id);
        if (!stream_delete(stream, id))
            continue;
        deleted++;
        first_gone |= stream_id_compare(id, stream->first_id) == 0;
        if (stream_id_compare(id, stream->max_deleted_id) > 0)
            stream->max_deleted_id = id;
    }
    if (first_gone)
        stream->first_id = stream->length ? stream_edge(stream, true) : STREAM_ID_MIN;
    if (deleted > 0) {
        key_did_change(call, &key);
        key_notify(call, &key, NOTIFY_STREAM, "xdel");
    }
    reply_integer(call->reply, deleted);
}

static void xtrim(struct call *call)
{
    struct trim_args args;
    struct key key;
    bool wrong;
    if (!parse_args(call, &args, NULL))
        return;
    if (!key_write_type(call, 1, TYPE_STREAM, &key, &wrong)) {
        if (!wrong)
            reply_integer(call->reply, 0);
        return;
    }
    struct stream *stream = stream_open(call, &key);
    uint64_t trimmed = stream_trim(stream, &args.trim);
    if (trimmed > 0) {
        key_did_change(call, &key);
        key_notify(call, &key, NOTIFY_STREAM, "xtrim");
    }
    if (trimmed > 0 && args.trim.approximate) {
        char text[STREAM_ID_TEXT_MAX];
        call_effect(call,
            (struct bytes[]){ BYTES("XTRIM"), key.name, trim_name(&args), BYTES("="),
                trim_result(stream, &args, text) },
            5);
    }
    reply_integer(call->reply, (int64_t)trimmed);
}

/* ---- XSETID ---- */

struct setid_args {
    struct stream_id last_id, max_deleted_id;
    int64_t entries_added; /* -1: not given */
};

static bool parse_setid(struct call *call, struct setid_args *args)
{
    *args = (struct setid_args){ .entries_added = -1 };
    if (!stream_id_parse(call, 2, 0, &args->last_id))
        return false;
    for (int i = 3; i < call->argc; i += 2) {
        bool more = i + 1 < call->argc;
        if (more && bytes_is(call->argv[i], "ENTRIESADDED")) {
            if (!call_integer(call, i + 1, &args->entries_added))
                return false;
            if (args->entries_added < 0) {
                reply_error(call->reply, "entries_added must be positive");
                return false;
            }
        } else if (more && bytes_is(call->argv[i], "MAXDELETEDID")) {
            if (!stream_id_parse(call, i + 1, 0, &args->max_deleted_id))
                return false;
            if (stream_id_compare(args->last_id, args->max_deleted_id) < 0) {
                reply_error(call->reply, "The ID specified in XSETID is smaller than the provided "
                                         "max_deleted_entry_id");
                return false;
            }
        } else {
            call_error_syntax(call);
            return false;
        }
    }
    return true;
}

/* Why the stream can't be set to that; NULL: it can. */
static const char *setid_refusal(const struct stream *stream, const struct setid_args *args)
{
    if (stream->length > 0 && stream_id_compare(stream_edge(stream, false), args->last_id) > 0)
        return "The ID specified in XSETID is smaller than the target stream top item";
    if (stream->length > 0 && args->entries_added >= 0 &&
        stream->length > (uint64_t)args->entries_added)
        return "The entries_added specified in XSETID is smaller than the target stream length";
    return NULL;
}

static void xsetid(struct call *call)
{
    struct setid_args args;
    struct key key;
    bool wrong;
    if (!parse_setid(call, &args))
        return;
    if (!key_write_type(call, 1, TYPE_STREAM, &key, &wrong)) {
        if (!wrong)
            reply_error(call->reply, "no such key");
        return;
    }
    const char *refusal = setid_refusal(stream_of(&key), &args);
    if (refusal) {
        reply_error(call->reply, "%s", refusal);
        return;
    }
    struct stream *stream = stream_open(call, &key);
    stream->last_id = args.last_id;
    if (args.entries_added >= 0)
        stream->entries_added = (uint64_t)args.entries_added;
    if (!stream_id_is_zero(args.max_deleted_id))
        stream->max_deleted_id = args.max_deleted_id;
    reply_ok(call->reply);
    key_did_change(call, &key);
    key_notify(call, &key, NOTIFY_STREAM, "xsetid");
}

/* ---- The table ---- */

enum { WRITE = CMD_WRITE | CMD_FAST };

static const struct command_arg strategy_args[] = { TOKEN("maxlen", "MAXLEN"),
    { "minid", ARG_PURE_TOKEN, 0, "MINID", 0, "6.2.0", NULL }, { 0 } };
static const struct command_arg operator_args[] = { TOKEN("equal", "="),
    TOKEN("approximately", "~"), { 0 } };
static const struct command_arg trim_block[] = { CHOICE("strategy", 0, strategy_args),
    CHOICE("operator", ARG_OPTIONAL, operator_args), ARG("threshold", ARG_STRING),
    OPTION("count", ARG_INTEGER, "LIMIT", "6.2.0"), { 0 } };
static const struct command_arg id_choice[] = { TOKEN("auto_id", "*"), ARG("id", ARG_STRING),
    { 0 } };
static const struct command_arg field_block[] = { ARG("field", ARG_STRING),
    ARG("value", ARG_STRING), { 0 } };

const struct command stream_commands[] = {
    { "xadd", xadd, -5, WRITE | CMD_DENYOOM,
        KEYS({ KEY_BEGIN_INDEX, KEY_RW | KEY_UPDATE, 1, NULL, KEY_FIND_RANGE, 0, 1, 0, 0, 0,
            "UPDATE instead of INSERT because of the optional trimming feature" }),
        .group = "stream", .since = "5.0.0",
        .complexity = "O(1) to add, O(N) to trim, N entries that go",
        .summary = "Adds an entry to a stream, which is made if it is not there",
        .tips = TIPS("nondeterministic_output"),
        .history =
            HISTORY({ "6.2.0", "Added the `NOMKSTREAM` option, `MINID` trimming strategy and the "
                               "`LIMIT` option." },
                { "7.0.0", "Added support for the `<ms>-*` explicit ID form." }),
        .args = ARGS(KEY_ARG,
            { "nomkstream", ARG_PURE_TOKEN, ARG_OPTIONAL, "NOMKSTREAM", 0, "6.2.0", NULL },
            { "trim", ARG_BLOCK, ARG_OPTIONAL, NULL, 0, NULL, trim_block },
            CHOICE("id_or_auto", 0, id_choice),
            { "field_value", ARG_BLOCK, ARG_MULTIPLE, NULL, 0, NULL, field_block }) },
    { "xdel", xdel, -3, WRITE, KEYS(ONE_KEY(KEY_RW | KEY_DELETE)), .group = "stream",
        .since = "5.0.0", .complexity = "O(1) for each ID",
        .summary = "Removes entries from a stream",
        .args = ARGS(KEY_ARG, ARG_MANY("id", ARG_STRING)) },
    { "xlen", xlen, 2, CMD_READONLY | CMD_FAST, KEYS(ONE_KEY(KEY_RO)), .group = "stream",
        .since = "5.0.0", .complexity = "O(1)", .summary = "Counts the entries of a stream",
        .args = ARGS(KEY_ARG) },
    { "xrange", xrange, -4, CMD_READONLY, keys_first_ro, .group = "stream", .since = "5.0.0",
        .complexity = "O(N), N entries returned",
        .summary = "Returns the entries of a stream between two IDs",
        .history = HISTORY({ "6.2.0", "Added exclusive ranges." }),
        .args = ARGS(KEY_ARG, ARG("start", ARG_STRING), ARG("end", ARG_STRING),
            OPTION("count", ARG_INTEGER, "COUNT", NULL)) },
    { "xrevrange", xrevrange, -4, CMD_READONLY, keys_first_ro, .group = "stream", .since = "5.0.0",
        .complexity = "O(N), N entries returned",
        .summary = "Returns the entries of a stream between two IDs, the last one first",
        .history = HISTORY({ "6.2.0", "Added exclusive ranges." }),
        .args = ARGS(KEY_ARG, ARG("end", ARG_STRING), ARG("start", ARG_STRING),
            OPTION("count", ARG_INTEGER, "COUNT", NULL)) },
    { "xsetid", xsetid, -3, CMD_WRITE | CMD_DENYOOM | CMD_FAST, KEYS(ONE_KEY(KEY_RW | KEY_UPDATE)),
        .group = "stream", .since = "5.0.0", .complexity = "O(1)",
        .summary = "Sets the last ID and the counters of a stream; for replication and files",
        .history = HISTORY({ "7.0.0", "Added the `entries_added` and `max_deleted_entry_id` "
                                      "arguments." }),
        .args = ARGS(KEY_ARG, ARG("last-id", ARG_STRING),
            OPTION("entries_added", ARG_INTEGER, "ENTRIESADDED", "7.0.0"),
            OPTION("max_deleted_entry_id", ARG_STRING, "MAXDELETEDID", "7.0.0")) },
    { "xtrim", xtrim, -4, CMD_WRITE, KEYS(ONE_KEY(KEY_RW | KEY_DELETE)), .group = "stream",
        .since = "5.0.0", .complexity = "O(N), N entries that go",
        .summary = "Removes the oldest entries of a stream",
        .tips = TIPS("nondeterministic_output"),
        .history = HISTORY({ "6.2.0", "Added the `MINID` trimming strategy and the `LIMIT` "
                                      "option." }),
        .args = ARGS(KEY_ARG, { "trim", ARG_BLOCK, 0, NULL, 0, NULL, trim_block }) },
    { 0 }
};
