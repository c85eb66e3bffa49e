/* A view of bytes that somebody else owns: a key, an argument, a line. Not zero-terminated; data
 * may be NULL where len is 0. */
#ifndef COMMON_BYTES_H
#define COMMON_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

struct bytes {
    const char *data;
    size_t len;
};

/* A view of a string literal. */
#define BYTES(literal) ((struct bytes){ (literal), sizeof(literal) - 1 })

/* A view of a zero-terminated string. */
static inline struct bytes bytes_of(const char *text)
{
    return (struct bytes){ text, strlen(text) };
}

static inline bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* Compares with a zero-terminated text, ASCII letters without regard to case. */
static inline bool bytes_is(struct bytes a, const char *text)
{
    return strlen(text) == a.len && (a.len == 0 || strncasecmp(a.data, text, a.len) == 0);
}

#endif
