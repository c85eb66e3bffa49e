/* Numbers as text, exactly as Redis reads and writes them. */
#ifndef COMMON_NUMBER_H
#define COMMON_NUMBER_H

#include "common/bytes.h"
#include <stdint.h>

enum { NUMBER_TEXT_MAX = 32, DOUBLE_TEXT_MAX = 5 * 1024 };

/* Strict decimal: no spaces, no plus, no leading zeroes, no "-0"; the whole of the bytes. */
bool number_parse(struct bytes text, int64_t *value);
bool number_parse_unsigned(struct bytes text, uint64_t *value);

/* Writes the decimal digits (no zero behind) to out, of at least NUMBER_TEXT_MAX bytes; returns their count. */
size_t number_format(char *out, int64_t value);
size_t number_format_unsigned(char *out, uint64_t value);

/* A floating point number over the whole of the bytes, as Redis's string2d/string2ld: no leading
 * space, "inf"/"-inf" accepted, NaN refused. */
bool number_parse_double(struct bytes text, double *value);
bool number_parse_long_double(struct bytes text, long double *value);

/* The shortest %.17g form that Redis 7.0 replies with for doubles ("inf", "-inf", "nan"; integers
 * without exponent where exact); out has at least 128 bytes. Returns the length. */
size_t number_format_double(char *out, double value);
/* "human" form of INCRBYFLOAT: %.17Lf with trailing zeroes removed; out has DOUBLE_TEXT_MAX bytes. */
size_t number_format_long_double(char *out, long double value);

/* A size in bytes with an optional unit of redis.conf: b k kb m mb g gb (k = 1000, kb = 1024 ...). */
bool number_parse_size(struct bytes text, int64_t *value);

#endif
