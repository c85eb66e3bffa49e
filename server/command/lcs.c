/* LCS: what two strings have in common. */
#include "server/type/lcs.h"

#include "server/command/families.h"
#include "server/command/key.h"
#include "server/command/rows.h"
#include "server/config.h"

#include "common/number.h"

struct lcs_args {
    bool length, index, match_length;
    int64_t least; /* MINMATCHLEN */
};

/* The strings; one that is not there is empty. scratch: two texts of NUMBER_TEXT_MAX. */
static bool read_strings(struct call *call, struct bytes *strings, char (*scratch)[NUMBER_TEXT_MAX])
{
    struct key keys[2];
    bool there[2];
    for (int i = 0; i < 2; i++)
        there[i] = key_read(call, i + 1, &keys[i]);
    for (int i = 0; i < 2; i++) {
        if (there[i] && keys[i].entry->type != TYPE_STRING) {
            reply_error(call->reply, "The specified keys must contain string values");
            return false;
        }
        strings[i] = there[i] ? entry_string(keys[i].entry, scratch[i]) : BYTES("");
    }
    return true;
}

static bool parse(struct call *call, struct lcs_args *args)
{
    *args = (struct lcs_args){ 0 };
    for (int i = 3; i < call->argc; i++) {
        if (bytes_is(call->argv[i], "IDX")) {
            args->index = true;
        } else if (bytes_is(call->argv[i], "LEN")) {
            args->length = true;
        } else if (bytes_is(call->argv[i], "WITHMATCHLEN")) {
            args->match_length = true;
        } else if (bytes_is(call->argv[i], "MINMATCHLEN") && i + 1 < call->argc) {
            if (!call_integer(call, ++i, &args->least))
                return false;
        } else {
            call_error_syntax(call);
            return false;
        }
    }
    if (args->index && args->length) {
        reply_error(call->reply, "If you want both the length and indexes, please just use IDX.");
        return false;
    }
    return true;
}

/* The work is bounded as Redis bounds it: by the size that its table would have. */
static bool is_bounded(struct call *call, const struct bytes *strings)
{
    if (strings[0].len >= UINT32_MAX - 1 || strings[1].len >= UINT32_MAX - 1) {
        reply_error(call->reply, "String too long for LCS");
        return false;
    }
    if (lcs_effort(strings[0], strings[1]) > (uint64_t)config_number(CONFIG_PROTO_MAX_BULK_LEN)) {
        reply_error(call->reply,
            "Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len");
        return false;
    }
    return true;
}

static void reply_range(struct reply *reply, uint32_t first, uint32_t len)
{
    reply_array(reply, 2);
    reply_integer(reply, first);
    reply_integer(reply, (int64_t)first + len - 1);
}

static void reply_matches(struct reply *reply, const struct lcs *lcs, const struct lcs_args *args)
{
    size_t count = 0;
    reply_map(reply, 2);
    reply_bulk(reply, BYTES("matches"));
    struct reply_mark mark = reply_deferred(reply);
    for (size_t i = 0; i < lcs->match_count; i++) {
        const struct lcs_match *match = &lcs->matches[i];
        if (match->len < args->least)
            continue;
        count++;
        reply_array(reply, args->match_length ? 3 : 2);
        reply_range(reply, match->a, match->len);
        reply_range(reply, match->b, match->len);
        if (args->match_length)
            reply_integer(reply, match->len);
    }
    reply_deferred_array(reply, mark, count);
    reply_bulk(reply, BYTES("len"));
    reply_integer(reply, lcs->len);
}

static void lcs_run(struct call *call)
{
    struct bytes strings[2];
    char scratch[2][NUMBER_TEXT_MAX];
    struct lcs_args args;
    if (!read_strings(call, strings, scratch) || !parse(call, &args) || !is_bounded(call, strings))
        return;
    struct lcs lcs;
    lcs_find(strings[0], strings[1], args.length, &lcs);
    if (args.length)
        reply_integer(call->reply, lcs.len);
    else if (args.index)
        reply_matches(call->reply, &lcs, &args);
    else
        reply_bulk(call->reply, (struct bytes){ lcs.text, lcs.len });
    lcs_free(&lcs);
}

/* ---- The table ---- */

const struct command lcs_commands[] = {
    { "lcs", lcs_run, -3, CMD_READONLY, KEYS(KEYS_AT(1, KEY_RO | KEY_ACCESS, 1)), .group = "string",
        .since = "7.0.0", .complexity = "O(N*M), N and M bytes in the two strings",
        .summary = "Finds the longest sequence of bytes that two strings have in common",
        .args = ARGS(ARG("key1", ARG_KEY), ARG("key2", ARG_KEY),
            OPTION("len", ARG_PURE_TOKEN, "LEN", NULL), OPTION("idx", ARG_PURE_TOKEN, "IDX", NULL),
            OPTION("len", ARG_INTEGER, "MINMATCHLEN", NULL),
            OPTION("withmatchlen", ARG_PURE_TOKEN, "WITHMATCHLEN", NULL)) },
    { 0 }
};
