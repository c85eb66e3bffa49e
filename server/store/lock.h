/* The lock of a slot: four bytes, so that it shares a cache line with what it guards. Free it costs
 * one atomic exchange; contended, the waiters sleep in the kernel (futex). Not recursive, not fair.
 */
#ifndef SERVER_STORE_LOCK_H
#define SERVER_STORE_LOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* All zeroes is an open lock. */
struct slot_lock {
    _Atomic uint32_t state; /* 0 free, 1 held, 2 held and somebody sleeps */
};

void slot_lock_wait(struct slot_lock *lock); /* the slow halves */
void slot_lock_wake(struct slot_lock *lock);

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

static inline void slot_lock_release(struct slot_lock *lock)
{
    if (__builtin_expect(atomic_exchange_explicit(&lock->state, 0, memory_order_release) == 2, 0))
        slot_lock_wake(lock);
}

#endif
