/* What a sorted set does, in both encodings: the small one is zset_pack.c's, the large one a
 * dictionary and a ranking that are changed together here. An item of the dictionary belongs to all
 * clones that have it; its score may be written in place only where this value alone has it. */
#include "server/type/zset.h"

#include "server/type/zset_pack.h"

#include "common/memory.h"
#include <math.h>
#include <stdlib.h>

static struct zset_large *large_of(const struct zset *zset)
{
    return zset->value;
}

static bool is_small(const struct zset *zset)
{
    return zset->encoding == ENCODING_LISTPACK;
}

/* ---- Life ---- */

static struct zset_large *large_create(void)
{
    struct zset_large *large = memory_alloc_zeroed(1, sizeof(*large));
    atomic_init(&large->refs, 1);
    dict_init(&large->members, RANKED_PREFIX);
    return large;
}

static void large_release(struct zset_large *large)
{
    if (atomic_fetch_sub_explicit(&large->refs, 1, memory_order_acq_rel) > 1)
        return;
    ranking_free(&large->ranking);
    dict_free(&large->members);
    free(large);
}

struct zset zset_create(const struct zset_limits *limits, size_t first_len)
{
    if (limits->entries == 0 || limits->value < first_len)
        return zset_create_large();
    return (struct zset){ ENCODING_LISTPACK, listpack_create() };
}

struct zset zset_create_large(void)
{
    return (struct zset){ ENCODING_SKIPLIST, large_create() };
}

void zset_free(struct zset *zset)
{
    zset_type.release(zset->value, zset->encoding);
}

size_t zset_count(const struct zset *zset)
{
    return is_small(zset) ? listpack_count(zset->value) / 2 : large_of(zset)->ranking.count;
}

/* ---- The row of the type ---- */

static void type_release(void *value, enum encoding encoding)
{
    if (encoding == ENCODING_LISTPACK)
        listpack_free(value);
    else
        large_release(value);
}

static size_t type_memory(const void *value, enum encoding encoding)
{
    if (encoding == ENCODING_LISTPACK)
        return listpack_size(value);
    const struct zset_large *large = value;
    return sizeof(*large) + dict_memory(&large->members) + ranking_memory(&large->ranking);
}

static void *type_share(void *value, enum encoding encoding)
{
    if (encoding == ENCODING_LISTPACK)
        return listpack_copy(value);
    struct zset_large *large = value;
    atomic_fetch_add_explicit(&large->refs, 1, memory_order_relaxed);
    return large;
}

static void *type_own(void *value, enum encoding encoding)
{
    struct zset_large *large = value;
    if (encoding == ENCODING_LISTPACK ||
        atomic_load_explicit(&large->refs, memory_order_acquire) == 1)
        return value;
    struct zset_large *mine = memory_alloc_zeroed(1, sizeof(*mine));
    atomic_init(&mine->refs, 1);
    dict_clone(&mine->members, &large->members);
    ranking_clone(&mine->ranking, &large->ranking);
    large_release(large);
    return mine;
}

static size_t type_effort(const void *value, enum encoding encoding)
{
    const struct zset_large *large = value;
    return encoding == ENCODING_LISTPACK ? 1 : large->members.count + large->members.count / 8 + 1;
}

const struct type zset_type = { "zset", type_release, type_memory, type_share, type_own,
    type_effort };

/* ---- The large encoding ---- */

static size_t item_size(struct bytes member)
{
    return sizeof(struct item) + RANKED_PREFIX + member.len;
}

static struct item *item_with(struct bytes member, double score)
{
    struct item *item = item_create(RANKED_PREFIX, member, 0);
    memcpy(item->data, &score, sizeof(score));
    return item;
}

static void large_insert(struct zset_large *large, uint64_t hash, struct bytes member, double score)
{
    struct item *item = item_with(member, score);
    ranking_insert(&large->ranking, (struct ranked){ score, item });
    dict_insert(&large->members, hash, item, item_size(member));
}

/* The member is there. */
static void large_set_score(
    struct zset_large *large, uint64_t hash, struct bytes member, double score)
{
    struct item *item = dict_find_for_change(&large->members, hash, member);
    struct ranked old = { zset_item_score(item), item };
    if (item_is_private(item)) {
        ranking_replace(&large->ranking, old, (struct ranked){ score, item });
        memcpy(item->data, &score, sizeof(score));
        return;
    }
    struct item *other = item_with(member, score);
    ranking_replace(&large->ranking, old, (struct ranked){ score, other });
    dict_replace(&large->members, hash, other, 0);
}

static bool large_remove(struct zset_large *large, struct bytes member)
{
    struct item *item = dict_remove(&large->members, dict_hash(member), member);
    if (!item)
        return false;
    size_t size = item_size(member);
    ranking_remove(&large->ranking, (struct ranked){ zset_item_score(item), item });
    dict_forget_size(&large->members, size);
    item_release(item);
    return true;
}

/* ---- From one encoding to the other ---- */

void zset_enlarge(struct zset *zset)
{
    if (!is_small(zset))
        return;
    struct zset from = *zset;
    struct zset_cursor cursor;
    struct zset_element element;
    *zset = zset_create_large();
    zset_walk(&from, 0, false, &cursor);
    while (zset_next(&cursor, &element))
        large_insert(large_of(zset), dict_hash(element.member), element.member, element.score);
    zset_free(&from);
}

void zset_shrink(struct zset *zset, const struct zset_limits *limits)
{
    if (zset_count(zset) > limits->entries) {
        zset_enlarge(zset);
        return;
    }
    if (is_small(zset))
        return;
    struct listpack *pack = listpack_create();
    struct zset_cursor cursor;
    struct zset_element element;
    zset_walk(zset, 0, false, &cursor);
    while (zset_next(&cursor, &element)) {
        if (element.member.len > limits->value || !listpack_has_room(pack, element.member.len)) {
            listpack_free(pack);
            return;
        }
        pack = zset_pack_insert(pack, element.member, element.score);
    }
    zset_free(zset);
    *zset = (struct zset){ ENCODING_LISTPACK, pack };
}

static int compare_ranked(const void *a, const void *b)
{
    const struct ranked *one = a, *other = b;
    if (one->score != other->score)
        return one->score < other->score ? -1 : 1;
    return zset_compare(ranked_member(one->item), ranked_member(other->item));
}

struct zset zset_from_dict(struct dict *members)
{
    struct zset zset = zset_create_large();
    struct zset_large *large = large_of(&zset);
    struct ranked *all = memory_alloc((members->count + 1) * sizeof(*all));
    struct dict_iterator iterator = dict_iterate(members);
    struct item *item;
    size_t count = 0;
    while ((item = dict_next(&iterator)))
        all[count++] = (struct ranked){ zset_item_score(item), item };
    qsort(all, count, sizeof(*all), compare_ranked);
    for (size_t i = 0; i < count; i++)
        ranking_insert(&large->ranking, all[i]);
    free(all);
    large->members = *members;
    dict_init(members, RANKED_PREFIX);
    return zset;
}

/* ---- Members ---- */

bool zset_score(const struct zset *zset, struct bytes member, double *score)
{
    if (is_small(zset)) {
        const unsigned char *at = zset_pack_find(zset->value, member);
        if (at)
            *score = zset_pack_score(zset->value, at);
        return at;
    }
    const struct item *item = dict_find(&large_of(zset)->members, dict_hash(member), member);
    if (item)
        *score = zset_item_score(item);
    return item;
}

bool zset_rank(const struct zset *zset, struct bytes member, size_t *rank, double *score)
{
    if (!is_small(zset)) {
        if (!zset_score(zset, member, score))
            return false;
        *rank = ranking_rank(&large_of(zset)->ranking, *score, member);
        return true;
    }
    const struct listpack *pack = zset->value;
    const unsigned char *at = listpack_first(pack);
    for (*rank = 0; at; ++*rank) {
        if (listpack_is(at, member)) {
            *score = zset_pack_score(pack, at);
            return true;
        }
        at = listpack_next(pack, listpack_next(pack, at));
    }
    return false;
}

/* Whether the member may have the new score, which it gets to know; it is there. */
static enum zset_outcome decide(unsigned conditions, double there, double *score)
{
    if (conditions & ZSET_ABSENT)
        return ZSET_REFUSED;
    if (conditions & ZSET_BY)
        *score += there;
    if (isnan(*score))
        return ZSET_NAN;
    if ((conditions & ZSET_LESS && *score >= there) ||
        (conditions & ZSET_GREATER && *score <= there))
        return ZSET_REFUSED;
    return *score == there ? ZSET_SAME : ZSET_CHANGED;
}

static enum zset_outcome add_small(struct zset *zset, struct bytes member, double score,
    unsigned conditions, const struct zset_limits *limits, double *now)
{
    const unsigned char *at = zset_pack_find(zset->value, member);
    if (at) {
        enum zset_outcome outcome = decide(conditions, zset_pack_score(zset->value, at), &score);
        if (outcome == ZSET_CHANGED)
            zset->value = zset_pack_insert(listpack_remove(zset->value, &at, 2), member, score);
        if (outcome == ZSET_CHANGED || outcome == ZSET_SAME)
            *now = score;
        return outcome;
    }
    if (conditions & ZSET_PRESENT)
        return ZSET_REFUSED;
    *now = score;
    if (zset_count(zset) + 1 > limits->entries || member.len > limits->value ||
        !listpack_has_room(zset->value, member.len)) {
        zset_enlarge(zset);
        large_insert(large_of(zset), dict_hash(member), member, score);
    } else {
        zset->value = zset_pack_insert(zset->value, member, score);
    }
    return ZSET_ADDED;
}

static enum zset_outcome add_large(
    struct zset_large *large, struct bytes member, double score, unsigned conditions, double *now)
{
    uint64_t hash = dict_hash(member);
    const struct item *item = dict_find(&large->members, hash, member);
    if (item) {
        enum zset_outcome outcome = decide(conditions, zset_item_score(item), &score);
        if (outcome == ZSET_CHANGED)
            large_set_score(large, hash, member, score);
        if (outcome == ZSET_CHANGED || outcome == ZSET_SAME)
            *now = score;
        return outcome;
    }
    if (conditions & ZSET_PRESENT)
        return ZSET_REFUSED;
    *now = score;
    large_insert(large, hash, member, score);
    return ZSET_ADDED;
}

enum zset_outcome zset_add(struct zset *zset, struct bytes member, double score,
    unsigned conditions, const struct zset_limits *limits, double *now)
{
    if (isnan(score))
        return ZSET_NAN;
    return is_small(zset) ? add_small(zset, member, score, conditions, limits, now)
                          : add_large(large_of(zset), member, score, conditions, now);
}

bool zset_remove(struct zset *zset, struct bytes member)
{
    if (!is_small(zset))
        return large_remove(large_of(zset), member);
    const unsigned char *at = zset_pack_find(zset->value, member);
    if (!at)
        return false;
    zset->value = listpack_remove(zset->value, &at, 2);
    return true;
}

/* ---- Ranges ---- */

static bool score_is_below(const void *range, const struct ranked *ranked)
{
    return zset_score_is_below(range, ranked->score);
}

static bool score_is_not_above(const void *range, const struct ranked *ranked)
{
    return !zset_score_is_above(range, ranked->score);
}

static bool member_is_below(const void *range, const struct ranked *ranked)
{
    return zset_member_is_below(range, ranked_member(ranked->item));
}

static bool member_is_not_above(const void *range, const struct ranked *ranked)
{
    return !zset_member_is_above(range, ranked_member(ranked->item));
}

static struct zset_span span_in(const struct ranking *ranking, ranking_before_fn *below,
    ranking_before_fn *not_above, const void *range)
{
    struct zset_span span = { ranking_search(ranking, below, range),
        ranking_search(ranking, not_above, range) };
    if (span.end < span.first)
        span.end = span.first;
    return span;
}

struct zset_span zset_span_of_scores(const struct zset *zset, const struct zset_score_range *range)
{
    if (range->min > range->max ||
        (range->min == range->max && (range->without_min || range->without_max)))
        return (struct zset_span){ 0, 0 };
    if (is_small(zset))
        return zset_pack_scores(zset->value, range);
    return span_in(&large_of(zset)->ranking, score_is_below, score_is_not_above, range);
}

static bool is_empty_range(const struct zset_lex_range *range)
{
    const struct zset_lex_end *min = &range->min, *max = &range->max;
    int order = min->kind != max->kind        ? (int)min->kind - (int)max->kind
                : min->kind == ZSET_LEX_BYTES ? zset_compare(min->bytes, max->bytes)
                                              : 0;
    return order > 0 || (order == 0 && (min->without || max->without));
}

struct zset_span zset_span_of_members(
    const struct zset *zset, const struct zset_lex_range *range, bool reverse)
{
    if (is_empty_range(range))
        return (struct zset_span){ 0, 0 };
    if (is_small(zset))
        return zset_pack_members(zset->value, range, reverse);
    return span_in(&large_of(zset)->ranking, member_is_below, member_is_not_above, range);
}

size_t zset_remove_span(struct zset *zset, struct zset_span span)
{
    size_t count = span.end - span.first;
    if (is_small(zset)) {
        const unsigned char *at = count ? listpack_seek(zset->value, (long)span.first * 2) : NULL;
        if (at)
            zset->value = listpack_remove(zset->value, &at, count * 2);
        return count;
    }
    struct zset_large *large = large_of(zset);
    for (size_t i = 0; i < count; i++) {
        struct ranking_cursor cursor;
        const struct ranked *ranked = ranking_seek(&large->ranking, span.first, &cursor);
        struct item *item = item_hold(ranked->item);
        large_remove(large, ranked_member(item));
        item_release(item);
    }
    return count;
}

/* ---- Walking ---- */

void zset_walk(const struct zset *zset, size_t rank, bool reverse, struct zset_cursor *cursor)
{
    cursor->reverse = reverse;
    cursor->pack = NULL;
    if (!is_small(zset)) {
        cursor->ranked = ranking_seek(&large_of(zset)->ranking, rank, &cursor->ranking);
        return;
    }
    cursor->pack = zset->value;
    cursor->at = rank < zset_count(zset) ? listpack_seek(zset->value, (long)rank * 2) : NULL;
}

static bool next_small(struct zset_cursor *cursor, struct zset_element *element)
{
    const unsigned char *at = cursor->at;
    if (!at)
        return false;
    element->member = listpack_get(at, cursor->scratch);
    element->score = zset_pack_score(cursor->pack, at);
    for (int i = 0; i < 2 && at; i++)
        at =
            cursor->reverse ? listpack_previous(cursor->pack, at) : listpack_next(cursor->pack, at);
    cursor->at = at;
    return true;
}

bool zset_next(struct zset_cursor *cursor, struct zset_element *element)
{
    if (cursor->pack)
        return next_small(cursor, element);
    const struct ranked *ranked = cursor->ranked;
    if (!ranked)
        return false;
    element->member = ranked_member(ranked->item);
    element->score = ranked->score;
    cursor->ranked =
        cursor->reverse ? ranking_previous(&cursor->ranking) : ranking_next(&cursor->ranking);
    return true;
}
