/* What an operator sets in redis.conf about the process itself: how signals end it, who supervises
 * it, where its log goes, from where it connects, its score for the kernel, what a crash leaves. */
#include "tests/support/cluster.h"
#include "tests/support/file.h"
#include "tests/support/scratch.h"
#include "tests/support/shell.h"
#include "tests/support/wait.h"
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

TestSuite(operation, .init = nodes_begin, .fini = nodes_end, .timeout = 60);

/* ---- shutdown-on-sigint, shutdown-on-sigterm ---- */

static int end_by(struct node *node, int number)
{
    kill(node_pid(node), number);
    return node_wait_exit(node, 20000);
}

Test(operation, signals_save_or_not_as_configured)
{
    static const struct {
        const char *config;
        int number;
        bool saved;
    } rows[] = {
        { "save 3600 1\n", SIGTERM, true },
        { "save \"\"\n", SIGTERM, false },
        { "save 3600 1\nshutdown-on-sigterm nosave\n", SIGTERM, false },
        { "save 3600 1\nshutdown-on-sigterm nosave\n", SIGINT, true },
        { "save 3600 1\nshutdown-on-sigint nosave now\n", SIGINT, false },
        { "save \"\"\nshutdown-on-sigint force save\n", SIGINT, true },
        { "save \"\"\nshutdown-on-sigint save\n", SIGTERM, false },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct node *node = node_start("%s", rows[i].config);
        node_expect(node, "OK", "SET k v");
        int status = end_by(node, rows[i].number);
        cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "row %zu: 0x%x", i, status);
        cr_expect_eq(file_exists(node_path(node, "dump.rdb")), rows[i].saved, "row %zu", i);
    }
}

/* A folder in its place cannot be replaced by the file. */
Test(operation, a_signal_with_force_ends_without_saving)
{
    struct node *node = node_start("save 3600 1\n");
    node_expect(node, "OK", "SET k v");
    folder_make(node_path(node, "dump.rdb"));
    file_write_text(node_path(node, "dump.rdb/full"), "");
    kill(node_pid(node), SIGTERM);
    wait_until(10000, node_log_has(node, server_is_slotd() ? "called off" : "can't exit"));
    hold_for(500, node_answers(node));
    node_expect(node, "OK", "CONFIG SET shutdown-on-sigterm %s", "now force");
    int status = end_by(node, SIGTERM);
    cr_assert(WIFEXITED(status), "0x%x", status);
}

Test(operation, a_signal_with_now_waits_for_no_replica)
{
    struct node *primary = node_start("shutdown-timeout 3600\nrepl-diskless-sync-delay 0\n");
    struct node *replica = node_start("replicaof 127.0.0.1 %d\n", node_port(primary));
    wait_until(20000, node_in_sync(replica, primary));
    node_pause(replica);
    node_expect(primary, "OK", "SET k v");
    kill(node_pid(primary), SIGTERM);
    hold_for(1000, node_runs(primary));
    node_expect(primary, "OK", "SHUTDOWN ABORT");
    node_expect(primary, "OK", "CONFIG SET shutdown-on-sigterm NOW");
    node_expect(primary, "[shutdown-on-sigterm, now]", "CONFIG GET shutdown-on-sigterm");
    int status = end_by(primary, SIGTERM);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "0x%x", status);
    node_resume(replica);
}

/* ---- supervised ---- */

/* A socket that takes what is sent to the path; '@' first: a name in no file system. */
static int listen_at(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    size_t len = strlen(path);
    cr_assert_lt(len, sizeof(address.sun_path));
    memcpy(address.sun_path, path, len + 1);
    if (path[0] == '@')
        address.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    cr_assert(bind(fd, (struct sockaddr *)&address, size) == 0, "%s: %s", path, strerror(errno));
    return fd;
}

/* Reads datagrams until one has the text. */
static bool receives(int fd, const char *text)
{
    char datagram[4096];
    ssize_t len;
    while ((len = recv(fd, datagram, sizeof(datagram) - 1, 0)) >= 0) {
        datagram[len] = '\0';
        if (strstr(datagram, text))
            return true;
    }
    return false;
}

static void run_supervised(const char *path, const char *mode)
{
    int fd = listen_at(path);
    setenv("NOTIFY_SOCKET", path, 1);
    struct node *node = node_start("supervised %s\ndaemonize yes\n", mode);
    unsetenv("NOTIFY_SOCKET");
    wait_until(10000, receives(fd, "READY=1"));
    kill(node_pid(node), SIGTERM); /* it has not become a daemon, in spite of daemonize */
    node_wait_exit(node, 20000);
    cr_assert(receives(fd, "STOPPING=1"));
    close(fd);
}

Test(operation, systemd_is_told_that_a_node_is_ready_and_that_it_ends)
{
    /* The name of a socket has to be short, which the scratch folder's need not be. */
    const char *path = scratch_printf("/tmp/slotd-notify-%d", (int)getpid());
    run_supervised(path, "systemd");
    unlink(path);
    run_supervised(scratch_printf("@operation-test-%d", (int)getpid()), "auto");
}

/* The third field of /proc/PID/stat, behind the name in brackets. */
static char process_state(struct node *node)
{
    size_t len;
    const char *text = file_read(scratch_printf("/proc/%d/stat", (int)node_pid(node)), &len);
    return strrchr(text, ')')[2];
}

Test(operation, upstart_finds_a_process_that_stops_itself)
{
    struct node *node = node_prepare("supervised upstart\n");
    setenv("UPSTART_JOB", "slotd", 1);
    node_spawn(node, NULL);
    unsetenv("UPSTART_JOB");
    wait_until(10000, process_state(node) == 'T');
    node_resume(node);
    node_wait_ready(node, 10000);
}

Test(operation, without_a_supervisor_a_node_runs_by_itself)
{
    struct node *node = node_start("supervised systemd\n");
    cr_expect(node_log_has(node, "NOTIFY_SOCKET"));
}

/* ---- syslog ---- */

Test(operation, syslog_gets_the_lines_of_the_log)
{
    if (access("/dev/log", F_OK) == 0 || access("/dev", W_OK) != 0)
        cr_skip_test("/dev/log is somebody else's, or cannot be made");
    int fd = listen_at("/dev/log");
    struct node *node =
        node_start("syslog-enabled yes\nsyslog-ident node-a\nsyslog-facility local3\n");
    node_expect(node, "OK", "CONFIG SET loglevel verbose");
    char line[4096] = "";
    ssize_t len;
    do
        len = recv(fd, line, sizeof(line) - 1, 0); /* Redis says more, before it knows its name */
    while (len > 0 && !strstr(line, " node-a["));
    unlink("/dev/log");
    close(fd);
    cr_assert_gt(len, 0);
    /* 19: local3; 5: notice, 4: warning. */
    cr_expect(strncmp(line, "<157>", 5) == 0 || strncmp(line, "<156>", 5) == 0, "%s", line);
    cr_expect_not_null(
        strstr(line, scratch_printf(" node-a[%d]: ", (int)node_pid(node))), "%s", line);
    cr_expect_null(strchr(line, '\n'), "%s", line);
    cr_expect_gt(strlen(node_log(node)), 0, "the lines go to standard output as well");
}

/* ---- bind-source-addr ---- */

Test(operation, replication_goes_out_from_the_source_address)
{
    struct node *primary = node_start("repl-diskless-sync-delay 0\nprotected-mode no\n");
    struct node *replica =
        node_start("replicaof 127.0.0.1 %d\nbind-source-addr 127.0.0.7\n", node_port(primary));
    wait_until(20000, node_in_sync(replica, primary));
    cr_expect_not_null(strstr(node_text(primary, "CLIENT LIST TYPE replica"), " addr=127.0.0.7:"));
    /* One that this machine does not have is passed over. */
    node_expect(replica, "OK", "CONFIG SET bind-source-addr 192.0.2.1");
    node_text(primary, "CLIENT KILL TYPE replica");
    wait_until(20000, strstr(node_text(primary, "CLIENT LIST TYPE replica"), " addr=127.0.0.1:"));
}

Test(operation, the_bus_goes_out_from_the_source_address)
{
    struct node *a = node_start("cluster-enabled yes\nbind-source-addr 127.0.0.7\n");
    struct node *b = node_start("cluster-enabled yes\n");
    node_expect(a, "OK", "CLUSTER MEET 127.0.0.1 %d", node_port(b));
    const char *seen = scratch_printf(" 127.0.0.7:%d@", node_port(a));
    wait_until(20000, strstr(node_text(b, "CLUSTER NODES"), seen));
}

Test(operation, migrate_goes_out_from_the_source_address)
{
    if (!server_is_slotd())
        cr_skip_test("Redis lets the system choose for MIGRATE");
    struct node *source = node_start("bind-source-addr 127.0.0.7\n");
    struct node *target = node_start("%s", "");
    node_expect(source, "OK", "SET k v");
    node_expect(source, "OK", "MIGRATE 127.0.0.1 %d k 0 5000", node_port(target));
    cr_expect_not_null(strstr(node_text(target, "CLIENT LIST"), " addr=127.0.0.7:"));
}

/* ---- oom-score-adj ---- */

static long score_at(const char *path)
{
    size_t len;
    return strtol(file_read(path, &len), NULL, 10);
}

static long score_of(struct node *node)
{
    return score_at(scratch_printf("/proc/%d/oom_score_adj", (int)node_pid(node)));
}

/* Only upwards from where the test itself stands: less needs a right. */
Test(operation, the_score_for_the_kernel_follows_configuration_and_role)
{
    long own = score_at("/proc/self/oom_score_adj");
    if (own > 900)
        cr_skip_test("the score of this process is too high to raise it");
    struct node *primary = node_start("oom-score-adj relative\noom-score-adj-values 20 40 80\n");
    cr_expect_eq(score_of(primary), own + 20);
    struct node *replica = node_start("%s", "");
    cr_expect_eq(score_of(replica), own);
    node_expect(primary, "OK", "REPLICAOF 127.0.0.1 %d", node_port(replica));
    wait_until(5000, score_of(primary) == own + 40);
    node_expect(primary, "OK", "CONFIG SET oom-score-adj-values %s", "20 60 80");
    cr_expect_eq(score_of(primary), own + 60);
    node_expect(primary, "OK", "REPLICAOF NO ONE");
    wait_until(5000, score_of(primary) == own + 20);
    node_expect(
        primary, "OK", "CONFIG SET oom-score-adj absolute oom-score-adj-values %s", "980 990 1000");
    cr_expect_eq(score_of(primary), 980);
    node_expect(primary, "OK", "CONFIG SET oom-score-adj no");
    cr_expect_eq(score_of(primary), own);
}

/* ---- crash-log-enabled ---- */

static const char *crash(struct node *node, int number)
{
    kill(node_pid(node), number);
    int status = node_wait_exit(node, 20000);
    cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == number, "0x%x", status);
    return node_log(node);
}

Test(operation, a_crash_leaves_a_report)
{
    if (!server_is_slotd() || strstr(getenv("SERVER") ? getenv("SERVER") : "", "san/"))
        cr_skip_test("the report is ours, and a sanitizer would add one that fails the test");
    static const struct {
        int number;
        const char *name;
    } rows[] = { { SIGSEGV, "SIGSEGV" }, { SIGBUS, "SIGBUS" }, { SIGFPE, "SIGFPE" },
        { SIGILL, "SIGILL" }, { SIGABRT, "SIGABRT" } };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        const char *log = crash(node_start("%s", ""), rows[i].number);
        const char *report = strstr(log, "=== The report of a crash begins ===");
        cr_assert_not_null(report, "%s", log);
        cr_expect_not_null(strstr(report, scratch_printf("crashed by %s", rows[i].name)));
        cr_expect_not_null(strstr(report, "/slotd("), "no calls in %s", report);
    }
}

Test(operation, a_crash_leaves_none_where_it_is_off)
{
    if (!server_is_slotd() || strstr(getenv("SERVER") ? getenv("SERVER") : "", "san/"))
        cr_skip_test("the report is ours, and a sanitizer would add one that fails the test");
    struct node *node = node_start("crash-log-enabled no\n");
    cr_expect_null(strstr(crash(node, SIGSEGV), "report of a crash"));
    node = node_start("%s", "");
    node_expect(node, "OK", "CONFIG SET crash-log-enabled no");
    cr_expect_null(strstr(crash(node, SIGSEGV), "report of a crash"));
}

/* ---- cluster-preferred-endpoint-type ---- */

/* What the redirects to the node and CLUSTER SHARDS name. The key bar has the slot 5061, foo 12182.
 */
static void expect_endpoint(struct node *asked, struct node *owner, const char *endpoint)
{
    int port = node_port(owner);
    wait_until(10000, strcmp(node_text(asked, "GET foo"),
                          scratch_printf("-MOVED 12182 %s:%d", endpoint, port)) == 0);
    node_expect(asked, scratch_printf("-ASK 5061 %s:%d", endpoint, port), "GET bar");
    cr_expect_not_null(
        strstr(node_text(asked, "CLUSTER SHARDS"), scratch_printf("endpoint, %s,", endpoint)));
}

Test(operation, clients_are_sent_to_the_preferred_endpoint)
{
    static const char config[] = "cluster-enabled yes\ncluster-require-full-coverage no\n";
    struct node *asked = node_start("%s", config), *owner = node_start("%s", config);
    node_expect(asked, "OK", "CLUSTER ADDSLOTS 5061");
    node_expect(owner, "OK", "CLUSTER ADDSLOTS 12182");
    node_expect(asked, "OK", "CLUSTER MEET 127.0.0.1 %d", node_port(owner));
    wait_until(20000,
        strcmp(node_text(asked, "CLUSTER SETSLOT 5061 MIGRATING %s", node_id(owner)), "OK") == 0);
    wait_until(20000, strcmp(node_text(asked, "GET bar"), "-CLUSTERDOWN The cluster is down") != 0);
    expect_endpoint(asked, owner, "127.0.0.1");
    node_expect(asked, "OK", "CONFIG SET cluster-preferred-endpoint-type hostname");
    expect_endpoint(asked, owner, "?");
    node_expect(owner, "OK", "CONFIG SET cluster-announce-hostname owner.example");
    expect_endpoint(asked, owner, "owner.example");
    node_expect(asked, "OK", "CONFIG SET cluster-preferred-endpoint-type unknown-endpoint");
    expect_endpoint(asked, owner, "");
}

/* ---- active-expire-effort ---- */

/* How long it takes until keys that nobody asks for are gone, ms. They lie among many that stay, so
 * that finding them is the work. */
static int64_t time_to_expire(struct node *node, int effort)
{
    node_expect(node, "OK", "CONFIG SET active-expire-effort %d", effort);
    int64_t staying = node_integer(node, "DBSIZE");
    node_text(node, "EVAL %s 0 %lld",
        "for i = 1, 400 do redis.call('SET', 'g:' .. i, 'v', 'PXAT', ARGV[1]) end",
        (long long)time(NULL) * 1000 + 2000);
    cr_assert_eq(node_integer(node, "DBSIZE"), staying + 400);
    /* Asking for one removes it, and says when all are over. */
    wait_until(20000, node_integer(node, "EXISTS g:1") == 0);
    int64_t start = now_ms();
    wait_until(20000, node_integer(node, "DBSIZE") == staying);
    return now_ms() - start;
}

Test(operation, more_effort_finds_expired_keys_sooner, .timeout = 120)
{
    if (!server_is_slotd())
        cr_skip_test("Redis draws keys by chance, and finds so few of them late");
    struct node *node = node_start("io-threads 1\ndatabases 1\n");
    node_text(node, "EVAL %s 0",
        "for i = 1, 60000 do redis.call('SET', 'k:' .. i, 'v', 'EX', 100000) end");
    bool sooner = false;
    for (int i = 0; i < 5 && !sooner; i++) {
        int64_t with_least = time_to_expire(node, 1), with_most = time_to_expire(node, 10);
        sooner = with_most + 200 < with_least; /* a round in 8 ticks of 100 ms, and in one */
    }
    cr_expect(sooner);
    node_expect(node,
        "-ERR CONFIG SET failed (possibly related to argument 'active-expire-effort') - "
        "argument must be between 1 and 10 inclusive",
        "CONFIG SET active-expire-effort 11");
}

/* ---- aof-timestamp-enabled ---- */

Test(operation, the_append_only_file_tells_the_time)
{
    struct node *node = node_start("appendonly yes\naof-timestamp-enabled yes\n");
    for (int i = 0; i < 3; i++) {
        node_expect(node, "OK", "SET k:%d v", i);
        node_text(node, "BLPOP nothing 1.1");
    }
    node_expect(node, "OK", "CONFIG SET aof-timestamp-enabled no");
    node_stop(node);
    size_t len;
    const char *file = file_read(node_path(node, "appendonlydir/appendonly.aof.1.incr.aof"), &len);
    int count = 0;
    for (const char *at = file; (at = strstr(at, "#TS:")); at++) {
        long long told = strtoll(at + 4, NULL, 10);
        cr_expect(told <= time(NULL) && told > time(NULL) - 60, "%lld", told);
        count++;
    }
    cr_expect_eq(count, 3);
    node_restart(node);
    node_expect(node, "3", "DBSIZE");
}

/* ---- cluster-link-sendbuf-limit ---- */

static bool counts_closed_links(struct node *node)
{
    const char *field = strstr(node_text(node, "CLUSTER INFO"), "links_buffer_limit_exceeded:");
    return field && strtol(strchr(field, ':') + 1, NULL, 10) > 0;
}

/* What is published goes to all nodes; one that stands still reads none of it. */
Test(operation, a_link_with_too_much_to_send_is_closed)
{
    struct node *node = node_start("cluster-enabled yes\ncluster-link-sendbuf-limit 1mb\n");
    struct node *deaf = node_start("cluster-enabled yes\n");
    node_expect(node, "OK", "CLUSTER MEET 127.0.0.1 %d", node_port(deaf));
    wait_until(20000, strstr(node_text(deaf, "CLUSTER NODES"), node_id(node)));
    wait_until(20000, cluster_sees(node, deaf, "master"));
    cr_expect_not(counts_closed_links(node));
    node_pause(deaf);
    const char *message = scratch_printf("%0200000d", 0);
    wait_until(20000, (node_text(node, "PUBLISH channel %s", message), counts_closed_links(node)));
    node_resume(deaf);
}

/* ---- set-proc-title, disable-thp, the lists of CPUs, replica-announced ---- */

static const char *title_of(struct node *node)
{
    size_t len;
    return file_read(scratch_printf("/proc/%d/cmdline", (int)node_pid(node)), &len);
}

static void expect_title(struct node *node, const char *behind)
{
    const char *title = title_of(node), *end = title + strlen(title) - strlen(behind);
    cr_expect(end > title && strcmp(end, behind) == 0, "%s does not end so: %s", title, behind);
}

Test(operation, ps_shows_a_title)
{
    struct node *node = node_start("cluster-enabled yes\n");
    int port = node_port(node);
    expect_title(node, scratch_printf(" 127.0.0.1:%d [cluster]", port));
    node_expect(
        node, "OK", "CONFIG SET proc-title-template %s", " a {port} {unixsocket}{tls-port} ");
    wait_until(5000, strcmp(title_of(node), scratch_printf("a %d 0", port)) == 0);
    node_expect(node, "OK", "CONFIG SET proc-title-template %s", "{title} {server-mode}");
    expect_title(node, " [cluster]");
    node = node_start("%s", "");
    expect_title(node, scratch_printf(" 127.0.0.1:%d", node_port(node)));
    node = node_start("set-proc-title no\n");
    cr_expect_null(strstr(title_of(node), "127.0.0.1"));
}

/* A line of /proc/PID/status, or of one of its threads by its name; NULL: there is none. */
static const char *status_of(struct node *node, const char *thread, const char *field)
{
    const char *output;
    shell_run(5000, &output,
        "cat $(grep -lx '%s' /proc/%d/task/*/comm | head -1 | sed 's/comm$/status/') "
        "| sed -n 's/^%s:[[:space:]]*//p' | tr -d '\\n'",
        thread, (int)node_pid(node), field);
    return output;
}

Test(operation, huge_pages_are_off_but_where_they_are_wanted)
{
    if (!server_is_slotd())
        cr_skip_test("Redis turns them off only where the system has them on for all");
    struct node *node = node_start("%s", "");
    cr_expect_str_eq(status_of(node, "slotd", "THP_enabled"), "0");
    node = node_start("disable-thp no\n");
    cr_expect_str_eq(status_of(node, "slotd", "THP_enabled"), "1");
}

Test(operation, threads_run_on_the_cpus_of_their_lists)
{
    if (!server_is_slotd())
        cr_skip_test("the names of threads are ours");
    if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
        cr_skip_test("there is one CPU only");
    struct node *node = node_start("appendonly yes\nio-threads 2\nserver_cpulist 0\nbio_cpulist 1\n"
                                   "bgsave_cpulist 1\n");
    wait_until(5000, strcmp(status_of(node, "slotd", "Cpus_allowed_list"), "0") == 0);
    wait_until(5000, strcmp(status_of(node, "worker", "Cpus_allowed_list"), "0") == 0);
    wait_until(5000, strcmp(status_of(node, "aof-writer", "Cpus_allowed_list"), "0") == 0);
    wait_until(5000, strcmp(status_of(node, "aof-fsync", "Cpus_allowed_list"), "1") == 0);
    node_text(node, "BGSAVE");
    wait_until(20000, strcmp(status_of(node, "snapshot", "Cpus_allowed_list"), "1") == 0);
    node_text(node, "BGREWRITEAOF");
    wait_until(20000, strcmp(status_of(node, "snapshot", "Cpus_allowed_list"), "0") == 0);
    node = node_start("server_cpulist 0-\n");
    cr_expect(node_log_has(node, "server_cpulist 0- is no list"));
}

Test(operation, a_replica_may_be_kept_from_sentinel)
{
    struct node *primary = node_start("%s", "");
    struct node *replica = node_start("replicaof 127.0.0.1 %d\n", node_port(primary));
    cr_expect(node_info_is(replica, "replica_announced", "1"));
    node_expect(replica, "OK", "CONFIG SET replica-announced no");
    cr_expect(node_info_is(replica, "replica_announced", "0"));
}
