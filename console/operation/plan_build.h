/* What the makers of plans share. */
#ifndef CONSOLE_OPERATION_PLAN_BUILD_H
#define CONSOLE_OPERATION_PLAN_BUILD_H

#include "console/operation/plan.h"

/* Adds a node of the model once; its index in the plan. */
int plan_add_node(struct plan *plan, const struct model *model, int index);
/* The step is good until the next one is added. */
struct plan_step *plan_add_step(struct plan *plan, enum plan_step_kind kind, int node, int peer);
/* Adds a line to the notes; what doesn't fit is cut. */
void plan_note(struct plan *plan, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* to gets copies of all that from owns. */
void plan_copy(struct plan *to, const struct plan *from);

#endif
