/* A node belongs to a folder when it says so itself (CONFIG GET dir), or, where it doesn't answer,
 * when the process of its pidfile works in that folder. So a port that something else has is never
 * taken for ours, and no other process is ever stopped. */
#include "console/operation/local.h"
#include "common/address.h"
#include "common/number.h"
#include "common/words.h"
#include "console/client/node.h"
#include "console/client/reply.h"
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LOOK_MS = 50, BUS_OFFSET = 10000, WORDS_MAX = 400 };

extern char **environ;

/* --- paths --- */

static bool node_path(
    const char *dir, uint16_t port, const char *file, char *path, struct error *error)
{
    int len =
        snprintf(path, LOCAL_PATH_MAX, "%s/%u%s%s", dir, port, file[0] != '\0' ? "/" : "", file);
    return len < LOCAL_PATH_MAX || error_set(error, "the path %.100s... is too long", dir);
}

/* Makes the folder with those above it. */
static bool make_folder(const char *path, struct error *error)
{
    char part[LOCAL_PATH_MAX];
    snprintf(part, sizeof part, "%s", path);
    for (char *at = part + 1; *at != '\0'; at++) {
        if (*at == '/') {
            *at = '\0';
            mkdir(part, 0777);
            *at = '/';
        }
    }
    struct stat status;
    mkdir(part, 0777);
    if (stat(part, &status) != 0 || !S_ISDIR(status.st_mode)) {
        return error_set(error, "can't make the folder %.300s: %s", path, strerror(errno));
    }
    return true;
}

static bool real_folder(const char *dir, uint16_t port, char *path, struct error *error)
{
    char name[LOCAL_PATH_MAX];
    if (!node_path(dir, port, "", name, error)) {
        return false;
    }
    char *real = realpath(name, NULL);
    bool fits = real != NULL && strlen(real) + 16 < LOCAL_PATH_MAX;
    if (fits) {
        memcpy(path, real, strlen(real) + 1);
    }
    free(real);
    return fits || error_set(error, "%.300s: %s", name, strerror(errno));
}

bool local_find_server(const char *name, char *path, struct error *error)
{
    if (name != NULL && strchr(name, '/') == NULL) {
        snprintf(path, LOCAL_PATH_MAX, "%s", name);
        return true;
    }
    char beside[LOCAL_PATH_MAX] = "";
    if (name == NULL) {
        ssize_t len = readlink("/proc/self/exe", beside, sizeof beside - 8);
        char *slash = len > 0 ? memrchr(beside, '/', (size_t)len) : NULL;
        if (slash == NULL) {
            return error_set(error, "can't tell where slotctl lies: give --server PATH");
        }
        memcpy(slash, "/slotd", sizeof "/slotd");
        name = beside;
    }
    /* Absolute, but no link resolved: a program may go by the name it was called. */
    char cwd[LOCAL_PATH_MAX] = "";
    if (name[0] != '/' && getcwd(cwd, sizeof cwd) == NULL) {
        return error_set(error, "the current folder: %s", strerror(errno));
    }
    int len = snprintf(path, LOCAL_PATH_MAX, "%s%s%s", cwd, name[0] != '/' ? "/" : "", name);
    return (len < LOCAL_PATH_MAX && access(path, X_OK) == 0) ||
           error_set(error, "%.300s can't be run (%s): build it, or give --server PATH", name,
               strerror(errno));
}

/* --- asking --- */

static struct client_node *open_node(struct client *client, uint16_t port)
{
    struct address address = { .ip = "127.0.0.1", .port = port };
    return client_node_new(client, &address);
}

static redisReply *ask(struct client *client, uint16_t port, const struct bytes *argv, size_t argc,
    struct error *error)
{
    struct client_node *node = open_node(client, port);
    redisReply *reply = client_node_ask(node, argv, argc, 0, error);
    client_node_free(node);
    return reply;
}

/* Whether a program listens on, or holds, a port of this machine. */
static bool is_busy(unsigned port)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    bool busy = bind(fd, (struct sockaddr *)&to, sizeof to) != 0 && errno == EADDRINUSE;
    close(fd);
    return busy;
}

/* What the node at the port says its folder is; false where it doesn't say. */
static bool folder_of(struct client *client, uint16_t port, char *path, struct error *error)
{
    static const struct bytes argv[] = { { "CONFIG", 6 }, { "GET", 3 }, { "dir", 3 } };
    struct bytes text;
    redisReply *reply = ask(client, port, argv, 3, error);
    bool told = reply != NULL && reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
                reply_text(reply->element[1], &text) && text.len < LOCAL_PATH_MAX;
    if (told) {
        memcpy(path, text.data, text.len);
        path[text.len] = '\0';
    } else if (reply_is_error(reply)) {
        error_set(error, "%.200s", reply->str);
    }
    if (reply != NULL) {
        freeReplyObject(reply);
    }
    return told;
}

static pid_t read_pid(const char *dir, uint16_t port)
{
    char path[LOCAL_PATH_MAX], text[32] = "";
    if (!node_path(dir, port, "node.pid", path, NULL)) {
        return 0;
    }
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return 0;
    }
    bool read = fgets(text, sizeof text, file) != NULL;
    fclose(file);
    text[strcspn(text, "\r\n")] = '\0';
    int64_t pid;
    return read && number_parse(bytes_of(text), &pid) && pid > 1 && pid < INT32_MAX ? (pid_t)pid
                                                                                    : 0;
}

/* The process of the pidfile, where it works in the folder; 0: none. */
static pid_t find_process(const char *dir, uint16_t port)
{
    char link[64], cwd[LOCAL_PATH_MAX], folder[LOCAL_PATH_MAX];
    pid_t pid = read_pid(dir, port);
    if (pid == 0 || !real_folder(dir, port, folder, NULL)) {
        return 0;
    }
    snprintf(link, sizeof link, "/proc/%d/cwd", (int)pid);
    ssize_t len = readlink(link, cwd, sizeof cwd - 1);
    if (len < 0) {
        return 0;
    }
    cwd[len] = '\0';
    return strcmp(cwd, folder) == 0 ? pid : 0;
}

bool local_probe(struct client *client, const char *dir, uint16_t port, enum local_state *state,
    struct error *error)
{
    char folder[LOCAL_PATH_MAX] = "", said[LOCAL_PATH_MAX];
    struct error why = { "" };
    bool exists = real_folder(dir, port, folder, NULL);
    *state = LOCAL_ABSENT;
    if (exists && find_process(dir, port) != 0) {
        *state = LOCAL_RUNNING;
        return true;
    }
    if (is_busy(port)) {
        if (folder_of(client, port, said, &why) && exists && strcmp(said, folder) == 0) {
            *state = LOCAL_RUNNING;
            return true;
        }
        return error_set(error,
            "port %u is busy: another program has it; stop that one, or give other "
            "ports with --port",
            port);
    }
    if (is_busy(port + BUS_OFFSET)) {
        return error_set(error,
            "port %u, the cluster bus of %u, is busy: another program has it; stop "
            "that one, or give other ports with --port",
            port + BUS_OFFSET, port);
    }
    return true;
}

/* --- starting --- */

static void write_setting(struct buffer *out, const char *name, const char *value)
{
    buffer_printf(out, "%s ", name);
    words_quote(out, bytes_of(value));
    buffer_append_char(out, '\n');
}

static void write_settings(
    const struct client *client, const char *folder, uint16_t port, struct buffer *out)
{
    char number[8], path[LOCAL_PATH_MAX + 16];
    const char *password = client_options(client)->password;
    snprintf(number, sizeof number, "%u", port);
    write_setting(out, "port", number);
    write_setting(out, "bind", "127.0.0.1");
    write_setting(out, "cluster-enabled", "yes");
    write_setting(out, "cluster-config-file", "nodes.conf");
    write_setting(out, "cluster-node-timeout", "5000");
    write_setting(out, "appendonly", "yes");
    write_setting(out, "dir", folder);
    write_setting(out, "daemonize", "yes");
    snprintf(path, sizeof path, "%s/node.pid", folder);
    write_setting(out, "pidfile", path);
    snprintf(path, sizeof path, "%s/node.log", folder);
    write_setting(out, "logfile", path);
    if (password[0] != '\0') {
        write_setting(out, "requirepass", password);
        write_setting(out, "masterauth", password);
    }
}

/* A file that is there already is the user's, and stays. */
static bool write_file_once(const char *path, const struct buffer *text, struct error *error)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EEXIST) {
        return true;
    }
    bool written = fd >= 0 && write(fd, text->data, text->len) == (ssize_t)text->len;
    if (fd >= 0 && close(fd) != 0) {
        written = false;
    }
    return written || error_set(error, "can't write %.300s: %s", path, strerror(errno));
}

static bool prepare(
    const struct client *client, const char *dir, uint16_t port, char *folder, struct error *error)
{
    char path[LOCAL_PATH_MAX];
    if (!node_path(dir, port, "", path, error) || !make_folder(path, error) ||
        !real_folder(dir, port, folder, error)) {
        return false;
    }
    struct buffer text = { 0 };
    write_settings(client, folder, port, &text);
    bool written =
        node_path(dir, port, "node.conf", path, error) && write_file_once(path, &text, error);
    buffer_free(&text);
    return written;
}

static pid_t spawn(const char *server, const char *folder, struct error *error)
{
    posix_spawn_file_actions_t actions;
    char *argv[] = { (char *)server, "./node.conf", NULL };
    pid_t pid = 0;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addchdir_np(&actions, folder);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "node.out", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    int failure = posix_spawnp(&pid, server, &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failure != 0) {
        error_set(error, "can't start %.200s: %s", server, strerror(failure));
        return 0;
    }
    return pid;
}

/* The last lines of a file, as one. */
static void last_words(const char *folder, const char *name, char *words)
{
    char path[LOCAL_PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "re");
    words[0] = '\0';
    if (file == NULL) {
        return;
    }
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    fseek(file, size > WORDS_MAX - 1 ? size - (WORDS_MAX - 1) : 0, SEEK_SET);
    size_t len = fread(words, 1, WORDS_MAX - 1, file);
    fclose(file);
    while (len > 0 && words[len - 1] == '\n') {
        len--;
    }
    words[len] = '\0';
    for (size_t i = 0; i < len; i++) {
        words[i] = words[i] == '\n' ? ' ' : words[i];
    }
}

static bool start_failed(const char *folder, uint16_t port, const char *why, struct error *error)
{
    char words[WORDS_MAX];
    last_words(folder, "node.out", words);
    if (words[0] == '\0') {
        last_words(folder, "node.log", words);
    }
    size_t len = strlen(words);
    return error_set(error, "node %u %s%s%s", port, why, len > 0 ? "; its last words: " : "",
        len > 300 ? words + len - 300 : words);
}

static bool never(void *context)
{
    return false;
}

/* PING until it answers; a node that is still loading its data answers too, later. */
static bool answers(struct client *client, uint16_t port)
{
    static const struct bytes ping = { "PING", 4 };
    redisReply *reply = ask(client, port, &ping, 1, NULL);
    bool ready = reply != NULL && !reply_error_is(reply, "LOADING");
    if (reply != NULL) {
        freeReplyObject(reply);
    }
    return ready;
}

bool local_start(struct client *client, const char *dir, uint16_t port, const char *server,
    int64_t limit_ms, struct error *error)
{
    char folder[LOCAL_PATH_MAX];
    if (!prepare(client, dir, port, folder, error)) {
        return false;
    }
    pid_t child = spawn(server, folder, error);
    if (child == 0) {
        return false;
    }
    int64_t start = client_now();
    while (client_now() - start < limit_ms) {
        int status;
        if (child != 0 && waitpid(child, &status, WNOHANG) == child) {
            child = 0; /* it became a daemon, or it failed */
            if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
                return start_failed(folder, port, "didn't start", error);
            }
        }
        if (is_busy(port) && answers(client, port)) {
            return true;
        }
        client_run_until(client, never, NULL, LOOK_MS);
    }
    return start_failed(folder, port, "doesn't answer in time", error);
}

/* --- stopping --- */

static bool is_gone(const char *dir, uint16_t port, pid_t pid)
{
    return pid != 0 ? kill(pid, 0) != 0 && errno == ESRCH
                    : !is_busy(port) && find_process(dir, port) == 0;
}

bool local_stop(struct client *client, const char *dir, uint16_t port, int64_t limit_ms,
    bool *was_running, struct error *error)
{
    static const struct bytes shutdown_words = { "SHUTDOWN", 8 };
    char folder[LOCAL_PATH_MAX], said[LOCAL_PATH_MAX];
    struct error why = { "" };
    *was_running = false;
    if (!real_folder(dir, port, folder, error)) {
        return false;
    }
    pid_t pid = find_process(dir, port);
    bool talks = is_busy(port) && folder_of(client, port, said, &why) && strcmp(said, folder) == 0;
    if (pid == 0 && !talks) {
        return true;
    }
    *was_running = true;
    redisReply *reply = talks ? ask(client, port, &shutdown_words, 1, &why) : NULL;
    if (reply_is_error(reply)) {
        error_set(error, "node %u doesn't shut down: %.200s", port, reply->str);
        freeReplyObject(reply);
        return false;
    }
    if (reply != NULL) {
        freeReplyObject(reply);
    }
    if (!talks && kill(pid, SIGTERM) != 0) {
        return error_set(
            error, "node %u (process %d) can't be stopped: %s", port, (int)pid, strerror(errno));
    }
    int64_t start = client_now();
    while (!is_gone(dir, port, pid)) {
        if (client_now() - start >= limit_ms) {
            return error_set(error, "node %u (process %d) is still running after %g s", port,
                (int)pid, (double)limit_ms / 1000);
        }
        client_run_until(client, never, NULL, LOOK_MS);
    }
    return true;
}

/* --- listing --- */

static int compare_ports(const void *a, const void *b)
{
    return *(const uint16_t *)a - *(const uint16_t *)b;
}

bool local_list(const char *dir, uint16_t *ports, size_t *count, struct error *error)
{
    char path[LOCAL_PATH_MAX];
    struct dirent *entry;
    DIR *folder = opendir(dir);
    *count = 0;
    if (folder == NULL) {
        return error_set(error, "%.300s: %s", dir, strerror(errno));
    }
    while ((entry = readdir(folder)) != NULL && *count < LOCAL_NODES_MAX) {
        uint64_t port;
        if (number_parse_unsigned(bytes_of(entry->d_name), &port) && port > 0 && port <= 65535 &&
            node_path(dir, (uint16_t)port, "node.conf", path, NULL) && access(path, R_OK) == 0) {
            ports[(*count)++] = (uint16_t)port;
        }
    }
    closedir(folder);
    qsort(ports, *count, sizeof *ports, compare_ports);
    return true;
}
