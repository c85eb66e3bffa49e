/* Inside a stream's listpacks: what stream.c and its tests know of them. */
#ifndef SERVER_TYPE_STREAM_NODE_H
#define SERVER_TYPE_STREAM_NODE_H

#include "server/type/listpack.h"
#include "server/type/stream_id.h"
#include <stdatomic.h>

struct stream_node {
    _Atomic uint32_t refs;
    struct stream_id id; /* the master entry's */
    struct listpack *pack;
};

/* Elements of the master entry; the fields follow, then a zero. */
enum { MASTER_COUNT, MASTER_DELETED, MASTER_FIELD_COUNT };

enum { ENTRY_DELETED = 1, ENTRY_SAME_FIELDS = 2 };

#endif
