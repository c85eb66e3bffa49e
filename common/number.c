/* Numbers as Redis reads and writes them: a client that gets "1e+20" from one must get it from the
 * other. Integers are read and written here, as they are in every command; floating point goes
 * through the C library, which is where Redis gets its forms from. LC_NUMERIC must be "C". */
#include "common/number.h"

#include "common/memory.h"
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { DIGITS_MAX = 20 }; /* of 2^64 - 1 */

bool number_parse_unsigned(struct bytes text, uint64_t *value)
{
    if (text.len == 0 || text.len > DIGITS_MAX || (text.data[0] == '0' && text.len > 1))
        return false;
    uint64_t sum = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned digit = (unsigned char)text.data[i] - (unsigned)'0';
        if (digit > 9 || sum > (UINT64_MAX - digit) / 10)
            return false;
        sum = sum * 10 + digit;
    }
    *value = sum;
    return true;
}

bool number_parse(struct bytes text, int64_t *value)
{
    bool negative = text.len > 0 && text.data[0] == '-';
    if (negative) {
        text.data++;
        text.len--;
    }
    uint64_t magnitude;
    if (!number_parse_unsigned(text, &magnitude))
        return false;
    if (!negative) {
        if (magnitude > INT64_MAX)
            return false;
        *value = (int64_t)magnitude;
        return true;
    }
    if (magnitude == 0 || magnitude > (uint64_t)INT64_MAX + 1)
        return false;
    *value = (int64_t)(0 - magnitude);
    return true;
}

static size_t count_digits(uint64_t value)
{
    for (size_t len = 1;; len += 4, value /= 10000) {
        if (value < 10)
            return len;
        if (value < 100)
            return len + 1;
        if (value < 1000)
            return len + 2;
        if (value < 10000)
            return len + 3;
    }
}

size_t number_format_unsigned(char *out, uint64_t value)
{
    /* From the end, four digits at a time: the divisions, which wait for each other, cost more than
     * all the rest. */
    static const char pairs[] = "0001020304050607080910111213141516171819"
                                "2021222324252627282930313233343536373839"
                                "4041424344454647484950515253545556575859"
                                "6061626364656667686970717273747576777879"
                                "8081828384858687888990919293949596979899";
    size_t len = count_digits(value), at = len;
    while (value >= 10000) {
        unsigned four = (unsigned)(value % 10000);
        value /= 10000;
        at -= 4;
        memcpy(out + at, pairs + four / 100 * 2, 2);
        memcpy(out + at + 2, pairs + four % 100 * 2, 2);
    }
    if (value >= 100) {
        at -= 2;
        memcpy(out + at, pairs + value % 100 * 2, 2);
        value /= 100;
    }
    if (value >= 10)
        memcpy(out, pairs + value * 2, 2);
    else
        out[0] = (char)('0' + value);
    return len;
}

size_t number_format(char *out, int64_t value)
{
    if (value >= 0)
        return number_format_unsigned(out, (uint64_t)value);
    *out = '-';
    return 1 + number_format_unsigned(out + 1, 0 - (uint64_t)value);
}

/* Whether strtod or strtold, which stopped at `end` and set `result` to the class of the value,
 * took the whole of a text that is a number in range. */
static bool is_whole_number(const char *text, size_t len, const char *end, int class)
{
    if (isspace((unsigned char)text[0]) || (size_t)(end - text) != len || class == FP_NAN)
        return false;
    return errno != EINVAL && !(errno == ERANGE && (class == FP_INFINITE || class == FP_ZERO));
}

/* Whole numbers of up to 15 digits are exact, and cost a tenth of what the library takes. */
static bool parse_whole_double(struct bytes text, double *value)
{
    enum { EXACT_DIGITS = 15 };
    bool negative = text.len > 0 && text.data[0] == '-';
    size_t digits = text.len - negative;
    int64_t sum = 0;
    if (digits == 0 || digits > EXACT_DIGITS)
        return false;
    for (size_t i = negative; i < text.len; i++) {
        unsigned digit = (unsigned char)text.data[i] - (unsigned)'0';
        if (digit > 9)
            return false;
        sum = sum * 10 + digit;
    }
    *value = negative ? -(double)sum : (double)sum;
    return true;
}

bool number_parse_double(struct bytes text, double *value)
{
    char buffer[256];
    if (parse_whole_double(text, value))
        return true;
    if (text.len == 0)
        return false;
    char *copy = text.len < sizeof(buffer) ? buffer : memory_alloc(text.len + 1);
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    char *end;
    errno = 0;
    double parsed = strtod(copy, &end);
    bool ok = is_whole_number(copy, text.len, end, fpclassify(parsed));
    if (ok)
        *value = parsed;
    if (copy != buffer)
        free(copy);
    return ok;
}

bool number_parse_long_double(struct bytes text, long double *value)
{
    char copy[DOUBLE_TEXT_MAX];
    if (text.len == 0 || text.len >= sizeof(copy))
        return false;
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    char *end;
    errno = 0;
    long double parsed = strtold(copy, &end);
    if (!is_whole_number(copy, text.len, end, fpclassify(parsed)))
        return false;
    *value = parsed;
    return true;
}

size_t number_format_double(char *out, double value)
{
    if (isnan(value)) {
        memcpy(out, "nan", 3); /* the C library would tell the sign of a NaN */
        return 3;
    }
    /* Whole numbers below 2^52 look the same without the library, and cost a tenth. */
    if (fabs(value) < 4503599627370496.0 && (double)(int64_t)value == value && value != 0)
        return number_format(out, (int64_t)value);
    return (size_t)snprintf(out, 128, "%.17g", value);
}

size_t number_format_long_double(char *out, long double value)
{
    size_t len = (size_t)snprintf(out, DOUBLE_TEXT_MAX, "%.17Lf", value);
    if (memchr(out, '.', len) != NULL) {
        while (out[len - 1] == '0')
            len--;
        if (out[len - 1] == '.')
            len--;
    }
    if (len == 2 && out[0] == '-' && out[1] == '0') {
        out[0] = '0';
        len = 1;
    }
    return len;
}

static const struct unit {
    const char *name;
    int64_t factor;
} units[] = {
    { "", 1 },
    { "b", 1 },
    { "k", 1000 },
    { "kb", 1024 },
    { "m", 1000 * 1000 },
    { "mb", 1024 * 1024 },
    { "g", 1000 * 1000 * 1000 },
    { "gb", 1024 * 1024 * 1024 },
};

bool number_parse_size(struct bytes text, int64_t *value)
{
    size_t digits = 0;
    while (digits < text.len && isdigit((unsigned char)text.data[digits]))
        digits++;
    if (digits == 0)
        return false;
    int64_t count = 0;
    for (size_t i = 0; i < digits; i++) {
        if (__builtin_mul_overflow(count, 10, &count) ||
            __builtin_add_overflow(count, text.data[i] - '0', &count))
            return false;
    }
    struct bytes name = { text.data + digits, text.len - digits };
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (bytes_is(name, units[i].name))
            return !__builtin_mul_overflow(count, units[i].factor, value);
    }
    return false;
}
