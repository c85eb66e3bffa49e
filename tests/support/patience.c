/* The tests' own limits stretch as all others do: where the servers are slow a test that waits for
 * them, within its limits, is not to be ended by Criterion. A hook, so nobody calls it; the linker
 * is told to take it in (see the Makefile). */
#include "tests/support/wait.h"
#include <criterion/hooks.h>
#include <criterion/internal/ordered-set.h>

char patience_is_linked;

ReportHook(PRE_ALL)(struct criterion_test_set *all)
{
    double factor = test_slowness();
    FOREACH_SET(struct criterion_suite_set * set, all->suites)
    {
        if (set->suite.data != NULL)
            set->suite.data->timeout *= factor;
        FOREACH_SET(struct criterion_test * test, set->tests)
        test->data->timeout *= factor;
    }
}
