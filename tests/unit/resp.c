#include "common/resp.h"

#include "tests/support/resp_pieces.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

/* Appends what a server would understand: "[a|b]" for each request, or the error. */
static void describe(struct buffer *out, const struct resp_reader *reader, enum resp_status status)
{
    if (status == RESP_ERROR) {
        buffer_append_text(out, reader->error);
    } else if (status == RESP_OK) {
        for (size_t i = 0; i < reader->argc; i++) {
            buffer_append_char(out, i == 0 ? '[' : '|');
            buffer_append(out, reader->argv[i].data, reader->argv[i].len);
        }
        buffer_append_text(out, reader->argc == 0 ? "[]" : "]");
    }
}

/* What a server would understand of it, with "..." for a request that is not whole. */
static struct buffer read_all(struct resp_reader reader, struct bytes text, size_t piece)
{
    struct buffer out = { 0 };
    if (resp_read_in_pieces(&reader, text, piece, describe, &out) > 0)
        buffer_append_text(&out, "...");
    resp_reader_free(&reader);
    return out;
}

static void expect(struct resp_reader settings, struct bytes text, const char *expected)
{
    static const size_t pieces[] = { 1, 2, 3, 7, SIZE_MAX };
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        struct buffer out = read_all(settings, text, pieces[i]);
        cr_assert(bytes_equal(buffer_bytes(&out), bytes_of(expected)),
            "%.*s\nin pieces of %zu: %.*s\nexpected: %s", (int)text.len, text.data, pieces[i],
            (int)out.len, out.data, expected);
        buffer_free(&out);
    }
}

struct row {
    struct bytes text;
    const char *expected;
};

/* All rows say what redis-server 7.0 makes of the same bytes. */
static const struct row rows[] = {
    { BYTES("*1\r\n$4\r\nPING\r\n"), "[PING]" },
    { BYTES("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n*1\r\n$4\r\nPING\r\n"), "[SET|k|][PING]" },
    { BYTES("*2\r\n$4\r\nECHO\r\n$12\r\n*1\r\n$4\r\nPING\r\n"), "[ECHO|*1\r\n$4\r\nPING]" },
    { BYTES("*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nPI"), "[PING]..." },
    { BYTES("*0\r\nPING\r\n"), "[][PING]" },
    { BYTES("*-1\r\nPING\r\n"), "[][PING]" },
    { BYTES("*-5\r\nPING\r\n"), "[][PING]" },
    { BYTES("PING\r\n"), "[PING]" },
    { BYTES("PING\nPING\n"), "[PING][PING]" },
    { BYTES("\r\n\n  \r\nPING\r\n"), "[][][][PING]" },
    { BYTES("ECHO \"a b\" 'c' d\"e\"\r\n"), "[ECHO|a b|c|de]" },
    { BYTES("PING"), "..." },
    { BYTES("PI\0NG\r\nPING\r\n"), "..." },
    { BYTES("*1\0\r\n"), "..." },
    { BYTES("*1\r\n\0004\r\nPING\r\n"), "..." },
    { BYTES("*1\r\n$4\r?PING??PING\r\n"), "[PING][PING]" },
    { BYTES("*2147483647\r\n"), "..." },
    { BYTES("*1048577\r\n$1\r\nx\r\n"), "..." },
    { BYTES("*2147483648\r\n"), "invalid multibulk length" },
    { BYTES("*99999999999999999999\r\n"), "invalid multibulk length" },
    { BYTES("*\r\n"), "invalid multibulk length" },
    { BYTES("*+1\r\n"), "invalid multibulk length" },
    { BYTES("*01\r\n"), "invalid multibulk length" },
    { BYTES("*1 \r\n"), "invalid multibulk length" },
    { BYTES("*x\r\n"), "invalid multibulk length" },
    { BYTES("*1\r\nxyz\r\n"), "expected '$', got 'x'" },
    { BYTES("*1\r\n:4\r\nPING\r\n"), "expected '$', got ':'" },
    { BYTES("*1\r\n\r\n"), "expected '$', got ' '" },
    { BYTES("*1\r\n\n\r\n"), "expected '$', got ' '" },
    { BYTES("*1\r\n\xff\r\n"), "expected '$', got '\xff'" },
    { BYTES("*1\r\nfoo"), "..." },
    { BYTES("*1\r\n$-1\r\n"), "invalid bulk length" },
    { BYTES("*1\r\n$04\r\nPING\r\n"), "invalid bulk length" },
    { BYTES("*1\r\n$\r\n"), "invalid bulk length" },
    { BYTES("*1\r\n$4x\r\n"), "invalid bulk length" },
    { BYTES("*1\r\n$536870912\r\n"), "..." },
    { BYTES("*1\r\n$536870913\r\n"), "invalid bulk length" },
    { BYTES("*1\r\n$9223372036854775807\r\n"), "invalid bulk length" },
    { BYTES("PING\r\n\"abc\r\n"), "[PING]unbalanced quotes in request" },
    { BYTES("'a'b\r\n"), "unbalanced quotes in request" },
    { BYTES("*11\r\n"), "..." },
    { BYTES("*1\r\n$16385\r\n"), "..." },
};

Test(resp, requests_are_read_however_they_are_cut)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        expect((struct resp_reader){ 0 }, rows[i].text, rows[i].expected);
}

Test(resp, bounds_before_authentication)
{
    struct resp_reader strict = { .strict_bounds = true };
    expect(strict, BYTES("*10\r\n"), "...");
    expect(strict, BYTES("*11\r\n"), "unauthenticated multibulk length");
    expect(strict, BYTES("*1\r\n$16384\r\n"), "...");
    expect(strict, BYTES("*1\r\n$16385\r\n"), "unauthenticated bulk length");
    strict.authenticated = true;
    expect(strict, BYTES("*11\r\n"), "...");
    expect(strict, BYTES("*1\r\n$16385\r\n"), "...");
}

Test(resp, bound_of_an_argument_is_the_owners)
{
    struct resp_reader small = { .bulk_max = 5 }, any = { .bulk_max = INT64_MAX };
    expect(small, BYTES("*1\r\n$5\r\nabcde\r\n"), "[abcde]");
    expect(small, BYTES("*1\r\n$6\r\n"), "invalid bulk length");
    expect(any, BYTES("*1\r\n$9223372036854775807\r\nabc"), "...");
}

/* `start` and then digits up to `len` bytes behind it. */
static void expect_line(const char *start, char fill, size_t len, const char *expected)
{
    struct buffer text = { 0 };
    buffer_append_text(&text, start);
    for (size_t i = 0; i < len; i++)
        buffer_append_char(&text, fill);
    struct buffer out = read_all((struct resp_reader){ 0 }, buffer_bytes(&text), 1000);
    cr_assert(bytes_equal(buffer_bytes(&out), bytes_of(expected)), "%s %zu: %.*s", start, len,
        (int)out.len, out.data);
    buffer_free(&out);
    buffer_free(&text);
}

Test(resp, lines_without_an_end_are_bounded)
{
    expect_line("", 'a', RESP_INLINE_MAX, "...");
    expect_line("", 'a', RESP_INLINE_MAX + 1, "too big inline request");
    expect_line("", '\0', RESP_INLINE_MAX + 1, "too big inline request");
    expect_line("*", '1', RESP_INLINE_MAX - 1, "...");
    expect_line("*", '1', RESP_INLINE_MAX, "too big mbulk count string");
    expect_line("*1\r\n$", '1', RESP_INLINE_MAX - 1, "...");
    expect_line("*1\r\n$", '1', RESP_INLINE_MAX, "too big bulk count string");
}

Test(resp, room_follows_what_came_not_what_was_announced)
{
    struct resp_reader reader = { 0 };
    struct buffer text = { 0 };
    size_t consumed;
    buffer_append_text(&text, "*2147483647\r\n$1\r\nx\r\n");
    cr_assert_eq(resp_read(&reader, text.data, text.len, &consumed), RESP_MORE);
    cr_assert_leq(reader.capacity, 16);
    resp_reader_free(&reader);
    buffer_free(&text);
}

Test(resp, a_million_arguments_arrive_in_pieces)
{
    enum { COUNT = 1000000, PIECE = 16 * 1024 };
    struct buffer text = { 0 };
    resp_write_array(&text, COUNT);
    for (int i = 0; i < COUNT; i++) {
        char value[16];
        resp_write_bulk(&text, (struct bytes){ value, (size_t)sprintf(value, "v%d", i) });
    }
    struct resp_reader reader = { 0 };
    size_t len = 0, consumed, calls = 0;
    enum resp_status status = RESP_MORE;
    while (status == RESP_MORE && len < text.len) {
        len = text.len - len < PIECE ? text.len : len + PIECE;
        status = resp_read(&reader, text.data, len, &consumed);
        cr_assert(status == RESP_OK || reader.pos + 32 > len,
            "a call left %zu bytes for the next one to read again", len - reader.pos);
        calls++;
    }
    cr_assert_eq(status, RESP_OK);
    cr_assert_eq(consumed, text.len);
    cr_assert_eq(calls, (text.len + PIECE - 1) / PIECE);
    cr_assert_eq(reader.argc, COUNT);
    for (int i = 0; i < COUNT; i += 997) {
        char value[16];
        sprintf(value, "v%d", i);
        cr_assert(bytes_is(reader.argv[i], value));
    }
    /* The memory for the views of a giant does not stay with the connection. */
    cr_assert_eq(resp_read(&reader, "PING\r\n", 6, &consumed), RESP_OK);
    cr_assert_leq(reader.capacity, 1024);
    resp_reader_free(&reader);
    buffer_free(&text);
}

Test(resp, says_how_much_of_an_argument_is_missing)
{
    struct resp_reader reader = { 0 };
    static const char text[] = "*2\r\n$3\r\nGET\r\n$1000\r\nabc";
    size_t len = sizeof(text) - 1, consumed;
    cr_assert_eq(resp_reader_missing(&reader, 0), 1);
    cr_assert_eq(resp_read(&reader, text, 3, &consumed), RESP_MORE);
    cr_assert_eq(resp_reader_missing(&reader, 3), 1);
    cr_assert_eq(resp_read(&reader, text, len, &consumed), RESP_MORE);
    cr_assert_eq(resp_reader_missing(&reader, len), 997 + 2);
    resp_reader_free(&reader);
}

Test(resp, starts_afresh_after_an_error)
{
    struct resp_reader reader = { 0 };
    size_t consumed;
    static const char bad[] = "*2\r\n$4\r\nECHO\r\nx\r\n";
    cr_assert_eq(resp_read(&reader, bad, sizeof(bad) - 1, &consumed), RESP_ERROR);
    cr_assert_eq(reader.argc, 0);
    cr_assert_eq(resp_read(&reader, "PING\r\n", 6, &consumed), RESP_OK);
    cr_assert_eq(reader.argc, 1);
    cr_assert_eq(consumed, 6);
    resp_reader_free(&reader);
}

Test(resp, commands_that_were_written_are_read_back)
{
    srandom(1);
    for (int round = 0; round < 1000; round++) {
        char data[300];
        struct bytes argv[6];
        size_t argc = 1 + (size_t)random() % 6, consumed;
        for (size_t i = 0; i < sizeof(data); i++)
            data[i] = (char)random();
        for (size_t i = 0; i < argc; i++) {
            size_t from = (size_t)random() % sizeof(data);
            argv[i] = (struct bytes){ data + from, (size_t)random() % (sizeof(data) - from) };
        }
        struct buffer text = { 0 };
        resp_write_command(&text, argv, argc);
        struct resp_reader reader = { 0 };
        cr_assert_eq(resp_read(&reader, text.data, text.len, &consumed), RESP_OK);
        cr_assert_eq(consumed, text.len);
        cr_assert_eq(reader.argc, argc);
        for (size_t i = 0; i < argc; i++)
            cr_assert(bytes_equal(reader.argv[i], argv[i]));
        resp_reader_free(&reader);
        buffer_free(&text);
    }
}

Test(resp, is_written_as_specified)
{
    struct buffer out = { 0 };
    struct bytes argv[] = { BYTES("GET"), BYTES("a\r\n\0"), BYTES("") };
    resp_write_command(&out, argv, 3);
    cr_assert(
        bytes_equal(buffer_bytes(&out), BYTES("*3\r\n$3\r\nGET\r\n$4\r\na\r\n\0\r\n$0\r\n\r\n")));
    buffer_free(&out);
}
