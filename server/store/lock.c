/* A mutex in one word, after Ulrich Drepper's "Futexes Are Tricky" (mutex 2): the third state says
 * that somebody may be asleep, so that a release without waiters needs no system call. */
#include "server/store/lock.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SPINS = 100 }; /* a slot is held for less than a microsecond as a rule */

static long futex(_Atomic uint32_t *word, int operation, uint32_t value)
{
    return syscall(SYS_futex, word, operation | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0);
}

void slot_lock_wait(struct slot_lock *lock)
{
    for (int i = 0; i < SPINS; i++) {
        if (atomic_load_explicit(&lock->state, memory_order_relaxed) == 0 && slot_lock_try(lock))
            return;
        __builtin_ia32_pause();
    }
    while (atomic_exchange_explicit(&lock->state, 2, memory_order_acquire) != 0)
        futex(&lock->state, FUTEX_WAIT, 2);
}

void slot_lock_wake(struct slot_lock *lock)
{
    futex(&lock->state, FUTEX_WAKE, 1);
}
