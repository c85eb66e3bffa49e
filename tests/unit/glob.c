#include "server/command/glob.h"

#include <criterion/criterion.h>
#include <stdlib.h>

/* As redis-server 7.0 answers SCAN 0 MATCH. */
Test(glob, matches_as_redis_does)
{
    static const struct {
        const char *pattern, *text;
        bool matches;
    } rows[] = {
        { "", "", true },
        { "", "a", false },
        { "*", "a", true },
        { "*", "", false },
        { "**", "", false },
        { "a*", "a", true },
        { "a**", "a", true },
        { "*a", "ba", true },
        { "*a", "ab", false },
        { "*a*b*", "xaxbx", true },
        { "*a*b*", "xbxax", false },
        { "*ab", "aab", true },
        { "?", "a", true },
        { "?", "", false },
        { "??", "a", false },
        { "a?c", "abc", true },
        { "[abc]", "b", true },
        { "[abc]", "d", false },
        { "[^abc]", "d", true },
        { "[^abc]", "b", false },
        { "[a-c]x", "bx", true },
        { "[c-a]", "b", true },
        { "[a-]", "-", false },
        { "[a-]", "b", false },
        { "[a-]", "]", true },
        { "[a", "a", true },
        { "[", "[", false },
        { "[]", "]", false },
        { "[^]", "x", true },
        { "[\\]]", "]", true },
        { "\\*", "*", true },
        { "\\*", "a", false },
        { "\\", "\\", true },
        { "a\\", "a\\", true },
        { "A", "a", false },
        { "h[ae]llo*", "hallo world", true },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        cr_assert_eq(glob_matches(bytes_of(rows[i].pattern), bytes_of(rows[i].text), false),
            rows[i].matches, "'%s' and '%s'", rows[i].pattern, rows[i].text);
}

Test(glob, ignores_case_where_asked)
{
    cr_assert(glob_matches(BYTES("MAX*"), BYTES("maxclients"), true));
    cr_assert(glob_matches(BYTES("[A-C]"), BYTES("b"), true));
    cr_assert_not(glob_matches(BYTES("MAX*"), BYTES("maxclients"), false));
}

Test(glob, takes_any_byte)
{
    cr_assert(glob_matches(((struct bytes){ "a\0*", 3 }), ((struct bytes){ "a\0b", 3 }), false));
    cr_assert_not(
        glob_matches(((struct bytes){ "a\0c", 3 }), ((struct bytes){ "a\0b", 3 }), false));
    cr_assert(glob_matches(BYTES("\xff?"), BYTES("\xff\x80"), false));
}

/* With a matcher that goes back to earlier stars this takes longer than the universe is old. */
Test(glob, work_is_bounded, .timeout = 20)
{
    char pattern[2000], text[20000];
    for (size_t i = 0; i < sizeof(pattern); i += 2) {
        pattern[i] = '*';
        pattern[i + 1] = 'a';
    }
    memset(text, 'a', sizeof(text));
    pattern[sizeof(pattern) - 1] = 'b';
    cr_assert_not(glob_matches(
        (struct bytes){ pattern, sizeof(pattern) }, (struct bytes){ text, sizeof(text) }, false));
}

Test(glob, knows_patterns)
{
    cr_assert(glob_is_pattern(BYTES("a*")));
    cr_assert(glob_is_pattern(BYTES("[a]")));
    cr_assert(glob_is_pattern(BYTES("a\\b")));
    cr_assert_not(glob_is_pattern(BYTES("abc]")));
    cr_assert_not(glob_is_pattern(((struct bytes){ "\0", 1 })));
}
