#include "server/replication/primary_socket.h"

#include "server/clock.h"
#include "server/replication/link.h"
#include "server/socket.h"
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* Waits for the events. */
static enum primary_input wait_for(
    struct primary_socket *socket, short events, int timeout_ms, struct error *error)
{
    int64_t end = clock_monotonic_ms() + timeout_ms;
    for (;;) {
        if (role_generation() != socket->generation) {
            error_set(error, "told to stop");
            return PRIMARY_BROKEN;
        }
        struct pollfd fds[] = { { socket->fd, events, 0 }, { socket->wake, POLLIN, 0 } };
        int64_t left = end - clock_monotonic_ms();
        int count = poll(fds, 2, left > 0 ? (int)left : 0);
        if (count < 0 && errno != EINTR) {
            error_set(error, "poll: %s", strerror(errno));
            return PRIMARY_BROKEN;
        }
        if (count > 0 && fds[1].revents) {
            uint64_t value;
            if (read(socket->wake, &value, sizeof(value)) < 0)
                continue; /* nothing to read is nothing to do */
        }
        if (count > 0 && fds[0].revents)
            return PRIMARY_GOT;
        if (clock_monotonic_ms() >= end)
            return PRIMARY_NOTHING;
    }
}

static bool try_address(
    struct primary_socket *to, const struct addrinfo *address, int timeout_ms, struct error *error)
{
    to->fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (to->fd < 0)
        return error_set(error, "socket: %s", strerror(errno));
    int on = 1, failed = 0;
    socklen_t size = sizeof(failed);
    setsockopt(to->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(to->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    socket_bind_source(to->fd, address->ai_family);
    if (connect(to->fd, address->ai_addr, address->ai_addrlen) == 0)
        return true;
    failed = errno;
    if (failed == EINPROGRESS) {
        switch (wait_for(to, POLLOUT, timeout_ms, error)) {
        case PRIMARY_BROKEN:
            break;
        case PRIMARY_NOTHING:
            error_set(error, "no answer within %d ms", timeout_ms);
            break;
        case PRIMARY_GOT:
            if (getsockopt(to->fd, SOL_SOCKET, SO_ERROR, &failed, &size) == 0 && failed == 0)
                return true;
            error_set(error, "%s", strerror(failed));
        }
    } else {
        error_set(error, "%s", strerror(failed));
    }
    close(to->fd);
    to->fd = -1;
    return false;
}

bool primary_socket_open(
    struct primary_socket *to, const char *host, int port, int timeout_ms, struct error *error)
{
    char service[8];
    snprintf(service, sizeof(service), "%d", port);
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
    struct addrinfo *addresses;
    int failure = getaddrinfo(host, service, &hints, &addresses);
    if (failure)
        return error_set(error, "%s: %s", host, gai_strerror(failure));
    to->fd = -1;
    for (struct addrinfo *at = addresses; at && to->fd < 0; at = at->ai_next)
        try_address(to, at, timeout_ms, error);
    freeaddrinfo(addresses);
    return to->fd >= 0;
}

void primary_socket_close(struct primary_socket *socket)
{
    if (socket->fd >= 0)
        close(socket->fd);
    socket->fd = -1;
    buffer_free(&socket->input);
}

enum primary_input primary_socket_receive(
    struct primary_socket *socket, size_t most, int timeout_ms, struct error *error)
{
    enum primary_input ready = wait_for(socket, POLLIN, timeout_ms, error);
    if (ready != PRIMARY_GOT)
        return ready;
    struct buffer *input = &socket->input;
    buffer_reserve(input, most);
    ssize_t got = recv(socket->fd, input->data + input->len, most, 0);
    if (got > 0) {
        input->len += (size_t)got;
        link_note_bytes((size_t)got);
        return PRIMARY_GOT;
    }
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return PRIMARY_GOT; /* nothing this time */
    error_set(error, "%s", got == 0 ? "the primary has closed the connection" : strerror(errno));
    return PRIMARY_BROKEN;
}

/* Takes a line out of what has come; false: there is no whole one. */
static bool take_line(struct buffer *input, char *line)
{
    char *end = input->len > 0 ? memchr(input->data, '\n', input->len) : NULL;
    if (!end)
        return false;
    size_t whole = (size_t)(end - input->data) + 1, len = whole - 1;
    if (len > 0 && input->data[len - 1] == '\r')
        len--;
    if (len >= PRIMARY_LINE_MAX)
        len = PRIMARY_LINE_MAX - 1;
    memcpy(line, input->data, len);
    line[len] = '\0';
    buffer_consume(input, whole);
    return true;
}

bool primary_socket_read_line(
    struct primary_socket *socket, char *line, int timeout_ms, struct error *error)
{
    for (;;) {
        while (take_line(&socket->input, line)) {
            if (line[0])
                return true;
        }
        if (socket->input.len >= PRIMARY_LINE_MAX)
            return error_set(
                error, "the primary has sent a line of more than %d bytes", PRIMARY_LINE_MAX);
        switch (primary_socket_receive(socket, PRIMARY_LINE_MAX, timeout_ms, error)) {
        case PRIMARY_BROKEN:
            return false;
        case PRIMARY_NOTHING:
            return error_set(error, "no answer from the primary within %d ms", timeout_ms);
        case PRIMARY_GOT:
            break;
        }
    }
}

ssize_t primary_socket_try_send(struct primary_socket *socket, struct bytes data)
{
    ssize_t sent = send(socket->fd, data.data, data.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -1;
    return sent;
}

bool primary_socket_send(
    struct primary_socket *socket, struct bytes data, int timeout_ms, struct error *error)
{
    while (data.len > 0) {
        ssize_t sent = primary_socket_try_send(socket, data);
        if (sent < 0)
            return error_set(error, "cannot send to the primary: %s", strerror(errno));
        data = (struct bytes){ data.data + sent, data.len - (size_t)sent };
        if (data.len == 0)
            break;
        enum primary_input ready = wait_for(socket, POLLOUT, timeout_ms, error);
        if (ready == PRIMARY_BROKEN)
            return false;
        if (ready == PRIMARY_NOTHING)
            return error_set(error, "the primary takes nothing for %d ms", timeout_ms);
    }
    return true;
}
