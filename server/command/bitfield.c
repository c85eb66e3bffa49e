/* BITFIELD: a string as a row of integers of any width. All of a request is read before anything
 * happens; then the string is made as long as the last write needs it, once. */
#include "server/command/bit_offset.h"
#include "server/command/families.h"
#include "server/command/notify.h"
#include "server/command/rows.h"
#include "server/command/string_edit.h"
#include "server/type/bitmap.h"

#include "common/memory.h"
#include "common/number.h"
#include <ctype.h>
#include <stdlib.h>

enum action { GET, SET, INCREMENT, ACTIONS };

static const struct {
    const char *name;
    int args; /* behind the name */
} actions[ACTIONS] = { [GET] = { "GET", 2 }, [SET] = { "SET", 3 }, [INCREMENT] = { "INCRBY", 3 } };

struct step {
    enum action action;
    enum bitmap_overflow overflow;
    bool is_signed;
    unsigned bits;
    int64_t offset, value;
};

struct plan {
    struct step *steps; /* owned */
    size_t count;
    bool writes;
    int64_t last_written; /* the highest bit, or -1 */
};

/* ---- Reading the request ---- */

static bool parse_width(struct call *call, int index, struct step *step)
{
    struct bytes text = call->argv[index];
    int64_t bits;
    step->is_signed = text.len > 0 && text.data[0] == 'i';
    bool valid = text.len > 1 && (text.data[0] == 'i' || text.data[0] == 'u') &&
                 number_parse((struct bytes){ text.data + 1, text.len - 1 }, &bits) && bits >= 1 &&
                 bits <= (step->is_signed ? 64 : 63);
    if (!valid) {
        reply_error(call->reply, "Invalid bitfield type. Use something like i16 u8. Note that u64 "
                                 "is not supported but i64 is.");
        return false;
    }
    step->bits = (unsigned)bits;
    return true;
}

static bool parse_overflow(struct call *call, int index, enum bitmap_overflow *overflow)
{
    static const char *const names[] = {
        [BITMAP_WRAP] = "WRAP", [BITMAP_SATURATE] = "SAT", [BITMAP_FAIL] = "FAIL"
    };
    for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (bytes_is(call->argv[index], names[i])) {
            *overflow = i;
            return true;
        }
    }
    reply_error(call->reply, "Invalid OVERFLOW type specified");
    return false;
}

static bool parse_step(struct call *call, int index, struct plan *plan, struct step *step)
{
    if (!parse_width(call, index + 1, step) ||
        !bit_offset_parse(call, index + 2, step->bits, &step->offset))
        return false;
    if (step->action == GET)
        return true;
    plan->writes = true;
    int64_t last = step->offset + step->bits - 1;
    if (plan->last_written < last)
        plan->last_written = last;
    return call_integer(call, index + 3, &step->value);
}

static bool parse(struct call *call, struct plan *plan)
{
    enum bitmap_overflow overflow = BITMAP_WRAP;
    for (int i = 2; i < call->argc; i++) {
        int left = call->argc - i - 1;
        if (bytes_is(call->argv[i], "OVERFLOW") && left >= 1) {
            if (!parse_overflow(call, ++i, &overflow))
                return false;
            continue;
        }
        unsigned action = 0;
        while (action < ACTIONS &&
               !(bytes_is(call->argv[i], actions[action].name) && left >= actions[action].args))
            action++;
        if (action == ACTIONS) {
            call_error_syntax(call);
            return false;
        }
        struct step *step = &plan->steps[plan->count++];
        *step = (struct step){ .action = action, .overflow = overflow };
        if (!parse_step(call, i, plan, step))
            return false;
        i += actions[action].args;
    }
    return true;
}

/* ---- Doing it ---- */

static int64_t read_field(const struct step *step, struct bytes bytes)
{
    return (int64_t)bitmap_field_read(bytes, (uint64_t)step->offset, step->bits, step->is_signed);
}

/* Whether it has changed the bytes. */
static bool write_field(struct call *call, const struct step *step, char *data, size_t len)
{
    uint64_t old = (uint64_t)read_field(step, (struct bytes){ data, len }), new;
    bool sets = step->action == SET;
    bool fits = bitmap_field_add(sets ? (uint64_t)step->value : old, sets ? 0 : step->value,
        step->bits, step->is_signed, step->overflow, &new);
    if (!fits && step->overflow == BITMAP_FAIL) {
        reply_null(call->reply);
        return false;
    }
    reply_integer(call->reply, (int64_t)(sets ? old : new));
    bitmap_field_write(data, len, (uint64_t)step->offset, step->bits, new);
    return old != new;
}

static void read_only(struct call *call, const struct plan *plan)
{
    struct key key;
    bool wrong;
    char scratch[NUMBER_TEXT_MAX];
    bool there = key_read_type(call, 1, TYPE_STRING, &key, &wrong);
    if (wrong)
        return;
    struct bytes bytes = there ? entry_string(key.entry, scratch) : BYTES("");
    reply_array(call->reply, plan->count);
    for (size_t i = 0; i < plan->count; i++) {
        const struct step *step = &plan->steps[i];
        reply_integer(call->reply, read_field(step, bytes));
    }
}

static void read_and_write(struct call *call, const struct plan *plan)
{
    struct key key;
    bool wrong;
    char scratch[NUMBER_TEXT_MAX];
    bool there = key_write_type(call, 1, TYPE_STRING, &key, &wrong);
    if (wrong)
        return;
    size_t old_len = there ? entry_string(key.entry, scratch).len : 0;
    size_t size = (size_t)plan->last_written / 8 + 1;
    char *data = string_open(call, &key, size);
    size_t len = old_len > size ? old_len : size;
    bool changed = len > old_len;
    reply_array(call->reply, plan->count);
    for (size_t i = 0; i < plan->count; i++) {
        const struct step *step = &plan->steps[i];
        if (step->action == GET)
            reply_integer(call->reply, read_field(step, (struct bytes){ data, len }));
        else
            changed |= write_field(call, step, data, len);
    }
    if (changed) {
        key_did_change(call, &key);
        key_notify(call, &key, NOTIFY_STRING, "setbit");
    }
}

static void run(struct call *call, bool may_write)
{
    struct plan plan = { .last_written = -1 };
    plan.steps = memory_alloc(((size_t)call->argc / 3 + 1) * sizeof(*plan.steps));
    if (!parse(call, &plan))
        goto end;
    if (plan.writes && !may_write)
        reply_error(call->reply, "BITFIELD_RO only supports the GET subcommand");
    else if (plan.writes)
        read_and_write(call, &plan);
    else
        read_only(call, &plan);
end:
    free(plan.steps);
}

static void bitfield(struct call *call)
{
    run(call, true);
}

static void bitfield_ro(struct call *call)
{
    run(call, false);
}

/* ---- The table ---- */

static const struct command_arg get_args[] = { ARG("encoding", ARG_STRING),
    ARG("offset", ARG_INTEGER), { 0 } };
static const struct command_arg set_args[] = { ARG("encoding", ARG_STRING),
    ARG("offset", ARG_INTEGER), ARG("value", ARG_INTEGER), { 0 } };
static const struct command_arg increment_args[] = { ARG("encoding", ARG_STRING),
    ARG("offset", ARG_INTEGER), ARG("increment", ARG_INTEGER), { 0 } };
static const struct command_arg overflow_args[] = { TOKEN("wrap", "WRAP"), TOKEN("sat", "SAT"),
    TOKEN("fail", "FAIL"), { 0 } };
static const struct command_arg write_operation_args[] = { { "encoding_offset_value", ARG_BLOCK, 0,
                                                               "SET", 0, NULL, set_args },
    { "encoding_offset_increment", ARG_BLOCK, 0, "INCRBY", 0, NULL, increment_args }, { 0 } };
static const struct command_arg write_args[] = { { "wrap_sat_fail", ARG_ONEOF, ARG_OPTIONAL,
                                                     "OVERFLOW", 0, NULL, overflow_args },
    { "write_operation", ARG_ONEOF, 0, NULL, 0, NULL, write_operation_args }, { 0 } };
static const struct command_arg operation_args[] = { { "encoding_offset", ARG_BLOCK, 0, "GET", 0,
                                                         NULL, get_args },
    { "write", ARG_BLOCK, 0, NULL, 0, NULL, write_args }, { 0 } };

const struct command bitfield_commands[] = {
    { "bitfield", bitfield, -2, CMD_WRITE | CMD_DENYOOM,
        KEYS({ KEY_BEGIN_INDEX, KEY_RW | KEY_ACCESS | KEY_UPDATE | KEY_VARIABLE_FLAGS, 1, NULL,
            KEY_FIND_RANGE, 0, 1, 0, 0, 0,
            "This command allows both access and modification of the key" }),
        .group = "bitmap", .since = "3.2.0", .complexity = "O(1) for each operation",
        .summary = "Reads and writes integers of any width within a string",
        .args = ARGS(KEY_ARG, { "operation", ARG_ONEOF, ARG_OPTIONAL | ARG_MULTIPLE, NULL, 0, NULL,
                                  operation_args }) },
    { "bitfield_ro", bitfield_ro, -2, CMD_READONLY | CMD_FAST, KEYS(ONE_KEY(KEY_RO | KEY_ACCESS)),
        .group = "bitmap", .since = "6.0.0", .complexity = "O(1) for each operation",
        .summary = "Reads integers of any width within a string",
        .args = ARGS(KEY_ARG,
            { "encoding_offset", ARG_BLOCK, ARG_OPTIONAL | ARG_MULTIPLE | ARG_MULTIPLE_TOKEN, "GET",
                0, NULL, get_args }) },
    { 0 }
};
