/* Snapshots under writers. In the moment of a snapshot, with all turns stopped, the test copies the
 * store; what the snapshot's bytes load must be that copy, whatever was written meanwhile. */
#include "common/memory.h"
#include "server/snapshot/load.h"
#include "server/snapshot/rdb_file.h"
#include "server/snapshot/snapshot_file.h"
#include "server/snapshot/snapshot_queue.h"
#include "server/store/lazy.h"
#include "server/store/turn.h"
#include "tests/support/scratch.h"
#include "tests/support/wait.h"
#include <criterion/criterion.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void world_begin(void);
static void world_end(void);

TestSuite(snapshot, .init = world_begin, .fini = world_end, .timeout = 120);
TestSuite(snapshot_queue, .init = world_begin, .fini = world_end, .timeout = 60);
TestSuite(load, .timeout = 60);

enum { DATABASES = 3, SECOND = 1000, LIMIT = 30 * SECOND };

/* --- Stores. --- */

static void put(struct store *store, unsigned database, struct entry *entry)
{
    uint64_t hash = store_hash(store, entry_key(entry));
    struct slot *slot = store_slot(store, database, slot_of_key(entry_key(entry)));
    slot_lock_acquire(&slot->lock);
    table_cell *cell = store_find(slot, hash, entry_key(entry));
    if (cell)
        store_replace(store, slot, cell, entry);
    else
        store_insert(store, slot, hash, entry);
    slot_lock_release(&slot->lock);
}

static void put_text(struct store *store, unsigned database, const char *key, const char *value)
{
    put(store, database, entry_create_string(bytes_of(key), bytes_of(value), ENTRY_NO_EXPIRY));
}

static void clear(struct store *store)
{
    for (unsigned d = 0; d < store_databases(store); d++) {
        for (unsigned s = 0; s < SLOT_COUNT && store_key_count(store, d) > 0; s++) {
            struct slot *slot = store_slot(store, d, s);
            slot_lock_acquire(&slot->lock);
            struct table table = store_take_table(store, slot);
            slot_lock_release(&slot->lock);
            table_free(&table);
        }
    }
}

struct copying {
    struct store *to;
    unsigned database;
};

static void copy_cell(void *arg, table_cell *cell)
{
    struct copying *copying = arg;
    const struct entry *entry = table_cell_entry(cell);
    put(copying->to, copying->database, entry_copy(entry, entry_key(entry), entry_expiry(entry)));
}

/* While nobody writes. */
static void copy_store(struct store *from, struct store *to)
{
    clear(to);
    for (unsigned d = 0; d < store_databases(from); d++) {
        struct copying copying = { to, d };
        for (unsigned s = 0; s < SLOT_COUNT && store_key_count(from, d) > 0; s++)
            table_scan(&store_slot(from, d, s)->table, 0, SIZE_MAX, copy_cell, &copying);
    }
}

struct comparing {
    struct store *with;
    unsigned database;
    size_t different;
};

static void compare_cell(void *arg, table_cell *cell)
{
    struct comparing *comparing = arg;
    const struct entry *entry = table_cell_entry(cell);
    struct bytes key = entry_key(entry);
    char a[32], b[32];
    table_cell *other =
        store_find(store_slot(comparing->with, comparing->database, slot_of_key(key)),
            store_hash(comparing->with, key), key);
    if (!other || !bytes_equal(entry_string(entry, a), entry_string(table_cell_entry(other), b)) ||
        entry_expiry(entry) != entry_expiry(table_cell_entry(other)))
        comparing->different++;
}

static size_t differences(struct store *one, struct store *other)
{
    size_t different = 0;
    for (unsigned d = 0; d < store_databases(one); d++) {
        different += store_key_count(one, d) != store_key_count(other, d);
        struct comparing comparing = { other, d, 0 };
        for (unsigned s = 0; s < SLOT_COUNT && store_key_count(one, d) > 0; s++)
            table_scan(&store_slot(one, d, s)->table, 0, SIZE_MAX, compare_cell, &comparing);
        different += comparing.different;
    }
    return different;
}

/* --- A target that keeps the bytes. --- */

struct keeper {
    struct snapshot_target target;
    struct buffer bytes;
    size_t fail_at; /* bytes after which write fails; 0: never */
    bool refuse_prepare, refuse_begin;
    void (*slow)(void);    /* called in each write */
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t changed;
    bool done, ok;
    char error[512];
};

static bool keeper_prepare(void *context, struct error *error)
{
    struct keeper *keeper = context;
    return !keeper->refuse_prepare || error_set(error, "not prepared");
}

static bool keeper_begin(void *context, struct error *error)
{
    struct keeper *keeper = context;
    return !keeper->refuse_begin || error_set(error, "not begun");
}

/* While this is set, the snapshot under way stands still in its next write. */
static _Atomic bool held;

static bool keeper_write(void *context, struct bytes data, struct error *error)
{
    struct keeper *keeper = context;
    buffer_append(&keeper->bytes, data.data, data.len);
    (void)wait_for(LIMIT, !atomic_load(&held));
    if (keeper->slow)
        keeper->slow();
    if (keeper->fail_at && keeper->bytes.len > keeper->fail_at)
        return error_set(error, "disk full");
    return true;
}

static void keeper_finish(void *context, const struct error *error)
{
    struct keeper *keeper = context;
    pthread_mutex_lock(&keeper->mutex);
    cr_assert(!keeper->done, "finish was called twice");
    keeper->done = true;
    keeper->ok = error == NULL;
    if (error)
        strcpy(keeper->error, error->text);
    pthread_cond_signal(&keeper->changed);
    pthread_mutex_unlock(&keeper->mutex);
}

static void keeper_init(struct keeper *keeper)
{
    *keeper = (struct keeper){ .target = { .prepare = keeper_prepare,
                                   .begin = keeper_begin,
                                   .write = keeper_write,
                                   .finish = keeper_finish,
                                   .context = keeper },
        .mutex = PTHREAD_MUTEX_INITIALIZER,
        .changed = PTHREAD_COND_INITIALIZER };
}

static void keeper_wait(struct keeper *keeper)
{
    pthread_mutex_lock(&keeper->mutex);
    while (!keeper->done)
        pthread_cond_wait(&keeper->changed, &keeper->mutex);
    pthread_mutex_unlock(&keeper->mutex);
}

static void keeper_free(struct keeper *keeper)
{
    buffer_free(&keeper->bytes);
}

/* Loads an RDB of memory into an empty store. */
static void load_bytes(struct store *store, struct bytes rdb, struct load_result *result)
{
    struct rdb_reader reader;
    struct error error = { "" };
    struct load_options options = { 0 };
    clear(store);
    rdb_reader_init(&reader, &(struct rdb_reader_options){ .memory = rdb, .verify = true });
    cr_assert(load_rdb(store, &reader, &options, result, &error), "%s", error.text);
    rdb_reader_free(&reader);
}

/* --- A world: the store, its copy of the moment, what a snapshot loads to, writers. --- */

static struct world {
    struct store *store, *moment, *loaded;
    struct snapshotter *snapshotter;
    pthread_t writers[2];
    size_t writer_count;
    _Atomic bool stop;
    _Atomic uint64_t writes;
} world;

static void note_moment(void *context, struct rdb_preamble *preamble)
{
    copy_store(world.store, world.moment);
    preamble->used_memory = 12345;
    preamble->repl_id = "0123456789abcdef0123456789abcdef01234567";
    preamble->repl_offset = 42;
}

static void world_begin(void)
{
    world.store = store_create(DATABASES);
    world.moment = store_create(DATABASES);
    world.loaded = store_create(DATABASES);
    struct snapshotter_options options = {
        .compress = true, .checksum = true, .moment = note_moment
    };
    world.snapshotter = snapshotter_create(world.store, &options);
}

static void world_end(void)
{
    if (world.snapshotter)
        snapshotter_destroy(world.snapshotter);
    clear(world.store);
    clear(world.moment);
    clear(world.loaded);
}

/* One of all the ways in which commands change entries. */
static void change_something(uint64_t random, char *text)
{
    unsigned database = random % 8 < 6 ? 0 : (unsigned)(random % DATABASES);
    unsigned number = (unsigned)(random >> 8) % 3000;
    char name[32];
    struct bytes key = { name, (size_t)snprintf(name, sizeof(name), "key:%u", number) };
    struct slot *slot = store_slot(world.store, database, slot_of_key(key));
    uint64_t hash = store_hash(world.store, key);
    slot_lock_acquire(&slot->lock);
    table_cell *cell = store_find(slot, hash, key);
    struct entry *entry = cell ? table_cell_entry(cell) : NULL;
    size_t len = random >> 40 & 15 ? random >> 24 & 255 : 1500 + (random >> 24 & 4095);
    struct bytes value = { text + (random >> 32 & 63), len };
    switch (random >> 52 & 15) {
    case 0:
        if (cell)
            store_remove(world.store, slot, hash, cell);
        break;
    case 1:
        if (cell)
            store_set_expiry(world.store, slot, cell, INT64_C(4000000000000) + number);
        break;
    case 2:
        if (cell)
            store_set_expiry(world.store, slot, cell, ENTRY_NO_EXPIRY);
        break;
    case 3: /* in place */
        if (entry && entry->encoding == ENCODING_INT) {
            store_will_change(world.store, slot, entry);
            entry_set_integer(entry, (int64_t)random);
        } else if (entry && !entry_value(entry) && entry->inline_len > 0) {
            store_will_change(world.store, slot, entry);
            entry_inline(entry)[0]++;
        }
        break;
    case 4: /* FLUSHALL of one slot */
        if (number % 64 == 0) {
            struct table table = store_take_table(world.store, slot);
            lazy_free_table(table);
        }
        break;
    default:
        entry = random >> 60 & 1
                    ? entry_create_integer(key, (int64_t)(random >> 5), ENTRY_NO_EXPIRY)
                    : entry_create_string(
                          key, value, random >> 61 & 1 ? ENTRY_NO_EXPIRY : INT64_C(5000000000000));
        if (cell)
            store_replace(world.store, slot, cell, entry);
        else
            store_insert(world.store, slot, hash, entry);
    }
    slot_lock_release(&slot->lock);
}

static void *write_on(void *arg)
{
    struct turn_runner *runner = turn_runner_create();
    uint64_t random = (uintptr_t)arg;
    char text[8192];
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (char)('a' + i * i % 23);
    while (!atomic_load(&world.stop)) {
        turn_begin(runner);
        for (int i = 0; i < 20; i++) {
            random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            uint64_t mixed = random ^ random >> 29;
            change_something(mixed * UINT64_C(0x9e3779b97f4a7c15), text);
        }
        turn_end(runner);
        atomic_fetch_add(&world.writes, 20);
        sched_yield();
    }
    return NULL;
}

static void writers_start(size_t count)
{
    atomic_store(&world.stop, false);
    world.writer_count = count;
    for (size_t i = 0; i < count; i++)
        cr_assert_eq(
            pthread_create(&world.writers[i], NULL, write_on, (void *)(uintptr_t)(i + 17)), 0);
}

static void writers_stop(void)
{
    atomic_store(&world.stop, true);
    for (size_t i = 0; i < world.writer_count; i++)
        pthread_join(world.writers[i], NULL);
}

/* Returns when a hundred writes more have been done: so the walk lasts for thousands of writes. */
static void until_written(void)
{
    uint64_t enough = atomic_load(&world.writes) + 100;
    while (atomic_load(&world.writes) < enough && !atomic_load(&world.stop))
        sched_yield();
}

static void fill(unsigned keys)
{
    char name[32], value[64];
    for (unsigned i = 0; i < keys; i++) {
        snprintf(name, sizeof(name), "key:%u", i);
        snprintf(value, sizeof(value), i % 3 ? "value of key number %u" : "%u", i);
        put_text(world.store, i % 10 ? 0 : 2, name, value);
    }
}

static void load_keeper(struct keeper *keeper)
{
    struct load_result result;
    keeper_wait(keeper);
    cr_assert(keeper->ok, "%s", keeper->error);
    load_bytes(world.loaded, buffer_bytes(&keeper->bytes), &result);
    cr_assert_eq(result.bytes, keeper->bytes.len);
}

/* Begins a snapshot that stands still until let_go. */
static void request_held(struct keeper *keeper)
{
    atomic_store(&held, true);
    snapshotter_request(world.snapshotter, &keeper->target);
    wait_until(LIMIT, snapshotter_progress(world.snapshotter).running);
}

static void let_go(void)
{
    atomic_store(&held, false);
}

/* --- Tests. --- */

Test(snapshot, of_an_empty_store)
{
    struct keeper keeper;
    keeper_init(&keeper);
    snapshotter_request(world.snapshotter, &keeper.target);
    load_keeper(&keeper);
    cr_expect_eq(store_key_count(world.loaded, 0), 0);
    keeper_free(&keeper);
}

Test(snapshot, holds_what_is_there)
{
    struct keeper keeper;
    fill(5000);
    keeper_init(&keeper);
    snapshotter_request(world.snapshotter, &keeper.target);
    load_keeper(&keeper);
    cr_expect_eq(differences(world.store, world.loaded), 0);
    cr_expect_eq(differences(world.loaded, world.store), 0);
    struct snapshot_progress progress = snapshotter_progress(world.snapshotter);
    cr_expect(!progress.running && progress.keys_total == 5000 && progress.keys_done == 5000);
    cr_expect(progress.preserved == 0 && progress.preserved_peak == 0 && progress.started > 0);
    keeper_free(&keeper);
}

Test(snapshot, is_of_its_moment_while_writers_write)
{
    uint64_t preserved = 0;
    fill(3000);
    writers_start(2);
    for (int round = 0; round < 30; round++) {
        struct keeper keeper;
        keeper_init(&keeper);
        keeper.slow = until_written;
        uint64_t before = atomic_load(&world.writes);
        snapshotter_request(world.snapshotter, &keeper.target);
        load_keeper(&keeper);
        cr_expect_gt(atomic_load(&world.writes), before);
        cr_assert_eq(differences(world.moment, world.loaded), 0, "round %d", round);
        cr_assert_eq(differences(world.loaded, world.moment), 0, "round %d", round);
        struct snapshot_progress progress = snapshotter_progress(world.snapshotter);
        cr_expect_eq(progress.keys_done, progress.keys_total);
        cr_expect_eq(progress.preserved, 0);
        preserved += progress.preserved_peak;
        keeper_free(&keeper);
    }
    writers_stop();
    cr_expect_gt(preserved, 0, "the writers were never ahead of the walk");
}

/* Generations are one byte: what a snapshot of long ago has marked must not count as seen. */
Test(snapshot, a_thousand_in_a_row)
{
    fill(40);
    for (int round = 0; round < 600; round++) {
        struct keeper keeper;
        char name[32];
        keeper_init(&keeper);
        /* Now and then one that fails, and one that finds the database empty. */
        keeper.fail_at = round % 7 == 3 ? 10 : 0;
        keeper.refuse_begin = round % 11 == 5;
        if (round % 100 == 50)
            clear(world.store);
        snprintf(name, sizeof(name), "key:%d", round % 50);
        put_text(world.store, 0, name, "changed");
        snapshotter_request(world.snapshotter, &keeper.target);
        keeper_wait(&keeper);
        cr_assert_eq(keeper.ok, !keeper.fail_at && !keeper.refuse_begin);
        if (keeper.ok) {
            load_keeper(&keeper);
            cr_assert_eq(differences(world.store, world.loaded), 0, "round %d", round);
        }
        keeper_free(&keeper);
    }
}

Test(snapshot, a_slot_with_very_many_keys_is_walked_in_pieces)
{
    char name[64];
    for (unsigned i = 0; i < 20000; i++) {
        snprintf(name, sizeof(name), "{tag}:%u", i);
        put_text(world.store, 0, name, "some value that is there");
    }
    writers_start(1);
    struct keeper keeper;
    keeper_init(&keeper);
    keeper.slow = until_written;
    request_held(&keeper);
    let_go();
    /* Growing and shrinking under the walk. */
    struct turn_runner *runner = turn_runner_create();
    for (unsigned i = 0; i < 20000; i++) {
        turn_begin(runner);
        snprintf(name, sizeof(name), "{tag}:new%u", i);
        put_text(world.store, 0, name, "new");
        if (i % 2) {
            struct bytes key = { name, (size_t)snprintf(name, sizeof(name), "{tag}:%u", i) };
            struct slot *slot = store_slot(world.store, 0, slot_of_key(key));
            uint64_t hash = store_hash(world.store, key);
            slot_lock_acquire(&slot->lock);
            store_remove(world.store, slot, hash, store_find(slot, hash, key));
            slot_lock_release(&slot->lock);
        }
        turn_end(runner);
    }
    load_keeper(&keeper);
    writers_stop();
    cr_expect_eq(differences(world.moment, world.loaded), 0);
    cr_expect_eq(differences(world.loaded, world.moment), 0);
    keeper_free(&keeper);
}

static void flush_everything(void)
{
    static _Thread_local struct turn_runner *runner;
    if (!runner)
        runner = turn_runner_create();
    turn_begin(runner);
    for (unsigned d = 0; d < DATABASES; d++) {
        for (unsigned s = 0; s < SLOT_COUNT; s++) {
            struct slot *slot = store_slot(world.store, d, s);
            slot_lock_acquire(&slot->lock);
            lazy_free_table(store_take_table(world.store, slot));
            slot_lock_release(&slot->lock);
        }
    }
    put_text(world.store, 1, "behind", "the flush");
    turn_end(runner);
}

Test(snapshot, flushing_everything_under_it_takes_nothing_away)
{
    struct keeper keeper;
    fill(20000);
    keeper_init(&keeper);
    keeper.slow = flush_everything;
    snapshotter_request(world.snapshotter, &keeper.target);
    load_keeper(&keeper);
    cr_expect_eq(differences(world.moment, world.loaded), 0);
    cr_expect_eq(store_key_count(world.loaded, 0) + store_key_count(world.loaded, 2), 20000);
    cr_expect_eq(store_key_count(world.loaded, 1), 0);
    cr_expect_eq(store_key_count(world.store, 0), 0);
    keeper_free(&keeper);
}

Test(snapshot, all_targets_get_the_same_and_a_bad_one_harms_nobody)
{
    struct keeper keepers[6];
    fill(5000);
    writers_start(1);
    for (int i = 0; i < 6; i++)
        keeper_init(&keepers[i]);
    /* The first holds the thread until all others are there, to be served together. */
    keepers[1].slow = until_written;
    keepers[2].refuse_prepare = true;
    keepers[3].refuse_begin = true;
    keepers[4].fail_at = 1;
    request_held(&keepers[0]);
    for (int i = 1; i < 6; i++)
        snapshotter_request(world.snapshotter, &keepers[i].target);
    let_go();
    for (int i = 0; i < 6; i++)
        keeper_wait(&keepers[i]);
    writers_stop();
    cr_expect(keepers[0].ok && keepers[1].ok && keepers[5].ok);
    cr_expect_str_eq(keepers[2].error, "not prepared");
    cr_expect_str_eq(keepers[3].error, "not begun");
    cr_expect_str_eq(keepers[4].error, "disk full");
    cr_expect_eq(keepers[2].bytes.len + keepers[3].bytes.len, 0);
    cr_expect(bytes_equal(buffer_bytes(&keepers[1].bytes), buffer_bytes(&keepers[5].bytes)));
    load_keeper(&keepers[5]);
    cr_expect_eq(differences(world.moment, world.loaded), 0);
    for (int i = 0; i < 6; i++)
        keeper_free(&keepers[i]);
}

Test(snapshot, requests_under_way_are_served_together_by_the_next)
{
    struct keeper first, second, third;
    fill(100);
    keeper_init(&first);
    keeper_init(&second);
    keeper_init(&third);
    request_held(&first);
    put_text(world.store, 0, "later", "1");
    snapshotter_request(world.snapshotter, &second.target);
    snapshotter_request(world.snapshotter, &third.target);
    cr_expect(snapshotter_progress(world.snapshotter).waiting);
    let_go();
    load_keeper(&first);
    cr_expect_eq(store_key_count(world.loaded, 0), 90);
    load_keeper(&second);
    cr_expect_eq(store_key_count(world.loaded, 0), 91);
    keeper_wait(&third);
    cr_expect(bytes_equal(buffer_bytes(&second.bytes), buffer_bytes(&third.bytes)));
    keeper_free(&first);
    keeper_free(&second);
    keeper_free(&third);
}

Test(snapshot, cancel_fails_those_under_way_and_those_that_wait)
{
    struct keeper first, second, third;
    fill(3000);
    keeper_init(&first);
    keeper_init(&second);
    keeper_init(&third);
    request_held(&first);
    snapshotter_request(world.snapshotter, &second.target);
    snapshotter_cancel(world.snapshotter, "no longer wanted");
    snapshotter_request(world.snapshotter, &third.target);
    let_go();
    keeper_wait(&first);
    keeper_wait(&second);
    cr_expect(!first.ok && strcmp(first.error, "no longer wanted") == 0, "%s", first.error);
    cr_expect(!second.ok && strcmp(second.error, "no longer wanted") == 0);
    load_keeper(&third);
    cr_expect_eq(differences(world.store, world.loaded), 0);
    keeper_free(&first);
    keeper_free(&second);
    keeper_free(&third);
}

Test(snapshot, destroying_it_fails_what_is_under_way)
{
    struct keeper first, second;
    fill(20000);
    writers_start(1);
    keeper_init(&first);
    keeper_init(&second);
    first.slow = until_written;
    request_held(&first);
    snapshotter_request(world.snapshotter, &second.target);
    let_go();
    snapshotter_destroy(world.snapshotter);
    world.snapshotter = NULL;
    cr_expect(first.done && second.done);
    cr_expect(!second.ok && strcmp(second.error, "the server is shutting down") == 0);
    writers_stop();
    keeper_free(&first);
    keeper_free(&second);
}

/* --- Files. --- */

struct outcome {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool done, ok;
    char error[512];
};

static void file_done(void *context, const struct error *error)
{
    struct outcome *outcome = context;
    pthread_mutex_lock(&outcome->mutex);
    outcome->done = true;
    outcome->ok = !error;
    if (error)
        strcpy(outcome->error, error->text);
    pthread_cond_signal(&outcome->changed);
    pthread_mutex_unlock(&outcome->mutex);
}

static struct outcome save_to(const char *path)
{
    struct outcome outcome = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, .ok = false };
    struct snapshot_file_options options = {
        .path = path, .aof_base = true, .done = file_done, .context = &outcome
    };
    snapshotter_request(world.snapshotter, snapshot_file_create(&options));
    pthread_mutex_lock(&outcome.mutex);
    while (!outcome.done)
        pthread_cond_wait(&outcome.changed, &outcome.mutex);
    pthread_mutex_unlock(&outcome.mutex);
    return outcome;
}

static void note_aux(void *context, struct bytes name, struct bytes value)
{
    buffer_printf(context, "%.*s=%.*s ", (int)name.len, name.data, (int)value.len, value.data);
}

Test(snapshot, in_a_file)
{
    const char *path = scratch_printf("%s/dump.rdb", scratch_folder());
    struct rdb_reader reader;
    struct load_result result;
    struct buffer aux = { 0 };
    struct error error = { "" };
    fill(1000);
    struct outcome outcome = save_to(path);
    cr_assert(outcome.ok, "%s", outcome.error);
    int fd = open(path, O_RDONLY);
    rdb_reader_init(
        &reader, &(struct rdb_reader_options){
                     .source = rdb_fd_source(&fd), .size = rdb_fd_size(fd), .verify = true });
    struct load_options options = { .aux = note_aux, .context = &aux };
    cr_assert(load_rdb(world.loaded, &reader, &options, &result, &error), "%s", error.text);
    rdb_reader_free(&reader);
    close(fd);
    cr_expect_eq(result.keys, 1000);
    cr_expect_eq(differences(world.store, world.loaded), 0);
    buffer_terminate(&aux);
    cr_expect(strstr(aux.data, " used-mem=12345 repl-stream-db=-1 repl-id=0123456789abcdef0123456"
                               "789abcdef01234567 repl-offset=42 aof-base=1 ") != NULL,
        "%s", aux.data);
    buffer_free(&aux);
}

Test(snapshot, a_file_that_cannot_be_made_says_why)
{
    struct outcome outcome = save_to("/nonexistent/dump.rdb");
    cr_expect(!outcome.ok);
    cr_expect_str_eq(
        outcome.error, "cannot create /nonexistent/dump.rdb.part: No such file or directory");
}

/* --- The queue of a replica. --- */

static _Atomic int notified;

static void count_notify(void *context)
{
    atomic_fetch_add(&notified, 1);
}

/* Whether there are bytes, or will be none any more. In this order: the last ones come before the
 * state tells of the end. */
static bool has_news(struct snapshot_queue *queue, struct bytes *bytes)
{
    enum snapshot_queue_state state = snapshot_queue_state(queue, NULL);
    *bytes = snapshot_queue_peek(queue);
    return bytes->len > 0 || state != SNAPSHOT_QUEUE_OPEN;
}

static bool wait_for_bytes(struct snapshot_queue *queue, struct bytes *bytes)
{
    wait_until(LIMIT, has_news(queue, bytes));
    return bytes->len > 0;
}

Test(snapshot_queue, carries_the_frame_and_the_file)
{
    struct snapshot_queue_options options = {
        .limit = 1, .stall_ms = 20 * SECOND, .notify = count_notify
    };
    struct snapshot_queue *queue = snapshot_queue_create(&options);
    struct keeper keeper;
    struct buffer got = { 0 };
    struct bytes bytes;
    fill(20000);
    writers_start(1);
    keeper_init(&keeper);
    /* Both in one snapshot: the first holds the thread until both are there. */
    struct keeper first;
    keeper_init(&first);
    request_held(&first);
    snapshotter_request(world.snapshotter, &keeper.target);
    snapshotter_request(world.snapshotter, snapshot_queue_target(queue));
    let_go();
    while (wait_for_bytes(queue, &bytes)) {
        size_t len = bytes.len > 1000 ? bytes.len - 7 : bytes.len;
        buffer_append(&got, bytes.data, len);
        snapshot_queue_advance(queue, len);
    }
    cr_expect_eq(snapshot_queue_state(queue, NULL), SNAPSHOT_QUEUE_COMPLETE);
    snapshot_queue_close(queue);
    writers_stop();
    keeper_wait(&keeper);
    keeper_wait(&first);
    cr_assert_eq(got.len, keeper.bytes.len + 47 + 40);
    cr_expect_eq(memcmp(got.data, "$EOF:", 5), 0);
    cr_expect_eq(memcmp(got.data + 45, "\r\n", 2), 0);
    cr_expect_eq(memcmp(got.data + 5, got.data + got.len - 40, 40), 0);
    cr_expect_eq(memcmp(got.data + 47, keeper.bytes.data, keeper.bytes.len), 0);
    cr_expect_gt(atomic_load(&notified), 0);
    buffer_free(&got);
    keeper_free(&keeper);
    keeper_free(&first);
}

Test(snapshot_queue, a_consumer_that_takes_nothing_is_given_up)
{
    struct snapshot_queue_options options = { .limit = 1, .stall_ms = 50 };
    struct snapshot_queue *queue = snapshot_queue_create(&options);
    struct error error = { "" };
    struct bytes bytes;
    fill(20000);
    snapshotter_request(world.snapshotter, snapshot_queue_target(queue));
    wait_until(LIMIT, snapshot_queue_state(queue, &error) != SNAPSHOT_QUEUE_OPEN);
    cr_expect_eq(snapshot_queue_state(queue, &error), SNAPSHOT_QUEUE_FAILED);
    cr_expect_str_eq(error.text, "the replica has taken nothing of the snapshot for 50 ms");
    size_t held_bytes = 0;
    while ((bytes = snapshot_queue_peek(queue)).len > 0) {
        held_bytes += bytes.len;
        snapshot_queue_advance(queue, bytes.len);
    }
    cr_expect_leq(held_bytes, 64 * 1024);
    snapshot_queue_close(queue);
}

Test(snapshot_queue, closing_ends_it_at_any_time)
{
    fill(20000);
    for (int when = 0; when < 4; when++) {
        struct snapshot_queue_options options = {
            .limit = 1, .stall_ms = 60 * SECOND, .notify = count_notify
        };
        struct snapshot_queue *queue = snapshot_queue_create(&options);
        struct keeper keeper;
        struct bytes bytes;
        keeper_init(&keeper);
        if (when == 0) { /* never requested */
            snapshot_queue_close(queue);
            continue;
        }
        snapshotter_request(world.snapshotter, snapshot_queue_target(queue));
        if (when > 1)
            cr_assert(wait_for_bytes(queue, &bytes));
        if (when > 2)
            snapshot_queue_advance(queue, bytes.len);
        snapshot_queue_close(queue);
        /* The next one is made, so that one has ended. */
        snapshotter_request(world.snapshotter, &keeper.target);
        load_keeper(&keeper);
        cr_expect_eq(differences(world.store, world.loaded), 0);
        keeper_free(&keeper);
    }
}

/* --- Loading. --- */

static struct buffer rdb_of(const struct rdb_key *keys, size_t count, unsigned database)
{
    struct rdb_writer writer;
    rdb_writer_init(&writer, &(struct rdb_writer_options){ .checksum = true });
    rdb_write_preamble(&writer, &(struct rdb_preamble){ 0 });
    rdb_write_database(&writer, database);
    for (size_t i = 0; i < count; i++) {
        rdb_write_key(&writer, &keys[i]);
        rdb_write_string(&writer, BYTES("value"));
    }
    rdb_write_end(&writer, NULL);
    struct buffer bytes = writer.pending;
    writer.pending = (struct buffer){ 0 };
    rdb_writer_free(&writer);
    return bytes;
}

static bool try_load(struct buffer *rdb, const struct load_options *options,
    struct load_result *result, struct error *error)
{
    static struct store *store; /* there is no end to a store but that of the process */
    if (!store)
        store = store_create(2);
    struct rdb_reader reader;
    rdb_reader_init(
        &reader, &(struct rdb_reader_options){ .memory = buffer_bytes(rdb), .verify = true });
    bool ok = load_rdb(store, &reader, options, result, error);
    rdb_reader_free(&reader);
    cr_expect(
        !ok || store_key_count(store, 0) + store_key_count(store, 1) == (int64_t)result->keys);
    clear(store);
    return ok;
}

Test(load, leaves_out_what_has_expired)
{
    struct rdb_key keys[] = { { BYTES("a"), 1000, -1, -1, 0 }, { BYTES("b"), 3000, -1, -1, 0 },
        { BYTES("c"), RDB_NO_EXPIRY, -1, -1, 0 } };
    struct load_result result;
    struct load_options options = { .expired_before = 2000 };
    struct buffer rdb = rdb_of(keys, 3, 1);
    cr_assert(try_load(&rdb, &options, &result, NULL));
    cr_expect(result.keys == 2 && result.expired == 1);
    options.expired_before = 0;
    cr_assert(try_load(&rdb, &options, &result, NULL));
    cr_expect(result.keys == 3 && result.expired == 0 && result.bytes == rdb.len);
    buffer_free(&rdb);
}

Test(load, refuses_a_key_twice_and_a_database_too_many)
{
    struct rdb_key keys[] = { { BYTES("a"), -1, -1, -1, 0 }, { BYTES("a"), -1, -1, -1, 0 } };
    struct load_result result;
    struct load_options options = { 0 };
    struct error error = { "" };
    struct buffer rdb = rdb_of(keys, 2, 0);
    cr_expect(!try_load(&rdb, &options, &result, &error));
    cr_expect(strstr(error.text, "the same key stands in the file twice") != NULL);
    buffer_free(&rdb);
    rdb = rdb_of(keys, 1, 2);
    cr_expect(!try_load(&rdb, &options, &result, &error));
    cr_expect(strstr(error.text, "has a database 2, this server only 2") != NULL, "%s", error.text);
    buffer_free(&rdb);
    keys[0].type = 7;
    rdb = rdb_of(keys, 1, 0);
    cr_expect(!try_load(&rdb, &options, &result, &error));
    cr_expect(strstr(error.text, "key a has type 7 (module)") != NULL, "%s", error.text);
    buffer_free(&rdb);
}

static bool give_up(void *context, uint64_t offset)
{
    *(uint64_t *)context = offset;
    return offset < 3000000;
}

Test(load, can_be_given_up)
{
    uint64_t last = 0;
    struct load_result result;
    struct error error = { "" };
    struct load_options options = { .progress = give_up, .context = &last };
    struct rdb_writer writer;
    char *big = memory_alloc_zeroed(1, 500000);
    rdb_writer_init(&writer, &(struct rdb_writer_options){ .checksum = true });
    rdb_write_preamble(&writer, &(struct rdb_preamble){ 0 });
    for (int i = 0; i < 20; i++) {
        char name[8];
        struct rdb_key key = { { name, (size_t)snprintf(name, sizeof(name), "k%d", i) }, -1, -1, -1,
            0 };
        rdb_write_key(&writer, &key);
        rdb_write_string(&writer, (struct bytes){ big, 500000 });
    }
    rdb_write_end(&writer, NULL);
    cr_expect(!try_load(&writer.pending, &options, &result, &error));
    cr_expect(strstr(error.text, "loading was ended at byte 3") != NULL, "%s", error.text);
    cr_expect(last >= 3000000 && last < 5000000);
    rdb_writer_free(&writer);
    free(big);
}
