/* A notification is a message like any other, published on this node alone. It is made while the
 * key's slot is locked, so it goes out when the command is through. */
#include "server/command/notify.h"

#include "server/command/pubsub.h"
#include "server/config.h"

_Atomic uint32_t notify_classes;

void notify_event(struct executor *executor, unsigned database, struct bytes key,
    enum notify_class class, const char *event)
{
    uint32_t classes = atomic_load_explicit(&notify_classes, memory_order_relaxed);
    if (!(classes & (uint32_t) class) ||
        (topic_count(TOPIC_CHANNEL) == 0 && topic_count(TOPIC_PATTERN) == 0))
        return;
    struct buffer channel = { 0 };
    struct bytes name = bytes_of(event);
    if (classes & NOTIFY_KEYSPACE) {
        buffer_printf(&channel, "__keyspace@%u__:", database);
        buffer_append(&channel, key.data, key.len);
        pubsub_publish(executor, TOPIC_CHANNEL, buffer_bytes(&channel), name, true);
    }
    if (classes & NOTIFY_KEYEVENT) {
        channel.len = 0;
        buffer_printf(&channel, "__keyevent@%u__:%s", database, event);
        pubsub_publish(executor, TOPIC_CHANNEL, buffer_bytes(&channel), key, true);
    }
    buffer_free(&channel);
}

void notify_send(struct call *call, struct bytes key, unsigned class, const char *event)
{
    notify_event(call->executor, call->database, key, (enum notify_class) class, event);
}

static bool apply(enum config_id id, struct error *error)
{
    atomic_store(&notify_classes, (uint32_t)config_number(id));
    return true;
}

bool notify_init(struct error *error)
{
    config_on_change(CONFIG_NOTIFY_KEYSPACE_EVENTS, apply);
    return apply(CONFIG_NOTIFY_KEYSPACE_EVENTS, error);
}
