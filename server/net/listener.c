#include "server/net/listener.h"

#include "server/command/acl_users.h"
#include "server/config.h"
#include "server/log.h"
#include "server/net/worker.h"
#include "server/socket.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { LISTENERS_MAX = 32, ACCEPTS_A_TURN = 256, PAUSE_MS = 100 };

/* All owned by worker 0. */
static struct {
    int fd;
    bool is_unix;
    struct event *event;
} listeners[LISTENERS_MAX];
static unsigned listener_count;
static struct event *resume_event;
static char unix_socket_path[sizeof(((struct sockaddr_un *)0)->sun_path)];
static _Atomic uint64_t rejected;

uint64_t listener_rejected(void)
{
    return atomic_load(&rejected);
}

/* ---- Accepting ---- */

static void turn_away(int fd, const char *why)
{
    if (write(fd, why, strlen(why)) < 0) {
        /* It is not told, then. */
    }
    close(fd);
    atomic_fetch_add(&rejected, 1);
}

static bool is_protected(bool loopback)
{
    return config_is(CONFIG_PROTECTED_MODE) && !loopback && acl_default_is_nopass();
}

static void greet(int fd, const struct sockaddr_storage *address, bool is_unix)
{
    char peer[64], local[64] = "";
    bool loopback = is_unix;
    if (is_unix) {
        snprintf(peer, sizeof(peer), "%.60s:0", unix_socket_path);
        snprintf(local, sizeof(local), "%s", peer);
    } else {
        struct sockaddr_storage own;
        socklen_t len = sizeof(own);
        bool ignored;
        socket_name(address, peer, sizeof(peer), &loopback);
        if (getsockname(fd, (struct sockaddr *)&own, &len) == 0)
            socket_name(&own, local, sizeof(local), &ignored);
        int one = 1, keepalive = (int)config_number(CONFIG_TCP_KEEPALIVE);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        if (keepalive > 0) {
            int interval = keepalive / 3 > 0 ? keepalive / 3 : 1, probes = 3;
            setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
            setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &keepalive, sizeof(keepalive));
            setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
            setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
        }
    }
    if (net_client_count() >= (size_t)config_number(CONFIG_MAXCLIENTS))
        turn_away(fd, "-ERR max number of clients reached\r\n");
    else if (is_protected(loopback))
        turn_away(fd, "-DENIED slotd is in protected mode: no password is set, so it takes clients "
                      "of this machine only. Set requirepass, or switch protected-mode off if "
                      "nobody else can reach the port.\r\n");
    else
        net_adopt(fd, peer, local, is_unix);
}

static void set_listening(bool on)
{
    for (unsigned i = 0; i < listener_count; i++) {
        if (on)
            event_add(listeners[i].event, NULL);
        else
            event_del(listeners[i].event);
    }
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
    set_listening(true);
}

/* Without file descriptors the sockets would stay readable and the loop would spin: look away for a
 * while. */
static void out_of_descriptors(void)
{
    static int64_t last_said;
    int64_t now = time(NULL);
    if (now != last_said)
        log_write(LOG_WARNING,
            "Cannot accept clients: %s; raise the limit of open files or lower "
            "maxclients",
            strerror(errno));
    last_said = now;
    set_listening(false);
    struct timeval pause = { 0, PAUSE_MS * 1000 };
    evtimer_add(resume_event, &pause);
}

static void on_connect(evutil_socket_t listening, short what, void *arg)
{
    bool is_unix = arg != NULL;
    for (int i = 0; i < ACCEPTS_A_TURN; i++) {
        struct sockaddr_storage address;
        socklen_t len = sizeof(address);
        int fd =
            accept4(listening, (struct sockaddr *)&address, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            greet(fd, &address, is_unix);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            out_of_descriptors();
        if (errno != EINTR && errno != ECONNABORTED)
            return;
    }
}

static void add_listener(struct event_base *base, int fd, bool is_unix)
{
    listeners[listener_count].fd = fd;
    listeners[listener_count].is_unix = is_unix;
    listeners[listener_count].event =
        event_new(base, fd, EV_READ | EV_PERSIST, on_connect, is_unix ? unix_socket_path : NULL);
    event_add(listeners[listener_count++].event, NULL);
}

static bool open_unix(
    struct event_base *base, const char *path, unsigned mode, int backlog, struct error *error)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    if (strlen(path) >= sizeof(address.sun_path))
        return error_set(
            error, "unixsocket: the path is longer than %zu bytes", sizeof(address.sun_path) - 1);
    strcpy(address.sun_path, path);
    strcpy(unix_socket_path, path);
    unlink(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(fd, backlog) < 0) {
        error_set(error, "cannot listen on the Unix socket %s: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return false;
    }
    if (mode)
        chmod(path, mode);
    add_listener(base, fd, true);
    return true;
}

bool listener_open(struct event_base *base, const char *bind, int port, int backlog,
    const char *unix_path, unsigned unix_mode, struct error *error)
{
    resume_event = evtimer_new(base, on_resume, NULL);
    if (port > 0) {
        int fds[LISTENERS_MAX - 1];
        int count = socket_listen(bind, port, backlog, fds, LISTENERS_MAX - 1, error);
        if (count < 0)
            return false;
        for (int i = 0; i < count; i++)
            add_listener(base, fds[i], false);
    }
    return !unix_path[0] || open_unix(base, unix_path, unix_mode, backlog, error);
}

void listener_close(void)
{
    for (unsigned i = 0; i < listener_count; i++) {
        event_free(listeners[i].event);
        close(listeners[i].fd);
        if (listeners[i].is_unix)
            unlink(unix_socket_path);
    }
    listener_count = 0;
}
