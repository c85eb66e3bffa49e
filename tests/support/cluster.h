/* A cluster of nodes under test. Nodes 0 to primaries-1 are born as primaries with equal shares of
 * the slots; then come the replicas: node primaries + i * replicas + r is the r-th of primary i. */
#ifndef TESTS_SUPPORT_CLUSTER_H
#define TESTS_SUPPORT_CLUSTER_H

#include "tests/support/node.h"

struct cluster {
    struct node *nodes[32];
    int count;
    int primaries; /* as born */
    int replicas;  /* of each primary, as born */
};

enum cluster_tool {
    CLUSTER_BY_COMMANDS,  /* MEET, ADDSLOTSRANGE, REPLICATE: the fastest */
    CLUSTER_BY_REDIS_CLI, /* redis-cli --cluster create */
    CLUSTER_BY_SLOTCTL,   /* slotctl create --yes */
};

/* Nodes with "cluster-enabled yes", "cluster-node-timeout 2000" and the lines of config (which may
 * set them otherwise), made one cluster; returns when cluster_is_well. */
struct cluster *cluster_start(int primaries, int replicas, const char *config, ...)
    __attribute__((format(printf, 3, 4)));
/* Nodes that know nothing of each other. */
struct cluster *cluster_start_nodes(int primaries, int replicas, const char *config, ...)
    __attribute__((format(printf, 3, 4)));
/* Makes one cluster of them, and waits until it is ok. */
void cluster_make(struct cluster *cluster, enum cluster_tool tool);
/* One more node, started, not yet met; program NULL: the one under test. */
struct node *cluster_add_node(struct cluster *cluster, const char *program);
/* Lets node 0 meet it and waits until all know it. */
void cluster_introduce(struct cluster *cluster, struct node *node);

/* All nodes that run say cluster_state:ok, know each other without pfail, fail or handshake, agree
 * on who serves each slot and who is a replica, and every replica's link is up. */
bool cluster_is_well(struct cluster *cluster);
void cluster_wait_ok(struct cluster *cluster, int limit_ms);
/* The nodes that run agree on one owner for every slot (all 16384 where they have owners). */
bool cluster_agrees(struct cluster *cluster);

const char *node_id(struct node *node);   /* CLUSTER MYID */
const char *node_role(struct node *node); /* "master", "slave", "" where it does not answer */
struct node *cluster_node_by_id(struct cluster *cluster, const char *id);
/* The owner of a slot as a node that runs sees it; NULL: nobody, or not one of ours. */
struct node *cluster_owner_of_slot(struct cluster *cluster, unsigned slot);
struct node *cluster_owner_of_key(struct cluster *cluster, const char *key);
/* A replica (that runs) of this primary, as the replica itself says; NULL: none. */
struct node *cluster_replica_of(struct cluster *cluster, struct node *primary);
/* How `observer` describes `node`: its line of CLUSTER NODES, or "". */
const char *cluster_line_of(struct node *observer, struct node *node);
/* Whether the flags of that line have this word, e.g. "fail", "fail?", "master". */
bool cluster_sees(struct node *observer, struct node *node, const char *flag);

/* Keys prefix0 ... prefix(count-1), each with the value "value-of-KEY": written and checked by way
 * of the owners, pipelined. cluster_verify gives the number that are missing or wrong. */
void cluster_fill(struct cluster *cluster, const char *prefix, int count);
int cluster_verify(struct cluster *cluster, const char *prefix, int count);
int64_t cluster_keys(struct cluster *cluster); /* DBSIZE of the primaries, together */

#endif
