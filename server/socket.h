/* Sockets that listen, for clients and for the cluster bus, and the names of their ends. */
#ifndef SERVER_SOCKET_H
#define SERVER_SOCKET_H

#include "common/error.h"
#include <stddef.h>
#include <sys/socket.h>

/* Opens nonblocking listening sockets on the addresses of `bind`: words separated by spaces, "-" before one that
 * this machine need not have, "*" for all IPv4 addresses, "::*" for all IPv6 ones. fds has room for max. Returns how
 * many there are, or -1 with an error that names address, port and reason. The caller closes them. */
int socket_listen(
    const char *addresses, int port, int backlog, int *fds, int max, struct error *error);

/* Before connect: has the socket, of that address family, go out from bind-source-addr. If it cannot (there is
 * no such address here, or of this family) the system chooses, as without the directive. */
void socket_bind_source(int fd, int family);

/* "1.2.3.4:7001" or "[::1]:7001"; *loopback: it is an address of this machine's loopback. */
void socket_name(const struct sockaddr_storage *address, char *out, size_t size, bool *loopback);
/* The address alone, without brackets; empty where it is neither IPv4 nor IPv6. */
void socket_ip(const struct sockaddr_storage *address, char *out, size_t size);

#endif
