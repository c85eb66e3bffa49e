#include "common/slot.h"

#include "common/error.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

/* The definition, a bit at a time: polynomial 0x1021, from 0, nothing reflected. */
static uint16_t crc16_by_bits(const uint8_t *data, size_t len)
{
    uint16_t crc = 0;
    for (size_t i = 0; i < len; i++) {
        crc ^= (uint16_t)(data[i] << 8);
        for (int bit = 0; bit < 8; bit++)
            crc = (uint16_t)((crc & 0x8000) != 0 ? (crc << 1) ^ 0x1021 : crc << 1);
    }
    return crc;
}

Test(slot, crc16_is_that_of_the_definition)
{
    cr_assert_eq(crc16("123456789", 9), 0x31c3); /* the check value of CRC-16/XMODEM */
    cr_assert_eq(crc16(NULL, 0), 0);
    uint8_t data[80];
    srandom(1);
    for (size_t len = 0; len <= sizeof(data); len++) {
        for (int round = 0; round < 50; round++) {
            for (size_t i = 0; i < len; i++)
                data[i] = (uint8_t)random();
            cr_assert_eq(crc16(data, len), crc16_by_bits(data, len), "length %zu", len);
        }
    }
    /* Every entry of every table, alone. */
    for (size_t at = 0; at < 8; at++) {
        for (int byte = 0; byte < 256; byte++) {
            memset(data, 0, 8);
            data[at] = (uint8_t)byte;
            cr_assert_eq(crc16(data, 8), crc16_by_bits(data, 8), "byte %d at %zu", byte, at);
        }
    }
}

/* What CLUSTER KEYSLOT of redis-server 7.0 says. */
Test(slot, of_a_key_and_of_its_tag)
{
    static const struct row {
        struct bytes key;
        unsigned slot;
    } rows[] = {
        { { "", 0 }, 0 },
        { BYTES("a"), 15495 },
        { BYTES("bar"), 5061 },
        { BYTES("123456789"), 12739 },
        { BYTES("key:000000000042"), 7803 },
        { BYTES("a key that is a good deal longer than sixteen bytes"), 13639 },
        { BYTES("{user1000}.following"), 3443 },
        { BYTES("foo{bar}{zap}"), 5061 },
        { BYTES("{a}{b}"), 15495 },
        { BYTES("foo{{bar}}zap"), 4015 },
        { BYTES("foo{}{bar}"), 8363 },
        { BYTES("{}"), 15257 },
        { BYTES("a{b"), 13340 },
        { BYTES("}{"), 12793 },
        { BYTES("b}"), 626 },
        { BYTES("{bar"), 4015 },
        { BYTES("}a{b}"), 3300 },
        { BYTES("\x00\xff\x80"), 4727 },
        { BYTES("{\0}x"), 0 },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        cr_assert_eq(
            slot_of_key(rows[i].key), rows[i].slot, "row %zu: %u", i, slot_of_key(rows[i].key));
}

Test(slot, is_read_strictly)
{
    unsigned slot = 1;
    cr_assert(slot_parse(BYTES("0"), &slot) && slot == 0);
    cr_assert(slot_parse(BYTES("16383"), &slot) && slot == 16383);
    static const char *const refused[] = { "", "16384", "-1", "+1", "01", " 1", "1 ", "1.0", "0x1",
        "99999999999999999999" };
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        cr_assert_not(slot_parse(bytes_of(refused[i]), &slot), "%s", refused[i]);
    cr_assert_eq(slot, 16383);
}

Test(slot, ranges_are_read_strictly)
{
    unsigned first, last;
    cr_assert(slot_parse_range(BYTES("7"), &first, &last) && first == 7 && last == 7);
    cr_assert(slot_parse_range(BYTES("0-16383"), &first, &last) && first == 0 && last == 16383);
    cr_assert(slot_parse_range(BYTES("7-7"), &first, &last) && first == 7 && last == 7);
    static const char *const refused[] = { "", "-", "7-", "-7", "8-7", "1-2-3", "0-16384", "1 -2" };
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        cr_assert_not(slot_parse_range(bytes_of(refused[i]), &first, &last), "%s", refused[i]);
}

Test(slot_set, has_what_was_added)
{
    struct slot_set set = { 0 };
    cr_assert(slot_set_is_empty(&set));
    slot_set_add(&set, 9);
    cr_assert_eq(set.bits[1], 2, "the bit order of the bus");
    slot_set_add(&set, SLOT_COUNT - 1);
    cr_assert(slot_set_has(&set, 9) && slot_set_has(&set, SLOT_COUNT - 1));
    cr_assert_not(slot_set_has(&set, 8));
    cr_assert_eq(slot_set_count(&set), 2);
    cr_assert_not(slot_set_is_empty(&set));
    slot_set_remove(&set, 9);
    slot_set_remove(&set, SLOT_COUNT - 1);
    cr_assert(slot_set_is_empty(&set));
}

Test(slot_set, ranges_are_added_whole_and_alone)
{
    static const unsigned ends[] = { 0, 1, 6, 7, 8, 9, 63, 64, 65, 127, 1000, 16376, 16382, 16383 };
    enum { ENDS = sizeof(ends) / sizeof(ends[0]) };
    for (size_t i = 0; i < ENDS; i++) {
        for (size_t j = i; j < ENDS; j++) {
            struct slot_set set = { 0 };
            slot_set_add_range(&set, ends[i], ends[j]);
            for (unsigned slot = 0; slot < SLOT_COUNT; slot++)
                cr_assert_eq(slot_set_has(&set, slot), slot >= ends[i] && slot <= ends[j],
                    "slot %u of %u-%u", slot, ends[i], ends[j]);
            cr_assert_eq(slot_set_count(&set), ends[j] - ends[i] + 1);
        }
    }
}

static void expect_ranges(const struct slot_set *set, const char *expected)
{
    char text[1000] = "";
    unsigned first = 0, last;
    for (; slot_set_next_range(set, &first, &last); first = last + 1)
        sprintf(text + strlen(text), "%u-%u ", first, last);
    cr_assert_str_eq(text, expected);
}

Test(slot_set, ranges_are_found)
{
    struct slot_set set = { 0 };
    expect_ranges(&set, "");
    slot_set_add_range(&set, 0, SLOT_COUNT - 1);
    expect_ranges(&set, "0-16383 ");
    slot_set_remove(&set, 0);
    slot_set_remove(&set, 64);
    slot_set_remove(&set, 66);
    slot_set_remove(&set, 16383);
    expect_ranges(&set, "1-63 65-65 67-16382 ");
    memset(&set, 0, sizeof(set));
    slot_set_add(&set, 0);
    slot_set_add(&set, 63);
    slot_set_add(&set, 64);
    slot_set_add(&set, 16383);
    expect_ranges(&set, "0-0 63-64 16383-16383 ");
}

Test(slot_set, is_read)
{
    struct slot_set set;
    cr_assert(slot_set_parse(BYTES("0-99,200,300-399"), &set, NULL));
    expect_ranges(&set, "0-99 200-200 300-399 ");
    cr_assert(slot_set_parse(BYTES("5 3-4, 16383 "), &set, NULL));
    expect_ranges(&set, "3-5 16383-16383 ");
    cr_assert(slot_set_parse(BYTES(""), &set, NULL));
    cr_assert(slot_set_is_empty(&set));
    cr_assert(slot_set_parse((struct bytes){ NULL, 0 }, &set, NULL));
}

Test(slot_set, is_refused_with_the_item_that_is_wrong)
{
    static const struct row {
        const char *text, *expected;
    } rows[] = {
        { "1,2,16384", "\"16384\" is no slot" },
        { "1-16384", "\"1-16384\" is no slot" },
        { "9-3", "\"9-3\" is no slot or range" },
        { "1-2-3", "\"1-2-3\" is no slot" },
        { "-1", "\"-1\" is no slot" },
        { "1-", "\"1-\" is no slot" },
        { "a", "a slot from 0 to 16383" },
        { "1;2", "\"1;2\"" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct slot_set set;
        struct error error = { "" };
        cr_assert_not(slot_set_parse(bytes_of(rows[i].text), &set, &error), "%s", rows[i].text);
        cr_assert_not_null(strstr(error.text, rows[i].expected), "%s", error.text);
    }
}
