#include "server/thread.h"

#include <criterion/criterion.h>

Test(thread, lists_of_cpus)
{
    static const struct {
        const char *text;
        const char *cpus; /* which of the first ten; NULL: refused */
    } rows[] = {
        { "0", "1000000000" },
        { "9", "0000000001" },
        { "0-3", "1111000000" },
        { "0-3,6", "1111001000" },
        { "0-7:2", "1010101000" },
        { "1-8:3,2", "0110100100" },
        { "3-3", "0001000000" },
        { "5:2", "0000010000" },
        { "", NULL },
        { ",", NULL },
        { "1,", NULL },
        { "a", NULL },
        { "1 2", NULL },
        { "3-1", NULL },
        { "1-", NULL },
        { "-1", NULL },
        { "0-7:0", NULL },
        { "0-7:", NULL },
        { "1024", NULL },
        { "0-1024", NULL },
        { "99999999999999999999", NULL },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        cpu_set_t cpus;
        bool parsed = thread_parse_cpus(rows[i].text, &cpus);
        cr_expect_eq(parsed, rows[i].cpus != NULL, "%s", rows[i].text);
        for (size_t cpu = 0; parsed && rows[i].cpus && cpu < 10; cpu++)
            cr_expect_eq(CPU_ISSET(cpu, &cpus) != 0, rows[i].cpus[cpu] == '1', "%s: %zu",
                rows[i].text, cpu);
    }
}
