/* Sorted sets as listpacks; only zset.c includes this. Members and scores in turn, in order; a
 * search walks them. */
#ifndef SERVER_TYPE_ZSET_PACK_H
#define SERVER_TYPE_ZSET_PACK_H

#include "server/type/zset.h"

/* The score behind a member. */
double zset_pack_score(const struct listpack *pack, const unsigned char *member);
const unsigned char *zset_pack_find(const struct listpack *pack, struct bytes member);
/* The member is not there. */
struct listpack *zset_pack_insert(struct listpack *pack, struct bytes member, double score);
/* Ranks of what is in the range. */
struct zset_span zset_pack_scores(
    const struct listpack *pack, const struct zset_score_range *range);
struct zset_span zset_pack_members(
    const struct listpack *pack, const struct zset_lex_range *range, bool reverse);

/* --- What both encodings ask of a range. --- */
int zset_compare(struct bytes a, struct bytes b);
static inline bool zset_score_is_below(const struct zset_score_range *range, double score)
{
    return range->without_min ? score <= range->min : score < range->min;
}
static inline bool zset_score_is_above(const struct zset_score_range *range, double score)
{
    return range->without_max ? score >= range->max : score > range->max;
}
bool zset_member_is_below(const struct zset_lex_range *range, struct bytes member);
bool zset_member_is_above(const struct zset_lex_range *range, struct bytes member);

#endif
