/* A mailbox: what other threads want a thread to do. Posting takes a short mutex and, when the box was empty, one
 * write to an eventfd that wakes the owner's loop. */
#ifndef SERVER_MAILBOX_H
#define SERVER_MAILBOX_H

#include <event2/event.h>

struct mailbox;

/* In the thread that runs the base, or before it runs. */
struct mailbox *mailbox_create(struct event_base *base);
void mailbox_destroy(struct mailbox *mailbox);
/* Any thread. Letters are opened in the order of posting, in the owner's thread. */
void mailbox_post(struct mailbox *mailbox, void (*fn)(void *arg), void *arg);

#endif
