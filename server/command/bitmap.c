/* Bits of strings by commands: a string is a row of bits that goes on with zeroes for ever. */
#include "server/type/bitmap.h"
#include "server/command/bit_offset.h"
#include "server/command/families.h"
#include "server/command/notify.h"
#include "server/command/rows.h"
#include "server/command/string_args.h"
#include "server/command/string_edit.h"

#include "common/memory.h"
#include "common/number.h"
#include "server/config.h"
#include <stdlib.h>

bool bit_offset_parse(struct call *call, int index, unsigned unit, int64_t *offset)
{
    struct bytes text = call->argv[index];
    int64_t factor = 1;
    if (unit > 0 && text.len > 0 && text.data[0] == '#') {
        text = (struct bytes){ text.data + 1, text.len - 1 };
        factor = unit;
    }
    bool valid = number_parse(text, offset) && !__builtin_mul_overflow(*offset, factor, offset) &&
                 *offset >= 0;
    if (valid && call_from_client(call))
        valid = *offset / 8 < config_number(CONFIG_PROTO_MAX_BULK_LEN);
    if (!valid)
        reply_error(call->reply, "bit offset is not an integer or out of range");
    return valid;
}

/* ---- Single bits ---- */

static void setbit(struct call *call)
{
    struct key key;
    bool wrong;
    int64_t offset, value;
    if (!bit_offset_parse(call, 2, 0, &offset))
        return;
    if (!number_parse(call->argv[3], &value) || value < 0 || value > 1) {
        reply_error(call->reply, "bit is not an integer or out of range");
        return;
    }
    bool there = key_write_type(call, 1, TYPE_STRING, &key, &wrong);
    if (wrong)
        return;
    char scratch[NUMBER_TEXT_MAX];
    size_t at = (size_t)offset / 8, len = there ? entry_string(key.entry, scratch).len : 0;
    char *byte = string_open(call, &key, at + 1) + at;
    unsigned mask = 0x80u >> (offset % 8);
    bool old = *byte & mask;
    *byte = (char)(value ? *byte | mask : *byte & ~mask);
    if (at >= len || old != value) {
        key_did_change(call, &key);
        key_notify(call, &key, NOTIFY_STRING, "setbit");
    }
    reply_integer(call->reply, old);
}

static void getbit(struct call *call)
{
    struct key key;
    bool wrong;
    int64_t offset;
    char scratch[NUMBER_TEXT_MAX];
    if (!bit_offset_parse(call, 2, 0, &offset))
        return;
    bool there = key_read_type(call, 1, TYPE_STRING, &key, &wrong);
    if (wrong)
        return;
    struct bytes bytes = there ? entry_string(key.entry, scratch) : BYTES("");
    size_t at = (size_t)offset / 8;
    reply_integer(
        call->reply, at < bytes.len && (unsigned char)bytes.data[at] & (0x80u >> (offset % 8)));
}

/* ---- Ranges ---- */

/* A range as BITCOUNT and BITPOS take it: both ends counted, negative from the end. */
struct range {
    int64_t first, last; /* as given */
    bool in_bits;
};

static bool parse_unit(struct call *call, int index, struct range *range)
{
    range->in_bits = bytes_is(call->argv[index], "BIT");
    if (range->in_bits || bytes_is(call->argv[index], "BYTE"))
        return true;
    call_error_syntax(call);
    return false;
}

/* From what was given to positions of bits within len bytes; false: nothing lies between. */
static bool range_to_bits(struct range *range, size_t len)
{
    int64_t total = range->in_bits ? (int64_t)len * 8 : (int64_t)len;
    if (range->first < 0)
        range->first = range->first + total > 0 ? range->first + total : 0;
    if (range->last < 0)
        range->last = range->last + total > 0 ? range->last + total : 0;
    if (range->last >= total)
        range->last = total - 1;
    if (range->first > range->last)
        return false;
    if (!range->in_bits) {
        range->first *= 8;
        range->last = range->last * 8 + 7;
    }
    return true;
}

static void bitcount(struct call *call)
{
    struct key key;
    bool wrong;
    char scratch[NUMBER_TEXT_MAX];
    if (!key_read_type(call, 1, TYPE_STRING, &key, &wrong)) {
        if (!wrong)
            reply_integer(call->reply, 0);
        return;
    }
    struct bytes bytes = entry_string(key.entry, scratch);
    struct range range = { 0, -1, false };
    if (call->argc == 3 || call->argc > 5) {
        call_error_syntax(call);
        return;
    }
    if (call->argc > 3) {
        if (!call_integer(call, 2, &range.first) || !call_integer(call, 3, &range.last))
            return;
        if (range.first < 0 && range.last < 0 && range.first > range.last) {
            reply_integer(call->reply, 0);
            return;
        }
        if (call->argc == 5 && !parse_unit(call, 4, &range))
            return;
    }
    bool any = range_to_bits(&range, bytes.len);
    reply_integer(call->reply, any ? bitmap_count_range(bytes, range.first, range.last) : 0);
}

static void bitpos(struct call *call)
{
    struct key key;
    bool wrong;
    char scratch[NUMBER_TEXT_MAX];
    int64_t bit;
    if (!call_integer(call, 2, &bit))
        return;
    if (bit != 0 && bit != 1) {
        reply_error(call->reply, "The bit argument must be 1 or 0.");
        return;
    }
    if (!key_read_type(call, 1, TYPE_STRING, &key, &wrong)) {
        if (!wrong)
            reply_integer(call->reply, bit ? -1 : 0);
        return;
    }
    struct bytes bytes = entry_string(key.entry, scratch);
    struct range range = { 0, -1, false };
    if (call->argc > 6) {
        call_error_syntax(call);
        return;
    }
    if ((call->argc > 3 && !call_integer(call, 3, &range.first)) ||
        (call->argc > 5 && !parse_unit(call, 5, &range)) ||
        (call->argc > 4 && !call_integer(call, 4, &range.last)))
        return;
    if (!range_to_bits(&range, bytes.len)) {
        reply_integer(call->reply, -1);
        return;
    }
    int64_t found = bitmap_find(bytes, range.first, range.last, bit);
    /* Without an end the zeroes behind the string count. */
    if (found < 0 && !bit && call->argc < 5)
        found = (int64_t)bytes.len * 8;
    reply_integer(call->reply, found);
}

/* ---- BITOP ---- */

enum { FEW = 16 };

/* The strings of the sources; those that are not there are empty. */
struct sources {
    struct bytes few[FEW];
    char few_scratch[FEW][NUMBER_TEXT_MAX];
    struct bytes *bytes; /* few, or memory of its own */
    char (*scratch)[NUMBER_TEXT_MAX];
    size_t count;
    size_t longest;
};

static bool read_sources(struct call *call, struct sources *sources)
{
    sources->count = (size_t)call->argc - 3;
    sources->longest = 0;
    sources->bytes = sources->few;
    sources->scratch = sources->few_scratch;
    if (sources->count > FEW) {
        sources->bytes = memory_alloc(sources->count * sizeof(*sources->bytes));
        sources->scratch = memory_alloc(sources->count * sizeof(*sources->scratch));
    }
    for (size_t i = 0; i < sources->count; i++) {
        struct key key;
        bool wrong;
        bool there = key_read_type(call, 3 + (int)i, TYPE_STRING, &key, &wrong);
        if (wrong)
            return false;
        sources->bytes[i] = there ? entry_string(key.entry, sources->scratch[i]) : BYTES("");
        if (sources->bytes[i].len > sources->longest)
            sources->longest = sources->bytes[i].len;
    }
    return true;
}

static void free_sources(struct sources *sources)
{
    if (sources->bytes == sources->few)
        return;
    free(sources->bytes);
    free(sources->scratch);
}

static struct entry *join(
    enum bitmap_operation operation, const struct sources *sources, struct bytes name)
{
    size_t len = sources->longest;
    if (len <= ENTRY_INLINE_MAX) {
        char bytes[ENTRY_INLINE_MAX];
        bitmap_join(operation, sources->bytes, sources->count, bytes, len);
        return entry_create_raw(name, (struct bytes){ bytes, len }, NULL, ENTRY_NO_EXPIRY);
    }
    struct blob *blob = blob_create(len, len);
    bitmap_join(operation, sources->bytes, sources->count, blob->data, len);
    return entry_create_raw(name, BYTES(""), blob, ENTRY_NO_EXPIRY);
}

static void bitop(struct call *call)
{
    static const char *const names[] = {
        [BITMAP_AND] = "AND", [BITMAP_OR] = "OR", [BITMAP_XOR] = "XOR", [BITMAP_NOT] = "NOT"
    };
    unsigned operation = 0;
    while (operation <= BITMAP_NOT && !bytes_is(call->argv[1], names[operation]))
        operation++;
    if (operation > BITMAP_NOT) {
        call_error_syntax(call);
        return;
    }
    if (operation == BITMAP_NOT && call->argc != 4) {
        reply_error(call->reply, "BITOP NOT must be called with a single source key.");
        return;
    }
    struct sources sources;
    if (read_sources(call, &sources)) {
        struct entry *result =
            sources.longest > 0 ? join(operation, &sources, call->argv[2]) : NULL;
        struct key key;
        bool there = key_write(call, 2, &key);
        if (result) {
            key_set(call, &key, result);
            key_notify(call, &key, NOTIFY_STRING, "set");
        } else if (there) {
            key_delete(call, &key);
            key_notify(call, &key, NOTIFY_GENERIC, "del");
        }
        reply_integer(call->reply, (int64_t)sources.longest);
    }
    free_sources(&sources);
}

/* ---- The table ---- */

static const struct command_arg unit_args[] = { TOKEN("byte", "BYTE"), TOKEN("bit", "BIT"), { 0 } };
static const struct command_arg count_range_args[] = { ARG("start", ARG_INTEGER),
    ARG("end", ARG_INTEGER), { "index_unit", ARG_ONEOF, ARG_OPTIONAL, NULL, 0, "7.0.0", unit_args },
    { 0 } };
static const struct command_arg end_args[] = { ARG("end", ARG_INTEGER),
    { "index_unit", ARG_ONEOF, ARG_OPTIONAL, NULL, 0, "7.0.0", unit_args }, { 0 } };
static const struct command_arg find_range_args[] = { ARG("start", ARG_INTEGER),
    { "end_index", ARG_BLOCK, ARG_OPTIONAL, NULL, 0, NULL, end_args }, { 0 } };

const struct command bitmap_commands[] = {
    { "bitcount", bitcount, -2, CMD_READONLY, KEYS(ONE_KEY(KEY_RO | KEY_ACCESS)), .group = "bitmap",
        .since = "2.6.0", .complexity = "O(N), N bytes counted",
        .summary = "Counts the bits of a string that are set",
        .history = HISTORY({ "7.0.0", "Added the `BYTE|BIT` option." }),
        .args =
            ARGS(KEY_ARG, { "index", ARG_BLOCK, ARG_OPTIONAL, NULL, 0, NULL, count_range_args }) },
    { "bitop", bitop, -4, CMD_WRITE | CMD_DENYOOM,
        KEYS(KEYS_AT(2, KEY_OW | KEY_UPDATE, 0), KEYS_AT(3, KEY_RO | KEY_ACCESS, -1)),
        .group = "bitmap", .since = "2.6.0", .complexity = "O(N), N bytes of all sources",
        .summary = "Joins the bits of strings by AND, OR or XOR, or turns them by NOT",
        .args = ARGS(ARG("operation", ARG_STRING), ARG("destkey", ARG_KEY),
            { "key", ARG_KEY, ARG_MULTIPLE, NULL, 1, NULL, NULL }) },
    { "bitpos", bitpos, -3, CMD_READONLY, KEYS(ONE_KEY(KEY_RO | KEY_ACCESS)), .group = "bitmap",
        .since = "2.8.7", .complexity = "O(N), N bytes looked at",
        .summary = "Finds the first bit of a string that is set, or that is not",
        .history = HISTORY({ "7.0.0", "Added the `BYTE|BIT` option." }),
        .args = ARGS(KEY_ARG, ARG("bit", ARG_INTEGER),
            { "index", ARG_BLOCK, ARG_OPTIONAL, NULL, 0, NULL, find_range_args }) },
    { "getbit", getbit, 3, CMD_READONLY | CMD_FAST, KEYS(ONE_KEY(KEY_RO | KEY_ACCESS)),
        .group = "bitmap", .since = "2.2.0", .complexity = "O(1)",
        .summary = "Returns one bit of a string",
        .args = ARGS(KEY_ARG, ARG("offset", ARG_INTEGER)) },
    { "setbit", setbit, 4, CMD_WRITE | CMD_DENYOOM, KEYS(ONE_KEY(KEY_RW | KEY_ACCESS | KEY_UPDATE)),
        .group = "bitmap", .since = "2.2.0",
        .complexity = "O(1); O(N) where the string grows to N bytes",
        .summary = "Sets one bit of a string or clears it; tells what it was",
        .args = ARGS(KEY_ARG, ARG("offset", ARG_INTEGER), ARG("value", ARG_INTEGER)) },
    { 0 }
};
