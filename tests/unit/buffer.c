#include "common/buffer.h"

#include "common/error.h"
#include "common/memory.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static void expect_text(const struct buffer *buffer, const char *text)
{
    cr_assert(bytes_equal(buffer_bytes(buffer), bytes_of(text)), "\"%.*s\" instead of \"%s\"",
        (int)buffer->len, buffer->data, text);
}

Test(buffer, grows_by_what_is_appended)
{
    struct buffer buffer = { 0 };
    char expected[5001] = "";
    for (int i = 0; i < 1000; i++) {
        buffer_append_text(&buffer, "abc");
        buffer_append_char(&buffer, 'd');
        buffer_append(&buffer, "e", 1);
        memcpy(expected + 5 * (size_t)i, "abcde", 6);
    }
    expect_text(&buffer, expected);
    cr_assert_geq(buffer.capacity, buffer.len);
    buffer_free(&buffer);
    cr_assert(buffer.data == NULL && buffer.len == 0 && buffer.capacity == 0);
}

Test(buffer, of_nothing_allocates_nothing)
{
    struct buffer buffer = { 0 };
    buffer_append(&buffer, NULL, 0);
    buffer_append_text(&buffer, "");
    buffer_printf(&buffer, "%s", "");
    buffer_consume(&buffer, 0);
    buffer_reserve(&buffer, 0);
    cr_assert_null(buffer.data);
}

Test(buffer, reserve_is_exact_for_a_large_piece)
{
    struct buffer buffer = { 0 };
    buffer_append_text(&buffer, "12345");
    buffer_reserve(&buffer, 1000000);
    cr_assert_eq(buffer.capacity, 1000005);
    char *data = buffer.data;
    for (int i = 0; i < 1000000; i++)
        buffer_append_char(&buffer, 'x');
    cr_assert_eq(buffer.data, data, "what was reserved was not enough");
    buffer_free(&buffer);
}

Test(buffer, prints_across_a_reallocation)
{
    struct buffer buffer = { 0 };
    char expected[1200] = "";
    for (int i = 0; i < 100; i++) {
        buffer_printf(&buffer, "%d-%s ", i, "abcdef");
        sprintf(expected + strlen(expected), "%d-%s ", i, "abcdef");
    }
    expect_text(&buffer, expected);
    buffer_free(&buffer);
}

Test(buffer, consumes_from_the_start)
{
    struct buffer buffer = { 0 };
    buffer_append_text(&buffer, "hello world");
    buffer_consume(&buffer, 6);
    expect_text(&buffer, "world");
    buffer_consume(&buffer, 5);
    cr_assert_eq(buffer.len, 0);
    buffer_append_text(&buffer, "again");
    expect_text(&buffer, "again");
    buffer_free(&buffer);
}

Test(buffer, terminates_without_counting_it)
{
    struct buffer buffer = { 0 };
    buffer_terminate(&buffer);
    cr_assert_str_eq(buffer.data, "");
    for (int i = 0; i < 64; i++)
        buffer_append_char(&buffer, 'a');
    buffer_terminate(&buffer);
    cr_assert_eq(buffer.len, 64);
    cr_assert_eq(strlen(buffer.data), 64);
    buffer_free(&buffer);
}

Test(buffer, writes_integers_big_endian)
{
    struct buffer buffer = { 0 };
    buffer_append_u16be(&buffer, 0x0102);
    buffer_append_u32be(&buffer, 0xfffefdfc);
    buffer_append_u64be(&buffer, 0x0102030405060708);
    static const char expected[] = "\x01\x02\xff\xfe\xfd\xfc\x01\x02\x03\x04\x05\x06\x07\x08";
    cr_assert(bytes_equal(buffer_bytes(&buffer), BYTES(expected)));
    buffer_free(&buffer);
}

Test(bytes, compare)
{
    cr_assert(bytes_equal(BYTES("a\0b"), BYTES("a\0b")));
    cr_assert_not(bytes_equal(BYTES("a\0b"), BYTES("a\0c")));
    cr_assert_not(bytes_equal(BYTES("ab"), BYTES("abc")));
    cr_assert(bytes_is(BYTES("GeT"), "get"));
    cr_assert_not(bytes_is(BYTES("get\0"), "get"));
    cr_assert_not(bytes_is(BYTES("ge"), "get"));
}

Test(error, is_a_sentence_with_prefixes)
{
    struct error error;
    cr_assert_not(error_set(&error, "port %d is taken", 7001));
    cr_assert_not(error_prefix(&error, "line %d", 3));
    cr_assert_not(error_prefix(&error, "%s", "node.conf"));
    cr_assert_str_eq(error.text, "node.conf: line 3: port 7001 is taken");
    error_set(&error, "again: %s", error.text);
    cr_assert_str_eq(error.text, "again: node.conf: line 3: port 7001 is taken");
    error_set(&error, "\"%s\" is no port", "\033[2J\n\x7f\xc3\xa4");
    cr_assert_str_eq(error.text, "\"?[2J??\xc3\xa4\" is no port");
    cr_assert_not(error_set(NULL, "nobody asks"));
    cr_assert_not(error_prefix(NULL, "nobody asks"));
}

Test(error, is_cut_to_what_fits)
{
    struct error error;
    char longer[2 * sizeof(error.text)];
    memset(longer, 'x', sizeof(longer));
    longer[sizeof(longer) - 1] = '\0';
    error_set(&error, "%s", longer);
    cr_assert_eq(strlen(error.text), sizeof(error.text) - 1);
    error_prefix(&error, "where");
    cr_assert_eq(strlen(error.text), sizeof(error.text) - 1);
    cr_assert_eq(strncmp(error.text, "where: xxx", 10), 0);
    error_prefix(&error, "%s", longer);
    cr_assert_eq(strlen(error.text), sizeof(error.text) - 1);
}

Test(memory, copies)
{
    char *text = memory_copy_text("text"), *empty = memory_copy(NULL, 0);
    cr_assert_str_eq(text, "text");
    cr_assert_not_null(empty);
    unsigned char *zeroed = memory_alloc_zeroed(100, 3);
    for (int i = 0; i < 300; i++)
        cr_assert_eq(zeroed[i], 0);
    text = memory_resize(text, 1000);
    cr_assert_str_eq(text, "text");
    free(text);
    free(empty);
    free(zeroed);
}
