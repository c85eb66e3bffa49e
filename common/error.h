/* An error as a value: one sentence for the person who has to act on it. A function that can fail
 * returns false (or NULL) and writes the sentence here, with file and line where there are any. */
#ifndef COMMON_ERROR_H
#define COMMON_ERROR_H

#include <stdbool.h>

struct error {
    char text[512];
};

/* Writes the sentence, cut to what fits, with ? for control characters. error may be NULL. Always
 * returns false, so that a function can end with `return error_set(error, ...)`. */
bool error_set(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts "prefix: " before the sentence that is there. Always returns false. */
bool error_prefix(struct error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
