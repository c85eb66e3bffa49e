/* Users over the life of nodes: in files, over restarts, between nodes, and changed while their
 * clients are at work. */
#include "tests/support/cluster.h"
#include "tests/support/file.h"
#include "tests/support/scratch.h"
#include "tests/support/shell.h"
#include "tests/support/wait.h"
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>

TestSuite(acl, .init = nodes_begin, .fini = nodes_end, .timeout = 60);

/* Must not come up; gives what it said. */
static const char *refused(struct node *node)
{
    node_spawn(node, NULL);
    int status = node_wait_exit(node, 10000);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) != 0, "wait status 0x%x", status);
    return node_log(node);
}

static struct node *with_aclfile(const char *text)
{
    struct node *node = node_prepare(" ");
    char *path = node_path(node, "users.acl");
    node_add_config(node, "aclfile %s\n", path);
    if (text)
        file_write_text(path, text);
    return node;
}

/* ---- The aclfile ---- */

Test(acl, file)
{
    struct node *node = with_aclfile("user one on >secret ~a* +get\n\n  user two (+set ~b*)  \n");
    const char *path = node_path(node, "users.acl");
    node_launch(node);
    node_expect(node, "[default, one, two]", "ACL USERS");
    struct client *client = client_open(node_port(node));
    client_expect(client, "OK", "AUTH one secret");
    client_expect(client, "(nil)", "GET a");
    client_expect(client, "-NOPERM *", "GET b");
    node_expect(node, "OK", "ACL SETUSER three on nopass +@read -get ~x %%R~y");
    node_expect(node, "OK", "ACL SETUSER default nopass ~* -debug");
    const char *before = node_text(node, "ACL LIST");
    node_expect(node, "OK", "ACL SAVE");
    cr_expect_not_null(strstr(file_read(path, NULL), "user three on nopass ~x %R~y "), "%s",
        file_read(path, NULL));
    node_expect(node, "1", "ACL DELUSER three");
    node_expect(node, "OK", "CLIENT SETNAME stays");
    node_expect(node, "OK", "ACL LOAD");
    node_expect(node, before, "ACL LIST");
    node_expect(node, "stays", "CLIENT GETNAME"); /* the default user's connections stay */
    wait_until(5000,
        !client_run(client, "GET a") || !strcmp(client_text(client, "ACL WHOAMI"), "default"));
    node_stop(node);
    node_restart(node);
    node_expect(node, before, "ACL LIST");
}

Test(acl, file_that_is_wrong)
{
    struct node *node = with_aclfile("user one on\n");
    const char *path = node_path(node, "users.acl");
    node_launch(node);
    const char *before = node_text(node, "ACL LIST");
    file_write_text(path, "user x on nopass +@all ~*\nuser x off\nfoo\nuser y +nosuch +foo ~a b c\n"
                          "user z (+get\nuser\n");
    node_expect(node,
        scratch_printf(
            "-ERR WARNING: Duplicate user 'x' found on line 2. %s:3 should start with user keyword "
            "followed by the username. %s:4: Error in applying operation '+nosuch': Unknown "
            "command or category name in ACL. %s:4: Error in applying operation '+foo': Unknown "
            "command or category name in ACL. %s:4: Syntax error. %s:5: Unmatched parenthesis in "
            "selector definition.%s:6 should start with user keyword followed by the username. "
            "WARNING: ACL errors detected, no change to the previously active ACL rules was "
            "performed",
            path, path, path, path, path, path),
        "ACL LOAD");
    node_expect(node, before, "ACL LIST");
    unlink(path);
    node_expect(node,
        scratch_printf(
            "-ERR Error loading ACLs, opening file '%s': No such file or directory", path),
        "ACL LOAD");
    node_stop(node);
    cr_expect_not_null(strstr(refused(node), "users.acl"), "%s", node_log(node));
}

Test(acl, file_and_lines)
{
    struct node *node = with_aclfile("user one on\n");
    node_add_config(node, "user two on\n");
    const char *log = refused(node);
    cr_expect_not_null(strstr(log, "users"), "%s", log);
}

/* ---- The configuration ---- */

Test(acl, lines_of_the_configuration)
{
    struct node *node = node_prepare("user one on \">with space\" ~a* (+get ~b*) +set\n"
                                     "hz 20\n"
                                     "user default on nopass ~* &* +@all -debug\n");
    node_launch(node);
    node_expect(node, "OK", "AUTH one %s", "with space");
    node_expect(node, "OK", "SET a 1");
    node_expect(node, "-NOPERM *", "ACL LIST");
    client_break(node_client(node));
    /* Redis writes quotes as they are, and then cannot read the line. */
    const char *quotes = server_is_slotd() ? "~\"q ~it's" : "~q";
    node_expect(node, "OK", scratch_printf("ACL SETUSER two on >p %s &c +@list", quotes));
    node_expect(node, "OK", "ACL SETUSER one -set");
    const char *before = node_text(node, "ACL LIST");
    node_expect(node, "OK", "CONFIG REWRITE");
    const char *text = file_read(node_path(node, "redis.conf"), NULL);
    cr_expect_not_null(strstr(text, "user two on"), "%s", text);
    cr_expect_not_null(strstr(text, "hz 20"), "%s", text);
    node_stop(node);
    node_restart(node);
    node_expect(node, before, "ACL LIST");
    node_expect(node, "2", "ACL DELUSER one two");
}

Test(acl, lines_that_are_wrong)
{
    static const char *const lines[] = { "user", "user a +nosuch", "user a (+get", "user a ~x y",
        "user a on\nuser a off" };
    for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
        struct node *node = node_prepare("%s\n", lines[i]);
        const char *log = refused(node);
        cr_expect_not_null(strstr(log, "user"), "%s: %s", lines[i], log);
    }
}

/* requirepass is the default user's password, in the file and at run time. */
Test(acl, requirepass)
{
    struct node *node = node_start("requirepass secret\n");
    node_expect(node, "-NOAUTH *", "PING");
    node_expect(node, "OK", "AUTH secret");
    node_expect(node, "OK", "CONFIG SET requirepass other");
    wait_until(10000, !strcmp(node_text(node, "PING"), "PONG")); /* who is in stays in */
    node_expect(node, "OK", "CONFIG REWRITE");
    node_stop(node);
    node_restart(node);
    client_break(node_client(node));
    node_expect(node, "-WRONGPASS *", "AUTH secret");
    node_expect(node, "OK", "AUTH default other");
    node_expect(node, "OK", "ACL SETUSER default >third");
    node_expect(node, "OK", "CONFIG REWRITE");
    node_stop(node);
    node_restart(node);
    client_break(node_client(node));
    node_expect(node, "OK", "AUTH third");
    node_expect(node, "OK", "AUTH other");
}

/* ---- The log ---- */

/* Entry `index` of ACL LOG without its last pairs, which tell of time and connection. */
static const char *logged(struct node *node, size_t index)
{
    redisReply *reply = client_run(node_client(node), "ACL LOG");
    cr_assert(reply && reply->type == REDIS_REPLY_ARRAY && index < reply->elements);
    redisReply *entry = reply->element[index];
    cr_assert_eq(entry->elements, 14);
    cr_expect_str_eq(entry->element[10]->str, "age-seconds");
    cr_expect_str_eq(entry->element[12]->str, "client-info");
    cr_expect_not_null(strstr(entry->element[13]->str, " user="));
    const char *text = "";
    for (size_t i = 0; i < 10; i += 2)
        text = scratch_printf(
            "%s%s=%s ", text, entry->element[i]->str, reply_text(entry->element[i + 1]));
    return text;
}

Test(acl, log)
{
    struct node *node = node_start("%s", "");
    struct client *client = client_open(node_port(node));
    node_expect(node, "OK", "ACL SETUSER t on nopass +set +multi +exec ~k* resetchannels");
    client_expect(client, "OK", "AUTH t x");
    client_expect(client, "-NOPERM *", "GETDEL a");
    client_expect(client, "-NOPERM *", "getdel b");
    client_expect(client, "-NOPERM *", "SET q 1");
    client_expect(client, "OK", "MULTI");
    client_expect(client, "-NOPERM *", "SET q 1");
    client_expect(client, "-EXECABORT *", "EXEC");
    client_expect(client, "-WRONGPASS *", "AUTH nosuch x");
    client_expect(client, "-WRONGPASS *", "auth nosuch x");
    client_expect(client, "-NOPERM *", "GETDEL a");
    cr_expect_str_eq(
        logged(node, 0), "count=3 reason=command context=toplevel object=getdel username=t ");
    cr_expect_str_eq(
        logged(node, 1), "count=1 reason=auth context=toplevel object=auth username=nosuch ");
    cr_expect_str_eq(
        logged(node, 2), "count=1 reason=auth context=toplevel object=AUTH username=nosuch ");
    cr_expect_str_eq(logged(node, 3), "count=1 reason=key context=multi object=q username=t ");
    cr_expect_str_eq(logged(node, 4), "count=1 reason=key context=toplevel object=q username=t ");
    if (server_is_slotd()) {
        cr_expect_eq(node_info_number(node, "acl_access_denied_cmd"), 3);
        cr_expect_eq(node_info_number(node, "acl_access_denied_key"), 2);
        cr_expect_eq(node_info_number(node, "acl_access_denied_auth"), 2);
    }
    node_expect(node, "OK", "ACL LOG RESET");
    node_expect(node, "[]", "ACL LOG");
}

/* ---- Changed under running clients ---- */

enum { CLIENTS = 8, ROUNDS = 60 };

struct crowd {
    int port;
    atomic_bool over;
    atomic_int served, denied, wrong;
};

static redisContext *come_in(const struct crowd *crowd)
{
    redisContext *context = redisConnect("127.0.0.1", crowd->port);
    redisReply *reply = context && !context->err ? redisCommand(context, "AUTH crowd x") : NULL;
    bool in = reply && reply->type == REDIS_REPLY_STATUS;
    freeReplyObject(reply);
    if (!in && context)
        redisFree(context);
    return in ? context : NULL;
}

/* Does what its user may do or not, comes again when it was disconnected. */
static void *be_client(void *arg)
{
    struct crowd *crowd = arg;
    redisContext *context = NULL;
    while (!atomic_load(&crowd->over)) {
        if (!context && !(context = come_in(crowd)))
            continue; /* the user is gone */
        redisReply *reply = redisCommand(context, "INCR k");
        if (reply && reply->type == REDIS_REPLY_INTEGER)
            atomic_fetch_add(&crowd->served, 1);
        else if (reply && strncmp(reply->str, "NOPERM", 6) == 0)
            atomic_fetch_add(&crowd->denied, 1);
        else if (reply)
            atomic_fetch_add(&crowd->wrong, 1);
        freeReplyObject(reply);
        if (context->err) {
            redisFree(context);
            context = NULL;
        }
    }
    if (context)
        redisFree(context);
    return NULL;
}

/* From the moment that a change is acknowledged no client of any worker gets through. */
Test(acl, changed_under_running_clients)
{
    struct node *node = node_start("io-threads 4\n");
    struct crowd crowd = { .port = node_port(node) };
    struct client *clients[CLIENTS];
    pthread_t threads[CLIENTS];
    node_expect(node, "OK", "ACL SETUSER crowd on nopass +@all ~*");
    node_expect(node, "OK", "ACL SETUSER t on nopass +get ~*");
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = client_open(node_port(node));
        client_expect(clients[i], "OK", "AUTH t x");
        pthread_create(&threads[i], NULL, be_client, &crowd);
    }
    for (int round = 0; round < ROUNDS; round++) {
        node_expect(node, "OK", "ACL SETUSER t -get (+get ~only)");
        node_expect(node, "OK", "ACL SETUSER crowd -incr");
        int64_t before = node_integer(node, "INCRBY k 0");
        for (int i = 0; i < CLIENTS; i++) {
            client_expect(clients[i], "-NOPERM *", "GET any");
            client_expect(clients[i], "(nil)", "GET only");
        }
        cr_assert_eq(node_integer(node, "INCRBY k 0"), before);
        node_expect(node, "OK", "ACL SETUSER t clearselectors +get");
        node_expect(node, "OK", "ACL SETUSER crowd +incr");
        for (int i = 0; i < CLIENTS; i++)
            client_expect(clients[i], "(nil)", "GET any");
        if (round % 10 == 9) {
            node_expect(node, "1", "ACL DELUSER crowd");
            before = node_integer(node, "INCRBY k 0");
            cr_assert_str_eq(node_text(node, "ACL LIST"), node_text(node, "ACL LIST"));
            cr_assert_eq(node_integer(node, "INCRBY k 0"), before);
            node_expect(node, "OK", "ACL SETUSER crowd on nopass +@all ~*");
        }
    }
    atomic_store(&crowd.over, true);
    for (int i = 0; i < CLIENTS; i++)
        pthread_join(threads[i], NULL);
    cr_expect_eq(atomic_load(&crowd.wrong), 0);
    cr_expect_gt(atomic_load(&crowd.served), 0);
    cr_expect_gt(atomic_load(&crowd.denied), 0);
}

/* ---- Between nodes ---- */

/* A replica comes as masteruser; what it is sent runs whatever its own users may do. */
Test(acl, replication)
{
    struct node *primary = node_start("user default on >secret ~* &* +@all\n"
                                      "user replica on >r +psync +replconf +ping\n");
    struct node *replica = node_start("replicaof 127.0.0.1 %d\nmasteruser replica\nmasterauth r\n"
                                      "user default on nopass ~* +@all -set -incr\n",
        node_port(primary));
    node_expect(primary, "OK", "AUTH secret");
    wait_until(10000, node_in_sync(replica, primary));
    node_expect(primary, "OK", "SET a 1");
    node_expect(primary, "2", "INCR a");
    wait_until(10000, !strcmp(node_try(replica, "GET a"), "2"));
    node_expect(replica, "-NOPERM *", "SET a 3");
}
