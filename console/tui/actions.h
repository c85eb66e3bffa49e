/* What changes the cluster, as dialogues: each asks what isn't known, shows a plan, and runs it
 * when told to; and questions about leaving or stopping. */
#ifndef TUI_ACTIONS_H
#define TUI_ACTIONS_H

#include "console/operation/plan.h"

struct tui;

enum { ACTION_ASK_TARGET = -1 };

/* The marked slots to the shard (index in the model), or to one that is asked for. */
void action_reshard(struct tui *tui, int shard);
/* A replica of the shard takes over. */
void action_failover(struct tui *tui, int shard);
/* This replica, asked for by name; force and takeover by mode. */
void action_failover_node(struct tui *tui, int node, enum plan_failover_mode mode);
/* Stops what runs, after asking. */
void action_cancel(struct tui *tui);
/* Leaves the dashboard, after asking where something runs. */
void action_leave(struct tui *tui);
/* Findings of a check, as a page. */
void action_check(struct tui *tui);
/* All about a node, as a page. */
void action_show_node(struct tui *tui, int node);
/* Keys and commands, as a page; made from the tables. */
void action_help(struct tui *tui);

#endif
