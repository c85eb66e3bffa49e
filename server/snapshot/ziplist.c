#include "server/snapshot/ziplist.h"

#include <endian.h>

enum { HEADER = 10, END_BYTE = 0xff, FAR = 254, COUNT_UNKNOWN = 65535 };

/* First bytes of an entry's encoding; of a string's the two top bits count. */
enum {
    STRING_6 = 0x00,
    STRING_14 = 0x40,
    STRING_32 = 0x80,
    INT_16 = 0xc0,
    INT_32 = 0xd0,
    INT_64 = 0xe0,
    INT_24 = 0xf0,
    INT_8 = 0xfe,
    SMALL_FIRST = 0xf1, /* the integers 0 to 12, in the byte itself */
    SMALL_LAST = 0xfd,
};

struct cursor {
    const unsigned char *at, *end; /* end: of what may be read */
};

static size_t room(const struct cursor *cursor)
{
    return (size_t)(cursor->end - cursor->at);
}

static uint32_t read_32(const unsigned char *from)
{
    uint32_t value;
    memcpy(&value, from, sizeof(value));
    return le32toh(value);
}

/* The length of the entry before; false where it is not whole. */
static bool take_previous(struct cursor *cursor, size_t *previous)
{
    if (room(cursor) < 1)
        return false;
    *previous = *cursor->at++;
    if (*previous != FAR)
        return *previous < FAR;
    if (room(cursor) < 4)
        return false;
    *previous = read_32(cursor->at);
    cursor->at += 4;
    return true;
}

static bool take_text(struct cursor *cursor, struct bytes *text)
{
    unsigned char first = *cursor->at;
    size_t head = (first & 0xc0) == STRING_6 ? 1 : (first & 0xc0) == STRING_14 ? 2 : 5;
    if (room(cursor) < head)
        return false;
    size_t len = first & 0x3f;
    if (head == 2) {
        len = len << 8 | cursor->at[1];
    } else if (head == 5) {
        uint32_t wide;
        memcpy(&wide, cursor->at + 1, sizeof(wide));
        len = be32toh(wide);
    }
    cursor->at += head;
    if (room(cursor) < len)
        return false;
    *text = (struct bytes){ (const char *)cursor->at, len };
    cursor->at += len;
    return true;
}

static bool take_integer(struct cursor *cursor, int64_t *value)
{
    unsigned char first = *cursor->at++;
    if (first >= SMALL_FIRST && first <= SMALL_LAST) {
        *value = first - SMALL_FIRST;
        return true;
    }
    size_t size = first == INT_8    ? 1
                  : first == INT_16 ? 2
                  : first == INT_24 ? 3
                  : first == INT_32 ? 4
                  : first == INT_64 ? 8
                                    : 0;
    if (size == 0 || room(cursor) < size)
        return false;
    uint64_t bits = 0;
    memcpy(&bits, cursor->at, size);
    unsigned unused = 64 - (unsigned)size * 8;
    *value = (int64_t)(le64toh(bits) << unused) >> unused;
    cursor->at += size;
    return true;
}

/* Puts one entry behind the others. */
static bool take_entry(struct cursor *cursor, size_t before, struct listpack **pack)
{
    struct bytes text;
    int64_t value;
    size_t previous;
    if (!take_previous(cursor, &previous) || previous != before || room(cursor) < 1)
        return false;
    if (*cursor->at < INT_16) {
        if (!take_text(cursor, &text) || !listpack_has_room(*pack, text.len))
            return false;
        *pack = listpack_append(*pack, text);
    } else {
        if (!take_integer(cursor, &value) || !listpack_has_room(*pack, sizeof(value)))
            return false;
        *pack = listpack_append_integer(*pack, value);
    }
    return true;
}

static bool convert(struct bytes bytes, struct listpack **pack)
{
    if (bytes.len < HEADER + 1)
        return false;
    const unsigned char *start = (const unsigned char *)bytes.data;
    struct cursor cursor = { start + HEADER, start + bytes.len - 1 };
    size_t count = 0, before = 0, stored = start[8] | (size_t)start[9] << 8;
    const unsigned char *last = cursor.at;
    if (read_32(start) != bytes.len || *cursor.end != END_BYTE)
        return false;
    for (; cursor.at < cursor.end; count++) {
        last = cursor.at;
        if (!take_entry(&cursor, before, pack))
            return false;
        before = (size_t)(cursor.at - last);
    }
    return read_32(start + 4) == (size_t)(last - start) &&
           (stored == count || stored == COUNT_UNKNOWN);
}

bool ziplist_to_listpack(struct bytes bytes, struct listpack **pack, struct error *error)
{
    *pack = listpack_create();
    if (convert(bytes, pack))
        return true;
    listpack_free(*pack);
    *pack = NULL;
    return error_set(error, "a ziplist is damaged");
}
