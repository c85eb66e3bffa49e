/* Turns: how the threads that run commands agree on "between two commands".
 *
 * Every thread that runs commands (a worker, the applier of a primary's stream, the loader) is a
 * runner. It runs commands in turns, and holds its own lock, which nobody else wants as a rule, for
 * the length of one. Whoever needs a moment in which no command is under way anywhere (the start of
 * a snapshot, a change of role, the start of a pause) stops all turns: it takes the lock of every
 * runner, in their order, does its few instructions, and lets go. A stop waits for the longest turn
 * and so lasts microseconds. */
#ifndef SERVER_STORE_TURN_H
#define SERVER_STORE_TURN_H

#include <stdatomic.h>
#include <stdbool.h>

/* A new runner, for the life of the process; at most TURN_RUNNERS_MAX. */
struct turn_runner;
enum { TURN_RUNNERS_MAX = 64 };
struct turn_runner *turn_runner_create(void);

/* Waits while all turns are stopped. A turn within a turn of the same runner is part of it. */
void turn_begin(struct turn_runner *runner);
bool turn_is_held(const struct turn_runner *runner); /* in the runner's thread */
void turn_end(struct turn_runner *runner);
/* The turn under way will take long and cannot be left (a script that has written): whoever wants to
 * stop all turns waits for its end before it keeps others from beginning one. */
void turn_set_long(struct turn_runner *runner, bool is_long);

/* Between these two no turn is under way. Not from within a turn; never nested; short. */
void turn_stop_all(void);
void turn_resume_all(void);

#endif
