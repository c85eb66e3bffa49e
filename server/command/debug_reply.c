/* DEBUG's words for who tests a client: replies of every kind, errors, a line in the log, patterns
 * that are matched. */
#include "server/command/debug.h"

#include "server/command/glob.h"
#include "server/log.h"

#include "common/memory.h"
#include "common/random.h"
#include <stdlib.h>

/* ---- PROTOCOL ---- */

static void say_string(struct reply *reply)
{
    reply_bulk_text(reply, "Hello World");
}

static void say_integer(struct reply *reply)
{
    reply_integer(reply, 12345);
}

static void say_double(struct reply *reply)
{
    reply_double(reply, 3.141);
}

static void say_bignum(struct reply *reply)
{
    static const char digits[] = "1234567999999999999999999999999999999";
    if (reply->protocol == 2)
        reply_bulk_text(reply, digits);
    else
        reply_raw(reply, BYTES("(1234567999999999999999999999999999999\r\n"));
}

static void say_null(struct reply *reply)
{
    reply_null(reply);
}

static void say_three(struct reply *reply)
{
    for (int i = 0; i < 3; i++)
        reply_integer(reply, i);
}

static void say_array(struct reply *reply)
{
    reply_array(reply, 3);
    say_three(reply);
}

static void say_set(struct reply *reply)
{
    reply_set(reply, 3);
    say_three(reply);
}

static void say_map(struct reply *reply)
{
    reply_map(reply, 3);
    for (int i = 0; i < 3; i++) {
        reply_integer(reply, i);
        reply_bool(reply, i == 1);
    }
}

/* What RESP2 has no form for. */
static bool has_resp3(struct reply *reply)
{
    if (reply->protocol == 2)
        reply_error(reply, "RESP2 is not supported by this command");
    return reply->protocol != 2;
}

static void say_attribute(struct reply *reply)
{
    if (reply->protocol != 2) {
        reply_raw(reply, BYTES("|1\r\n"));
        reply_bulk_text(reply, "key-popularity");
        reply_array(reply, 2);
        reply_bulk_text(reply, "key:123");
        reply_integer(reply, 90);
    }
    reply_bulk_text(reply, "Some real reply following the attribute");
}

static void say_push(struct reply *reply)
{
    if (!has_resp3(reply))
        return;
    reply_push(reply, 2);
    reply_bulk_text(reply, "server-cpu-usage");
    reply_integer(reply, 42);
}

static void say_verbatim(struct reply *reply)
{
    reply_verbatim(reply, "txt", BYTES("This is a verbatim\nstring"));
}

static void say_true(struct reply *reply)
{
    reply_bool(reply, true);
}

static void say_false(struct reply *reply)
{
    reply_bool(reply, false);
}

static const struct {
    const char *name;
    void (*say)(struct reply *reply);
} kinds[] = {
    { "string", say_string },
    { "integer", say_integer },
    { "double", say_double },
    { "null", say_null },
    { "array", say_array },
    { "set", say_set },
    { "map", say_map },
    { "attrib", say_attribute },
    { "push", say_push },
    { "verbatim", say_verbatim },
    { "true", say_true },
    { "false", say_false },
    { "bignum", say_bignum },
};

/* DEBUG PROTOCOL kind */
static void debug_protocol(struct call *call)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
        if (bytes_is(call->argv[2], kinds[i].name)) {
            kinds[i].say(call->reply);
            return;
        }
    }
    reply_error(call->reply, "Wrong protocol type name. Please use one of the following: "
                             "string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|"
                             "true|false");
}

/* ---- The others ---- */

/* DEBUG ERROR text: as it is, without "ERR " before it; a line ends nowhere in it. */
static void debug_error(struct call *call)
{
    struct bytes text = call->argv[2];
    char *line = memory_copy(text.data, text.len);
    for (size_t i = 0; i < text.len; i++) {
        if (line[i] == '\r' || line[i] == '\n')
            line[i] = ' ';
    }
    struct buffer resp = { 0 };
    buffer_append_char(&resp, '-');
    buffer_append(&resp, line, text.len);
    buffer_append_text(&resp, "\r\n");
    reply_raw(call->reply, buffer_bytes(&resp));
    buffer_free(&resp);
    free(line);
}

/* DEBUG LOG text */
static void debug_log(struct call *call)
{
    enum { SHOWN = 1024 };
    struct bytes text = call->argv[2];
    log_write(LOG_WARNING, "DEBUG LOG: %.*s", (int)(text.len < SHOWN ? text.len : SHOWN), text.data);
    reply_ok(call->reply);
}

/* DEBUG STRINGMATCH-TEST: patterns and texts that chance makes; it is enough that they end. */
static void debug_stringmatch_test(struct call *call)
{
    enum { ROUNDS = 20000, LENGTH = 32 };
    static const char letters[] = "ab*?[]^-\\c";
    for (int round = 0; round < ROUNDS; round++) {
        char texts[2][LENGTH];
        size_t lens[2];
        for (int i = 0; i < 2; i++) {
            lens[i] = random_below(LENGTH);
            for (size_t at = 0; at < lens[i]; at++)
                texts[i][at] = letters[random_below(sizeof(letters) - 1)];
        }
        glob_matches(
            (struct bytes){ texts[0], lens[0] }, (struct bytes){ texts[1], lens[1] }, round & 1);
    }
    reply_simple(call->reply, "Apparently Redis did not crash: test passed");
}

/* DEBUG STRINGMATCH-LEN length pattern: whether a text of so many 'a's matches; 1 or 0. */
static void debug_stringmatch_len(struct call *call)
{
    enum { LENGTH_MAX = 1024 * 1024 };
    int64_t len;
    if (!call_integer(call, 2, &len))
        return;
    if (len < 0 || len > LENGTH_MAX) {
        reply_error(call->reply, "value is out of range, must be between 0 and 1048576");
        return;
    }
    char *text = memory_alloc((size_t)len + 1);
    memset(text, 'a', (size_t)len);
    reply_integer(
        call->reply, glob_matches(call->argv[3], (struct bytes){ text, (size_t)len }, false));
    free(text);
}

const struct debug_word debug_reply_words[] = {
    { "protocol", debug_protocol, 3, 3, "PROTOCOL <type>",
        "    Replies something of this type: string, integer, double, bignum, null, array, set, "
        "map, attrib, push, verbatim, true, false." },
    { "error", debug_error, 3, 3, "ERROR <string>", "    Replies this error." },
    { "log", debug_log, 3, 3, "LOG <message>", "    Writes the message to the log." },
    { "stringmatch-test", debug_stringmatch_test, 2, 2, "STRINGMATCH-TEST",
        "    Matches random patterns with random texts." },
    { "stringmatch-len", debug_stringmatch_len, 4, 4, "STRINGMATCH-LEN <length> <pattern>",
        "    Whether a text of so many 'a's matches the pattern." },
    { 0 },
};
