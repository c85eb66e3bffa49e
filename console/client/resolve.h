/* Where an address is, for sockets. */
#ifndef CONSOLE_CLIENT_RESOLVE_H
#define CONSOLE_CLIENT_RESOLVE_H

#include "common/address.h"
#include <sys/socket.h>

/* Turns a host name into numbers, IPv4 first; what is a number already stays. */
bool client_resolve(struct address *address, struct error *error);
/* The same for connecting; why is the resolver's sentence where it fails. */
bool client_resolve_socket(
    const struct address *address, struct sockaddr_storage *to, socklen_t *len, const char **why);

#endif
