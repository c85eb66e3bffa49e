/* MONITOR: every command of every client, as text, to those who asked for it. */
#ifndef SERVER_COMMAND_MONITOR_H
#define SERVER_COMMAND_MONITOR_H

#include "server/command/call.h"

extern _Atomic uint32_t monitor_count; /* how many monitor; read through monitor_note */

void monitor_send(const struct call *call);
/* The same of a script that begins: its line comes before those of its commands. */
void monitor_send_script(const struct call *call);
static inline void monitor_note_script(const struct call *call)
{
    if (__builtin_expect(atomic_load_explicit(&monitor_count, memory_order_relaxed) > 0, 0))
        monitor_send_script(call);
}
/* The command is told to those who monitor, when its reply is complete; admin commands and those
 * with CMD_SKIP_MONITOR are not. One load while nobody monitors. */
static inline void monitor_note(const struct call *call)
{
    if (__builtin_expect(atomic_load_explicit(&monitor_count, memory_order_relaxed) > 0, 0))
        monitor_send(call);
}

/* Nothing where the session does not monitor. In its worker. */
void monitor_stop(struct session *session);

#endif
