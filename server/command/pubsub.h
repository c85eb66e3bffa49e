/* Publishing. */
#ifndef SERVER_COMMAND_PUBSUB_H
#define SERVER_COMMAND_PUBSUB_H

#include "common/slot.h"
#include "server/command/topic.h"

/* Before any thread runs. */
void pubsub_init(void);

/* Gives the message to this node's subscribers of the channel (kind: TOPIC_CHANNEL, those of
 * patterns that match it too; or TOPIC_SHARD); returns how many they are. later: a command is under
 * way whose reply or slot's lock stands in the way (see push.h). here: the caller's executor, or
 * NULL. */
size_t pubsub_publish(struct executor *here, enum topic_kind kind, struct bytes channel,
    struct bytes message, bool later);
/* One of the answers to SUBSCRIBE and its like: the word, the name (NULL: null) and the count.
 * Nothing mutes it. */
void pubsub_tell(struct session *session, const char *word, const struct bytes *name, size_t count);

/* The slots are not served here any more: who has subscribed to a channel of theirs is told, and
 * has not any more. Any thread. */
void pubsub_slots_left(const struct slot_set *slots);

#endif
