/* A mutex in one word, after Ulrich Drepper's "Futexes Are Tricky" (mutex 2): the third state says
 * that somebody may be asleep, so that a release without waiters needs no system call. The fourth
 * says that the holder takes long: it stays until the release, which wakes everybody. */
#include "server/store/lock.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SPINS = 100 }; /* a slot is held for less than a microsecond as a rule */

static long futex(_Atomic uint32_t *word, int operation, uint32_t value)
{
    return syscall(SYS_futex, word, operation | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0);
}

static bool wait(struct slot_lock *lock, bool also_long)
{
    uint32_t state;
    for (int i = 0; i < SPINS; i++) {
        state = atomic_load_explicit(&lock->state, memory_order_relaxed);
        if (state == SLOT_LOCK_FREE && slot_lock_try(lock))
            return true;
        if (state == SLOT_LOCK_LONG)
            break;
        __builtin_ia32_pause();
    }
    state = atomic_load_explicit(&lock->state, memory_order_relaxed);
    for (;;) {
        if (state == SLOT_LOCK_LONG) {
            if (!also_long)
                return false;
        } else if (!atomic_compare_exchange_strong_explicit(&lock->state, &state,
                       SLOT_LOCK_AWAITED, memory_order_acquire, memory_order_relaxed)) {
            continue;
        } else if (state == SLOT_LOCK_FREE) {
            return true;
        }
        futex(&lock->state, FUTEX_WAIT, state == SLOT_LOCK_LONG ? SLOT_LOCK_LONG : SLOT_LOCK_AWAITED);
        state = atomic_load_explicit(&lock->state, memory_order_relaxed);
    }
}

void slot_lock_wait(struct slot_lock *lock)
{
    wait(lock, true);
}

bool slot_lock_wait_unless_long(struct slot_lock *lock)
{
    return wait(lock, false);
}

void slot_lock_wake(struct slot_lock *lock, uint32_t state)
{
    futex(&lock->state, FUTEX_WAKE, state == SLOT_LOCK_LONG ? INT32_MAX : 1);
}

void slot_lock_hold_long(struct slot_lock *lock)
{
    uint32_t state =
        atomic_exchange_explicit(&lock->state, SLOT_LOCK_LONG, memory_order_relaxed);
    if (state == SLOT_LOCK_AWAITED)
        slot_lock_wake(lock, SLOT_LOCK_LONG);
}
