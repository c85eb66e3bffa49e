/* A view of bytes that somebody else owns: a key, an argument, a line. Not zero-terminated; data
 * may be NULL where len is 0. */
#ifndef COMMON_BYTES_H
#define COMMON_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
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
    if (a.len != b.len)
        return false;
    if (a.len > 2 * sizeof(uint64_t))
        return memcmp(a.data, b.data, a.len) == 0;
    /* What is short, as most names are, as two words that overlap: a call costs more. */
    if (a.len >= sizeof(uint64_t)) {
        uint64_t first[2], last[2];
        memcpy(&first[0], a.data, sizeof(*first));
        memcpy(&first[1], b.data, sizeof(*first));
        memcpy(&last[0], a.data + a.len - sizeof(*last), sizeof(*last));
        memcpy(&last[1], b.data + b.len - sizeof(*last), sizeof(*last));
        return first[0] == first[1] && last[0] == last[1];
    }
    if (a.len >= sizeof(uint32_t)) {
        uint32_t first[2], last[2];
        memcpy(&first[0], a.data, sizeof(*first));
        memcpy(&first[1], b.data, sizeof(*first));
        memcpy(&last[0], a.data + a.len - sizeof(*last), sizeof(*last));
        memcpy(&last[1], b.data + b.len - sizeof(*last), sizeof(*last));
        return first[0] == first[1] && last[0] == last[1];
    }
    for (size_t i = 0; i < a.len; i++) {
        if (a.data[i] != b.data[i])
            return false;
    }
    return true;
}

/* Compares with a zero-terminated text, ASCII letters without regard to case. */
static inline bool bytes_is(struct bytes a, const char *text)
{
    return strlen(text) == a.len && (a.len == 0 || strncasecmp(a.data, text, a.len) == 0);
}

#endif
