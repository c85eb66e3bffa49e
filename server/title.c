/* ps reads the memory in which the kernel has put the arguments, so the title is written there;
 * behind them lies the environment, which moves to the heap and leaves its room to the title. */
#include "server/title.h"

#include "common/buffer.h"
#include "common/memory.h"
#include "server/config.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;

/* Written before any thread runs. */
static char *room; /* NULL: there is none, or no title is wanted */
static size_t room_size;
static char *program;

/* The address (or the socket) that clients connect to first. */
static void add_listening(struct buffer *out)
{
    if (config_number(CONFIG_PORT) == 0) {
        char *path = config_text(CONFIG_UNIXSOCKET);
        buffer_printf(out, "%s", path);
        free(path);
        return;
    }
    char *bind = config_text(CONFIG_BIND);
    size_t len = strcspn(bind, " ");
    buffer_printf(out, "%.*s:%lld", len ? (int)len : 1, len ? bind : "*",
        (long long)config_number(CONFIG_PORT));
    free(bind);
}

static void add_title(struct buffer *out)
{
    buffer_printf(out, "%s", program);
}

static void add_mode(struct buffer *out)
{
    buffer_printf(out, "%s", config_is(CONFIG_CLUSTER_ENABLED) ? "[cluster]" : "");
}

static void add_port(struct buffer *out)
{
    buffer_printf(out, "%lld", (long long)config_number(CONFIG_PORT));
}

static void add_tls_port(struct buffer *out)
{
    buffer_printf(out, "%lld", (long long)config_number(CONFIG_TLS_PORT));
}

static void add_socket(struct buffer *out)
{
    char *path = config_text(CONFIG_UNIXSOCKET);
    buffer_printf(out, "%s", path);
    free(path);
}

static void add_file(struct buffer *out)
{
    buffer_printf(out, "%s", config_file());
}

static const struct {
    const char *name;
    void (*add)(struct buffer *out);
} variables[] = { { "{title}", add_title }, { "{listen-addr}", add_listening },
    { "{server-mode}", add_mode }, { "{port}", add_port }, { "{tls-port}", add_tls_port },
    { "{unixsocket}", add_socket }, { "{config-file}", add_file } };

/* The length of the variable that stands there, whose value is added; 0: none does. */
static size_t add_variable(const char *at, struct buffer *out)
{
    for (size_t i = 0; i < sizeof(variables) / sizeof(*variables); i++) {
        size_t len = strlen(variables[i].name);
        if (strncmp(at, variables[i].name, len) == 0) {
            variables[i].add(out);
            return len;
        }
    }
    return 0;
}

static void set_title(void)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* guards what room points to */
    char *template = config_text(CONFIG_PROC_TITLE_TEMPLATE);
    struct buffer title = { 0 };
    for (const char *at = template; *at;) {
        size_t len = add_variable(at, &title);
        if (len == 0)
            buffer_append(&title, at, 1);
        at += len ? len : 1;
    }
    size_t begin = 0, end = title.len;
    while (begin < end && title.data[begin] == ' ')
        begin++;
    while (end > begin && title.data[end - 1] == ' ')
        end--;
    size_t len = end - begin < room_size ? end - begin : room_size - 1;
    pthread_mutex_lock(&mutex);
    memset(room, '\0', room_size);
    if (len > 0)
        memcpy(room, title.data + begin, len);
    pthread_mutex_unlock(&mutex);
    buffer_free(&title);
    free(template);
}

static bool changed(enum config_id id, struct error *error)
{
    set_title();
    return true;
}

/* The end of the strings that follow upon each other from `end` on. */
static char *end_of(char **strings, char *end)
{
    for (; *strings && *strings == end; strings++)
        end += strlen(*strings) + 1;
    return end;
}

void title_init(int argc, char **argv)
{
    if (!config_is(CONFIG_SET_PROC_TITLE) || argc == 0)
        return;
    char *begin = argv[0], *end = end_of(environ, end_of(argv, argv[0]));
    for (char **variable = environ; *variable; variable++) {
        if (*variable >= begin && *variable < end)
            *variable = memory_copy_text(*variable);
    }
    for (int i = 0; i < argc; i++)
        argv[i] = memory_copy_text(argv[i]); /* for a restart, and for the C library */
    program = program_invocation_name = argv[0];
    room = begin;
    room_size = (size_t)(end - room);
    config_on_change(CONFIG_PROC_TITLE_TEMPLATE, changed);
    set_title();
}
