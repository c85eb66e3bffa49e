/* A notification is a message like any other, published on this node alone. It is made while the
 * key's slot is locked, so it goes out when the command is through. */
#include "server/command/notify.h"

#include "server/command/pubsub.h"
#include "server/config.h"
#include <stdlib.h>

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

/* ---- notify-keyspace-events ---- */

/* In the order in which CONFIG GET shows them; where all of A are set, A stands for them, and n is
 * not shown. */
static const struct {
    char letter;
    bool not_with_all;
    uint32_t class;
} letters[] = {
    { 'A', false, NOTIFY_ALL },
    { 'g', true, NOTIFY_GENERIC },
    { '$', true, NOTIFY_STRING },
    { 'l', true, NOTIFY_LIST },
    { 's', true, NOTIFY_SET },
    { 'h', true, NOTIFY_HASH },
    { 'z', true, NOTIFY_ZSET },
    { 'x', true, NOTIFY_EXPIRED },
    { 'e', true, NOTIFY_EVICTED },
    { 't', true, NOTIFY_STREAM },
    { 'd', true, NOTIFY_MODULE },
    { 'n', true, NOTIFY_NEW },
    { 'K', false, NOTIFY_KEYSPACE },
    { 'E', false, NOTIFY_KEYEVENT },
    { 'm', false, NOTIFY_KEY_MISS },
};
enum { LETTERS = sizeof(letters) / sizeof(*letters) };

static bool parse(const char *text, uint32_t *classes)
{
    *classes = 0;
    for (; *text; text++) {
        size_t i = 0;
        while (i < LETTERS && letters[i].letter != *text)
            i++;
        if (i == LETTERS)
            return false;
        *classes |= letters[i].class;
    }
    return true;
}

static bool apply(enum config_id id, struct error *error)
{
    char *text = config_text(id), shown[LETTERS + 1], *at = shown;
    uint32_t classes;
    bool ok = parse(text, &classes);
    free(text);
    if (!ok)
        return error_set(error, "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.");
    bool all = (classes & NOTIFY_ALL) == NOTIFY_ALL;
    for (size_t i = 0; i < LETTERS; i++) {
        if ((classes & letters[i].class) == letters[i].class && !(all && letters[i].not_with_all))
            *at++ = letters[i].letter;
    }
    *at = '\0';
    config_set_text(id, shown);
    atomic_store(&notify_classes, classes);
    return true;
}

bool notify_init(struct error *error)
{
    config_on_change(CONFIG_NOTIFY_KEYSPACE_EVENTS, apply);
    return apply(CONFIG_NOTIFY_KEYSPACE_EVENTS, error);
}
