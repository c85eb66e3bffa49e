/* Where a node can be reached, as it stands in CLUSTER NODES and nodes.conf:
 * ip:port@bus-port[,hostname][,shard-id=...][,tls-port=...]   (an empty ip: not known yet). */
#ifndef COMMON_ADDRESS_H
#define COMMON_ADDRESS_H

#include "common/bytes.h"
#include "common/error.h"
#include <stdint.h>

enum { ADDRESS_IP_MAX = 46, ADDRESS_HOST_MAX = 256, ADDRESS_TEXT_MAX = 400 };

struct address {
    char ip[ADDRESS_IP_MAX]; /* IPv4 or IPv6 as text, no brackets; or the host name a user typed */
    uint16_t port;           /* of clients */
    uint16_t bus_port;       /* of the cluster bus; 0: not given */
};

/* host:port, [v6]:port, v6:port (the last colon divides); with or without @bus-port. An empty host
 * is accepted, as nodes write it; port 0 only with an empty host or a bus port. */
bool address_parse(struct bytes text, struct address *address, struct error *error);
/* ip:port, zero-terminated, IPv6 unbracketed, as Redis writes it; out has ADDRESS_TEXT_MAX bytes.
 * Returns the length. */
size_t address_format(char *out, const struct address *address);
bool address_equal(const struct address *a, const struct address *b); /* ip and port */

#endif
