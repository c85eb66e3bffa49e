/* Hashes against a plain table, under random changes, in both encodings and across the limits, with
 * other holders who must see none of it; samples, and whether they are fair. */
#include "server/type/hash.h"
#include "server/type/sample.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

enum { FIELDS = 300, STEPS = 40000, TEXT_MAX = 128 };

struct model {
    char values[FIELDS][TEXT_MAX]; /* "": not there */
    size_t count;
};

static struct bytes field_name(int field, char *out)
{
    return (struct bytes){ out, (size_t)sprintf(out, field % 2 ? "%d" : "field:%d", field) };
}

static void compare(const struct hash *hash, const struct model *model)
{
    char name[32], scratch[NUMBER_TEXT_MAX];
    struct bytes value;
    cr_assert_eq(hash_count(hash), model->count);
    for (int i = 0; i < FIELDS; i++) {
        bool there = hash_get(hash, field_name(i, name), scratch, &value);
        cr_assert_eq(there, model->values[i][0] != 0);
        cr_assert(!there || bytes_equal(value, bytes_of(model->values[i])));
    }
    struct hash_iterator iterator = hash_iterate(hash);
    struct hash_pair pair;
    size_t seen = 0;
    while (hash_next(&iterator, &pair)) {
        cr_assert(hash_get(hash, pair.field, scratch, &value));
        cr_assert(bytes_equal(value, pair.value));
        seen++;
    }
    cr_assert_eq(seen, model->count);
}

static void change(struct hash *hash, struct model *model, const struct hash_limits *limits)
{
    int field = (int)random_below(FIELDS);
    char name[32], *value = model->values[field];
    bool there = value[0] != 0;
    hash->value = hash_type.own(hash->value, hash->encoding);
    if (random_below(5) < 2) {
        cr_assert_eq(hash_remove(hash, field_name(field, name)), there);
        model->count -= there;
        value[0] = 0;
        return;
    }
    size_t len = 1 + random_below(random_below(20) ? 4 : TEXT_MAX - 2);
    memset(value, 'a' + (char)random_below(26), len);
    value[len] = 0;
    if (random_below(3) == 0)
        sprintf(value, "%d", (int)random_below(100000));
    cr_assert_eq(hash_set(hash, field_name(field, name), bytes_of(value), limits), !there);
    model->count += !there;
}

static void run(struct hash_limits limits)
{
    struct hash hash = hash_create(), other = { 0 };
    static struct model model, model_then;
    memset(&model, 0, sizeof(model));
    for (int step = 0; step < STEPS; step++) {
        if (step % 501 == 0) {
            if (other.value)
                hash_free(&other);
            other = (struct hash){ hash_type.share(hash.value, hash.encoding), hash.encoding };
            model_then = model;
        }
        change(&hash, &model, &limits);
        if (step % 167 == 0) {
            compare(&hash, &model);
            compare(&other, &model_then);
        }
        cr_assert(hash.encoding == ENCODING_HASHTABLE || hash_count(&hash) <= limits.entries);
    }
    cr_assert_geq(hash_type.memory(hash.value, hash.encoding), model.count);
    hash_free(&other);
    hash_free(&hash);
}

Test(hash, random_changes)
{
    run((struct hash_limits){ 1000, 1000 });
    run((struct hash_limits){ 0, 64 });
    for (int i = 0; i < 5; i++)
        run((struct hash_limits){ 30, 64 });
}

/* A dictionary that has lost all it had counts no bytes any more. */
Test(hash, memory_is_given_back)
{
    struct hash hash = hash_create();
    struct hash_limits limits = { 0, 0 };
    char name[32];
    size_t empty = 0;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 1000; i++)
            hash_set(&hash, field_name(i, name), bytes_of("some value"), &limits);
        for (int i = 0; i < 1000; i++)
            hash_set(&hash, field_name(i, name), bytes_of(i % 3 ? "x" : "a longer value"), &limits);
        for (int i = 0; i < 1000; i++)
            cr_assert(hash_remove(&hash, field_name(i, name)));
        size_t now = hash_type.memory(hash.value, hash.encoding);
        cr_assert(round == 0 || now == empty, "%zu bytes, %zu before", now, empty);
        empty = now;
    }
    cr_assert_eq(hash_dict(&hash)->memory, 0);
    hash_free(&hash);
}

static void expect_fair(const size_t *hits, size_t count, size_t draws)
{
    double expected = (double)draws / (double)count, chi = 0;
    for (size_t i = 0; i < count; i++)
        chi += ((double)hits[i] - expected) * ((double)hits[i] - expected) / expected;
    /* Mean count - 1, deviation sqrt(2 count): six of them are chance of one in a billion. */
    double bound = (double)count + 6 * 1.4142 * __builtin_sqrt((double)count);
    cr_expect_lt(chi, bound, "%zu of %zu: chi squared %f, more than %f", draws, count, chi, bound);
}

static void count_samples(size_t size, size_t wanted, size_t rounds)
{
    struct hash hash = hash_create_table(0);
    struct hash_limits limits = { 0, 0 };
    for (size_t i = 0; i < size; i++) {
        char name[32];
        hash_set(
            &hash, (struct bytes){ name, (size_t)sprintf(name, "%zu", i) }, bytes_of(""), &limits);
    }
    size_t *hits = calloc(size, sizeof(*hits));
    for (size_t round = 0; round < rounds; round++) {
        struct item **items = sample_items(hash_dict(&hash), wanted);
        for (size_t i = 0; i < wanted; i++) {
            int64_t number;
            cr_assert(number_parse(dict_key(hash_dict(&hash), items[i]), &number));
            hits[number]++;
            for (size_t j = 0; j < i && i < 50; j++)
                cr_assert_neq(items[i], items[j]);
        }
        free(items);
    }
    expect_fair(hits, size, wanted * rounds);
    free(hits);
    hash_free(&hash);
}

Test(hash, samples_are_fair)
{
    count_samples(3, 1, 30000);
    count_samples(40, 7, 20000);
    count_samples(1000, 1, 200000);
    count_samples(1000, 20, 10000);
    count_samples(1000, 700, 300);
    count_samples(3000, 1, 300000);
}
