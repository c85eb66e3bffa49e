/* maxmemory: what goes when memory is short, and who is refused when nothing may go.
 *
 * Before a command a worker asks whether the node is within its limit, which costs a few loads. If
 * not it evicts keys itself, one slot lock at a time, for at most as long as
 * maxmemory-eviction-tenacity allows; what is left to do is left to the commands that follow, and
 * to the workers' clocks. */
#ifndef SERVER_COMMAND_EVICT_H
#define SERVER_COMMAND_EVICT_H

#include "server/command/condition.h"
#include "server/command/executor.h"

/* What is replied then. */
#define EVICT_REFUSAL "OOM command not allowed when used memory > 'maxmemory'."

/* Registers with configuration, clocks and INFO. Before any worker runs. */
void evict_start(struct journal *journal);

/* Makes room where it must. In a turn; the caller holds no slot's lock, and sends the pushes
 * (push_flush). Says in executor->out_of_memory whether memory is short and nothing may go: what
 * adds to it (CMD_DENYOOM) is to be refused until the next command asks again. Scripts go by it,
 * too. */
void evict_make_room(struct executor *executor);
static inline void evict_before_command(struct executor *executor)
{
    if (__builtin_expect(condition_all() & CONDITION_MAXMEMORY, 0))
        evict_make_room(executor);
    else
        executor->out_of_memory = false;
}

/* Bytes of buffers for replicas and the append-only file: evicting would make them larger, so they
 * do not count. */
size_t evict_not_counted(void);

#endif
