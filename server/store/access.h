/* How keys are used: the 24 bits that each entry has for it, in one of two ways, as the policy of
 * maxmemory wants it.
 *
 *   LRU (and where there is no policy): the second of the last use, of a clock of 24 bits.
 *   LFU: the minute, 16 bits, in which the counter was looked at last, and the counter, 8 bits. The
 *   counter grows more slowly the higher it is (lfu-log-factor) and loses one in each
 *   lfu-decay-time minutes.
 *
 * When the policy changes from one to the other the bits mean something else at once, and become
 * right as keys are used. All functions on entries: under the lock of the slot. */
#ifndef SERVER_STORE_ACCESS_H
#define SERVER_STORE_ACCESS_H

#include "server/store/entry.h"

enum { ACCESS_MASK = (1 << 24) - 1, ACCESS_COUNT_MAX = 255 };

/* What the configuration says; any thread, whenever it changes. decay_minutes 0: never. */
void access_configure(bool lfu, int64_t log_factor, int64_t decay_minutes);
bool access_is_lfu(void);

/* now: Unix time in ms. An entry that is new, and one that is used. */
void access_begin(struct entry *entry, int64_t now);
void access_touch(struct entry *entry, int64_t now);
/* Seconds since the last use (of LRU), and the counter as it is by now (of LFU). */
int64_t access_idle_seconds(const struct entry *entry, int64_t now);
unsigned access_count(const struct entry *entry, int64_t now);
/* The same, set: as RESTORE and RDB files have them. */
void access_set_idle(struct entry *entry, int64_t now, int64_t seconds);
void access_set_count(struct entry *entry, int64_t now, unsigned count);

#endif
