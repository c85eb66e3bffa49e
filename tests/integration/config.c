/* Starting: redis.conf and what is wrong in it, nodes.conf and who holds it, and CONFIG at run
 * time. */
#include "tests/support/cluster.h"
#include "tests/support/file.h"
#include "tests/support/raw.h"
#include "tests/support/scratch.h"
#include "tests/support/shell.h"
#include "tests/support/wait.h"
#include <sys/stat.h>
#include <sys/wait.h>

TestSuite(config, .init = nodes_begin, .fini = nodes_end, .timeout = 60);

/* Starts and must not come up; gives what it said. */
static const char *refused(struct node *node, const char *args)
{
    node_spawn(node, args);
    int status = node_wait_exit(node, 10000);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) != 0, "wait status 0x%x", status);
    return node_log(node);
}

/* Said with the file, the line's number, and the directive. */
Test(config, bad_directives)
{
    static const char *const lines[] = {
        "no-such-directive yes",
        "port many",
        "port 70000",
        "appendonly maybe",
        "appendfsync sometimes",
        "cluster-node-timeout -5",
        "save 10",
        "loglevel shouting",
        "cluster-config-file \"unbalanced",
        "port 1 2",
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
        struct node *node = node_prepare("# one\n\n%s\nhz 10\n", lines[i]);
        const char *log = refused(node, "");
        const char *word = scratch_copy(lines[i], strcspn(lines[i], " "));
        cr_expect_not_null(strstr(log, word), "%s is not named in:\n%s", word, log);
        cr_expect(strstr(log, "line 6") != NULL || strstr(log, "redis.conf:6") != NULL,
            "%s: line 6 is not named in:\n%s", lines[i], log);
        if (server_is_slotd())
            cr_expect_not_null(
                strstr(log, "redis.conf"), "%s: no file named in:\n%s", lines[i], log);
    }
}

/* What there is not is said as such. */
Test(config, modules_are_refused)
{
    struct node *node = node_prepare("loadmodule /usr/lib/some.so\n");
    const char *log = refused(node, "");
    if (server_is_slotd())
        cr_expect_not_null(strstr(log, "slotd has no modules"), "%s", log);
}

/* Clients call it otherwise, files and the stream do not. */
Test(config, renamed_commands)
{
    const char *lines = "rename-command KEYS \"\"\nrename-command SET put\n"
                        "rename-command DEL \"\"\nrename-command config \"s3cret\"\n";
    struct node *node = node_start("appendonly yes\n%s", lines);
    node_expect(node, "-ERR unknown command 'KEYS', with args beginning with: '*' ", "KEYS *");
    node_expect(node, "-ERR unknown command 'SET', with args beginning with: 'a' 'b' ", "SET a b");
    node_expect(node, "OK", "put a b");
    node_expect(node, "-ERR wrong number of arguments for 'set' command", "PUT a");
    node_expect(node, "[maxmemory, 0]", "S3CRET GET maxmemory");
    node_expect(node, "[]", "COMMAND LIST FILTERBY pattern keys");
    node_expect(node, "[set]", "COMMAND LIST FILTERBY pattern set");
    node_expect(node, "[(nil)]", "COMMAND INFO keys");
    node_expect(node, "OK", "put gone v PX 1");
    wait_until(5000, strcmp(node_text(node, "EXISTS gone"), "0") == 0);
    if (server_is_slotd()) { /* a DEL of the server's own; redis-server would not start again */
        struct node *replica = node_start("replicaof 127.0.0.1 %d\n%s", node_port(node), lines);
        wait_until(10000, node_in_sync(replica, node));
        node_expect(node, "OK", "put c d PX 1");
        node_expect(node, "OK", "put e f");
        wait_until(10000, strcmp(node_text(replica, "GET e"), "f") == 0);
        node_stop(node);
        node_restart(node);
        node_expect(node, "b", "GET a");
        node_expect(node, "0", "EXISTS gone c");
    }
    static const char *const wrong[] = { "rename-command NOSUCH x", "rename-command GET SET",
        "rename-command GET", "rename-command GET \"\" more" };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        const char *log = refused(node_prepare("%s\n", wrong[i]), "");
        cr_expect_not_null(strstr(log, wrong[i]), "%s is not shown in:\n%s", wrong[i], log);
    }
}

Test(config, command_line)
{
    struct node *node = node_prepare("maxclients 100\n");
    node_spawn(node, "--maxclients 200 --requirepass 'two words' --appendonly no --save 900 1");
    node_wait_ready(node, 10000);
    node_expect(node, "-NOAUTH Authentication required.", "CONFIG GET maxclients");
    node_expect(node, "OK", "AUTH %s", "two words");
    node_expect(node, "[maxclients, 200]", "CONFIG GET maxclients");
    node_expect(node, "[save, 900 1]", "CONFIG GET save");
}

Test(config, missing_file)
{
    struct node *node = node_prepare(" ");
    unlink(node_path(node, "redis.conf"));
    const char *log = refused(node, "");
    cr_expect_not_null(strstr(log, "redis.conf"), "%s", log);
}

Test(config, busy_port)
{
    struct node *first = node_start("%s", "");
    struct node *second = node_prepare(" ");
    node_write_config(second, "port %d\nbind 127.0.0.1\n", node_port(first));
    const char *log = refused(second, "");
    cr_expect_not_null(strstr(log, "Address already in use"), "%s", log);
    cr_expect_not_null(strstr(log, scratch_printf("%d", node_port(first))), "%s", log);
}

/* A bus port that is taken is said as well, before the node has become anybody. */
Test(config, busy_bus_port)
{
    struct node *first = node_start("%s", "");
    struct node *second = node_prepare("cluster-enabled yes\ncluster-port %d\n", node_port(first));
    const char *log = refused(second, "");
    cr_expect_not_null(strstr(log, "Address already in use"), "%s", log);
}

/* A second process on the same nodes.conf is refused; the first goes on. */
Test(config, nodes_conf_is_locked)
{
    struct node *first = node_start("cluster-enabled yes\n");
    struct node *second = node_prepare("cluster-enabled yes\ndir %s\n", node_folder(first));
    const char *log = refused(second, "");
    cr_expect_not_null(strstr(log, "nodes.conf"), "%s", log);
    node_expect(first, "PONG", "PING");
    node_kill(first);
    node_launch(second);
}

/* A damaged nodes.conf: a clear error, and the file is left as it is. */
Test(config, nodes_conf_is_damaged)
{
    static const char *const damaged[] = {
        "this is not a node\n",
        "0123456789012345678901234567890123456789 127.0.0.1:7000@17000 myself,master - 0 0 1 "
        "connected 0-99999\nvars currentEpoch 1 lastVoteEpoch 0\n",
        "0123456789012345678901234567890123456789 127.0.0.1:7000@17000 myself,nonsense - 0 0 1 "
        "connected\n",
        "0123456789012345678901234567890123456789 127.0.0.1:7000@17000 master - 0 0 1 connected\n"
        "vars currentEpoch 1 lastVoteEpoch 0\n",
        "0123456789012345678901234567890123456789 127.0.0.1:7000@17000 myself,master\n",
        "vars currentEpoch\n",
    };
    for (size_t i = 0; i < sizeof(damaged) / sizeof(*damaged); i++) {
        struct node *node = node_prepare("cluster-enabled yes\n");
        file_write_text(node_path(node, "nodes.conf"), damaged[i]);
        node_spawn(node, "");
        int status = node_wait_exit(node, 10000);
        cr_expect_neq(status, 0, "damage %zu was accepted", i);
        if (server_is_slotd())
            cr_expect(node_log_has(node, "nodes.conf"), "%s", node_log(node));
        cr_expect_str_eq(file_read(node_path(node, "nodes.conf"), NULL), damaged[i]);
    }
}

/* What a node knows is in nodes.conf before it says OK: a kill right behind loses nothing. */
Test(config, nodes_conf_survives_kills)
{
    struct node *node = node_start("cluster-enabled yes\n");
    for (int i = 0; i < 10; i++) {
        node_expect(node, "OK", "CLUSTER ADDSLOTS %d", i * 2);
        node_kill(node);
        node_restart(node);
        const char *expected = scratch_printf("cluster_slots_assigned:%d\r\n", i + 1);
        cr_expect_not_null(strstr(node_text(node, "CLUSTER INFO"), expected));
    }
    cr_expect(wait_for(5000, file_find(node_folder(node), ".tmp") == NULL),
        "a temporary file is left: %s", file_find(node_folder(node), ".tmp"));
}

/* A nodes.conf of Redis itself is read. */
Test(config, nodes_conf_of_redis)
{
    struct node *node = node_prepare("cluster-enabled yes\n");
    const char *text = scratch_printf(
        "aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd 127.0.0.1:%d@%d myself,master - 0 0 7 connected "
        "0-101 200 [101->-1111111111222222222233333333334444444444]\n"
        "1111111111222222222233333333334444444444 127.0.0.1:1@10001 master - 0 0 8 connected "
        "300-400\nvars currentEpoch 9 lastVoteEpoch 3\n",
        node_port(node), node_port(node) + 10000);
    file_write_text(node_path(node, "nodes.conf"), text);
    node_launch(node);
    cr_expect_str_eq(node_text(node, "CLUSTER MYID"), "aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd");
    const char *info = node_text(node, "CLUSTER INFO");
    cr_expect_eq(info_number(info, "cluster_current_epoch"), 9);
    cr_expect_eq(info_number(info, "cluster_my_epoch"), 7);
    cr_expect_eq(info_number(info, "cluster_slots_assigned"), 204);
    const char *line = cluster_line_of(node, node);
    cr_expect_not_null(
        strstr(line, " 0-101 200 [101->-1111111111222222222233333333334444444444]"), "%s", line);
}

Test(config, set_and_rewrite)
{
    struct node *node = node_prepare("# a comment stays\nmaxclients 500\ntimeout 7\n");
    node_launch(node);
    node_expect(node, "OK", "CONFIG SET timeout 11 maxclients 400");
    node_expect(node, "[timeout, 11]", "CONFIG GET timeout");
    node_expect(node, "-ERR *", "CONFIG SET timeout nonsense");
    node_expect(node, "-ERR *", "CONFIG SET timeout 12 no-such-thing 1");
    node_expect(node, "[timeout, 11]", "CONFIG GET timeout");
    node_expect(node, "OK", "CONFIG REWRITE");
    const char *text = file_read(node_path(node, "redis.conf"), NULL);
    cr_expect_not_null(strstr(text, "# a comment stays\n"), "%s", text);
    cr_expect_not_null(strstr(text, "timeout 11\n"), "%s", text);
    cr_expect_not_null(strstr(text, "maxclients 400\n"), "%s", text);
    cr_expect_null(strstr(text, "timeout 7"), "%s", text);
    node_stop(node);
    node_restart(node);
    node_expect(node, "[timeout, 11]", "CONFIG GET timeout");
}

Test(config, unix_socket)
{
    struct node *node = node_start("unixsocket node.sock\nunixsocketperm 700\n");
    struct client *client = client_open_unix(node_path(node, "node.sock"));
    client_expect(client, "PONG", "PING");
    client_expect(client, "OK", "SET k v");
    node_expect(node, "v", "GET k");
    struct stat status;
    cr_expect_eq(stat(node_path(node, "node.sock"), &status), 0);
    cr_expect_eq(status.st_mode & 0777, 0700);
    client_close(client);
    node_stop(node);
    cr_expect_not(file_exists(node_path(node, "node.sock")));
}

/* daemonize, pidfile, logfile, dir: as service scripts use them. */
Test(config, daemon)
{
    int port = port_reserve();
    const char *folder = scratch_folder();
    file_write_text(scratch_printf("%s/daemon.conf", folder),
        scratch_printf("port %d\nbind 127.0.0.1\ndaemonize yes\npidfile %s/pid\nlogfile %s/log\n"
                       "dir %s\nappendonly yes\n",
            port, folder, folder, folder));
    const char *output;
    int status = shell_run(10000, &output, "%s daemon.conf; echo status $?", server_path());
    cr_assert_eq(status, 0);
    cr_expect_not_null(strstr(output, "status 0"), "%s", output);
    const char *path = scratch_printf("%s/pid", folder);
    wait_until(10000, file_exists(path) && file_size(path) > 0);
    int pid = atoi(file_read(path, NULL));
    cr_assert_gt(pid, 1);
    /* A daemon does not die with the test: from here to its end nothing may leave the test. */
    struct client *client = client_open(port);
    const char *reply;
    cr_expect(wait_for(
        10000, (reply = client_try(client, "PING")) != NULL && strcmp(reply, "PONG") == 0));
    reply = client_try(client, "SET k v");
    cr_expect(reply != NULL && strcmp(reply, "OK") == 0, "%s", reply);
    client_try(client, "SHUTDOWN NOSAVE");
    bool gone = wait_for(10000, kill(pid, 0) != 0);
    if (!gone)
        kill(pid, SIGKILL);
    cr_expect(gone, "SHUTDOWN left process %d", pid);
    cr_expect_not(file_exists(path), "the pidfile is left");
    cr_expect_gt(file_size(scratch_printf("%s/log", folder)), 0);
}

/* protected-mode: no password, no bind: only this machine is let in. Here: loopback is. */
Test(config, protected_mode)
{
    struct node *node = node_prepare(" ");
    node_write_config(node, "port %d\nprotected-mode yes\n", node_port(node));
    node_launch(node);
    node_expect(node, "PONG", "PING");
    node_expect(node, "[protected-mode, yes]", "CONFIG GET protected-mode");
}

Test(config, password)
{
    struct node *node = node_start("requirepass secret\n");
    struct raw *raw = raw_open(node_port(node));
    raw_expect(raw, "-NOAUTH Authentication required.\r\n", "GET k");
    raw_expect(raw,
        "-NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO "
        "AUTH <user> <pass> option can be used to authenticate the client and select the "
        "RESP protocol version at the same time\r\n",
        "HELLO 3");
    raw_expect(
        raw, "-WRONGPASS invalid username-password pair or user is disabled.\r\n", "AUTH wrong");
    raw_expect(raw, "-WRONGPASS invalid username-password pair or user is disabled.\r\n",
        "AUTH nobody secret");
    raw_expect(raw, "+OK\r\n", "AUTH default secret");
    raw_expect(raw, "$-1\r\n", "GET k");
    raw_close(raw);
}
