/* Every command that names a key comes through slot_of_key, so the CRC is computed eight bytes at a
 * time ("slicing"): slice[k][b] is the remainder of byte b with k bytes of zeroes behind it, and as
 * the CRC is linear, the remainders of eight bytes are simply added (xor).
 *
 * The same linearity makes the tables: bit i of a byte with k bytes behind it stands for
 * x^(16+8k+i), so the eight remainders in a SLICE row below are all there is to know about its 256
 * entries, and the 64 of them in a row are x^16 to x^79 modulo x^16 + x^12 + x^5 + 1. */
#include "common/slot.h"

#include "common/number.h"

/* clang-format off */
#define BIT(b, i, power) ((b) >> (i) & 1 ? (power) : 0)
#define BYTE(b, p0, p1, p2, p3, p4, p5, p6, p7) \
    (BIT(b, 0, p0) ^ BIT(b, 1, p1) ^ BIT(b, 2, p2) ^ BIT(b, 3, p3) ^ \
     BIT(b, 4, p4) ^ BIT(b, 5, p5) ^ BIT(b, 6, p6) ^ BIT(b, 7, p7))
#define BYTES_4(b, ...) \
    BYTE(b, __VA_ARGS__), BYTE((b) + 1, __VA_ARGS__), \
    BYTE((b) + 2, __VA_ARGS__), BYTE((b) + 3, __VA_ARGS__)
#define BYTES_16(b, ...) \
    BYTES_4(b, __VA_ARGS__), BYTES_4((b) + 4, __VA_ARGS__), \
    BYTES_4((b) + 8, __VA_ARGS__), BYTES_4((b) + 12, __VA_ARGS__)
#define BYTES_64(b, ...) \
    BYTES_16(b, __VA_ARGS__), BYTES_16((b) + 16, __VA_ARGS__), \
    BYTES_16((b) + 32, __VA_ARGS__), BYTES_16((b) + 48, __VA_ARGS__)
#define SLICE(...) \
    { BYTES_64(0, __VA_ARGS__), BYTES_64(64, __VA_ARGS__), \
      BYTES_64(128, __VA_ARGS__), BYTES_64(192, __VA_ARGS__) }

static const uint16_t slice[8][256] = {
    SLICE(0x1021, 0x2042, 0x4084, 0x8108, 0x1231, 0x2462, 0x48c4, 0x9188),
    SLICE(0x3331, 0x6662, 0xccc4, 0x89a9, 0x0373, 0x06e6, 0x0dcc, 0x1b98),
    SLICE(0x3730, 0x6e60, 0xdcc0, 0xa9a1, 0x4363, 0x86c6, 0x1dad, 0x3b5a),
    SLICE(0x76b4, 0xed68, 0xcaf1, 0x85c3, 0x1ba7, 0x374e, 0x6e9c, 0xdd38),
    SLICE(0xaa51, 0x4483, 0x8906, 0x022d, 0x045a, 0x08b4, 0x1168, 0x22d0),
    SLICE(0x45a0, 0x8b40, 0x06a1, 0x0d42, 0x1a84, 0x3508, 0x6a10, 0xd420),
    SLICE(0xb861, 0x60e3, 0xc1c6, 0x93ad, 0x377b, 0x6ef6, 0xddec, 0xabf9),
    SLICE(0x47d3, 0x8fa6, 0x0f6d, 0x1eda, 0x3db4, 0x7b68, 0xf6d0, 0xfd81),
};
/* clang-format on */

uint16_t crc16(const void *data, size_t len)
{
    const uint8_t *p = data;
    uint16_t crc = 0;
    for (; len >= 8; len -= 8, p += 8) {
        crc = slice[7][p[0] ^ crc >> 8] ^ slice[6][p[1] ^ (crc & 0xff)] ^ slice[5][p[2]] ^
              slice[4][p[3]] ^ slice[3][p[4]] ^ slice[2][p[5]] ^ slice[1][p[6]] ^ slice[0][p[7]];
    }
    for (; len > 0; len--, p++)
        crc = (uint16_t)(crc << 8) ^ slice[0][crc >> 8 ^ *p];
    return crc;
}

unsigned slot_of_key(struct bytes key)
{
    const char *open = key.len != 0 ? memchr(key.data, '{', key.len) : NULL;
    if (open != NULL) {
        const char *tag = open + 1;
        const char *close = memchr(tag, '}', (size_t)(key.data + key.len - tag));
        if (close != NULL && close != tag)
            key = (struct bytes){ tag, (size_t)(close - tag) };
    }
    return crc16(key.data, key.len) % SLOT_COUNT;
}

bool slot_parse(struct bytes text, unsigned *slot)
{
    uint64_t value;
    if (!number_parse_unsigned(text, &value) || value >= SLOT_COUNT)
        return false;
    *slot = (unsigned)value;
    return true;
}

bool slot_parse_range(struct bytes text, unsigned *first, unsigned *last)
{
    struct bytes low = text, high = text;
    const char *dash = text.len != 0 ? memchr(text.data, '-', text.len) : NULL;
    if (dash != NULL) {
        low.len = (size_t)(dash - text.data);
        high = (struct bytes){ dash + 1, text.len - low.len - 1 };
    }
    return slot_parse(low, first) && slot_parse(high, last) && *first <= *last;
}

/* The 64 slots from `slot` on, a multiple of 64; the lowest bit is the first. */
static uint64_t word_at(const struct slot_set *set, unsigned slot)
{
    uint64_t word;
    memcpy(&word, set->bits + slot / 8, sizeof(word));
    return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? __builtin_bswap64(word) : word;
}

unsigned slot_set_count(const struct slot_set *set)
{
    unsigned count = 0;
    for (unsigned slot = 0; slot < SLOT_COUNT; slot += 64)
        count += (unsigned)__builtin_popcountll(word_at(set, slot));
    return count;
}

bool slot_set_is_empty(const struct slot_set *set)
{
    uint64_t any = 0;
    for (unsigned slot = 0; slot < SLOT_COUNT; slot += 64)
        any |= word_at(set, slot);
    return any == 0;
}

void slot_set_add_range(struct slot_set *set, unsigned first, unsigned last)
{
    while (first <= last && (first & 7) != 0)
        slot_set_add(set, first++);
    if (first > last)
        return;
    unsigned whole = (last + 1 - first) / 8;
    memset(set->bits + first / 8, 0xff, whole);
    for (first += whole * 8; first <= last; first++)
        slot_set_add(set, first);
}

/* The first slot from `slot` on that is in the set (or is not); SLOT_COUNT where there is none. */
static unsigned find_slot(const struct slot_set *set, unsigned slot, bool present)
{
    while (slot < SLOT_COUNT) {
        uint64_t word = word_at(set, slot & ~63u);
        word = (present ? word : ~word) >> (slot & 63);
        if (word != 0)
            return slot + (unsigned)__builtin_ctzll(word);
        slot = (slot | 63) + 1;
    }
    return SLOT_COUNT;
}

bool slot_set_next_range(const struct slot_set *set, unsigned *first, unsigned *last)
{
    unsigned start = find_slot(set, *first, true);
    if (start >= SLOT_COUNT)
        return false;
    *first = start;
    *last = find_slot(set, start, false) - 1;
    return true;
}

static bool add_item(struct bytes item, struct slot_set *set, struct error *error)
{
    unsigned first, last;
    int shown = item.len < 40 ? (int)item.len : 40;
    if (!slot_parse_range(item, &first, &last))
        return error_set(error,
            "\"%.*s\" is no slot or range of slots: it must be a slot from 0 to %d, or two with a "
            "- "
            "between them, the lower one first",
            shown, item.data, SLOT_COUNT - 1);
    slot_set_add_range(set, first, last);
    return true;
}

bool slot_set_parse(struct bytes text, struct slot_set *set, struct error *error)
{
    *set = (struct slot_set){ 0 };
    size_t start = 0;
    for (size_t i = 0; i <= text.len; i++) {
        if (i < text.len && text.data[i] != ',' && text.data[i] != ' ')
            continue;
        struct bytes item = { text.data + start, i - start };
        if (item.len != 0 && !add_item(item, set, error))
            return false;
        start = i + 1;
    }
    return true;
}
