/* The requests of a worker's connections: read from what has come, run in windows, the replies left
 * in the sessions. What is read is dropped from the input when it has run. All is the worker's own;
 * no lock is held. */
#ifndef SERVER_NET_WINDOW_H
#define SERVER_NET_WINDOW_H

struct worker;

/* Runs what those on the worker's list `ready` want, in one turn, and empties the list. */
void window_run_ready(struct worker *worker);

/* In the midst of a request that takes long. Where it is one of window_run_ready's, the requests
 * behind it are put back into the input of their connections, and its own connection is read no
 * more until it has run. */
void window_put_back(void);
/* Then: runs what the others on the list want, one request after the other, each in a turn; the
 * list stays as it is. */
void window_serve_ready(struct worker *worker);

#endif
