/* Scripts that take long. A script that has run for SLOW_MS is listed here, so that others can see
 * it, kill it, and be told -BUSY instead of waiting. Any thread unless it says otherwise. */
#ifndef SERVER_SCRIPT_BUSY_H
#define SERVER_SCRIPT_BUSY_H

#include "server/script/run.h"

enum { BUSY_SLOW_US = 10 * 1000 };

/* In the run's thread. */
void busy_enter(struct script_run *run);
void busy_leave(struct script_run *run);

/* Scripts that are listed. */
extern atomic_uint busy_count;
static inline bool busy_any(void)
{
    return atomic_load_explicit(&busy_count, memory_order_relaxed) > 0;
}

/* The error for a command that a script keeps from running, or NULL: no script has taken so long
 * (busy-reply-threshold) that anybody is told. */
const char *busy_error(void);

/* SCRIPT KILL (functions: FUNCTION KILL). NULL: they will end; else why not. */
const char *busy_kill(bool functions);

/* Whether there is one that has written, and so cannot be ended. */
bool busy_unkillable(void);

/* Tells of a script under way, while it cannot end: name, the command's words, ms it runs. False:
 * there is none. functions: of those only. */
bool busy_tell(bool functions,
    void (*tell)(void *arg, const char *name, const struct bytes *argv, int argc, int64_t ms),
    void *arg);

#endif
