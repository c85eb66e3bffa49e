/* Dictionaries against a plain array of what must be in them, while clones come and go. */
#include "server/type/dict.h"

#include "common/number.h"
#include <criterion/criterion.h>
#include <stdlib.h>

enum { KEYS = 5000, SIZE = 40 };

static struct bytes key_of(char *room, int number)
{
    return (struct bytes){ room, number_format(room, number) };
}

static void add(struct dict *dict, int number)
{
    char room[NUMBER_TEXT_MAX];
    struct bytes key = key_of(room, number);
    dict_insert(dict, dict_hash(key), item_create(dict->prefix, key, 0), SIZE);
}

static bool has(const struct dict *dict, int number)
{
    char room[NUMBER_TEXT_MAX];
    struct bytes key = key_of(room, number);
    struct item *item = dict_find(dict, dict_hash(key), key);
    cr_assert(!item || bytes_equal(dict_key(dict, item), key));
    return item;
}

static void take(struct dict *dict, int number)
{
    char room[NUMBER_TEXT_MAX];
    struct bytes key = key_of(room, number);
    struct item *item = dict_remove(dict, dict_hash(key), key);
    cr_assert_not_null(item);
    item_release(item);
    dict_forget_size(dict, SIZE);
}

static void compare(const struct dict *dict, const bool *there)
{
    size_t count = 0, iterated = 0;
    for (int i = 0; i < KEYS; i++) {
        cr_assert_eq(has(dict, i), there[i], "%d", i);
        count += there[i];
    }
    cr_assert_eq(dict->count, count);
    cr_assert_eq(dict->memory, count * SIZE);
    struct dict_iterator iterator = dict_iterate(dict);
    while (dict_next(&iterator))
        iterated++;
    cr_assert_eq(iterated, count);
}

Test(dict, random_changes_and_clones)
{
    static bool there[KEYS], cloned[KEYS];
    struct dict dict, clone;
    unsigned seed = 3;
    bool has_clone = false;
    dict_init(&dict, 8);
    for (int step = 0; step < 60000; step++) {
        int number = rand_r(&seed) % KEYS;
        bool fill = step / 15000 % 2 == 0; /* it grows, shrinks, grows and shrinks */
        if (!there[number] && (fill || rand_r(&seed) % 8 == 0)) {
            add(&dict, number);
            there[number] = true;
        } else if (there[number] && (!fill || rand_r(&seed) % 8 == 0)) {
            take(&dict, number);
            there[number] = false;
        }
        if (step % 5000 == 2500) {
            if (has_clone) {
                compare(&clone, cloned);
                dict_free(&clone);
            }
            dict_clone(&clone, &dict);
            memcpy(cloned, there, sizeof(there));
            has_clone = true;
        }
    }
    compare(&dict, there);
    compare(&clone, cloned);
    for (int i = 0; i < KEYS; i++) {
        if (there[i])
            take(&dict, i);
    }
    cr_assert_eq(dict.count, 0);
    cr_assert_eq(dict.depth, 0, "an empty dictionary needs no directory");
    compare(&clone, cloned);
    dict_free(&dict);
    dict_free(&clone);
}

Test(dict, replace_leaves_the_clone_alone)
{
    struct dict dict, clone;
    dict_init(&dict, 8);
    for (int i = 0; i < 100; i++)
        add(&dict, i);
    dict_clone(&clone, &dict);
    struct bytes key = BYTES("42");
    uint64_t hash = dict_hash(key);
    struct item *before = dict_find(&clone, hash, key);
    struct item *found = dict_find_for_change(&dict, hash, key);
    cr_assert_eq(found, before);
    cr_assert_not(item_is_private(found));
    struct item *other = item_create(8, key, 5);
    dict_replace(&dict, hash, other, 5);
    cr_assert_eq(dict_find(&dict, hash, key), other);
    cr_assert_eq(dict_find(&clone, hash, key), before);
    dict_free(&clone);
    cr_assert(item_is_private(dict_find_for_change(&dict, hash, key)));
    dict_free(&dict);
}

struct seen {
    bool keys[KEYS];
    const struct dict *dict;
};

static void visit(void *arg, struct item *item)
{
    struct seen *seen = arg;
    int64_t number;
    cr_assert(number_parse(dict_key(seen->dict, item), &number));
    seen->keys[number] = true;
}

/* What is there all the time is met, though others come and go between two pieces. */
Test(dict, scan_while_it_changes)
{
    static struct seen seen;
    struct dict dict;
    unsigned seed = 11;
    dict_init(&dict, 0);
    for (int i = 0; i < KEYS; i += 2)
        add(&dict, i);
    seen.dict = &dict;
    bool odd[KEYS] = { 0 };
    uint64_t position = 0;
    size_t pieces = 0;
    while (position != DICT_SCAN_END) {
        uint64_t next = dict_scan(&dict, position, 10, visit, &seen);
        cr_assert_gt(next, position);
        position = next;
        for (int i = 0; i < 60; i++) {
            int number = rand_r(&seed) % (KEYS / 2) * 2 + 1;
            if (odd[number])
                take(&dict, number);
            else
                add(&dict, number);
            odd[number] = !odd[number];
        }
        pieces++;
    }
    for (int i = 0; i < KEYS; i += 2)
        cr_assert(seen.keys[i], "%d was missed", i);
    cr_assert_gt(pieces, KEYS / 2 / 100);
    dict_free(&dict);
}

Test(dict, random_is_fair)
{
    static int met[200];
    struct dict dict;
    dict_init(&dict, 0);
    for (int i = 0; i < 200; i++)
        add(&dict, i);
    uint64_t random = 1;
    for (int i = 0; i < 200 * 500; i++) {
        random = random * 6364136223846793005 + 1442695040888963407;
        int64_t number;
        number_parse(dict_key(&dict, dict_random(&dict, random ^ random >> 29)), &number);
        met[number]++;
    }
    for (int i = 0; i < 200; i++)
        cr_assert(met[i] > 100 && met[i] < 1500, "%d: %d", i, met[i]);
    dict_free(&dict);
}

Test(dict, reserve)
{
    struct dict dict;
    dict_init(&dict, 0);
    dict_reserve(&dict, 3000);
    for (int i = 0; i < 3000; i++)
        add(&dict, i);
    for (int i = 0; i < 3000; i++)
        cr_assert(has(&dict, i));
    for (int i = 0; i < 3000; i++)
        take(&dict, i);
    cr_assert_eq(dict.depth, 0);
    dict_free(&dict);
}
