#include "server/socket.h"

#include "common/words.h"
#include "server/config.h"
#include "server/log.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int open_tcp(const char *host, int port, int backlog, struct error *error)
{
    char service[8];
    snprintf(service, sizeof(service), "%d", port);
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV };
    if (strcmp(host, "*") == 0) {
        hints.ai_family = AF_INET;
        host = NULL;
    } else if (strcmp(host, "::*") == 0) {
        hints.ai_family = AF_INET6;
        host = NULL;
    }
    struct addrinfo *info;
    int failure = getaddrinfo(host, service, &hints, &info);
    if (failure) {
        error_set(error, "cannot listen on %s port %d: %s", host ? host : "*", port,
            gai_strerror(failure));
        return -1;
    }
    int one = 1;
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && info->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
    unsigned mark = (unsigned)config_number(CONFIG_SOCKET_MARK_ID);
    if (fd >= 0 && mark && setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) < 0)
        log_write(LOG_WARNING, "The socket of port %d cannot be marked with %u: %s", port, mark,
            strerror(errno));
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
        bind(fd, info->ai_addr, info->ai_addrlen) < 0 || listen(fd, backlog) < 0) {
        error_set(error, "cannot listen on %s port %d: %s%s", host ? host : "*", port,
            strerror(errno), errno == EADDRINUSE ? "; is another server running there?" : "");
        if (fd >= 0)
            close(fd);
        fd = -1;
    }
    freeaddrinfo(info);
    return fd;
}

/* An address that this machine does not have may fail where "-" says so. */
static bool may_fail(bool optional)
{
    return optional && (errno == EADDRNOTAVAIL || errno == EAFNOSUPPORT || errno == ENOENT ||
                           errno == EPROTONOSUPPORT || errno == ESOCKTNOSUPPORT);
}

int socket_listen(const char *addresses, int port, int backlog, int *fds, int max, struct error *error)
{
    struct words words;
    if (!words_split(bytes_of(addresses), &words)) {
        error_set(error, "unbalanced quotes in bind");
        return -1;
    }
    int count = 0;
    for (size_t i = 0; i < words.count && count < max; i++) {
        char host[256];
        bool optional = words.items[i].data[0] == '-';
        snprintf(host, sizeof(host), "%.*s", (int)(words.items[i].len - optional),
            words.items[i].data + optional);
        errno = 0;
        int fd = open_tcp(host, port, backlog, error);
        if (fd >= 0) {
            fds[count++] = fd;
        } else if (!may_fail(optional)) {
            while (count > 0)
                close(fds[--count]);
            words_free(&words);
            return -1;
        }
    }
    words_free(&words);
    if (count == 0) {
        error_set(error, "cannot listen on port %d: none of the addresses of bind is there", port);
        return -1;
    }
    return count;
}

void socket_bind_source(int fd, int family)
{
    if (!config_text_is_set(CONFIG_BIND_SOURCE_ADDR))
        return;
    char *source = config_text(CONFIG_BIND_SOURCE_ADDR);
    struct addrinfo hints = { .ai_family = family,
        .ai_socktype = SOCK_STREAM,
        .ai_flags = AI_NUMERICHOST }; /* a name would have to be looked up, and that blocks */
    struct addrinfo *info;
    int one = 1, failure = getaddrinfo(source, NULL, &hints, &info);
    if (failure == 0) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
        failure = bind(fd, info->ai_addr, info->ai_addrlen) < 0;
        freeaddrinfo(info);
    }
    if (failure != 0)
        log_write(LOG_VERBOSE, "bind-source-addr %s cannot be used for this connection", source);
    free(source);
}

void socket_name(const struct sockaddr_storage *address, char *out, size_t size, bool *loopback)
{
    char ip[INET6_ADDRSTRLEN] = "";
    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)address;
        inet_ntop(AF_INET, &in->sin_addr, ip, sizeof(ip));
        snprintf(out, size, "%s:%d", ip, ntohs(in->sin_port));
        *loopback = strncmp(ip, "127.", 4) == 0;
    } else {
        const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)address;
        inet_ntop(AF_INET6, &in->sin6_addr, ip, sizeof(ip));
        snprintf(out, size, "[%s]:%d", ip, ntohs(in->sin6_port));
        *loopback = strcmp(ip, "::1") == 0;
    }
}

void socket_ip(const struct sockaddr_storage *address, char *out, size_t size)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
    const void *bytes = address->ss_family == AF_INET ? (const void *)&v4->sin_addr
                                                      : (const void *)&v6->sin6_addr;
    if (!inet_ntop(address->ss_family, bytes, out, (socklen_t)size))
        out[0] = '\0';
}
