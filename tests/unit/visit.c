#include "server/command/visit.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

enum { KEYS = 20000 };

/* Stores live as long as their process. */
static struct store *the_store(void)
{
    static struct store *store;
    if (!store)
        store = store_create(1);
    return store;
}

static struct bytes name_of(int number)
{
    static char text[32];
    return (struct bytes){ text, (size_t)snprintf(text, sizeof(text), "key%d", number) };
}

static void add(struct store *store, struct slot *slot, int number)
{
    struct bytes name = name_of(number);
    store_insert(
        store, slot, store_hash(store, name), entry_create_integer(name, number, ENTRY_NO_EXPIRY));
}

static void drop(struct store *store, struct slot *slot, int number)
{
    struct bytes name = name_of(number);
    uint64_t hash = store_hash(store, name);
    store_remove(store, slot, hash, store_find(slot, hash, name));
}

static void count_visits(const struct visit *visit, int *visits)
{
    for (size_t i = 0; i < visit->count; i++)
        visits[entry_integer(visit->entries[i])]++;
}

/* Keys below `stay` are there all the time; the others come or go a few with each piece. */
static void walk_while_changing(int stay, bool grow, size_t enough)
{
    static int visits[KEYS];
    struct store *store = the_store();
    struct slot *slot = store_slot(store, 0, 5);
    struct visit visit = { 0 };
    memset(visits, 0, sizeof(visits));
    for (int i = 0; i < (grow ? stay : KEYS); i++)
        add(store, slot, i);
    int next = grow ? stay : KEYS - 1, pieces = 0;
    for (uint64_t position = 0; position < TABLE_SCAN_END; pieces++) {
        uint64_t before = position;
        position = visit_piece(store, slot, position, enough, &visit);
        cr_assert_gt(position, before);
        cr_assert(visit.count >= enough || position == TABLE_SCAN_END);
        count_visits(&visit, visits);
        for (int k = 0; k < 40 && grow && next < KEYS; k++)
            add(store, slot, next++);
        for (int k = 0; k < 40 && !grow && next >= stay; k++)
            drop(store, slot, next--);
    }
    for (int i = 0; i < stay; i++)
        cr_assert_eq(visits[i], 1, "key %d was met %d times in %d pieces", i, visits[i], pieces);
    for (int i = stay; i < KEYS; i++)
        cr_assert_leq(visits[i], 1);
    visit_free(&visit);
    struct table table = store_take_table(store, slot);
    table_free(&table);
}

Test(visit, meets_each_key_once_in_a_table_that_grows)
{
    walk_while_changing(300, true, 1);
    walk_while_changing(3000, true, 10);
    walk_while_changing(3000, true, 100);
}

Test(visit, meets_each_key_once_in_a_table_that_shrinks)
{
    walk_while_changing(300, false, 10);
    walk_while_changing(3000, false, 100);
}

Test(visit, meets_each_key_once_in_a_table_that_stays)
{
    walk_while_changing(KEYS, true, 1);
    walk_while_changing(1, true, 1);
}

Test(visit, of_nothing_ends_at_once)
{
    struct store *store = the_store();
    struct visit visit = { 0 };
    cr_assert_eq(visit_piece(store, store_slot(store, 0, 0), 0, 10, &visit), TABLE_SCAN_END);
    cr_assert_eq(visit.count, 0);
    visit_free(&visit);
}
