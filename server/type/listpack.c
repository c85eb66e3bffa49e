#include "server/type/listpack.h"

#include "common/memory.h"
#include <endian.h>
#include <stdlib.h>

enum {
    HEADER = LISTPACK_HEADER,
    END_BYTE = 0xff,
    COUNT_UNKNOWN = 65535,
    HEAD_MAX = 9, /* of an element: encoding and length, or encoding and integer */
    BACK_MAX = 5,
};

/* The first byte of an element: bits that tell its encoding, the others are data. */
enum {
    INT_7 = 0x00,     /* 0xxxxxxx */
    STRING_6 = 0x80,  /* 10xxxxxx */
    INT_13 = 0xc0,    /* 110xxxxx and a byte */
    STRING_12 = 0xe0, /* 1110xxxx and a byte */
    STRING_32 = 0xf0,
    INT_16 = 0xf1,
    INT_24 = 0xf2,
    INT_32 = 0xf3,
    INT_64 = 0xf4,
};

_Static_assert(sizeof(((struct listpack_element *)0)->head) == HEAD_MAX, "a head's size");

/* ---- Lengths backwards: seven bits a byte, the last byte first when read from the right ---- */

static size_t back_size(size_t len)
{
    return len <= 127 ? 1 : len < 16383 ? 2 : len < 2097151 ? 3 : len < 268435455 ? 4 : 5;
}

static void back_write(unsigned char *to, size_t len)
{
    size_t size = back_size(len);
    for (size_t i = size; i-- > 0; len >>= 7)
        to[i] = (unsigned char)((len & 127) | (i > 0 ? 128 : 0));
}

/* Reads the length that ends just before `end`, not going below `floor`; 0 where it is none. */
static size_t back_read(const unsigned char *end, const unsigned char *floor, size_t *size)
{
    size_t len = 0;
    for (unsigned i = 0; i < BACK_MAX && end - 1 - i >= floor; i++) {
        unsigned char byte = *(end - 1 - i);
        len |= (size_t)(byte & 127) << (7 * i);
        if (!(byte & 128)) {
            *size = i + 1;
            return len;
        }
    }
    return 0;
}

/* ---- Elements ---- */

static size_t put_integer(unsigned char *head, unsigned char code, int64_t value, size_t size)
{
    uint64_t bits = htole64((uint64_t)value);
    head[0] = code;
    memcpy(head + 1, &bits, size);
    return 1 + size;
}

static void encode_integer(struct listpack_element *element, int64_t value)
{
    unsigned char *head = element->head;
    element->text = (struct bytes){ NULL, 0 };
    if (value >= 0 && value <= 127) {
        head[0] = (unsigned char)value;
        element->head_len = 1;
    } else if (value >= -4096 && value <= 4095) {
        head[0] = (unsigned char)(INT_13 | ((value >> 8) & 0x1f));
        head[1] = (unsigned char)(value & 0xff);
        element->head_len = 2;
    } else if (value >= INT16_MIN && value <= INT16_MAX) {
        element->head_len = put_integer(head, INT_16, value, 2);
    } else if (value >= -(1 << 23) && value < (1 << 23)) {
        element->head_len = put_integer(head, INT_24, value, 3);
    } else if (value >= INT32_MIN && value <= INT32_MAX) {
        element->head_len = put_integer(head, INT_32, value, 4);
    } else {
        element->head_len = put_integer(head, INT_64, value, 8);
    }
    element->total = element->head_len + back_size(element->head_len);
}

void listpack_encode(struct listpack_element *element, struct bytes value)
{
    int64_t integer;
    if (value.len > 0 && value.len <= 20 && number_parse(value, &integer)) {
        encode_integer(element, integer);
        return;
    }
    element->text = value;
    if (value.len < 64) {
        element->head[0] = (unsigned char)(STRING_6 | value.len);
        element->head_len = 1;
    } else if (value.len < 4096) {
        element->head[0] = (unsigned char)(STRING_12 | value.len >> 8);
        element->head[1] = (unsigned char)value.len;
        element->head_len = 2;
    } else {
        element->head_len = put_integer(element->head, STRING_32, (int64_t)value.len, 4);
    }
    size_t len = element->head_len + value.len;
    element->total = len + back_size(len);
}

void listpack_element_write(unsigned char *to, const struct listpack_element *element)
{
    if (element->head_len == 1)
        *to = element->head[0];
    else
        memcpy(to, element->head, element->head_len);
    if (element->text.len > 0)
        memcpy(to + element->head_len, element->text.data, element->text.len);
    back_write(to + element->head_len + element->text.len, element->head_len + element->text.len);
}

/* Bytes of encoding and length or integer, and in *text those of the string behind; of a first byte
 * that is no encoding 0. `room` bytes may be read. */
static size_t head_size(const unsigned char *at, size_t room, size_t *text)
{
    *text = 0;
    if (!(at[0] & 0x80))
        return 1;
    if ((at[0] & 0xc0) == STRING_6) {
        *text = at[0] & 0x3f;
        return 1;
    }
    if ((at[0] & 0xe0) == INT_13)
        return 2;
    if ((at[0] & 0xf0) == STRING_12) {
        if (room < 2)
            return 0;
        *text = (size_t)(at[0] & 0x0f) << 8 | at[1];
        return 2;
    }
    switch (at[0]) {
    case STRING_32: {
        uint32_t len;
        if (room < 5)
            return 0;
        memcpy(&len, at + 1, sizeof(len));
        *text = le32toh(len);
        return 5;
    }
    case INT_16:
        return 3;
    case INT_24:
        return 4;
    case INT_32:
        return 5;
    case INT_64:
        return 9;
    default:
        return 0;
    }
}

/* Encoding and data, without the length backwards. */
static size_t element_len(const unsigned char *at)
{
    size_t text, head = head_size(at, HEAD_MAX, &text);
    return head + text;
}

size_t listpack_element_total(const unsigned char *at)
{
    size_t len = element_len(at);
    return len + back_size(len);
}

/* ---- Header ---- */

size_t listpack_size(const struct listpack *pack)
{
    uint32_t size;
    memcpy(&size, pack->bytes, sizeof(size));
    return le32toh(size);
}

static void set_size(struct listpack *pack, size_t size)
{
    uint32_t bytes = htole32((uint32_t)size);
    memcpy(pack->bytes, &bytes, sizeof(bytes));
    pack->bytes[size - 1] = END_BYTE;
}

static size_t stored_count(const struct listpack *pack)
{
    uint16_t count;
    memcpy(&count, pack->bytes + 4, sizeof(count));
    return le16toh(count);
}

static void set_count(struct listpack *pack, size_t count)
{
    uint16_t stored = htole16((uint16_t)(count < COUNT_UNKNOWN ? count : COUNT_UNKNOWN));
    memcpy(pack->bytes + 4, &stored, sizeof(stored));
}

static size_t walk_count(const struct listpack *pack)
{
    size_t count = 0;
    for (const unsigned char *at = listpack_first(pack); at; at = listpack_next(pack, at))
        count++;
    return count;
}

size_t listpack_count(const struct listpack *pack)
{
    size_t count = stored_count(pack);
    return count == COUNT_UNKNOWN ? walk_count(pack) : count;
}

/* An unknown count stays so until it may be small enough to be said again. */
static void change_count(struct listpack *pack, size_t added, size_t removed)
{
    size_t count = stored_count(pack);
    if (count != COUNT_UNKNOWN)
        set_count(pack, count + added - removed);
    else if (removed > 0)
        set_count(pack, walk_count(pack));
}

bool listpack_has_room(const struct listpack *pack, size_t len)
{
    return len < LISTPACK_BYTES_MAX &&
           listpack_size(pack) + len + HEAD_MAX + BACK_MAX < LISTPACK_BYTES_MAX;
}

void listpack_set_header(struct listpack *pack, size_t size, size_t count)
{
    set_size(pack, size);
    set_count(pack, count);
}

/* ---- Life ---- */

struct listpack *listpack_create(void)
{
    struct listpack *pack = memory_alloc(HEADER + 1);
    set_size(pack, HEADER + 1);
    set_count(pack, 0);
    return pack;
}

struct listpack *listpack_from(struct bytes bytes)
{
    return memory_copy(bytes.data, bytes.len);
}

struct listpack *listpack_copy(const struct listpack *pack)
{
    return listpack_from(listpack_bytes(pack));
}

void listpack_free(struct listpack *pack)
{
    free(pack);
}

bool listpack_is_valid(struct bytes bytes)
{
    if (bytes.len < HEADER + 1 || bytes.len > LISTPACK_BYTES_MAX)
        return false;
    const struct listpack *pack = (const struct listpack *)bytes.data;
    if (listpack_size(pack) != bytes.len || pack->bytes[bytes.len - 1] != END_BYTE)
        return false;
    const unsigned char *at = pack->bytes + HEADER, *end = pack->bytes + bytes.len - 1;
    size_t count = 0;
    for (; at < end; count++) {
        size_t text, room = (size_t)(end - at), head = head_size(at, room, &text), size = 0;
        if (head == 0 || head > room || text > room - head)
            return false;
        size_t len = head + text, back = back_size(len);
        if (back > room - len || back_read(at + len + back, at + len, &size) != len || size != back)
            return false;
        at += len + back;
    }
    size_t stored = stored_count(pack);
    return at == end && (stored == COUNT_UNKNOWN || stored == count);
}

/* ---- Going about ---- */

const unsigned char *listpack_first(const struct listpack *pack)
{
    const unsigned char *at = pack->bytes + HEADER;
    return *at == END_BYTE ? NULL : at;
}

const unsigned char *listpack_previous(const struct listpack *pack, const unsigned char *at)
{
    if (at == pack->bytes + HEADER)
        return NULL;
    size_t back = 0, len = back_read(at, pack->bytes + HEADER, &back);
    return at - back - len;
}

const unsigned char *listpack_last(const struct listpack *pack)
{
    return listpack_previous(pack, pack->bytes + listpack_size(pack) - 1);
}

const unsigned char *listpack_next(const struct listpack *pack, const unsigned char *at)
{
    at += listpack_element_total(at);
    return *at == END_BYTE ? NULL : at;
}

const unsigned char *listpack_seek(const struct listpack *pack, long index)
{
    long count = (long)stored_count(pack);
    if (count != COUNT_UNKNOWN) { /* from the nearer end */
        if (index >= count || index < -count)
            return NULL;
        if (index >= 0 && index > count / 2)
            index -= count;
        else if (index < 0 && index < -count / 2)
            index += count;
    }
    const unsigned char *at = index < 0 ? listpack_last(pack) : listpack_first(pack);
    for (; at && index > 0; index--)
        at = listpack_next(pack, at);
    for (; at && index < -1; index++)
        at = listpack_previous(pack, at);
    return at;
}

/* ---- Elements ---- */

static bool is_integer(const unsigned char *at)
{
    return !(at[0] & 0x80) || (at[0] & 0xe0) == INT_13 || (at[0] >= INT_16 && at[0] <= INT_64);
}

static int64_t read_signed(const unsigned char *from, unsigned size)
{
    uint64_t bits = 0;
    memcpy(&bits, from, size);
    unsigned unused = 64 - size * 8;
    return (int64_t)(le64toh(bits) << unused) >> unused;
}

bool listpack_get_integer(const unsigned char *at, int64_t *value)
{
    if (!is_integer(at))
        return false;
    if (!(at[0] & 0x80)) {
        *value = at[0];
    } else if ((at[0] & 0xe0) == INT_13) {
        uint64_t bits = (uint64_t)(at[0] & 0x1f) << 8 | at[1];
        *value = (int64_t)(bits << 51) >> 51;
    } else {
        static const unsigned sizes[] = { 2, 3, 4, 8 };
        *value = read_signed(at + 1, sizes[at[0] - INT_16]);
    }
    return true;
}

static struct bytes text_of(const unsigned char *at)
{
    size_t text, head = head_size(at, HEAD_MAX, &text);
    return (struct bytes){ (const char *)at + head, text };
}

struct bytes listpack_get(const unsigned char *at, char *scratch)
{
    int64_t value;
    if (listpack_get_integer(at, &value))
        return (struct bytes){ scratch, number_format(scratch, value) };
    return text_of(at);
}

/* Equal strings have equal encodings, but for what a foreign hand has packed: "5" as a string. */
static bool is_element(
    const unsigned char *at, const struct listpack_element *wanted, struct bytes value)
{
    if (is_integer(at) && wanted->text.len > 0)
        return false;
    if (at[0] == wanted->head[0] && memcmp(at, wanted->head, wanted->head_len) == 0)
        return wanted->text.len == 0 ||
               memcmp(at + wanted->head_len, wanted->text.data, wanted->text.len) == 0;
    char scratch[NUMBER_TEXT_MAX];
    return bytes_equal(listpack_get(at, scratch), value);
}

bool listpack_is(const unsigned char *at, struct bytes value)
{
    struct listpack_element wanted;
    listpack_encode(&wanted, value);
    return is_element(at, &wanted, value);
}

const unsigned char *listpack_find(
    const struct listpack *pack, const unsigned char *at, struct bytes value, unsigned skip)
{
    struct listpack_element wanted;
    listpack_encode(&wanted, value);
    while (at) {
        if (is_element(at, &wanted, value))
            return at;
        at = listpack_next(pack, at);
        for (unsigned i = 0; at && i < skip; i++)
            at = listpack_next(pack, at);
    }
    return NULL;
}

size_t listpack_element_size(struct bytes value)
{
    struct listpack_element element;
    listpack_encode(&element, value);
    return element.total;
}

/* ---- Changes ---- */

/* Makes `added` bytes of room in the place of `removed` ones at the offset; returns the listpack.
 */
static struct listpack *splice(struct listpack *pack, size_t offset, size_t removed, size_t added)
{
    size_t size = listpack_size(pack), after = size - removed + added;
    if (after > size)
        pack = memory_resize(pack, after);
    memmove(pack->bytes + offset + added, pack->bytes + offset + removed, size - offset - removed);
    if (after < size)
        pack = memory_resize(pack, after);
    set_size(pack, after);
    return pack;
}

static size_t offset_of(const struct listpack *pack, const unsigned char *at)
{
    return at ? (size_t)(at - pack->bytes) : listpack_size(pack) - 1;
}

static struct listpack *insert_element(struct listpack *pack, const unsigned char *at,
    const struct listpack_element *element, const unsigned char **added)
{
    size_t offset = offset_of(pack, at);
    pack = splice(pack, offset, 0, element->total);
    listpack_element_write(pack->bytes + offset, element);
    change_count(pack, 1, 0);
    if (added)
        *added = pack->bytes + offset;
    return pack;
}

struct listpack *listpack_insert(
    struct listpack *pack, const unsigned char *at, struct bytes value, const unsigned char **added)
{
    struct listpack_element element;
    listpack_encode(&element, value);
    return insert_element(pack, at, &element, added);
}

struct listpack *listpack_append(struct listpack *pack, struct bytes value)
{
    return listpack_insert(pack, NULL, value, NULL);
}

struct listpack *listpack_append_integer(struct listpack *pack, int64_t value)
{
    struct listpack_element element;
    encode_integer(&element, value);
    return insert_element(pack, NULL, &element, NULL);
}

struct listpack *listpack_prepend(struct listpack *pack, struct bytes value)
{
    return listpack_insert(pack, listpack_first(pack), value, NULL);
}

struct listpack *listpack_replace(
    struct listpack *pack, const unsigned char **at, struct bytes value)
{
    struct listpack_element element;
    listpack_encode(&element, value);
    size_t offset = offset_of(pack, *at), before = listpack_element_total(*at);
    if (before != element.total)
        pack = splice(pack, offset, before, element.total);
    listpack_element_write(pack->bytes + offset, &element);
    *at = pack->bytes + offset;
    return pack;
}

struct listpack *listpack_remove(struct listpack *pack, const unsigned char **at, size_t count)
{
    size_t offset = offset_of(pack, *at), removed = 0;
    const unsigned char *end = *at;
    while (end && removed < count) {
        end = listpack_next(pack, end);
        removed++;
    }
    pack = splice(pack, offset, offset_of(pack, end) - offset, 0);
    change_count(pack, 0, removed);
    *at = pack->bytes[offset] == END_BYTE ? NULL : pack->bytes + offset;
    return pack;
}

struct listpack *listpack_concatenate(struct listpack *pack, const struct listpack *other)
{
    size_t offset = listpack_size(pack) - 1, len = listpack_size(other) - HEADER - 1;
    size_t count = listpack_count(pack) + listpack_count(other);
    pack = splice(pack, offset, 0, len);
    memcpy(pack->bytes + offset, other->bytes + HEADER, len);
    set_count(pack, count);
    return pack;
}
