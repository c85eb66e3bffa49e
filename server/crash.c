/* The handler runs in the middle of anything: with locks held, the heap perhaps broken. So it only
 * writes, from the stack, with write(2); backtrace_symbols_fd allocates nothing, and backtrace has
 * loaded what it needs by a call at the start. Then the signal takes the way that it would have
 * taken without us: a core file as a rule, or the report of a sanitizer. */
#include "server/crash.h"

#include "server/config.h"
#include "server/log.h"

#include <execinfo.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { CALLS_MAX = 100, LINE_MAX_BYTES = 256, THREAD_NAME_MAX = 16 };

static const struct {
    int number;
    const char *name;
} signals[] = { { SIGSEGV, "SIGSEGV" }, { SIGBUS, "SIGBUS" }, { SIGFPE, "SIGFPE" },
    { SIGILL, "SIGILL" }, { SIGABRT, "SIGABRT" } };
enum { SIGNALS = sizeof(signals) / sizeof(signals[0]) };

static struct sigaction before[SIGNALS]; /* written before any thread runs */
static atomic_flag is_reporting = ATOMIC_FLAG_INIT;

/* ---- A line, without the C library ---- */

struct line {
    char text[LINE_MAX_BYTES];
    size_t len;
};

static void add_text(struct line *line, const char *text)
{
    while (*text && line->len < sizeof(line->text) - 1)
        line->text[line->len++] = *text++;
    line->text[line->len] = '\0';
}

static void add_number(struct line *line, uintptr_t number, unsigned base)
{
    char digits[sizeof(number) * 8 + 1];
    size_t at = sizeof(digits) - 1;
    digits[at] = '\0';
    do {
        digits[--at] = "0123456789abcdef"[number % base];
        number /= base;
    } while (number > 0);
    add_text(line, digits + at);
}

static void write_signal(int index, const siginfo_t *info)
{
    struct line line = { .len = 0 };
    char thread[THREAD_NAME_MAX] = "";
    prctl(PR_GET_NAME, thread);
    add_text(&line, "slotd " SLOTD_VERSION ", process ");
    add_number(&line, (uintptr_t)getpid(), 10);
    add_text(&line, ", thread ");
    add_text(&line, thread);
    add_text(&line, ": crashed by ");
    add_text(&line, signals[index].name);
    if (info->si_code > 0) {
        add_text(&line, " at address 0x");
        add_number(&line, (uintptr_t)info->si_addr, 16);
    } else {
        add_text(&line, ", sent by process ");
        add_number(&line, (uintptr_t)info->si_pid, 10);
    }
    log_from_signal(line.text);
}

static void on_crash(int number, siginfo_t *info, void *context)
{
    int index = 0;
    while (index < SIGNALS - 1 && signals[index].number != number)
        index++;
    sigaction(number, &before[index], NULL);
    /* The first crash tells the cause; what follows from it, in other threads, does not. */
    if (!atomic_flag_test_and_set(&is_reporting)) {
        void *calls[CALLS_MAX];
        log_from_signal("=== The report of a crash begins ===");
        write_signal(index, info);
        log_from_signal("Calls, the latest first (addr2line -fe PROGRAM OFFSET names the lines):");
        backtrace_symbols_fd(calls, backtrace(calls, CALLS_MAX), log_descriptor());
        log_from_signal("=== The report of a crash ends ===");
    }
    raise(number); /* blocked while this runs, so it comes as the handler returns */
}

static bool apply(enum config_id id, struct error *error)
{
    struct sigaction action = { .sa_sigaction = on_crash, .sa_flags = SA_SIGINFO };
    sigemptyset(&action.sa_mask);
    for (int i = 0; i < SIGNALS; i++)
        sigaction(signals[i].number, config_is(id) ? &action : &before[i], NULL);
    return true;
}

void crash_init(void)
{
    void *calls[1];
    backtrace(calls, 1);
    for (int i = 0; i < SIGNALS; i++)
        sigaction(signals[i].number, NULL, &before[i]);
    config_on_change(CONFIG_CRASH_LOG_ENABLED, apply);
    apply(CONFIG_CRASH_LOG_ENABLED, NULL);
}
