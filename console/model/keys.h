/* How many keys slots have, counted on demand by their owners (CLUSTER COUNTKEYSINSLOT, pipelined,
 * at most some hundreds under way). The figures land in model->slot_keys. */
#ifndef CONSOLE_MODEL_KEYS_H
#define CONSOLE_MODEL_KEYS_H

#include "console/model/model.h"

struct model_count;

/* Counts the slots of the set that have an owner that answers. done is called once, not from inside
 * this function; failed is the number of slots that could not be counted. Counting ends early,
 * without done, with model_count_cancel (also before model_free). */
struct model_count *model_count_keys(struct model *model, const struct slot_set *set,
    void (*done)(void *context, unsigned failed), void *context);
void model_count_cancel(struct model_count *count);
/* Asked and answered so far, for a progress bar. */
void model_count_progress(const struct model_count *count, unsigned *asked, unsigned *answered);

#endif
