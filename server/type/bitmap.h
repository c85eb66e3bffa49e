/* Bits of strings. Bit 0 is the highest of the first byte. Knows nothing of keys. */
#ifndef SERVER_TYPE_BITMAP_H
#define SERVER_TYPE_BITMAP_H

#include "common/bytes.h"
#include <stdint.h>

/* How many bits are set. */
int64_t bitmap_count(struct bytes bytes);
/* Of the bits first to last, both counted and both within the bytes. */
int64_t bitmap_count_range(struct bytes bytes, int64_t first, int64_t last);

/* The first bit from first to last (both counted, both within the bytes) that is `bit`; -1: none.
 */
int64_t bitmap_find(struct bytes bytes, int64_t first, int64_t last, bool bit);

enum bitmap_operation { BITMAP_AND, BITMAP_OR, BITMAP_XOR, BITMAP_NOT };
/* Joins the sources into out, of `len` bytes, no source being longer; what is shorter goes on with
 * zeroes. BITMAP_NOT takes one source, of len bytes. count is at least 1. */
void bitmap_join(enum bitmap_operation operation, const struct bytes *sources, size_t count,
    char *out, size_t len);

/* --- Fields: integers of 1 to 64 bits at any bit offset, the highest bit first. --- */

/* What lies beyond the bytes is zeroes. Signed fields come with their sign extended. */
uint64_t bitmap_field_read(struct bytes bytes, uint64_t offset, unsigned bits, bool is_signed);
/* The field lies within the len bytes. */
void bitmap_field_write(char *data, size_t len, uint64_t offset, unsigned bits, uint64_t value);

enum bitmap_overflow { BITMAP_WRAP, BITMAP_SATURATE, BITMAP_FAIL };
/* *sum is value + by as a field of so many bits holds it, after wrapping or saturating where it
 * does not fit (BITMAP_FAIL: wrapped); returns whether it fits. The value of a signed field is an
 * int64_t. */
bool bitmap_field_add(uint64_t value, int64_t by, unsigned bits, bool is_signed,
    enum bitmap_overflow overflow, uint64_t *sum);

#endif
