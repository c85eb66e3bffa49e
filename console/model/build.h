/* How the model is put together, without sockets and clocks: for the poll, which feeds it, and for
 * tests. now is client_now()'s time, wall is client_wall_clock()'s. */
#ifndef CONSOLE_MODEL_BUILD_H
#define CONSOLE_MODEL_BUILD_H

#include "console/model/model.h"

/* An empty model without a poll. */
struct model *model_build_new(void);
void model_build_free(struct model *model); /* all but the poll */

/* Adds a node that isn't there yet; id may be empty. Indexes of others change at the next merge
 * only. */
int model_build_add(struct model *model, const struct node_id *id, const struct address *address);

/* A node told its view. A seed without an ID gets the ID of the view. False, with the node's
 * trouble set, where the text makes no sense or where another node than the expected one answers
 * there. */
bool model_build_view(
    struct model *model, int node, struct bytes cluster_nodes, int64_t now, int64_t wall);
void model_build_cluster_info(struct model *model, int node, struct bytes info);
void model_build_info(struct model *model, int node, struct bytes info, int64_t now);
/* It didn't answer; why is a sentence. */
void model_build_silence(struct model *model, int node, const char *why);

/* Puts all together. Views that are older than fresh_ms, or of nodes in trouble, don't count; where
 * none counts, slots and shards stay as they were. Nodes that nobody knows any more are released
 * through `release` (their probe) before they are freed; NULL: nothing to release. */
void model_build_merge(struct model *model, int64_t now, int64_t wall, int64_t fresh_ms,
    void (*release)(struct model_node *node));
/* One more sample for the histories of the model and its shards. */
void model_build_sample(struct model *model);

/* --- parts of the merge, each in a file of its own --- */

struct model_lineage;
struct model_pending_moves;

bool model_is_usable(const struct model_node *node, int64_t now, int64_t fresh_ms);
void model_index_nodes(struct model *model); /* by_id */
/* slots.c: owners, moves, disputes by the usable views. */
void model_judge_slots(struct model *model, int64_t now, int64_t fresh_ms);
void model_judge_served(struct model *model);
/* shard.c: who belongs together. Tells failovers to the log. */
void model_group_shards(struct model *model, int64_t now, int64_t wall);
void model_sum_shards(struct model *model);
void model_lineage_free(struct model_lineage *lineage);
/* moves.c: slots that changed shards since the last call are gathered and told to the log. */
void model_remember_owners(struct model *model);
void model_tell_moves(struct model *model, int64_t now, int64_t wall);
void model_pending_moves_free(struct model_pending_moves *pending);
/* verdict.c */
void model_judge(struct model *model, int64_t now, int64_t wall);

#endif
