#include "server/cluster/bus.h"

#include "common/buffer.h"
#include "common/memory.h"
#include "server/cluster/message.h"
#include "server/config.h"
#include "server/log.h"
#include "server/socket.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    PLACES = 1024,
    LISTENERS_MAX = 32,
    READ_SIZE = 64 * 1024,
    LINKS_MAX = 8192,              /* inbound ones, of whoever can reach the port */
    UNSENT_MAX = 64 * 1024 * 1024, /* bytes that may wait in one link, whatever cluster-link-sendbuf-limit says */
    PAUSE_MS = 100,                /* without a look at newcomers, for want of file descriptors */
};

struct link {
    uint64_t number;
    struct link *next; /* of its place */
    struct bus *bus;
    int fd;
    int failure; /* errno of a connect that failed at once; 0: none */
    bool connecting, dirty, doomed, inbound;
    struct event *readable, *writable;
    struct buffer in, out;
    struct link *next_dirty;
};

struct bus {
    struct event_base *base;
    struct bus_handler handler;
    struct link *places[PLACES];
    struct link *dirty; /* with bytes that were not yet given to the socket */
    struct event *listeners[LISTENERS_MAX];
    unsigned listener_count;
    struct event *resume; /* listening, after a pause */
    unsigned inbound;
    _Atomic uint64_t overflows; /* read by any thread */
};

static struct link *find(struct bus *bus, uint64_t number)
{
    struct link *link = bus->places[number % PLACES];
    while (link && link->number != number)
        link = link->next;
    return link;
}

/* Takes the link out of the index and frees it; the dirty list drops it at the next flush. */
static void end(struct link *link)
{
    struct bus *bus = link->bus;
    struct link **at = &bus->places[link->number % PLACES];
    while (*at != link)
        at = &(*at)->next;
    *at = link->next;
    for (at = &bus->dirty; *at; at = &(*at)->next_dirty) {
        if (*at == link) {
            *at = link->next_dirty;
            break;
        }
    }
    bus->inbound -= link->inbound;
    event_free(link->readable);
    event_free(link->writable);
    if (link->fd >= 0)
        close(link->fd);
    buffer_free(&link->in);
    buffer_free(&link->out);
    free(link);
}

static void break_link(struct link *link)
{
    struct bus *bus = link->bus;
    uint64_t number = link->number;
    end(link);
    bus->handler.broken(bus->handler.arg, number);
}

/* ---- Reading ---- */

/* Hands over the whole messages. False: the link is gone. */
static bool deliver(struct link *link)
{
    struct bus *bus = link->bus;
    uint64_t number = link->number;
    size_t at = 0;
    for (;;) {
        size_t len;
        enum message_frame frame = message_frame(link->in.data + at, link->in.len - at, &len);
        if (frame == MESSAGE_FRAME_BAD) {
            break_link(link);
            return false;
        }
        if (frame == MESSAGE_FRAME_SHORT || link->in.len - at < len)
            break;
        bus->handler.message(bus->handler.arg, number, link->in.data + at, len);
        link = find(bus, number);
        if (!link || link->doomed)
            return false;
        at += len;
    }
    buffer_consume(&link->in, at);
    if (link->in.len == 0)
        buffer_free(&link->in);
    return true;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct link *link = arg;
    buffer_reserve(&link->in, READ_SIZE);
    ssize_t got = read(fd, link->in.data + link->in.len, READ_SIZE);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        break_link(link);
        return;
    }
    link->in.len += (size_t)got;
    deliver(link);
}

/* ---- Writing ---- */

/* False: the link is gone. */
static bool write_out(struct link *link)
{
    while (link->out.len > 0) {
        ssize_t sent = send(link->fd, link->out.data, link->out.len, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && errno == EAGAIN) {
            event_add(link->writable, NULL);
            return true;
        }
        if (sent < 0) {
            break_link(link);
            return false;
        }
        buffer_consume(&link->out, (size_t)sent);
    }
    buffer_free(&link->out);
    if (link->doomed) {
        end(link);
        return false;
    }
    return true;
}

static void connect_ended(struct link *link)
{
    struct bus *bus = link->bus;
    uint64_t number = link->number;
    int failure = link->failure;
    socklen_t len = sizeof(failure);
    if (!failure)
        getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &failure, &len);
    if (failure) {
        end(link);
        if (failure == ECONNREFUSED)
            bus->handler.refused(bus->handler.arg, number);
        else
            bus->handler.broken(bus->handler.arg, number);
        return;
    }
    link->connecting = false;
    event_add(link->readable, NULL);
    if (link->out.len > 0) /* it was not given to a socket that was connecting */
        event_add(link->writable, NULL);
    bus->handler.connected(bus->handler.arg, number);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct link *link = arg;
    if (link->connecting)
        connect_ended(link);
    else
        write_out(link);
}

void bus_flush(struct bus *bus)
{
    while (bus->dirty) {
        struct link *link = bus->dirty;
        bus->dirty = link->next_dirty;
        link->dirty = false;
        if (!link->connecting && !event_pending(link->writable, EV_WRITE, NULL))
            write_out(link);
    }
}

void bus_send(struct bus *bus, uint64_t number, struct bytes data)
{
    struct link *link = find(bus, number);
    if (!link || link->doomed)
        return;
    size_t limit = (size_t)config_number(CONFIG_CLUSTER_LINK_SENDBUF_LIMIT);
    if (limit == 0 || limit > UNSENT_MAX)
        limit = UNSENT_MAX;
    if (link->out.len + data.len > limit) {
        atomic_fetch_add(&bus->overflows, 1);
        log_write(LOG_WARNING, "A link of the cluster bus is closed: %zu bytes wait to be sent",
            link->out.len);
        link->failure = ENOBUFS;
        shutdown(link->fd, SHUT_RDWR); /* the loop will find it broken */
        return;
    }
    buffer_append(&link->out, data.data, data.len);
    if (!link->dirty) {
        link->dirty = true;
        link->next_dirty = bus->dirty;
        bus->dirty = link;
    }
}

void bus_close(struct bus *bus, uint64_t number)
{
    struct link *link = find(bus, number);
    if (!link)
        return;
    /* One that does not read would be kept for as long as it does not. */
    if (link->out.len == 0 || link->connecting || event_pending(link->writable, EV_WRITE, NULL)) {
        end(link);
        return;
    }
    link->doomed = true;
    event_del(link->readable);
}

/* ---- Links ---- */

static struct link *add(struct bus *bus, uint64_t number, int fd)
{
    struct link *link = memory_alloc_zeroed(1, sizeof(*link));
    link->number = number;
    link->bus = bus;
    link->fd = fd;
    link->readable = event_new(bus->base, fd, EV_READ | EV_PERSIST, on_readable, link);
    link->writable = event_new(bus->base, fd, EV_WRITE, on_writable, link);
    struct link **place = &bus->places[number % PLACES];
    link->next = *place;
    *place = link;
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return link;
}

static socklen_t to_sockaddr(const struct address *address, struct sockaddr_storage *out)
{
    memset(out, 0, sizeof(*out));
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
    if (inet_pton(AF_INET, address->ip, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(address->bus_port);
        return sizeof(*v4);
    }
    if (inet_pton(AF_INET6, address->ip, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(address->bus_port);
        return sizeof(*v6);
    }
    return 0;
}

/* The outcome is always told from the loop, never from within this call. */
void bus_connect(struct bus *bus, uint64_t number, const struct address *address)
{
    struct sockaddr_storage to;
    socklen_t len = to_sockaddr(address, &to);
    int fd = socket(len && to.ss_family == AF_INET6 ? AF_INET6 : AF_INET,
        SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int failure = fd < 0 ? errno : 0;
    struct link *link = add(bus, number, fd);
    link->connecting = true;
    if (!failure && !len)
        failure = EADDRNOTAVAIL;
    if (!failure)
        socket_bind_source(fd, to.ss_family);
    if (!failure && connect(fd, (struct sockaddr *)&to, len) < 0 && errno != EINPROGRESS)
        failure = errno;
    link->failure = failure;
    if (failure)
        event_active(link->writable, EV_WRITE, 0);
    else
        event_add(link->writable, NULL);
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
    struct bus *bus = arg;
    for (unsigned i = 0; i < bus->listener_count; i++)
        event_add(bus->listeners[i], NULL);
}

/* Without file descriptors the sockets would stay readable and the loop would spin. */
static void look_away(struct bus *bus)
{
    for (unsigned i = 0; i < bus->listener_count; i++)
        event_del(bus->listeners[i]);
    event_add(bus->resume, &(struct timeval){ 0, PAUSE_MS * 1000 });
}

static void on_accept(evutil_socket_t listening, short what, void *arg)
{
    struct bus *bus = arg;
    struct sockaddr_storage peer, own;
    socklen_t len = sizeof(peer);
    int fd = accept4(listening, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            look_away(bus);
        return;
    }
    len = sizeof(own);
    if (bus->inbound >= LINKS_MAX || getsockname(fd, (struct sockaddr *)&own, &len) < 0) {
        close(fd);
        return;
    }
    char peer_ip[ADDRESS_IP_MAX], own_ip[ADDRESS_IP_MAX];
    socket_ip(&peer, peer_ip, sizeof(peer_ip));
    socket_ip(&own, own_ip, sizeof(own_ip));
    struct link *link = add(bus, bus->handler.accepted(bus->handler.arg, peer_ip, own_ip), fd);
    link->inbound = true;
    bus->inbound++;
    event_add(link->readable, NULL);
}

/* ---- Life ---- */

struct bus *bus_create(struct event_base *base, const struct bus_handler *handler)
{
    struct bus *bus = memory_alloc_zeroed(1, sizeof(*bus));
    bus->base = base;
    bus->handler = *handler;
    bus->resume = evtimer_new(base, on_resume, bus);
    return bus;
}

bool bus_listen(struct bus *bus, const char *bind, int port, int backlog, struct error *error)
{
    int fds[LISTENERS_MAX];
    int count = socket_listen(bind, port, backlog, fds, LISTENERS_MAX, error);
    if (count < 0)
        return error_prefix(error, "cluster bus");
    for (int i = 0; i < count; i++) {
        struct event *event = event_new(bus->base, fds[i], EV_READ | EV_PERSIST, on_accept, bus);
        event_add(event, NULL);
        bus->listeners[bus->listener_count++] = event;
    }
    return true;
}

void bus_destroy(struct bus *bus)
{
    for (unsigned i = 0; i < bus->listener_count; i++) {
        close(event_get_fd(bus->listeners[i]));
        event_free(bus->listeners[i]);
    }
    for (unsigned i = 0; i < PLACES; i++) {
        for (struct link *link = bus->places[i], *next; link; link = next) {
            next = link->next;
            end(link);
        }
    }
    event_free(bus->resume);
    free(bus);
}

size_t bus_unsent(struct bus *bus, uint64_t number, size_t *allocated, bool *full)
{
    const struct link *link = find(bus, number);
    *allocated = link ? link->out.capacity : 0;
    *full = link && event_pending(link->writable, EV_WRITE, NULL);
    return link ? link->out.len : 0;
}

size_t bus_memory(const struct bus *bus)
{
    size_t sum = 0;
    for (unsigned i = 0; i < PLACES; i++) {
        for (const struct link *link = bus->places[i]; link; link = link->next)
            sum += sizeof(*link) + link->in.capacity + link->out.capacity;
    }
    return sum;
}

uint64_t bus_overflows(const struct bus *bus)
{
    return atomic_load(&bus->overflows);
}
