/* Sorted sets under keys, and the arguments that their commands share. All under the lock of the
 * key's slot. */
#ifndef SERVER_COMMAND_ZSET_KEY_H
#define SERVER_COMMAND_ZSET_KEY_H

#include "server/command/notify.h"
#include "server/type/zset.h"

/* As the configuration has them now. */
struct zset_limits zset_key_limits(void);

/* The sorted set that is there. Good until the key changes. */
static inline struct zset zset_of(const struct key *key)
{
    return (struct zset){ key->entry->encoding, entry_value(key->entry) };
}

/* A change in place: begin, change the handle, end, which puts value and encoding back. Then come
 * the notification and zset_key_delete_empty. */
struct zset zset_key_begin(struct call *call, struct key *key);
void zset_key_end(struct call *call, struct key *key, const struct zset *zset);
/* Deletes the key where its sorted set is empty, and says so: "del". */
void zset_key_delete_empty(struct call *call, struct key *key);

/* Members to add, or to give other scores. */
struct zset_addition {
    unsigned conditions; /* enum zset_condition */
    bool changes;        /* CH: the reply counts members whose scores changed, too */
    const double *scores;
    const struct bytes *members; /* [0], [stride], [2 * stride] ... */
    int stride, count;           /* count > 0 */
    /* Filled in: */
    double now; /* the score of the last member */
    size_t added, changed, processed;
};

/* Adds to argv[1] and replies as ZADD does. Returns whether anything changed. */
bool zset_key_add(struct call *call, struct zset_addition *addition);

/* Puts a result in the place of argv[index], whatever was there, and tells `event`; an empty one
 * deletes what was there. Takes over the sorted set; returns the count. */
size_t zset_key_put(struct call *call, int index, struct zset *result, const char *event);
/* The same, and replies with the count first. */
void zset_key_store(struct call *call, int index, struct zset *result, const char *event);

/* --- Arguments. Each replies with an error where it returns false. --- */

/* "value is not a valid float", or `error`. */
bool zset_parse_double(struct call *call, struct bytes text, const char *error, double *value);
/* An integer of at least `min`, which is 0 or 1; `error` where it is less, NULL: Redis's usual
 * words. */
bool zset_parse_count(
    struct call *call, struct bytes text, int64_t min, const char *error, int64_t *value);
bool zset_parse_scores(
    struct call *call, struct bytes min, struct bytes max, struct zset_score_range *range);
bool zset_parse_members(
    struct call *call, struct bytes min, struct bytes max, struct zset_lex_range *range);

#endif
