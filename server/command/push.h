/* Pushes: what clients get unasked (a published message, a line of MONITOR, an invalidation). A
 * session belongs to its worker, so a push is one object that is handed to every worker that has a
 * client for it: one letter a worker, however many of its clients listen. The worker that has made
 * it delivers its own part at once, the others when they open their box.
 *
 * Order: what one thread sends reaches each worker in the order of sending; and a worker opens its
 * box before it delivers what it has made itself, so a message that was sent after another had been
 * answered never overtakes it. */
#ifndef SERVER_COMMAND_PUSH_H
#define SERVER_COMMAND_PUSH_H

#include "server/command/executor.h"
#include "server/command/session.h"
#include "server/type/blob.h"

enum { PUSH_BOXES_MAX = 8 }; /* as many as there may be workers */

/* A set of executors. Those without clients are in none. */
typedef uint8_t push_set;

/* The first member of whatever is pushed. */
struct push {
    atomic_uint refs; /* the sender's, and one for each letter */
    /* In the worker's thread, within a turn or between two; must not close a session. */
    void (*deliver)(struct push *push, struct executor *executor);
    void (*free)(struct push *push);
    /* NULL, or: of one that was put off, before it is sent: says for whom it is. */
    push_set (*complete)(struct push *push, struct executor *here);
};

/* Gives the executor a box; before any thread runs. */
void push_box_create(struct executor *executor);
unsigned push_boxes(void);
static inline push_set push_bit(const struct executor *executor)
{
    return executor->box < 0 ? 0 : (push_set)(1u << executor->box);
}
push_set push_everyone(void);

/* Sends to the executors of the set; takes over the caller's reference. Any thread; `here` is the
 * caller's executor, or NULL. Not while the reply of a command is half written, nor under a slot's
 * lock: see push_later. */
void push_send(struct executor *here, struct push *push, push_set to);
/* The same when the command under way is through and its slots are unlocked (push_flush). */
void push_later(struct executor *here, struct push *push, push_set to);
/* A command runs for a client that waits, perhaps another worker's, and writes this reply. Until the next
 * call it is seen which of its messages are put off before the reply has begun; NULL: it is over. */
void push_serve(struct executor *here, struct reply *reply);
/* As push_later, but for the answer of that command: behind what was put off before it had begun, and
 * before the rest. Before push_serve(here, NULL). */
void push_answer(struct executor *here, struct push *push, push_set to);
void push_flush_slow(struct executor *here);
static inline void push_flush(struct executor *here)
{
    if (__builtin_expect(here->pushes != NULL, 0))
        push_flush_slow(here);
}
/* The client whose command is under way, if nothing of the answer is written yet: what it is told of
 * its own command's messages goes before the answer then, as in Redis, and otherwise behind it. NULL:
 * there is none, or it is too late. */
static inline struct session *push_unanswered(const struct executor *here)
{
    struct session *client = here ? here->client : NULL;
    bool answered = client && (client->reply.begun || reply_size(&client->reply) != here->client_unsent);
    return answered ? NULL : client;
}
/* To that client; it is still to be answered. Slots may be locked. */
void push_write_first(struct session *client, struct blob *text);
/* Delivers all that waits in the executor's box: before its clients' subscriptions change. */
void push_drain(struct executor *executor);

/* A push as its receivers share it: RESP without the first byte, which tells the protocols apart
 * ('*' or '>'). Goes out whatever CLIENT REPLY says. */
void push_write(struct session *session, struct blob *text);
/* Bytes that are all of it. */
void push_write_raw(struct session *session, struct blob *text);

#endif
