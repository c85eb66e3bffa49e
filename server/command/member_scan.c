/* A cursor is a position of dict_scan; what is small is shown whole, whatever the cursor says. */
#include "server/command/member_scan.h"

#include "common/number.h"
#include "server/command/glob.h"
#include "server/command/scan_cursor.h"
#include "server/type/dict.h"

static bool parse_options(struct call *call, struct member_scan *scan)
{
    for (int i = 3; i < call->argc; i += 2) {
        bool has_value = i + 1 < call->argc;
        int64_t count;
        if (has_value && bytes_is(call->argv[i], "COUNT")) {
            if (!call_integer(call, i + 1, &count))
                return false;
            if (count < 1) {
                call_error_syntax(call);
                return false;
            }
            scan->count = (size_t)count;
        } else if (has_value && bytes_is(call->argv[i], "MATCH")) {
            scan->pattern = call->argv[i + 1];
            scan->all = scan->pattern.len == 1 && scan->pattern.data[0] == '*';
        } else {
            call_error_syntax(call);
            return false;
        }
    }
    return true;
}

bool member_scan_begin(
    struct call *call, enum type_id type, struct key *key, struct member_scan *scan)
{
    bool wrong;
    struct scan_cursor cursor;
    *scan = (struct member_scan){ .count = 10, .all = true };
    if (!scan_cursor_parse(call->argv[2], &cursor)) {
        reply_error(call->reply, "invalid cursor");
        return false;
    }
    scan->position = cursor.slot == 0 ? cursor.position : DICT_SCAN_END;
    if (!key_read_type(call, 1, type, key, &wrong)) {
        if (!wrong)
            member_scan_end(call, &(struct member_scan){ 0 });
        return false;
    }
    scan->found = (struct reply){ .protocol = call->reply->protocol, .muted = call->reply->muted };
    return parse_options(call, scan);
}

bool member_scan_wants(const struct member_scan *scan, struct bytes name)
{
    return scan->all || glob_matches(scan->pattern, name, false);
}

void member_scan_add(struct member_scan *scan, struct bytes element)
{
    reply_bulk(&scan->found, element);
    scan->found_count++;
}

void member_scan_dict(struct member_scan *scan, const struct dict *dict,
    void (*visit)(void *arg, struct item *item), void *arg)
{
    scan->position = dict_scan(dict, scan->position, scan->count, visit, arg);
    if (scan->position == DICT_SCAN_END)
        scan->position = 0;
}

void member_scan_end(struct call *call, struct member_scan *scan)
{
    reply_array(call->reply, 2);
    char digits[NUMBER_TEXT_MAX];
    size_t len = number_format_unsigned(digits, scan->position);
    reply_bulk(call->reply, (struct bytes){ digits, len });
    reply_array(call->reply, scan->found_count);
    reply_raw(call->reply, buffer_bytes(&scan->found.bytes));
    reply_free(&scan->found);
}
