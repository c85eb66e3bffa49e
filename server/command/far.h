/* A key of another database than the client's: what MOVE and COPY ... DB put there. Its slot is
 * locked together with those that dispatch has locked, which are let go for that: all locks are
 * taken in one order. So a command asks for it before it has looked at anything. Within EXEC the
 * slot has been locked with all others of the transaction, in a script by what ran the command. */
#ifndef SERVER_COMMAND_FAR_H
#define SERVER_COMMAND_FAR_H

#include "server/command/call.h"

struct far {
    struct call call; /* as if the client had selected the other database; key_* work with it */
    struct slot *near[2], *all[3];
    size_t near_count, count;
    bool locked; /* by far_lock */
};

/* Locks the slot of argv[index] in the other database. False: the command ends here; it has an
 * error for its reply, or is to be tried again because a key is in transit. */
bool far_lock(struct call *call, unsigned database, int index, struct far *far);
/* The command has said all its effects: with call_effect, not call_changed, so that they are
 * journaled before any lock is let go. Afterwards the locks are those of before far_lock. */
void far_unlock(struct call *call, struct far *far);

/* The other database that a request names, and where its key is in argv: what EXEC is to lock too.
 * False: none. Numbers that are no database's are not its concern. */
bool far_is_named(const struct command_entry *entry, const struct bytes *argv, int argc,
    int64_t *database, int *index);

#endif
