/* Streams: entries with ascending IDs, each some fields with values.
 *
 * Entries lie in listpacks, byte for byte as Redis keeps them, so that RDB takes them as they are.
 * Each begins with a master entry: how many entries it has, how many deleted ones, the fields of
 * the first entry, a zero. An entry is flags, its ID as differences to the master's, its fields
 * unless they are the master's, its values, and how many elements it was, for those who come
 * backwards.
 *
 * The listpacks stand in one array sorted by ID: it grows at its end, and is trimmed at its front.
 * They are counted and copied before a change while several streams hold them; so is the stream as
 * a whole (see type.h). Everything here belongs to whoever holds the value. Source of the format:
 * payloads that redis-server 7.0.15 dumps. */
#ifndef SERVER_TYPE_STREAM_H
#define SERVER_TYPE_STREAM_H

#include "common/error.h"
#include "server/type/listpack.h"
#include "server/type/stream_id.h"
#include "server/type/type.h"

struct stream_node;
struct stream_group;

struct stream {
    _Atomic uint32_t refs; /* holders of the whole; only this is touched by several threads */
    uint32_t group_count;
    struct stream_group **groups; /* owned; sorted by name: see stream_group.h */
    struct stream_node **nodes;   /* owned; those in use are node_count from node_first on */
    size_t node_first, node_count, node_capacity;
    uint64_t length;          /* entries, without deleted ones */
    uint64_t entries_added;   /* ever */
    struct stream_id last_id; /* the highest ever */
    struct stream_id first_id;
    struct stream_id max_deleted_id;
    size_t pack_memory; /* bytes of the listpacks */
};

extern const struct type stream_type;

struct stream *stream_create(void);
struct stream *stream_share(struct stream *stream);
struct stream *stream_own(struct stream *stream); /* see type.h */
void stream_release(struct stream *stream);
size_t stream_memory(const struct stream *stream);

/* --- Adding. --- */

struct stream_limits {
    size_t node_bytes;     /* stream-node-max-bytes; 0: no limit */
    uint64_t node_entries; /* stream-node-max-entries; 0: no limit */
};

/* The id is above last_id; fields are name, value, name, value ... (`count` pairs). False: a
 * listpack would become too large, nothing was added. */
bool stream_append(struct stream *stream, struct stream_id id, const struct bytes *fields,
    size_t count, const struct stream_limits *limits);

/* --- Reading. --- */

struct stream_entry {
    struct stream_id id;
    size_t field_count;
    /* Inside: where the next name and value are. */
    const struct listpack *pack;
    const unsigned char *name, *value;
    bool own_names; /* names stand before values, not in the master entry */
};

/* A walk over the entries from `from` to `to`, both included; backwards it begins at `to`. The
 * stream must not change in between. */
struct stream_cursor {
    const struct stream *stream;
    struct stream_id from, to;
    bool backwards;
    size_t node;             /* among those in use; SIZE_MAX: behind the end */
    const unsigned char *at; /* the next entry's flags, or backwards the previous one's end; NULL:
                                none in this node */
    const unsigned char *names;   /* of the master entry */
    const unsigned char *entries; /* the first element behind the master entry; NULL: none */
    size_t master_fields;
};
struct stream_cursor stream_walk(
    const struct stream *stream, struct stream_id from, struct stream_id to, bool backwards);
bool stream_next(struct stream_cursor *cursor, struct stream_entry *entry);
/* The next field of an entry; field_count times. Integers come as digits in the scratches
 * (NUMBER_TEXT_MAX). */
void stream_field(struct stream_entry *entry, struct bytes *name, struct bytes *value,
    char *name_scratch, char *value_scratch);

bool stream_has(const struct stream *stream, struct stream_id id);
/* The lowest or highest entry that is there; where there is none the highest or lowest ID. */
struct stream_id stream_edge(const struct stream *stream, bool first);
/* Entries that were deleted, as far as is known, at or above the ID. */
bool stream_has_tombstone_from(const struct stream *stream, struct stream_id id);

/* --- Removing. --- */

/* Sees to first_id and max_deleted_id as XDEL does where the caller has finished: see
 * stream_deleted. */
bool stream_delete(struct stream *stream, struct stream_id id);

enum stream_trim_by { STREAM_TRIM_NONE, STREAM_TRIM_LENGTH, STREAM_TRIM_ID };
struct stream_trim {
    enum stream_trim_by by;
    bool approximate;    /* whole listpacks only */
    uint64_t length;     /* that may stay */
    struct stream_id id; /* what is below goes */
    uint64_t limit;      /* remove at most so many (whole listpacks); 0: any number */
};
uint64_t stream_trim(struct stream *stream, const struct stream_trim *trim); /* how many went */

/* --- Listpacks as they stand in files. --- */

size_t stream_node_count(const struct stream *stream);
struct stream_id stream_node_id(const struct stream *stream, size_t node);
const struct listpack *stream_node_pack(const struct stream *stream, size_t node);
/* The pack is a valid listpack of any origin; checks that it is one of a stream, with ascending
 * IDs (but for deleted entries), and puts it behind those that are there. Takes it over where it returns true. Sets the
 * stream's length. */
bool stream_add_pack(
    struct stream *stream, struct stream_id id, struct listpack *pack, struct error *error);

#endif
