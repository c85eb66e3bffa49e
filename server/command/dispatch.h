/* What dispatch and EXEC share: running one command whose slots are locked. */
#ifndef SERVER_COMMAND_DISPATCH_H
#define SERVER_COMMAND_DISPATCH_H

#include "server/command/call.h"

/* Whether commands are routed by slot; before any thread. */
void dispatch_init(bool cluster_enabled);
bool dispatch_is_cluster(void);

/* The requests of a session before it has authenticated are bounded more tightly. */
bool session_needs_password(const struct session *session);

/* Runs the command: its slots are locked, all questions are answered. Counts, times, gathers
 * effects. */
void dispatch_call(struct call *call);
/* The same for a waiter whose command is tried again: it has been counted. */
void dispatch_try_again(struct call *call);
/* What the command has changed goes to the journal; within a transaction it is gathered. */
void dispatch_journal(struct call *call);
/* Journals what was gathered, as one unit. */
void dispatch_flush_effects(struct executor *executor, struct session *session);

/* Lets go of the slots that a script has locked, once its effects are journaled. */
void dispatch_release_extra(struct executor *executor);

/* MISCONF, NOREPLICAS, READONLY, MASTERDOWN, LOADING, OOM: whether a command with these flags may
 * run now; if not, the error has been written. */
bool dispatch_is_allowed(struct session *session, struct reply *reply, unsigned flags);

#endif
