/* Counting keys of slots when somebody looks at them: one count at a time, what was asked meanwhile
 * goes next. The figures land in the model. */
#ifndef TUI_COUNTER_H
#define TUI_COUNTER_H

#include "common/slot.h"

struct counter;
struct tui;

struct counter *counter_new(struct tui *tui);
void counter_free(struct counter *counter); /* before the model goes */
/* Slots that were counted within the last max_age_ms are left out. */
void counter_want(struct counter *counter, const struct slot_set *slots, int64_t max_age_ms);
/* Whether a count is under way, and how far. */
bool counter_busy(const struct counter *counter, unsigned *asked, unsigned *answered);

#endif
