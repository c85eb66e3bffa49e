/* Sets against a plain table, under random changes, across the limit of intsets, with other holders
 * who must see none of it. */
#include "server/type/set.h"

#include "common/random.h"
#include <criterion/criterion.h>
#include <stdio.h>

enum { MEMBERS = 200, STEPS = 40000 };

struct model {
    bool there[MEMBERS];
    size_t count;
};

/* The first are integers. */
static struct member member_named(int number, int integers, char *out)
{
    int len = sprintf(out, number < integers ? "%d" : "member:%d", number * 331 - 9000);
    return member_of((struct bytes){ out, (size_t)len });
}

static void compare(const struct set *set, const struct model *model, int integers)
{
    char text[32];
    cr_assert_eq(set_count(set), model->count);
    for (int i = 0; i < MEMBERS; i++) {
        struct member member = member_named(i, integers, text);
        cr_assert_eq(set_has(set, &member), model->there[i]);
    }
    struct set_iterator iterator = set_iterate(set);
    struct member member;
    size_t seen = 0;
    for (; set_next(&iterator, &member); seen++)
        cr_assert(set_has(set, &member));
    cr_assert_eq(seen, model->count);
}

static void change(struct set *set, struct model *model, int integers, size_t intset_max)
{
    char text[32];
    int number = (int)random_below(MEMBERS);
    struct member member = member_named(number, integers, text);
    bool *there = &model->there[number];
    set->value = set_type.own(set->value, set->encoding);
    if (random_below(5) < 2) {
        cr_assert_eq(set_remove(set, &member), *there);
        model->count -= *there;
        *there = false;
    } else {
        cr_assert_eq(set_add(set, &member, intset_max), !*there);
        model->count += !*there;
        *there = true;
    }
}

static void run(int integers, size_t intset_max)
{
    struct set set = set_create(), other = { 0 };
    struct model model = { .count = 0 }, model_then = model;
    for (int step = 0; step < STEPS; step++) {
        if (step % 501 == 0) {
            if (other.value)
                set_free(&other);
            other = (struct set){ set_type.share(set.value, set.encoding), set.encoding };
            model_then = model;
        }
        change(&set, &model, integers, intset_max);
        if (step % 167 == 0) {
            compare(&set, &model, integers);
            compare(&other, &model_then, integers);
        }
    }
    bool stays = integers == MEMBERS && intset_max >= MEMBERS;
    cr_assert_eq(set.encoding, stays ? ENCODING_INTSET : ENCODING_HASHTABLE);
    set_free(&other);
    set_free(&set);
}

Test(set, random_changes)
{
    run(MEMBERS, MEMBERS);
    run(MEMBERS, 40);
    run(MEMBERS - 1, MEMBERS);
    run(0, MEMBERS);
}

/* Results share the items of the sets they are made of; either may go first. */
Test(set, items_are_shared)
{
    struct set from = set_create_table(0), to = set_create_table(0);
    char text[32];
    for (int i = 0; i < MEMBERS; i++) {
        struct member member = member_named(i, 0, text);
        set_add(&from, &member, 0);
    }
    struct set_iterator iterator = set_iterate(&from);
    struct member member;
    while (set_next(&iterator, &member))
        cr_assert(set_add(&to, &member, 0));
    for (int i = 0; i < MEMBERS; i += 2) {
        member = member_named(i, 0, text);
        cr_assert(set_remove(&from, &member));
    }
    set_free(&from);
    cr_assert_eq(set_count(&to), MEMBERS);
    for (int i = 0; i < MEMBERS; i++) {
        member = member_named(i, 0, text);
        cr_assert(set_remove(&to, &member));
    }
    cr_assert_eq(set_dict(&to)->memory, 0);
    set_free(&to);
}

Test(set, random_members)
{
    for (int integers = 0; integers <= MEMBERS; integers += MEMBERS) {
        struct set set = set_create();
        char text[32], scratch[NUMBER_TEXT_MAX];
        for (int i = 0; i < 50; i++) {
            struct member member = member_named(i, integers, text);
            set_add(&set, &member, MEMBERS);
        }
        for (int i = 0; i < 1000; i++) {
            struct member member = set_random(&set, scratch);
            cr_assert(set_has(&set, &member));
        }
        set_free(&set);
    }
}
