/* The process: daemon, pidfile, signals, limits, and how it ends. One per process. */
#ifndef SERVER_PROCESS_H
#define SERVER_PROCESS_H

#include "common/bytes.h"
#include "common/error.h"
#include "server/store/store.h"

/* After the configuration is read: opens the log, changes to dir, becomes a daemon, writes the pidfile, raises the
 * limit of open files. */
bool process_enter(struct error *error);
/* Opens the sockets of clients in worker 0 and takes over SIGTERM and SIGINT. */
bool process_listen(struct error *error);

/* How a shutdown has been asked for. */
enum shutdown_flag {
    SHUTDOWN_SAVE = 1,   /* save even without save points */
    SHUTDOWN_NOSAVE = 2, /* do not save even with them */
    SHUTDOWN_NOW = 4,    /* do not wait for replicas that lag */
    SHUTDOWN_FORCE = 8,  /* go on when saving fails */
};
/* The flag of a word that SHUTDOWN and shutdown-on-sigterm take ("nosave"); false: it is none. */
bool process_shutdown_flag(struct bytes word, unsigned *flags);
/* Begins it: writes pause, replicas catch up (shutdown-timeout), then the process ends with everything saved. Any
 * thread; returns at once. False: a shutdown is under way. refused is called (in worker 0) where it did not come
 * to the end: saving failed, or it was aborted; NULL for nobody to be told. */
bool process_shutdown_begin(unsigned flags, void (*refused)(void *arg), void *arg);
/* SHUTDOWN ABORT. False: none is under way. */
bool process_shutdown_abort(void);

/* Replicas that have not yet got all; registered by replication, asked in worker 0 during a shutdown. */
void process_set_laggards(size_t (*laggards)(void));

/* After net_run has returned: closes everything; returns the exit status. */
int process_shutdown(void);
/* Removes the pidfile. */
void process_leave(void);

#endif
