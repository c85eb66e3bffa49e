/* Published messages on their way to other nodes: any thread leaves them here, and the thread that
 * owns the cluster takes all that have come together. */
#ifndef SERVER_CLUSTER_POST_OFFICE_H
#define SERVER_CLUSTER_POST_OFFICE_H

#include "common/bytes.h"
#include "server/cluster/state.h"

/* Leaves a copy of the message; any thread. True: it is the first, and the owner of the cluster is
 * to be told to send. Nothing where there are no others. */
bool post_office_put(bool sharded, struct bytes channel, struct bytes message);

/* Whether there are nodes to send to; false at first. The owner's. */
void post_office_set_others(bool any);
/* Publishes what has been left, in its order; sent is called after each message, so that not all
 * their effects need be kept at once. The owner's. */
void post_office_send(struct cluster *cluster, int64_t now, void (*sent)(void));

#endif
