#include "server/store/entry.h"

#include "common/number.h"
#include <criterion/criterion.h>
#include <stdlib.h>

static char long_text[100000];

static struct bytes text_of(size_t len)
{
    memset(long_text, 'x', sizeof(long_text));
    return (struct bytes){ long_text, len };
}

static void says(const struct entry *entry, struct bytes key, struct bytes value, int64_t expiry)
{
    char scratch[NUMBER_TEXT_MAX];
    struct bytes is = entry_string(entry, scratch);
    cr_assert(bytes_equal(entry_key(entry), key));
    cr_assert(bytes_equal(is, value), "%.*s", (int)is.len, is.data);
    cr_assert_eq(entry_expiry(entry), expiry);
    cr_assert_geq(entry_memory(entry), sizeof(*entry) + key.len);
}

/* Every shape: kind of value, length of key, with and without an expiry; copied, and with the
 * expiry changed. */
static void goes_through_all(
    struct bytes key, struct bytes value, enum encoding encoding, int64_t expiry)
{
    struct entry *entry = entry_create_string(key, value, expiry);
    cr_assert_eq(entry->type, TYPE_STRING);
    cr_assert_eq(entry->encoding, encoding);
    cr_assert_eq(
        entry->flags & ENTRY_OUT_OF_LINE, value.len > ENTRY_INLINE_MAX ? ENTRY_OUT_OF_LINE : 0u);
    says(entry, key, value, expiry);
    entry->access = 0xabcdef;
    entry->generation = 9;

    struct entry *copy = entry_copy(entry, BYTES("another"), expiry == 77 ? ENTRY_NO_EXPIRY : 77);
    says(copy, BYTES("another"), value, expiry == 77 ? ENTRY_NO_EXPIRY : 77);
    cr_assert_eq(copy->access, 0xabcdef);
    entry_free(copy);
    says(entry, key, value, expiry);

    static const int64_t times[] = { 5, 6, ENTRY_NO_EXPIRY, ENTRY_NO_EXPIRY, 0, INT64_MAX };
    for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++) {
        struct entry *other = entry_with_expiry(entry, times[i]);
        if (other != entry)
            entry_free_shell(entry);
        entry = other;
        says(entry, key, value, times[i]);
        cr_assert_eq(entry->access, 0xabcdef);
        cr_assert_eq(entry->generation, 9);
        cr_assert_eq(entry->encoding, encoding);
    }
    entry_free(entry);
}

Test(entry, all_shapes)
{
    static char key[70000];
    memset(key, 'k', sizeof(key));
    static const size_t key_lens[] = { 0, 1, 16, 255, 256, 65536, 70000 };
    static const int64_t expiries[] = { ENTRY_NO_EXPIRY, 0, 1, 77, INT64_MAX };
    for (size_t k = 0; k < sizeof(key_lens) / sizeof(*key_lens); k++) {
        for (size_t e = 0; e < sizeof(expiries) / sizeof(*expiries); e++) {
            struct bytes name = { key, key_lens[k] };
            goes_through_all(name, BYTES(""), ENCODING_EMBSTR, expiries[e]);
            goes_through_all(name, BYTES("0"), ENCODING_INT, expiries[e]);
            goes_through_all(name, BYTES("-9223372036854775808"), ENCODING_INT, expiries[e]);
            goes_through_all(name, BYTES("9223372036854775808"), ENCODING_EMBSTR, expiries[e]);
            goes_through_all(name, BYTES("-0"), ENCODING_EMBSTR, expiries[e]);
            goes_through_all(name, BYTES("007"), ENCODING_EMBSTR, expiries[e]);
            goes_through_all(name, text_of(44), ENCODING_EMBSTR, expiries[e]);
            goes_through_all(name, text_of(45), ENCODING_RAW, expiries[e]);
            goes_through_all(name, text_of(ENTRY_INLINE_MAX), ENCODING_RAW, expiries[e]);
            goes_through_all(name, text_of(ENTRY_INLINE_MAX + 1), ENCODING_RAW, expiries[e]);
            goes_through_all(name, text_of(sizeof(long_text)), ENCODING_RAW, expiries[e]);
        }
    }
}

/* Bytes that are none may lie nowhere. */
Test(entry, no_bytes_at_all)
{
    struct bytes none = { NULL, 0 };
    struct entry *entry = entry_create_string(none, none, ENTRY_NO_EXPIRY);
    says(entry, none, none, ENTRY_NO_EXPIRY);
    cr_assert(entry_overwrite_string(entry, none));
    entry_free(entry);
    entry = entry_create_raw(none, none, NULL, 5);
    says(entry, none, none, 5);
    entry_free(entry);
}

Test(entry, raw_is_no_number)
{
    struct entry *entry = entry_create_raw(BYTES("k"), BYTES("12"), NULL, ENTRY_NO_EXPIRY);
    cr_assert_eq(entry->encoding, ENCODING_RAW);
    says(entry, BYTES("k"), BYTES("12"), ENTRY_NO_EXPIRY);
    entry_free(entry);
    struct blob *blob = blob_create(3, 100);
    memcpy(blob->data, "abc", 3);
    entry = entry_create_raw(BYTES("k"), BYTES("not looked at"), blob, 3);
    says(entry, BYTES("k"), BYTES("abc"), 3);
    cr_assert_geq(entry_memory(entry), sizeof(struct entry) + sizeof(*blob) + 100);
    entry_free(entry);
}

/* A copy of a large value shares it; each lets go of its own. */
Test(entry, copies_share)
{
    struct entry *entry = entry_create_string(BYTES("a"), text_of(5000), ENTRY_NO_EXPIRY);
    struct blob *blob = entry_value(entry);
    cr_assert(!blob_is_shared(blob));
    struct entry *copy = entry_copy(entry, BYTES("b"), 4);
    cr_assert_eq(entry_value(copy), (void *)blob);
    cr_assert(blob_is_shared(blob));
    entry_free(entry);
    cr_assert(!blob_is_shared(blob));
    says(copy, BYTES("b"), text_of(5000), 4);
    entry_free(copy);
}

Test(entry, overwrites_what_has_the_same_shape)
{
    struct entry *entry = entry_create_string(BYTES("k"), BYTES("hello"), ENTRY_NO_EXPIRY);
    cr_assert(entry_overwrite_string(entry, BYTES("world")));
    says(entry, BYTES("k"), BYTES("world"), ENTRY_NO_EXPIRY);
    cr_assert(!entry_overwrite_string(entry, BYTES("12345")), "that becomes an integer");
    cr_assert(!entry_overwrite_string(entry, BYTES("longer")));
    cr_assert(!entry_overwrite_string(entry, BYTES("")));
    says(entry, BYTES("k"), BYTES("world"), ENTRY_NO_EXPIRY);
    entry_free(entry);
    entry = entry_create_string(BYTES("k"), BYTES("hello"), 5);
    cr_assert(!entry_overwrite_string(entry, BYTES("world")), "SET takes the expiry away");
    entry_free(entry);
    entry = entry_create_string(BYTES("k"), BYTES("12345"), ENTRY_NO_EXPIRY);
    cr_assert(!entry_overwrite_string(entry, BYTES("eightby8")));
    entry_free(entry);
    entry = entry_create_raw(BYTES("k"), BYTES("hello"), NULL, ENTRY_NO_EXPIRY);
    cr_assert(!entry_overwrite_string(entry, BYTES("world")), "it would go on to say raw");
    entry_free(entry);
}

Test(entry, integers)
{
    struct entry *entry = entry_create_integer(BYTES("k"), -5, 8);
    cr_assert_eq(entry_integer(entry), -5);
    entry_set_integer(entry, INT64_MIN);
    says(entry, BYTES("k"), BYTES("-9223372036854775808"), 8);
    entry_free(entry);
}

Test(entry, expires_when_its_time_is_over)
{
    struct entry *entry = entry_create_integer(BYTES("k"), 1, 1000);
    cr_assert(!entry_is_expired(entry, 1000));
    cr_assert(entry_is_expired(entry, 1001));
    entry_free(entry);
    entry = entry_create_integer(BYTES("k"), 1, ENTRY_NO_EXPIRY);
    cr_assert(!entry_is_expired(entry, INT64_MAX));
    entry_free(entry);
}
