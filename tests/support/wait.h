/* Waiting for conditions. No test sleeps a fixed time: it waits until something is so, with a
 * limit. Limits are for a machine of ordinary speed; TEST_SLOWNESS (a factor, set by
 * tests/tool/run-tests for the sanitizers' builds) stretches all of them, and Criterion's. */
#ifndef TESTS_SUPPORT_WAIT_H
#define TESTS_SUPPORT_WAIT_H

#include <criterion/criterion.h>
#include <stdbool.h>
#include <stdint.h>

int64_t now_ms(void); /* monotonic */
int64_t now_us(void);
double test_slowness(void); /* 1 or more */

/* The moment `limit_ms` from now, slowness included; for wait_pause(). */
int64_t wait_deadline(int limit_ms);
/* Pauses for some ms; false where the deadline has passed. */
bool wait_pause(int64_t deadline);

/* Polls the condition until it holds and gives whether it did. */
#define wait_for(limit_ms, condition)                                                              \
    ({                                                                                             \
        int64_t deadline_ = wait_deadline(limit_ms);                                               \
        bool holds_;                                                                               \
        while (!(holds_ = (condition)) && wait_pause(deadline_))                                   \
            ;                                                                                      \
        holds_;                                                                                    \
    })

/* The same, and the test fails where the limit passes. */
#define wait_until(limit_ms, condition)                                                            \
    cr_assert(wait_for(limit_ms, condition), "after %d ms it was still not so: %s", (limit_ms),    \
        #condition)

/* The condition must hold, again and again, for that long. */
#define hold_for(duration_ms, condition)                                                           \
    do {                                                                                           \
        int64_t end_ = now_ms() + (duration_ms);                                                   \
        do {                                                                                       \
            cr_assert((condition), "it did not stay so for %d ms: %s", (duration_ms), #condition); \
        } while (wait_pause(end_));                                                                \
    } while (0)

#endif
