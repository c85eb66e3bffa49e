/* The value types and how each is kept. A type knows nothing of keys, clients or clusters.
 *
 * A value lies either inside its entry (small strings, integers) or out of line behind a pointer; what lies
 * out of line is described by the row of its type: how it is freed, copied, measured. A new type is a new
 * file with such a row, listed in type.c. */
#ifndef SERVER_TYPE_TYPE_H
#define SERVER_TYPE_TYPE_H

#include <stddef.h>
#include <stdint.h>

/* In the order of Redis's own numbers. */
enum type_id { TYPE_STRING, TYPE_LIST, TYPE_SET, TYPE_ZSET, TYPE_HASH, TYPE_MODULE, TYPE_STREAM, TYPE_COUNT };

/* How a value is kept; OBJECT ENCODING gives the names. */
enum encoding {
    ENCODING_RAW,       /* string: inline bytes, or a struct blob */
    ENCODING_EMBSTR,    /* string: at most ENCODING_EMBSTR_MAX bytes, always inline */
    ENCODING_INT,       /* string: an int64_t, inline */
    ENCODING_LISTPACK,  /* hash, sorted set: a struct listpack */
    ENCODING_INTSET,    /* set: a struct intset */
    ENCODING_HASHTABLE, /* hash, set */
    ENCODING_QUICKLIST, /* list */
    ENCODING_SKIPLIST,  /* sorted set */
    ENCODING_STREAM,
    ENCODING_COUNT
};

enum { ENCODING_EMBSTR_MAX = 44 };

/* A value may have several holders: an entry, snapshots, copies. `share` makes one more in little time, whatever
 * the size: small values are copied, large ones counted. `own` is asked before every change: it returns a value
 * that the caller alone holds, the same one or a copy (the caller's hold on the old one is gone then), and large
 * structures copy only what the change will touch. */
struct type {
    const char *name; /* what TYPE replies; NULL: no such type here */
    void (*release)(void *value, enum encoding encoding);        /* one holder less */
    size_t (*memory)(const void *value, enum encoding encoding); /* bytes allocated; may be an estimate */
    void *(*share)(void *value, enum encoding encoding);         /* one holder more */
    void *(*own)(void *value, enum encoding encoding);
    size_t (*effort)(const void *value, enum encoding encoding); /* allocations to free it */
};

extern const struct type string_type;

const struct type *type_of(enum type_id id); /* never NULL for an id below TYPE_COUNT */
struct dict;
/* The dictionary that the members of such a value are in; NULL where it has none. */
const struct dict *type_dict(enum type_id id, enum encoding encoding, const void *value);
const char *encoding_name(enum encoding encoding);

#endif
