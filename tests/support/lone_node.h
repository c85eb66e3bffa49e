/* The state machine of one cluster node alone, for messages made by hand: no network, and the time is
 * a number. */
#ifndef TESTS_SUPPORT_LONE_NODE_H
#define TESTS_SUPPORT_LONE_NODE_H

#include "server/cluster/cluster.h"

/* A node that was saved in this nodes.conf, without keys and with nothing to replicate. Its random
 * bytes are zeroes. To be freed with cluster_free. */
struct cluster *lone_node_create(const char *conf, int64_t node_timeout, int64_t now);

#endif
