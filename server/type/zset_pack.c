/* A score that is a whole number is kept as one, as Redis does it: so -0 becomes 0. Any other is
 * its text. */
#include "server/type/zset_pack.h"

#include "common/memory.h"
#include <math.h>
#include <stdlib.h>

int zset_compare(struct bytes a, struct bytes b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common > 0 ? memcmp(a.data, b.data, common) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

/* ---- Scores ---- */

static bool read_score(const unsigned char *at, double *score)
{
    int64_t whole;
    char scratch[NUMBER_TEXT_MAX];
    if (listpack_get_integer(at, &whole)) {
        *score = (double)whole;
        return true;
    }
    return number_parse_double(listpack_get(at, scratch), score);
}

double zset_pack_score(const struct listpack *pack, const unsigned char *member)
{
    double score = 0;
    read_score(listpack_next(pack, member), &score);
    return score;
}

/* Beyond 2^62 it is text, though that may be the digits of an integer again. */
static bool is_whole(double score, int64_t *whole)
{
    const double limit = 4611686018427387904.0;
    if (score < -limit || score > limit || score != trunc(score))
        return false;
    *whole = (int64_t)score;
    return true;
}

const unsigned char *zset_pack_find(const struct listpack *pack, struct bytes member)
{
    return listpack_find(pack, listpack_first(pack), member, 1);
}

/* ---- Insert ---- */

static const unsigned char *next_member(const struct listpack *pack, const unsigned char *at)
{
    return listpack_next(pack, listpack_next(pack, at));
}

/* The first member that stands behind this one; NULL: none. */
static const unsigned char *behind(const struct listpack *pack, struct bytes member, double score)
{
    char scratch[NUMBER_TEXT_MAX];
    const unsigned char *at = listpack_first(pack);
    for (; at; at = next_member(pack, at)) {
        double there = zset_pack_score(pack, at);
        if (there > score ||
            (there == score && zset_compare(listpack_get(at, scratch), member) > 0))
            return at;
    }
    return NULL;
}

struct listpack *zset_pack_insert(struct listpack *pack, struct bytes member, double score)
{
    char text[128];
    int64_t whole;
    size_t len =
        is_whole(score, &whole) ? number_format(text, whole) : number_format_double(text, score);
    const unsigned char *at = behind(pack, member, score), *added;
    pack = listpack_insert(pack, at, member, &added);
    return listpack_insert(pack, listpack_next(pack, added), (struct bytes){ text, len }, NULL);
}

/* ---- Ranges ---- */

struct zset_span zset_pack_scores(const struct listpack *pack, const struct zset_score_range *range)
{
    struct zset_span span = { 0, 0 };
    const unsigned char *at = listpack_first(pack);
    for (; at && zset_score_is_below(range, zset_pack_score(pack, at)); span.first++)
        at = next_member(pack, at);
    span.end = span.first;
    for (; at && !zset_score_is_above(range, zset_pack_score(pack, at)); span.end++)
        at = next_member(pack, at);
    return span;
}

bool zset_member_is_below(const struct zset_lex_range *range, struct bytes member)
{
    const struct zset_lex_end *min = &range->min;
    if (min->kind != ZSET_LEX_BYTES)
        return min->kind == ZSET_LEX_HIGHEST;
    int order = zset_compare(member, min->bytes);
    return min->without ? order <= 0 : order < 0;
}

bool zset_member_is_above(const struct zset_lex_range *range, struct bytes member)
{
    const struct zset_lex_end *max = &range->max;
    if (max->kind != ZSET_LEX_BYTES)
        return max->kind == ZSET_LEX_LOWEST;
    int order = zset_compare(member, max->bytes);
    return max->without ? order >= 0 : order > 0;
}

static bool is_below(const struct zset_lex_range *range, const unsigned char *at)
{
    char scratch[NUMBER_TEXT_MAX];
    return zset_member_is_below(range, listpack_get(at, scratch));
}

static bool is_above(const struct zset_lex_range *range, const unsigned char *at)
{
    char scratch[NUMBER_TEXT_MAX];
    return zset_member_is_above(range, listpack_get(at, scratch));
}

/* Walks from the end at which the walk over the range will begin: where scores differ the range
 * means nothing, and then only the walk says what is in it. */
struct zset_span zset_pack_members(
    const struct listpack *pack, const struct zset_lex_range *range, bool reverse)
{
    size_t count = listpack_count(pack) / 2;
    const unsigned char *first = listpack_first(pack), *last = listpack_seek(pack, -2);
    struct zset_span span = { 0, 0 };
    if (!first || is_below(range, last) || is_above(range, first))
        return span;
    if (!reverse) {
        const unsigned char *at = first;
        for (; at && is_below(range, at); span.first++)
            at = next_member(pack, at);
        for (span.end = span.first; at && !is_above(range, at); span.end++)
            at = next_member(pack, at);
        return span;
    }
    span.end = count;
    while (span.end > 0 && is_above(range, listpack_seek(pack, (long)(span.end - 1) * 2)))
        span.end--;
    span.first = span.end;
    while (span.first > 0 && !is_below(range, listpack_seek(pack, (long)(span.first - 1) * 2)))
        span.first--;
    return span;
}

/* ---- Listpacks from elsewhere ---- */

static int compare_members(const void *a, const void *b)
{
    return zset_compare(*(const struct bytes *)a, *(const struct bytes *)b);
}

/* Sorted, equal ones are neighbours. Integers' texts lie in `digits`. */
static bool has_duplicates(const struct listpack *pack, size_t count)
{
    struct bytes *members = memory_alloc(count * sizeof(*members));
    char(*digits)[NUMBER_TEXT_MAX] = memory_alloc(count * sizeof(*digits));
    const unsigned char *at = listpack_first(pack);
    for (size_t i = 0; i < count; i++, at = next_member(pack, at))
        members[i] = listpack_get(at, digits[i]);
    qsort(members, count, sizeof(*members), compare_members);
    bool found = false;
    for (size_t i = 1; i < count && !found; i++)
        found = bytes_equal(members[i - 1], members[i]);
    free(members);
    free(digits);
    return found;
}

bool zset_pack_is_valid(const struct listpack *pack)
{
    size_t count = 0;
    double before = -INFINITY, score;
    char scratch[2][NUMBER_TEXT_MAX];
    struct bytes previous = { 0 };
    for (const unsigned char *at = listpack_first(pack); at; count++) {
        struct bytes member = listpack_get(at, scratch[count % 2]);
        at = listpack_next(pack, at);
        if (!at || !read_score(at, &score) || score < before ||
            (count > 0 && score == before && zset_compare(previous, member) >= 0))
            return false;
        previous = member;
        before = score;
        at = listpack_next(pack, at);
    }
    return count > 0 && !has_duplicates(pack, count);
}
