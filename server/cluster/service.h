/* The cluster in the process: the bus thread that owns the state machine, its sockets and timers,
 * nodes.conf, and the view that everyone else reads. Without cluster-enabled all of this does
 * nothing. */
#ifndef SERVER_CLUSTER_SERVICE_H
#define SERVER_CLUSTER_SERVICE_H

#include "common/buffer.h"
#include "server/cluster/view.h"
#include "server/store/store.h"

/* Reads and locks nodes.conf, makes the state machine, sets the slots' serving state. Before the
 * data is loaded. */
bool cluster_service_open(struct store *store, struct error *error);
/* After the data is loaded: opens the bus port, starts the bus thread. */
bool cluster_service_start(struct error *error);
void cluster_service_stop(void);

/* The newest view, held until it is released. Any thread; never blocks for long. NULL without
 * cluster-enabled. */
const struct cluster_view *cluster_view_hold(void);
void cluster_view_release(const struct cluster_view *view);

/* Runs fn in the bus thread with the state machine; what it answers must leave by other means (a
 * ticket). After fn, effects have been carried out and the view is published before `done` runs (in
 * the bus thread too; may be NULL). */
void cluster_service_post(void (*fn)(struct cluster *cluster, int64_t now, void *arg),
    void (*done)(void *arg), void *arg);

/* What the cluster wants of replication; set before cluster_service_start, called in the bus
 * thread. */
struct cluster_replication_hooks {
    void (*follow)(const char *ip, int port); /* be a replica of that address */
    void (*lead)(void);                       /* be a primary */
    struct cluster_replication (*state)(void);
};
void cluster_service_set_replication(const struct cluster_replication_hooks *hooks);

uint64_t cluster_links_closed(void); /* for exceeding cluster-link-sendbuf-limit */

#endif
