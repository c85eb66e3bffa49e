/* Where a request's keys are: each kind of specification, and that no request makes a position out
 * of bounds. */
#include "server/command/command.h"

#include "common/words.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX = 32 };

/* The positions as "1 3 5"; "-" where the request makes no sense. */
static const char *keys_of(const struct command *command, const char *line)
{
    static char text[256];
    struct words words;
    int positions[MAX];
    cr_assert(words_split(bytes_of(line), &words));
    int argc = (int)words.count;
    int count = command_keys(command, words.items, argc, positions, MAX);
    cr_assert_eq(command_keys(command, words.items, argc, NULL, 0), count);
    text[0] = '\0';
    for (int i = 0; i < count; i++) {
        cr_assert(positions[i] > 0 && positions[i] < argc);
        snprintf(text + strlen(text), sizeof(text) - strlen(text), i ? " %d" : "%d", positions[i]);
    }
    words_free(&words);
    return count < 0 ? "-" : text;
}

static const char *keys_of_named(const char *line)
{
    static bool ready;
    if (!ready)
        command_registry_init();
    ready = true;
    struct words words;
    const struct command_entry *container;
    cr_assert(words_split(bytes_of(line), &words));
    const struct command_entry *entry = command_lookup(words.items, (int)words.count, &container);
    words_free(&words);
    cr_assert_not_null(entry, "%s", line);
    return keys_of(entry->command, line);
}

Test(keys_spec, of_commands)
{
    static const struct {
        const char *line, *keys;
    } rows[] = {
        { "GET a", "1" },
        { "get", "" },
        { "PING", "" },
        { "MGET a b c", "1 2 3" },
        { "MSET a 1 b 2", "1 3" },
        { "MSET a 1 b", "1 3" },
        { "DEL a", "1" },
        { "RENAME a b", "1 2" },
        { "OBJECT ENCODING a", "2" },
        { "WATCH a b", "1 2" },
        { "BLPOP a b 0", "1 2" },
        { "BLPOP 0", "" },
        { "LMPOP 2 a b LEFT", "2 3" },
        { "LMPOP 3 a b", "-" },
        { "BLMPOP 0 1 a LEFT", "3" },
        { "SORT a", "1" },
        { "SORT a STORE b", "1 3" },
        { "SORT a BY STORE GET STORE LIMIT STORE STORE ALPHA", "1" },
        { "SORT a STORE b ALPHA STORE c", "1 6" },
        { "SORT a STORE store ALPHA", "1 3" },
        { "SORT a STORE BY STORE get DESC", "1 5" },
        { "SORT a STORE", "1" },
        { "SORT_RO a STORE b", "1" },
        { "MIGRATE h 1 a 0 100", "3" },
        { "MIGRATE h 1 a 0 100 COPY REPLACE", "3" },
        { "MIGRATE h 1 \"\" 0 100 KEYS a b", "7 8" },
        { "MIGRATE h 1 \"\" 0 100 COPY keys a", "8" },
        { "MIGRATE h 1 \"\" 0 100", "3" },
        { "MIGRATE h 1 \"\" 0 100 KEYS", "3" },
        { "MIGRATE h 1 KEYS 0 100", "3" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        cr_expect_str_eq(keys_of_named(rows[i].line), rows[i].keys, "%s", rows[i].line);
}

static const char *keys_of_spec(struct key_spec spec, const char *line)
{
    const struct key_spec specs[] = { spec, { 0 } };
    struct command command = { .name = "x", .keys = specs };
    return keys_of(&command, line);
}

Test(keys_spec, ranges)
{
    struct key_spec spec = { KEY_BEGIN_INDEX, 0, 1, NULL, KEY_FIND_RANGE, -2, 1, 0, 0, 0, NULL };
    cr_assert_str_eq(keys_of_spec(spec, "BLPOP a b 0"), "1 2");
    cr_assert_str_eq(keys_of_spec(spec, "BLPOP a"), "");
    spec.last = 2;
    cr_assert_str_eq(keys_of_spec(spec, "X a b c d"), "1 2 3");
    cr_assert_str_eq(keys_of_spec(spec, "X a b"), "-", "one of them is missing");
    /* XREAD's: the first half of what is behind STREAMS. */
    struct key_spec half = { KEY_BEGIN_KEYWORD, 0, 1, "STREAMS", KEY_FIND_RANGE, -1, 1, 2, 0, 0,
        NULL };
    cr_assert_str_eq(keys_of_spec(half, "XREAD COUNT 2 STREAMS a b 0 0"), "4 5");
    cr_assert_str_eq(keys_of_spec(half, "XREAD COUNT 2"), "");
    cr_assert_str_eq(keys_of_spec(half, "XREAD STREAMS"), "");
}

Test(keys_spec, numbers_of_keys)
{
    struct key_spec spec = { KEY_BEGIN_INDEX, 0, 2, NULL, KEY_FIND_KEYNUM, 0, 1, 0, 0, 1, NULL };
    cr_assert_str_eq(keys_of_spec(spec, "EVAL s 2 a b c"), "3 4");
    cr_assert_str_eq(keys_of_spec(spec, "EVAL s 0 a"), "");
    cr_assert_str_eq(keys_of_spec(spec, "EVAL s 0"), "");
    cr_assert_str_eq(keys_of_spec(spec, "EVAL s 4 a b c"), "-");
    cr_assert_str_eq(keys_of_spec(spec, "EVAL s -1 a"), "-");
    cr_assert_str_eq(keys_of_spec(spec, "EVAL s x a"), "-");
    cr_assert_str_eq(keys_of_spec(spec, "EVAL s 9223372036854775807 a"), "-");
    spec.step = INT32_MAX;
    cr_assert_str_eq(keys_of_spec(spec, "EVAL s 3 a b c"), "-");
}

Test(keys_spec, keywords_from_behind)
{
    struct key_spec spec = { KEY_BEGIN_KEYWORD, 0, -2, "KEYS", KEY_FIND_RANGE, -1, 1, 0, 0, 0,
        NULL };
    cr_assert_str_eq(keys_of_spec(spec, "X a KEYS b c"), "3 4");
    cr_assert_str_eq(keys_of_spec(spec, "X"), "");
    cr_assert_str_eq(keys_of_spec(spec, "X KEYS"), "");
    cr_assert_str_eq(keys_of_spec(spec, "KEYS a"), "", "the name is no keyword");
}
