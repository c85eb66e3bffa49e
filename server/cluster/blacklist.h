/* Nodes that were forgotten by hand: gossip does not bring them back for a while. Private to
 * server/cluster. */
#ifndef SERVER_CLUSTER_BLACKLIST_H
#define SERVER_CLUSTER_BLACKLIST_H

#include "common/node_id.h"
#include <stdint.h>

enum { BLACKLIST_TTL = 60000 /* ms */, BLACKLIST_MAX = 1024 };

struct blacklist_entry {
    struct node_id id;
    int64_t until;
};

struct blacklist {
    struct blacklist_entry *items; /* owned */
    size_t count;
};

/* Keeps the node out until then. Of more than BLACKLIST_MAX the one that ends first goes. */
void blacklist_add(struct blacklist *list, const struct node_id *id, int64_t until, int64_t now);
bool blacklist_has(struct blacklist *list, const struct node_id *id, int64_t now);
void blacklist_free(struct blacklist *list);

#endif
