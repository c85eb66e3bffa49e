/* The gate: replies that must wait until somebody has reached an offset of the journal. One
 * mechanism for `appendfsync always`, WAIT, WAITAOF and manual failover.
 *
 * Followers (the AOF's fsync; each replica's acknowledgement) say how far they have come. Listeners
 * (worker threads) ask to be woken when a follower passes an offset; they hold the replies
 * themselves, each at its connection with its offset and the number of followers it needs.
 *
 *     if (!gate_wait(listener, offset, need)) hold the reply;
 *     ... woken: for each held reply: if (gate_wait(listener, its offset, its need)) send it;
 *
 * All functions may be called from any thread; a listener belongs to one. */
#ifndef SERVER_JOURNAL_GATE_H
#define SERVER_JOURNAL_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gate;
struct gate_follower;
struct gate_listener;

/* Passes everything: what a follower says that holds nobody up any more (AOF turned off). */
#define GATE_OPEN INT64_MAX

struct gate *gate_create(void);
void gate_destroy(struct gate *gate); /* followers and listeners must have been removed */

struct gate_follower *gate_follower_add(struct gate *gate, int64_t offset);
void gate_follower_remove(struct gate_follower *follower); /* it counts no more; wakes nobody */
/* The follower has reached offset. Going back is ignored, as acknowledgements may come late. */
void gate_follower_advance(struct gate_follower *follower, int64_t offset);
/* Sets it, back too: a new history (full sync), AOF turned on after having been off. */
void gate_follower_set(struct gate_follower *follower, int64_t offset);
int64_t gate_follower_offset(const struct gate_follower *follower);

/* The offset that the foremost follower has reached; -1 without followers. One atomic load. */
int64_t gate_highest(const struct gate *gate);
/* How many followers have reached offset: what WAIT replies with. */
size_t gate_count(const struct gate *gate, int64_t offset);

/* wake: called in the follower's thread, once until the listener waits again; must be cheap (an
 * eventfd write) and call nothing of the gate. */
struct gate_listener *gate_listener_add(
    struct gate *gate, void (*wake)(void *context), void *context);
void gate_listener_remove(struct gate_listener *listener); /* after it no wake is running */

/* True: `need` followers have reached offset. False: not yet, and the listener will be woken when a
 * follower passes `offset` (or a lower one that it waits for as well). need 0 is always true. */
bool gate_wait(struct gate_listener *listener, int64_t offset, size_t need);
/* Wakes all listeners that wait, to look again at why they wait (a timeout changed, a follower is
 * gone, the node became a replica). */
void gate_wake_all(struct gate *gate);

#endif
