/* What ZUNION and its like take: sorted sets, and sets, whose members all have the score 1. */
#ifndef SERVER_COMMAND_ZSET_SOURCE_H
#define SERVER_COMMAND_ZSET_SOURCE_H

#include "server/type/set.h"
#include "server/type/zset.h"

/* One input; its value must not change meanwhile. */
struct zset_source {
    enum type_id
        type; /* TYPE_ZSET or TYPE_SET; where there is none: a sorted set without members */
    struct zset zset;
    struct set set;
    size_t count;
    double weight;
    int place; /* among the inputs */
};

/* False: of a type that is no input. entry NULL: an empty one. */
bool zset_source_of(struct zset_source *source, const struct entry *entry);
bool zset_source_find(const struct zset_source *source, struct bytes member, double *score);

struct zset_source_walk {
    const struct zset_source *source;
    struct zset_cursor cursor;
    struct set_iterator iterator;
};
void zset_source_walk(const struct zset_source *source, struct zset_source_walk *walk);
bool zset_source_next(struct zset_source_walk *walk, struct zset_element *element);

#endif
