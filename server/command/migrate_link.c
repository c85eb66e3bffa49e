#include "server/command/migrate_link.h"

#include "common/memory.h"
#include "server/clock.h"
#include "server/socket.h"
#include "server/command/background.h"
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    KEPT_MAX = 64,   /* connections kept, all together */
    KEPT_MS = 10000, /* each so long without use */
    INPUT_MAX =
        16 << 20, /* bytes of answers not yet taken: far more than there are keys in one request */
};

/* Those that are kept, the latest first. Guarded by `mutex`. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct migrate_link *kept;
static int kept_count;
static bool sweeping; /* a sweep will come */

void migrate_link_close(struct migrate_link *link)
{
    if (link->fd >= 0)
        close(link->fd);
    buffer_free(&link->input);
    free(link->host);
    free(link->port);
    free(link);
}

/* ---- Keeping ---- */

/* Takes those out of the list that have not been used for `age` ms. mutex is held. */
static struct migrate_link *take_idle(int64_t age)
{
    struct migrate_link *out = NULL, **at = &kept;
    int64_t until = clock_monotonic_ms() - age;
    while (*at) {
        struct migrate_link *link = *at;
        if (link->idle_since > until) {
            at = &link->next;
            continue;
        }
        *at = link->next;
        link->next = out;
        out = link;
        kept_count--;
    }
    return out;
}

static void close_all(struct migrate_link *links)
{
    while (links) {
        struct migrate_link *next = links->next;
        migrate_link_close(links);
        links = next;
    }
}

static void sweep(void *arg)
{
    pthread_mutex_lock(&mutex);
    struct migrate_link *idle = take_idle(KEPT_MS);
    sweeping = kept != NULL;
    if (sweeping)
        background_run(1000, sweep, NULL);
    pthread_mutex_unlock(&mutex);
    close_all(idle);
}

void migrate_link_keep(struct migrate_link *link)
{
    link->idle_since = clock_monotonic_ms();
    pthread_mutex_lock(&mutex);
    bool full = kept_count == KEPT_MAX;
    if (!full) {
        link->next = kept;
        kept = link;
        kept_count++;
    }
    if (!full && !sweeping) {
        sweeping = true;
        background_run(1000, sweep, NULL);
    }
    pthread_mutex_unlock(&mutex);
    if (full)
        migrate_link_close(link);
}

int migrate_link_count(void)
{
    pthread_mutex_lock(&mutex);
    int count = kept_count;
    pthread_mutex_unlock(&mutex);
    return count;
}

static struct migrate_link *take_kept(const char *host, const char *port)
{
    pthread_mutex_lock(&mutex);
    struct migrate_link **at = &kept;
    while (*at && (strcmp((*at)->host, host) != 0 || strcmp((*at)->port, port) != 0))
        at = &(*at)->next;
    struct migrate_link *link = *at;
    if (link) {
        *at = link->next;
        kept_count--;
    }
    pthread_mutex_unlock(&mutex);
    return link;
}

/* ---- Sockets ---- */

/* Waits until one of the events is there: false with *status set where it is not. */
static bool wait_for(int fd, short events, int timeout_ms, enum migrate_link_status *status)
{
    int64_t end = clock_monotonic_ms() + timeout_ms;
    for (;;) {
        struct pollfd pollfd = { .fd = fd, .events = events };
        int64_t left = end - clock_monotonic_ms();
        int count = poll(&pollfd, 1, left > 0 ? (int)left : 0);
        if (count > 0)
            return true;
        if (count == 0 || errno != EINTR) {
            *status = count == 0 ? MIGRATE_LINK_TIMEOUT : MIGRATE_LINK_BROKEN;
            return false;
        }
    }
}

static int connect_to(
    const struct addrinfo *address, int timeout_ms, enum migrate_link_status *status)
{
    *status = MIGRATE_LINK_BROKEN;
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    int on = 1, failed = 0;
    socklen_t size = sizeof(failed);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    socket_bind_source(fd, address->ai_family);
    bool connected = connect(fd, address->ai_addr, address->ai_addrlen) == 0;
    if (!connected && errno == EINPROGRESS && wait_for(fd, POLLOUT, timeout_ms, status))
        connected = getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &size) == 0 && failed == 0;
    if (connected)
        return fd;
    close(fd);
    return -1;
}

struct migrate_link *migrate_link_open(
    const char *host, const char *port, int timeout_ms, enum migrate_link_status *status)
{
    struct migrate_link *link = take_kept(host, port);
    if (link)
        return link;
    struct addrinfo wanted = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM }, *addresses;
    *status = MIGRATE_LINK_TIMEOUT;
    if (getaddrinfo(host, NULL, &wanted, &addresses) != 0)
        return NULL;
    char *end;
    long number = strtol(port, &end, 10);
    int fd = -1;
    *status = MIGRATE_LINK_BROKEN;
    bool is_port = *end == '\0' && number > 0 && number <= UINT16_MAX;
    for (struct addrinfo *at = addresses; at && is_port && fd < 0; at = at->ai_next) {
        in_port_t network = htons((uint16_t)number);
        if (at->ai_family == AF_INET)
            ((struct sockaddr_in *)at->ai_addr)->sin_port = network;
        else if (at->ai_family == AF_INET6)
            ((struct sockaddr_in6 *)at->ai_addr)->sin6_port = network;
        fd = connect_to(at, timeout_ms, status);
    }
    freeaddrinfo(addresses);
    if (fd < 0)
        return NULL;
    link = memory_alloc_zeroed(1, sizeof(*link));
    *link = (struct migrate_link){
        .host = memory_copy_text(host), .port = memory_copy_text(port), .fd = fd, .database = -1
    };
    return link;
}

/* Reads what there is, once. False: the other side is gone. */
static bool take_in(struct migrate_link *link)
{
    enum { PIECE = 16 * 1024 };
    if (link->input.len > INPUT_MAX)
        return false;
    buffer_reserve(&link->input, PIECE);
    ssize_t got = recv(link->fd, link->input.data + link->input.len, PIECE, 0);
    if (got > 0)
        link->input.len += (size_t)got;
    return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
}

enum migrate_link_status migrate_link_write(
    struct migrate_link *link, struct bytes data, int timeout_ms)
{
    enum migrate_link_status status;
    while (data.len > 0) {
        ssize_t sent = send(link->fd, data.data, data.len, MSG_NOSIGNAL);
        if (sent > 0) {
            data = (struct bytes){ data.data + sent, data.len - (size_t)sent };
            continue;
        }
        if (errno != EAGAIN && errno != EINTR)
            return MIGRATE_LINK_BROKEN;
        if (!wait_for(link->fd, POLLOUT | POLLIN, timeout_ms, &status))
            return status;
        /* A node whose answers nobody takes may stop to read. */
        if (!take_in(link))
            return MIGRATE_LINK_BROKEN;
    }
    return MIGRATE_LINK_OK;
}

enum migrate_link_status migrate_link_read_line(
    struct migrate_link *link, char *line, int timeout_ms)
{
    enum migrate_link_status status;
    struct buffer *input = &link->input;
    char *end;
    while (!(end = input->len > 0 ? memchr(input->data, '\n', input->len) : NULL)) {
        if (input->len >= MIGRATE_LINE_MAX)
            return MIGRATE_LINK_BROKEN;
        if (!wait_for(link->fd, POLLIN, timeout_ms, &status))
            return status;
        if (!take_in(link))
            return MIGRATE_LINK_BROKEN;
    }
    size_t whole = (size_t)(end - input->data) + 1, len = whole - 1;
    if (len > 0 && input->data[len - 1] == '\r')
        len--;
    if (len >= MIGRATE_LINE_MAX)
        return MIGRATE_LINK_BROKEN;
    memcpy(line, input->data, len);
    line[len] = '\0';
    buffer_consume(input, whole);
    return MIGRATE_LINK_OK;
}
