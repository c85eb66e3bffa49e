/* Streams in RDB: their listpacks, then the counters, then the groups with what is pending. Written
 * as Redis 7.0 does (form 2); read also form 1, of before 7.0, which knows less of what was
 * deleted, and form 3, of 7.2, which knows more of consumers. */
#include "server/snapshot/value.h"

#include "common/memory.h"
#include "server/type/stream.h"
#include "server/type/stream_group.h"
#include <endian.h>
#include <stdlib.h>

/* ---- Writing ---- */

static void write_id(struct rdb_writer *writer, struct stream_id id)
{
    rdb_write_length(writer, id.ms);
    rdb_write_length(writer, id.seq);
}

static void write_raw_id(struct rdb_writer *writer, struct stream_id id)
{
    char raw[STREAM_ID_BYTES];
    stream_id_encode(id, raw);
    rdb_write_raw(writer, (struct bytes){ raw, sizeof(raw) });
}

static void write_ms(struct rdb_writer *writer, int64_t ms)
{
    uint64_t little = htole64((uint64_t)ms);
    rdb_write_raw(writer, (struct bytes){ (const char *)&little, sizeof(little) });
}

static void write_consumer(struct rdb_writer *writer, const struct stream_consumer *consumer)
{
    struct idmap_cursor cursor = idmap_seek(&consumer->pending, STREAM_ID_MIN);
    struct stream_id id;
    rdb_write_string(writer, stream_consumer_name(consumer));
    write_ms(writer, consumer->seen_ms);
    rdb_write_length(writer, consumer->pending.count);
    while (idmap_next(&cursor, &id, NULL))
        write_raw_id(writer, id);
}

static void write_group(struct rdb_writer *writer, const struct stream_group *group)
{
    struct idmap_cursor cursor = idmap_seek(&group->pending, STREAM_ID_MIN);
    struct stream_id id;
    const void *value;
    rdb_write_string(writer, stream_group_name(group));
    write_id(writer, group->last_id);
    rdb_write_length(writer, (uint64_t)group->entries_read);
    rdb_write_length(writer, group->pending.count);
    while (idmap_next(&cursor, &id, &value)) {
        const struct stream_pending *pending = value;
        write_raw_id(writer, id);
        write_ms(writer, pending->delivered_ms);
        rdb_write_length(writer, pending->deliveries);
    }
    rdb_write_length(writer, group->consumer_count);
    for (size_t i = 0; i < group->consumer_count; i++)
        write_consumer(writer, group->consumers[i]);
}

static void write_stream(struct rdb_writer *writer, const struct entry *entry)
{
    const struct stream *stream = entry_value(entry);
    char raw[STREAM_ID_BYTES];
    rdb_write_length(writer, stream_node_count(stream));
    for (size_t i = 0; i < stream_node_count(stream); i++) {
        stream_id_encode(stream_node_id(stream, i), raw);
        rdb_write_string(writer, (struct bytes){ raw, sizeof(raw) });
        rdb_write_string(writer, listpack_bytes(stream_node_pack(stream, i)));
    }
    rdb_write_length(writer, stream->length);
    write_id(writer, stream->last_id);
    write_id(writer, stream->first_id);
    write_id(writer, stream->max_deleted_id);
    rdb_write_length(writer, stream->entries_added);
    rdb_write_length(writer, stream->group_count);
    for (uint32_t i = 0; i < stream->group_count; i++)
        write_group(writer, stream->groups[i]);
}

/* ---- Reading ---- */

static bool read_id(struct rdb_reader *reader, struct stream_id *id, struct error *error)
{
    return rdb_read_length(reader, &id->ms, error) && rdb_read_length(reader, &id->seq, error);
}

static bool read_raw_id(struct rdb_reader *reader, struct stream_id *id, struct error *error)
{
    char raw[STREAM_ID_BYTES];
    if (!rdb_read_raw(reader, raw, sizeof(raw), error))
        return false;
    *id = stream_id_decode(raw);
    return true;
}

static bool read_ms(struct rdb_reader *reader, int64_t *ms, struct error *error)
{
    uint64_t little;
    if (!rdb_read_raw(reader, &little, sizeof(little), error))
        return false;
    *ms = (int64_t)le64toh(little);
    return true;
}

static bool read_node(struct rdb_reader *reader, struct stream *stream, struct error *error)
{
    struct bytes text;
    if (!rdb_read_string(reader, &text, error))
        return false;
    if (text.len != STREAM_ID_BYTES)
        return error_set(error, "the ID of a stream's listpack has %zu bytes, not 16", text.len);
    struct stream_id id = stream_id_decode(text.data);
    if (!rdb_read_string(reader, &text, error))
        return false;
    if (!listpack_is_valid(text))
        return error_set(error, "a listpack of a stream is damaged");
    struct listpack *pack = listpack_from(text);
    if (stream_add_pack(stream, id, pack, error))
        return true;
    listpack_free(pack);
    return false;
}

static bool read_nodes(struct rdb_reader *reader, struct stream *stream, struct error *error)
{
    uint64_t count;
    if (!rdb_read_length(reader, &count, error))
        return false;
    for (; count > 0; count--) {
        if (!read_node(reader, stream, error))
            return false;
    }
    return true;
}

static bool read_counters(
    struct rdb_reader *reader, struct stream *stream, bool first_form, struct error *error)
{
    uint64_t length;
    if (!rdb_read_length(reader, &length, error) || !read_id(reader, &stream->last_id, error))
        return false;
    if (length != stream->length)
        return error_set(error, "a stream says that it has %llu entries and has %llu",
            (unsigned long long)length, (unsigned long long)stream->length);
    if (length > 0 && stream_id_compare(stream_edge(stream, false), stream->last_id) > 0)
        return error_set(error, "an entry of a stream is behind its last ID");
    if (!first_form)
        return read_id(reader, &stream->first_id, error) &&
               read_id(reader, &stream->max_deleted_id, error) &&
               rdb_read_length(reader, &stream->entries_added, error);
    stream->entries_added = length;
    stream->first_id = length ? stream_edge(stream, true) : STREAM_ID_MIN;
    return true;
}

/* What is pending in the group; for whom comes later. */
static bool read_pending(struct rdb_reader *reader, struct stream_group *group, struct error *error)
{
    uint64_t count;
    if (!rdb_read_length(reader, &count, error))
        return false;
    for (; count > 0; count--) {
        struct stream_id id;
        struct stream_pending read;
        bool added;
        if (!read_raw_id(reader, &id, error) || !read_ms(reader, &read.delivered_ms, error) ||
            !rdb_read_length(reader, &read.deliveries, error))
            return false;
        struct stream_pending *pending = idmap_change(&group->pending, id, true, &added);
        if (!added)
            return error_set(error, "an entry is pending twice in a group");
        read.consumer = UINT64_MAX;
        *pending = read;
    }
    return true;
}

static bool read_consumer(
    struct rdb_reader *reader, struct stream_group *group, bool third_form, struct error *error)
{
    struct bytes name;
    int64_t seen_ms, active_ms;
    uint64_t count;
    if (!rdb_read_string(reader, &name, error))
        return false;
    if (stream_consumer_find(group, name))
        return error_set(error, "a group has a consumer twice");
    struct stream_consumer *consumer = stream_consumer_add(group, name);
    if (!read_ms(reader, &seen_ms, error) || (third_form && !read_ms(reader, &active_ms, error)) ||
        !rdb_read_length(reader, &count, error))
        return false;
    consumer->seen_ms = seen_ms;
    for (; count > 0; count--) {
        struct stream_id id;
        if (!read_raw_id(reader, &id, error))
            return false;
        struct stream_pending *pending = idmap_change(&group->pending, id, false, NULL);
        if (!pending || pending->consumer != UINT64_MAX)
            return error_set(error, "a consumer has an entry that is not pending, or another's");
        pending->consumer = consumer->number;
        idmap_change(&consumer->pending, id, true, NULL);
    }
    return true;
}

static bool all_have_consumers(const struct stream_group *group)
{
    size_t count = 0;
    for (size_t i = 0; i < group->consumer_count; i++)
        count += group->consumers[i]->pending.count;
    return count == group->pending.count;
}

static bool read_group(struct rdb_reader *reader, struct stream *stream, bool first_form,
    bool third_form, struct error *error)
{
    struct bytes name;
    struct stream_id last_id;
    uint64_t entries_read, consumers;
    if (!rdb_read_string(reader, &name, error))
        return false;
    struct stream_group *group = stream_group_add(stream, name, STREAM_ID_MIN, 0);
    if (!group)
        return error_set(error, "a stream has a group twice");
    if (!read_id(reader, &last_id, error))
        return false;
    group->last_id = last_id;
    if (first_form)
        entries_read = (uint64_t)stream_group_estimate_read(stream, last_id);
    else if (!rdb_read_length(reader, &entries_read, error))
        return false;
    group->entries_read = (int64_t)entries_read;
    if (!read_pending(reader, group, error) || !rdb_read_length(reader, &consumers, error))
        return false;
    for (; consumers > 0; consumers--) {
        if (!read_consumer(reader, group, third_form, error))
            return false;
    }
    return all_have_consumers(group) ||
           error_set(error, "an entry is pending in a group for no consumer");
}

static bool read_all(
    struct rdb_reader *reader, struct stream *stream, int form, struct error *error)
{
    uint64_t groups;
    if (!read_nodes(reader, stream, error) ||
        !read_counters(reader, stream, form == RDB_TYPE_STREAM_LISTPACKS, error) ||
        !rdb_read_length(reader, &groups, error))
        return false;
    for (; groups > 0; groups--) {
        if (!read_group(reader, stream, form == RDB_TYPE_STREAM_LISTPACKS,
                form == RDB_TYPE_STREAM_LISTPACKS_3, error))
            return false;
    }
    return true;
}

/* What is pending for nobody has no place among consumers: stream_release does not ask for them. */
static struct entry *read_stream(
    struct rdb_reader *reader, const struct rdb_key *key, struct error *error)
{
    struct stream *stream = stream_create();
    if (read_all(reader, stream, key->type, error))
        return entry_create_value(key->name, TYPE_STREAM, ENCODING_STREAM, stream, key->expiry);
    stream_release(stream);
    return NULL;
}

const struct value_form stream_forms[] = { { RDB_TYPE_STREAM_LISTPACKS_2, TYPE_STREAM,
                                               1u << ENCODING_STREAM, write_stream, read_stream },
    { RDB_TYPE_STREAM_LISTPACKS, TYPE_STREAM, 0, NULL, read_stream },
    { RDB_TYPE_STREAM_LISTPACKS_3, TYPE_STREAM, 0, NULL, read_stream }, { 0 } };
