#include "server/command/scan_cursor.h"

#include "common/number.h"
#include "common/slot.h"
#include <criterion/criterion.h>

static bool parse(const char *text, struct scan_cursor *cursor)
{
    return scan_cursor_parse(bytes_of(text), cursor);
}

Test(scan_cursor, comes_back_as_it_went)
{
    static const uint32_t positions[] = { 0, 1, 77, UINT32_MAX / 2, UINT32_MAX };
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot += 127) {
        for (size_t i = 0; i < sizeof(positions) / sizeof(positions[0]); i++) {
            struct scan_cursor cursor = { slot, positions[i] }, back;
            uint64_t number = scan_cursor_pack(cursor);
            cr_assert_lt(number, UINT64_C(1) << 46);
            back = scan_cursor_unpack(number);
            cr_assert(back.slot == slot && back.position == positions[i]);
            char digits[NUMBER_TEXT_MAX];
            size_t len = number_format_unsigned(digits, number);
            cr_assert(scan_cursor_parse((struct bytes){ digits, len }, &back));
            cr_assert(back.slot == slot && back.position == positions[i]);
        }
    }
}

Test(scan_cursor, begins_and_ends_with_0)
{
    cr_assert_eq(scan_cursor_pack((struct scan_cursor){ 0, 0 }), 0);
    cr_assert_eq(scan_cursor_pack((struct scan_cursor){ SLOT_COUNT, 0 }), 0);
    cr_assert_neq(scan_cursor_pack((struct scan_cursor){ 0, 1 }), 0);
    cr_assert_neq(scan_cursor_pack((struct scan_cursor){ 1, 0 }), 0);
}

Test(scan_cursor, anything_else_is_the_end)
{
    cr_assert_eq(scan_cursor_unpack(UINT64_MAX).slot, SLOT_COUNT);
    cr_assert_eq(scan_cursor_unpack((uint64_t)SLOT_COUNT << 32).slot, SLOT_COUNT);
    cr_assert_eq(scan_cursor_unpack(((uint64_t)SLOT_COUNT << 32) - 1).slot, SLOT_COUNT - 1);
}

Test(scan_cursor, is_read_as_redis_reads_it)
{
    struct scan_cursor cursor;
    static const char *const good[] = { "", "0", "00", "+0", "-0", "18446744073709551615", "-1" };
    static const char *const bad[] = { "-", "+", "a", "1a", " 1", "1 ", "0x1", "--1", "1.5",
        "18446744073709551616", "-18446744073709551616", "99999999999999999999999" };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        cr_assert(parse(good[i], &cursor), "%s", good[i]);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_assert_not(parse(bad[i], &cursor), "%s", bad[i]);
    cr_assert_not(scan_cursor_parse((struct bytes){ "1\0", 2 }, &cursor));
    cr_assert(parse("-1", &cursor));
    cr_assert_eq(cursor.slot, SLOT_COUNT);
    cr_assert(parse("+4294967297", &cursor));
    cr_assert(cursor.slot == 1 && cursor.position == 1);
}

Test(scan_cursor, knows_patterns_about_one_slot)
{
    static const struct {
        const char *pattern, *like; /* NULL: not about one slot */
    } cases[] = {
        { "{tag}*", "tag" },
        { "user:{tag}:*", "tag" },
        { "{tag}", "tag" },
        { "plain", "plain" },
        { "", "" },
        { "{tag}[a-z]?", "tag" },
        { "a{b}c{d}*", "b" },
        { "{}plain", "{}plain" },
        { "{open", "{open" },
        { "*", NULL },
        { "*{tag}", NULL },
        { "?{tag}", NULL },
        { "[x]{tag}", NULL },
        { "\\x{tag}", NULL },
        { "{t*g}", NULL },
        { "{t?g}", NULL },
        { "{t\\}", NULL },
        { "{}*", NULL },
        { "{}{tag}*", NULL },
        { "{open*", NULL },
        { "plain?", NULL },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        unsigned slot = SLOT_COUNT;
        bool one = scan_pattern_slot(bytes_of(cases[i].pattern), &slot);
        cr_assert_eq(one, cases[i].like != NULL, "%s", cases[i].pattern);
        if (one)
            cr_assert_eq(slot, slot_of_key(bytes_of(cases[i].like)), "%s", cases[i].pattern);
    }
}
