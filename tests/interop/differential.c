/* Redis is the oracle: the scripts in tests/interop/scripts go to redis-server and to the server
 * under test, in both versions of the protocol, and every reply must be the same
 * (tests/support/script.h says how a line can ask for less). What differs and is meant to stands in
 * tests/interop/differences.txt. */
#include "tests/support/node.h"
#include "tests/support/scratch.h"
#include "tests/support/script.h"
#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>

TestSuite(differential, .init = nodes_begin, .fini = nodes_end, .timeout = 60);

static void run(const char *name, int protocol)
{
    differences_load("tests/interop/differences.txt");
    int differences = script_run(scratch_printf("tests/interop/scripts/%s.txt", name), protocol);
    cr_assert_eq(differences, 0, "%s.txt, RESP%d: %d replies differ", name, protocol, differences);
}

static const char *const scripts[] = {
#define SCRIPT(name) #name,
#include "tests/interop/scripts.inc"
#undef SCRIPT
};

#define SCRIPT(name)                                                                               \
    Test(differential, name##_resp2)                                                               \
    {                                                                                              \
        run(#name, 2);                                                                             \
    }                                                                                              \
    Test(differential, name##_resp3)                                                               \
    {                                                                                              \
        run(#name, 3);                                                                             \
    }
#include "tests/interop/scripts.inc"

/* A script that nobody runs would be a test that cannot fail. */
Test(differential, every_script_has_its_row)
{
    DIR *folder = opendir("tests/interop/scripts");
    cr_assert_not_null(folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        bool found = entry->d_name[0] == '.';
        for (size_t i = 0; i < sizeof(scripts) / sizeof(*scripts); i++)
            found = found || strcmp(entry->d_name, scratch_printf("%s.txt", scripts[i])) == 0;
        cr_expect(found, "%s is not in tests/interop/scripts.inc", entry->d_name);
    }
    closedir(folder);
}
