/* Debian's redis-server and slotd's AOF start from each other's directories. */
#include "server/snapshot/rdb_file.h"
#include "tests/support/node.h"
#include "tests/support/shell.h"
#include "tests/unit/aof_set.h"

enum { KEYS = 500 };

TestSuite(aof_interop, .init = nodes_begin, .fini = nodes_end, .timeout = 120);

/* Keys key:0, key:1, ... with numbers as values; -1: not there. */
struct state {
    int64_t values[KEYS];
    int commands;
};

static void state_clear(struct state *state)
{
    state->commands = 0;
    for (int i = 0; i < KEYS; i++) {
        state->values[i] = -1;
    }
}

static bool state_set(struct state *state, struct bytes key, struct bytes value)
{
    int64_t number, parsed;
    struct bytes digits = { key.data + 4, key.len - 4 };
    if (key.len < 5 || memcmp(key.data, "key:", 4) != 0 || !number_parse(digits, &number) ||
        number < 0 || number >= KEYS || !number_parse(value, &parsed)) {
        return false;
    }
    state->values[number] = parsed;
    return true;
}

static bool apply_command(void *context, const struct bytes *argv, size_t argc, struct error *error)
{
    struct state *state = context;
    state->commands++;
    if (bytes_is(argv[0], "SELECT")) {
        return true;
    }
    if (bytes_is(argv[0], "SET") && argc == 3 && state_set(state, argv[1], argv[2])) {
        return true;
    }
    if (bytes_is(argv[0], "DEL") && argc == 2 && state_set(state, argv[1], BYTES("-1"))) {
        return true;
    }
    return error_set(error, "unknown command '%.*s'", (int)argv[0].len, argv[0].data);
}

static int64_t load_rdb(void *context, int fd, const char *path, struct error *error)
{
    struct rdb_reader reader;
    struct rdb_record record = { .kind = RDB_RECORD_END };
    struct bytes value;
    int own_fd = fd;
    rdb_reader_init(
        &reader, &(struct rdb_reader_options){
                     .source = rdb_fd_source(&own_fd), .size = rdb_fd_size(fd), .verify = true });
    bool good = rdb_read_header(&reader, error);
    while (good && (good = rdb_read_record(&reader, &record, error)) &&
           record.kind != RDB_RECORD_END) {
        good = record.kind != RDB_RECORD_KEY || rdb_read_string(&reader, &value, error);
        if (good && record.kind == RDB_RECORD_KEY) {
            good = state_set(context, record.key.name, value);
        }
    }
    int64_t len = good ? (int64_t)rdb_reader_offset(&reader) : -1;
    rdb_reader_free(&reader);
    return len;
}

static void load_state(struct set *set, struct state *state)
{
    struct aof_loader loader = { .context = state, .load_rdb = load_rdb, .apply = apply_command };
    struct aof_load_result result;
    struct error error;
    state_clear(state);
    cr_assert(aof_load(set->aof, &loader, &result, &error), "%s", error.text);
    cr_expect(result.found);
}

static void expect_state(struct state *got, const struct state *expected)
{
    for (int i = 0; i < KEYS; i++) {
        cr_expect_eq(got->values[i], expected->values[i], "key:%d is %lld instead of %lld", i,
            (long long)got->values[i], (long long)expected->values[i]);
    }
}

/* The same commands to the server and to the state. */
static void run_set(struct node *node, struct state *state, int key, int value)
{
    node_expect(node, "OK", "SET key:%d %d", key, value);
    state->values[key] = value;
}

static void run_transaction(struct node *node, struct state *state, int key)
{
    node_expect(node, "OK", "MULTI");
    node_expect(node, "QUEUED", "SET key:%d 1", key);
    node_expect(node, "QUEUED", "DEL key:%d", key + 1);
    node_expect(node, "*", "EXEC");
    state->values[key] = 1;
    state->values[key + 1] = -1;
}

static struct node *start_redis(const char *config)
{
    return node_start_program("redis-server",
        "appendonly yes\nappendfsync always\naof-timestamp-enabled yes\n%s", config);
}

static void redis_writes(const char *config)
{
    struct node *node = start_redis(config);
    struct state state, loaded;
    state_clear(&state);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 100; i++) {
            run_set(node, &state, round * 100 + i, i * 1000 + round);
        }
        run_transaction(node, &state, round * 100);
        if (round < 2) {
            node_expect(node, "*", "BGREWRITEAOF");
            wait_until(20000, node_info_number(node, "aof_rewrites") == round + 1 &&
                                  node_info_number(node, "aof_rewrite_in_progress") == 0);
        }
    }
    node_stop(node);
    struct set set = set_make(node_folder(node), AOF_FSYNC_NO);
    load_state(&set, &loaded);
    set_free(&set);
    expect_state(&loaded, &state);
    cr_expect_gt(loaded.commands, 0);
}

Test(aof_interop, redis_writes_with_an_rdb_base)
{
    redis_writes("");
}

Test(aof_interop, redis_writes_with_a_base_of_commands)
{
    redis_writes("aof-use-rdb-preamble no\n");
}

static void append_set(struct set *set, struct state *state, int key, int value)
{
    struct bytes argv[] = { BYTES("SET"), bytes_of(scratch_printf("key:%d", key)),
        bytes_of(scratch_printf("%d", value)) };
    journal_append(set->journal, 0, argv, 3);
    state->values[key] = value;
}

static void write_state(const char *path, const struct state *state)
{
    struct buffer out = { 0 };
    for (int i = 0; i < KEYS; i++) {
        struct bytes argv[] = { BYTES("SET"), bytes_of(scratch_printf("key:%d", i)),
            bytes_of(scratch_printf("%lld", (long long)state->values[i])) };
        if (state->values[i] >= 0) {
            resp_write_command(&out, argv, 3);
        }
    }
    file_write(path, out.data, out.len);
    buffer_free(&out);
}

/* redis-server takes it, goes on with it, rewrites it; and it comes back. */
static void redis_reads(bool rdb_base, bool rewrite)
{
    struct node *node = node_prepare_program("redis-server", "appendonly yes\n");
    struct state state, loaded;
    struct error error;
    const char *output;
    struct set set = set_make(node_folder(node), AOF_FSYNC_EVERYSEC);
    state_clear(&state);
    aof_set_rdb_base(set.aof, rdb_base);
    aof_set_timestamps(set.aof, true);
    cr_assert(aof_start(set.aof, &error), "%s", error.text);
    for (int i = 0; i < 200; i++) {
        append_set(&set, &state, i, i);
    }
    if (rewrite) {
        cr_assert(aof_rewrite_begin(set.aof, journal_offset(set.journal), &error));
        write_state(aof_rewrite_path(set.aof), &state);
        cr_assert(aof_rewrite_finish(set.aof, &error), "%s", error.text);
    }
    for (int i = 150; i < 300; i++) {
        append_set(&set, &state, i, i * 2);
    }
    set_stop(&set);
    cr_expect_eq(shell_run(20000, &output,
                     "redis-check-aof %s/appendonlydir/appendonly.aof.manifest", node_folder(node)),
        0, "%s", output);
    node_launch(node);
    for (int i = 0; i < 300; i++) {
        node_expect(node, scratch_printf("%lld", (long long)state.values[i]), "GET key:%d", i);
    }
    node_expect(node, "300", "DBSIZE");
    run_set(node, &state, 400, 7);
    node_expect(node, "*", "BGREWRITEAOF");
    wait_until(20000, node_info_number(node, "aof_rewrites") == 1);
    run_set(node, &state, 401, 8);
    node_stop(node);
    set = set_make(node_folder(node), AOF_FSYNC_NO);
    load_state(&set, &loaded);
    set_free(&set);
    expect_state(&loaded, &state);
}

Test(aof_interop, redis_reads_an_empty_rdb_base)
{
    redis_reads(true, false);
}

Test(aof_interop, redis_reads_a_base_of_commands)
{
    redis_reads(false, true);
}
