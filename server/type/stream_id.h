/* The ID of a stream's entry: a moment in milliseconds and a number within it. */
#ifndef SERVER_TYPE_STREAM_ID_H
#define SERVER_TYPE_STREAM_ID_H

#include "common/bytes.h"
#include <endian.h>
#include <stdint.h>

struct stream_id {
    uint64_t ms, seq;
};

#define STREAM_ID_MIN ((struct stream_id){ 0, 0 })
#define STREAM_ID_MAX ((struct stream_id){ UINT64_MAX, UINT64_MAX })

enum { STREAM_ID_BYTES = 16, STREAM_ID_TEXT_MAX = 48 };

static inline int stream_id_compare(struct stream_id a, struct stream_id b)
{
    if (a.ms != b.ms)
        return a.ms < b.ms ? -1 : 1;
    return a.seq < b.seq ? -1 : a.seq > b.seq;
}

static inline bool stream_id_is_zero(struct stream_id id)
{
    return id.ms == 0 && id.seq == 0;
}

/* The next, or the one before; false where there is none. */
static inline bool stream_id_increase(struct stream_id *id)
{
    if (id->seq == UINT64_MAX && id->ms == UINT64_MAX)
        return false;
    if (++id->seq == 0)
        id->ms++;
    return true;
}

static inline bool stream_id_decrease(struct stream_id *id)
{
    if (stream_id_is_zero(*id))
        return false;
    if (id->seq-- == 0)
        id->ms--;
    return true;
}

/* Sixteen bytes, big endian: in the order of the IDs. As in RDB. */
static inline void stream_id_encode(struct stream_id id, char *to)
{
    uint64_t parts[2] = { htobe64(id.ms), htobe64(id.seq) };
    memcpy(to, parts, sizeof(parts));
}

static inline struct stream_id stream_id_decode(const char *from)
{
    uint64_t parts[2];
    memcpy(parts, from, sizeof(parts));
    return (struct stream_id){ be64toh(parts[0]), be64toh(parts[1]) };
}

/* "ms-seq" to `to` (STREAM_ID_TEXT_MAX bytes), which the view returned is of. */
struct bytes stream_id_format(struct stream_id id, char *to);

#endif
