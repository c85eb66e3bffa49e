/* The slot's hash table against a reference: what is in it is an array of flags here. */
#include "server/store/table.h"

#include "common/number.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

enum { MANY = 40000 };

static struct table table;
static bool there[MANY];
static uint64_t seed = 88172645463325252u;

static uint64_t draw(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

/* Splitmix64: all bits of the key's number reach all bits of the hash. */
static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static int number_of(struct bytes key)
{
    int64_t number;
    cr_assert(number_parse(key, &number));
    return (int)number;
}

static uint64_t hash_well(const void *arg, struct bytes key)
{
    return mix((uint64_t)number_of(key));
}

/* One bucket and one tag for all. */
static uint64_t hash_badly(const void *arg, struct bytes key)
{
    return UINT64_C(0x8000000000001234);
}

static table_hash_fn *hash_of = hash_well;

static struct bytes name_of(int number)
{
    static char text[32];
    return (struct bytes){ text, (size_t)snprintf(text, sizeof(text), "%d", number) };
}

static table_cell *find(int number)
{
    struct bytes name = name_of(number);
    return table_find(&table, hash_of(NULL, name), name);
}

static void insert(int number)
{
    struct bytes name = name_of(number);
    struct entry *entry = entry_create_integer(name, number, ENTRY_NO_EXPIRY);
    table_cell *cell = table_insert(&table, hash_of(NULL, name), entry, hash_of, NULL);
    cr_assert_eq(table_cell_entry(cell), entry);
    there[number] = true;
}

static void drop(int number)
{
    table_cell *cell = find(number);
    struct entry *entry = table_cell_entry(cell);
    table_remove(&table, hash_of(NULL, name_of(number)), cell, hash_of, NULL);
    entry_free(entry);
    there[number] = false;
}

static void check(int count)
{
    uint32_t used = 0;
    for (int i = 0; i < count; i++) {
        table_cell *cell = find(i);
        cr_assert_eq(cell != NULL, there[i], "key %d", i);
        if (cell)
            cr_assert_eq(entry_integer(table_cell_entry(cell)), i);
        used += there[i];
    }
    cr_assert_eq(table.used, used);
}

static void end(void)
{
    table_free(&table);
    cr_assert_null(table.buckets);
}

TestSuite(table, .fini = end, .timeout = 60);

Test(table, empty)
{
    cr_assert_null(find(1));
    cr_assert_null(table_random(&table, 7));
    cr_assert_eq(table_scan(&table, 0, 1, NULL, NULL), TABLE_SCAN_END);
    table_prefetch_entry(&table, 1);
    cr_assert_eq(table_memory(&table), 0);
}

/* Waves, so that it grows and shrinks often and is caught in the midst of both. */
Test(table, random_operations)
{
    enum { KEYS = 8000, STEPS = 200000 };
    bool was_moving = false;
    for (int step = 0; step < STEPS; step++) {
        bool up = step / 20000 % 2 == 0;
        int number = (int)(draw() % KEYS);
        bool wants = draw() % 10 < (up ? 9 : 1);
        if (wants && !there[number])
            insert(number);
        else if (!wants && there[number])
            drop(number);
        was_moving = was_moving || table.old_buckets;
        if (step % 10007 == 0)
            check(KEYS);
    }
    check(KEYS);
    cr_assert(was_moving);
}

Test(table, grows_in_steps_and_shrinks_again)
{
    uint32_t most = 0, before = 0;
    for (int i = 0; i < MANY; i++) {
        insert(i);
        uint32_t moved = table.old_buckets ? table.moved : 0;
        cr_assert(
            moved <= before + 4 || moved == 0, "%u buckets moved by one insert", moved - before);
        before = moved;
        most = table.bucket_count > most ? table.bucket_count : most;
    }
    cr_assert_leq((uint64_t)most, MANY / 4, "%u buckets for %d entries", most, MANY);
    check(MANY);
    for (int i = 0; i < MANY - 10; i++)
        drop(i);
    check(MANY);
    cr_assert_lt(table.bucket_count + table.old_count, 32);
    for (int i = MANY - 10; i < MANY; i++)
        drop(i);
    cr_assert_null(table.buckets);
    cr_assert_eq(table_memory(&table), 0);
}

static size_t chain_length(void)
{
    size_t length = 1;
    for (uint64_t last = table.buckets[table.bucket_count / 2].cells[TABLE_CELLS - 1]; last & 1;
         last = ((struct bucket *)(uintptr_t)(last & ~UINT64_C(1)))->cells[TABLE_CELLS - 1])
        length++;
    return length;
}

/* All in one chain: buckets are added behind it, and go when they are empty, wherever in it they
 * are. */
Test(table, chains)
{
    enum { KEYS = 300 };
    hash_of = hash_badly;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < KEYS; i++)
            insert(i);
        check(KEYS);
        cr_assert_geq(chain_length(), KEYS / TABLE_CELLS);
        for (int i = 0; i < KEYS - 1; i++)
            drop(round == 0 ? i : round == 1 ? KEYS - 1 - i : (i * 7) % KEYS);
        check(KEYS);
        cr_assert_leq(chain_length(), 2);
        for (int i = 0; i < KEYS; i++) {
            if (there[i])
                drop(i);
        }
        cr_assert_null(table.buckets);
    }
}

Test(table, replaces)
{
    insert(1);
    struct entry *old = table_cell_entry(find(1));
    struct entry *other = entry_create_integer(name_of(1), 77, 12345);
    table_replace(find(1), other);
    entry_free(old);
    cr_assert_eq(table_cell_entry(find(1)), other);
}

static int seen[MANY];

static void see(void *arg, table_cell *cell)
{
    seen[entry_integer(table_cell_entry(cell))]++;
}

/* Keys below `stay` are there during the whole scan, so each must be seen, whatever comes and goes.
 */
static void scan_while(int from, int to, int stay, size_t enough)
{
    memset(seen, 0, sizeof(seen));
    for (int i = 0; i < from; i++)
        insert(i);
    int next = from;
    uint64_t position = 0;
    while (position < TABLE_SCAN_END) {
        uint64_t before = position;
        position = table_scan(&table, position, enough, see, NULL);
        cr_assert_gt(position, before);
        for (int i = 0; i < 40 && next != to; i++) {
            if (from < to)
                insert(next++);
            else
                drop(--next);
        }
    }
    for (int i = 0; i < stay; i++)
        cr_assert_geq(seen[i], 1, "key %d was not seen", i);
}

Test(table, scan_of_a_growing_table)
{
    scan_while(3000, 30000, 3000, 10);
}

Test(table, scan_of_a_shrinking_table)
{
    scan_while(30000, 300, 300, 10);
}

Test(table, scan_of_a_table_at_rest_sees_each_once)
{
    scan_while(1000, 1000, 0, 1);
    uint32_t limit = table.old_buckets ? 2 : 1;
    for (int i = 0; i < 1000; i++)
        cr_assert(seen[i] >= 1 && (uint32_t)seen[i] <= limit);
}

static void draws_all(int keys)
{
    static int drawn[MANY];
    memset(drawn, 0, sizeof(drawn));
    for (int i = 0; i < keys * 50; i++)
        drawn[entry_integer(table_random(&table, draw()))]++;
    for (int i = 0; i < keys; i++)
        cr_assert(drawn[i] > 5 && drawn[i] < 250, "key %d was drawn %d times", i, drawn[i]);
}

Test(table, random_draws_evenly)
{
    for (int i = 0; i < 2000; i++)
        insert(i);
    draws_all(2000);
}

Test(table, random_reaches_down_a_chain)
{
    hash_of = hash_badly;
    for (int i = 0; i < 25; i++)
        insert(i);
    draws_all(25);
}
