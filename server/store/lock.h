/* The lock of a slot: four bytes, so that it shares a cache line with what it guards. Free it costs
 * one atomic exchange; contended, the waiters sleep in the kernel (futex). Not recursive, not fair.
 * A holder that will take long (a script) says so, and those who can do something else meanwhile do.
 */
#ifndef SERVER_STORE_LOCK_H
#define SERVER_STORE_LOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* All zeroes is an open lock. */
struct slot_lock {
    _Atomic uint32_t state; /* enum slot_lock_state */
};

enum slot_lock_state {
    SLOT_LOCK_FREE,
    SLOT_LOCK_HELD,
    SLOT_LOCK_AWAITED, /* held, and somebody sleeps */
    SLOT_LOCK_LONG,    /* held for long, as slot_lock_hold_long says; somebody may sleep */
};

void slot_lock_wait(struct slot_lock *lock); /* the slow halves */
bool slot_lock_wait_unless_long(struct slot_lock *lock);
void slot_lock_wake(struct slot_lock *lock, uint32_t state);

static inline bool slot_lock_try(struct slot_lock *lock)
{
    uint32_t expected = 0;
    return atomic_compare_exchange_strong_explicit(
        &lock->state, &expected, 1, memory_order_acquire, memory_order_relaxed);
}

static inline void slot_lock_acquire(struct slot_lock *lock)
{
    if (__builtin_expect(!slot_lock_try(lock), 0))
        slot_lock_wait(lock);
}

/* False: it is, or becomes, held for long; the caller has not got it. */
static inline bool slot_lock_enter(struct slot_lock *lock)
{
    return __builtin_expect(slot_lock_try(lock), 1) || slot_lock_wait_unless_long(lock);
}

/* The holder will not let go soon: whoever enters is sent away, and those who wait to are woken. */
void slot_lock_hold_long(struct slot_lock *lock);

static inline void slot_lock_release(struct slot_lock *lock)
{
    uint32_t state = atomic_exchange_explicit(&lock->state, SLOT_LOCK_FREE, memory_order_release);
    if (__builtin_expect(state > SLOT_LOCK_HELD, 0))
        slot_lock_wake(lock, state);
}

#endif
