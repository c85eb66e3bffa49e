/* Who supervises this process, and what it is told: systemd by datagrams to $NOTIFY_SOCKET, upstart
 * by a process that stops itself. */
#ifndef SERVER_SUPERVISOR_H
#define SERVER_SUPERVISOR_H

#include <stdbool.h>

/* The values of `supervised`. */
enum supervisor { SUPERVISOR_NONE, SUPERVISOR_UPSTART, SUPERVISOR_SYSTEMD, SUPERVISOR_AUTO };

/* Looks for the one that the configuration names (auto: whichever there is) and takes its variable
 * out of the environment. True: there is one, and the process must not leave it by becoming a
 * daemon. Before any thread; the log is open. */
bool supervisor_enter(enum supervisor wanted);
/* Upstart takes a process that stops itself for one that has come up: does so, and returns when it
 * is told to go on. With another supervisor, nothing. */
void supervisor_stop_for(void);
/* Lines of systemd's protocol ("READY=1\nSTATUS=..."); without systemd, nothing. Any thread; does
 * not block. */
void supervisor_tell(const char *lines);

#endif
