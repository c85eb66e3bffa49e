#include "server/command/histogram.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static struct histogram histogram;
static struct histogram_sum sum;

static void add_up(void)
{
    sum = (struct histogram_sum){ 0 };
    histogram_sum_add(&sum, &histogram);
}

Test(histogram, steps_follow_each_other_without_gap)
{
    uint64_t end = 0;
    for (uint64_t ns = 0; ns < 1 << 20; ns = end + 1) {
        end = histogram_step_end(ns);
        cr_assert(end >= ns);
        cr_assert((end - ns) * 127 <= ns, "a step of %lu at %lu", end - ns + 1, ns);
        cr_assert_eq(histogram_step_end(end), end);
    }
}

/* The ends of the buckets are those that Redis 7.0 shows. */
Test(histogram, powers_of_two_end_where_redis_ends_them)
{
    static const unsigned us[] = { 1, 2, 4, 8, 16, 33, 66, 132, 264, 528, 1056, 2113 };
    for (unsigned i = 0; i < sizeof(us) / sizeof(us[0]); i++)
        cr_assert_eq(histogram_step_end(UINT64_C(1024) << i) / 1000, us[i]);
}

Test(histogram, counts_and_percentiles)
{
    for (uint64_t i = 1; i <= 1000; i++)
        histogram_add(&histogram, i * 1000);
    add_up();
    cr_assert_eq(sum.total, 1000);
    cr_assert_eq(histogram_sum_up_to(&sum, HISTOGRAM_MAX), 1000);
    cr_assert_eq(histogram_sum_up_to(&sum, 999), 0);
    cr_assert_eq(histogram_sum_up_to(&sum, 1000), 1);
    static const double percentiles[] = { 0.1, 50, 99, 99.9, 100 };
    for (size_t i = 0; i < sizeof(percentiles) / sizeof(percentiles[0]); i++) {
        double exact = percentiles[i] * 10000,
               told = (double)histogram_sum_percentile(&sum, percentiles[i]);
        cr_assert(told >= exact && told <= exact * 1.01, "%f: %f", percentiles[i], told);
    }
    histogram_free(&histogram);
}

Test(histogram, what_is_too_long_counts_as_a_second)
{
    histogram_add(&histogram, UINT64_MAX);
    histogram_add(&histogram, 0);
    add_up();
    cr_assert_eq(sum.total, 2);
    cr_assert_eq(histogram_sum_up_to(&sum, 0), 1);
    cr_assert_eq(histogram_sum_percentile(&sum, 100), histogram_step_end(HISTOGRAM_MAX));
    histogram_free(&histogram);
}

Test(histogram, nothing_has_no_percentile)
{
    add_up();
    cr_assert_eq(histogram_sum_percentile(&sum, 50), 0);
}

Test(histogram, what_was_before_a_reset_is_taken_off)
{
    static struct histogram_sum before;
    histogram_add(&histogram, 500);
    histogram_sum_add(&before, &histogram);
    histogram_add(&histogram, 70000);
    add_up();
    histogram_sum_subtract(&sum, &before);
    cr_assert_eq(sum.total, 1);
    cr_assert_eq(histogram_sum_up_to(&sum, 60000), 0);
    cr_assert_eq(histogram_sum_up_to(&sum, 70000), 1);
    histogram_free(&histogram);
}
