#include "server/command/string_args.h"

#include "common/number.h"

static bool refuse_time(struct call *call)
{
    reply_error(call->reply, "invalid expire time in '%s' command", call->entry->name);
    return false;
}

bool expiry_parse(struct call *call, struct bytes text, int64_t unit, enum expiry_kind kind,
    int64_t *expiry)
{
    int64_t value;
    if (!number_parse(text, &value)) {
        reply_error(call->reply, "value is not an integer or out of range");
        return false;
    }
    if (value <= 0 || __builtin_mul_overflow(value, unit, &value))
        return refuse_time(call);
    if (kind == EXPIRY_RELATIVE && __builtin_add_overflow(value, call->now, &value))
        return refuse_time(call);
    *expiry = value;
    return true;
}

/* The words that say when, with what they mean. */
static const struct {
    const char *word;
    int64_t unit;
    enum expiry_kind kind;
} times[] = {
    { "EX", 1000, EXPIRY_RELATIVE },
    { "PX", 1, EXPIRY_RELATIVE },
    { "EXAT", 1000, EXPIRY_ABSOLUTE },
    { "PXAT", 1, EXPIRY_ABSOLUTE },
};

static int time_word(struct bytes word)
{
    for (int i = 0; i < (int)(sizeof(times) / sizeof(*times)); i++) {
        if (bytes_is(word, times[i].word))
            return i;
    }
    return -1;
}

bool set_args_parse(struct call *call, int first, enum set_args_of of, struct set_args *args)
{
    int when = -1, when_at = 0;
    bool set = of == SET_ARGS_SET;
    for (int i = first; i < call->argc; i++) {
        struct bytes word = call->argv[i];
        int time = time_word(word);
        bool has_time = when >= 0 || args->keep || args->persist;
        if (time >= 0 && !has_time && i + 1 < call->argc) {
            when = time;
            when_at = ++i;
        } else if (set && bytes_is(word, "NX") && !args->if_present) {
            args->if_absent = true;
        } else if (set && bytes_is(word, "XX") && !args->if_absent) {
            args->if_present = true;
        } else if (set && bytes_is(word, "GET")) {
            args->get = true;
        } else if (set && bytes_is(word, "KEEPTTL") && when < 0) {
            args->keep = true;
        } else if (!set && bytes_is(word, "PERSIST") && when < 0) {
            args->persist = true;
        } else {
            call_error_syntax(call);
            return false;
        }
    }
    if (when < 0)
        return true;
    args->is_absolute = times[when].kind == EXPIRY_ABSOLUTE;
    return expiry_parse(
        call, call->argv[when_at], times[when].unit, times[when].kind, &args->expiry);
}
