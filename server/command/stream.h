/* What the files of the stream commands share. */
#ifndef SERVER_COMMAND_STREAM_H
#define SERVER_COMMAND_STREAM_H

#include "server/command/block.h"
#include "server/type/stream.h"
#include "server/type/stream_group.h"

static inline struct stream *stream_of(const struct key *key)
{
    return entry_value(key->entry);
}

/* Before the stream is changed: it is the key's alone then. */
struct stream *stream_open(struct call *call, struct key *key);

/* ---- IDs as clients write them. False: no ID. ---- */

/* ms, ms-seq: a missing seq is `missing`. */
bool stream_id_read(struct bytes text, uint64_t missing, struct stream_id *id);
/* The same, or the error has been written. */
bool stream_id_parse(struct call *call, int index, uint64_t missing, struct stream_id *id);
/* One end of an interval: -, +, an ID, or with ( before it the next one. */
bool stream_interval_parse(struct call *call, int index, bool is_start, struct stream_id *id);

/* ---- Replies. ---- */

void stream_reply_id(struct call *call, struct stream_id id);
/* The ID and the fields. */
void stream_reply_entry(struct call *call, struct stream_entry *entry);
/* The entry with this ID; false: it is not there, nothing has been written. */
bool stream_reply_id_entry(struct call *call, const struct stream *stream, struct stream_id id);
/* An array of entries, `limit` at most (0: all). */
void stream_reply_range(struct call *call, const struct stream *stream, struct stream_id from,
    struct stream_id to, bool backwards, uint64_t limit);

/* ---- Groups. ---- */

/* The consumer, who is seen now; made where there is none, and the effect and event of that. */
struct stream_consumer *stream_consumer_use(
    struct call *call, struct key *key, struct stream_group *group, struct bytes name);
/* As effects: what has become of a pending entry, and how far a group has come. */
void stream_effect_claim(struct call *call, const struct key *key, const struct stream_group *group,
    struct stream_id id, struct bytes consumer, const struct stream_pending *pending);
void stream_effect_position(
    struct call *call, const struct key *key, const struct stream_group *group);

#endif
