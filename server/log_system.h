/* The system's log, beside our own (syslog-enabled). In a file of its own because <syslog.h> has
 * names that log.h has, too. */
#ifndef SERVER_LOG_SYSTEM_H
#define SERVER_LOG_SYSTEM_H

/* From now on log_system_write has an effect. facility is a value of syslog-facility: 0 to 7 for
 * local0 to local7, LOG_SYSTEM_USER for user. Takes over ident. Before any thread. */
enum { LOG_SYSTEM_USER = 8 };
void log_system_open(char *ident, int facility);
/* level is an enum log_level; text is one line without its end, and without time or process, which
 * the system adds. Any thread. */
void log_system_write(int level, const char *text);

#endif
