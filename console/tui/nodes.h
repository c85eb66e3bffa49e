/* How nodes and shards are written everywhere, so that they look the same everywhere. */
#ifndef TUI_NODES_H
#define TUI_NODES_H

#include "console/model/model.h"
#include "console/tui/draw.h"

enum { NODES_NAME_MAX = 64, NODES_KEY_MAX = 64 };

/* The shard's letter on its colour; returns the column behind it. shard is an index; -1: a blank.
 */
int nodes_draw_letter(const struct model *model, struct area area, int row, int col, int shard);
struct style nodes_health_style(enum model_health health);
/* "up", "down 12s", "pfail 3s" ... with the age where the node isn't well. */
const char *nodes_health_text(const struct model_node *node, char *out, size_t size);
bool nodes_is_stale(const struct model_node *node);
/* What stays when everything else of a node changes: its ID, or its address before that is known.
 */
const char *nodes_key(const struct model_node *node, char out[NODES_KEY_MAX]);
int nodes_by_key(const struct model *model, const char *key); /* MODEL_NOBODY: gone */
/* Of a shard: the replica (index of a node) that a failover would take first: answering, least lag,
 * and so on; writes up to `most` and returns how many there are. */
unsigned nodes_replicas(const struct model *model, int shard, int *out, unsigned most);
/* The host that all nodes share; else the first node's address. */
const char *nodes_cluster_name(const struct model *model, char *out, size_t size);

#endif
