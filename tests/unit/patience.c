#include "server/net/patience.h"

#include "server/clock.h"
#include <criterion/criterion.h>
#include <sched.h>
#include <unistd.h>

TestSuite(patience, .timeout = 20);

enum { MANY = 32, RUSH = 100000 };

/* A time in which the thread has wanted the processor. */
static void toil(void)
{
    int64_t start = clock_monotonic_us();
    while (clock_monotonic_us() - start < 20000)
        continue;
}

static struct patience_load load_of(size_t connections, uint64_t reads)
{
    return (struct patience_load){ .workers = 1, .connections = connections, .reads = reads };
}

/* A worker that has already seen one tick. */
static struct patience begun(void)
{
    struct patience patience = { 0 };
    patience_tick(&patience, load_of(0, 0));
    return patience;
}

Test(patience, a_pressed_worker_becomes_patient_and_eager_again)
{
    struct patience patience = begun();
    toil();
    patience_tick(&patience, load_of(MANY, RUSH));
    cr_assert_gt(patience.rest_ns, 0);
    cr_assert_leq(patience.rest_ns, 200000);
    cr_assert_eq(sched_getscheduler(0), SCHED_BATCH);
    usleep(20000); /* it has time to spare, whatever came */
    patience_tick(&patience, load_of(MANY, 2 * RUSH));
    cr_assert_eq(patience.rest_ns, 0);
    cr_assert_eq(sched_getscheduler(0), SCHED_OTHER);
}

Test(patience, it_rests_after_a_turn_that_found_few)
{
    struct patience patience = { .enough = 6, .rest_ns = 200000 };
    int64_t start = clock_monotonic_us();
    for (int i = 0; i < 10; i++)
        patience_rest(&patience, 1);
    cr_assert_geq(clock_monotonic_us() - start, 2000);
    patience.rest_ns = (int64_t)1000000000 - 1; /* whoever sleeps that long is ended by the time-out */
    for (int i = 0; i < 100; i++) {
        patience_rest(&patience, 6);
        patience_rest(&patience, 0);
    }
}

Test(patience, few_connections_or_requests_leave_it_eager)
{
    struct patience patience = begun();
    toil();
    patience_tick(&patience, load_of(2, RUSH));
    cr_assert_eq(patience.rest_ns, 0);
    toil();
    patience_tick(&patience, load_of(MANY, RUSH + 10));
    cr_assert_eq(patience.rest_ns, 0);
    cr_assert_eq(sched_getscheduler(0), SCHED_OTHER);
}

Test(patience, a_policy_that_somebody_has_chosen_stays)
{
    struct patience patience = begun();
    cr_assert_eq(sched_setscheduler(0, SCHED_IDLE, &(struct sched_param){ 0 }), 0);
    toil();
    patience_tick(&patience, load_of(MANY, RUSH));
    cr_assert_gt(patience.rest_ns, 0);
    cr_assert_eq(sched_getscheduler(0), SCHED_IDLE);
}
