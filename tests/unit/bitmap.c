/* Bits by the word against bits one by one. */
#include "server/type/bitmap.h"

#include "tests/support/scratch.h"
#include <criterion/criterion.h>
#include <stdlib.h>

enum { SIZE = 200 };

static bool bit_of(struct bytes bytes, int64_t at)
{
    return (unsigned char)bytes.data[at / 8] >> (7 - at % 8) & 1;
}

/* Mostly runs of one kind, as bitmaps are. */
static struct bytes draw(size_t len)
{
    char data[SIZE];
    for (size_t i = 0; i < len; i++)
        data[i] = (char)(rand() % 3 == 0 ? rand() : rand() % 8 ? 0 : 0xff);
    return (struct bytes){ scratch_copy(data, len), len };
}

Test(bitmap, counts_and_finds_as_one_by_one)
{
    srand(7);
    for (int round = 0; round < 3000; round++) {
        struct bytes bytes = draw((size_t)(rand() % SIZE + 1));
        int64_t total = (int64_t)bytes.len * 8;
        int64_t first = rand() % total, last = first + rand() % (total - first);
        int64_t count = 0, found[2] = { -1, -1 };
        for (int64_t at = last; at >= first; at--) {
            bool bit = bit_of(bytes, at);
            count += bit;
            found[bit] = at;
        }
        cr_assert_eq(bitmap_count_range(bytes, first, last), count);
        cr_assert_eq(bitmap_find(bytes, first, last, false), found[0]);
        cr_assert_eq(bitmap_find(bytes, first, last, true), found[1]);
    }
    cr_assert_eq(bitmap_count(BYTES("")), 0);
}

Test(bitmap, fields_are_read_as_they_were_written)
{
    srand(8);
    for (int round = 0; round < 5000; round++) {
        struct bytes before = draw(SIZE);
        char after[SIZE];
        memcpy(after, before.data, SIZE);
        unsigned bits = (unsigned)rand() % 64 + 1;
        uint64_t offset = (uint64_t)rand() % (SIZE * 8 - bits + 1);
        uint64_t value = (uint64_t)rand() << 33 ^ (uint64_t)rand() << 11 ^ (uint64_t)rand();
        uint64_t mask = bits == 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
        bitmap_field_write(after, SIZE, offset, bits, value);
        struct bytes now = { after, SIZE };
        cr_assert_eq(bitmap_field_read(now, offset, bits, false), value & mask);
        int64_t extended = (int64_t)(value << (64 - bits)) >> (64 - bits);
        cr_assert_eq((int64_t)bitmap_field_read(now, offset, bits, true), extended);
        for (uint64_t at = 0; at < SIZE * 8; at++)
            cr_assert(bit_of(now, (int64_t)at) == bit_of(before, (int64_t)at) ||
                      (at >= offset && at < offset + bits));
    }
    cr_assert_eq(bitmap_field_read(BYTES("\xff"), 4, 8, false), 0xf0, "zeroes follow the end");
    cr_assert_eq(bitmap_field_read(BYTES("\xff"), 4000, 64, true), 0);
}

Test(bitmap, what_does_not_fit_wraps_or_stops)
{
    uint64_t sum;
    cr_assert(bitmap_field_add(250, 5, 8, false, BITMAP_WRAP, &sum) && sum == 255);
    cr_assert(!bitmap_field_add(250, 6, 8, false, BITMAP_WRAP, &sum) && sum == 0);
    cr_assert(!bitmap_field_add(250, 6, 8, false, BITMAP_SATURATE, &sum) && sum == 255);
    cr_assert(!bitmap_field_add(3, -4, 8, false, BITMAP_SATURATE, &sum) && sum == 0);
    cr_assert(!bitmap_field_add(127, 1, 8, true, BITMAP_WRAP, &sum) && (int64_t)sum == -128);
    cr_assert(!bitmap_field_add((uint64_t)-128, -1, 8, true, BITMAP_SATURATE, &sum) &&
              (int64_t)sum == -128);
    cr_assert(
        !bitmap_field_add(INT64_MAX, 1, 64, true, BITMAP_WRAP, &sum) && (int64_t)sum == INT64_MIN);
    cr_assert(!bitmap_field_add((uint64_t)INT64_MIN, INT64_MIN, 64, true, BITMAP_SATURATE, &sum) &&
              (int64_t)sum == INT64_MIN);
}

Test(bitmap, joins_go_on_with_zeroes)
{
    static const struct bytes sources[] = { BYTES("\xff\x0f\x01"), BYTES("\xf0"),
        BYTES("\x55\x55\x55\x55") };
    char out[4];
    bitmap_join(BITMAP_AND, sources, 3, out, 4);
    cr_assert_eq(memcmp(out, "\x50\0\0\0", 4), 0);
    bitmap_join(BITMAP_OR, sources, 3, out, 4);
    cr_assert_eq(memcmp(out, "\xff\x5f\x55\x55", 4), 0);
    bitmap_join(BITMAP_XOR, sources, 3, out, 4);
    cr_assert_eq(memcmp(out, "\x5a\x5a\x54\x55", 4), 0);
    bitmap_join(BITMAP_NOT, sources, 1, out, 3);
    cr_assert_eq(memcmp(out, "\0\xf0\xfe", 3), 0);
}
