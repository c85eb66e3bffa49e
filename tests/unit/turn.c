#include "server/store/turn.h"

#include "server/store/lock.h"
#include "tests/support/wait.h"
#include <pthread.h>
#include <stdatomic.h>

enum { RUNNERS = 3, STOPS = 200, ADDS = 50000 };

TestSuite(turn, .timeout = 60);

/* ---- The lock ---- */

static struct slot_lock lock;
static int counter; /* under lock */

static void *add(void *arg)
{
    for (int i = 0; i < ADDS; i++) {
        slot_lock_acquire(&lock);
        counter++;
        slot_lock_release(&lock);
    }
    return NULL;
}

Test(turn, lock_lets_one_in)
{
    pthread_t threads[RUNNERS];
    for (int i = 0; i < RUNNERS; i++)
        pthread_create(&threads[i], NULL, add, NULL);
    for (int i = 0; i < RUNNERS; i++)
        pthread_join(threads[i], NULL);
    cr_assert_eq(counter, RUNNERS * ADDS);
    cr_assert_eq(atomic_load(&lock.state), 0);
}

Test(turn, lock_is_tried)
{
    cr_assert(slot_lock_try(&lock));
    cr_assert(!slot_lock_try(&lock));
    slot_lock_release(&lock);
    cr_assert(slot_lock_try(&lock));
    slot_lock_release(&lock);
}

static atomic_bool is_in;

static void *wait_for_lock(void *arg)
{
    slot_lock_acquire(&lock);
    atomic_store(&is_in, true);
    slot_lock_release(&lock);
    return NULL;
}

/* One that sleeps in the kernel is woken. */
Test(turn, lock_wakes_a_sleeper)
{
    pthread_t thread;
    slot_lock_acquire(&lock);
    pthread_create(&thread, NULL, wait_for_lock, NULL);
    wait_until(5000, atomic_load(&lock.state) == 2);
    cr_assert(!atomic_load(&is_in));
    slot_lock_release(&lock);
    pthread_join(thread, NULL);
    cr_assert(atomic_load(&is_in));
}

/* ---- Turns ---- */

static atomic_bool ending;
static int shared; /* written in turns by its one runner, read while all are stopped */
static _Atomic int in_turn;
static _Atomic uint64_t turns;

/* As busy as a worker can be: a turn ends only for the next to begin. */
static void *run(void *arg)
{
    struct turn_runner *runner = turn_runner_create();
    while (!atomic_load(&ending)) {
        turn_begin(runner);
        atomic_fetch_add(&in_turn, 1);
        if (arg)
            shared++;
        for (volatile int i = 0; i < 2000; i++)
            ;
        atomic_fetch_sub(&in_turn, 1);
        turn_end(runner);
        atomic_fetch_add(&turns, 1);
    }
    return NULL;
}

/* While all turns are stopped none is under way, and whoever wants that gets it soon, also from
 * runners that are never idle: the longest wait is that of a few turns, not of chance. */
Test(turn, stops_all_and_soon)
{
    pthread_t threads[RUNNERS];
    for (int i = 0; i < RUNNERS; i++)
        pthread_create(&threads[i], NULL, run, i == 0 ? &shared : NULL);
    wait_until(5000, atomic_load(&turns) > 100);
    for (int i = 0; i < STOPS; i++) {
        turn_stop_all();
        uint64_t before = atomic_load(&turns);
        int value = shared;
        cr_assert_eq(atomic_load(&in_turn), 0);
        cr_assert_eq(shared, value);
        cr_assert_leq(atomic_load(&turns) - before, RUNNERS, "a turn ran all the same");
        turn_resume_all();
    }
    uint64_t before = atomic_load(&turns);
    wait_until(5000, atomic_load(&turns) > before + 100);
    atomic_store(&ending, true);
    for (int i = 0; i < RUNNERS; i++)
        pthread_join(threads[i], NULL);
}

static void *stop(void *arg)
{
    for (int i = 0; i < STOPS; i++) {
        turn_stop_all();
        shared++;
        turn_resume_all();
    }
    return NULL;
}

/* Several stop; each alone has the moment. */
Test(turn, stoppers_take_turns)
{
    pthread_t runners[RUNNERS], stoppers[2];
    for (int i = 0; i < RUNNERS; i++)
        pthread_create(&runners[i], NULL, run, NULL);
    for (int i = 0; i < 2; i++)
        pthread_create(&stoppers[i], NULL, stop, NULL);
    for (int i = 0; i < 2; i++)
        pthread_join(stoppers[i], NULL);
    atomic_store(&ending, true);
    for (int i = 0; i < RUNNERS; i++)
        pthread_join(runners[i], NULL);
    cr_assert_eq(shared, 2 * STOPS);
}
