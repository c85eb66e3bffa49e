/* The longest common subsequence of two strings, as LCS replies with it. */
#ifndef SERVER_TYPE_LCS_H
#define SERVER_TYPE_LCS_H

#include "common/bytes.h"
#include <stdint.h>

/* A run of bytes that both have: so many, from there on. */
struct lcs_match {
    uint32_t a, b, len;
};

struct lcs {
    uint32_t len;
    char *text;                /* `len` bytes, owned; NULL where only the length was wanted */
    struct lcs_match *matches; /* owned; the last of the strings first */
    size_t match_count, match_capacity;
};

/* What a table of one 32-bit number for each pair of bytes would take, in bytes; UINT64_MAX where
 * that is more than can be said. It stands for the effort, though a 32nd part of it is all that is
 * allocated. */
uint64_t lcs_effort(struct bytes a, struct bytes b);

/* Lengths are below 2^32 - 1, and the effort is bounded by the caller. Of several subsequences of
 * the same length it is the one that Redis finds. */
void lcs_find(struct bytes a, struct bytes b, bool only_length, struct lcs *lcs);
void lcs_free(struct lcs *lcs);

#endif
