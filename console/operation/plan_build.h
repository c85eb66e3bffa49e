/* What the makers of plans share. */
#ifndef CONSOLE_OPERATION_PLAN_BUILD_H
#define CONSOLE_OPERATION_PLAN_BUILD_H

#include "console/operation/plan.h"

/* Adds a node of the model once; its index in the plan. */
int plan_add_node(struct plan *plan, const struct model *model, int index);
/* The step is good until the next one is added. */
struct plan_step *plan_add_step(struct plan *plan, enum plan_step_kind kind, int node, int peer);
/* Where the move of an open slot has to be finished: the primary that it is on its way to, or the
 * one that this node follows by now and that has the keys which arrived. MODEL_NOBODY: the slot
 * isn't open, or its way leads nowhere any more. */
int plan_open_target(const struct model *model, unsigned slot);
/* An open slot without such a target, whose keys may come back with a node that can still take over
 * from the lost one: that replica. Else MODEL_NOBODY. */
int plan_open_heir(const struct model *model, unsigned slot);
/* Migrating or importing, by whatever node's word. */
bool plan_is_open(const struct model *model, unsigned slot);

/* Adds a line to the notes; what doesn't fit is cut. */
void plan_note(struct plan *plan, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* to gets copies of all that from owns. */
void plan_copy(struct plan *to, const struct plan *from);

#endif
