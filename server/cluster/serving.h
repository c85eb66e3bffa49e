/* The slots' word on who serves them, which commands read under the slot's lock. In the thread that
 * owns the cluster. */
#ifndef SERVER_CLUSTER_SERVING_H
#define SERVER_CLUSTER_SERVING_H

#include "server/cluster/state.h"
#include "server/cluster/view.h"
#include "server/store/store.h"

void serving_open(struct store *store); /* at first */

/* Sets the fields of the slots that this node has gained by the view, or (not gained) of all
 * others; the caller does the one before it publishes the view and the other after it. Takes the
 * lock of each slot whose field changes. False: a slot is held for long, and its field is as it
 * was; call again later. Adds to `left` those whose clients must look elsewhere for what they wait
 * for. */
bool serving_set(const struct cluster *cluster, const struct cluster_view *view, bool gained,
    struct slot_set *left);

#endif
