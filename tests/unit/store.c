#include "server/store/store.h"

#include "common/number.h"
#include "server/store/lazy.h"
#include "server/store/turn.h"
#include "tests/support/wait.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { DATABASES = 3, SLOT = 77, MUCH = 3000 };

static struct store *store;
static struct slot *slot;

static void begin(void)
{
    store = store_create(DATABASES);
    slot = store_slot(store, 1, SLOT);
}

static struct bytes name_of(int number)
{
    static char text[32];
    return (struct bytes){ text, (size_t)snprintf(text, sizeof(text), "%d", number) };
}

static table_cell *find(int number)
{
    struct bytes name = name_of(number);
    return store_find(slot, store_hash(store, name), name);
}

static struct entry *entry_at(int number)
{
    table_cell *cell = find(number);
    return cell ? table_cell_entry(cell) : NULL;
}

static void insert(int number, int64_t expiry)
{
    struct bytes name = name_of(number);
    store_insert(store, slot, store_hash(store, name), entry_create_integer(name, number, expiry));
}

static void drop(int number)
{
    store_remove(store, slot, store_hash(store, name_of(number)), find(number));
}

static void replace(int number, int64_t value, int64_t expiry)
{
    store_replace(store, slot, find(number), entry_create_integer(name_of(number), value, expiry));
}

static void counts(int64_t keys, int64_t expires)
{
    cr_assert_eq(store_key_count(store, 1), keys);
    cr_assert_eq(store_expires_count(store, 1), expires);
    cr_assert_eq(slot->table.used, (uint32_t)keys);
    cr_assert_eq(slot->expires, (uint32_t)expires);
    cr_assert_eq(store_key_count(store, 0), 0);
    cr_assert_eq(store_key_count(store, 2), 0);
}

static void end(void)
{
    store_destroy(store);
}

TestSuite(store, .init = begin, .fini = end, .timeout = 60);

Test(store, slots_know_where_they_are)
{
    cr_assert_eq(store_slot_database(store, slot), 1);
    cr_assert_eq(store_slot_number(store, slot), SLOT);
    cr_assert_eq(store_slot(store, 2, 0), store_slot(store, 1, SLOT_COUNT - 1) + 1);
    cr_assert_eq(store_databases(store), DATABASES);
}

Test(store, counts_keys_and_those_that_expire)
{
    insert(1, ENTRY_NO_EXPIRY);
    insert(2, 50);
    counts(2, 1);
    replace(1, 10, 60);
    counts(2, 2);
    replace(2, 20, ENTRY_NO_EXPIRY);
    counts(2, 1);
    cr_assert_eq(entry_integer(entry_at(2)), 20);
    store_set_expiry(store, slot, find(2), 70);
    counts(2, 2);
    store_set_expiry(store, slot, find(2), 71);
    counts(2, 2);
    store_set_expiry(store, slot, find(2), ENTRY_NO_EXPIRY);
    counts(2, 1);
    cr_assert_eq(entry_integer(entry_at(2)), 20);
    drop(1);
    counts(1, 0);
    drop(2);
    counts(0, 0);
}

Test(store, takes_the_table_out)
{
    for (int i = 0; i < MUCH; i++)
        insert(i, i % 2 ? 50 : ENTRY_NO_EXPIRY);
    counts(MUCH, MUCH / 2);
    struct table table = store_take_table(store, slot);
    counts(0, 0);
    cr_assert_eq(table.used, MUCH);
    insert(5, ENTRY_NO_EXPIRY);
    counts(1, 0);
    size_t before = lazy_freed();
    lazy_free_table(table);
    wait_until(10000, lazy_freed() == before + MUCH && lazy_pending() == 0);
    drop(5);
}

/* ---- Snapshots ---- */

struct kept {
    int times[MUCH];
    int64_t values[MUCH];
    int tables;
    struct table table;
};

static void preserve(void *arg, unsigned database, unsigned number, const struct entry *entry)
{
    struct kept *kept = arg;
    int64_t key;
    cr_assert_eq(database, 1);
    cr_assert_eq(number, SLOT);
    cr_assert(number_parse(entry_key(entry), &key));
    kept->times[key]++;
    kept->values[key] = entry_integer(entry);
}

static void preserve_table(void *arg, unsigned database, unsigned number, struct table table)
{
    struct kept *kept = arg;
    cr_assert_eq(database, 1);
    cr_assert_eq(number, SLOT);
    kept->tables++;
    kept->table = table;
}

static struct kept kept;
static const struct store_snapshot hooks = { preserve, preserve_table, &kept };

static void change(int number, int64_t value)
{
    store_will_change(store, slot, entry_at(number));
    entry_set_integer(entry_at(number), value);
}

Test(store, hands_each_old_value_over_exactly_once)
{
    for (int i = 0; i < 10; i++)
        insert(i, ENTRY_NO_EXPIRY);
    change(0, 100); /* nobody takes a snapshot */
    store_snapshot_begin(store, &hooks);
    change(0, 101);
    change(0, 102);
    replace(0, 103, 50);
    store_set_expiry(store, slot, find(0), 60);
    drop(0);
    cr_assert_eq(kept.times[0], 1);
    cr_assert_eq(kept.values[0], 100);
    insert(0, ENTRY_NO_EXPIRY);
    change(0, 7);
    drop(0);
    cr_assert_eq(kept.times[0], 1, "what came after the moment is not the snapshot's");
    store_set_expiry(store, slot, find(1), 50);
    replace(1, 5, ENTRY_NO_EXPIRY);
    cr_assert_eq(kept.times[1], 1);
    cr_assert_eq(kept.values[1], 1);
    drop(2);
    cr_assert_eq(kept.times[2], 1);
    replace(3, 33, ENTRY_NO_EXPIRY);
    drop(3);
    cr_assert_eq(kept.times[3], 1);
    cr_assert_eq(kept.values[3], 3);
    /* The walk has written 4, and is through with the slot. */
    entry_at(4)->generation = store_generation(store);
    change(4, 44);
    cr_assert_eq(kept.times[4], 0);
    slot->walked = store_generation(store);
    change(5, 55);
    drop(6);
    cr_assert_eq(kept.times[5] + kept.times[6], 0);
    store_snapshot_end(store);
    change(7, 77);
    cr_assert_eq(kept.times[7], 0);
}

Test(store, hands_over_a_table_that_was_not_walked)
{
    insert(1, ENTRY_NO_EXPIRY);
    store_snapshot_begin(store, &hooks);
    insert(2, ENTRY_NO_EXPIRY);
    struct table rest = store_take_table(store, slot);
    cr_assert_eq(kept.tables, 1);
    cr_assert_eq(kept.table.used, 2);
    cr_assert_null(rest.buckets);
    table_free(&kept.table);
    counts(0, 0);
    insert(3, ENTRY_NO_EXPIRY);
    slot->walked = store_generation(store);
    rest = store_take_table(store, slot);
    cr_assert_eq(kept.tables, 1);
    cr_assert_eq(rest.used, 1);
    table_free(&rest);
    store_snapshot_end(store);
}

Test(store, generations_go_round_and_leave_out_zero)
{
    for (int i = 0; i < 600; i++) {
        uint8_t before = store_generation(store);
        store_snapshot_begin(store, &hooks);
        cr_assert_neq(store_generation(store), before);
        cr_assert_neq(store_generation(store), 0);
        store_snapshot_end(store);
    }
}

/* ---- Locks ---- */

Test(store, locks_many_once_each_in_order)
{
    cr_assert_eq(store_lock_many(NULL, 0), 0);
    struct slot *slots[] = { store_slot(store, 0, 9), store_slot(store, 0, 3),
        store_slot(store, 1, 0), store_slot(store, 0, 9), store_slot(store, 0, 3) };
    size_t count = store_lock_many(slots, 5);
    cr_assert_eq(count, 3);
    cr_assert_eq(slots[0], store_slot(store, 0, 3));
    cr_assert_eq(slots[1], store_slot(store, 0, 9));
    cr_assert_eq(slots[2], store_slot(store, 1, 0));
    for (size_t i = 0; i < count; i++)
        cr_assert(!slot_lock_try(&slots[i]->lock));
    store_unlock_many(slots, count);
    for (size_t i = 0; i < count; i++)
        cr_assert(slot_lock_try(&slots[i]->lock));
    store_unlock_many(slots, count);
}

enum { THREADS = 4, ROUNDS = 3000 };

static int64_t balances[8]; /* each under the lock of slot 0 .. 7 of database 0 */

static void *transfer(void *arg)
{
    uint64_t random = (uintptr_t)arg * 2654435761u;
    for (int i = 0; i < ROUNDS; i++) {
        random = random * UINT64_C(6364136223846793005) + 1;
        unsigned from = random >> 40 & 7, to = random >> 50 & 7;
        struct slot *two[] = { store_slot(store, 0, from), store_slot(store, 0, to) };
        size_t count = store_lock_many(two, 2);
        balances[from]--;
        balances[to]++;
        store_unlock_many(two, count);
    }
    return NULL;
}

Test(store, locks_of_several_threads_neither_race_nor_lock_up)
{
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, transfer, (void *)(i + 1));
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    int64_t sum = 0;
    for (int i = 0; i < 8; i++)
        sum += balances[i];
    cr_assert_eq(sum, 0);
}

/* Threads insert and remove in one slot, each its own keys: the tallies must come out even. */
static void *work(void *arg)
{
    int first = (int)(uintptr_t)arg * 1000;
    for (int i = 0; i < ROUNDS; i++) {
        char text[32];
        struct bytes name = { text, (size_t)snprintf(text, sizeof(text), "%d", first + i % 500) };
        uint64_t hash = store_hash(store, name);
        slot_lock_acquire(&slot->lock);
        table_cell *cell = store_find(slot, hash, name);
        if (cell)
            store_remove(store, slot, hash, cell);
        else
            store_insert(store, slot, hash, entry_create_integer(name, i, i % 2 ? 5 : -1));
        slot_lock_release(&slot->lock);
    }
    return NULL;
}

Test(store, tallies_of_several_threads)
{
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, work, (void *)i);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    counts(slot->table.used, slot->expires);
}
