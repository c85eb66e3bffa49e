/* The AOF on a disk that fails, and in a process that is killed. The system calls that change files
 * go through functions of this file, which let them fail, tear them, or kill the process at the
 * N-th of them. What counts is always the same: what the gate let pass can be loaded afterwards, in
 * its order, with nothing missing in between. */
#include "tests/unit/aof_set.h"
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

enum { WAIT_MS = 20 * 1000 };

TestSuite(aof_faults, .timeout = 240);

/* The faults. */

static _Atomic int steps;         /* calls that change files, so far */
static _Atomic int kill_at;       /* the step before which the process is killed; 0: never */
static _Atomic int64_t room;      /* bytes that the disk has left; negative: enough */
static _Atomic int sync_errno;    /* what fdatasync fails with; 0: it works */
static _Atomic int rename_errno;  /* likewise */
static _Atomic bool sync_blocked; /* fdatasync does not return */
static _Atomic time_t seconds;    /* what time says, later by one each time; 0: the truth */

static time_t clock_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec;
}

static bool is_last_step(void)
{
    return atomic_fetch_add(&steps, 1) + 1 == atomic_load(&kill_at);
}

static void step(void)
{
    if (is_last_step()) {
        kill(getpid(), SIGKILL);
    }
}

int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
    step();
    errno = atomic_load(&rename_errno);
    return errno != 0 ? -1 : (int)syscall(SYS_renameat, from_fd, from, to_fd, to);
}

int unlinkat(int fd, const char *name, int flags)
{
    step();
    return (int)syscall(SYS_unlinkat, fd, name, flags);
}

int ftruncate(int fd, off_t len)
{
    step();
    return (int)syscall(SYS_ftruncate, fd, len);
}

int mkdirat(int fd, const char *name, mode_t mode)
{
    step();
    return (int)syscall(SYS_mkdirat, fd, name, mode);
}

int fsync(int fd)
{
    step();
    return (int)syscall(SYS_fsync, fd);
}

/* A failing fdatasync loses what it could not write, as Linux's page cache does. */
int fdatasync(int fd)
{
    static _Atomic int64_t synced_size;
    step();
    while (atomic_load(&sync_blocked)) {
        syscall(SYS_sched_yield);
    }
    errno = atomic_load(&sync_errno);
    int64_t size = syscall(SYS_lseek, fd, 0, SEEK_END);
    if (errno != 0) {
        int saved = errno;
        int64_t from = atomic_load(&synced_size) < size ? atomic_load(&synced_size) : 0;
        syscall(SYS_fallocate, fd, 3 /* punch a hole, keep the size */, from, size - from);
        errno = saved;
        return -1;
    }
    atomic_store(&synced_size, size);
    return (int)syscall(SYS_fdatasync, fd);
}

static ssize_t write_at(int fd, const void *data, size_t len, off_t at)
{
    return (ssize_t)syscall(SYS_pwrite64, fd, data, len, at);
}

/* Writes only the first view, and only half of it where the process is to die; no more than there
 * is room for. */
ssize_t pwritev(int fd, const struct iovec *views, int count, off_t at)
{
    size_t len = views[0].iov_len;
    if (is_last_step()) {
        write_at(fd, views[0].iov_base, (len + 1) / 2, at);
        kill(getpid(), SIGKILL);
    }
    int64_t left = atomic_load(&room);
    if (left >= 0) {
        len = (int64_t)len < left ? len : (size_t)left;
        if (len == 0) {
            errno = ENOSPC;
            return -1;
        }
        atomic_fetch_sub(&room, (int64_t)len);
    }
    return write_at(fd, views[0].iov_base, len, at);
}

/* Of the lines of time alone. */
ssize_t pwrite(int fd, const void *data, size_t len, off_t at)
{
    struct iovec view = { (void *)data, len };
    return pwritev(fd, &view, 1, at);
}

/* So every batch is of another second, and has a line of time before it. */
time_t time(time_t *out)
{
    time_t now = atomic_load(&seconds) ? atomic_fetch_add(&seconds, 1) : clock_now();
    if (out)
        *out = now;
    return now;
}

static void no_faults(void)
{
    atomic_store(&seconds, 0);
    atomic_store(&kill_at, 0);
    atomic_store(&room, -1);
    atomic_store(&sync_errno, 0);
    atomic_store(&rename_errno, 0);
    atomic_store(&sync_blocked, false);
}

/* A failing disk. */

static const char *increment_path(const char *folder)
{
    return set_path(folder, "appendonly.aof.1.incr.aof");
}

/* The file as it is ends with a whole command. */
static bool ends_whole(const char *folder)
{
    size_t len, used = 0, taken;
    const char *text = file_read(increment_path(folder), &len);
    struct resp_reader reader = { .authenticated = true };
    while (resp_read(&reader, text + used, len - used, &taken) == RESP_OK && used < len) {
        used += taken;
    }
    resp_reader_free(&reader);
    return used == len;
}

Test(aof_faults, a_full_disk_gets_room_again)
{
    no_faults();
    const char *folder = scratch_folder();
    struct set set = set_start(folder, AOF_FSYNC_ALWAYS);
    int64_t before = set_append(&set, 100);
    wait_until(WAIT_MS, set_is_synced(&set, before));
    atomic_store(&room, 1010);
    int64_t offset = set_append(&set, 300);
    wait_until(WAIT_MS, aof_errno(set.aof) == ENOSPC);
    struct aof_info info;
    aof_info(set.aof, &info);
    cr_expect_not(info.last_write_ok);
    cr_expect_not(set_is_synced(&set, offset), "a reply would go out for what is not written");
    cr_expect_gt(aof_lag(set.aof), 0);
    wait_until(WAIT_MS, ends_whole(folder));
    atomic_store(&room, 500);
    set_append(&set, 400);
    atomic_store(&room, -1);
    offset = set_append(&set, 500);
    wait_until(WAIT_MS, set_is_synced(&set, offset));
    wait_until(WAIT_MS, aof_errno(set.aof) == 0);
    cr_expect_eq(aof_lag(set.aof), 0);
    set_stop(&set);
    set_expect(folder, 500);
}

Test(aof_faults, a_disk_that_stays_full_at_the_end)
{
    no_faults();
    const char *folder = scratch_folder();
    struct set set = set_start(folder, AOF_FSYNC_EVERYSEC);
    struct error error = { "" };
    set_append(&set, 100);
    wait_until(WAIT_MS, aof_lag(set.aof) == 0);
    atomic_store(&room, 0);
    set_append(&set, 200);
    cr_expect_not(aof_stop(set.aof, 100, &error));
    cr_expect_not_null(strstr(error.text, "No space"), "%s", error.text);
    set_free(&set);
    set_expect(folder, 100);
}

/* The file as it is ends with a whole line of some kind. */
static bool ends_with_line(const char *folder)
{
    size_t len;
    const char *text = file_read(increment_path(folder), &len);
    return len > 0 && text[len - 1] == '\n';
}

/* How many lines of time the increment has; all others must be where they are expected for it to load. */
static int count_times(const char *folder)
{
    size_t len;
    int count = 0;
    for (const char *at = file_read(increment_path(folder), &len); (at = strstr(at, "#TS:")); at++)
        count++;
    return count;
}

static void fsync_fails(enum aof_policy policy, bool timestamps)
{
    no_faults();
    const char *folder = scratch_folder();
    struct set set = set_start(folder, policy);
    aof_set_timestamps(set.aof, timestamps);
    atomic_store(&seconds, timestamps ? 1700000000 : 0);
    int64_t offset = set_append(&set, 1000);
    wait_until(WAIT_MS, set_is_synced(&set, offset));
    atomic_store(&sync_errno, EIO);
    offset = set_append(&set, 2000);
    wait_until(WAIT_MS, aof_errno(set.aof) == EIO);
    cr_expect_not(set_is_synced(&set, offset));
    set_append(&set, 3000);
    hold_for(100, aof_errno(set.aof) == EIO);
    atomic_store(&sync_errno, 0);
    offset = set_append(&set, 4000);
    wait_until(WAIT_MS, set_is_synced(&set, offset));
    wait_until(WAIT_MS, aof_errno(set.aof) == 0);
    cr_expect_not(aof_rewrite_is_due(set.aof, 0, 0), "all was written once more");
    set_stop(&set);
    cr_expect(timestamps ? count_times(folder) >= 2 : count_times(folder) == 0);
    set_expect(folder, 4000);
}

Test(aof_faults, what_a_failed_fsync_lost_is_written_again)
{
    fsync_fails(AOF_FSYNC_ALWAYS, false);
}

Test(aof_faults, also_with_everysec)
{
    fsync_fails(AOF_FSYNC_EVERYSEC, false);
}

Test(aof_faults, also_with_lines_of_time)
{
    fsync_fails(AOF_FSYNC_ALWAYS, true);
}

Test(aof_faults, also_with_everysec_and_lines_of_time)
{
    fsync_fails(AOF_FSYNC_EVERYSEC, true);
}

static void append_alone(struct set *set)
{
    struct aof_info info;
    int64_t offset = set_append(set, set->count + 1);
    wait_until(WAIT_MS, (aof_info(set->aof, &info), info.written_offset >= offset));
}

/* Also where the line itself does not fit any more, and where more of them come than are remembered. */
static void lines_on_a_full_disk(enum aof_policy policy)
{
    static const int64_t rooms[] = { 0, 5, 20, 50, 1000 };
    no_faults();
    const char *folder = scratch_folder();
    struct set set = set_start(folder, policy);
    aof_set_timestamps(set.aof, true);
    atomic_store(&seconds, 1700000000);
    for (int i = 0; i < 150; i++)
        append_alone(&set);
    for (size_t i = 0; i < sizeof(rooms) / sizeof(*rooms); i++) {
        atomic_store(&room, rooms[i]);
        set_append(&set, set.count + 100);
        wait_until(WAIT_MS, aof_errno(set.aof) == ENOSPC);
        cr_expect(ends_with_line(folder), "room for %d", (int)rooms[i]);
        atomic_store(&room, -1);
        wait_until(WAIT_MS, aof_errno(set.aof) == 0);
        append_alone(&set);
    }
    cr_expect_geq(count_times(folder), 150);
    int count = set.count;
    set_stop(&set);
    set_expect(folder, count);
}

Test(aof_faults, lines_of_time_on_a_full_disk)
{
    lines_on_a_full_disk(AOF_FSYNC_ALWAYS);
}

Test(aof_faults, lines_of_time_on_a_full_disk_without_fsyncs)
{
    lines_on_a_full_disk(AOF_FSYNC_NO);
}

/* More than is kept in memory between two fsyncs: then a rewrite has to make it good. */
Test(aof_faults, too_much_lost_makes_a_rewrite_due)
{
    no_faults();
    struct set set = set_start(scratch_folder(), AOF_FSYNC_EVERYSEC);
    atomic_store(&sync_errno, EIO);
    struct buffer ping = { 0 };
    buffer_reserve(&ping, 20 << 20);
    memset(ping.data, 'x', ping.len = 20 << 20);
    struct bytes argv[] = { BYTES("PING"), buffer_bytes(&ping) };
    journal_append(set.journal, 0, argv, 2);
    set_append(&set, 10);
    wait_until(WAIT_MS, aof_errno(set.aof) == EIO);
    cr_expect(aof_rewrite_is_due(set.aof, 0, 0));
    atomic_store(&sync_errno, 0);
    wait_until(WAIT_MS, aof_errno(set.aof) == 0);
    cr_expect(aof_rewrite_is_due(set.aof, 0, 0));
    set_rewrite(&set, 5);
    cr_expect_not(aof_rewrite_is_due(set.aof, 0, 0));
    set_stop(&set);
    set_expect(scratch_folder(), 15);
    buffer_free(&ping);
}

/* write(2) goes on while an fsync takes its time. */
Test(aof_faults, a_slow_fsync_delays_no_write)
{
    no_faults();
    struct set set = set_start(scratch_folder(), AOF_FSYNC_EVERYSEC);
    atomic_store(&sync_blocked, true);
    set_append(&set, 100);
    struct aof_info info;
    wait_until(WAIT_MS, (aof_info(set.aof, &info), info.pending_fsyncs == 1));
    set_append(&set, 200);
    wait_until(WAIT_MS, aof_lag(set.aof) == 0);
    wait_until(WAIT_MS, (aof_info(set.aof, &info), info.delayed_fsyncs > 0));
    cr_expect_eq(info.pending_fsyncs, 1);
    atomic_store(&sync_blocked, false);
    wait_until(WAIT_MS, set_is_synced(&set, info.written_offset));
    set_stop(&set);
    set_expect(scratch_folder(), 200);
}

/* The last fsync of the old increment fails when the new one is about to begin: what is written
 * once more belongs into the old one. */
Test(aof_faults, an_fsync_fails_as_a_rewrite_begins)
{
    no_faults();
    const char *folder = scratch_folder();
    struct error error;
    struct aof_info info;
    struct set set = set_start(folder, AOF_FSYNC_EVERYSEC);
    atomic_store(&sync_blocked, true);
    set_append(&set, 100);
    wait_until(WAIT_MS, (aof_info(set.aof, &info), info.pending_fsyncs == 1));
    set_append(&set, 200);
    cr_assert(aof_rewrite_begin(set.aof, journal_offset(set.journal), &error));
    set_append(&set, 300);
    atomic_store(&sync_errno, EIO);
    atomic_store(&sync_blocked, false);
    wait_until(WAIT_MS, aof_errno(set.aof) == EIO);
    atomic_store(&sync_errno, 0);
    wait_until(WAIT_MS, aof_errno(set.aof) == 0);
    set_write_base(aof_rewrite_path(set.aof), 200);
    cr_assert(aof_rewrite_finish(set.aof, &error), "%s", error.text);
    set_append(&set, 400);
    set_stop(&set);
    set_expect(folder, 400);
}

/* The kernel's own errors: a limit of the file's size, and where it may be mounted, a small disk.
 */
Test(aof_faults, a_file_size_limit)
{
    no_faults();
    const char *folder = scratch_folder();
    struct rlimit limit, before;
    struct set set = set_start(folder, AOF_FSYNC_ALWAYS);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    limit = before;
    limit.rlim_cur = 10007;
    setrlimit(RLIMIT_FSIZE, &limit);
    int64_t offset = set_append(&set, 1000);
    wait_until(WAIT_MS, aof_errno(set.aof) == EFBIG);
    cr_expect_not(set_is_synced(&set, offset));
    wait_until(WAIT_MS, ends_whole(folder));
    setrlimit(RLIMIT_FSIZE, &before);
    wait_until(WAIT_MS, set_is_synced(&set, offset));
    set_stop(&set);
    set_expect(folder, 1000);
}

Test(aof_faults, a_disk_of_one_megabyte)
{
    no_faults();
    const char *folder = scratch_printf("%s/disk", scratch_folder());
    folder_make(folder);
    /* In a name space of its own, which ends with the test's process. */
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", folder, "tmpfs", 0, "size=1m") != 0) {
        cr_skip_test("no file system may be mounted here: %s", strerror(errno));
    }
    struct set set = set_start(folder, AOF_FSYNC_ALWAYS);
    struct error error;
    int64_t offset = set_append(&set, 50000);
    wait_until(WAIT_MS, aof_errno(set.aof) == ENOSPC);
    cr_expect_not(set_is_synced(&set, offset));
    cr_expect_not(aof_rewrite_begin(set.aof, journal_offset(set.journal), &error) &&
                  aof_rewrite_finish(set.aof, &error));
    cr_assert_eq(mount("tmpfs", folder, "tmpfs", MS_REMOUNT, "size=8m"), 0);
    wait_until(WAIT_MS, set_is_synced(&set, offset));
    set_rewrite(&set, 10);
    set_stop(&set);
    set_expect(folder, 50010);
}

Test(aof_faults, a_rewrite_whose_manifest_cannot_be_replaced)
{
    no_faults();
    const char *folder = scratch_folder();
    struct error error;
    struct set set = set_start(folder, AOF_FSYNC_EVERYSEC);
    set_append(&set, 100);
    cr_assert(aof_rewrite_begin(set.aof, journal_offset(set.journal), &error));
    set_append(&set, 200);
    set_write_base(aof_rewrite_path(set.aof), 100);
    wait_until(WAIT_MS, file_exists(set_path(folder, "appendonly.aof.2.incr.aof")));
    wait_until(WAIT_MS, aof_lag(set.aof) == 0);
    atomic_store(&rename_errno, EROFS);
    cr_expect_not(aof_rewrite_finish(set.aof, &error));
    cr_expect_not_null(strstr(error.text, "Read-only"), "%s", error.text);
    atomic_store(&rename_errno, 0);
    struct aof_info info;
    aof_info(set.aof, &info);
    cr_expect_not(info.last_rewrite_ok);
    set_append(&set, 300);
    set_rewrite(&set, 100);
    set_stop(&set);
    set_expect(folder, 400);
}

/* Killed at every step. The child tells in shared memory how far the gate has let it come. */

struct shared {
    _Atomic int passed;
};

static struct shared *shared;

static void append_and_wait(struct set *set, int count)
{
    int64_t offset = set_append(set, count);
    wait_until(WAIT_MS, set_is_synced(set, offset));
    if (aof_holds_replies(set->aof)) {
        atomic_store(&shared->passed, count);
    }
}

static void life_with_rewrites(const char *folder)
{
    struct set set = set_start(folder, AOF_FSYNC_ALWAYS);
    aof_set_timestamps(set.aof, true);
    atomic_store(&seconds, 1700000000);
    append_and_wait(&set, set.count + 20);
    set_rewrite(&set, 20);
    append_and_wait(&set, set.count + 20);
    set_rewrite(&set, 0);
    append_and_wait(&set, set.count + 20);
    set_stop(&set);
}

/* Off, and on again: until the first rewrite is done the old set is the one to load. */
static void life_turned_on(const char *folder)
{
    struct error error;
    struct set set = set_start(folder, AOF_FSYNC_ALWAYS);
    append_and_wait(&set, set.count + 20);
    cr_assert(aof_stop(set.aof, WAIT_MS, &error));
    set_append(&set, set.count + 20);
    cr_assert(aof_start_with_rewrite(set.aof, &error));
    set_rewrite(&set, 20);
    append_and_wait(&set, set.count + 20);
    set_stop(&set);
}

static void life_of_an_old_file(const char *folder)
{
    struct set set = set_start(folder, AOF_FSYNC_ALWAYS);
    atomic_store(&shared->passed, set.count);
    append_and_wait(&set, set.count + 20);
    set_stop(&set);
}

/* Runs a life in a process that dies before the step; true: it died. */
static bool dies_at(void (*life)(const char *), const char *folder, int at)
{
    atomic_store(&shared->passed, 0);
    pid_t pid = fork();
    cr_assert_geq(pid, 0);
    if (pid == 0) {
        atomic_store(&steps, 0);
        atomic_store(&kill_at, at);
        life(folder);
        _exit(0);
    }
    int status;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    cr_assert(killed || (WIFEXITED(status) && WEXITSTATUS(status) == 0), "status %d", status);
    return killed;
}

static void killed_at_every_step(void (*life)(const char *), void (*prepare)(const char *))
{
#ifdef __SANITIZE_THREAD__
    cr_skip_test("the thread sanitizer knows no threads behind a fork");
#endif
    no_faults();
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    bool killed = true;
    int at = 0;
    while (killed) {
        const char *folder = scratch_printf("%s/%d", scratch_folder(), ++at);
        folder_make(folder);
        if (prepare != NULL) {
            prepare(folder);
        }
        killed = dies_at(life, folder, at);
        int passed = atomic_load(&shared->passed);
        struct loaded loaded = set_load(folder);
        cr_assert(loaded.good, "killed at step %d: %s", at, loaded.error.text);
        cr_assert_not(loaded.broken, "killed at step %d", at);
        cr_assert_geq(
            loaded.count, passed, "killed at step %d: %d instead of %d", at, loaded.count, passed);
        /* It goes on from there, in a second life that is not cut short. */
        cr_assert_not(dies_at(life, folder, 0));
        loaded = set_load(folder);
        cr_assert(loaded.good, "after step %d: %s", at, loaded.error.text);
        cr_assert_not(loaded.broken);
        cr_assert_eq(loaded.count, atomic_load(&shared->passed));
        folder_remove(folder);
    }
    cr_assert_gt(at, 10, "only %d steps", at);
}

Test(aof_faults, killed_at_every_step_of_rewrites)
{
    killed_at_every_step(life_with_rewrites, NULL);
}

Test(aof_faults, killed_at_every_step_of_turning_on)
{
    killed_at_every_step(life_turned_on, NULL);
}

static void write_old_file(const char *folder)
{
    struct buffer out = { 0 };
    for (int i = 0; i < 10; i++) {
        struct bytes argv[2];
        char digits[NUMBER_TEXT_MAX];
        resp_write_command(&out, argv, number_command(argv, digits, i));
    }
    file_write(scratch_printf("%s/appendonly.aof", folder), out.data, out.len);
    buffer_free(&out);
}

Test(aof_faults, killed_at_every_step_of_an_upgrade)
{
    killed_at_every_step(life_of_an_old_file, write_old_file);
}
