/* A worker: a thread with an event loop, the connections that it was given, and a mailbox. Its turn
 * has three phases: read every connection that is ready, run the commands that came, write the
 * replies. */
#ifndef SERVER_NET_WORKER_H
#define SERVER_NET_WORKER_H

#include "server/command/executor.h"
#include "server/net/connection.h"
#include "server/net/patience.h"
#include <event2/event.h>

struct aof;
struct gate_listener;

enum { WORKERS_MAX = 8, WORKER_INDEX = 1024 };

struct worker {
    struct executor *executor;
    struct event_base *base;
    pthread_t thread;
    unsigned number;
    atomic_uint load;               /* connections; read by the listener */
    struct connection *connections; /* all; owner: the worker */
    struct connection *by_id[WORKER_INDEX];
    struct connection_list ready; /* with requests to run */
    struct connection_list flush; /* with replies to send */
    struct connection *dead;      /* to be freed at the end of the turn */
    atomic_size_t waiting;        /* connections whose request waits to be retried; INFO reads it */
    struct buffer *pool;          /* input buffers that are not in use */
    size_t pool_count;
    struct aof *aof;                /* holds replies at its gate under appendfsync always */
    struct gate_listener *listener; /* wakes us when the journal is safe further on */
    struct event *alarm;            /* for the time-outs of those who wait for keys */
    struct mailbox *mailbox;
    struct patience patience;
    int64_t last_second;
};

/* What all workers share; set once before they start. */
struct net_config {
    struct store *store;
    struct journal *journal;
    struct aof *aof; /* replies are held at its gate under appendfsync always */
    unsigned workers;
};
/* Makes the workers and their executors; net_start lets them run, worker 0 in net_run. */
bool net_open(const struct net_config *config, struct error *error);
bool net_start(struct error *error);
/* Runs worker 0 in the calling thread until net_stop. */
void net_run(void);
void net_stop(void); /* from any thread */
/* Closes all that is open; after net_run has returned. */
void net_finish(void);

/* The event base of worker 0, for listeners, signals and timers of the process. Before net_run, or
 * in worker 0. */
struct event_base *net_main_base(void);

/* Runs fn(arg) in the worker's thread. From any thread; in order. */
void worker_post(struct worker *worker, void (*fn)(void *arg), void *arg);
/* A new client: worker with the least load; takes over fd. From worker 0. */
void net_adopt(int fd, const char *peer, const char *local, bool unix_socket);
size_t net_client_count(void);

#endif
