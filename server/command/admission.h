/* Whether a request may be made at all, and may run now: what dispatch asks of every one. */
#ifndef SERVER_COMMAND_ADMISSION_H
#define SERVER_COMMAND_ADMISSION_H

#include "server/command/call.h"
#include "server/command/condition.h"

/* Whether the request is one at all, with so many arguments, and its client may make it; else the
 * error has been written. */
bool admission_is_acceptable(const struct request *request, struct session *session);

/* Why a command with these flags may not run now; NULL: it may. */
const char *admission_refusal_slow(const struct session *session, unsigned flags);
static inline const char *admission_refusal(const struct session *session, unsigned flags)
{
    if (__builtin_expect(
            !(condition_all() & ~(uint32_t)(CONDITION_PASSWORD | CONDITION_CLUSTER_DOWN)), 1))
        return NULL;
    return admission_refusal_slow(session, flags);
}

/* The command's flags. What EXEC does is what the transaction's commands do; what keeps one of them
 * keeps all. */
unsigned admission_flags(const struct session *session, const struct command *command);

/* Whether it has to wait: clients are paused, or the disk lags. */
bool admission_must_wait_slow(const struct session *session, const struct command_entry *entry);
static inline bool admission_must_wait(
    const struct session *session, const struct command_entry *entry)
{
    enum { WAITING = CONDITION_ALL_PAUSED | CONDITION_WRITES_PAUSED | CONDITION_AOF_BEHIND };
    return __builtin_expect((condition_all() & WAITING) != 0, 0) &&
           admission_must_wait_slow(session, entry);
}

/* A transaction whose EXEC is refused is over. */
void admission_abort_exec(struct call *call, const char *why);

#endif
