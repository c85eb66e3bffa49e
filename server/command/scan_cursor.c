#include "server/command/scan_cursor.h"

#include "common/slot.h"
#include "server/command/glob.h"

uint64_t scan_cursor_pack(struct scan_cursor cursor)
{
    return cursor.slot < SLOT_COUNT ? (uint64_t)cursor.slot << 32 | cursor.position : 0;
}

struct scan_cursor scan_cursor_unpack(uint64_t number)
{
    uint64_t slot = number >> 32;
    if (slot >= SLOT_COUNT)
        return (struct scan_cursor){ SLOT_COUNT, 0 };
    return (struct scan_cursor){ (uint32_t)slot, (uint32_t)number };
}

bool scan_cursor_parse(struct bytes text, struct scan_cursor *cursor)
{
    uint64_t number = 0;
    size_t at = text.len > 0 && (text.data[0] == '-' || text.data[0] == '+');
    if (at == text.len && at > 0)
        return false;
    for (size_t i = at; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' ||
            __builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, (uint64_t)(text.data[i] - '0'), &number))
            return false;
    }
    *cursor = scan_cursor_unpack(at && text.data[0] == '-' ? -number : number);
    return true;
}

bool scan_pattern_slot(struct bytes pattern, unsigned *slot)
{
    const char *open = NULL, *close = NULL;
    if (pattern.len > 0)
        open = memchr(pattern.data, '{', pattern.len);
    if (open)
        close = memchr(open, '}', pattern.len - (size_t)(open - pattern.data));
    struct bytes plain = pattern;
    if (close && close > open + 1)
        plain.len = (size_t)(close - pattern.data) + 1;
    if (glob_is_pattern(plain))
        return false;
    *slot = slot_of_key(plain);
    return true;
}
