/* Programs that tests run: the server under test, the console, and anything by way of a shell. */
#ifndef TESTS_SUPPORT_SHELL_H
#define TESTS_SUPPORT_SHELL_H

#include <stdbool.h>

/* Absolute paths (a name without a slash is looked up in PATH). */
const char *server_path(void); /* $SERVER, else build/slotd */
const char *console_path(
    void);                  /* $CONSOLE, else build/slotctl; the test fails where there is none */
bool server_is_slotd(void); /* whether the server under test is a program called slotd */
const char *program_path(const char *name);

/* Runs a line of bash (pipefail is on) in the test's folder, with nothing on standard input; gives
 * its exit status (128 + the signal where one ended it; 124 where limit_ms passed and it was
 * killed) and, as scratch text, what it wrote to standard output and error together. output may be
 * NULL. */
int shell_run(int limit_ms, const char **output, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
