#include "server/net/patience.h"

#include <criterion/criterion.h>
#include <sched.h>

enum { CONNECTIONS = 32, READS = 10000 };

Test(patience, a_busy_worker_becomes_patient_and_eager_again)
{
    struct patience patience = { 0 };
    uint64_t reads = 0;
    patience_tick(&patience, CONNECTIONS, reads += READS);
    cr_assert_eq(sched_getscheduler(0), SCHED_BATCH);
    patience_tick(&patience, 0, reads);
    cr_assert_eq(sched_getscheduler(0), SCHED_BATCH, "a pause between two rushes is nothing");
    for (int i = 0; i < 10; i++)
        patience_tick(&patience, CONNECTIONS, reads);
    cr_assert_eq(sched_getscheduler(0), SCHED_OTHER);
}

Test(patience, few_connections_or_little_to_do_leave_it_eager)
{
    struct patience patience = { 0 };
    uint64_t reads = 0;
    for (int i = 0; i < 20; i++) {
        patience_tick(&patience, 2, reads += READS);
        cr_assert_eq(sched_getscheduler(0), SCHED_OTHER);
    }
    for (int i = 0; i < 20; i++) {
        patience_tick(&patience, CONNECTIONS, reads += 10);
        cr_assert_eq(sched_getscheduler(0), SCHED_OTHER);
    }
}

Test(patience, a_policy_that_somebody_has_chosen_stays)
{
    struct patience patience = { 0 };
    cr_assert_eq(sched_setscheduler(0, SCHED_IDLE, &(struct sched_param){ 0 }), 0);
    patience_tick(&patience, CONNECTIONS, READS);
    cr_assert_eq(sched_getscheduler(0), SCHED_IDLE);
    cr_assert_not(patience.patient);
}
