/* What a crash leaves in the log (crash-log-enabled): the signal, the thread and its calls. */
#ifndef SERVER_CRASH_H
#define SERVER_CRASH_H

/* Takes over SIGSEGV, SIGBUS, SIGFPE, SIGILL and SIGABRT where crash-log-enabled says so, and from
 * then on follows CONFIG SET. Before any thread. */
void crash_init(void);

#endif
