/* The slot: what both programs agree on. A key belongs to slot CRC16(key) mod 16384; where the key
 * has a non-empty {tag}, only the bytes between the first { and the first } behind it count.
 * Source: the Redis Cluster specification, "Key distribution model"; CRC-16/XMODEM. */
#ifndef COMMON_SLOT_H
#define COMMON_SLOT_H

#include "common/bytes.h"
#include "common/error.h"
#include <stdint.h>

enum { SLOT_COUNT = 16384, SLOT_BITMAP_SIZE = SLOT_COUNT / 8 };

uint16_t crc16(const void *data, size_t len);
unsigned slot_of_key(struct bytes key);

/* "5461", strictly; false where it is no number from 0 to 16383. */
bool slot_parse(struct bytes text, unsigned *slot);
/* "5461" or "5461-10922", the lower slot first; false where it is neither. */
bool slot_parse_range(struct bytes text, unsigned *first, unsigned *last);

/* A set of slots, in the bit order of the bus: slot s is bit s & 7 of byte s >> 3. */
struct slot_set {
    uint8_t bits[SLOT_BITMAP_SIZE];
};

static inline bool slot_set_has(const struct slot_set *set, unsigned slot)
{
    return set->bits[slot >> 3] >> (slot & 7) & 1;
}
static inline void slot_set_add(struct slot_set *set, unsigned slot)
{
    set->bits[slot >> 3] |= (uint8_t)(1 << (slot & 7));
}
static inline void slot_set_remove(struct slot_set *set, unsigned slot)
{
    set->bits[slot >> 3] &= (uint8_t) ~(1 << (slot & 7));
}
unsigned slot_set_count(const struct slot_set *set);
bool slot_set_is_empty(const struct slot_set *set);
void slot_set_add_range(struct slot_set *set, unsigned first, unsigned last); /* both included */

/* The next run of neighbours at or after *first: sets *first and *last (included), false when
 * there is none. Start with *first = 0; go on with *first = *last + 1 (SLOT_COUNT ends it). */
bool slot_set_next_range(const struct slot_set *set, unsigned *first, unsigned *last);

/* "0-99,200,300-399" (commas or spaces). */
bool slot_set_parse(struct bytes text, struct slot_set *set, struct error *error);

#endif
