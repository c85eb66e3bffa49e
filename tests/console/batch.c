/* slotctl as a script uses it: arguments in, text or one JSON document and an exit code out. */
#include "common/slot.h"
#include "tests/support/cluster.h"
#include "tests/support/file.h"
#include "tests/support/scratch.h"
#include "tests/support/shell.h"
#include "tests/support/wait.h"
#include "tests/support/writer.h"
#include <arpa/inet.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LIMIT_MS = 60000 };

TestSuite(console_batch, .init = nodes_begin, .fini = nodes_end, .timeout = 180);

/* A test of clusters of slotd, and the same of clusters of redis-server. */
#define TEST_BOTH(name)                                                                            \
    Test(console_batch, name)                                                                      \
    {                                                                                              \
        name();                                                                                    \
    }                                                                                              \
    Test(console_batch, name##_redis)                                                              \
    {                                                                                              \
        setenv("SERVER", "redis-server", 1);                                                       \
        name();                                                                                    \
    }

/* --- running it --- */

/* Gives the exit code; what it wrote, to both outputs, is in `said`. */
static const char *said;

static int slotctl(const char *format, ...) __attribute__((format(printf, 1, 2)));

static int slotctl(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *line = scratch_vprintf(format, args);
    va_end(args);
    return shell_run(LIMIT_MS, &said, "%s %s", console_path(), line);
}

/* The same with --json; the document, which must be the only thing on standard output. */
static json_t *slotctl_json(int expected, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static json_t *slotctl_json(int expected, const char *format, ...)
{
    va_list args;
    json_error_t error;
    va_start(args, format);
    const char *line = scratch_vprintf(format, args);
    va_end(args);
    int code = shell_run(LIMIT_MS, &said, "%s --json %s 2>/dev/null", console_path(), line);
    json_t *json = json_loads(said, 0, &error);
    cr_assert_not_null(json, "%s: not one JSON document: %s\n%s", line, error.text, said);
    cr_assert_eq(code, expected, "%s: exit code %d\n%s", line, code, said);
    cr_assert_eq(json_integer_value(json_object_get(json, "exit_code")), code);
    return json;
}

static const char *text_of(const json_t *json, const char *name)
{
    const char *text = json_string_value(json_object_get(json, name));
    return text != NULL ? text : "";
}

static bool says(const char *part)
{
    return strstr(said, part) != NULL;
}

static int first_port(const struct cluster *cluster)
{
    return node_port(cluster->nodes[0]);
}

/* Without warnings: replicas have got their copies. */
static void wait_clean(const struct cluster *cluster)
{
    wait_until(30000, slotctl("-p %d check", first_port(cluster)) == 0);
}

/* --- create, status, check --- */

static void create_status_check(void)
{
    struct cluster *cluster = cluster_start_nodes(3, 1, "%s", "");
    const char *addresses = "";
    for (int i = 0; i < cluster->count; i++) {
        addresses = scratch_printf("%s %s", addresses, node_address(cluster->nodes[i]));
    }
    cr_expect_eq(slotctl("create%s --replicas 1 --dry-run", addresses), 0, "%s", said);
    cr_expect(says("make a cluster of 3 primaries with 3 replicas"), "%s", said);
    cr_expect(says("gets slots 0-5460"), "%s", said);
    cr_expect_eq(slotctl("create%s --replicas 1", addresses), 4, "%s", said);
    cr_expect(says("--yes"), "%s", said);
    cr_expect_str_eq(
        info_field(node_text(cluster->nodes[0], "CLUSTER INFO"), "cluster_known_nodes"), "1",
        "neither changed anything");
    cr_expect_eq(slotctl("-p %d status", first_port(cluster)), 1, "no slots: %s", said);

    cr_assert_eq(slotctl("create%s --replicas 1 --yes", addresses), 0, "%s", said);
    cr_assert_eq(slotctl("-p %d wait ok --timeout 20", first_port(cluster)), 0, "%s", said);
    wait_clean(cluster);
    json_t *status = slotctl_json(0, "-p %d status", first_port(cluster));
    cr_expect_str_eq(text_of(status, "verdict"), "OK", "%s", said);
    cr_expect_eq(json_integer_value(json_object_get(status, "slots_served")), SLOT_COUNT);
    cr_expect_eq(json_integer_value(json_object_get(status, "shards")), 3);
    cr_expect_eq(json_array_size(json_object_get(status, "nodes")), 6);
    json_decref(status);
    cr_expect_eq(slotctl("-p %d status", first_port(cluster)), 0);
    cr_expect(says("16384/16384 slots"), "%s", said);
    cr_expect_not(says("\033["), "no colour without a terminal: %s", said);
    json_decref(slotctl_json(0, "-p %d check", first_port(cluster)));

    cr_expect_eq(slotctl("create%s --replicas 1 --yes", addresses), 1);
    cr_expect(says("in a cluster already"), "%s", said);
}

TEST_BOTH(create_status_check)

Test(console_batch, create_refuses_keys_and_few_nodes)
{
    struct cluster *cluster = cluster_start_nodes(3, 0, "%s", "");
    const char *addresses = "";
    for (int i = 0; i < 3; i++) {
        addresses = scratch_printf("%s %s", addresses, node_address(cluster->nodes[i]));
    }
    cr_expect_eq(slotctl("create%s --replicas 1 --yes", addresses), 1);
    cr_expect(says("give at least 6 nodes"), "%s", said);
    cr_expect_eq(slotctl("create %s %s %s --yes", node_address(cluster->nodes[0]),
                     node_address(cluster->nodes[1]), node_address(cluster->nodes[1])),
        1);
    cr_expect(says("twice"), "%s", said);
    cr_expect_eq(slotctl("create nonsense --yes"), 2);
    cr_expect_eq(slotctl("create%s localhost:%d --yes", addresses, port_reserve()), 1);
    cr_expect(says("refused"), "%s", said);
}

/* --- reshard --- */

static int64_t slots_of(const struct cluster *cluster, int node)
{
    int64_t count = -1;
    json_t *status = slotctl_json(0, "-p %d status", first_port(cluster));
    size_t i;
    json_t *entry;
    json_array_foreach(json_object_get(status, "nodes"), i, entry)
    {
        if (strcmp(text_of(entry, "id"), node_id(cluster->nodes[node])) == 0) {
            count = json_integer_value(json_object_get(entry, "slot_count"));
        }
    }
    json_decref(status);
    return count;
}

static void reshard_under_load(void)
{
    struct cluster *cluster = cluster_start(3, 1, "%s", "");
    int port = first_port(cluster);
    cluster_fill(cluster, "key:", 3000);
    wait_clean(cluster);
    int64_t before = slots_of(cluster, 2);
    struct writer *writer = writer_start(cluster, NULL);
    writer_wait(writer, 500, 20000);

    cr_expect_eq(
        slotctl("-p %d reshard --to %s --slots 1000", port, node_id(cluster->nodes[2])), 4);
    json_t *dry = slotctl_json(
        0, "-p %d reshard --to %s --slots 1000 --dry-run", port, node_id(cluster->nodes[2]));
    cr_expect_eq(json_array_size(json_object_get(json_object_get(dry, "plan"), "steps")), 2);
    json_decref(dry);
    cr_expect_eq(slots_of(cluster, 2), before);

    cr_assert_eq(
        slotctl("-p %d reshard --to %s --slots 1000 --yes", port, node_id(cluster->nodes[2])), 0,
        "%s", said);
    cr_expect(says("1000 slots with"), "%s", said);
    cr_assert_eq(slotctl("-p %d wait ok --timeout 20", port), 0, "%s", said);
    cr_expect_eq(slots_of(cluster, 2), before + 1000);
    json_t *back = slotctl_json(0, "-p %d reshard --from %d --to %d --range 0-99,5461-5470 --yes",
        port, node_port(cluster->nodes[2]), port);
    cr_expect_str_eq(text_of(back, "outcome"), "succeeded");
    json_decref(back);
    writer_wait(writer, 500, 20000);
    writer_stop(writer);
    struct writer_report report = writer_report(writer);
    cr_expect_eq(report.errors, 0, "%ld errors, the first: %s", report.errors, report.first_error);
    cr_expect_eq(report.broken, 0);
    cr_expect_eq(writer_lost(writer, INT64_MAX), 0);
    writer_free(writer);
    cr_expect_eq(cluster_verify(cluster, "key:", 3000), 0);
    wait_clean(cluster);
}

TEST_BOTH(reshard_under_load)

/* A process that runs beside the test, and the file that gets its output. */
static pid_t start_slotctl(const char *output, const char *line)
{
    pid_t pid = fork();
    if (pid == 0) {
        execl("/bin/bash", "bash", "-c",
            scratch_printf("exec %s %s > %s 2>&1 </dev/null", console_path(), line, output), NULL);
        _exit(127);
    }
    return pid;
}

static bool has_moved_some(const struct cluster *cluster)
{
    struct node *owner = cluster_owner_of_slot((struct cluster *)cluster, 10);
    return owner == cluster->nodes[2];
}

/* Starts a long reshard of slots 0-2999, and signals it in the middle. */
static int reshard_cut_off(struct cluster *cluster, int signal_number)
{
    const char *output = scratch_printf("%s/reshard.out", scratch_folder());
    cluster_fill(cluster, "key:", 20000);
    pid_t pid = start_slotctl(output, scratch_printf("-p %d reshard --to %s --range 0-2999 --yes",
                                          first_port(cluster), node_id(cluster->nodes[2])));
    wait_until(30000, has_moved_some(cluster));
    int status;
    kill(pid, signal_number);
    waitpid(pid, &status, 0);
    cr_assert_eq(shell_run(LIMIT_MS, &said, "cat %s", output), 0);
    return status;
}

Test(console_batch, interrupt_cancels_cleanly)
{
    struct cluster *cluster = cluster_start(3, 0, "%s", "");
    int status = reshard_cut_off(cluster, SIGINT);
    cr_assert(WIFEXITED(status));
    cr_expect_eq(WEXITSTATUS(status), 1);
    cr_expect(says("cancelled after"), "%s", said);
    cr_expect(says("go on with: slotctl"), "%s", said);
    json_t *now = slotctl_json(0, "-p %d status", first_port(cluster));
    cr_expect_eq(json_array_size(json_object_get(now, "slots_open")), 0, "%s", said);
    cr_expect_eq(json_integer_value(json_object_get(now, "slots_served")), SLOT_COUNT);
    json_decref(now);
    cr_expect_eq(cluster_verify(cluster, "key:", 20000), 0);
}

Test(console_batch, killed_reshard_is_taken_up_again)
{
    struct cluster *cluster = cluster_start(3, 0, "%s", "");
    int64_t before = slots_of(cluster, 2);
    int status = reshard_cut_off(cluster, SIGKILL);
    cr_assert(WIFSIGNALED(status));
    cr_assert_eq(slotctl("-p %d reshard --to %s --range 0-2999 --yes", first_port(cluster),
                     node_id(cluster->nodes[2])),
        0, "%s", said);
    cr_assert_eq(slotctl("-p %d wait ok --timeout 20", first_port(cluster)), 0, "%s", said);
    json_t *now = slotctl_json(0, "-p %d status", first_port(cluster));
    cr_expect_eq(json_array_size(json_object_get(now, "slots_open")), 0, "%s", said);
    json_decref(now);
    cr_expect_eq(slots_of(cluster, 2), before + 3000);
    cr_expect_eq(cluster_verify(cluster, "key:", 20000), 0);
}

Test(console_batch, keys_at_both_ends_are_never_overwritten_unasked)
{
    struct cluster *cluster = cluster_start(3, 0, "%s", "");
    unsigned slot = slot_of_key(BYTES("{x}:key"));
    struct node *source = cluster_owner_of_slot(cluster, slot);
    struct node *target = source == cluster->nodes[2] ? cluster->nodes[1] : cluster->nodes[2];
    node_expect(source, "OK", "SET {x}:key source");
    node_expect(target, "OK", "CLUSTER SETSLOT %u IMPORTING %s", slot, node_id(source));
    node_expect(target, "OK", "ASKING");
    node_expect(target, "OK", "SET {x}:key target");

    cr_expect_eq(slotctl("-p %d reshard --to %s --range %u --yes", first_port(cluster),
                     node_id(target), slot),
        1);
    cr_expect(says("BUSYKEY"), "%s", said);
    cr_expect(says("--replace"), "%s", said);
    cr_expect(says("is open"), "%s", said);
    cr_expect_eq(slotctl("-p %d check", first_port(cluster)), 1);
    cr_expect(says("open"), "%s", said);
    cr_expect(says(scratch_printf("reshard --to %s", node_id(target))), "%s", said);
    node_expect(source, "source", "GET {x}:key");
    cr_expect_eq(slotctl("-p %d reshard --to %s --range %u --replace --yes", first_port(cluster),
                     node_id(target), slot),
        0, "%s", said);
    node_expect(target, "source", "GET {x}:key");
}

/* Runs the command that check names for the slots that are open. */
static void repair_as_check_says(const struct cluster *cluster)
{
    size_t i;
    json_t *finding, *check = slotctl_json(1, "-p %d check", first_port(cluster));
    const char *repair = NULL;
    json_array_foreach(json_object_get(check, "findings"), i, finding)
    {
        if (strcmp(text_of(finding, "kind"), "open") == 0) {
            repair = scratch_printf("%s", text_of(finding, "repair"));
        }
    }
    json_decref(check);
    cr_assert_not_null(repair, "%s", said);
    cr_assert_eq(strncmp(repair, "slotctl ", 8), 0, "%s", repair);
    cr_assert_eq(slotctl("%s --yes", repair + 8), 0, "%s: %s", repair, said);
}

/* A slot on its way to a node that hands its shard over: some keys have arrived there. */
static void open_slot_survives_failover(void)
{
    enum { KEYS = 40, ARRIVED = 15 };
    struct cluster *cluster = cluster_start(3, 1, "%s", "");
    unsigned slot = slot_of_key(BYTES("{x}"));
    struct node *source = cluster_owner_of_slot(cluster, slot);
    struct node *target = source == cluster->nodes[1] ? cluster->nodes[2] : cluster->nodes[1];
    struct node *other = cluster->nodes[0] == source ? cluster->nodes[3 - 1] : cluster->nodes[0];
    wait_clean(cluster);
    for (int i = 0; i < KEYS; i++) {
        node_expect(source, "OK", "SET {x}:%d %d", i, i);
    }
    node_expect(target, "OK", "CLUSTER SETSLOT %u IMPORTING %s", slot, node_id(source));
    node_expect(source, "OK", "CLUSTER SETSLOT %u MIGRATING %s", slot, node_id(target));
    for (int i = 0; i < ARRIVED; i++) {
        node_expect(source, "OK", "MIGRATE 127.0.0.1 %d {x}:%d 0 5000", node_port(target), i);
    }
    cr_assert_eq(
        slotctl("-p %d failover %d --yes", first_port(cluster), node_port(target)), 0, "%s", said);
    struct node *successor = cluster_replica_of(cluster, target);
    successor = successor != NULL
                    ? successor
                    : cluster_owner_of_slot(cluster, target == cluster->nodes[1] ? 8000 : 16000);
    cr_expect_eq(slotctl("-p %d reshard --to %d --range %u --yes", first_port(cluster),
                     node_port(other), slot),
        1, "keys would be left behind: %s", said);
    cr_expect(says(node_id(successor)), "the way out is named: %s", said);

    repair_as_check_says(cluster);
    cr_expect_eq(cluster_owner_of_slot(cluster, slot), successor);
    for (int i = 0; i < KEYS; i++) {
        node_expect(successor, scratch_printf("%d", i), "GET {x}:%d", i);
    }
    wait_clean(cluster);
}

TEST_BOTH(open_slot_survives_failover)

/* The node that it was on its way to is gone for good, and had nothing of it yet. */
Test(console_batch, slot_whose_target_is_gone_goes_elsewhere)
{
    struct cluster *cluster = cluster_start(3, 0, "cluster-require-full-coverage no\n");
    unsigned slot = slot_of_key(BYTES("{x}"));
    struct node *source = cluster_owner_of_slot(cluster, slot);
    struct node *gone = source == cluster->nodes[1] ? cluster->nodes[2] : cluster->nodes[1];
    struct node *other = NULL;
    for (int i = 0; i < 3; i++) {
        other =
            cluster->nodes[i] != source && cluster->nodes[i] != gone ? cluster->nodes[i] : other;
    }
    node_expect(source, "OK", "SET {x}:1 one");
    node_expect(gone, "OK", "CLUSTER SETSLOT %u IMPORTING %s", slot, node_id(source));
    node_expect(source, "OK", "CLUSTER SETSLOT %u MIGRATING %s", slot, node_id(gone));
    node_kill(gone);
    cr_expect_eq(slotctl("-p %d reshard --to %d --range %u --yes", node_port(source),
                     node_port(other), slot),
        0, "%s", said);
    cr_expect(says("put back at"), "%s", said);
    node_expect(other, "one", "GET {x}:1");
    json_t *now = slotctl_json(1, "-p %d status", node_port(source));
    cr_expect_eq(json_array_size(json_object_get(now, "slots_open")), 0, "%s", said);
    json_decref(now);
}

/* The target dies in the middle, its replica takes over: what is told must lead to the end. */
Test(console_batch, reshard_whose_target_dies)
{
    struct cluster *cluster = cluster_start(3, 1, "cluster-node-timeout 3000\n");
    int port = first_port(cluster), status;
    const char *output = scratch_printf("%s/reshard.out", scratch_folder());
    cluster_fill(cluster, "key:", 20000);
    wait_clean(cluster);
    struct node *target = cluster->nodes[2];
    struct node *successor = cluster_replica_of(cluster, target);
    pid_t pid = start_slotctl(output,
        scratch_printf("-p %d reshard --to %s --range 0-2999 --yes", port, node_id(target)));
    wait_until(30000, has_moved_some(cluster));
    node_kill(target);
    waitpid(pid, &status, 0);
    cr_assert_eq(shell_run(LIMIT_MS, &said, "cat %s", output), 0);
    cr_assert(WIFEXITED(status));
    cr_expect_eq(WEXITSTATUS(status), 1, "%s", said);
    cr_expect(says("of 3000 slots are moved"), "%s", said);
    cr_expect(says(scratch_printf("go on with: slotctl -h 127.0.0.1 -p %d reshard", port)),
        "at a node that lives: %s", said);
    wait_until(30000, strcmp(node_role(successor), "master") == 0);
    wait_until(30000, slotctl("-p %d wait ok --timeout 20", port) == 0);

    cr_assert_eq(slotctl("-p %d reshard --to %d --range 0-2999 --yes", port, node_port(successor)),
        0, "%s", said);
    cr_expect_eq(cluster_owner_of_slot(cluster, 2999), successor);
    json_t *now = slotctl_json(0, "-p %d status", port);
    cr_expect_eq(json_array_size(json_object_get(now, "slots_open")), 0, "%s", said);
    json_decref(now);
    /* What the dead one had acknowledged in its last moment was its alone. */
    enum { LAST_MOMENT = 200 };
    cr_expect_leq(cluster_verify(cluster, "key:", 20000), LAST_MOMENT);
}

/* --- failover, wait --- */

static void failover_and_wait(void)
{
    struct cluster *cluster = cluster_start(3, 1, "%s", "");
    int port = first_port(cluster);
    struct node *primary = cluster->nodes[0], *replica;
    wait_clean(cluster);
    replica = cluster_replica_of(cluster, primary);
    cr_assert_not_null(replica);
    cr_expect_eq(slotctl("-p %d failover %d", port, port), 4, "%s", said);
    cr_assert_eq(slotctl("-p %d failover %d --yes", port, port), 0, "%s", said);
    cr_expect_str_eq(node_role(replica), "master");
    cr_expect_str_eq(node_role(primary), "slave");
    cr_expect(says("is primary after"), "%s", said);

    node_kill(replica); /* the new primary */
    cr_expect_eq(slotctl("-p %d wait ok --timeout 40", port), 0, "%s", said);
    wait_until(20000, strcmp(node_role(primary), "master") == 0);
    json_t *check = slotctl_json(1, "-p %d check", port);
    cr_expect_gt(json_integer_value(json_object_get(check, "warnings")) +
                     json_integer_value(json_object_get(check, "problems")),
        0);
    json_decref(check);
    cr_expect_eq(slotctl("-p %d failover %d --yes", port, port), 1);
    cr_expect(says("no replica that answers"), "%s", said);
}

TEST_BOTH(failover_and_wait)

/* --- nodes that hang --- */

Test(console_batch, a_hanging_node_hangs_nothing)
{
    struct cluster *cluster = cluster_start(3, 0, "cluster-node-timeout 20000\n");
    int port = first_port(cluster);
    node_pause(cluster->nodes[1]);
    int64_t start = now_ms();
    json_t *status = slotctl_json(1, "-p %d status", port);
    cr_expect_str_eq(text_of(status, "verdict"), "FAIL", "%s", said);
    json_decref(status);
    cr_expect_eq(slotctl("-p %d check", port), 1);
    cr_expect(says("doesn't answer"), "%s", said);
    cr_expect_eq(
        slotctl("-p %d status --timeout 0.5", node_port(cluster->nodes[1])), 3, "%s", said);
    cr_expect_eq(
        slotctl("-p %d --timeout 0.5 exec PING", node_port(cluster->nodes[1])), 3, "%s", said);
    cr_expect(says("no answer to PING within 0.5 s"), "%s", said);
    cr_expect_eq(slotctl("-p %d wait ok --timeout 1", port), 1, "%s", said);
    cr_expect_lt(now_ms() - start, wait_deadline(20000) - now_ms());
    node_resume(cluster->nodes[1]);
    cr_expect_eq(slotctl("-p %d wait ok --timeout 20", port), 0, "%s", said);
}

Test(console_batch, no_connection_is_3)
{
    int port = port_reserve();
    cr_expect_eq(slotctl("-p %d status", port), 3, "%s", said);
    cr_expect(says("refused"), "%s", said);
    cr_expect_eq(slotctl("-p %d exec PING", port), 3, "%s", said);
    json_t *json = slotctl_json(3, "-p %d check", port);
    cr_expect(strstr(text_of(json, "error"), "refused") != NULL, "%s", said);
    json_decref(json);
}

/* A process that listens on the port and gives everyone the same answer, until it is killed. */
static pid_t start_stranger(int port, const char *answer)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int on = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    cr_assert_eq(bind(listener, (struct sockaddr *)&to, sizeof to), 0);
    cr_assert_eq(listen(listener, 8), 0);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) {
            char asked[4096];
            int connection = accept(listener, NULL, NULL);
            if (read(connection, asked, sizeof asked) <= 0 ||
                write(connection, answer, strlen(answer)) < 0) {
                close(connection);
            }
        }
    }
    close(listener);
    return pid;
}

/* Whatever answers there: it must not be taken for a node, and must not end the program badly. */
Test(console_batch, strangers_are_no_nodes)
{
    static const char *const answers[] = {
        "HTTP/1.1 400 Bad Request\r\n\r\n",
        "+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n",
        "*100000000\r\n",
        "$5\r\nhello\r\n$5\r\nhello\r\n$5\r\nhello\r\n$5\r\nhello\r\n",
        "-ERR no\r\n-ERR no\r\n-ERR no\r\n-ERR no\r\n",
        "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n",
        "",
    };
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        int port = port_reserve();
        pid_t stranger = start_stranger(port, answers[i]);
        int code = slotctl("-p %d --timeout 1 status", port);
        cr_expect_eq(code, 3, "\"%s\": exit code %d: %s", answers[i], code, said);
        cr_expect_not(says("refused"), "%s", said);
        kill(stranger, SIGKILL);
        waitpid(stranger, NULL, 0);
    }
}

/* --- exec --- */

Test(console_batch, exec_follows_redirects)
{
    struct cluster *cluster = cluster_start(3, 0, "%s", "");
    int port = first_port(cluster);
    for (int i = 0; i < 20; i++) {
        cr_assert_eq(slotctl("-p %d exec SET key:%d 'value %d'", port, i, i), 0, "%s", said);
        cr_expect_str_eq(said, "OK\n");
        cr_assert_eq(slotctl("-p %d exec GET key:%d", port, i), 0, "%s", said);
        cr_expect_str_eq(said, scratch_printf("value %d\n", i));
    }
    cr_expect_eq(slotctl("-p %d exec GET nothing", port), 0);
    cr_expect_str_eq(said, "\n");
    cr_expect_eq(slotctl("-p %d exec INCR key:1", port), 1);
    cr_expect(says("ERR value is not an integer"), "%s", said);
    cr_expect_eq(slotctl("-p %d exec SUBSCRIBE news", port), 2);
    cr_expect_eq(slotctl("-p %d exec ECHO --json", port), 0);
    cr_expect_str_eq(said, "--json\n", "behind exec all words belong to the command");
    json_t *json = slotctl_json(0, "-p %d exec COMMAND COUNT", port);
    cr_expect_gt(json_integer_value(json_object_get(json, "reply")), 50);
    json_decref(json);
    json = slotctl_json(1, "-p %d exec NOSUCHCOMMAND", port);
    cr_expect(strstr(text_of(json, "error"), "unknown command") != NULL, "%s", said);
    json_decref(json);

    /* ASK: the key is at the target already, and only the open slot tells. */
    unsigned slot = slot_of_key(BYTES("{y}"));
    struct node *source = cluster_owner_of_slot(cluster, slot);
    struct node *target = source == cluster->nodes[2] ? cluster->nodes[1] : cluster->nodes[2];
    node_expect(target, "OK", "CLUSTER SETSLOT %u IMPORTING %s", slot, node_id(source));
    node_expect(source, "OK", "CLUSTER SETSLOT %u MIGRATING %s", slot, node_id(target));
    cr_expect_eq(slotctl("-p %d exec SET {y} there", node_port(source)), 0, "%s", said);
    cr_expect_eq(slotctl("-p %d exec GET {y}", node_port(source)), 0, "%s", said);
    cr_expect_str_eq(said, "there\n");
}

Test(console_batch, passwords)
{
    struct cluster *cluster = cluster_start_nodes(3, 0, "%s", "");
    int port = first_port(cluster);
    cluster_make(cluster, CLUSTER_BY_COMMANDS);
    cluster_fill(cluster, "key:", 500);
    for (int i = 0; i < cluster->count; i++) {
        node_expect(cluster->nodes[i], "OK", "CONFIG SET masterauth secret requirepass secret");
    }
    cr_expect_eq(slotctl("-p %d exec GET key:1", port), 1, "%s", said);
    cr_expect(says("NOAUTH"), "%s", said);
    cr_expect_eq(slotctl("-p %d status", port), 3, "%s", said);
    cr_expect_eq(slotctl("-p %d -a wrong status", port), 3, "%s", said);
    cr_expect(says("WRONGPASS"), "%s", said);
    cr_expect_eq(slotctl("-p %d -a secret exec GET key:1", port), 0, "%s", said);
    cr_expect_eq(slotctl("-u redis://:secret@127.0.0.1:%d status", port), 0, "%s", said);
    cr_expect_eq(
        shell_run(LIMIT_MS, &said,
            "SLOTCTL_AUTH=secret %s -p %d --user default reshard --to %s --slots 300 --yes",
            console_path(), port, node_id(cluster->nodes[1])),
        0, "%s", said);
    cr_expect(says("300 slots with"), "%s", said);
}

/* --- batch files --- */

static const char *write_script(const char *text)
{
    const char *path = scratch_printf("%s/script", scratch_folder());
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file);
    cr_assert_geq(fputs(text, file), 0);
    cr_assert_eq(fclose(file), 0);
    return path;
}

Test(console_batch, batch_files)
{
    struct cluster *cluster = cluster_start(3, 0, "%s", "");
    int port = first_port(cluster);
    const char *good = write_script("# a comment\n"
                                    "\n"
                                    "exec SET greeting \"hello \\\"you\\\"\"\n"
                                    "   exec SET 'it''\n");
    cr_expect_eq(slotctl("-p %d batch %s", port, good), 2, "%s", said);
    cr_expect(says("script:4: "), "the quote of line 4: %s", said);
    cr_expect_eq(slotctl("-p %d exec GET greeting", port), 0);
    cr_expect_str_eq(said, "hello \"you\"\n");

    const char *bad = write_script("exec SET a 1\nexec INCR greeting\nexec SET b 2\nstatsu\n");
    cr_expect_eq(slotctl("-p %d batch %s", port, bad), 1, "%s", said);
    cr_expect(says("script:2: "), "%s", said);
    cr_expect_eq(slotctl("-p %d exec EXISTS b", port), 0);
    cr_expect_str_eq(said, "0\n", "it stopped at the first failure");
    cr_expect_eq(
        slotctl("-p %d batch --keep-going %s", port, bad), 1, "the first failure's code: %s", said);
    cr_expect(says("script:4: unknown command \"statsu\"; did you mean \"status\"?"), "%s", said);
    cr_expect(says("2 of 4 commands failed"), "%s", said);
    cr_expect_eq(slotctl("-p %d exec GET b", port), 0);
    cr_expect_str_eq(said, "2\n");

    json_t *json = slotctl_json(1, "-p %d batch %s", port, bad);
    cr_expect_eq(json_array_size(json_object_get(json, "results")), 2);
    cr_expect(strstr(text_of(json, "error"), "script:2: ") != NULL, "%s", said);
    json_decref(json);

    cr_expect_eq(shell_run(LIMIT_MS, &said, "printf 'exec SET c 3\\nexec GET c' | %s -p %d batch -",
                     console_path(), port),
        0, "%s", said);
    cr_expect_str_eq(said, "OK\n3\n");
    const char *change =
        write_script(scratch_printf("reshard --to %s --slots 1\n", node_id(cluster->nodes[0])));
    cr_expect_eq(slotctl("-p %d batch %s", port, change), 4, "%s", said);
    cr_expect_eq(slotctl("-p %d --yes batch %s", port, change), 0, "%s", said);
    cr_expect_eq(slotctl("-p %d batch %s", port, write_script("status -p 1\n")), 2, "%s", said);
    cr_expect(says("can't change the connection"), "%s", said);
    cr_expect_eq(slotctl("-p %d batch /no/such/file", port), 2, "%s", said);
}

/* --- usage --- */

Test(console_batch, usage_is_2)
{
    static const struct {
        const char *line, *hint;
    } wrong[] = {
        { "statsu", "did you mean \"status\"?" },
        { "resh", "did you mean \"reshard\"?" },
        { "qwertyuiop", "--help" },
        { "--nonsense", "--help" },
        { "status --nonsense", "status --help" },
        { "status now", "is too much" },
        { "-p", "behind it" },
        { "-p 99999 status", "1 to 65535" },
        { "-u http://x status", "redis://" },
        { "--timeout soon status", "seconds" },
        { "create", "usage: slotctl create" },
        { "failover", "usage: slotctl failover" },
        { "failover 1 --force --takeover", "give one of them" },
        { "wait better", "only \"ok\"" },
        { "up", "--dir" },
        { "up --dir x --nodes 5", "--nodes 6" },
        { "batch", "usage: slotctl batch" },
        { "", "terminal" },
        { "--json", "command" },
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        int code = slotctl("%s", wrong[i].line);
        cr_expect_eq(code, 2, "%s: exit code %d: %s", wrong[i].line, code, said);
        cr_expect(says(wrong[i].hint), "%s: %s", wrong[i].line, said);
    }
}

Test(console_batch, help_lists_everything)
{
    cr_expect_eq(slotctl("--help"), 0);
    static const char *const names[] = { "status", "check", "create", "reshard", "failover", "wait",
        "exec", "batch", "up", "down", "exit codes:", "--dry-run", "SLOTCTL_AUTH" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        cr_expect(says(names[i]), "%s is missing in %s", names[i], said);
    }
    cr_expect_eq(slotctl("reshard --help"), 0);
    cr_expect(says("--range"), "%s", said);
    cr_expect_eq(slotctl("--version"), 0);
    cr_expect(says("slotctl "), "%s", said);
    cr_expect_eq(
        shell_run(LIMIT_MS, &said, "%s --help > /dev/full", console_path()), 1, "%s", said);
    cr_expect(says("standard output"), "%s", said);
}

/* --- up, down --- */

/* The first of six ports that are free, with their bus ports, and stay ours. */
static int reserve_six(void)
{
    for (int tries = 0; tries < 200; tries++) {
        int first = port_reserve(), got = 1;
        while (got < 6 && port_reserve() == first + got) {
            got++;
        }
        if (got == 6) {
            return first;
        }
    }
    cr_assert_fail("no six free ports in a row");
    return 0;
}

Test(console_batch, up_and_down)
{
    int port = reserve_six();
    const char *dir = scratch_printf("%s/demo", scratch_folder());
    const char *up = scratch_printf("up --dir %s --port %d --server %s", dir, port, server_path());
    cr_expect_eq(slotctl("%s", up), 4, "%s", said);
    cr_expect_eq(slotctl("%s --dry-run", up), 0, "%s", said);
    cr_expect_eq(shell_run(LIMIT_MS, NULL, "test -e %s", dir), 1, "nothing was made");
    cr_assert_eq(slotctl("%s --yes", up), 0, "%s", said);
    cr_expect_eq(slotctl("-p %d wait ok --timeout 20", port), 0, "%s", said);
    cr_expect_eq(slotctl("-p %d exec SET a 1", port), 0, "%s", said);
    cr_expect_eq(slotctl("%s", up), 0, "run twice it finds it running: %s", said);
    cr_expect(says("runs already"), "%s", said);

    const char *other = scratch_printf("%s/other", scratch_folder());
    cr_expect_eq(slotctl("up --dir %s --port %d --server %s --yes", other, port, server_path()), 1);
    cr_expect(says(scratch_printf("port %d is busy", port)), "%s", said);

    cr_expect_eq(slotctl("down --dir %s", dir), 4, "%s", said);
    cr_expect_eq(slotctl("down --dir %s --yes", dir), 0, "%s", said);
    cr_expect(says("stopped"), "%s", said);
    cr_expect_eq(slotctl("-p %d exec PING", port), 3, "%s", said);
    cr_expect_eq(slotctl("down --dir %s --yes", dir), 0, "%s", said);
    cr_expect(says("wasn't running"), "%s", said);

    cr_expect_eq(slotctl("%s --yes", up), 0, "it comes back with its data: %s", said);
    cr_expect_eq(slotctl("-p %d exec GET a", port), 0, "%s", said);
    cr_expect_str_eq(said, "1\n");
    cr_expect_eq(slotctl("down --dir %s --yes", dir), 0, "%s", said);
}
