#include "server/snapshot/value.h"

#include "common/number.h"
#include "server/snapshot/rdb_payload.h"
#include <criterion/criterion.h>
#include <stdlib.h>

/* The payload of an entry's value, in memory of its own. */
static struct bytes dump(const struct entry *entry, bool compress)
{
    struct rdb_writer writer;
    rdb_payload_begin(&writer, value_type(entry), compress);
    value_write(&writer, entry);
    struct bytes payload = rdb_payload_end(&writer);
    char *copy = malloc(payload.len);
    memcpy(copy, payload.data, payload.len);
    rdb_writer_free(&writer);
    return (struct bytes){ copy, payload.len };
}

static struct entry *restore(struct bytes payload, int64_t expiry)
{
    struct rdb_key key = { .name = BYTES("other"), .expiry = expiry };
    struct rdb_reader reader;
    struct entry *entry = NULL;
    cr_assert(rdb_payload_verify(payload));
    if (rdb_payload_open(payload, &key.type, &reader))
        entry = value_read(&reader, &key, NULL);
    rdb_reader_free(&reader);
    return entry;
}

static void check(struct entry *entry, enum encoding encoding)
{
    char scratch[2][NUMBER_TEXT_MAX];
    for (int compress = 0; compress < 2; compress++) {
        struct bytes payload = dump(entry, compress);
        struct entry *back = restore(payload, 1234567890123);
        cr_assert_not_null(back);
        cr_assert(bytes_equal(entry_string(back, scratch[0]), entry_string(entry, scratch[1])));
        cr_assert(bytes_equal(entry_key(back), BYTES("other")));
        cr_assert_eq(entry_expiry(back), 1234567890123);
        cr_assert_eq(back->encoding, (unsigned)encoding);
        entry_free(back);
        free((char *)payload.data);
    }
    entry_free(entry);
}

static void check_text(struct bytes text, enum encoding encoding)
{
    check(entry_create_string(BYTES("key"), text, ENTRY_NO_EXPIRY), encoding);
}

Test(value, strings_come_back)
{
    char text[5000];
    memset(text, 'x', sizeof(text));
    static const size_t sizes[] = { 0, 1, 20, 21, 44, 45, 63, 64, 1024, 1025, 4999 };
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        check_text((struct bytes){ text, sizes[i] },
            sizes[i] <= ENCODING_EMBSTR_MAX ? ENCODING_EMBSTR : ENCODING_RAW);
    srandom(3);
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (char)random();
    check_text((struct bytes){ text, sizeof(text) }, ENCODING_RAW);
    check_text((struct bytes){ "007", 3 }, ENCODING_EMBSTR);
    check_text((struct bytes){ "99999999999999999999", 20 }, ENCODING_EMBSTR);
}

Test(value, integers_come_back_as_integers)
{
    static const int64_t values[] = { 0, 1, -1, 127, 128, -128, -129, 32767, 32768, -32769,
        2147483647, 2147483648, -2147483649, INT64_MAX, INT64_MIN };
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        check(entry_create_integer(BYTES("key"), values[i], ENTRY_NO_EXPIRY), ENCODING_INT);
}

Test(value, what_said_raw_is_judged_anew)
{
    check(entry_create_raw(BYTES("key"), BYTES("12"), NULL, ENTRY_NO_EXPIRY), ENCODING_INT);
    check(entry_create_raw(BYTES("key"), BYTES("ab"), NULL, ENTRY_NO_EXPIRY), ENCODING_EMBSTR);
}

/* Nor is a mere string the value of any other type. */
Test(value, a_type_that_is_not_there_is_refused)
{
    cr_assert(value_is_known(RDB_TYPE_STRING));
    for (int type = 1; type < 256; type++) {
        struct rdb_writer writer;
        rdb_payload_begin(&writer, (uint8_t)type, false);
        rdb_write_string(&writer, BYTES("anything"));
        struct bytes payload = rdb_payload_end(&writer);
        cr_assert(!value_is_known((uint8_t)type) ||
                  strcmp(rdb_type_name((uint8_t)type), "unknown type") != 0);
        cr_assert_null(restore(payload, ENTRY_NO_EXPIRY));
        rdb_writer_free(&writer);
    }
}

Test(value, damaged_values_are_refused)
{
    /* Behind the type byte: a length without its string, one that lies, LZF that is none. */
    static const struct bytes bodies[] = { { "", 0 }, { "\x05x", 2 }, { "\x80\xff\xff\xff\xff", 5 },
        { "\xc3\x05\x40\xff"
          "abcde",
            9 },
        { "\xc4", 1 }, { "\xc2\x01", 2 } };
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        struct rdb_writer writer;
        rdb_payload_begin(&writer, RDB_TYPE_STRING, false);
        for (size_t k = 0; k < bodies[i].len; k++)
            rdb_write_byte(&writer, (uint8_t)bodies[i].data[k]);
        cr_assert_null(restore(rdb_payload_end(&writer), ENTRY_NO_EXPIRY), "body %zu", i);
        rdb_writer_free(&writer);
    }
}
