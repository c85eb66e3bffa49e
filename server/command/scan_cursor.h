/* What SCAN's cursor says, and which slot a pattern is about. */
#ifndef SERVER_COMMAND_SCAN_CURSOR_H
#define SERVER_COMMAND_SCAN_CURSOR_H

#include "common/bytes.h"
#include <stdint.h>

/* Slots are walked in ascending order, a slot from position 0 up to (not including) 2^32. As a
 * number: the slot in the bits from 32 on, the position below; less than 2^46, so that it is exact
 * where numbers are doubles. Position 0 of slot 0 is the start; as what SCAN returns, 0 is the end.
 */
struct scan_cursor {
    uint32_t slot; /* at most SLOT_COUNT, which is the end */
    uint32_t position;
};

uint64_t scan_cursor_pack(struct scan_cursor cursor);
/* Any number; what is behind the last slot becomes the end. */
struct scan_cursor scan_cursor_unpack(uint64_t number);
/* As SCAN reads it: decimal digits, with or without a sign (-1 is 2^64 - 1), nothing at all is 0.
 * False: neither, or more than 64 bits. */
bool scan_cursor_parse(struct bytes text, struct scan_cursor *cursor);

/* Whether all names that match the glob pattern are of one slot: it has a {tag} with nothing but
 * plain bytes up to its end, or is all plain. */
bool scan_pattern_slot(struct bytes pattern, unsigned *slot);

#endif
