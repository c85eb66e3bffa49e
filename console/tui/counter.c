/* Two sets: what is being counted, and what was asked for since. */
#include "console/tui/counter.h"

#include "common/memory.h"
#include "console/model/keys.h"
#include "console/tui/app.h"
#include <stdlib.h>

struct counter {
    struct tui *tui;
    struct model_count *running;
    struct slot_set wanted;
};

struct counter *counter_new(struct tui *tui)
{
    struct counter *counter = memory_alloc_zeroed(1, sizeof *counter);
    counter->tui = tui;
    return counter;
}

void counter_free(struct counter *counter)
{
    if (counter == NULL)
        return;
    if (counter->running != NULL)
        model_count_cancel(counter->running);
    free(counter);
}

static void counter_done(void *context, unsigned failed);

static void counter_start(struct counter *counter)
{
    if (counter->running != NULL || slot_set_is_empty(&counter->wanted))
        return;
    struct slot_set set = counter->wanted;
    memset(&counter->wanted, 0, sizeof counter->wanted);
    counter->running = model_count_keys(counter->tui->model, &set, counter_done, counter);
}

static void counter_done(void *context, unsigned failed)
{
    struct counter *counter = context;
    counter->running = NULL;
    counter_start(counter);
    tui_changed(counter->tui);
}

void counter_want(struct counter *counter, const struct slot_set *slots, int64_t max_age_ms)
{
    int64_t now = client_now();
    const struct model *model = counter->tui->model;
    unsigned first = 0, last = 0;
    for (; slot_set_next_range(slots, &first, &last); first = last + 1) {
        for (unsigned s = first; s <= last; s++) {
            bool known = model->slot_keys[s] != MODEL_KEYS_UNKNOWN;
            if ((!known || now - model->slot_keys_at[s] > max_age_ms) &&
                model->slots[s].owner != MODEL_NOBODY && model->slots[s].served)
                slot_set_add(&counter->wanted, s);
        }
    }
    counter_start(counter);
}

bool counter_busy(const struct counter *counter, unsigned *asked, unsigned *answered)
{
    if (counter->running == NULL)
        return false;
    model_count_progress(counter->running, asked, answered);
    return true;
}
