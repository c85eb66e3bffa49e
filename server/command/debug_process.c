/* DEBUG's words that end the process, or change how it goes on. */
#include "server/command/debug.h"

#include "common/memory.h"
#include "common/number.h"
#include "server/log.h"
#include "server/command/background.h"
#include "server/periodic.h"
#include "server/process.h"
#include "server/restart.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#ifndef SLOTD_SANITIZE
#include <jemalloc/jemalloc.h>
#else
/* The sanitizers' own allocator has nothing to be told or set. */
static int mallctl(const char *name, void *old, size_t *old_size, void *value, size_t size)
{
    return ENOENT;
}
#endif

static void debug_segfault(struct call *call)
{
    log_write(LOG_WARNING, "DEBUG SEGFAULT: ending with the signal");
    signal(SIGSEGV, SIG_DFL);
    raise(SIGSEGV);
}

static void debug_panic(struct call *call)
{
    log_write(LOG_WARNING, "DEBUG PANIC: called by a client");
    abort();
}

static void debug_assert(struct call *call)
{
    log_write(LOG_WARNING, "DEBUG ASSERT: 1 == 2 does not hold");
    abort();
}

static void debug_oom(struct call *call)
{
    memory_exhausted(SIZE_MAX / 2);
}

/* ---- Beginning anew ---- */

enum { DELAY_MOST_MS = 3600 * 1000 };

static bool parse_delay(struct call *call, int *delay_ms)
{
    int64_t delay = 0;
    if (call->argc > 2 && !call_integer(call, 2, &delay))
        return false;
    *delay_ms = (int)(delay < 0 ? 0 : delay > DELAY_MOST_MS ? DELAY_MOST_MS : delay);
    return true;
}

static void crash(void *arg)
{
    restart_now();
}

/* DEBUG CRASH-AND-RECOVER [milliseconds]: no answer comes, the connection breaks. */
static void debug_crash(struct call *call)
{
    int delay_ms;
    if (!parse_delay(call, &delay_ms))
        return;
    log_write(LOG_WARNING, "DEBUG CRASH-AND-RECOVER: starting anew in %d ms", delay_ms);
    if (call_can_park(call))
        call_park(call);
    background_run(delay_ms, crash, NULL);
}

/* Where the shutdown came to nothing. */
static void refused(void *arg)
{
    restart_after_shutdown(-1);
    struct buffer resp = { 0 };
    buffer_append_text(&resp, "-ERR failed to restart the server. Check server logs.\r\n");
    ticket_reply(arg, resp);
}

/* DEBUG RESTART [milliseconds]: as SHUTDOWN, and anew. */
static void debug_restart(struct call *call)
{
    int delay_ms;
    if (!parse_delay(call, &delay_ms))
        return;
    if (call->in_exec || !call_can_park(call)) {
        reply_error(call->reply, "DEBUG RESTART is not possible within a transaction");
        return;
    }
    struct ticket *ticket = call_park(call);
    restart_after_shutdown(delay_ms);
    if (!process_shutdown_begin(0, refused, ticket))
        refused(ticket);
}

/* DEBUG LEAK text */
static void debug_leak(struct call *call)
{
    static _Atomic(char *) last; /* so that the compiler leaves the copy there */
    atomic_store(&last, memory_copy(call->argv[2].data, call->argv[2].len));
    reply_ok(call->reply);
}

/* DEBUG PAUSE-CRON 0 | 1: also what ends pauses and expires keys stands still. */
static void debug_pause_cron(struct call *call)
{
    char digit = call->argv[2].len > 0 ? call->argv[2].data[0] : '0';
    periodic_pause(digit >= '1' && digit <= '9');
    reply_ok(call->reply);
}

/* ---- The allocator ---- */

enum { NAME_MAX_LEN = 128 };

static bool name_of(struct call *call, char *name)
{
    struct bytes word = call->argv[2];
    if (word.len >= NAME_MAX_LEN || memchr(word.data, '\0', word.len)) {
        reply_error(call->reply, "%s", strerror(ENOENT));
        return false;
    }
    memcpy(name, word.data, word.len);
    name[word.len] = '\0';
    return true;
}

/* The old value, and sets the new one where there is one. The size is what the allocator takes. */
static void debug_mallctl(struct call *call)
{
    char name[NAME_MAX_LEN];
    int64_t value = 0, old = 0;
    if (!name_of(call, name) || (call->argc > 3 && !call_integer(call, 3, &value)))
        return;
    int failed = EINVAL;
    for (size_t size = sizeof(old); size > 0 && failed == EINVAL; size /= 2) {
        size_t old_size = size;
        old = 0;
        bool sets = call->argc > 3;
        failed = mallctl(name, &old, &old_size, sets ? &value : NULL, sets ? size : 0);
        if (failed == EPERM && sets)
            failed = mallctl(name, NULL, 0, &value, size);
    }
    if (failed)
        reply_error(call->reply, "%s", strerror(failed));
    else
        reply_integer(call->reply, old);
}

/* The same for texts. */
static void debug_mallctl_str(struct call *call)
{
    char name[NAME_MAX_LEN];
    const char *old = NULL, *value = NULL;
    size_t size = sizeof(old);
    if (!name_of(call, name))
        return;
    if (call->argc > 3) { /* the allocator keeps the pointer */
        char *text = memory_alloc(call->argv[3].len + 1);
        memcpy(text, call->argv[3].data, call->argv[3].len);
        text[call->argv[3].len] = '\0';
        value = text;
    }
    int failed = mallctl(name, &old, &size, value ? (void *)&value : NULL, value ? size : 0);
    if (failed == EPERM && value)
        failed = mallctl(name, NULL, 0, &value, size);
    if (failed)
        reply_error(call->reply, "%s", strerror(failed));
    else if (old)
        reply_bulk_text(call->reply, old);
    else
        reply_null(call->reply);
}

const struct debug_word debug_process_words[] = {
    { "segfault", debug_segfault, 2, 2, "SEGFAULT", "    Ends with the signal of that name." },
    { "panic", debug_panic, 2, 2, "PANIC", "    Ends as where something is beyond repair." },
    { "assert", debug_assert, 2, 2, "ASSERT", "    Ends as where an assertion does not hold." },
    { "oom", debug_oom, 2, 2, "OOM", "    Ends as where there is no memory left." },
    { "restart", debug_restart, 2, 3, "RESTART [<milliseconds>]",
        "    Shuts down as SHUTDOWN does and starts anew after that time." },
    { "crash-and-recover", debug_crash, 2, 3, "CRASH-AND-RECOVER [<milliseconds>]",
        "    Starts anew after that time, as if it had crashed." },
    { "leak", debug_leak, 3, 3, "LEAK <string>", "    Loses the memory of a copy of the string." },
    { "pause-cron", debug_pause_cron, 3, 3, "PAUSE-CRON <0|1>",
        "    1: what is done ten times a second is not done any more." },
    { "mallctl", debug_mallctl, 3, 4, "MALLCTL <key> [<val>]",
        "    Gets or sets a number of the allocator." },
    { "mallctl-str", debug_mallctl_str, 3, 4, "MALLCTL-STR <key> [<val>]",
        "    Gets or sets a text of the allocator." },
    { 0 },
};
