/* Ziplists are read as listpacks, and no damaged one is. */
#include "server/snapshot/ziplist.h"

#include <criterion/criterion.h>
#include <stdlib.h>

/* Ten kinds of entries: small, 8, 16, 24, 32 and 64 bits, strings with three kinds of lengths. */
static size_t build(unsigned char *out)
{
    static const unsigned char entries[] = { 0x00, 0xf1, 0x02, 0xfd, 0x02, 0xfe, 0x80, 0x03, 0xc0,
        0x00, 0x80, 0x04, 0xf0, 0x01, 0x00, 0x80, 0x05, 0xd0, 0xff, 0xff, 0xff, 0x7f, 0x06, 0xe0, 0,
        0, 0, 0, 0, 0, 0, 0x80, 0x0a, 0x03, 'a', 'b', 'c', 0x05, 0x40, 0x02, 'd', 'e', 0x05, 0x80,
        0, 0, 0, 0x01, 'f' };
    size_t size = 10 + sizeof(entries) + 1, tail = size - 1 - 7;
    memset(out, 0, 10);
    out[0] = (unsigned char)size;
    out[4] = (unsigned char)tail;
    out[8] = 10;
    memcpy(out + 10, entries, sizeof(entries));
    out[size - 1] = 0xff;
    return size;
}

Test(ziplist, elements)
{
    static const char *const texts[] = { "0", "12", "-128", "-32768", "-8388607", "2147483647",
        "-9223372036854775808", "abc", "de", "f" };
    unsigned char bytes[128];
    struct listpack *pack;
    struct error error;
    size_t size = build(bytes);
    cr_assert(ziplist_to_listpack((struct bytes){ (char *)bytes, size }, &pack, &error));
    cr_expect_eq(listpack_count(pack), 10);
    cr_expect(listpack_is_valid(listpack_bytes(pack)));
    const unsigned char *at = listpack_first(pack);
    for (size_t i = 0; i < 10; i++, at = listpack_next(pack, at)) {
        char scratch[NUMBER_TEXT_MAX];
        struct bytes text = listpack_get(at, scratch);
        cr_expect(bytes_equal(text, bytes_of(texts[i])), "%zu: %.*s", i, (int)text.len, text.data);
    }
    listpack_free(pack);
    cr_expect(!ziplist_to_listpack((struct bytes){ (char *)bytes, size - 1 }, &pack, &error));
}

Test(ziplist, damage)
{
    struct listpack *pack;
    struct error error;
    unsigned char whole[128];
    size_t size = build(whole);
    for (size_t len = 0; len < size; len++) {
        char *part = malloc(len + 1); /* exactly as large, for the address sanitizer */
        memcpy(part, whole, len);
        char *exact = realloc(part, len ? len : 1);
        cr_expect(!ziplist_to_listpack((struct bytes){ exact, len }, &pack, &error));
        free(exact);
    }
    for (size_t i = 0; i < size; i++) {
        for (unsigned value = 0; value < 256; value++) {
            unsigned char bytes[128];
            memcpy(bytes, whole, size);
            bytes[i] = (unsigned char)value;
            if (!ziplist_to_listpack((struct bytes){ (char *)bytes, size }, &pack, &error))
                continue;
            cr_expect(listpack_is_valid(listpack_bytes(pack)));
            listpack_free(pack);
        }
    }
    for (unsigned seed = 0; seed < 20000; seed++) {
        unsigned char bytes[128];
        memcpy(bytes, whole, size);
        for (unsigned i = 0; i < 3; i++)
            bytes[(seed * 2654435761u >> (i * 7)) % size] = (unsigned char)(seed * 40503u >> i);
        if (ziplist_to_listpack((struct bytes){ (char *)bytes, size }, &pack, &error)) {
            cr_expect(listpack_is_valid(listpack_bytes(pack)));
            listpack_free(pack);
        }
    }
}
