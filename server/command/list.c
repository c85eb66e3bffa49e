/* Lists: pushing, reading and changing. Popping is in list_pop.c, moving in list_move.c. */
#include "server/command/families.h"
#include "server/command/list_key.h"
#include "server/command/rows.h"
#include "server/command/tracking.h"
#include "server/command/watch.h"

#include "common/number.h"

/* ---- Pushing ---- */

static void push(struct call *call, enum list_end end, bool only_if_there)
{
    struct key key;
    bool wrong;
    if (!key_write_type(call, 1, TYPE_LIST, &key, &wrong) && (wrong || only_if_there)) {
        if (!wrong)
            reply_integer(call->reply, 0);
        return;
    }
    list_push_all(call, &key, end, call->argv + 2, call->argc - 2);
    reply_integer(call->reply, (int64_t)list_of(&key)->count);
    list_tell_pushed(call, &key, end);
}

static void lpush(struct call *call)
{
    push(call, LIST_HEAD, false);
}

static void rpush(struct call *call)
{
    push(call, LIST_TAIL, false);
}

static void lpushx(struct call *call)
{
    push(call, LIST_HEAD, true);
}

static void rpushx(struct call *call)
{
    push(call, LIST_TAIL, true);
}

/* ---- Reading ---- */

static void llen(struct call *call)
{
    struct key key;
    bool wrong;
    if (key_read_type(call, 1, TYPE_LIST, &key, &wrong))
        reply_integer(call->reply, (int64_t)list_of(&key)->count);
    else if (!wrong)
        reply_integer(call->reply, 0);
}

static void lindex(struct call *call)
{
    struct key key;
    bool wrong;
    int64_t index;
    if (!key_read_type(call, 1, TYPE_LIST, &key, &wrong)) {
        if (!wrong)
            reply_null(call->reply);
        return;
    }
    if (!call_integer(call, 2, &index))
        return;
    struct list_cursor cursor;
    char scratch[NUMBER_TEXT_MAX];
    if (list_seek(&cursor, list_of(&key), index))
        reply_bulk(call->reply, list_get(&cursor, scratch));
    else
        reply_null(call->reply);
    list_cursor_end(&cursor);
}

/* From and to, counted from the end where negative, as a stretch that is there: *start and how
 * many. */
static size_t clip(int64_t start, int64_t stop, size_t count, size_t *from)
{
    int64_t len = (int64_t)count;
    if (start < 0)
        start = start + len < 0 ? 0 : start + len;
    if (stop < 0)
        stop += len;
    if (stop >= len)
        stop = len - 1;
    *from = (size_t)start;
    return start > stop || start >= len ? 0 : (size_t)(stop - start) + 1;
}

static void lrange(struct call *call)
{
    struct key key;
    bool wrong;
    int64_t start, stop;
    if (!call_integer(call, 2, &start) || !call_integer(call, 3, &stop))
        return;
    if (!key_read_type(call, 1, TYPE_LIST, &key, &wrong)) {
        if (!wrong)
            reply_array(call->reply, 0);
        return;
    }
    size_t from, count = clip(start, stop, list_of(&key)->count, &from);
    list_reply_range(call, list_of(&key), from, count, 1);
}

/* ---- Changing ---- */

static void lset(struct call *call)
{
    struct key key;
    bool wrong;
    int64_t index;
    if (!key_write_type(call, 1, TYPE_LIST, &key, &wrong)) {
        if (!wrong)
            reply_error(call->reply, "no such key");
        return;
    }
    if (!call_integer(call, 2, &index))
        return;
    int64_t count = (int64_t)list_of(&key)->count;
    if (index >= count || index < -count) {
        reply_error(call->reply, "index out of range");
        return;
    }
    list_replace(
        list_to_change(call, &key), (size_t)(index < 0 ? index + count : index), call->argv[3]);
    key_did_change(call, &key);
    reply_ok(call->reply);
    key_notify(call, &key, NOTIFY_LIST, "lset");
}

/* The first element from the head that equals the value. */
static bool find(const struct list *list, struct bytes value, size_t *index)
{
    struct list_cursor cursor;
    bool there = list_seek(&cursor, list, 0);
    while (there && !list_is(&cursor, value))
        there = list_next(&cursor);
    *index = cursor.index;
    list_cursor_end(&cursor);
    return there;
}

static void linsert(struct call *call)
{
    struct key key;
    bool wrong, behind = bytes_is(call->argv[2], "AFTER");
    size_t index;
    if (!behind && !bytes_is(call->argv[2], "BEFORE")) {
        call_error_syntax(call);
        return;
    }
    if (!key_write_type(call, 1, TYPE_LIST, &key, &wrong)) {
        if (!wrong)
            reply_integer(call->reply, 0);
        return;
    }
    if (!find(list_of(&key), call->argv[3], &index)) {
        reply_integer(call->reply, -1);
        return;
    }
    list_insert(list_to_change(call, &key), index, behind, call->argv[4]);
    key_did_change(call, &key);
    key_notify(call, &key, NOTIFY_LIST, "linsert");
    reply_integer(call->reply, (int64_t)list_of(&key)->count);
}

/* Removes elements that equal the value: at most `most`, from the head or the tail. */
static size_t remove_equal(struct list *list, struct bytes value, uint64_t most, bool from_head)
{
    struct list_cursor cursor;
    size_t removed = 0;
    bool there = list_seek(&cursor, list, from_head ? 0 : -1);
    while (there && removed < most) {
        if (!list_is(&cursor, value)) {
            there = from_head ? list_next(&cursor) : list_previous(&cursor);
            continue;
        }
        size_t index = cursor.index;
        list_cursor_end(&cursor);
        list_remove(list, index, 1);
        removed++;
        bool more = from_head ? index < list->count : index > 0;
        there = more && list_seek(&cursor, list, (int64_t)(from_head ? index : index - 1));
    }
    list_cursor_end(&cursor);
    return removed;
}

static void lrem(struct call *call)
{
    struct key key;
    bool wrong;
    int64_t count;
    size_t removed = 0, index;
    if (!call_integer(call, 2, &count))
        return;
    if (!key_write_type(call, 1, TYPE_LIST, &key, &wrong)) {
        if (!wrong)
            reply_integer(call->reply, 0);
        return;
    }
    uint64_t most = count == 0 ? UINT64_MAX : count < 0 ? 0 - (uint64_t)count : (uint64_t)count;
    if (find(list_of(&key), call->argv[3], &index)) {
        struct list *list = list_to_change(call, &key);
        removed = remove_equal(list, call->argv[3], most, count >= 0);
        list_lost_some(call, &key, "lrem");
    }
    reply_integer(call->reply, (int64_t)removed);
}

/* Watchers hear of a LTRIM that has changed nothing, too, but the journal doesn't. */
static void ltrim(struct call *call)
{
    struct key key;
    bool wrong;
    int64_t start, stop;
    if (!call_integer(call, 2, &start) || !call_integer(call, 3, &stop))
        return;
    if (!key_write_type(call, 1, TYPE_LIST, &key, &wrong)) {
        if (!wrong)
            reply_ok(call->reply);
        return;
    }
    size_t from, before = list_of(&key)->count, count = clip(start, stop, before, &from);
    if (count == before) {
        watch_touch(key.slot, key.name);
        tracking_touch(call->executor, call->session->id, key.name);
        key_notify(call, &key, NOTIFY_LIST, "ltrim");
    } else {
        struct list *list = list_to_change(call, &key);
        if (count == 0)
            from = 0;
        if (from + count < before)
            list_remove(list, from + count, before - from - count);
        if (from > 0)
            list_remove(list, 0, from);
        list_lost_some(call, &key, "ltrim");
    }
    reply_ok(call->reply);
}

/* ---- LPOS ---- */

struct lpos_args {
    bool backwards;
    uint64_t rank;    /* which match is the first that counts */
    int64_t count;    /* -1: the first one alone; 0: all */
    uint64_t max_len; /* elements that are compared */
};

static bool lpos_rank(struct call *call, int index, struct lpos_args *args)
{
    int64_t rank;
    if (!call_integer(call, index, &rank))
        return false;
    if (rank == 0) {
        reply_error(call->reply,
            "RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use "
            "negative to start from the end of the list");
        return false;
    }
    args->backwards = rank < 0;
    args->rank = rank == INT64_MIN ? 1 : (uint64_t)(rank < 0 ? -rank : rank);
    return true;
}

static bool lpos_parse(struct call *call, struct lpos_args *args)
{
    *args = (struct lpos_args){ .rank = 1, .count = -1, .max_len = UINT64_MAX };
    for (int i = 3; i < call->argc; i += 2) {
        struct bytes word = call->argv[i];
        int64_t len;
        if (i + 1 == call->argc) {
            call_error_syntax(call);
            return false;
        }
        if (bytes_is(word, "RANK")) {
            if (!lpos_rank(call, i + 1, args))
                return false;
        } else if (bytes_is(word, "COUNT")) {
            if (!list_parse_count(call, i + 1, 0, "COUNT can't be negative", &args->count))
                return false;
        } else if (bytes_is(word, "MAXLEN")) {
            if (!list_parse_count(call, i + 1, 0, "MAXLEN can't be negative", &len))
                return false;
            args->max_len = len == 0 ? UINT64_MAX : (uint64_t)len;
        } else {
            call_error_syntax(call);
            return false;
        }
    }
    return true;
}

static void lpos(struct call *call)
{
    struct key key;
    bool wrong;
    struct lpos_args args;
    if (!lpos_parse(call, &args))
        return;
    if (!key_read_type(call, 1, TYPE_LIST, &key, &wrong)) {
        if (!wrong && args.count >= 0)
            reply_array(call->reply, 0);
        else if (!wrong)
            reply_null(call->reply);
        return;
    }
    struct reply_mark mark = reply_deferred(call->reply);
    uint64_t wanted = args.count > 0 ? (uint64_t)args.count : args.count < 0 ? 1 : UINT64_MAX;
    uint64_t matches = 0, found = 0;
    struct list_cursor cursor;
    bool there = list_seek(&cursor, list_of(&key), args.backwards ? -1 : 0);
    for (uint64_t seen = 0; there && seen < args.max_len && found < wanted; seen++) {
        if (list_is(&cursor, call->argv[2]) && ++matches >= args.rank) {
            reply_integer(call->reply, (int64_t)cursor.index);
            found++;
        }
        there = args.backwards ? list_previous(&cursor) : list_next(&cursor);
    }
    list_cursor_end(&cursor);
    if (args.count >= 0)
        reply_deferred_array(call->reply, mark, found);
    else if (found == 0)
        reply_null(call->reply);
}

/* ---- The table ---- */

#define PUSH_ROW(name, run, version, several, text)                                                \
    {                                                                                              \
        name, run, -3, CMD_WRITE | CMD_DENYOOM | CMD_FAST, KEYS(ONE_KEY(KEY_RW | KEY_INSERT)),     \
            .group = "list", .since = version, .complexity = "O(N), N elements pushed",            \
            .summary = text, .args = ARGS(KEY_ARG, ARG_MANY("element", ARG_STRING)),               \
            .history = HISTORY({ several, "Accepts multiple `element` arguments." })               \
    }

static const struct command_arg places[] = { TOKEN("before", "BEFORE"), TOKEN("after", "AFTER"),
    { 0 } };

const struct command list_commands[] = {
    { "lindex", lindex, 3, CMD_READONLY, KEYS(ONE_KEY(KEY_RO | KEY_ACCESS)), .group = "list",
        .since = "1.0.0", .complexity = "O(log N), N elements of the list",
        .summary = "Returns the element with an index",
        .args = ARGS(KEY_ARG, ARG("index", ARG_INTEGER)) },
    { "linsert", linsert, 5, CMD_WRITE | CMD_DENYOOM, KEYS(ONE_KEY(KEY_RW | KEY_INSERT)),
        .group = "list", .since = "2.2.0",
        .complexity = "O(N), N elements before the one that is looked for",
        .summary = "Inserts an element before or behind another one",
        .args = ARGS(KEY_ARG, CHOICE("where", 0, places), ARG("pivot", ARG_STRING),
            ARG("element", ARG_STRING)) },
    { "llen", llen, 2, CMD_READONLY | CMD_FAST, KEYS(ONE_KEY(KEY_RO)), .group = "list",
        .since = "1.0.0", .complexity = "O(1)", .summary = "Returns how many elements a list has",
        .args = ARGS(KEY_ARG) },
    { "lpos", lpos, -3, CMD_READONLY, KEYS(ONE_KEY(KEY_RO | KEY_ACCESS)), .group = "list",
        .since = "6.0.6", .complexity = "O(N), N elements that are compared",
        .summary = "Returns the indexes of elements that equal a value",
        .args = ARGS(KEY_ARG, ARG("element", ARG_STRING), OPTION("rank", ARG_INTEGER, "RANK", NULL),
            OPTION("num-matches", ARG_INTEGER, "COUNT", NULL),
            OPTION("len", ARG_INTEGER, "MAXLEN", NULL)) },
    PUSH_ROW("lpush", lpush, "1.0.0", "2.4.0",
        "Puts elements before the first of a list, which is made where there is none"),
    PUSH_ROW("lpushx", lpushx, "2.2.0", "4.0.0",
        "Puts elements before the first of a list that is there"),
    { "lrange", lrange, 4, CMD_READONLY, KEYS(ONE_KEY(KEY_RO | KEY_ACCESS)), .group = "list",
        .since = "1.0.0", .complexity = "O(log N + M), N elements of the list, M of them returned",
        .summary = "Returns the elements between two indexes",
        .args = ARGS(KEY_ARG, ARG("start", ARG_INTEGER), ARG("stop", ARG_INTEGER)) },
    { "lrem", lrem, 4, CMD_WRITE, KEYS(ONE_KEY(KEY_RW | KEY_DELETE)), .group = "list",
        .since = "1.0.0", .complexity = "O(N), N elements of the list",
        .summary = "Removes elements that equal a value",
        .args = ARGS(KEY_ARG, ARG("count", ARG_INTEGER), ARG("element", ARG_STRING)) },
    { "lset", lset, 4, CMD_WRITE | CMD_DENYOOM, KEYS(ONE_KEY(KEY_RW | KEY_UPDATE)), .group = "list",
        .since = "1.0.0", .complexity = "O(log N), N elements of the list",
        .summary = "Puts another element in the place of the one with an index",
        .args = ARGS(KEY_ARG, ARG("index", ARG_INTEGER), ARG("element", ARG_STRING)) },
    { "ltrim", ltrim, 4, CMD_WRITE, KEYS(ONE_KEY(KEY_RW | KEY_DELETE)), .group = "list",
        .since = "1.0.0", .complexity = "O(N), N elements removed",
        .summary = "Removes all elements but those between two indexes",
        .args = ARGS(KEY_ARG, ARG("start", ARG_INTEGER), ARG("stop", ARG_INTEGER)) },
    PUSH_ROW("rpush", rpush, "1.0.0", "2.4.0",
        "Puts elements behind the last of a list, which is made where there is none"),
    PUSH_ROW("rpushx", rpushx, "2.2.0", "4.0.0",
        "Puts elements behind the last of a list that is there"),
    { 0 }
};
