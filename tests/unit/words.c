#include "common/words.h"

#include <criterion/criterion.h>
#include <stdlib.h>

enum { ROW_WORDS = 4 };

/* As redis-server 7.0 understands the same bytes as an inline command. */
Test(words, are_split)
{
    static const struct row {
        struct bytes line;
        size_t count;
        struct bytes words[ROW_WORDS];
    } rows[] = {
        { { NULL, 0 }, 0, { { NULL, 0 } } },
        { BYTES(" \t\r\n\v\f "), 0, { { NULL, 0 } } },
        { BYTES("SET key  value"), 3, { BYTES("SET"), BYTES("key"), BYTES("value") } },
        { BYTES("\ta\tb\n"), 2, { BYTES("a"), BYTES("b") } },
        { BYTES("'' \"\""), 2, { BYTES(""), BYTES("") } },
        { BYTES("\"a b\" 'c d'"), 2, { BYTES("a b"), BYTES("c d") } },
        { BYTES("a\"b c\" d"), 2, { BYTES("ab c"), BYTES("d") } },
        { BYTES("\"\\n\\r\\t\\b\\a\\\"\\\\\\q\""), 1, { BYTES("\n\r\t\b\a\"\\q") } },
        { BYTES("\"\\x41\\xfF\\x00\""), 1, { BYTES("A\xff\0") } },
        { BYTES("\"\\x4g\\x4\""), 1, { BYTES("x4gx4") } },
        { BYTES("'a\\'b\\n\\\\ '"), 1, { BYTES("a'b\\n\\\\ ") } },
        { BYTES("a\\nb"), 1, { BYTES("a\\nb") } },
        { BYTES("\"a\"\vb"), 2, { BYTES("a"), BYTES("b") } },
        { BYTES("a\vb"), 1, { BYTES("a\vb") } },
        { BYTES("a b\0c d"), 2, { BYTES("a"), BYTES("b") } },
        { BYTES("\xc3\xa4 \x80"), 2, { BYTES("\xc3\xa4"), BYTES("\x80") } },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct words words;
        cr_assert(words_split(rows[i].line, &words), "row %zu", i);
        cr_assert_eq(words.count, rows[i].count, "row %zu: %zu words", i, words.count);
        for (size_t j = 0; j < words.count; j++)
            cr_assert(bytes_equal(words.items[j], rows[i].words[j]), "row %zu: \"%.*s\"", i,
                (int)words.items[j].len, words.items[j].data);
        words_free(&words);
        cr_assert(words.items == NULL && words.text == NULL && words.count == 0);
    }
}

Test(words, with_unbalanced_quotes_are_refused)
{
    static const struct bytes lines[] = { BYTES("\""), BYTES("'"), BYTES("a \"b"), BYTES("a 'b"),
        BYTES("\"a\"b"), BYTES("'a'b"), BYTES("\"a\\\""), BYTES("'a\\'"), BYTES("\"a\\"),
        BYTES("a\"b\"c"), BYTES("\"a\0\""), BYTES("'a'\"b\"") };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct words words;
        cr_assert_not(words_split(lines[i], &words), "row %zu", i);
        cr_assert(words.items == NULL && words.text == NULL && words.count == 0);
    }
}

Test(words, are_as_many_as_there_are)
{
    struct buffer line = { 0 };
    for (int i = 0; i < 10000; i++)
        buffer_printf(&line, "w%d ", i);
    struct words words;
    cr_assert(words_split(buffer_bytes(&line), &words));
    cr_assert_eq(words.count, 10000);
    cr_assert(bytes_equal(words.items[9999], BYTES("w9999")));
    words_free(&words);
    buffer_free(&line);
}

Test(words, are_quoted_only_where_needed)
{
    static const struct row {
        struct bytes word;
        const char *quoted;
    } rows[] = {
        { BYTES("plain"), "plain" },
        { BYTES("C:\\path=[1,2]#x"), "C:\\path=[1,2]#x" },
        { BYTES("\xc3\xa4"), "\xc3\xa4" },
        { { NULL, 0 }, "\"\"" },
        { BYTES("#comment"), "\"#comment\"" },
        { BYTES("two words"), "\"two words\"" },
        { BYTES("it's"), "\"it's\"" },
        { BYTES("\"\\ "), "\"\\\"\\\\ \"" },
        { BYTES("\n\r\t\b\a\v\0\x7f"), "\"\\n\\r\\t\\b\\a\\x0b\\x00\\x7f\"" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buffer out = { 0 };
        words_quote(&out, rows[i].word);
        cr_assert(bytes_equal(buffer_bytes(&out), bytes_of(rows[i].quoted)), "row %zu: %.*s", i,
            (int)out.len, out.data);
        buffer_free(&out);
    }
}

Test(words, that_were_quoted_are_read_back)
{
    srandom(1);
    for (int round = 0; round < 5000; round++) {
        char data[20];
        struct bytes word = { data, (size_t)random() % sizeof(data) };
        for (size_t i = 0; i < word.len; i++)
            data[i] = (char)(random() % 4 != 0 ? random() : "\"'\\ x0n#"[random() % 8]);
        struct buffer line = { 0 };
        for (int i = 0; i < 2; i++) {
            words_quote(&line, word);
            buffer_append_char(&line, ' ');
        }
        struct words words;
        cr_assert(words_split(buffer_bytes(&line), &words));
        cr_assert_eq(words.count, 2);
        cr_assert(bytes_equal(words.items[0], word) && bytes_equal(words.items[1], word));
        words_free(&words);
        buffer_free(&line);
    }
}
