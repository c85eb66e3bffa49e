/* The picture of the cluster that everybody sees. Any thread; a lock is held for moments only. */
#ifndef SERVER_CLUSTER_PUBLISHED_H
#define SERVER_CLUSTER_PUBLISHED_H

#include "server/cluster/view.h"

/* The newest view, held until it is released; NULL without cluster-enabled. */
const struct cluster_view *cluster_view_hold(void);
void cluster_view_release(const struct cluster_view *view); /* NULL: nothing */

/* Takes over the view, which is the newest from now on; in the thread that owns the cluster. */
void cluster_view_publish(struct cluster_view *view);

#endif
