#include "common/number.h"

#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

Test(number, integers_are_read_strictly)
{
    static const struct row {
        const char *text;
        int64_t value;
    } rows[] = {
        { "0", 0 },
        { "7", 7 },
        { "-1", -1 },
        { "1000000", 1000000 },
        { "9223372036854775807", INT64_MAX },
        { "-9223372036854775808", INT64_MIN },
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        int64_t value = 42;
        cr_assert(number_parse(bytes_of(rows[i].text), &value), "%s", rows[i].text);
        cr_assert_eq(value, rows[i].value, "%s", rows[i].text);
    }
    static const struct bytes refused[] = { { NULL, 0 }, BYTES("-"), BYTES("+1"), BYTES(" 1"),
        BYTES("1 "), BYTES("01"), BYTES("-0"), BYTES("-01"), BYTES("--1"), BYTES("1.0"),
        BYTES("1e3"), BYTES("0x10"), BYTES("1\0"), BYTES("9223372036854775808"),
        BYTES("-9223372036854775809"), BYTES("18446744073709551616"),
        BYTES("100000000000000000000"), BYTES("1000000000000000000000") };
    for (size_t i = 0; i < ROWS(refused); i++) {
        int64_t value = 42;
        cr_assert_not(number_parse(refused[i], &value), "row %zu", i);
        cr_assert_eq(value, 42);
    }
}

Test(number, unsigned_integers_reach_further)
{
    uint64_t value;
    cr_assert(number_parse_unsigned(BYTES("18446744073709551615"), &value));
    cr_assert_eq(value, UINT64_MAX);
    cr_assert(number_parse_unsigned(BYTES("0"), &value));
    cr_assert_eq(value, 0);
    static const char *const refused[] = { "", "-1", "18446744073709551616", "99999999999999999999",
        "00", "+0" };
    for (size_t i = 0; i < ROWS(refused); i++)
        cr_assert_not(number_parse_unsigned(bytes_of(refused[i]), &value), "%s", refused[i]);
}

Test(number, integers_are_written)
{
    static const int64_t values[] = { 0, 9, 10, -1, -10, 99, 100, 123456789, INT64_MAX, INT64_MIN };
    for (size_t i = 0; i < ROWS(values); i++) {
        char out[NUMBER_TEXT_MAX], expected[NUMBER_TEXT_MAX];
        sprintf(expected, "%lld", (long long)values[i]);
        size_t len = number_format(out, values[i]);
        cr_assert(bytes_equal((struct bytes){ out, len }, bytes_of(expected)), "%s", expected);
        sprintf(expected, "%llu", (unsigned long long)values[i]);
        len = number_format_unsigned(out, (uint64_t)values[i]);
        cr_assert(bytes_equal((struct bytes){ out, len }, bytes_of(expected)), "%s", expected);
    }
}

/* Valgrind computes long doubles in the range and with the digits of a double. */
static bool has_long_doubles(void)
{
    volatile long double one = 1;
    return one + LDBL_EPSILON != one;
}

/* What ZADD and ZSCORE, and INCRBYFLOAT, of redis-server 7.0 take and reply. NULL: refused. */
Test(number, floating_point_is_that_of_redis)
{
    static const struct row {
        struct bytes text;
        const char *as_double, *as_long_double;
    } rows[] = {
        { BYTES("1"), "1", "1" },
        { BYTES("+1"), "1", "1" },
        { BYTES("007"), "7", "7" },
        { BYTES("-0"), "-0", "0" },
        { BYTES("0x10"), "16", "16" },
        { BYTES("1e5"), "100000", "100000" },
        { BYTES("3.0e3"), "3000", "3000" },
        { BYTES(".5"), "0.5", "0.5" },
        { BYTES("5."), "5", "5" },
        { BYTES("0.1"), "0.10000000000000001", "0.1" },
        { BYTES("1e17"), "1e+17", "100000000000000000" },
        { BYTES("4503599627370497"), "4503599627370497", "4503599627370497" },
        { BYTES("-123456789012345"), "-123456789012345", "-123456789012345" },
        { BYTES("5e-324"), "4.9406564584124654e-324", "0" },
        { BYTES("1e400"), NULL, "" }, /* "": accepted, of a length that nobody wants to read */
        { BYTES("inf"), "inf", "inf" },
        { BYTES("-Infinity"), "-inf", "-inf" },
        { BYTES("nan"), NULL, NULL },
        { BYTES("-nan(1)"), NULL, NULL },
        { { NULL, 0 }, NULL, NULL },
        { BYTES(" 1"), NULL, NULL },
        { BYTES("\t1"), NULL, NULL },
        { BYTES("1 "), NULL, NULL },
        { BYTES("1\0"), NULL, NULL },
        { BYTES("1d"), NULL, NULL },
        { BYTES("1e"), NULL, NULL },
        { BYTES("."), NULL, NULL },
        { BYTES("--1"), NULL, NULL },
        { BYTES("1e5000"), NULL, NULL },
        { BYTES("1e-5000"), NULL, NULL },
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        char out[DOUBLE_TEXT_MAX];
        double value;
        bool read = number_parse_double(rows[i].text, &value);
        cr_assert_eq(read, rows[i].as_double != NULL, "row %zu", i);
        if (read) {
            out[number_format_double(out, value)] = '\0';
            cr_assert_str_eq(out, rows[i].as_double, "row %zu", i);
        }
        if (!has_long_doubles())
            continue;
        long double longer;
        read = number_parse_long_double(rows[i].text, &longer);
        cr_assert_eq(read, rows[i].as_long_double != NULL, "row %zu", i);
        if (read && rows[i].as_long_double[0] != '\0') {
            out[number_format_long_double(out, longer)] = '\0';
            cr_assert_str_eq(out, rows[i].as_long_double, "row %zu", i);
        }
    }
}

Test(number, floating_point_of_any_length)
{
    enum { LONGEST = 6000 };
    char *text = malloc(LONGEST);
    memset(text, '0', LONGEST);
    text[LONGEST - 1] = '5';
    double value;
    long double longer;
    cr_assert(number_parse_double((struct bytes){ text, LONGEST }, &value));
    cr_assert_eq(value, 5);
    cr_assert(number_parse_long_double((struct bytes){ text + 1000, 5000 }, &longer));
    cr_assert(longer == 5);
    cr_assert_not(number_parse_long_double((struct bytes){ text, LONGEST }, &longer),
        "Redis takes less than 5 kB here");
    free(text);

    char out[DOUBLE_TEXT_MAX];
    size_t len = number_format_long_double(out, -LDBL_MAX);
    cr_assert_eq(len, 4934);
    cr_assert_eq(strncmp(out, "-118973149535723176", 18), 0);
    len = number_format_double(out, -DBL_MAX);
    cr_assert_eq(strncmp(out, "-1.7976931348623157e+308", len), 0);
    cr_assert_eq(number_format_double(out, -NAN), 3);
    cr_assert_eq(strncmp(out, "nan", 3), 0);
}

Test(number, sizes_have_units)
{
    static const struct row {
        const char *text;
        int64_t value; /* -1: refused */
    } rows[] = {
        { "0", 0 },
        { "100", 100 },
        { "1b", 1 },
        { "10k", 10000 },
        { "10kb", 10240 },
        { "1M", 1000000 },
        { "1Mb", 1048576 },
        { "2g", 2000000000 },
        { "1GB", 1073741824 },
        { "9223372036854775807", INT64_MAX },
        { "8589934591gb", 8589934591 * 1073741824 },
        { "8589934592gb", -1 },
        { "9223372036854775808", -1 },
        { "99999999999999999999999", -1 },
        { "", -1 },
        { "kb", -1 },
        { "-1", -1 },
        { "1.5k", -1 },
        { "1 k", -1 },
        { "1kbb", -1 },
        { "1t", -1 },
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        int64_t value = 0;
        bool read = number_parse_size(bytes_of(rows[i].text), &value);
        cr_assert_eq(read, rows[i].value >= 0, "%s", rows[i].text);
        if (read)
            cr_assert_eq(value, rows[i].value, "%s", rows[i].text);
    }
}
