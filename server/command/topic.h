/* Topics: what clients can listen to, and who does: channels, patterns, sharded channels; beside
 * these of SUBSCRIBE and its like the commands of all (MONITOR), the changes of keys with a prefix
 * (CLIENT TRACKING with BCAST), and whatever concerns all who track keys. One registry for the
 * process.
 *
 * A topic has a list of subscriptions for each worker, which that worker alone touches, and beside
 * it the set of the workers whose list is not empty and the count of all, under the lock of the
 * topic's stripe. So who publishes takes one stripe's lock for a look, and no lock while it
 * delivers; a topic without subscribers does not exist. The stripes' locks come after those of
 * slots, and nothing is locked under them. */
#ifndef SERVER_COMMAND_TOPIC_H
#define SERVER_COMMAND_TOPIC_H

#include "server/command/push.h"
#include "server/command/session.h"

enum topic_kind {
    TOPIC_CHANNEL,
    TOPIC_PATTERN,
    TOPIC_SHARD,
    TOPIC_PREFIX,   /* of the keys that a client tracks */
    TOPIC_MONITOR,  /* one, without a name */
    TOPIC_TRACKERS, /* one, without a name */
    TOPIC_KINDS
};
/* Those that SESSION_SUBSCRIBED is about. */
enum { TOPIC_OF_PUBSUB = TOPIC_SHARD + 1 };

/* One session's interest in one topic. Owner: the session's worker. */
struct subscription {
    struct session *session;
    struct topic *topic;                  /* with a reference */
    struct subscription *next_in_session; /* of its bucket */
    uint32_t place;                       /* in the topic's list of its worker */
};

struct topic_list {
    struct subscription **items; /* owned */
    uint32_t count, capacity;
};

struct topic {
    struct topic *next; /* of its bucket; the stripe's lock */
    atomic_uint refs;   /* the registry's while somebody subscribes, each subscription's, and those
                           of messages on their way */
    enum topic_kind kind;
    push_set workers;     /* that have subscribers; the stripe's lock */
    uint32_t subscribers; /* of all workers; the stripe's lock */
    uint16_t slot;        /* of a sharded channel */
    uint64_t hash;
    struct bytes name;         /* lies behind the lists */
    struct topic_list lists[]; /* one for each box of push.h */
};

static inline struct topic_list *topic_list(struct topic *topic, const struct executor *executor)
{
    return &topic->lists[executor->box];
}

/* The subscriptions of a session: a table by topic. */
struct subscriptions {
    struct subscription **buckets; /* owned */
    size_t capacity;
    size_t counts[TOPIC_KINDS];
};

void topic_init(void); /* before any thread runs */

/* --- In the session's worker, which has opened its box (push_drain) before its sessions' topics
 * change. --- */

/* False: it has subscribed already. */
bool topic_subscribe(struct session *session, enum topic_kind kind, struct bytes name);
/* False: it has not. */
bool topic_unsubscribe(struct session *session, enum topic_kind kind, struct bytes name);
void topic_drop(struct subscription *subscription); /* frees it */
/* Any one of that kind, or NULL; `*cursor`, 0 at first, lets a walk that drops what it is given go
 * on. */
struct subscription *topic_next_of(
    const struct session *session, enum topic_kind kind, size_t *cursor);
/* How many of a kind; of channels and patterns the replies count the sum. */
static inline size_t topic_count_of(const struct session *session, enum topic_kind kind)
{
    return session->subscriptions ? session->subscriptions->counts[kind] : 0;
}
/* Visits what it has subscribed to (channels, patterns, sharded channels) as long as visit says
 * true; gives what it said last, or true. visit changes nothing. */
bool topic_each_of(const struct session *session,
    bool (*visit)(void *arg, enum topic_kind kind, struct bytes name), void *arg);
bool topic_has(const struct session *session, const struct topic *topic);
void topic_leave_all(struct session *session); /* tells nobody */
size_t topic_memory_of(const struct session *session);

/* --- From any thread. --- */

/* The topic of that name, held, or NULL; *workers and *subscribers are those of this moment. */
struct topic *topic_find(
    enum topic_kind kind, struct bytes name, push_set *workers, size_t *subscribers);
void topic_release(struct topic *topic);
/* Visits all of a kind, stripe by stripe under its lock (of patterns: under the one lock of all).
 * visit must not call anything of this header but topic_hold. */
void topic_each(enum topic_kind kind, void (*visit)(void *arg, struct topic *topic), void *arg);
static inline struct topic *topic_hold(struct topic *topic)
{
    atomic_fetch_add_explicit(&topic->refs, 1, memory_order_relaxed);
    return topic;
}
size_t topic_count(enum topic_kind kind);

#endif
