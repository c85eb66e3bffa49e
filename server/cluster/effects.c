/* A queue whose items own what they point to. It is drained after every input or after several, so
 * it is as long as these make it; its memory is used again. */
#include "server/cluster/effects.h"

#include "common/memory.h"
#include <stdio.h>
#include <stdlib.h>

enum { LOG_LINE_MAX = 512 };

struct shared_bytes *shared_bytes_create(struct bytes bytes)
{
    struct shared_bytes *shared = memory_alloc(sizeof(*shared) + bytes.len);
    shared->users = 1;
    shared->len = bytes.len;
    memcpy(shared->data, bytes.data, bytes.len);
    return shared;
}

void shared_bytes_release(struct shared_bytes *bytes)
{
    if (bytes != NULL && --bytes->users == 0)
        free(bytes);
}

static bool can_wait(enum cluster_effect_kind kind)
{
    return kind == CLUSTER_EFFECT_SEND || kind == CLUSTER_EFFECT_LOG ||
           kind == CLUSTER_EFFECT_CONNECT || kind == CLUSTER_EFFECT_CLOSE;
}

static struct queued_effect *push(struct effects *effects, enum cluster_effect_kind kind)
{
    if (effects->head == effects->count)
        effects->head = effects->count = 0;
    if (effects->count == effects->capacity) {
        effects->capacity = effects->capacity != 0 ? effects->capacity * 2 : 32;
        effects->items =
            memory_resize(effects->items, effects->capacity * sizeof(effects->items[0]));
    }
    struct queued_effect *item = &effects->items[effects->count++];
    *item = (struct queued_effect){ .effect.kind = kind };
    effects->urgent = effects->urgent || !can_wait(kind);
    return item;
}

void effects_log(struct effects *effects, enum log_level level, const char *format, ...)
{
    char line[LOG_LINE_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    struct queued_effect *item = push(effects, CLUSTER_EFFECT_LOG);
    item->owned = memory_copy_text(line);
    item->effect.text = item->owned;
    item->effect.level = level;
}

void effects_connect(struct effects *effects, uint64_t link, const struct address *address)
{
    struct queued_effect *item = push(effects, CLUSTER_EFFECT_CONNECT);
    item->effect.link = link;
    item->effect.address = *address;
}

void effects_close(struct effects *effects, uint64_t link)
{
    push(effects, CLUSTER_EFFECT_CLOSE)->effect.link = link;
}

void effects_send(struct effects *effects, uint64_t link, struct shared_bytes *bytes)
{
    struct queued_effect *item = push(effects, CLUSTER_EFFECT_SEND);
    bytes->users++;
    item->bytes = bytes;
    item->effect.link = link;
    item->effect.bytes = (struct bytes){ bytes->data, bytes->len };
}

void effects_save(struct effects *effects, bool sync)
{
    effects->save = true;
    effects->sync |= sync;
}

void effects_slot(struct effects *effects, unsigned slot)
{
    slot_set_add(&effects->changed, slot);
    effects->slots_changed = true;
}

void effects_delete_keys(struct effects *effects, const struct slot_set *slots)
{
    struct queued_effect *item = push(effects, CLUSTER_EFFECT_DELETE_KEYS);
    item->owned = memory_copy(slots, sizeof(*slots));
    item->effect.slots = item->owned;
}

void effects_follow(
    struct effects *effects, const struct node_id *node, const struct address *address)
{
    struct queued_effect *item = push(effects, CLUSTER_EFFECT_FOLLOW);
    item->effect.node = *node;
    item->effect.address = *address;
}

void effects_publish(
    struct effects *effects, bool sharded, struct bytes channel, struct bytes message)
{
    struct queued_effect *item = push(effects, CLUSTER_EFFECT_PUBLISH);
    char *copy = memory_alloc(channel.len + message.len + 1);
    memcpy(copy, channel.data, channel.len);
    memcpy(copy + channel.len, message.data, message.len);
    item->owned = copy;
    item->effect.sharded = sharded;
    item->effect.channel = (struct bytes){ copy, channel.len };
    item->effect.message = (struct bytes){ copy + channel.len, message.len };
}

void effects_add(struct effects *effects, enum cluster_effect_kind kind, int64_t until, bool ok)
{
    struct queued_effect *item = push(effects, kind);
    item->effect.until = until;
    item->effect.ok = ok;
}

static void release(struct queued_effect *item)
{
    shared_bytes_release(item->bytes);
    free(item->owned);
    *item = (struct queued_effect){ 0 };
}

size_t effects_waiting(const struct effects *effects)
{
    return effects->count - effects->head;
}

bool effects_next(struct effects *effects, struct cluster_effect *effect)
{
    release(&effects->given);
    *effect = (struct cluster_effect){ 0 };
    if (effects->save) {
        effect->kind = CLUSTER_EFFECT_SAVE;
        effect->sync = effects->sync;
        effects->save = effects->sync = false;
        return true;
    }
    if (effects->slots_changed) {
        effects->given_slots = effects->changed;
        effects->changed = (struct slot_set){ 0 };
        effects->slots_changed = false;
        effect->kind = CLUSTER_EFFECT_SLOTS;
        effect->slots = &effects->given_slots;
        return true;
    }
    if (effects->head == effects->count) {
        effects->urgent = false;
        return false;
    }
    effects->given = effects->items[effects->head++];
    *effect = effects->given.effect;
    return true;
}

void effects_free(struct effects *effects)
{
    release(&effects->given);
    while (effects->head < effects->count)
        release(&effects->items[effects->head++]);
    free(effects->items);
    *effects = (struct effects){ 0 };
}
