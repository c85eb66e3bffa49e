/* A connection to one node: requests in, answers out through callbacks, pipelined, each with a time
 * limit. It connects when there is something to send, connects again after losses with growing
 * pauses (100 ms to 2 s), says AUTH first where the client has a password, and never blocks.
 *
 * A request that runs into its limit fails, and so does everything behind it: the connection is
 * closed, because answers that come after their time must not be taken for others. So give what
 * takes long (MIGRATE) a connection of its own. */
#ifndef CONSOLE_CLIENT_NODE_H
#define CONSOLE_CLIENT_NODE_H

#include "common/address.h"
#include "common/bytes.h"
#include "common/error.h"
#include <hiredis/hiredis.h>
#include <stdint.h>

struct client;
struct client_node;
struct client_request;

enum {
    CLIENT_QUEUE_MAX = 20000,            /* requests without an answer on one connection */
    CLIENT_OUTPUT_MAX = 64 * 1024 * 1024 /* bytes of them that are not sent yet */
};

enum client_result {
    CLIENT_ANSWERED, /* reply is set; it may be an error of the node (REDIS_REPLY_ERROR) */
    CLIENT_REFUSED,  /* never sent: no connection, a wrong password, a full queue */
    CLIENT_TIMEOUT,  /* sent or not: the limit passed */
    CLIENT_LOST,     /* sent, but the connection ended before the answer */
};

/* What a request came to; all of it is good during the callback only. */
struct client_answer {
    enum client_result result;
    redisReply *reply; /* NULL unless CLIENT_ANSWERED; client_answer_take makes it the caller's */
    const char
        *error;      /* a sentence with the address, or the node's own error text; NULL: all well */
    int64_t took_us; /* from sending to the answer */
};

redisReply *client_answer_take(
    struct client_answer *answer); /* the caller frees: freeReplyObject */

/* Does not connect yet. A host name is resolved at the first connection. */
struct client_node *client_node_new(struct client *client, const struct address *address);
/* Requests without an answer are dropped without a callback. Allowed inside a callback. NULL is
 * fine. */
void client_node_free(struct client_node *node);

struct client *client_node_client(const struct client_node *node);
const struct address *client_node_address(const struct client_node *node);
/* For nodes that moved: closes what is open where the address differs. */
void client_node_set_address(struct client_node *node, const struct address *address);
/* Ends the connection; all that waits for an answer fails, with `why` behind the address. */
void client_node_abort(struct client_node *node, const char *why);
bool client_node_is_connected(const struct client_node *node); /* and authenticated */
size_t client_node_pending(const struct client_node *node);    /* requests without an answer */

/* Sends a request. done is called exactly once, later, never from inside this function; it may send
 * more, and may free the node. limit_ms 0: the client's request_ms. The arguments are copied. The
 * result names the request until done was called. */
struct client_request *client_node_send(struct client_node *node, const struct bytes *argv,
    size_t argc, int64_t limit_ms, void (*done)(void *context, struct client_answer *answer),
    void *context);
/* The same with zero-terminated words and a NULL behind the last. */
struct client_request *client_node_send_words(struct client_node *node, int64_t limit_ms,
    void (*done)(void *context, struct client_answer *answer), void *context, ...)
    __attribute__((sentinel));
/* The answer will be thrown away and done not called: for contexts that die. */
void client_request_forget(struct client_request *request);

/* For one-shot code: sends, runs the loop until the answer, and gives the reply, which the caller
 * frees (freeReplyObject). NULL where there was none; error says why. A reply that is an error of
 * the node is a reply. Not to be called from inside the loop. */
redisReply *client_node_ask(struct client_node *node, const struct bytes *argv, size_t argc,
    int64_t limit_ms, struct error *error);

#endif
