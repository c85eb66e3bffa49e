/* An order of members by score, and by their bytes where scores are equal: what a large sorted set
 * keeps beside its dictionary. A counted B+ tree: a score and a pointer to the item for each
 * member, and in the inner nodes how many members are below, so that ranks cost as little as
 * searches.
 *
 * The items are borrowed: whoever adds one keeps it alive until it is removed (the dictionary does,
 * for the ranking and for each clone of it). The score stands beside the pointer, so a search
 * touches items only where scores tie. Nodes are reference counted, and copied before a change
 * while more than one ranking holds them: a clone costs one count. Owner: whoever holds the value.
 */
#ifndef SERVER_TYPE_RANKING_H
#define SERVER_TYPE_RANKING_H

#include "server/type/dict.h"

/* Bytes before the key in an item: its score, so that the dictionary answers ZSCORE. */
enum { RANKED_PREFIX = sizeof(double), RANKING_HEIGHT_MAX = 24 };

struct ranked {
    double score; /* never NaN */
    struct item *item;
};

static inline struct bytes ranked_member(const struct item *item)
{
    return (struct bytes){ item->data + RANKED_PREFIX, item->key_len };
}

struct ranking_node;

struct ranking {
    struct ranking_node *root; /* NULL: empty */
    unsigned height;           /* inner nodes above a leaf */
    size_t count;
};

/* All zeroes is an empty ranking. */
void ranking_clone(struct ranking *to, const struct ranking *from);
void ranking_free(struct ranking *ranking);
size_t ranking_memory(const struct ranking *ranking); /* bytes of the nodes, estimated */

/* A member with these bytes is not there. */
void ranking_insert(struct ranking *ranking, struct ranked ranked);
/* It is there: with this score, and these bytes in its item. */
void ranking_remove(struct ranking *ranking, struct ranked ranked);
/* It is there; another score or item (with the same bytes) takes its place. */
void ranking_replace(struct ranking *ranking, struct ranked old, struct ranked other);

/* How many members stand before this one, which may be there or not. */
size_t ranking_rank(const struct ranking *ranking, double score, struct bytes member);
/* How many members from the first on are `before` something: true for these, false for the rest. */
typedef bool ranking_before_fn(const void *arg, const struct ranked *ranked);
size_t ranking_search(const struct ranking *ranking, ranking_before_fn *before, const void *arg);

/* A place to walk from, good until the next change. */
struct ranking_cursor {
    const struct ranking_node *path[RANKING_HEIGHT_MAX + 1]; /* [0]: the leaf */
    uint8_t at[RANKING_HEIGHT_MAX + 1];
    unsigned height;
};

/* The member with that rank; NULL: there are not as many. Then those after it, or before it. */
const struct ranked *ranking_seek(
    const struct ranking *ranking, size_t rank, struct ranking_cursor *cursor);
const struct ranked *ranking_next(struct ranking_cursor *cursor);
const struct ranked *ranking_previous(struct ranking_cursor *cursor);

#endif
