#include "server/command/reply.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

static struct reply reply;

static void begin(void)
{
    reply = (struct reply){ .protocol = 2 };
}

static void end(void)
{
    reply_free(&reply);
}

TestSuite(reply, .init = begin, .fini = end);

/* What a client would get, blobs in their places. */
static void says(const char *expected)
{
    struct buffer out = { 0 };
    size_t at = 0;
    for (size_t i = 0; i < reply.blob_count; i++) {
        buffer_append(&out, reply.bytes.data + at, reply.blobs[i].at - at);
        at = reply.blobs[i].at;
        buffer_append(&out, reply.blobs[i].blob->data, reply.blobs[i].blob->len);
    }
    if (reply.bytes.len > at)
        buffer_append(&out, reply.bytes.data + at, reply.bytes.len - at);
    cr_assert_eq(out.len, reply_size(&reply));
    buffer_terminate(&out);
    cr_assert_str_eq(out.data, expected);
    buffer_free(&out);
}

static void all_kinds(void)
{
    reply_ok(&reply);
    reply_simple(&reply, "PONG");
    reply_integer(&reply, 7);
    reply_integer(&reply, -1234567890123);
    reply_bulk(&reply, BYTES("a\r\nb"));
    reply_bulk(&reply, (struct bytes){ NULL, 0 });
    reply_bulk_text(&reply, "text");
    reply_bulk_integer(&reply, INT64_MIN);
    reply_null(&reply);
    reply_null_array(&reply);
    reply_array(&reply, 0);
    reply_map(&reply, 12);
    reply_set(&reply, 3);
    reply_push(&reply, 3);
    reply_double(&reply, 0.5);
    reply_double(&reply, -INFINITY);
    reply_bool(&reply, true);
    reply_bool(&reply, false);
    reply_verbatim(&reply, "txt", BYTES("hello"));
    reply_raw(&reply, BYTES(":1\r\n"));
}

Test(reply, resp2)
{
    all_kinds();
    says("+OK\r\n+PONG\r\n:7\r\n:-1234567890123\r\n$4\r\na\r\nb\r\n$0\r\n\r\n$4\r\ntext\r\n"
         "$20\r\n-9223372036854775808\r\n$-1\r\n*-1\r\n*0\r\n*24\r\n*3\r\n*3\r\n$3\r\n0.5\r\n"
         "$4\r\n-inf\r\n:1\r\n:0\r\n$5\r\nhello\r\n:1\r\n");
}

Test(reply, resp3)
{
    reply.protocol = 3;
    all_kinds();
    says("+OK\r\n+PONG\r\n:7\r\n:-1234567890123\r\n$4\r\na\r\nb\r\n$0\r\n\r\n$4\r\ntext\r\n"
         "$20\r\n-9223372036854775808\r\n_\r\n_\r\n*0\r\n%12\r\n~3\r\n>3\r\n,0.5\r\n,-inf\r\n#t\r\n"
         "#f\r\n=9\r\ntxt:hello\r\n:1\r\n");
}

Test(reply, muted_says_nothing)
{
    reply.muted = true;
    all_kinds();
    reply_error(&reply, "syntax error");
    struct reply_mark mark = reply_deferred(&reply);
    reply_deferred_array(&reply, mark, 3);
    struct blob *blob = blob_create(REPLY_BLOB_MIN, 0);
    memset(blob->data, 'x', blob->len);
    reply_bulk_blob(&reply, blob);
    cr_assert(!blob_is_shared(blob));
    blob_release(blob);
    says("");
    cr_assert_eq(reply.errors, 1);
}

static void error(const char *text, const char *expected, const char *code)
{
    uint32_t before = reply.errors;
    reply_error(&reply, "%s", text);
    says(expected);
    cr_assert_str_eq(reply.last_error, code);
    cr_assert_eq(reply.errors, before + 1);
    reply_cut(&reply, 0);
}

/* Only what clients take for a code is one: many messages begin with a command's name in capitals.
 */
Test(reply, errors)
{
    error("syntax error", "-ERR syntax error\r\n", "ERR");
    error("ERR syntax error", "-ERR syntax error\r\n", "ERR");
    error("MOVED 3999 127.0.0.1:6381", "-MOVED 3999 127.0.0.1:6381\r\n", "MOVED");
    error("WRONGTYPE Operation", "-WRONGTYPE Operation\r\n", "WRONGTYPE");
    error("EXEC without MULTI", "-ERR EXEC without MULTI\r\n", "ERR");
    error("MULTI calls can not be nested", "-ERR MULTI calls can not be nested\r\n", "ERR");
    error("DB index is out of range", "-ERR DB index is out of range\r\n", "ERR");
    error("WRONGTYPES are two", "-ERR WRONGTYPES are two\r\n", "ERR");
    error("two\r\nlines", "-ERR two  lines\r\n", "ERR");
    error("", "-ERR \r\n", "ERR");
}

Test(reply, deferred_headers)
{
    reply_simple(&reply, "before");
    struct reply_mark outer = reply_deferred(&reply);
    for (int i = 0; i < 12; i++) {
        struct reply_mark inner = reply_deferred(&reply);
        reply_integer(&reply, i);
        reply_deferred_map(&reply, inner, 1);
    }
    reply_deferred_array(&reply, outer, 12);
    reply.protocol = 3;
    struct reply_mark set = reply_deferred(&reply);
    reply_deferred_set(&reply, set, 0);
    says(
        "+before\r\n*12\r\n*2\r\n:0\r\n*2\r\n:1\r\n*2\r\n:2\r\n*2\r\n:3\r\n*2\r\n:4\r\n*2\r\n:5\r\n"
        "*2\r\n:6\r\n*2\r\n:7\r\n*2\r\n:8\r\n*2\r\n:9\r\n*2\r\n:10\r\n*2\r\n:11\r\n~0\r\n");
}

static struct blob *blob_of(char fill)
{
    struct blob *blob = blob_create(REPLY_BLOB_MIN, 0);
    memset(blob->data, fill, blob->len);
    return blob;
}

/* A header, the value, the line end. */
static void append_expected(struct buffer *out, char fill)
{
    buffer_printf(out, "$%d\r\n", REPLY_BLOB_MIN);
    for (int i = 0; i < REPLY_BLOB_MIN; i++)
        buffer_append_char(out, fill);
    buffer_append_text(out, "\r\n");
}

/* A header that is put in later moves the blobs behind it, and only those. */
Test(reply, deferred_headers_with_blobs)
{
    struct blob *a = blob_of('a'), *b = blob_of('b');
    struct buffer expected = { 0 };
    reply_bulk_blob(&reply, a);
    struct reply_mark mark = reply_deferred(&reply);
    reply_bulk_blob(&reply, b);
    reply_bulk_blob(&reply, a);
    reply_deferred_array(&reply, mark, 2);
    append_expected(&expected, 'a');
    buffer_append_text(&expected, "*2\r\n");
    append_expected(&expected, 'b');
    append_expected(&expected, 'a');
    buffer_terminate(&expected);
    says(expected.data);
    cr_assert(blob_is_shared(a) && blob_is_shared(b));

    reply_cut(&reply, mark.at); /* the first stays */
    cr_assert(!blob_is_shared(b));
    cr_assert_eq(reply.blob_size, REPLY_BLOB_MIN);
    expected.len = 0;
    append_expected(&expected, 'a');
    buffer_terminate(&expected);
    says(expected.data);
    reply_cut(&reply, 0);
    cr_assert(!blob_is_shared(a));
    says("");
    blob_release(a);
    blob_release(b);
    buffer_free(&expected);
}

Test(reply, forgets_what_is_out)
{
    struct blob *a = blob_of('a'), *b = blob_of('b');
    struct buffer expected = { 0 };
    reply_simple(&reply, "one");
    reply_bulk_blob(&reply, a);
    size_t out = reply.bytes.len; /* with the line end behind the blob */
    reply_simple(&reply, "two");
    reply_bulk_blob(&reply, b);
    reply_forget(&reply, out, 1);
    cr_assert(!blob_is_shared(a));
    cr_assert_eq(reply.blob_size, REPLY_BLOB_MIN);
    buffer_append_text(&expected, "+two\r\n");
    append_expected(&expected, 'b');
    buffer_terminate(&expected);
    says(expected.data);
    reply_forget(&reply, reply.bytes.len, 1);
    says("");
    cr_assert(!blob_is_shared(b));
    blob_release(a);
    blob_release(b);
    buffer_free(&expected);
}

Test(reply, small_blobs_are_copied)
{
    struct blob *blob = blob_create(2, 0);
    memcpy(blob->data, "ab", 2);
    reply_bulk_blob(&reply, blob);
    cr_assert(!blob_is_shared(blob));
    blob_release(blob);
    says("$2\r\nab\r\n");
}
