/* What the cluster's decisions mean to commands, keys and replication: the hooks of cluster/service.h. */
#ifndef SERVER_COMMAND_CLUSTER_HOST_H
#define SERVER_COMMAND_CLUSTER_HOST_H

#include "server/cluster/service.h"
#include "server/journal/journal.h"

const struct cluster_hooks *cluster_host_hooks(struct store *store, struct journal *journal);

#endif
