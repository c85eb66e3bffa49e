/* Consumer groups of a stream: what has been delivered, to whom, and what of it is not acknowledged
 * yet. Part of the stream's value: belongs to whoever holds that. */
#ifndef SERVER_TYPE_STREAM_GROUP_H
#define SERVER_TYPE_STREAM_GROUP_H

#include "server/type/idmap.h"

struct stream;

enum { STREAM_ENTRIES_READ_UNKNOWN = -1 };

/* A delivery that was not acknowledged: the value in a group's `pending`. */
struct stream_pending {
    int64_t delivered_ms; /* Unix time of the last delivery */
    uint64_t deliveries;
    uint64_t consumer; /* its number in the group */
};

struct stream_consumer {
    char *name; /* owned */
    size_t name_len;
    int64_t seen_ms;      /* Unix time of the last command in its name */
    uint64_t number;      /* its place in by_number */
    struct idmap pending; /* IDs only */
};

struct stream_group {
    char *name; /* owned */
    size_t name_len;
    struct stream_id last_id;           /* the last delivered */
    int64_t entries_read;               /* or STREAM_ENTRIES_READ_UNKNOWN */
    struct idmap pending;               /* struct stream_pending */
    struct stream_consumer **consumers; /* owned; sorted by name */
    size_t consumer_count;
    struct stream_consumer **by_number; /* NULL where none has that number now */
    size_t number_count;
};

struct bytes stream_group_name(const struct stream_group *group);
struct bytes stream_consumer_name(const struct stream_consumer *consumer);

struct stream_group *stream_group_find(const struct stream *stream, struct bytes name);
/* NULL: there is one of that name. */
struct stream_group *stream_group_add(
    struct stream *stream, struct bytes name, struct stream_id last_id, int64_t entries_read);
bool stream_group_remove(struct stream *stream, struct bytes name);
struct stream_group *stream_group_clone(const struct stream_group *group);
void stream_group_free(struct stream_group *group);
size_t stream_group_memory(const struct stream_group *group); /* bytes */
size_t stream_group_effort(const struct stream_group *group); /* allocations to free it */

struct stream_consumer *stream_consumer_find(const struct stream_group *group, struct bytes name);
struct stream_consumer *stream_consumer_add(struct stream_group *group, struct bytes name);
/* With all that is pending for it, which is how many. */
uint64_t stream_consumer_remove(struct stream_group *group, struct stream_consumer *consumer);
struct stream_consumer *stream_consumer_of(
    const struct stream_group *group, const struct stream_pending *pending);

/* The pending entry, to be changed, the consumer's from now on; made where it is not there. */
struct stream_pending *stream_pending_give(
    struct stream_group *group, struct stream_id id, struct stream_consumer *consumer);
bool stream_pending_remove(struct stream_group *group, struct stream_id id);

/* How many entries of the stream are at or below the ID, as far as can be told without counting
 * them; else STREAM_ENTRIES_READ_UNKNOWN. */
int64_t stream_group_estimate_read(const struct stream *stream, struct stream_id id);
/* How many entries are still to be delivered; false: it can't be told. */
bool stream_group_lag(const struct stream *stream, const struct stream_group *group, uint64_t *lag);
/* The group delivers the entry now: sees to last_id and entries_read. */
void stream_group_deliver(
    const struct stream *stream, struct stream_group *group, struct stream_id id);

#endif
