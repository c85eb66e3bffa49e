/* Asking all nodes, again and again. Part of the model; others use model.h. */
#ifndef CONSOLE_MODEL_POLL_H
#define CONSOLE_MODEL_POLL_H

#include "console/model/model.h"

struct model_poll *model_poll_new(
    struct client *client, struct model *model, const struct model_options *options);
void model_poll_free(struct model_poll *poll); /* before the model's nodes */

#endif
