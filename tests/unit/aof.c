/* The AOF as it should go: what was appended is loaded, through restarts, rewrites and turning it
 * on and off; and what a damaged or truncated set does. Failing disks and crashes are in
 * aof_faults.c. */
#include "server/journal/aof_manifest.h"
#include "tests/support/shell.h"
#include "tests/unit/aof_set.h"

#define MANIFEST "appendonly.aof.manifest"
#define BASE_1 "appendonly.aof.1.base.rdb"
#define BASE_1_RESP "appendonly.aof.1.base.aof"
#define INCR_1 "appendonly.aof.1.incr.aof"
#define INCR_2 "appendonly.aof.2.incr.aof"
#define NUMBER_0 "*2\r\n$6\r\nNUMBER\r\n$1\r\n0\r\n"
#define NUMBER_1 "*2\r\n$6\r\nNUMBER\r\n$1\r\n1\r\n"
#define NUMBER_2 "*2\r\n$6\r\nNUMBER\r\n$1\r\n2\r\n"
#define NUMBER_3 "*2\r\n$6\r\nNUMBER\r\n$1\r\n3\r\n"
#define MULTI "*1\r\n$5\r\nMULTI\r\n"
#define EXEC "*1\r\n$4\r\nEXEC\r\n"
#define LINE_INCR_1 "file " INCR_1 " seq 1 type i\n"
#define LINE_INCR_2 "file " INCR_2 " seq 2 type i\n"

TestSuite(aof, .timeout = 120);

static void expect_file(const char *folder, const char *name, const char *content)
{
    const char *text = file_read(set_path(folder, name), NULL);
    cr_assert_not_null(text, "%s", name);
    cr_expect_str_eq(text, content);
}

Test(aof, nothing_there)
{
    struct loaded loaded = set_load(scratch_folder());
    cr_expect(loaded.good);
    cr_expect_not(loaded.result.found);
}

Test(aof, goes_on_after_restarts)
{
    const char *folder = scratch_folder();
    static const enum aof_policy policies[] = { AOF_FSYNC_ALWAYS, AOF_FSYNC_EVERYSEC,
        AOF_FSYNC_NO };
    int count = 0;
    for (int i = 0; i < 3; i++) {
        struct set set = set_start(folder, policies[i]);
        cr_expect_eq(set.count, count);
        set_append(&set, count += 1000);
        set_stop(&set);
        set_expect(folder, count);
    }
    expect_file(folder, MANIFEST, "file " BASE_1_RESP " seq 1 type b\n" LINE_INCR_1);
}

Test(aof, a_rewrite_replaces_all_files)
{
    const char *folder = scratch_folder();
    struct set set = set_start(folder, AOF_FSYNC_EVERYSEC);
    set_append(&set, 5000);
    struct aof_info info;
    wait_until(5000, aof_lag(set.aof) == 0);
    aof_info(set.aof, &info);
    cr_expect_gt(info.current_size, 5000 * 20);
    cr_expect_eq(info.base_size, 0);
    cr_expect(aof_rewrite_is_due(set.aof, 100, 64 * 1024));
    cr_expect_not(aof_rewrite_is_due(set.aof, 0, 64 * 1024));
    cr_expect_not(aof_rewrite_is_due(set.aof, 100, 64 * 1024 * 1024));
    set_rewrite(&set, 1000);
    cr_expect_not(aof_rewrite_is_due(set.aof, 100, 64 * 1024));
    set_append(&set, 7000);
    set_rewrite(&set, 0);
    set_append(&set, 7001);
    aof_info(set.aof, &info);
    cr_expect_eq(info.rewrites, 2);
    cr_expect_gt(info.base_size, 7000 * 20);
    set_stop(&set);
    expect_file(folder, MANIFEST,
        "file appendonly.aof.3.base.aof seq 3 type b\nfile appendonly.aof.3.incr.aof seq 3 type "
        "i\n");
    cr_expect_not(file_exists(set_path(folder, INCR_1)));
    cr_expect_not(file_exists(set_path(folder, INCR_2)));
    cr_expect_not(file_exists(set_path(folder, "appendonly.aof.2.base.aof")));
    expect_file(folder, "appendonly.aof.3.incr.aof",
        "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*2\r\n$6\r\nNUMBER\r\n$4\r\n7000\r\n");
    set_expect(folder, 7001);
}

Test(aof, an_aborted_rewrite_loses_nothing)
{
    const char *folder = scratch_folder();
    struct error error;
    struct set set = set_start(folder, AOF_FSYNC_EVERYSEC);
    set_append(&set, 100);
    cr_assert(aof_rewrite_begin(set.aof, journal_offset(set.journal), &error));
    cr_expect_not(aof_rewrite_begin(set.aof, journal_offset(set.journal), &error));
    cr_expect_not(aof_rewrite_is_due(set.aof, 1, 1));
    set_append(&set, 200);
    set_write_base(aof_rewrite_path(set.aof), 50);
    aof_rewrite_abort(set.aof);
    cr_expect_not(file_exists(aof_rewrite_path(set.aof)));
    cr_expect_not(aof_rewrite_is_due(set.aof, 1, 1), "it waits before it tries again");
    set_append(&set, 300);
    cr_assert(aof_rewrite_begin(set.aof, journal_offset(set.journal), &error));
    set_append(&set, 400);
    cr_expect_not(aof_rewrite_finish(set.aof, &error), "there is no base");
    set_append(&set, 500);
    set_stop(&set);
    set_expect(folder, 500);
}

/* What a crash at this moment would leave. */
static void set_expect_copy(const char *folder, int count)
{
    const char *copy = scratch_printf("%s.copy", folder);
    cr_assert_eq(shell_run(10000, NULL, "rm -rf %s; cp -r %s %s", copy, folder, copy), 0);
    set_expect(copy, count);
    folder_remove(copy);
}

Test(aof, turned_on_while_running)
{
    const char *folder = scratch_printf("%s/node", scratch_folder());
    folder_make(folder);
    struct error error;
    struct set set = set_start(folder, AOF_FSYNC_ALWAYS);
    set_append(&set, 100);
    cr_assert(aof_stop(set.aof, 20000, &error));
    set_append(&set, 200);
    cr_expect_eq(gate_highest(aof_gate(set.aof)), GATE_OPEN);
    cr_assert(aof_start_with_rewrite(set.aof, &error), "%s", error.text);
    set_append(&set, 300);
    cr_expect_eq(aof_lag(set.aof), 0, "nothing is to be written before the rewrite begins");
    cr_expect(aof_rewrite_is_due(set.aof, 0, 0));
    cr_expect_not(aof_holds_replies(set.aof));
    cr_assert(aof_rewrite_begin(set.aof, journal_offset(set.journal), &error));
    set_append(&set, 400);
    aof_rewrite_abort(set.aof);
    set_expect_copy(folder, 100);
    cr_assert(aof_rewrite_begin(set.aof, journal_offset(set.journal), &error));
    int count = set.count;
    set_append(&set, 500);
    set_expect_copy(folder, 100);
    set_write_base(aof_rewrite_path(set.aof), count);
    cr_assert(aof_rewrite_finish(set.aof, &error), "%s", error.text);
    cr_expect(aof_holds_replies(set.aof));
    int64_t offset = set_append(&set, 600);
    wait_until(20000, set_is_synced(&set, offset));
    set_stop(&set);
    set_expect(folder, 600);
}

Test(aof, turned_off_in_the_middle_of_a_rewrite)
{
    const char *folder = scratch_folder();
    struct error error;
    struct set set = set_start(folder, AOF_FSYNC_EVERYSEC);
    set_append(&set, 100);
    cr_assert(aof_rewrite_begin(set.aof, journal_offset(set.journal), &error));
    set_append(&set, 200);
    cr_assert(aof_stop(set.aof, 20000, &error));
    cr_expect_not(aof_rewrite_finish(set.aof, &error));
    cr_expect_not(aof_rewrite_begin(set.aof, journal_offset(set.journal), &error));
    set_free(&set);
    set_expect(folder, 200);
}

static void wake_nobody(void *context)
{
}

Test(aof, replies_wait_at_the_gate_for_the_fsync)
{
    struct set set = set_start(scratch_folder(), AOF_FSYNC_ALWAYS);
    struct gate_listener *listener = gate_listener_add(aof_gate(set.aof), wake_nobody, NULL);
    cr_expect(aof_holds_replies(set.aof));
    for (int i = 1; i <= 20; i++) {
        int64_t offset = set_append(&set, i);
        wait_until(20000, gate_wait(listener, offset, 1));
        struct aof_info info;
        aof_info(set.aof, &info);
        cr_expect_geq(info.synced_offset, offset);
    }
    /* Whoever was held under always is released under another policy too. */
    aof_set_policy(set.aof, AOF_FSYNC_NO);
    int64_t offset = set_append(&set, 21);
    wait_until(20000, gate_wait(listener, offset, 1));
    aof_set_policy(set.aof, AOF_FSYNC_EVERYSEC);
    cr_expect_not(aof_holds_replies(set.aof));
    offset = set_append(&set, 22);
    wait_until(20000, set_is_synced(&set, offset));
    gate_listener_remove(listener);
    set_stop(&set);
}

Test(aof, values_larger_than_any_window)
{
    const char *folder = scratch_folder();
    struct set set = set_start(folder, AOF_FSYNC_EVERYSEC);
    struct buffer ping = { 0 };
    struct buffer value = { 0 };
    buffer_reserve(&value, 9000000);
    memset(value.data, '*', value.len = 9000000);
    struct bytes argv[] = { BYTES("PING"), buffer_bytes(&value) };
    resp_write_command(&ping, argv, 2);
    set_append(&set, 10);
    journal_append_raw(set.journal, 0, buffer_bytes(&ping));
    set_append(&set, 20);
    set_stop(&set);
    set_expect(folder, 20);
    buffer_free(&value);
    buffer_free(&ping);
}

/* Files that are not as they should be. */

/* Writes an increment of these bytes, loads it, and loads it once more. */
static struct loaded load_increment(const char *folder, struct bytes content)
{
    set_write(folder, MANIFEST, LINE_INCR_1, NULL);
    file_write(set_path(folder, INCR_1), content.data, content.len);
    struct loaded loaded = set_load(folder);
    if (loaded.good) {
        struct loaded again = set_load(folder);
        cr_expect(again.good);
        cr_expect_eq(again.count, loaded.count);
        cr_expect_eq(again.result.truncated, 0);
    }
    return loaded;
}

static const char INCREMENT[] =
    "#TS:1700000000\r\n" NUMBER_0 MULTI NUMBER_1 NUMBER_2 EXEC "#TS:1700000001\r\n" NUMBER_3;

/* How many commands a file has whose first `len` bytes are those of INCREMENT. */
static int whole_commands(size_t len)
{
    const size_t annotation = 16, number = sizeof NUMBER_0 - 1;
    const size_t transaction = sizeof MULTI NUMBER_1 NUMBER_2 EXEC - 1;
    size_t first = annotation + number;
    return len < first ? 0 : len < first + transaction ? 1 : len < sizeof INCREMENT - 1 ? 3 : 4;
}

Test(aof, truncated_at_every_byte)
{
    for (size_t len = 0; len < sizeof INCREMENT; len++) {
        struct loaded loaded = load_increment(scratch_folder(), (struct bytes){ INCREMENT, len });
        cr_assert(loaded.good, "%zu: %s", len, loaded.error.text);
        cr_assert_not(loaded.broken);
        cr_assert_eq(loaded.count, whole_commands(len), "%d commands at %zu", loaded.count, len);
        cr_assert_eq((size_t)file_size(set_path(scratch_folder(), INCR_1)),
            len - (size_t)loaded.result.truncated);
    }
}

Test(aof, truncated_but_not_allowed_to_cut)
{
    const char *folder = scratch_folder();
    set_write(folder, MANIFEST, LINE_INCR_1, INCR_1, NUMBER_0 "*2\r\n$6\r\nNUM", NULL);
    struct set set = set_make(folder, AOF_FSYNC_NO);
    aof_set_load_truncated(set.aof, false);
    struct loaded loaded = set_load_into(&set);
    cr_expect_not(loaded.good);
    cr_expect_not_null(strstr(loaded.error.text, "offset 23"), "%s", loaded.error.text);
    cr_expect_not_null(strstr(loaded.error.text, "aof-load-truncated"), "%s", loaded.error.text);
    cr_expect_eq(file_size(set_path(folder, INCR_1)), 23 + 11);
    set_free(&set);
}

/* Whether the byte is of the word EXEC: another word there leaves a transaction without an end,
 * which is what a crash leaves too. */
static bool is_of_exec(size_t at)
{
    size_t exec = (size_t)(strstr(INCREMENT, "EXEC") - INCREMENT);
    return at >= exec && at < exec + 4;
}

/* Every byte but those of values: a load fails with the offset, or is the same as without the
 * damage (a byte that says nothing). Nothing is ever cut off. */
Test(aof, damaged_at_every_byte)
{
    char text[sizeof INCREMENT];
    const char last[] = NUMBER_3;
    static const char wrong[] = { '0', '9', 'x', '\0', '\n', '*', '$' };
    for (size_t at = 0; at < sizeof INCREMENT - sizeof last; at++) {
        if (is_of_exec(at)) {
            continue;
        }
        for (size_t i = 0; i < sizeof wrong; i++) {
            memcpy(text, INCREMENT, sizeof text);
            text[at] = wrong[i];
            struct loaded loaded =
                load_increment(scratch_folder(), (struct bytes){ text, sizeof text - 1 });
            cr_assert_eq(loaded.result.truncated, 0, "cut off at %zu: %d", at, wrong[i]);
            cr_assert(loaded.good || strstr(loaded.error.text, "offset") != NULL, "%s",
                loaded.error.text);
            cr_assert(
                !loaded.good || loaded.count == 4 || loaded.broken, "at %zu: %d", at, wrong[i]);
        }
    }
}

Test(aof, only_the_last_file_may_be_cut)
{
    const char *folder = scratch_folder();
    set_write(
        folder, MANIFEST, LINE_INCR_1 LINE_INCR_2, INCR_1, NUMBER_0 MULTI, INCR_2, NUMBER_1, NULL);
    struct loaded loaded = set_load(folder);
    cr_expect_not(loaded.good);
    cr_expect_not_null(
        strstr(loaded.error.text, INCR_1 " is damaged at offset 23"), "%s", loaded.error.text);
    /* Where those behind it are empty it is the last. */
    set_write(folder, INCR_2, "", NULL);
    set_expect(folder, 1);
    expect_file(folder, INCR_1, NUMBER_0);
}

Test(aof, other_faults_of_files)
{
    static const struct {
        const char *manifest, *increment, *expected;
    } faults[] = {
        { LINE_INCR_2, "", INCR_2 },
        { LINE_INCR_1, "hello\r\n", "offset 0" },
        { LINE_INCR_1, NUMBER_0 "*0\r\n", "offset 23" },
        { LINE_INCR_1, NUMBER_0 "PING\r\n", "offset 23" },
        { LINE_INCR_1, MULTI NUMBER_0 MULTI, "offset 38" },
        { LINE_INCR_1, NUMBER_0 "*1\r\n$4\r\nOOPS\r\n", "offset 23: unknown command" },
        { LINE_INCR_1, "*2\r\n$6\r\nNUMBER\r\n$99999999999999\r\n", "offset 0" },
        { LINE_INCR_1, "*1\r\n$9999\r\n" NUMBER_0 NUMBER_1, "whole commands follow" },
        { "file " INCR_1 " seq 1 typ i\n", "", "line 1" },
    };
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        const char *folder = scratch_printf("%s/%zu", scratch_folder(), i);
        set_write(folder, MANIFEST, faults[i].manifest, INCR_1, faults[i].increment, NULL);
        struct loaded loaded = set_load(folder);
        cr_expect_not(loaded.good, "%zu", i);
        cr_expect_not_null(
            strstr(loaded.error.text, faults[i].expected), "%zu: %s", i, loaded.error.text);
    }
}

Test(aof, an_old_file_moves_into_the_directory)
{
    const char *folder = scratch_folder();
    file_write_text(scratch_printf("%s/appendonly.aof", folder), NUMBER_0 NUMBER_1);
    set_expect(folder, 2);
    cr_expect_not(file_exists(scratch_printf("%s/appendonly.aof", folder)));
    expect_file(folder, MANIFEST, "file appendonly.aof seq 1 type b\n");
    /* A crash between the manifest and the move. */
    file_copy(set_path(folder, "appendonly.aof"), scratch_printf("%s/appendonly.aof", folder));
    unlink(set_path(folder, "appendonly.aof"));
    struct set set = set_start(folder, AOF_FSYNC_NO);
    cr_expect_eq(set.count, 2);
    set_append(&set, 3);
    set_rewrite(&set, 1);
    set_stop(&set);
    expect_file(folder, MANIFEST,
        "file appendonly.aof.2.base.aof seq 2 type b\nfile " INCR_2 " seq 2 type i\n");
    cr_expect_not(file_exists(set_path(folder, "appendonly.aof")));
    set_expect(folder, 4);
}

Test(aof, names_must_be_plain)
{
    static const char *const names[] = { "", ".", "..", "a/b", "/a" };
    struct error error;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct aof_options options = { .dir = "/tmp", .dirname = names[i], .filename = "a" };
        cr_expect_null(aof_create(&options, NULL, &error));
        cr_expect_not_null(strstr(error.text, "appenddirname"));
        options.filename = options.dirname;
        options.dirname = "a";
        cr_expect_null(aof_create(&options, NULL, &error));
        cr_expect_not_null(strstr(error.text, "appendfilename"));
    }
    struct aof_options options = { .dir = "/nowhere", .dirname = "a", .filename = "a" };
    cr_expect_null(aof_create(&options, NULL, &error));
    cr_expect_not_null(strstr(error.text, "/nowhere"));
}

/* The manifest. */

Test(aof_manifest, reads_what_it_writes)
{
    struct aof_manifest manifest = { 0 }, read;
    struct error error;
    struct buffer text = { 0 };
    aof_manifest_add_base(&manifest, "my \"file\".aof", true);
    aof_manifest_add_increment(&manifest, "my \"file\".aof");
    aof_manifest_add_increment(&manifest, "my \"file\".aof");
    aof_manifest_add_base(&manifest, "my \"file\".aof", false);
    aof_manifest_retire_increments(&manifest, 2);
    aof_manifest_write(&manifest, &text);
    buffer_terminate(&text);
    cr_expect_str_eq(text.data, "file \"my \\\"file\\\".aof.2.base.aof\" seq 2 type b\n"
                                "file \"my \\\"file\\\".aof.1.base.rdb\" seq 1 type h\n"
                                "file \"my \\\"file\\\".aof.1.incr.aof\" seq 1 type h\n"
                                "file \"my \\\"file\\\".aof.2.incr.aof\" seq 2 type i\n");
    cr_assert(aof_manifest_parse(buffer_bytes(&text), &read, &error), "%s", error.text);
    cr_expect_eq(read.count, 4u);
    cr_expect_str_eq(aof_manifest_base(&read)->name, "my \"file\".aof.2.base.aof");
    aof_manifest_drop_history(&read);
    cr_expect_eq(read.count, 2u);
    cr_expect_eq(aof_manifest_last_increment(&read)->seq, 2);
    aof_manifest_free(&read);
    aof_manifest_free(&manifest);
    buffer_free(&text);
}

Test(aof_manifest, refuses_with_the_line)
{
    static const struct {
        const char *text, *expected;
    } faults[] = {
        { "", "it names no file" },
        { "# nothing\n", "it names no file" },
        { "\n", "line 1: expected" },
        { "file a seq 1 type b", "line 1: the line has no end" },
        { "# c\nfile a seq 1\n", "line 2: expected" },
        { "file a seq 1 type b type\n", "line 1: expected" },
        { "file a seq 0 type b\n", "line 1: seq" },
        { "file a seq -1 type b\n", "line 1: seq" },
        { "file a seq 1x type b\n", "line 1: seq" },
        { "file a seq 9223372036854775807 type b\n", "line 1: seq" },
        { "file a seq 1 type x\n", "line 1: type" },
        { "file a seq 1 type bb\n", "line 1: type" },
        { "file ../a seq 1 type b\n", "line 1: the file's name" },
        { "file /etc/passwd seq 1 type b\n", "line 1: the file's name" },
        { "file .. seq 1 type b\n", "line 1: the file's name" },
        { "file \"\" seq 1 type b\n", "line 1: the file's name" },
        { "file \"a\\x00b\" seq 1 type b\n", "line 1: the file's name" },
        { "file \"a seq 1 type b\n", "line 1: a quote" },
        { "file a seq 1 type b\nfile b seq 2 type b\n", "line 2: there is a base" },
        { "file a seq 1 type i\nfile a seq 2 type i\n", "line 2: the file is named twice" },
        { "file a seq 2 type i\nfile b seq 1 type i\n", "line 2: the seq" },
        { "file a seq 2 type i\nfile b seq 2 type i\n", "line 2: the seq" },
        { "seq 1 type i other x\n", "line 1: file, seq and type" },
    };
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        struct aof_manifest manifest;
        struct error error = { "" };
        cr_expect_not(
            aof_manifest_parse(bytes_of(faults[i].text), &manifest, &error), "%s", faults[i].text);
        cr_expect_eq(strncmp(error.text, faults[i].expected, strlen(faults[i].expected)), 0,
            "%zu: %s", i, error.text);
    }
}

Test(aof_manifest, accepts_comments_and_fields_of_later_versions)
{
    struct aof_manifest manifest;
    struct error error;
    cr_assert(aof_manifest_parse(
        BYTES("# a comment\nfile a seq 1 type b startoffset 12\nfile h seq 7 type h\n"), &manifest,
        &error));
    cr_expect_eq(manifest.count, 2u);
    cr_expect_str_eq(aof_manifest_add_base(&manifest, "a", true)->name, "a.8.base.rdb");
    aof_manifest_free(&manifest);
}
