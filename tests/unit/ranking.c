/* Rankings, and sorted sets as wholes, against a plain sorted array, while clones come and go. */
#include "server/type/ranking.h"
#include "server/type/zset.h"

#include "common/number.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { MEMBERS = 3000, STEPS = 60000 };

/* What must be there: scores of members by number, NaN where one is not there. */
struct model {
    double scores[MEMBERS];
};

struct place {
    double score;
    int number;
};

static struct bytes member_of(char *room, int number)
{
    return (struct bytes){ room, (size_t)sprintf(room, "m%05d", number) };
}

static int by_score(const void *a, const void *b)
{
    const struct place *one = a, *other = b;
    if (one->score != other->score)
        return one->score < other->score ? -1 : 1;
    return one->number - other->number;
}

static size_t sorted(const struct model *model, struct place *places)
{
    size_t count = 0;
    for (int i = 0; i < MEMBERS; i++) {
        if (!isnan(model->scores[i]))
            places[count++] = (struct place){ model->scores[i], i };
    }
    qsort(places, count, sizeof(*places), by_score);
    return count;
}

static void compare_walk(
    const struct zset *zset, const struct place *places, size_t count, size_t from, bool reverse)
{
    struct zset_cursor cursor;
    struct zset_element element;
    char room[NUMBER_TEXT_MAX];
    size_t rank = from;
    zset_walk(zset, from, reverse, &cursor);
    for (; rank < count; rank += reverse ? (size_t)-1 : 1) {
        cr_assert(zset_next(&cursor, &element));
        cr_assert_eq(element.score, places[rank].score);
        cr_assert(bytes_equal(element.member, member_of(room, places[rank].number)));
    }
    cr_assert_not(zset_next(&cursor, &element));
}

static void compare_scores(const struct zset *zset, const struct place *places, size_t count,
    const struct zset_score_range *range)
{
    struct zset_span span = zset_span_of_scores(zset, range);
    size_t first = 0, end;
    while (first < count && (range->without_min ? places[first].score <= range->min
                                                : places[first].score < range->min))
        first++;
    for (end = first; end < count && (range->without_max ? places[end].score < range->max
                                                         : places[end].score <= range->max);)
        end++;
    cr_assert_eq(span.end - span.first, end - first);
    cr_assert(end == first || span.first == first);
}

static void compare(const struct zset *zset, const struct model *model)
{
    static struct place places[MEMBERS];
    size_t count = sorted(model, places);
    char room[NUMBER_TEXT_MAX];
    cr_assert_eq(zset_count(zset), count);
    compare_walk(zset, places, count, 0, false);
    compare_walk(zset, places, count, count - 1, true);
    compare_walk(zset, places, count, count / 3, false);
    for (size_t i = 0; i < count; i += 7) {
        size_t rank;
        double score;
        cr_assert(zset_rank(zset, member_of(room, places[i].number), &rank, &score));
        cr_assert_eq(rank, i);
        cr_assert_eq(score, places[i].score);
    }
    for (int i = 0; i < 40; i++) {
        struct zset_score_range range = { rand() % 120 - 10, rand() % 120 - 10, rand() % 2,
            rand() % 2 };
        compare_scores(zset, places, count, &range);
    }
}

static struct zset clone_of(const struct zset *zset)
{
    return (struct zset){ zset->encoding, zset_type.share(zset->value, zset->encoding) };
}

static void remove_some(struct zset *zset, struct model *model)
{
    static struct place places[MEMBERS];
    size_t count = sorted(model, places);
    if (count < 2)
        return;
    size_t first = (size_t)rand() % count, more = 1 + (size_t)rand() % 40;
    struct zset_span span = { first, first + more < count ? first + more : count };
    cr_assert_eq(zset_remove_span(zset, span), span.end - span.first);
    for (size_t i = span.first; i < span.end; i++)
        model->scores[places[i].number] = NAN;
}

static void change(struct zset *zset, struct model *model, int step)
{
    const struct zset_limits limits = { 0, 0 };
    bool fill = step / (STEPS / 4) % 2 == 0; /* it grows, shrinks, grows and shrinks */
    int number = rand() % MEMBERS;
    char room[NUMBER_TEXT_MAX];
    struct bytes member = member_of(room, number);
    double score = rand() % 3 ? rand() % 100 : step, now;
    zset->value = zset_type.own(zset->value, zset->encoding);
    if (fill || rand() % 4 == 0) {
        bool there = !isnan(model->scores[number]);
        enum zset_outcome outcome = zset_add(zset, member, score, 0, &limits, &now);
        cr_assert_eq(outcome, !there                           ? ZSET_ADDED
                              : model->scores[number] == score ? ZSET_SAME
                                                               : ZSET_CHANGED);
        model->scores[number] = score;
    } else {
        cr_assert_eq(zset_remove(zset, member), !isnan(model->scores[number]));
        model->scores[number] = NAN;
    }
    if (step % 400 == 399)
        remove_some(zset, model);
}

/* Every clone stays as it was when it was made, whatever becomes of the others. */
Test(ranking, random_changes_and_clones)
{
    enum { CLONES = 4 };
    static struct model model, models[CLONES];
    struct zset zset = zset_create_large(), clones[CLONES] = { 0 };
    srand(5);
    for (int i = 0; i < MEMBERS; i++)
        model.scores[i] = NAN;
    for (int step = 0; step < STEPS; step++) {
        change(&zset, &model, step);
        if (step % 1500 == 700) {
            int which = rand() % CLONES;
            if (clones[which].value) {
                compare(&clones[which], &models[which]);
                zset_free(&clones[which]);
            }
            clones[which] = clone_of(&zset);
            models[which] = model;
        }
        if (step % 5000 == 0)
            compare(&zset, &model);
    }
    compare(&zset, &model);
    zset_free(&zset);
    for (int i = 0; i < CLONES; i++) {
        if (!clones[i].value)
            continue;
        compare(&clones[i], &models[i]);
        zset_free(&clones[i]);
    }
}

/* A clone that is changed leaves the one that it was made of alone. */
Test(ranking, clones_change_too)
{
    static struct model model, other;
    struct zset zset = zset_create_large();
    srand(9);
    for (int i = 0; i < MEMBERS; i++)
        model.scores[i] = NAN;
    for (int step = 0; step < 8000; step++)
        change(&zset, &model, step % 1000);
    other = model;
    struct zset clone = clone_of(&zset);
    for (int step = 0; step < 20000; step++) {
        change(&clone, &other, step);
        change(&zset, &model, STEPS - step);
    }
    compare(&zset, &model);
    compare(&clone, &other);
    zset_free(&zset);
    compare(&clone, &other);
    zset_free(&clone);
}

/* What comes in order is packed tight, from either end; and all can go again. */
static void in_order(bool descending)
{
    enum { COUNT = 100000 };
    struct ranking ranking = { 0 };
    static struct item *items[COUNT];
    struct ranking_cursor cursor;
    for (int i = 0; i < COUNT; i++) {
        char room[NUMBER_TEXT_MAX];
        items[i] = item_create(RANKED_PREFIX, member_of(room, i), 0);
        ranking_insert(&ranking, (struct ranked){ descending ? -i : i, items[i] });
    }
    cr_assert_leq(ranking.height, 3, "%u", ranking.height);
    for (int i = 0; i < COUNT; i += 997)
        cr_assert_eq(
            ranking_seek(&ranking, (size_t)(descending ? COUNT - 1 - i : i), &cursor)->item,
            items[i]);
    cr_assert_null(ranking_seek(&ranking, COUNT, &cursor));
    for (int i = 0; i < COUNT; i++) {
        int at = i % 2 ? COUNT - 1 - i / 2 : i / 2;
        ranking_remove(&ranking, (struct ranked){ descending ? -at : at, items[at] });
        item_release(items[at]);
    }
    cr_assert_eq(ranking.count, 0);
    cr_assert_null(ranking.root);
}

Test(ranking, ascending)
{
    in_order(false);
}

Test(ranking, descending)
{
    in_order(true);
}

/* Members of equal scores are in the order of their bytes, as bytes without a sign. */
Test(ranking, ties)
{
    const struct zset_limits small = { 128, 64 };
    static const char *const members[] = { "", "\x01", "0", "00", "1", "a", "aa", "b", "\x7f",
        "\x80", "\xff", "\xff\xff" };
    enum { COUNT = sizeof(members) / sizeof(members[0]) };
    double now;
    for (int large = 0; large < 2; large++) {
        struct zset zset = large ? zset_create_large() : zset_create(&small, 0);
        struct zset_cursor cursor;
        struct zset_element element;
        for (int i = 0; i < COUNT; i++)
            zset_add(&zset, bytes_of(members[(i * 7) % COUNT]), 1.5, 0, &small, &now);
        zset_walk(&zset, 0, false, &cursor);
        for (int i = 0; i < COUNT; i++) {
            cr_assert(zset_next(&cursor, &element));
            cr_assert(bytes_equal(element.member, bytes_of(members[i])), "%d", i);
        }
        struct zset_lex_range range = { { ZSET_LEX_BYTES, BYTES("0"), true },
            { ZSET_LEX_BYTES, BYTES("\x80"), false } };
        struct zset_span span = zset_span_of_members(&zset, &range, false);
        cr_assert_eq(span.first, 3);
        cr_assert_eq(span.end, 10);
        zset_free(&zset);
    }
}

/* What comes from elsewhere is looked through. */
Test(ranking, foreign_listpacks)
{
    static const struct {
        const char *elements[6];
        bool valid;
    } rows[] = {
        { { "a", "1", "b", "2" }, true }, { { "a", "1", "b", "1" }, true },
        { { "a", "-inf", "b", "inf" }, true },
        { { "a", "0.5", "7", "0.5" }, false }, /* out of order */
        { { "b", "1", "a", "1" }, false }, { { "a", "2", "b", "1" }, false },
        { { "a", "1", "b", "2", "a", "3" }, false },           /* twice */
        { { "a", "1", "a", "1" }, false }, { { "a" }, false }, /* no score */
        { { "a", "1", "b" }, false }, { { "a", "nan" }, false }, { { "a", "x" }, false },
        { { "a", "" }, false }, { { NULL }, false }, /* nothing */
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct listpack *pack = listpack_create();
        for (int j = 0; j < 6 && rows[i].elements[j]; j++)
            pack = listpack_append(pack, bytes_of(rows[i].elements[j]));
        cr_assert_eq(zset_pack_is_valid(pack), rows[i].valid, "row %zu", i);
        listpack_free(pack);
    }
}
