#include "server/type/list_branch.h"

#include "common/memory.h"
#include <stdlib.h>

static size_t size_of(unsigned room)
{
    return sizeof(struct branch) + room * sizeof(struct child);
}

struct branch *branch_create(void)
{
    enum { FIRST = 4 };
    struct branch *branch = memory_alloc(size_of(FIRST));
    atomic_init(&branch->refs, 1);
    branch->used = 0;
    branch->room = FIRST;
    return branch;
}

void branch_hold(struct branch *branch)
{
    atomic_fetch_add_explicit(&branch->refs, 1, memory_order_relaxed);
}

void branch_release(struct branch *branch, unsigned level)
{
    if (atomic_fetch_sub_explicit(&branch->refs, 1, memory_order_acq_rel) > 1)
        return;
    for (unsigned i = 0; i < branch->used; i++) {
        if (level == 1)
            chunk_release(branch->children[i].chunk);
        else
            branch_release(branch->children[i].branch, level - 1);
    }
    free(branch);
}

struct branch *branch_copy(struct branch *branch, unsigned level)
{
    struct branch *copy = memory_alloc(size_of(branch->room));
    atomic_init(&copy->refs, 1);
    copy->used = branch->used;
    copy->room = branch->room;
    memcpy(copy->children, branch->children, branch->used * sizeof(struct child));
    for (unsigned i = 0; i < copy->used; i++) {
        if (level == 1)
            chunk_hold(copy->children[i].chunk);
        else
            branch_hold(copy->children[i].branch);
    }
    branch_release(branch, level);
    return copy;
}

struct branch *branch_splice(struct branch *branch, unsigned at, unsigned removed,
    const struct child *children, unsigned count)
{
    unsigned after = branch->used - removed + count;
    if (after > branch->room) {
        unsigned room = branch->room * 2u > after ? branch->room * 2u : after;
        branch = memory_resize(branch, size_of(room));
        branch->room = (uint16_t)room;
    }
    struct child *place = &branch->children[at];
    memmove(place + count, place + removed, (branch->used - at - removed) * sizeof(*place));
    memcpy(place, children, count * sizeof(*place));
    branch->used = (uint16_t)after;
    return branch;
}

size_t branch_count(const struct branch *branch)
{
    size_t count = 0;
    for (unsigned i = 0; i < branch->used; i++)
        count += branch->children[i].count;
    return count;
}
