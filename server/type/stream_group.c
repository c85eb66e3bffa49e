/* A pending entry names its consumer by number, not by pointer, so that the chunks of the map can
 * be shared between a stream and its clone, whose consumers are others. */
#include "server/type/stream_group.h"

#include "common/memory.h"
#include "server/type/stream.h"
#include <stdlib.h>

static int compare_names(struct bytes a, struct bytes b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len ? memcmp(a.data, b.data, len) : 0;
    return order ? order : a.len < b.len ? -1 : a.len > b.len;
}

struct bytes stream_group_name(const struct stream_group *group)
{
    return (struct bytes){ group->name, group->name_len };
}

struct bytes stream_consumer_name(const struct stream_consumer *consumer)
{
    return (struct bytes){ consumer->name, consumer->name_len };
}

static char *copy_name(struct bytes name)
{
    return name.len ? memory_copy(name.data, name.len) : NULL;
}

/* ---- Groups ---- */

/* Where the name is among those that name_at gives in their order, or would be. */
static size_t place_of(const void *holder, size_t count,
    struct bytes (*name_at)(const void *holder, size_t at), struct bytes name, bool *there)
{
    size_t low = 0, high = count;
    *there = false;
    while (low < high && !*there) {
        size_t middle = (low + high) / 2;
        int order = compare_names(name_at(holder, middle), name);
        *there = order == 0;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return *there ? high : low;
}

static struct bytes group_at(const void *stream, size_t at)
{
    return stream_group_name(((const struct stream *)stream)->groups[at]);
}

static size_t group_place(const struct stream *stream, struct bytes name, bool *there)
{
    return place_of(stream, stream->group_count, group_at, name, there);
}

struct stream_group *stream_group_find(const struct stream *stream, struct bytes name)
{
    bool there;
    size_t at = group_place(stream, name, &there);
    return there ? stream->groups[at] : NULL;
}

struct stream_group *stream_group_add(
    struct stream *stream, struct bytes name, struct stream_id last_id, int64_t entries_read)
{
    bool there;
    size_t at = group_place(stream, name, &there);
    if (there || stream->group_count == UINT32_MAX)
        return NULL;
    struct stream_group *group = memory_alloc_zeroed(1, sizeof(*group));
    group->name = copy_name(name);
    group->name_len = name.len;
    group->last_id = last_id;
    group->entries_read = entries_read;
    idmap_init(&group->pending, sizeof(struct stream_pending));
    stream->groups =
        memory_resize(stream->groups, (stream->group_count + 1) * sizeof(*stream->groups));
    memmove(&stream->groups[at + 1], &stream->groups[at],
        (stream->group_count - at) * sizeof(*stream->groups));
    stream->groups[at] = group;
    stream->group_count++;
    return group;
}

bool stream_group_remove(struct stream *stream, struct bytes name)
{
    bool there;
    size_t at = group_place(stream, name, &there);
    if (!there)
        return false;
    stream_group_free(stream->groups[at]);
    stream->group_count--;
    memmove(&stream->groups[at], &stream->groups[at + 1],
        (stream->group_count - at) * sizeof(*stream->groups));
    return true;
}

static struct stream_consumer *consumer_create(struct bytes name, uint64_t number)
{
    struct stream_consumer *consumer = memory_alloc_zeroed(1, sizeof(*consumer));
    consumer->name = copy_name(name);
    consumer->name_len = name.len;
    consumer->number = number;
    idmap_init(&consumer->pending, 0);
    return consumer;
}

static void consumer_free(struct stream_consumer *consumer)
{
    idmap_free(&consumer->pending);
    free(consumer->name);
    free(consumer);
}

struct stream_group *stream_group_clone(const struct stream_group *group)
{
    struct stream_group *clone = memory_copy(group, sizeof(*group));
    clone->name = copy_name(stream_group_name(group));
    idmap_clone(&clone->pending, &group->pending);
    clone->consumers = memory_alloc_zeroed(group->consumer_count + 1, sizeof(*clone->consumers));
    clone->by_number = memory_alloc_zeroed(group->number_count + 1, sizeof(*clone->by_number));
    for (size_t i = 0; i < group->consumer_count; i++) {
        const struct stream_consumer *from = group->consumers[i];
        struct stream_consumer *to = consumer_create(stream_consumer_name(from), from->number);
        to->seen_ms = from->seen_ms;
        idmap_clone(&to->pending, &from->pending);
        clone->consumers[i] = clone->by_number[to->number] = to;
    }
    return clone;
}

void stream_group_free(struct stream_group *group)
{
    for (size_t i = 0; i < group->consumer_count; i++)
        consumer_free(group->consumers[i]);
    idmap_free(&group->pending);
    free(group->consumers);
    free(group->by_number);
    free(group->name);
    free(group);
}

size_t stream_group_memory(const struct stream_group *group)
{
    size_t size = sizeof(*group) + group->name_len + idmap_memory(&group->pending) +
                  (group->consumer_count + group->number_count) * sizeof(void *);
    for (size_t i = 0; i < group->consumer_count; i++) {
        const struct stream_consumer *consumer = group->consumers[i];
        size += sizeof(*consumer) + consumer->name_len + idmap_memory(&consumer->pending);
    }
    return size;
}

size_t stream_group_effort(const struct stream_group *group)
{
    return 4 + group->pending.chunk_count * 2 + group->consumer_count * 3;
}

/* ---- Consumers ---- */

static struct bytes consumer_at(const void *group, size_t at)
{
    return stream_consumer_name(((const struct stream_group *)group)->consumers[at]);
}

static size_t consumer_place(const struct stream_group *group, struct bytes name, bool *there)
{
    return place_of(group, group->consumer_count, consumer_at, name, there);
}

struct stream_consumer *stream_consumer_find(const struct stream_group *group, struct bytes name)
{
    bool there;
    size_t at = consumer_place(group, name, &there);
    return there ? group->consumers[at] : NULL;
}

/* A number that nobody has. */
static size_t free_number(struct stream_group *group)
{
    for (size_t i = 0; group->consumer_count < group->number_count && i < group->number_count;
         i++) {
        if (!group->by_number[i])
            return i;
    }
    group->by_number =
        memory_resize(group->by_number, (group->number_count + 1) * sizeof(*group->by_number));
    return group->number_count++;
}

struct stream_consumer *stream_consumer_add(struct stream_group *group, struct bytes name)
{
    bool there;
    size_t at = consumer_place(group, name, &there), number = free_number(group);
    struct stream_consumer *consumer = consumer_create(name, number);
    group->by_number[number] = consumer;
    group->consumers =
        memory_resize(group->consumers, (group->consumer_count + 1) * sizeof(*group->consumers));
    memmove(&group->consumers[at + 1], &group->consumers[at],
        (group->consumer_count - at) * sizeof(*group->consumers));
    group->consumers[at] = consumer;
    group->consumer_count++;
    return consumer;
}

uint64_t stream_consumer_remove(struct stream_group *group, struct stream_consumer *consumer)
{
    bool there;
    size_t at = consumer_place(group, stream_consumer_name(consumer), &there);
    uint64_t count = consumer->pending.count;
    struct idmap_cursor cursor = idmap_seek(&consumer->pending, STREAM_ID_MIN);
    struct stream_id id;
    while (idmap_next(&cursor, &id, NULL))
        idmap_remove(&group->pending, id);
    group->by_number[consumer->number] = NULL;
    group->consumer_count--;
    memmove(&group->consumers[at], &group->consumers[at + 1],
        (group->consumer_count - at) * sizeof(*group->consumers));
    consumer_free(consumer);
    return count;
}

struct stream_consumer *stream_consumer_of(
    const struct stream_group *group, const struct stream_pending *pending)
{
    return group->by_number[pending->consumer];
}

/* ---- Pending entries ---- */

struct stream_pending *stream_pending_give(
    struct stream_group *group, struct stream_id id, struct stream_consumer *consumer)
{
    bool added;
    struct stream_pending *pending = idmap_change(&group->pending, id, true, &added);
    if (!added && pending->consumer != consumer->number)
        idmap_remove(&group->by_number[pending->consumer]->pending, id);
    if (added || pending->consumer != consumer->number)
        idmap_change(&consumer->pending, id, true, NULL);
    pending->consumer = consumer->number;
    return pending;
}

bool stream_pending_remove(struct stream_group *group, struct stream_id id)
{
    const struct stream_pending *pending = idmap_find(&group->pending, id);
    if (!pending)
        return false;
    idmap_remove(&group->by_number[pending->consumer]->pending, id);
    return idmap_remove(&group->pending, id);
}

/* ---- How far a group has read ---- */

int64_t stream_group_estimate_read(const struct stream *stream, struct stream_id id)
{
    if (stream->entries_added == 0)
        return 0;
    if (stream->length == 0 && stream_id_compare(id, stream->last_id) < 0)
        return (int64_t)stream->entries_added;
    int with_last = stream_id_compare(id, stream->last_id);
    if (with_last == 0)
        return (int64_t)stream->entries_added;
    if (with_last > 0)
        return STREAM_ENTRIES_READ_UNKNOWN; /* it counts entries that are to come */
    int with_first = stream_id_compare(id, stream->first_id);
    bool whole = stream_id_is_zero(stream->max_deleted_id) ||
                 stream_id_compare(stream->max_deleted_id, stream->first_id) < 0;
    if (whole && with_first < 0)
        return (int64_t)(stream->entries_added - stream->length);
    if (whole && with_first == 0)
        return (int64_t)(stream->entries_added - stream->length + 1);
    return STREAM_ENTRIES_READ_UNKNOWN;
}

bool stream_group_lag(const struct stream *stream, const struct stream_group *group, uint64_t *lag)
{
    *lag = 0;
    if (stream->entries_added == 0)
        return true;
    if (group->entries_read != STREAM_ENTRIES_READ_UNKNOWN &&
        !stream_has_tombstone_from(stream, group->last_id)) {
        *lag = stream->entries_added - (uint64_t)group->entries_read;
        return true;
    }
    int64_t read = stream_group_estimate_read(stream, group->last_id);
    if (read == STREAM_ENTRIES_READ_UNKNOWN)
        return false;
    *lag = stream->entries_added - (uint64_t)read;
    return true;
}

void stream_group_deliver(
    const struct stream *stream, struct stream_group *group, struct stream_id id)
{
    if (group->entries_read != STREAM_ENTRIES_READ_UNKNOWN &&
        !stream_has_tombstone_from(stream, id))
        group->entries_read++;
    else if (stream->entries_added > 0)
        group->entries_read = stream_group_estimate_read(stream, id);
    group->last_id = id;
}
