/* Moving an element from one list to another, or round within one. */
#include "server/command/families.h"
#include "server/command/list_key.h"
#include "server/command/rows.h"

#include "common/memory.h"
#include <stdlib.h>

struct move {
    enum list_end from, to;
    bool old; /* RPOPLPUSH, which is journaled as such */
};

/* The element at the end, in memory of its own. */
static struct bytes copy_of_element(const struct list *list, enum list_end end)
{
    struct list_cursor cursor;
    char scratch[NUMBER_TEXT_MAX];
    list_seek(&cursor, list, end == LIST_HEAD ? 0 : -1);
    struct bytes value = list_get(&cursor, scratch);
    value.data = memory_copy(value.data, value.len);
    list_cursor_end(&cursor);
    return value;
}

static void effect_of_move(struct call *call, const struct move *move)
{
    struct bytes words[] = { BYTES("LEFT"), BYTES("RIGHT") };
    struct bytes argv[] = { move->old ? BYTES("RPOPLPUSH") : BYTES("LMOVE"), call->argv[1],
        call->argv[2], words[move->from], words[move->to] };
    call_effect(call, argv, move->old ? 3 : 5);
}

/* Within one list it never becomes empty in between. */
static void rotate(struct call *call, struct key *key, const struct move *move, struct bytes value)
{
    struct list *list = list_to_change(call, key);
    list_push(list, move->to, value);
    size_t index = move->from == LIST_HEAD ? 0 : list->count - 1;
    if (move->from == move->to)
        index = move->from == LIST_HEAD ? 1 : list->count - 2;
    list_remove(list, index, 1);
    key_did_change(call, key);
    list_tell_pushed(call, key, move->to);
    reply_bulk(call->reply, value);
    key_notify(call, key, NOTIFY_LIST, move->from == LIST_HEAD ? "lpop" : "rpop");
}

/* False: there is nothing to move, and nothing was replied unless something is wrong. */
static bool move_element(struct call *call, const struct move *move, bool *wrong)
{
    struct key from, to;
    if (!key_write_type(call, 1, TYPE_LIST, &from, wrong))
        return false;
    bool same = bytes_equal(call->argv[1], call->argv[2]);
    if (!same && !key_write_type(call, 2, TYPE_LIST, &to, wrong) && *wrong)
        return false;
    /* Looking for the second key may have removed it, expired, and moved cells. */
    key_peek(call, 1, &from);
    struct bytes value = copy_of_element(list_of(&from), move->from);
    if (same) {
        rotate(call, &from, move, value);
    } else {
        list_push_all(call, &to, move->to, &value, 1);
        list_tell_pushed(call, &to, move->to);
        reply_bulk(call->reply, value);
        key_peek(call, 1, &from); /* a new key may have moved cells */
        list_pop_some(call, &from, move->from, 1);
    }
    effect_of_move(call, move);
    free((char *)value.data);
    return true;
}

static void move_now(struct call *call, const struct move *move)
{
    bool wrong;
    if (!move_element(call, move, &wrong) && !wrong)
        reply_null(call->reply);
}

static void move_or_wait(struct call *call, const struct move *move, int64_t timeout_ms)
{
    bool wrong;
    if (move_element(call, move, &wrong) || wrong)
        return;
    block_on_keys(call, &(struct block_wish){ .positions = (int[]){ 1 },
                            .count = 1,
                            .type = TYPE_LIST,
                            .timeout_ms = timeout_ms,
                            .nothing = BLOCK_NULL });
}

static bool parse_ends(struct call *call, struct move *move)
{
    *move = (struct move){ .old = false };
    return list_parse_end(call, 3, &move->from) && list_parse_end(call, 4, &move->to);
}

static const struct move right_to_left = { LIST_TAIL, LIST_HEAD, true };

static void rpoplpush(struct call *call)
{
    move_now(call, &right_to_left);
}

static void lmove(struct call *call)
{
    struct move move;
    if (parse_ends(call, &move))
        move_now(call, &move);
}

static void brpoplpush(struct call *call)
{
    int64_t timeout_ms;
    if (block_timeout_seconds(call, 3, &timeout_ms))
        move_or_wait(call, &right_to_left, timeout_ms);
}

static void blmove(struct call *call)
{
    struct move move;
    int64_t timeout_ms;
    if (parse_ends(call, &move) && block_timeout_seconds(call, 5, &timeout_ms))
        move_or_wait(call, &move, timeout_ms);
}

/* ---- The table ---- */

#define FROM_AND_TO                                                                                \
    KEYS(ONE_KEY(KEY_RW | KEY_ACCESS | KEY_DELETE), KEYS_AT(2, KEY_RW | KEY_INSERT, 0))
#define FROM_AND_TO_ARGS                                                                           \
    ARG("source", ARG_KEY),                                                                        \
    {                                                                                              \
        "destination", ARG_KEY, 0, NULL, 1, NULL, NULL                                             \
    }
#define ENDS CHOICE("wherefrom", 0, ends), CHOICE("whereto", 0, ends)

static const struct command_arg ends[] = { TOKEN("left", "LEFT"), TOKEN("right", "RIGHT"), { 0 } };

const struct command list_move_commands[] = {
    { "blmove", blmove, 6, CMD_WRITE | CMD_DENYOOM | CMD_NOSCRIPT | CMD_BLOCKING, FROM_AND_TO,
        .group = "list", .since = "6.2.0", .complexity = "O(1)",
        .summary = "Moves an element from one list to another when there is one",
        .args = ARGS(FROM_AND_TO_ARGS, ENDS, ARG("timeout", ARG_DOUBLE)) },
    { "brpoplpush", brpoplpush, 4, CMD_WRITE | CMD_DENYOOM | CMD_NOSCRIPT | CMD_BLOCKING,
        FROM_AND_TO, .group = "list", .since = "2.2.0", .complexity = "O(1)",
        .summary = "Moves the last element of a list before the first of another when there is one",
        .args = ARGS(FROM_AND_TO_ARGS, ARG("timeout", ARG_DOUBLE)),
        .history =
            HISTORY({ "6.0.0", "`timeout` is interpreted as a double instead of an integer." }),
        .deprecated_since = "6.2.0",
        .replaced_by = "`BLMOVE` with the `RIGHT` and `LEFT` arguments" },
    { "lmove", lmove, 5, CMD_WRITE | CMD_DENYOOM, FROM_AND_TO, .group = "list", .since = "6.2.0",
        .complexity = "O(1)", .summary = "Moves an element from one list to another",
        .args = ARGS(FROM_AND_TO_ARGS, ENDS) },
    { "rpoplpush", rpoplpush, 3, CMD_WRITE | CMD_DENYOOM, FROM_AND_TO, .group = "list",
        .since = "1.2.0", .complexity = "O(1)",
        .summary = "Moves the last element of a list before the first of another",
        .args = ARGS(FROM_AND_TO_ARGS), .deprecated_since = "6.2.0",
        .replaced_by = "`LMOVE` with the `RIGHT` and `LEFT` arguments" },
    { 0 }
};
