/* What commands need of the cluster to send a client elsewhere. From the published view: any
 * thread. */
#ifndef SERVER_CLUSTER_ROUTE_H
#define SERVER_CLUSTER_ROUTE_H

#include <stdbool.h>

enum { CLUSTER_ENDPOINT_MAX = 300 };

struct cluster_view_node;

/* What cluster-preferred-endpoint-type has clients connect to: an IP address, a host name ("?" where the
 * node announces none), or "" for the address that the client has used. Good as long as the node. */
const char *cluster_preferred_endpoint(const struct cluster_view_node *node);

/* "endpoint:port" of the slot's owner as clients are to use it; false: nobody serves the slot, or (for
 * an instant) this node itself does. endpoint has CLUSTER_ENDPOINT_MAX bytes. */
bool cluster_slot_owner(unsigned slot, char *endpoint);
/* The same of the node that a migrating slot goes to. */
bool cluster_slot_target(unsigned slot, char *endpoint);

#endif
