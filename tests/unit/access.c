/* Idle times and counters in 24 bits. */
#include "server/store/access.h"

#include "server/store/entry.h"
#include <criterion/criterion.h>

enum { MINUTE = 60 * 1000 };
static const int64_t now = INT64_C(1700000000000);

static struct entry *make(void)
{
    return entry_create_string(BYTES("k"), BYTES("v"), ENTRY_NO_EXPIRY);
}

Test(access, idle_time_is_since_the_last_use)
{
    struct entry *entry = make();
    access_configure(false, 10, 1);
    access_begin(entry, now);
    cr_assert_eq(access_idle_seconds(entry, now + 5000), 5);
    access_touch(entry, now + 5000);
    cr_assert_eq(access_idle_seconds(entry, now + 5000), 0);
    cr_assert_eq(access_idle_seconds(entry, now + 4000), 0, "a clock that is behind");
    access_set_idle(entry, now, 1000);
    cr_assert_eq(access_idle_seconds(entry, now), 1000);
    entry_free(entry);
}

Test(access, counters_grow_with_use_and_decay_with_time)
{
    struct entry *entry = make();
    access_configure(true, 0, 1);
    access_begin(entry, now);
    cr_assert_eq(access_count(entry, now), 5);
    access_touch(entry, now);
    cr_assert_eq(access_count(entry, now), 6, "with factor 0 every use counts");
    cr_assert_eq(access_count(entry, now + 2 * MINUTE), 4);
    cr_assert_eq(access_count(entry, now + 100 * MINUTE), 0);
    access_touch(entry, now + 2 * MINUTE);
    cr_assert_eq(access_count(entry, now + 2 * MINUTE), 5);
    access_configure(true, 0, 0);
    cr_assert_eq(access_count(entry, now + 100 * MINUTE), 5, "with 0 nothing decays");
    access_set_count(entry, now, ACCESS_COUNT_MAX);
    access_touch(entry, now);
    cr_assert_eq(access_count(entry, now), ACCESS_COUNT_MAX);
    entry_free(entry);
}

/* With factor 10 some 100 uses make about 10, some 100,000 about 150. */
Test(access, counters_grow_more_slowly_the_higher_they_are)
{
    struct entry *entry = make();
    access_configure(true, 10, 1);
    access_begin(entry, now);
    for (int i = 0; i < 100; i++)
        access_touch(entry, now);
    unsigned few = access_count(entry, now);
    for (int i = 0; i < 100000; i++)
        access_touch(entry, now);
    unsigned many = access_count(entry, now);
    cr_assert(few >= 6 && few <= 20, "%u", few);
    cr_assert(many >= 100 && many <= 200, "%u", many);
    entry_free(entry);
}
