#include "server/type/stream.h"

#include "common/memory.h"
#include "server/type/stream_group.h"
#include "server/type/stream_node.h"
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>

/* ---- Nodes ---- */

static struct stream_node *node_create(struct stream_id id, struct listpack *pack)
{
    struct stream_node *node = memory_alloc(sizeof(*node));
    atomic_init(&node->refs, 1);
    node->id = id;
    node->pack = pack;
    return node;
}

static void node_release(struct stream_node *node)
{
    if (atomic_load_explicit(&node->refs, memory_order_acquire) != 1 &&
        atomic_fetch_sub_explicit(&node->refs, 1, memory_order_acq_rel) != 1)
        return;
    listpack_free(node->pack);
    free(node);
}

static struct stream_node **nodes(const struct stream *stream)
{
    return stream->nodes + stream->node_first;
}

/* The node at this place, in nobody's hands but this stream's. */
static struct stream_node *own_node(struct stream *stream, size_t index)
{
    struct stream_node *node = nodes(stream)[index];
    if (atomic_load_explicit(&node->refs, memory_order_acquire) == 1)
        return node;
    struct stream_node *mine = node_create(node->id, listpack_copy(node->pack));
    node_release(node);
    nodes(stream)[index] = mine;
    return mine;
}

static void add_node(struct stream *stream, struct stream_id id, struct listpack *pack)
{
    if (stream->node_first + stream->node_count == stream->node_capacity) {
        if (stream->node_first > stream->node_count) { /* half is free at the front */
            memmove(stream->nodes, nodes(stream), stream->node_count * sizeof(*stream->nodes));
            stream->node_first = 0;
        } else {
            stream->node_capacity = stream->node_capacity ? stream->node_capacity * 2 : 1;
            stream->nodes =
                memory_resize(stream->nodes, stream->node_capacity * sizeof(*stream->nodes));
        }
    }
    nodes(stream)[stream->node_count++] = node_create(id, pack);
    stream->pack_memory += listpack_size(pack);
}

static void remove_node(struct stream *stream, size_t index)
{
    stream->pack_memory -= listpack_size(nodes(stream)[index]->pack);
    node_release(nodes(stream)[index]);
    stream->node_count--;
    if (index == 0)
        stream->node_first++;
    else
        memmove(&nodes(stream)[index], &nodes(stream)[index + 1],
            (stream->node_count - index) * sizeof(*stream->nodes));
}

/* The last node that begins at or before the ID, or SIZE_MAX. */
static size_t node_of(const struct stream *stream, struct stream_id id)
{
    size_t low = 0, high = stream->node_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (stream_id_compare(nodes(stream)[middle]->id, id) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low - 1;
}

size_t stream_node_count(const struct stream *stream)
{
    return stream->node_count;
}

struct stream_id stream_node_id(const struct stream *stream, size_t node)
{
    return nodes(stream)[node]->id;
}

const struct listpack *stream_node_pack(const struct stream *stream, size_t node)
{
    return nodes(stream)[node]->pack;
}

/* ---- Life ---- */

struct stream *stream_create(void)
{
    struct stream *stream = memory_alloc_zeroed(1, sizeof(*stream));
    atomic_init(&stream->refs, 1);
    return stream;
}

struct stream *stream_share(struct stream *stream)
{
    atomic_fetch_add_explicit(&stream->refs, 1, memory_order_relaxed);
    return stream;
}

void stream_release(struct stream *stream)
{
    if (atomic_load_explicit(&stream->refs, memory_order_acquire) != 1 &&
        atomic_fetch_sub_explicit(&stream->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < stream->node_count; i++)
        node_release(nodes(stream)[i]);
    for (uint32_t i = 0; i < stream->group_count; i++)
        stream_group_free(stream->groups[i]);
    free(stream->nodes);
    free(stream->groups);
    free(stream);
}

struct stream *stream_own(struct stream *stream)
{
    if (atomic_load_explicit(&stream->refs, memory_order_acquire) == 1)
        return stream;
    struct stream *mine = stream_create();
    size_t behind_refs = offsetof(struct stream, group_count); /* others let go of it meanwhile */
    memcpy((char *)mine + behind_refs, (const char *)stream + behind_refs,
        sizeof(*mine) - behind_refs);
    mine->node_first = 0;
    mine->node_capacity = stream->node_count;
    mine->nodes = stream->node_count
                      ? memory_copy(nodes(stream), stream->node_count * sizeof(*stream->nodes))
                      : NULL;
    for (size_t i = 0; i < mine->node_count; i++)
        atomic_fetch_add_explicit(&mine->nodes[i]->refs, 1, memory_order_relaxed);
    mine->groups = NULL;
    if (mine->group_count > 0)
        mine->groups = memory_alloc(mine->group_count * sizeof(struct stream_group *));
    for (uint32_t i = 0; i < mine->group_count; i++)
        mine->groups[i] = stream_group_clone(stream->groups[i]);
    stream_release(stream);
    return mine;
}

size_t stream_memory(const struct stream *stream)
{
    size_t size = sizeof(*stream) + stream->node_capacity * sizeof(*stream->nodes) +
                  stream->node_count * sizeof(struct stream_node) + stream->pack_memory +
                  stream->group_count * sizeof(*stream->groups);
    for (uint32_t i = 0; i < stream->group_count; i++)
        size += stream_group_memory(stream->groups[i]);
    return size;
}

static void release_value(void *value, enum encoding encoding)
{
    stream_release(value);
}

static size_t memory_of_value(const void *value, enum encoding encoding)
{
    return stream_memory(value);
}

static void *share_value(void *value, enum encoding encoding)
{
    return stream_share(value);
}

static void *own_value(void *value, enum encoding encoding)
{
    return stream_own(value);
}

static size_t effort_of_value(const void *value, enum encoding encoding)
{
    const struct stream *stream = value;
    if (atomic_load_explicit(&stream->refs, memory_order_relaxed) > 1)
        return 1;
    size_t effort = 1 + stream->node_count * 2;
    for (uint32_t i = 0; i < stream->group_count; i++)
        effort += stream_group_effort(stream->groups[i]);
    return effort;
}

const struct type stream_type = { "stream", release_value, memory_of_value, share_value, own_value,
    effort_of_value };

/* ---- Elements ---- */

/* In a listpack that stream_add_pack has approved, or that was made here, all of these are
 * integers. */
static int64_t integer(const unsigned char *at)
{
    int64_t value = 0;
    listpack_get_integer(at, &value);
    return value;
}

static int64_t read_integer(const struct listpack *pack, const unsigned char **at)
{
    int64_t value = integer(*at);
    *at = listpack_next(pack, *at);
    return value;
}

static const unsigned char *skip(
    const struct listpack *pack, const unsigned char *at, uint64_t count)
{
    while (at && count-- > 0)
        at = listpack_next(pack, at);
    return at;
}

static struct listpack *set_integer(struct listpack *pack, size_t index, int64_t value)
{
    char digits[NUMBER_TEXT_MAX];
    const unsigned char *at = listpack_seek(pack, (long)index);
    return listpack_replace(pack, &at, (struct bytes){ digits, number_format(digits, value) });
}

static struct stream_id id_of(struct stream_id master, int64_t ms, int64_t seq)
{
    return (struct stream_id){ master.ms + (uint64_t)ms, master.seq + (uint64_t)seq };
}

/* ---- Adding ---- */

static bool same_fields(const struct listpack *pack, const struct bytes *fields, size_t count)
{
    const unsigned char *at = listpack_seek(pack, MASTER_FIELD_COUNT);
    if ((uint64_t)read_integer(pack, &at) != count)
        return false;
    for (size_t i = 0; i < count; i++, at = listpack_next(pack, at)) {
        if (!listpack_is(at, fields[2 * i]))
            return false;
    }
    return true;
}

static struct listpack *create_pack(const struct bytes *fields, size_t count)
{
    struct listpack *pack = listpack_create();
    pack = listpack_append_integer(pack, 0);
    pack = listpack_append_integer(pack, 0);
    pack = listpack_append_integer(pack, (int64_t)count);
    for (size_t i = 0; i < count; i++)
        pack = listpack_append(pack, fields[2 * i]);
    return listpack_append_integer(pack, 0);
}

static struct listpack *append_entry(struct listpack *pack, struct stream_id master,
    struct stream_id id, const struct bytes *fields, size_t count)
{
    bool same = same_fields(pack, fields, count);
    pack = listpack_append_integer(pack, same ? ENTRY_SAME_FIELDS : 0);
    pack = listpack_append_integer(pack, (int64_t)(id.ms - master.ms));
    pack = listpack_append_integer(pack, (int64_t)(id.seq - master.seq));
    if (!same)
        pack = listpack_append_integer(pack, (int64_t)count);
    for (size_t i = 0; i < count; i++) {
        if (!same)
            pack = listpack_append(pack, fields[2 * i]);
        pack = listpack_append(pack, fields[2 * i + 1]);
    }
    int64_t elements = (int64_t)(same ? count + 3 : 2 * count + 4);
    pack = listpack_append_integer(pack, elements);
    return set_integer(pack, MASTER_COUNT, integer(listpack_first(pack)) + 1);
}

/* Whether the entry goes to the last node. */
static bool fits(const struct stream *stream, size_t size, const struct stream_limits *limits)
{
    if (stream->node_count == 0)
        return false;
    const struct listpack *pack = nodes(stream)[stream->node_count - 1]->pack;
    size_t bytes = listpack_size(pack) + size;
    if ((limits->node_bytes && bytes >= limits->node_bytes) || bytes >= LISTPACK_BYTES_MAX / 2)
        return false;
    const unsigned char *at = listpack_first(pack);
    uint64_t entries = (uint64_t)read_integer(pack, &at);
    entries += (uint64_t)integer(at);
    return !limits->node_entries || entries < limits->node_entries;
}

bool stream_append(struct stream *stream, struct stream_id id, const struct bytes *fields,
    size_t count, const struct stream_limits *limits)
{
    size_t size = 0;
    for (size_t i = 0; i < 2 * count; i++)
        size += fields[i].len;
    if (size >= LISTPACK_BYTES_MAX / 4 || count >= LISTPACK_BYTES_MAX / 128)
        return false;
    if (!fits(stream, size, limits))
        add_node(stream, id, create_pack(fields, count));
    struct stream_node *node = own_node(stream, stream->node_count - 1);
    size_t before = listpack_size(node->pack);
    node->pack = append_entry(node->pack, node->id, id, fields, count);
    stream->pack_memory += listpack_size(node->pack) - before;
    stream->length++;
    stream->entries_added++;
    stream->last_id = id;
    if (stream->length == 1)
        stream->first_id = id;
    return true;
}

/* ---- Reading ---- */

/* The cursor comes to a node, at its near end. */
static void enter(struct stream_cursor *cursor, size_t index)
{
    cursor->node = index;
    if (index >= cursor->stream->node_count) {
        cursor->node = SIZE_MAX;
        return;
    }
    const struct listpack *pack = nodes(cursor->stream)[index]->pack;
    const unsigned char *at = listpack_seek(pack, MASTER_FIELD_COUNT);
    cursor->master_fields = (size_t)read_integer(pack, &at);
    cursor->names = at;
    cursor->entries = listpack_next(pack, skip(pack, at, cursor->master_fields));
    cursor->at = !cursor->entries    ? NULL
                 : cursor->backwards ? listpack_last(pack)
                                     : cursor->entries;
}

struct stream_cursor stream_walk(
    const struct stream *stream, struct stream_id from, struct stream_id to, bool backwards)
{
    struct stream_cursor cursor = {
        .stream = stream, .from = from, .to = to, .backwards = backwards
    };
    size_t index = node_of(stream, backwards ? to : from);
    if (!backwards && index == SIZE_MAX)
        index = 0;
    enter(&cursor, index);
    return cursor;
}

/* Reads the entry at the cursor, whatever its flags, and moves on in the node. */
static int64_t read_entry(struct stream_cursor *cursor, struct stream_entry *entry)
{
    const struct stream_node *node = nodes(cursor->stream)[cursor->node];
    const struct listpack *pack = node->pack;
    const unsigned char *at = cursor->at;
    if (cursor->backwards) { /* it stands behind the entry, at the count of its elements */
        for (int64_t elements = integer(at); elements > 0; elements--)
            at = listpack_previous(pack, at);
        cursor->at = at == cursor->entries ? NULL : listpack_previous(pack, at);
    }
    int64_t flags = read_integer(pack, &at);
    int64_t ms = read_integer(pack, &at);
    entry->id = id_of(node->id, ms, read_integer(pack, &at));
    entry->pack = pack;
    entry->own_names = !(flags & ENTRY_SAME_FIELDS);
    entry->field_count = entry->own_names ? (size_t)read_integer(pack, &at) : cursor->master_fields;
    entry->name = entry->own_names ? at : cursor->names;
    entry->value = at;
    if (!cursor->backwards) {
        at = skip(pack, at, entry->own_names ? entry->field_count * 2 : entry->field_count);
        cursor->at = listpack_next(pack, at);
    }
    return flags;
}

bool stream_next(struct stream_cursor *cursor, struct stream_entry *entry)
{
    while (cursor->node != SIZE_MAX) {
        if (!cursor->at) {
            enter(cursor, cursor->backwards ? cursor->node - 1 : cursor->node + 1);
            continue;
        }
        /* XSETID may go back behind deleted entries, so that lower IDs follow theirs. */
        if (read_entry(cursor, entry) & ENTRY_DELETED)
            continue;
        bool before = stream_id_compare(entry->id, cursor->from) < 0;
        bool after = stream_id_compare(entry->id, cursor->to) > 0;
        if (cursor->backwards ? before : after) {
            cursor->node = SIZE_MAX;
            return false;
        }
        if (!before && !after)
            return true;
    }
    return false;
}

void stream_field(struct stream_entry *entry, struct bytes *name, struct bytes *value,
    char *name_scratch, char *value_scratch)
{
    *name = listpack_get(entry->name, name_scratch);
    entry->name = listpack_next(entry->pack, entry->name);
    if (entry->own_names)
        entry->value = entry->name;
    *value = listpack_get(entry->value, value_scratch);
    entry->value = listpack_next(entry->pack, entry->value);
    if (entry->own_names)
        entry->name = entry->value;
}

bool stream_has(const struct stream *stream, struct stream_id id)
{
    struct stream_cursor cursor = stream_walk(stream, id, id, false);
    struct stream_entry entry;
    return stream_next(&cursor, &entry);
}

struct stream_id stream_edge(const struct stream *stream, bool first)
{
    struct stream_cursor cursor = stream_walk(stream, STREAM_ID_MIN, STREAM_ID_MAX, !first);
    struct stream_entry entry;
    if (stream_next(&cursor, &entry))
        return entry.id;
    return first ? STREAM_ID_MAX : STREAM_ID_MIN;
}

bool stream_has_tombstone_from(const struct stream *stream, struct stream_id id)
{
    return stream->length > 0 && !stream_id_is_zero(stream->max_deleted_id) &&
           stream_id_compare(id, stream->max_deleted_id) <= 0;
}

/* ---- Removing ---- */

/* Marks the entry whose flags are the element with that index. */
static void mark_deleted(struct stream_node *node, const unsigned char *at)
{
    char digits[NUMBER_TEXT_MAX];
    size_t len = number_format(digits, integer(at) | ENTRY_DELETED);
    node->pack = listpack_replace(node->pack, &at, (struct bytes){ digits, len });
}

static void count_deleted(struct stream *stream, struct stream_node *node, int64_t deleted)
{
    size_t before = listpack_size(node->pack);
    const unsigned char *at = listpack_first(node->pack);
    int64_t count = read_integer(node->pack, &at), gone = integer(at);
    node->pack = set_integer(node->pack, MASTER_COUNT, count - deleted);
    node->pack = set_integer(node->pack, MASTER_DELETED, gone + deleted);
    stream->pack_memory += listpack_size(node->pack) - before;
    stream->length -= (uint64_t)deleted;
}

bool stream_delete(struct stream *stream, struct stream_id id)
{
    struct stream_cursor cursor = stream_walk(stream, id, id, false);
    struct stream_entry entry;
    if (!stream_next(&cursor, &entry))
        return false;
    size_t index = cursor.node;
    struct stream_node *node = own_node(stream, index);
    if (integer(listpack_first(node->pack)) == 1) {
        remove_node(stream, index);
        stream->length--;
        return true;
    }
    /* The node may be another one now; the entry's place in it is the same. */
    cursor = stream_walk(stream, id, id, false);
    const unsigned char *flags;
    bool gone;
    do {
        flags = cursor.at;
        gone = read_entry(&cursor, &entry) & ENTRY_DELETED;
    } while (gone || stream_id_compare(entry.id, id) != 0);
    mark_deleted(node, flags);
    count_deleted(stream, node, 1);
    return true;
}

/* The highest ID in the node, deleted or not. */
static struct stream_id last_of_node(const struct stream *stream, size_t index)
{
    struct stream_cursor cursor = { .stream = stream, .backwards = true };
    struct stream_entry entry = { .id = nodes(stream)[index]->id };
    enter(&cursor, index);
    if (cursor.at)
        read_entry(&cursor, &entry);
    return entry.id;
}

/* Removes entries from the front of the first node, until enough have gone. */
static uint64_t trim_node(struct stream *stream, const struct stream_trim *trim)
{
    struct stream_node *node = own_node(stream, 0);
    struct stream_cursor cursor = { .stream = stream };
    struct stream_entry entry;
    uint64_t deleted = 0;
    enter(&cursor, 0);
    while (cursor.at) {
        const unsigned char *flags = cursor.at;
        size_t place = (size_t)(flags - node->pack->bytes);
        if (trim->by == STREAM_TRIM_LENGTH && stream->length - deleted <= trim->length)
            break;
        bool gone = read_entry(&cursor, &entry) & ENTRY_DELETED;
        if (trim->by == STREAM_TRIM_ID && stream_id_compare(entry.id, trim->id) >= 0)
            break;
        if (gone)
            continue;
        size_t next = cursor.at ? (size_t)(cursor.at - node->pack->bytes) : 0;
        mark_deleted(node, node->pack->bytes + place); /* flags keep their size */
        cursor.at = next ? node->pack->bytes + next : NULL;
        deleted++;
    }
    count_deleted(stream, node, (int64_t)deleted);
    return deleted;
}

uint64_t stream_trim(struct stream *stream, const struct stream_trim *trim)
{
    uint64_t deleted = 0;
    while (stream->node_count > 0) {
        if (trim->by == STREAM_TRIM_LENGTH && stream->length <= trim->length)
            break;
        uint64_t entries = (uint64_t)integer(listpack_first(nodes(stream)[0]->pack));
        if (trim->limit && deleted + entries > trim->limit)
            break;
        bool whole = trim->by == STREAM_TRIM_LENGTH
                         ? stream->length - entries >= trim->length
                         : stream_id_compare(last_of_node(stream, 0), trim->id) < 0;
        if (whole) {
            remove_node(stream, 0);
            stream->length -= entries;
            deleted += entries;
            continue;
        }
        if (!trim->approximate)
            deleted += trim_node(stream, trim);
        break;
    }
    stream->first_id = stream->length ? stream_edge(stream, true) : STREAM_ID_MIN;
    return deleted;
}

/* ---- Files ---- */

/* An integer that is not negative, and moves on; false at the end or where there is none. */
static bool take(const struct listpack *pack, const unsigned char **at, int64_t *value)
{
    if (!*at || !listpack_get_integer(*at, value))
        return false;
    *at = listpack_next(pack, *at);
    return true;
}

static bool take_count(const struct listpack *pack, const unsigned char **at, int64_t *value)
{
    return take(pack, at, value) && *value >= 0;
}

/* Skips as many elements as there must be. */
static bool pass(const struct listpack *pack, const unsigned char **at, int64_t count)
{
    for (; count > 0; count--) {
        if (!*at)
            return false;
        *at = listpack_next(pack, *at);
    }
    return true;
}

static bool check_entry(const struct listpack *pack, const unsigned char **at,
    struct stream_id master, int64_t master_fields, struct stream_id *last, bool *deleted)
{
    int64_t flags, ms, seq, fields = master_fields, elements;
    if (!take_count(pack, at, &flags) || flags > (ENTRY_DELETED | ENTRY_SAME_FIELDS) ||
        !take(pack, at, &ms) || !take(pack, at, &seq))
        return false;
    bool same = flags & ENTRY_SAME_FIELDS;
    if (!same && (!take_count(pack, at, &fields) || fields > LISTPACK_BYTES_MAX))
        return false;
    if (!pass(pack, at, same ? fields : 2 * fields) || !take(pack, at, &elements))
        return false;
    struct stream_id id = id_of(master, ms, seq);
    *deleted = flags & ENTRY_DELETED;
    bool ascending = *deleted || stream_id_compare(id, *last) > 0;
    if (!*deleted)
        *last = id;
    return ascending && elements == (same ? fields + 3 : 2 * fields + 4);
}

/* IDs of deleted entries may be any: XSETID can go back behind them. */
static bool check_pack(const struct listpack *pack, struct stream_id master, int64_t *entries)
{
    struct stream_id last = master;
    stream_id_decrease(&last);
    int64_t count, deleted, fields, zero, found = 0, gone = 0;
    const unsigned char *at = listpack_first(pack);
    if (!take_count(pack, &at, &count) || !take_count(pack, &at, &deleted) ||
        !take_count(pack, &at, &fields) || fields > LISTPACK_BYTES_MAX ||
        !pass(pack, &at, fields) || !take(pack, &at, &zero) || zero != 0)
        return false;
    while (at) {
        bool is_deleted;
        if (!check_entry(pack, &at, master, fields, &last, &is_deleted))
            return false;
        found += !is_deleted;
        gone += is_deleted;
    }
    *entries = count;
    return found == count && gone == deleted;
}

bool stream_add_pack(
    struct stream *stream, struct stream_id id, struct listpack *pack, struct error *error)
{
    int64_t entries;
    if (stream->node_count > 0 &&
        (stream_id_compare(id, nodes(stream)[stream->node_count - 1]->id) <= 0 ||
            stream_id_compare(id, stream_edge(stream, false)) <= 0))
        return error_set(error, "the listpacks of a stream are not in order");
    if (!check_pack(pack, id, &entries))
        return error_set(error, "a listpack of a stream is damaged");
    add_node(stream, id, pack);
    stream->length += (uint64_t)entries;
    return true;
}
