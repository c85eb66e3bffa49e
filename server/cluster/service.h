/* The cluster in the process: the bus thread that owns the state machine, its sockets and timers,
 * nodes.conf, and the view that everyone else reads. Without cluster-enabled there is none of it.
 */
#ifndef SERVER_CLUSTER_SERVICE_H
#define SERVER_CLUSTER_SERVICE_H

#include "common/buffer.h"
#include "server/cluster/view.h"
#include "server/store/store.h"

/* What the state machine's decisions mean to the rooms above this one. All are called in the bus
 * thread. */
struct cluster_hooks {
    struct cluster_replication (*replication)(void); /* where replication stands */
    void (*follow)(const struct address *address);   /* be a replica of the node there */
    void (*lead)(void);                              /* be a primary with the data that is here */
    void (*pause)(int64_t until_ms); /* stop clients' writes; returns when none is under way */
    void (*unpause)(void);
    void (*state)(bool ok); /* the cluster became ok or down */
    void (*delete_keys)(const struct slot_set *slots);
    void (*empty)(void); /* delete all keys */
    void (*publish)(bool sharded, struct bytes channel, struct bytes message);
    void (*slots_left)(const struct slot_set *slots); /* to another node, if only of the shard */
};

/* Reads and locks nodes.conf, makes the state machine, sets the slots' serving state. Before the
 * data is loaded. hooks stays the caller's, for the life of the process. */
bool cluster_service_open(
    struct store *store, const struct cluster_hooks *hooks, struct error *error);
/* After the data is loaded: opens the bus port, starts the bus thread. */
bool cluster_service_start(struct error *error);
void cluster_service_stop(void);

/* Runs fn in the bus thread with the state machine. Then its effects are carried out and the view
 * is published, and then `done` runs, in the bus thread too (NULL: nothing). Any thread. */
void cluster_service_post(void (*fn)(struct cluster *cluster, int64_t now, void *arg),
    void (*done)(void *arg), void *arg);
/* Sends a published message to the other nodes (sharded: to those of this shard), soon, in the order
 * of the calls of one thread. Any thread; nothing where there are no others. */
void cluster_service_publish(bool sharded, struct bytes channel, struct bytes message);
/* Before the bus thread runs: the data says which slots this node must have (see
 * cluster_verify_keys). */
void cluster_service_data_loaded(void);

/* A link's socket, for CLUSTER LINKS: in the bus thread. */
struct cluster_service_link {
    size_t unsent, allocated; /* bytes */
    bool is_writing;          /* the socket is full */
};
struct cluster_service_link cluster_service_link_state(uint64_t link);

size_t cluster_service_link_memory(void); /* of all links, at the last tick; any thread */
uint64_t cluster_service_links_closed(void); /* by the bound on unsent bytes */

#endif
