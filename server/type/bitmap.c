/* Bits, 64 at a time. Counting uses the processor's own instruction where it has one; joining is
 * left to the compiler, which makes vectors of loops as plain as these. */
#include "server/type/bitmap.h"

#include <string.h>

enum { WORD = sizeof(uint64_t), WORD_BITS = 64 };

/* The first byte becomes the highest. */
static inline uint64_t load(const char *from)
{
    uint64_t word;
    memcpy(&word, from, WORD);
    return __builtin_bswap64(word);
}

/* ---- Counting ---- */

static inline __attribute__((always_inline)) int64_t count_words(struct bytes bytes)
{
    int64_t sums[4] = { 0 };
    size_t i = 0;
    for (; i + 4 * WORD <= bytes.len; i += 4 * WORD) {
        uint64_t words[4];
        memcpy(words, bytes.data + i, sizeof(words));
        for (int k = 0; k < 4; k++)
            sums[k] += __builtin_popcountll(words[k]);
    }
    int64_t sum = sums[0] + sums[1] + sums[2] + sums[3];
    while (i < bytes.len) {
        size_t part = bytes.len - i < WORD ? bytes.len - i : WORD;
        uint64_t word = 0;
        memcpy(&word, bytes.data + i, part);
        sum += __builtin_popcountll(word);
        i += part;
    }
    return sum;
}

#if defined(__x86_64__)

__attribute__((target("popcnt"))) static int64_t count_with_instruction(struct bytes bytes)
{
    return count_words(bytes);
}

int64_t bitmap_count(struct bytes bytes)
{
    return __builtin_cpu_supports("popcnt") ? count_with_instruction(bytes) : count_words(bytes);
}

#else

int64_t bitmap_count(struct bytes bytes)
{
    return count_words(bytes);
}

#endif

/* The bits of the byte from its bit `first` to its bit `last`. */
static inline unsigned part_of(char byte, unsigned first, unsigned last)
{
    return (unsigned char)byte & (0xffu >> first) & (0xffu << (7 - last));
}

int64_t bitmap_count_range(struct bytes bytes, int64_t first, int64_t last)
{
    size_t from = (size_t)first / 8, to = (size_t)last / 8;
    unsigned low = first % 8, high = last % 8;
    if (from == to)
        return __builtin_popcount(part_of(bytes.data[from], low, high));
    return __builtin_popcount(part_of(bytes.data[from], low, 7)) +
           bitmap_count((struct bytes){ bytes.data + from + 1, to - from - 1 }) +
           __builtin_popcount(part_of(bytes.data[to], 0, high));
}

/* ---- Finding ---- */

/* The first byte at or after `at` that is not all `skipped`; bytes.len: there is none. */
static size_t skip(struct bytes bytes, size_t at, unsigned char skipped)
{
    uint64_t pattern = skipped ? UINT64_MAX : 0;
    while (at + WORD <= bytes.len && load(bytes.data + at) == pattern)
        at += WORD;
    while (at < bytes.len && (unsigned char)bytes.data[at] == skipped)
        at++;
    return at;
}

int64_t bitmap_find(struct bytes bytes, int64_t first, int64_t last, bool bit)
{
    unsigned char skipped = bit ? 0 : 0xff;
    size_t at = (size_t)first / 8;
    bytes.len = (size_t)last / 8 + 1;
    unsigned wanted = ((unsigned char)bytes.data[at] ^ skipped) & (0xffu >> (first % 8));
    if (!wanted) {
        at = skip(bytes, at + 1, skipped);
        if (at == bytes.len)
            return -1;
        wanted = (unsigned char)bytes.data[at] ^ skipped;
    }
    int64_t found = (int64_t)at * 8 + __builtin_clz(wanted) - 24;
    return found <= last ? found : -1;
}

/* ---- Joining ---- */

void bitmap_join(enum bitmap_operation operation, const struct bytes *sources, size_t count,
    char *out, size_t len)
{
    if (sources[0].len > 0)
        memcpy(out, sources[0].data, sources[0].len);
    memset(out + sources[0].len, 0, len - sources[0].len);
    if (operation == BITMAP_NOT) {
        for (size_t i = 0; i < len; i++)
            out[i] = (char)~out[i];
    }
    for (size_t source = 1; source < count; source++) {
        const char *restrict from = sources[source].data;
        char *restrict to = out;
        size_t common = sources[source].len;
        switch (operation) {
        case BITMAP_AND:
            for (size_t i = 0; i < common; i++)
                to[i] &= from[i];
            memset(out + common, 0, len - common);
            break;
        case BITMAP_OR:
            for (size_t i = 0; i < common; i++)
                to[i] |= from[i];
            break;
        case BITMAP_XOR:
            for (size_t i = 0; i < common; i++)
                to[i] ^= from[i];
            break;
        case BITMAP_NOT:
            break;
        }
    }
}

/* ---- Fields ---- */

typedef unsigned __int128 window; /* a field of 64 bits that begins within a byte lies in nine */

enum { WINDOW_BYTES = 9, WINDOW_BITS = 72 };

static inline uint64_t ones(unsigned bits)
{
    return bits == WORD_BITS ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
}

static window window_read(struct bytes bytes, size_t at)
{
    unsigned char raw[WINDOW_BYTES] = { 0 };
    if (at < bytes.len)
        memcpy(raw, bytes.data + at, bytes.len - at < WINDOW_BYTES ? bytes.len - at : WINDOW_BYTES);
    window value = 0;
    for (int i = 0; i < WINDOW_BYTES; i++)
        value = value << 8 | raw[i];
    return value;
}

uint64_t bitmap_field_read(struct bytes bytes, uint64_t offset, unsigned bits, bool is_signed)
{
    unsigned shift = WINDOW_BITS - (unsigned)(offset % 8) - bits;
    uint64_t value = (uint64_t)(window_read(bytes, offset / 8) >> shift) & ones(bits);
    if (is_signed && value >> (bits - 1))
        value |= ~ones(bits);
    return value;
}

void bitmap_field_write(char *data, size_t len, uint64_t offset, unsigned bits, uint64_t value)
{
    size_t at = offset / 8;
    unsigned shift = WINDOW_BITS - (unsigned)(offset % 8) - bits;
    window field = window_read((struct bytes){ data, len }, at);
    field &= ~((window)ones(bits) << shift);
    field |= (window)(value & ones(bits)) << shift;
    size_t touched = (offset % 8 + bits + 7) / 8;
    for (size_t i = 0; i < touched && at + i < len; i++)
        data[at + i] = (char)(field >> (WINDOW_BITS - 8 - 8 * i));
}

bool bitmap_field_add(uint64_t value, int64_t by, unsigned bits, bool is_signed,
    enum bitmap_overflow overflow, uint64_t *sum)
{
    __int128 exact = (is_signed ? (__int128)(int64_t)value : (__int128)value) + by;
    __int128 max = is_signed ? (__int128)ones(bits - 1) : (__int128)ones(bits);
    __int128 min = is_signed ? -max - 1 : 0;
    bool fits = exact >= min && exact <= max;
    *sum = (uint64_t)exact;
    if (fits)
        return true;
    if (overflow == BITMAP_SATURATE) {
        /* Redis takes a value that is more than 63 bits below the highest for one above it. */
        bool above = exact > max ||
                     (is_signed && bits < WORD_BITS && max - (__int128)(int64_t)value > INT64_MAX);
        *sum = (uint64_t)(above ? max : min);
        return false;
    }
    *sum &= ones(bits);
    if (is_signed && *sum >> (bits - 1))
        *sum |= ~ones(bits);
    return false;
}
