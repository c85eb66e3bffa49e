/* Listening sockets: the addresses of `bind`, each with the port; the Unix socket. New clients are
 * greeted (protected mode, maxclients) and given to a worker. */
#ifndef SERVER_NET_LISTENER_H
#define SERVER_NET_LISTENER_H

#include "common/error.h"
#include <event2/event.h>
#include <stdint.h>

/* Opens all sockets in the base of worker 0. bind: words separated by spaces, "-" before one that
 * may fail, "*" for all IPv4 addresses, "::*" for all IPv6 ones. An error names the address, the
 * port and the reason. */
bool listener_open(struct event_base *base, const char *bind, int port, int backlog,
    const char *unix_path, unsigned unix_mode, struct error *error);
/* Closes them, and removes the Unix socket. */
void listener_close(void);

uint64_t listener_rejected(void); /* clients over maxclients */

#endif
