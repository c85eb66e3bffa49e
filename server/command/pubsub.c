/* Publishing, and what workers do with messages that reach them. A message is made once: the RESP
 * that the channel's subscribers get, and one more for each pattern that matches; they are shared
 * by all who get them. The topics found at publishing travel with the message, so the workers need
 * not look for them again. */
#include "server/command/pubsub.h"

#include "common/memory.h"
#include "common/number.h"
#include "server/command/glob.h"
#include "server/info.h"
#include <stdlib.h>

struct part {
    struct topic *topic; /* held */
    struct blob *text;   /* held */
    bool owed;           /* to the client */
};

struct message {
    struct push push;
    struct session *client; /* who gets it in another way, while its command is under way; or NULL */
    size_t count;
    struct part parts[];
};

/* ---- The worker's side ---- */

static void deliver(struct push *push, struct executor *executor)
{
    struct message *message = (struct message *)push;
    for (size_t i = 0; i < message->count; i++) {
        struct topic_list *list = topic_list(message->parts[i].topic, executor);
        if (message->parts[i].owed && message->client->executor == executor)
            push_write(message->client, message->parts[i].text);
        for (uint32_t k = 0; k < list->count; k++) {
            if (list->items[k]->session != message->client)
                push_write(list->items[k]->session, message->parts[i].text);
        }
    }
}

static void free_message(struct push *push)
{
    struct message *message = (struct message *)push;
    for (size_t i = 0; i < message->count; i++) {
        topic_release(message->parts[i].topic);
        blob_release(message->parts[i].text);
    }
    free(message);
}

/* ---- The publisher's side ---- */

/* The topics that a message is for. */
struct audience {
    struct bytes channel;
    struct topic **topics; /* few, or owned; held */
    struct topic *few[8];
    size_t count, capacity;
    size_t subscribers;
    push_set workers;
};

static void add_topic(
    struct audience *audience, struct topic *topic, push_set workers, size_t count)
{
    if (audience->count == audience->capacity) {
        size_t capacity = audience->capacity * 2;
        bool few = audience->topics == audience->few;
        struct topic **topics =
            memory_resize(few ? NULL : audience->topics, capacity * sizeof(*topics));
        if (few)
            memcpy(topics, audience->few, sizeof(audience->few));
        audience->topics = topics;
        audience->capacity = capacity;
    }
    audience->topics[audience->count++] = topic;
    audience->workers |= workers;
    audience->subscribers += count;
}

static void match(void *arg, struct topic *pattern)
{
    struct audience *audience = arg;
    if (glob_matches(pattern->name, audience->channel, false))
        add_topic(audience, topic_hold(pattern), pattern->workers, pattern->subscribers);
}

static char *put_text(char *at, const char *text)
{
    size_t len = strlen(text);
    memcpy(at, text, len);
    return at + len;
}

static char *put_bulk(char *at, struct bytes value)
{
    *at++ = '$';
    at += number_format(at, (int64_t)value.len);
    *at++ = '\r';
    *at++ = '\n';
    if (value.len > 0)
        memcpy(at, value.data, value.len);
    at += value.len;
    *at++ = '\r';
    *at++ = '\n';
    return at;
}

/* What the topic's subscribers get, without the first byte. */
static struct blob *text_for(const struct topic *topic, struct bytes channel, struct bytes message)
{
    static const char *const heads[TOPIC_KINDS] = { "3\r\n$7\r\nmessage\r\n",
        "4\r\n$8\r\npmessage\r\n", "3\r\n$8\r\nsmessage\r\n" };
    enum { HEAD_MAX = 24, BULK_MAX = NUMBER_TEXT_MAX + 5 };
    size_t room = HEAD_MAX + 3 * BULK_MAX + topic->name.len + channel.len + message.len;
    struct blob *text = blob_create(room, room);
    char *at = put_text(text->data, heads[topic->kind]);
    if (topic->kind == TOPIC_PATTERN)
        at = put_bulk(at, topic->name);
    at = put_bulk(at, channel);
    at = put_bulk(at, message);
    text->len = (size_t)(at - text->data);
    return text;
}

/* A message that is put off, for the client who has caused it: before the answer, or else behind it,
 * even if the client has unsubscribed by then. */
static void tell_client(struct executor *here, struct message *message)
{
    struct session *client = here ? here->client : NULL;
    if (!client || !(client->flags & SESSION_SUBSCRIBED))
        return;
    message->client = client;
    bool first = push_unanswered(here) != NULL;
    for (size_t i = 0; i < message->count; i++) {
        struct part *part = &message->parts[i];
        bool listens = part->topic->workers & push_bit(here) && topic_has(client, part->topic);
        if (listens && first)
            push_write_first(client, part->text);
        part->owed = listens && !first;
    }
}

static void send(
    struct executor *here, const struct audience *audience, struct bytes text, bool later)
{
    struct message *message =
        memory_alloc(sizeof(*message) + audience->count * sizeof(struct part));
    *message = (struct message){ .push = { .deliver = deliver, .free = free_message },
        .count = audience->count };
    atomic_init(&message->push.refs, 1);
    for (size_t i = 0; i < audience->count; i++)
        message->parts[i] = (struct part){ .topic = audience->topics[i],
            .text = text_for(audience->topics[i], audience->channel, text) };
    if (later)
        tell_client(here, message);
    if (later)
        push_later(here, &message->push, audience->workers);
    else
        push_send(here, &message->push, audience->workers);
}

size_t pubsub_publish(struct executor *here, enum topic_kind kind, struct bytes channel,
    struct bytes message, bool later)
{
    struct audience audience = { .channel = channel };
    audience.topics = audience.few;
    audience.capacity = sizeof(audience.few) / sizeof(*audience.few);
    push_set workers;
    size_t subscribers;
    struct topic *topic = topic_find(kind, channel, &workers, &subscribers);
    if (topic)
        add_topic(&audience, topic, workers, subscribers);
    if (kind == TOPIC_CHANNEL)
        topic_each(TOPIC_PATTERN, match, &audience);
    if (audience.count > 0)
        send(here, &audience, message, later);
    if (audience.topics != audience.few)
        free(audience.topics);
    return audience.subscribers;
}

/* ---- A slot leaves ---- */

/* The end of some sharded channels. */
struct goodbye {
    struct push push;
    const struct slot_set *slots; /* while they are gathered */
    push_set workers;
    struct topic **topics; /* owned; held */
    size_t count, capacity;
};

/* Each is told how many sharded channels he has left. */
static void end_one(struct subscription *subscription)
{
    struct session *session = subscription->session;
    struct topic *topic = topic_hold(subscription->topic);
    topic_drop(subscription);
    pubsub_tell(session, "sunsubscribe", &topic->name, topic_count_of(session, TOPIC_SHARD));
    topic_release(topic);
    session->executor->flush(session);
}

static void deliver_goodbye(struct push *push, struct executor *executor)
{
    struct goodbye *goodbye = (struct goodbye *)push;
    for (size_t i = 0; i < goodbye->count; i++) {
        struct topic_list *list = topic_list(goodbye->topics[i], executor);
        while (list->count > 0)
            end_one(list->items[list->count - 1]);
    }
}

static void free_goodbye(struct push *push)
{
    struct goodbye *goodbye = (struct goodbye *)push;
    for (size_t i = 0; i < goodbye->count; i++)
        topic_release(goodbye->topics[i]);
    free(goodbye->topics);
    free(goodbye);
}

static void gather(void *arg, struct topic *topic)
{
    struct goodbye *goodbye = arg;
    if (!slot_set_has(goodbye->slots, topic->slot))
        return;
    if (goodbye->count == goodbye->capacity) {
        goodbye->capacity = goodbye->capacity ? goodbye->capacity * 2 : 16;
        goodbye->topics =
            memory_resize(goodbye->topics, goodbye->capacity * sizeof(*goodbye->topics));
    }
    goodbye->topics[goodbye->count++] = topic_hold(topic);
    goodbye->workers |= topic->workers;
}

void pubsub_slots_left(const struct slot_set *slots)
{
    struct goodbye *goodbye = memory_alloc_zeroed(1, sizeof(*goodbye));
    goodbye->push = (struct push){ .deliver = deliver_goodbye, .free = free_goodbye };
    atomic_init(&goodbye->push.refs, 1);
    goodbye->slots = slots;
    topic_each(TOPIC_SHARD, gather, goodbye);
    goodbye->slots = NULL;
    push_send(NULL, &goodbye->push, goodbye->workers);
}

/* ---- Words to one client ---- */

void pubsub_tell(struct session *session, const char *word, const struct bytes *name, size_t count)
{
    struct reply *reply = &session->reply;
    bool muted = reply->muted;
    reply->muted = false;
    reply_push(reply, 3);
    reply_bulk_text(reply, word);
    if (name)
        reply_bulk(reply, *name);
    else
        reply_null(reply);
    reply_integer(reply, (int64_t)count);
    reply->muted = muted;
}

/* ---- INFO ---- */

static void tell_stats(struct buffer *out)
{
    buffer_printf(out, "pubsub_channels:%zu\r\npubsub_patterns:%zu\r\npubsubshard_channels:%zu\r\n",
        topic_count(TOPIC_CHANNEL), topic_count(TOPIC_PATTERN), topic_count(TOPIC_SHARD));
}

void pubsub_init(void)
{
    topic_init();
    info_register("stats", tell_stats);
}
