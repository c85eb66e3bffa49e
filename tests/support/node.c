/* Nodes under test; see the header. A process is started so that the kernel kills it with the test;
 * a port is reserved by a socket of an abstract name, which goes with the test as well. Client
 * ports are 11000 to 19999: their bus ports end below the range from which the kernel takes the
 * ports of outgoing connections. */
#include "tests/support/node.h"
#include "tests/support/file.h"
#include "tests/support/sanitizer.h"
#include "tests/support/scratch.h"
#include "tests/support/shell.h"
#include "tests/support/wait.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    PORT_FIRST = 11000,
    PORT_COUNT = 9000,
    NODES_MAX = 64,
    READY_LIMIT_MS = 15000,
    STOP_LIMIT_MS = 20000,
};

struct node {
    const char *program, *folder, *address;
    int port;
    int files;  /* RLIMIT_NOFILE; 0: as it is */
    pid_t pid;  /* 0: does not run */
    int status; /* wait status of the last end */
    struct client *client;
};

/* All nodes of the test, for nodes_end; the test's main thread's. */
static struct node *nodes[NODES_MAX];
static int node_count;

static bool port_is_free(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    bool is_free = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
                   listen(fd, 1) == 0;
    close(fd);
    return is_free;
}

/* The name is taken until this process ends; false where another test has it. */
static bool port_take(int port)
{
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    int len = snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "slotd-test-port-%d", port);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    cr_assert(fd >= 0, "socket: %s", strerror(errno));
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len);
    if (bind(fd, (struct sockaddr *)&name, size) == 0)
        return true;
    close(fd);
    return false;
}

int port_reserve(void)
{
    static unsigned next;
    if (next == 0)
        next = (unsigned)getpid() * 37;
    for (int tries = 0; tries < PORT_COUNT; tries++) {
        int port = PORT_FIRST + (int)(next++ % PORT_COUNT);
        if (port_take(port) && port_is_free(port) && port_is_free(port + 10000))
            return port;
    }
    cr_assert_fail("no free port from %d to %d", PORT_FIRST, PORT_FIRST + PORT_COUNT - 1);
    return 0;
}

void nodes_begin(void)
{
    signal(SIGPIPE, SIG_IGN);
    scratch_folder();
}

static struct node *node_new(const char *program, const char *config, va_list args)
{
    cr_assert(node_count < NODES_MAX, "a test has at most %d nodes", NODES_MAX);
    struct node *node = calloc(1, sizeof(*node));
    cr_assert_not_null(node);
    node->program = program_path(program);
    node->port = port_reserve();
    node->address = scratch_printf("127.0.0.1:%d", node->port);
    node->folder = scratch_printf("%s/%d", scratch_folder(), node->port);
    folder_make(node->folder);
    file_write_text(
        node_path(node, "redis.conf"), scratch_printf("port %d\nbind 127.0.0.1\nsave \"\"\n%s",
                                           node->port, scratch_vprintf(config, args)));
    nodes[node_count++] = node;
    return node;
}

struct node *node_prepare(const char *config, ...)
{
    va_list args;
    va_start(args, config);
    struct node *node = node_new(server_path(), config, args);
    va_end(args);
    return node;
}

struct node *node_prepare_program(const char *program, const char *config, ...)
{
    va_list args;
    va_start(args, config);
    struct node *node = node_new(program != NULL ? program : server_path(), config, args);
    va_end(args);
    return node;
}

struct node *node_start(const char *config, ...)
{
    va_list args;
    va_start(args, config);
    struct node *node = node_new(server_path(), config, args);
    va_end(args);
    node_launch(node);
    return node;
}

struct node *node_start_program(const char *program, const char *config, ...)
{
    va_list args;
    va_start(args, config);
    struct node *node = node_new(program != NULL ? program : server_path(), config, args);
    va_end(args);
    node_launch(node);
    return node;
}

struct node *node_start_owner(const char *config, ...)
{
    va_list args;
    va_start(args, config);
    struct node *node = node_new(server_path(), config, args);
    va_end(args);
    node_add_config(node, "cluster-enabled yes\ncluster-node-timeout 500\n");
    node_launch(node);
    node_expect(node, "OK", "CLUSTER ADDSLOTSRANGE 0 16383");
    wait_until(10000, strstr(node_text(node, "CLUSTER INFO"), "cluster_state:ok") != NULL);
    return node;
}

static void run_server(const struct node *node, const char *args, pid_t parent)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent || chdir(node->folder) != 0)
        _exit(127);
    sanitizer_set_environment(node->folder);
    int log = open("log", O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(open("/dev/null", O_RDONLY), 0);
    dup2(log, 1);
    dup2(log, 2);
    if (node->files > 0)
        setrlimit(RLIMIT_NOFILE, &(struct rlimit){ (rlim_t)node->files, (rlim_t)node->files });
    /* A shell takes the arguments apart, and then is the server itself. */
    const char *line =
        scratch_printf("exec '%s' ./redis.conf %s", node->program, args != NULL ? args : "");
    execl("/bin/sh", "sh", "-c", line, (char *)NULL);
    _exit(127);
}

void node_spawn(struct node *node, const char *args)
{
    cr_assert_eq(node->pid, 0, "%s runs already", node->address);
    pid_t parent = getpid();
    node->pid = fork();
    cr_assert(node->pid >= 0, "fork: %s", strerror(errno));
    if (node->pid == 0)
        run_server(node, args, parent);
}

/* Collects the end of the process; false where it still runs. */
static bool node_reap(struct node *node)
{
    if (node->pid != 0 && waitpid(node->pid, &node->status, WNOHANG) == node->pid) {
        node->pid = 0;
        client_close(node->client);
        node->client = NULL;
    }
    return node->pid == 0;
}

bool node_runs(struct node *node)
{
    return !node_reap(node);
}

bool node_answers(struct node *node)
{
    struct client *client = client_open(node->port);
    client_set_timeout(client, 1000);
    const char *reply = client_try(client, "PING");
    client_close(client);
    return reply != NULL;
}

/* Answers, and has loaded its data. */
static bool node_is_ready(struct node *node)
{
    cr_assert(node_runs(node), "%s %s ended at its start, wait status 0x%x; its log:\n%s",
        node->program, node->address, node->status, node_log(node));
    struct client *client = client_open(node->port);
    client_set_timeout(client, 1000);
    const char *reply = client_try(client, "PING");
    client_close(client);
    return reply != NULL && strncmp(reply, "-LOADING", 8) != 0;
}

void node_wait_ready(struct node *node, int limit_ms)
{
    wait_until(limit_ms, node_is_ready(node));
}

void node_launch(struct node *node)
{
    node_spawn(node, NULL);
    node_wait_ready(node, READY_LIMIT_MS);
}

void node_restart(struct node *node)
{
    node_launch(node);
}

void node_kill(struct node *node)
{
    cr_assert(node_runs(node), "%s does not run", node->address);
    kill(node->pid, SIGKILL);
    wait_until(10000, node_reap(node));
}

int node_stop(struct node *node)
{
    cr_assert(node_runs(node), "%s does not run", node->address);
    kill(node->pid, SIGTERM);
    return node_wait_exit(node, STOP_LIMIT_MS);
}

int node_wait_exit(struct node *node, int limit_ms)
{
    cr_assert(wait_for(limit_ms, node_reap(node)), "%s did not end within %d ms; its log:\n%s",
        node->address, limit_ms, node_log(node));
    return node->status;
}

void node_pause(struct node *node)
{
    kill(node->pid, SIGSTOP);
}

void node_resume(struct node *node)
{
    kill(node->pid, SIGCONT);
}

/* To Criterion the test is over and has its result: the runner is told by the end of the process,
 * and tests/tool/run-tests by the line. */
static void fail_late(const char *why)
{
    fprintf(stderr, "[LATE] %s::%s has failed at its end: %s\n", criterion_current_test->category,
        criterion_current_test->name, why);
    for (int i = 0; i < node_count; i++)
        fprintf(stderr, "---- log of %s\n%.3000s\n", nodes[i]->address, node_log(nodes[i]));
    folder_remove(scratch_folder());
    _exit(1);
}

/* All that runs is ended first, so that a failed check leaves nothing behind. Ended with SIGTERM
 * where a sanitizer may have something to say at the end. */
void nodes_end(void)
{
    const char *early = NULL, *reports = NULL;
    bool gently = test_slowness() > 1;
    for (int i = 0; i < node_count; i++) {
        struct node *node = nodes[i];
        bool ran = node->pid != 0;
        if (ran && !node_runs(node)) {
            early =
                scratch_printf("%s ended unasked, wait status 0x%x", node->address, node->status);
            ran = false;
        }
        if (ran) {
            kill(node->pid, SIGCONT);
            kill(node->pid, gently ? SIGTERM : SIGKILL);
        }
    }
    for (int i = 0; i < node_count; i++) {
        struct node *node = nodes[i];
        if (node->pid != 0 && !wait_for(5000, node_reap(node))) {
            kill(node->pid, SIGKILL);
            wait_for(5000, node_reap(node));
        }
        const char *report = sanitizer_reports(node->folder);
        if (report != NULL && reports == NULL)
            reports = scratch_printf("%s: %.12000s", node->address, report);
    }
    if (reports != NULL || early != NULL)
        fail_late(reports != NULL ? reports : early);
}

void node_write_config(struct node *node, const char *config, ...)
{
    va_list args;
    va_start(args, config);
    file_write_text(node_path(node, "redis.conf"), scratch_vprintf(config, args));
    va_end(args);
}

void node_add_config(struct node *node, const char *config, ...)
{
    va_list args;
    va_start(args, config);
    const char *more = scratch_vprintf(config, args);
    va_end(args);
    file_append(node_path(node, "redis.conf"), more, strlen(more));
}

void node_limit_files(struct node *node, int files)
{
    node->files = files;
}

int node_port(const struct node *node)
{
    return node->port;
}

pid_t node_pid(const struct node *node)
{
    return node->pid;
}

const char *node_folder(const struct node *node)
{
    return node->folder;
}

const char *node_program(const struct node *node)
{
    return node->program;
}

const char *node_address(const struct node *node)
{
    return node->address;
}

char *node_path(const struct node *node, const char *name)
{
    return scratch_printf("%s/%s", node->folder, name);
}

char *node_log(const struct node *node)
{
    char *text = file_read(node_path(node, "log"), NULL);
    return text != NULL ? text : scratch_copy("", 0);
}

bool node_log_has(const struct node *node, const char *text)
{
    return strstr(node_log(node), text) != NULL;
}

long node_rss(const struct node *node)
{
    const char *statm = file_read(scratch_printf("/proc/%d/statm", (int)node->pid), NULL);
    long pages = 0;
    cr_assert(statm != NULL && sscanf(statm, "%*d %ld", &pages) == 1, "%s: no /proc/PID/statm",
        node->address);
    return pages * sysconf(_SC_PAGESIZE);
}

struct client *node_client(struct node *node)
{
    if (node->client == NULL)
        node->client = client_open(node->port);
    return node->client;
}

const char *node_info(struct node *node, const char *field)
{
    const char *text = node_try(node, "INFO everything");
    return text != NULL ? info_field(text, field) : NULL;
}

int64_t node_info_number(struct node *node, const char *field)
{
    const char *value = node_info(node, field);
    return value != NULL ? strtoll(value, NULL, 10) : -1;
}

bool node_info_is(struct node *node, const char *field, const char *value)
{
    const char *is = node_info(node, field);
    return is != NULL && strcmp(is, value) == 0;
}

bool node_in_sync(struct node *replica, struct node *primary)
{
    const char *there = node_try(primary, "INFO replication");
    const char *here = node_try(replica, "INFO replication");
    if (there == NULL || here == NULL)
        return false;
    const char *link = info_field(here, "master_link_status");
    return link != NULL && strcmp(link, "up") == 0 &&
           info_number(here, "slave_repl_offset") >= info_number(there, "master_repl_offset");
}
