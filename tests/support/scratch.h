/* What a test makes and does not leave behind: a folder of its own, removed by the runner however
 * the test ends, and texts that live as long as the test's process.
 *
 * Every Criterion program with this library prints, for a test that failed, crashed or hung, the
 * tails of the logs in its folder behind the failure, and for a skipped test its reason. */
#ifndef TESTS_SUPPORT_SCRATCH_H
#define TESTS_SUPPORT_SCRATCH_H

#include <stdarg.h>
#include <stddef.h>

/* The folder of the test that runs, made at the first call; below $TMPDIR or /tmp. */
const char *scratch_folder(void);

/* Texts that live until the test's process ends; from any thread. */
char *scratch_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
char *scratch_vprintf(const char *format, va_list args);
char *scratch_copy(const void *data, size_t len); /* a zero is put behind the bytes */

#endif
