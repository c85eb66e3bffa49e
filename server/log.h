/* The log: one line a call, to standard output or the logfile, in Redis's form "pid:role time mark
 * text"; its text alone goes to the system's log as well where log_system.h's is open. */
#ifndef SERVER_LOG_H
#define SERVER_LOG_H

#include "common/error.h"

enum log_level { LOG_DEBUG, LOG_VERBOSE, LOG_NOTICE, LOG_WARNING };

/* path "" is standard output. May be called again (a new logfile). Any thread may log; a line is
 * one write. */
bool log_open(const char *path, struct error *error);
void log_set_level(enum log_level level);
void log_set_role(char role); /* 'M' primary, 'S' replica, 'C' child or other thread's work */
void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* From a signal handler: nothing but write(2). */
void log_from_signal(const char *text);
int log_descriptor(void); /* where lines go now; for a signal handler, too */

#endif
