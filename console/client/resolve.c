/* Names to numbers. The system's resolver waits, so it is asked once for each name, and nodes tell
 * of each other in numbers. */
#include "console/client/resolve.h"
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

/* Numbers need no resolver; a name is resolved here, IPv4 first as other tools do. */
bool client_resolve_socket(
    const struct address *address, struct sockaddr_storage *to, socklen_t *len, const char **error)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)to;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)to;
    memset(to, 0, sizeof *to);
    if (inet_pton(AF_INET, address->ip, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(address->port);
        *len = sizeof *v4;
        return true;
    }
    if (inet_pton(AF_INET6, address->ip, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(address->port);
        *len = sizeof *v6;
        return true;
    }
    char port[8];
    snprintf(port, sizeof port, "%u", address->port);
    int families[] = { AF_INET, AF_INET6 };
    int failure = 0;
    for (size_t i = 0; i < 2; i++) {
        struct addrinfo hints = { .ai_family = families[i], .ai_socktype = SOCK_STREAM };
        struct addrinfo *found;
        failure = getaddrinfo(address->ip, port, &hints, &found);
        if (failure == 0) {
            memcpy(to, found->ai_addr, found->ai_addrlen);
            *len = found->ai_addrlen;
            freeaddrinfo(found);
            return true;
        }
    }
    *error = gai_strerror(failure);
    return false;
}

bool client_resolve(struct address *address, struct error *error)
{
    struct sockaddr_storage to;
    socklen_t len;
    const char *why = NULL;
    if (!client_resolve_socket(address, &to, &len, &why)) {
        return error_set(error, "%.60s: %s", address->ip, why);
    }
    getnameinfo(
        (struct sockaddr *)&to, len, address->ip, sizeof address->ip, NULL, 0, NI_NUMERICHOST);
    return true;
}
