/* The slots that the person has marked, and what one can do with them as a whole. */
#ifndef TUI_MARKS_H
#define TUI_MARKS_H

#include "common/slot.h"

struct tui;

void marks_add(struct tui *tui, const struct slot_set *slots);
void marks_add_range(struct tui *tui, unsigned first, unsigned last);
void marks_remove(struct tui *tui, const struct slot_set *slots);
void marks_clear(struct tui *tui);
/* All slots of the shard with that index in the model. */
void marks_add_shard(struct tui *tui, int shard);
/* "marked 1000 slots  0-999  1,840 keys" into out, without the ranges where that would take more
 * than `room` columns; empty where nothing is marked. */
void marks_describe(struct tui *tui, char *out, size_t size, int room);

#endif
