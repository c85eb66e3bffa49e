/* Branches of a list's tree, for list.c and list_cursor.c. */
#ifndef SERVER_TYPE_LIST_BRANCH_H
#define SERVER_TYPE_LIST_BRANCH_H

#include "server/type/list.h"

enum { BRANCH_MAX = 64 }; /* children */

/* A child of a branch, and how many elements are in it. */
struct child {
    union {
        struct chunk *chunk; /* of a branch at level 1 */
        struct branch *branch;
        void *any;
    };
    size_t count;
};

struct branch {
    _Atomic uint32_t refs;
    uint16_t used, room; /* children; room: at most BRANCH_MAX */
    struct child children[];
};

/* The child that has the element; *index becomes the one in it. */
static inline unsigned branch_find(const struct branch *branch, size_t *index)
{
    unsigned at = 0;
    while (*index >= branch->children[at].count)
        *index -= branch->children[at++].count;
    return at;
}

struct branch *branch_create(void);
void branch_hold(struct branch *branch);
/* level: 1 where the children are chunks. */
void branch_release(struct branch *branch, unsigned level);
/* The branch or a copy, the caller's alone; the caller's hold on the old one is gone. */
struct branch *branch_copy(struct branch *branch, unsigned level); /* of one that is shared */
static inline struct branch *branch_own(struct branch *branch, unsigned level)
{
    return atomic_load_explicit(&branch->refs, memory_order_acquire) == 1
               ? branch
               : branch_copy(branch, level);
}
/* Puts `count` children in the place of `removed` ones from `at` on; the branch, owned, has not too
 * many then. */
struct branch *branch_splice(struct branch *branch, unsigned at, unsigned removed,
    const struct child *children, unsigned count);
size_t branch_count(const struct branch *branch); /* elements */

#endif
