/* Numbers as text, exactly as Redis reads and writes them. */
#ifndef COMMON_NUMBER_H
#define COMMON_NUMBER_H

#include "common/bytes.h"
#include <stdint.h>

enum { NUMBER_TEXT_MAX = 32, DOUBLE_TEXT_MAX = 5 * 1024 };

/* Strict decimal: no spaces, no plus, no leading zeroes, no "-0"; the whole of the bytes. (Redis
 * takes spaces, a plus and leading zeroes in a few places where it reads unsigned numbers.) */
bool number_parse(struct bytes text, int64_t *value);
bool number_parse_unsigned(struct bytes text, uint64_t *value);

/* Writes the decimal digits to out, of at least NUMBER_TEXT_MAX bytes. Returns their count; no zero
 * behind. */
size_t number_format(char *out, int64_t value);
size_t number_format_unsigned(char *out, uint64_t value);

/* A floating point number over the whole of the bytes, as Redis's string2d/string2ld: no leading
 * space, "inf"/"-inf" accepted, NaN refused. */
bool number_parse_double(struct bytes text, double *value);
bool number_parse_long_double(struct bytes text, long double *value);

/* The %.17g form that Redis 7.0 replies with for doubles ("0.10000000000000001", "1e+17", "inf",
 * "-inf", "nan"); out has at least 128 bytes. Returns the length; no zero behind. */
size_t number_format_double(char *out, double value);
/* The form of INCRBYFLOAT: %.17Lf without trailing zeroes ("inf" and "-inf" too); out has
 * DOUBLE_TEXT_MAX bytes. Returns the length; no zero behind. */
size_t number_format_long_double(char *out, long double value);

/* A size in bytes of redis.conf, with or without a unit: b k kb m mb g gb, in either case (k =
 * 1000, kb = 1024 ...). False where it is no size, or more than an int64_t holds. */
bool number_parse_size(struct bytes text, int64_t *value);

#endif
