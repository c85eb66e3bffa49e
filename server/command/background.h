/* Jobs that may block (another node's answer, freeing a great deal of memory): a few threads run
 * them, so that no worker has to. A job that has an answer for a client leaves it with a ticket. */
#ifndef SERVER_COMMAND_BACKGROUND_H
#define SERVER_COMMAND_BACKGROUND_H

enum { BACKGROUND_THREADS_MAX = 4 };

/* Runs fn(arg) in one of the threads, after so many ms at the earliest; in the order of their
 * times. Threads are started as they are needed, and live on. From any thread. */
void background_run(int after_ms, void (*fn)(void *arg), void *arg);

#endif
