/* Late answers of a transaction's commands. EXEC runs all its commands under the locks of their
 * slots, and there nobody may wait; so a command whose answer comes from another thread begins what
 * it does, parks as it would outside, and leaves a gap in the reply. When EXEC is through and the
 * locks are let go the session waits until the gaps are filled, and then has its reply in one
 * piece.
 *
 * Only what may park (CMD_PARKS) leaves gaps, and only a transaction with such a command pays for
 * them. A command that tells what such a one changes (CMD_AFTER_PARKED) leaves a gap as well where
 * one is open before it, and runs when that is filled; and so do those that may park, behind it. So
 * all of a transaction's writes are one unit, and its other commands happen in their order. When
 * the client goes away before its answers are there, those that have not begun are dropped.
 *
 * A session's gaps belong to its worker. */
#ifndef SERVER_COMMAND_LATE_H
#define SERVER_COMMAND_LATE_H

#include "server/command/call.h"

struct late;

/* EXEC begins to write its reply: into pieces from now on, in place of session->reply. */
void late_begin(struct session *session);
/* EXEC is through. Where no gap is open the reply is put together at once; else the session is
 * parked, and keeps its transaction until its reply is there. */
void late_end(struct session *session);

/* Between these two: answers that arrive then (a script of the transaction that takes long has the
 * worker open its letters) have to come again later. */
bool late_is_under_way(const struct session *session);

/* Leaves a gap behind what has been written so far and tells its number; for a command that was
 * postponed its own. */
size_t late_gap(struct session *session);
/* Whether a command with these flags has to wait for gaps before it. */
bool late_waits(const struct session *session, unsigned flags);
/* Leaves a gap for the transaction's command with this number, which runs when its time has come:
 * run(session, command), in the worker, in a turn, without any lock; it writes session->reply. */
void late_postpone(
    struct session *session, size_t command, void (*run)(struct session *session, size_t command));

/* Fills a gap: write(session, arg) writes the answer into session->reply. Returns whether the
 * reply is whole now. */
bool late_fill(struct session *session, size_t gap,
    void (*write)(struct session *session, void *arg), void *arg);

/* The session ends. */
void late_free(struct session *session);

#endif
