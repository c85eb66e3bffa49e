/* Power cuts, bad disks and bad files: what was acknowledged is there, and what cannot be read is
 * said. */
#include "tests/support/cluster.h"
#include "tests/support/file.h"
#include "tests/support/raw.h"
#include "tests/support/scratch.h"
#include "tests/support/shell.h"
#include "tests/support/wait.h"
#include "tests/support/writer.h"
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/wait.h>

TestSuite(persistence, .init = nodes_begin, .fini = nodes_end, .timeout = 90);

static const char *const always = "appendonly yes\nappendfsync always\n";

static void fill(struct node *node, int first, int count)
{
    for (int i = first; i < first + count; i++)
        client_queue(node_client(node), "SET k%d value-%d", i, i);
    for (int i = 0; i < count; i++) {
        redisReply *reply = client_next(node_client(node));
        cr_assert(reply != NULL && reply->type == REDIS_REPLY_STATUS, "%s", reply_text(reply));
        freeReplyObject(reply);
    }
}

static void check_fill(struct node *node, int count)
{
    for (int i = 0; i < count; i++)
        node_expect(node, scratch_printf("value-%d", i), "GET k%d", i);
}

/* The increment of the AOF that is written to. */
static char *aof_file(struct node *node)
{
    char *path = file_find(node_path(node, "appendonlydir"), ".incr.aof");
    cr_assert_not_null(path, "no .incr.aof in %s", node_folder(node));
    return path;
}

static const char *refused(struct node *node)
{
    node_spawn(node, NULL);
    int status = node_wait_exit(node, 10000);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) != 0, "wait status 0x%x", status);
    return node_log(node);
}

/* kill -9 in a loop, under a writer: every acknowledged write is there each time. */
Test(persistence, always_loses_nothing)
{
    struct node *node = node_start("%s", always);
    for (int turn = 0; turn < 8; turn++) {
        struct writer *writer = writer_start_node(node, NULL);
        writer_wait(writer, 200 + turn * 37, 20000);
        node_kill(node);
        writer_stop(writer);
        node_restart(node);
        cr_expect_eq(writer_lost(writer, INT64_MAX), 0, "turn %d", turn);
        writer_free(writer);
        node_expect(node, "OK", "FLUSHALL");
    }
}

/* The same while the AOF is rewritten again and again. */
Test(persistence, always_loses_nothing_while_rewriting)
{
    struct node *node = node_start("%s", always);
    fill(node, 0, 5000);
    for (int turn = 0; turn < 6; turn++) {
        struct writer *writer = writer_start_node(node, NULL);
        writer_wait(writer, 50, 20000);
        node_expect(node, "Background append only file rewriting *", "BGREWRITEAOF");
        writer_wait(writer, 10 + turn * 60, 20000);
        node_kill(node);
        writer_stop(writer);
        node_restart(node);
        cr_expect_eq(writer_lost(writer, INT64_MAX), 0, "turn %d", turn);
        check_fill(node, 200);
        writer_free(writer);
    }
    node_expect(node, "value-4999", "GET k4999");
}

/* everysec: what is two seconds old is there. */
Test(persistence, everysec)
{
    struct node *node = node_start("appendonly yes\nappendfsync everysec\n");
    struct writer *writer = writer_start_node(node, NULL);
    writer_wait(writer, 3000, 20000);
    int64_t until = now_ms() - 2000;
    node_kill(node);
    writer_stop(writer);
    node_restart(node);
    cr_expect_eq(writer_lost(writer, until), 0);
    writer_free(writer);
}

/* A record that was cut off by a power failure is dropped with a line in the log, and nothing else.
 */
Test(persistence, truncated_tail)
{
    struct node *node = node_start("%s", always);
    fill(node, 0, 100);
    node_kill(node);
    const char *path = aof_file(node);
    for (int cut = 1; cut <= 3; cut++) {
        file_truncate(path, file_size(path) - cut);
        node_restart(node);
        node_expect(node, scratch_printf("%d", 100 - cut), "DBSIZE");
        check_fill(node, 100 - cut);
        cr_expect(node_log_has(node, "runcat") || node_log_has(node, "cut off"),
            "the log does not say so:\n%s", node_log(node));
        node_kill(node);
    }
    node_restart(node);
    fill(node, 200, 10);
    node_kill(node);
    node_restart(node);
    node_expect(node, "value-209", "GET k209");
    node_expect(node, "107", "DBSIZE");
}

Test(persistence, truncated_tail_refused)
{
    struct node *node = node_start("%saof-load-truncated no\n", always);
    fill(node, 0, 100);
    node_kill(node);
    const char *path = aof_file(node);
    long size = file_size(path) - 5;
    file_truncate(path, size);
    refused(node);
    cr_expect_eq(file_size(path), size, "the file was changed");
}

/* Damage in the middle: no start, the offset is named, the file is left as it is. */
Test(persistence, damaged_middle)
{
    struct node *node = node_start("%s", always);
    fill(node, 0, 100);
    node_kill(node);
    char *path = aof_file(node);
    size_t len;
    char *data = file_read(path, &len);
    char *record = memmem(data, len, "*3\r\n", 4);
    for (int i = 0; i < 50 && record != NULL; i++)
        record = memmem(record + 1, len - (size_t)(record + 1 - data), "*3\r\n", 4);
    cr_assert_not_null(record);
    *record = '!';
    file_write(path, data, len);
    const char *log = refused(node);
    const char *name = strrchr(path, '/') + 1;
    cr_expect_not_null(strstr(log, name), "the file is not named:\n%s", log);
    if (server_is_slotd())
        cr_expect_not_null(strstr(log, scratch_printf("%ld", (long)(record - data))),
            "offset %ld is not named:\n%s", (long)(record - data), log);
    size_t left;
    cr_expect(
        memcmp(file_read(path, &left), data, len) == 0 && left == len, "the file was changed");
}

/* A manifest that is damaged, or names a file that is not there. */
Test(persistence, damaged_manifest)
{
    struct node *node = node_start("%s", always);
    fill(node, 0, 10);
    node_kill(node);
    const char *path = file_find(node_path(node, "appendonlydir"), ".manifest");
    cr_assert_not_null(path);
    const char *text = file_read(path, NULL);
    file_write_text(path, "file nonsense\n");
    refused(node);
    file_write_text(path, "");
    refused(node);
    file_write_text(path, text);
    const char *increment = aof_file(node);
    cr_assert_eq(rename(increment, scratch_printf("%s/kept", node_folder(node))), 0);
    refused(node);
    cr_assert_eq(rename(scratch_printf("%s/kept", node_folder(node)), increment), 0);
    node_restart(node);
    node_expect(node, "10", "DBSIZE");
}

/* A snapshot with a wrong byte is refused: its checksum says so. */
Test(persistence, damaged_snapshot)
{
    struct node *node = node_start("save 3600 1\n");
    fill(node, 0, 200);
    node_expect(node, "OK", "SAVE");
    node_kill(node);
    const char *path = node_path(node, "dump.rdb");
    long size = file_size(path);
    for (int turn = 0; turn < 4; turn++) {
        long offset = 40 + turn * (size - 60) / 4;
        file_flip(path, offset);
        refused(node);
        file_flip(path, offset);
    }
    file_truncate(path, size - 100);
    refused(node);
    cr_expect_eq(file_size(path), size - 100);
}

/* A rewrite under a writer: no write fails or waits long, and the new files have everything. */
Test(persistence, rewrite_under_writer)
{
    struct node *node = node_start("appendonly yes\n");
    fill(node, 0, 50000);
    struct writer *writer = writer_start_node(node, NULL);
    writer_wait(writer, 500, 20000);
    int64_t start = now_ms();
    for (int turn = 0; turn < 3; turn++) {
        node_expect(node, "Background append only file rewriting *", "BGREWRITEAOF");
        wait_until(30000, node_info_number(node, "aof_rewrite_in_progress") == 0);
        cr_expect_str_eq(node_info(node, "aof_last_bgrewrite_status"), "ok");
    }
    writer_wait(writer, 500, 20000);
    writer_stop(writer);
    fprintf(stderr, "three rewrites: longest time without a write %lld ms\n",
        (long long)writer_gap(writer, start, now_ms(), 0, 16383));
    struct writer_report report = writer_report(writer);
    cr_expect_eq(report.errors, 0, "%ld errors, the first: %s", report.errors, report.first_error);
    node_stop(node);
    node_restart(node);
    cr_expect_eq(writer_lost(writer, INT64_MAX), 0);
    cr_expect_eq(node_integer(node, "EXISTS k0"), 1);
    node_expect(node, "value-49999", "GET k49999");
    writer_free(writer);
}

/* The AOF grows past auto-aof-rewrite-percentage, and is rewritten by itself. */
Test(persistence, automatic_rewrite)
{
    struct node *node = node_start(
        "appendonly yes\nauto-aof-rewrite-percentage 100\nauto-aof-rewrite-min-size 100kb\n");
    for (int turn = 0; turn < 20; turn++)
        fill(node, 0, 1000);
    wait_until(20000, file_find(node_path(node, "appendonlydir"), ".base.rdb") != NULL &&
                          file_find(node_path(node, "appendonlydir"), ".1.base.rdb") == NULL);
    node_kill(node);
    node_restart(node);
    node_expect(node, "1000", "DBSIZE");
}

/* appendonly is switched on while the node has data, and off again. */
Test(persistence, switched_on)
{
    struct node *node = node_start("%s", "");
    fill(node, 0, 1000);
    node_expect(node, "OK", "CONFIG SET appendonly yes");
    wait_until(20000, node_info_number(node, "aof_rewrite_in_progress") == 0 &&
                          file_find(node_path(node, "appendonlydir"), ".manifest") != NULL);
    fill(node, 1000, 10);
    node_expect(node, "OK", "CONFIG REWRITE");
    node_stop(node);
    node_restart(node);
    node_expect(node, "1010", "DBSIZE");
    node_expect(node, "OK", "CONFIG SET appendonly no");
    node_expect(node, "[appendonly, no]", "CONFIG GET appendonly");
}

/* A file system of its own for the test, gone with it: the mount is in a name space of the test
 * alone. */
static const char *small_disk(int kilobytes)
{
    const char *path = scratch_printf("%s/disk", scratch_folder());
    folder_make(path);
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", path, "tmpfs", 0, scratch_printf("size=%dk", kilobytes)) != 0)
        cr_skip_test("a small disk needs the right to mount");
    return path;
}

/* The disk is full: writes are refused, nothing acknowledged is lost, and it goes on when there is
 * room. */
Test(persistence, disk_full)
{
    const char *disk = small_disk(2048);
    struct node *node = node_start("dir %s\n%sauto-aof-rewrite-percentage 0\n", disk, always);
    const char *value = scratch_printf("%1000s", "x"), *reply;
    int written = 0;
    client_set_timeout(node_client(node), 2000);
    do
        reply = node_try(node, "SET k%d %s", written++, value);
    while (reply != NULL && strcmp(reply, "OK") == 0 && written < 4000);
    if (!server_is_slotd() && reply == NULL) {
        /* redis-server gives up under `always`; the node under test must not. */
        node_wait_exit(node, 10000);
        return;
    }
    /* The write that met the full disk may wait for room; the next ones are refused at once. */
    cr_assert(reply != NULL || node_runs(node), "the node has ended:\n%s", node_log(node));
    cr_expect(reply == NULL || strncmp(reply, "-MISCONF ", 9) == 0, "%s", reply);
    node_expect(node, "-MISCONF *", "SET again 1");
    node_expect(node, value, "GET k0");
    cr_expect_str_eq(node_info(node, "aof_last_write_status"), "err");
    cr_assert_eq(mount("tmpfs", disk, "tmpfs", MS_REMOUNT, "size=8m"), 0);
    wait_until(10000, strcmp(node_text(node, "SET again 1"), "OK") == 0);
    node_kill(node);
    node_restart(node);
    for (int i = 0; i < written - 1; i++)
        node_expect(node, value, "GET k%d", i);
    node_expect(node, "1", "GET again");
}

/* While the disk fails the AOF takes its time to end, and nobody but who turns it off waits for
 * that. */
Test(persistence, switched_off_while_the_disk_is_full)
{
    enum { OTHERS = 8 };
    if (!server_is_slotd())
        cr_skip_test("redis-server does not wait for the disk to be written");
    const char *disk = small_disk(2048);
    struct node *node =
        node_start("dir %s\nappendonly yes\nauto-aof-rewrite-percentage 0\n", disk);
    const char *value = scratch_printf("%1000s", "x"), *reply;
    struct raw *others[OTHERS], *raw = raw_open(node_port(node));
    int written = 0;
    do
        reply = node_try(node, "SET k%d %s", written++, value);
    while (reply != NULL && strcmp(reply, "OK") == 0 && written < 8000);
    node_expect(node, "-MISCONF *", "SET again 1");
    for (int i = 0; i < OTHERS; i++)
        others[i] = raw_open(node_port(node));
    raw_send_text(raw, "CONFIG SET appendonly no\r\n");
    int64_t start = now_ms();
    cr_expect_eq(raw_reply(raw, 300).len, 0, "it did not wait for the disk");
    for (int i = 0; i < OTHERS; i++)
        raw_expect(others[i], "$1\r\nx\r\n", "GETRANGE k0 999 999");
    cr_expect_lt(now_ms() - start, 5000, "others had to wait");
    node_expect(node, "-ERR CONFIG SET failed (possibly related to argument 'appendonly') - the "
                      "append-only file is being turned on or off: try again",
        "CONFIG SET appendonly yes");
    raw_expect_next(raw, "+OK\r\n");
    wait_until(5000, strcmp(node_text(node, "SET again 1"), "OK") == 0);
    cr_expect_str_eq(node_info(node, "aof_enabled"), "0");
    for (int i = 0; i < OTHERS; i++)
        raw_close(others[i]);
    raw_close(raw);
}

/* A save point's file cannot be written: no write is taken, and PING tells who watches. */
Test(persistence, snapshot_that_cannot_be_written)
{
    static const char refused[] =
        "-MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist "
        "to disk. Commands that may modify the data set are disabled, because this instance is "
        "configured to report errors during writes if RDB snapshotting fails "
        "(stop-writes-on-bgsave-error option). Please check the Redis logs for details about the "
        "RDB error.";
    struct node *node = node_start("save 1000 1\n%s", "");
    node_expect(node, "OK", "SET k 1");
    folder_make(node_path(node, "dump.rdb"));
    node_expect(node, "Background saving started", "BGSAVE");
    wait_until(10000, strcmp(node_info(node, "rdb_last_bgsave_status"), "err") == 0);
    node_expect(node, refused, "SET k 2");
    node_expect(node, refused, "PING");
    node_expect(node, refused, "PING x");
    node_expect(node, "OK", "MULTI");
    node_expect(node, refused, "PING");
    node_expect(node, "-EXECABORT Transaction discarded because of previous errors.", "EXEC");
    node_expect(node, "x", "ECHO x");
    node_expect(node, "1", "GET k");
    node_expect(node, "OK", "CONFIG SET stop-writes-on-bgsave-error no");
    node_expect(node, "PONG", "PING");
    node_expect(node, "OK", "CONFIG SET stop-writes-on-bgsave-error yes");
    node_expect(node, refused, "PING");
    node_expect(node, "OK", "CONFIG SET save %s", "");
    node_expect(node, "PONG", "PING");
    folder_remove(node_path(node, "dump.rdb"));
    node_expect(node, "Background saving started", "BGSAVE");
    wait_until(10000, strcmp(node_info(node, "rdb_last_bgsave_status"), "ok") == 0);
    node_expect(node, "PONG", "PING");
    node_expect(node, "OK", "SET k 2");
}
