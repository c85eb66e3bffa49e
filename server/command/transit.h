/* Keys in transit: MIGRATE has sent them and waits for the other node's word. Until then nobody may
 * change them, so requests that would are told to retry; reading goes on. */
#ifndef SERVER_COMMAND_TRANSIT_H
#define SERVER_COMMAND_TRANSIT_H

#include "server/command/call.h"

/* Whether the command would write to a key in transit; the slots of its keys are locked. */
bool transit_blocks(const struct call *call);
/* Whether any key of any slot is in transit: worth to ask the above. Whoever holds the slot's lock
 * sees what was marked under it. */
extern atomic_size_t transit_count;
static inline bool transit_any(void)
{
    return atomic_load_explicit(&transit_count, memory_order_relaxed) > 0;
}

/* Marks and unmarks keys; the slot is locked. After transit_end, and without the
 * lock, executor_retry_all lets those who wait try again. */
void transit_begin(struct slot *slot, const struct bytes *keys, size_t count);
void transit_end(struct slot *slot, const struct bytes *keys, size_t count);

#endif
