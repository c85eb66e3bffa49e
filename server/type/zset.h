/* A sorted set: members in the order of their scores, and of their bytes where scores are equal.
 *
 * Small: ENCODING_LISTPACK, a listpack of member, score, member, score ... byte for byte as Redis
 * has it. Beyond the limits: ENCODING_SKIPLIST (so it is called; it is none), a dictionary that
 * owns the members and a ranking that borrows them. It never goes back by itself.
 *
 * A value has no encoding in it: whoever holds one keeps both. A change may give another value and
 * another encoding: put both back where they came from. Scores are never NaN. */
#ifndef SERVER_TYPE_ZSET_H
#define SERVER_TYPE_ZSET_H

#include "server/type/listpack.h"
#include "server/type/ranking.h"
#include "server/type/type.h"

struct zset {
    enum encoding encoding;
    void *value; /* a struct listpack or a struct zset_large */
};

/* What lies behind ENCODING_SKIPLIST. */
struct zset_large {
    _Atomic uint32_t refs; /* who changes it must be the only one */
    struct dict members;   /* items with the score in their prefix; owns them */
    struct ranking ranking;
};

/* Up to where the small encoding is kept. */
struct zset_limits {
    size_t entries; /* members */
    size_t value;   /* bytes of a member */
};

extern const struct type zset_type;

/* An empty one; large where the first member, of so many bytes, would not be allowed in a small
 * one. */
struct zset zset_create(const struct zset_limits *limits, size_t first_len);
struct zset zset_create_large(void);
/* Takes over a dictionary of items whose prefix is their score, which no other one shares. */
struct zset zset_from_dict(struct dict *members);
void zset_free(struct zset *zset);
size_t zset_count(const struct zset *zset);
/* Large becomes small where the limits allow it, and the other way round. */
void zset_shrink(struct zset *zset, const struct zset_limits *limits);
void zset_enlarge(struct zset *zset);

/* --- Members. --- */

bool zset_score(const struct zset *zset, struct bytes member, double *score);
/* The score and how many members stand before it; false: not there. */
bool zset_rank(const struct zset *zset, struct bytes member, size_t *rank, double *score);

/* What ZADD's words ask for; no more than what makes sense together. */
enum zset_condition {
    ZSET_ABSENT = 1,  /* only new members */
    ZSET_PRESENT = 2, /* only members that are there */
    ZSET_GREATER = 4, /* a member that is there only gets a greater score */
    ZSET_LESS = 8,
    ZSET_BY = 16, /* the score is added to the one that is there */
};
enum zset_outcome { ZSET_ADDED, ZSET_CHANGED, ZSET_SAME, ZSET_REFUSED, ZSET_NAN };

/* *now is the member's score afterwards; untouched where the condition refused, or the sum is NaN.
 */
enum zset_outcome zset_add(struct zset *zset, struct bytes member, double score,
    unsigned conditions, const struct zset_limits *limits, double *now);
bool zset_remove(struct zset *zset, struct bytes member);

/* --- Ranges. --- */

struct zset_score_range {
    double min, max;
    bool without_min, without_max; /* the ends themselves are not in it */
};

/* An end of a range of members: bytes, or below or above all. */
struct zset_lex_end {
    enum { ZSET_LEX_LOWEST = -1, ZSET_LEX_BYTES, ZSET_LEX_HIGHEST } kind;
    struct bytes bytes;
    bool without;
};
struct zset_lex_range {
    struct zset_lex_end min, max;
};

/* Ranks from first on, up to but not including end; first == end: none. */
struct zset_span {
    size_t first, end;
};

struct zset_span zset_span_of_scores(const struct zset *zset, const struct zset_score_range *range);
/* Means something where all scores are equal. reverse: it will be walked from its end. */
struct zset_span zset_span_of_members(
    const struct zset *zset, const struct zset_lex_range *range, bool reverse);
size_t zset_remove_span(struct zset *zset, struct zset_span span); /* how many were removed */

/* --- Walking: good until the next change. --- */

struct zset_element {
    struct bytes member; /* good until the next step */
    double score;
};

struct zset_cursor {
    const struct listpack *pack; /* NULL: large */
    const unsigned char *at;     /* member that comes next */
    const struct ranked *ranked; /* the same */
    bool reverse;
    struct ranking_cursor ranking;
    char scratch[NUMBER_TEXT_MAX];
};

/* Begins with that rank, and goes up or, in reverse, down. Ranks that are not there: nothing
 * follows. */
void zset_walk(const struct zset *zset, size_t rank, bool reverse, struct zset_cursor *cursor);
bool zset_next(struct zset_cursor *cursor, struct zset_element *element);

/* --- Parts of the encodings, for RDB and scans. --- */

static inline double zset_item_score(const struct item *item)
{
    double score;
    memcpy(&score, item->data, sizeof(score));
    return score;
}
/* Whether a valid listpack from elsewhere is a sorted set: pairs, scores that are numbers, in
 * order, no member twice. */
bool zset_pack_is_valid(const struct listpack *pack);

#endif
