/* Keyspace notifications: what happened to a key, told to whoever subscribed to __keyspace@DB__:KEY
 * or
 * __keyevent@DB__:EVENT, as far as notify-keyspace-events asks for it. Off, it costs one load. */
#ifndef SERVER_COMMAND_NOTIFY_H
#define SERVER_COMMAND_NOTIFY_H

#include "common/error.h"
#include "server/command/key.h"

/* As the letters of notify-keyspace-events. */
enum notify_class {
    NOTIFY_KEYSPACE = 1 << 0,  /* K */
    NOTIFY_KEYEVENT = 1 << 1,  /* E */
    NOTIFY_GENERIC = 1 << 2,   /* g */
    NOTIFY_STRING = 1 << 3,    /* $ */
    NOTIFY_LIST = 1 << 4,      /* l */
    NOTIFY_SET = 1 << 5,       /* s */
    NOTIFY_HASH = 1 << 6,      /* h */
    NOTIFY_ZSET = 1 << 7,      /* z */
    NOTIFY_EXPIRED = 1 << 8,   /* x */
    NOTIFY_EVICTED = 1 << 9,   /* e */
    NOTIFY_STREAM = 1 << 10,   /* t */
    NOTIFY_KEY_MISS = 1 << 11, /* m; not in A */
    NOTIFY_MODULE = 1 << 12,   /* d */
    NOTIFY_NEW = 1 << 13,      /* n; not in A */
    NOTIFY_ALL = NOTIFY_GENERIC | NOTIFY_STRING | NOTIFY_LIST | NOTIFY_SET | NOTIFY_HASH |
                 NOTIFY_ZSET | NOTIFY_EXPIRED | NOTIFY_EVICTED | NOTIFY_STREAM | NOTIFY_MODULE,
};

/* Written when the configuration changes, read by all. */
extern _Atomic uint32_t notify_classes;

/* Reads notify-keyspace-events, and follows it; before any thread runs. */
bool notify_init(struct error *error);

/* Outside of a command (expiry in the background): push_flush sends it. */
void notify_event(struct executor *executor, unsigned database, struct bytes key,
    enum notify_class class, const char *event);
/* The key's slot is locked. event: "lpush", "del", ... */
void notify_send(struct call *call, struct bytes key, unsigned class, const char *event);

static inline void key_notify(
    struct call *call, const struct key *key, enum notify_class class, const char *event)
{
    if (__builtin_expect(
            atomic_load_explicit(&notify_classes, memory_order_relaxed) & (uint32_t) class, 0))
        notify_send(call, key->name, class, event);
}

#endif
