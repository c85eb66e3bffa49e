/* Replies on their way out: when they may go, and how many may wait. In the worker's thread, with no
 * lock held. */
#ifndef SERVER_NET_OUTPUT_H
#define SERVER_NET_OUTPUT_H

struct connection;
struct worker;

/* Writes the replies of those on the worker's list `flush`. Those stay on it that must wait for the
 * disk: the worker is woken when it has come further. */
void output_flush(struct worker *worker);
/* Closes a client whose replies exceed client-output-buffer-limit; not for one with a stream. */
void output_enforce_limit(struct connection *connection);

#endif
