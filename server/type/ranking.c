/* Leaves grow with what is in them, a step at a time, and split where they are full; inner nodes
 * have one size. A branch of an inner node repeats the first member below, exactly: so no search
 * goes further down than it must, and no branch ever names a member that is gone. A split at either
 * end leaves the full node full: what comes in order is packed tight. Two neighbours that together
 * would fill three quarters of a node become one. */
#include "server/type/ranking.h"

#include "common/memory.h"
#include <stdlib.h>

enum { LEAF_MAX = 63, INNER_MAX = 31, LEAF_MERGE = 47, INNER_MERGE = 23, LEAF_AHEAD = 4 };

struct ranking_node {
    _Atomic uint32_t refs;
    uint16_t used;
    uint16_t room; /* of a leaf */
    char data[];   /* struct ranked or struct branch */
};

struct branch {
    struct ranked first; /* of all below */
    struct ranking_node *child;
    size_t count; /* members below */
};

static struct ranked *ranked_of(const struct ranking_node *leaf)
{
    return (struct ranked *)leaf->data;
}

static struct branch *branches_of(const struct ranking_node *inner)
{
    return (struct branch *)inner->data;
}

/* ---- Nodes ---- */

/* Sizes of leaves that fill the allocator's: 256 bytes, 384, 512, 640 ... */
static const uint8_t rooms[] = { 3, 7, 15, 23, 31, 39, 47, 55, LEAF_MAX };

static uint16_t room_for(unsigned used)
{
    unsigned i = 0;
    while (rooms[i] < used)
        i++;
    return rooms[i];
}

static struct ranking_node *leaf_create(unsigned used)
{
    uint16_t room = room_for(used);
    struct ranking_node *leaf = memory_alloc(sizeof(*leaf) + room * sizeof(struct ranked));
    atomic_init(&leaf->refs, 1);
    leaf->used = (uint16_t)used;
    leaf->room = room;
    return leaf;
}

static struct ranking_node *inner_create(unsigned used)
{
    struct ranking_node *inner = memory_alloc(sizeof(*inner) + INNER_MAX * sizeof(struct branch));
    atomic_init(&inner->refs, 1);
    inner->used = (uint16_t)used;
    inner->room = INNER_MAX;
    return inner;
}

static struct ranking_node *leaf_resize(struct ranking_node *leaf, unsigned used)
{
    uint16_t room = room_for(used);
    leaf = memory_resize(leaf, sizeof(*leaf) + room * sizeof(struct ranked));
    leaf->room = room;
    return leaf;
}

static bool is_shared(const struct ranking_node *node)
{
    return atomic_load_explicit(&node->refs, memory_order_acquire) > 1;
}

static void hold(struct ranking_node *node)
{
    atomic_fetch_add_explicit(&node->refs, 1, memory_order_relaxed);
}

static void release(struct ranking_node *node, unsigned height)
{
    if (is_shared(node) && atomic_fetch_sub_explicit(&node->refs, 1, memory_order_acq_rel) > 1)
        return;
    for (unsigned i = 0; height > 0 && i < node->used; i++)
        release(branches_of(node)[i].child, height - 1);
    free(node);
}

/* The node that *at points to, in nobody else's hands. */
static struct ranking_node *own(struct ranking_node **at, unsigned height)
{
    struct ranking_node *node = *at;
    if (!is_shared(node))
        return node;
    struct ranking_node *mine = height > 0 ? inner_create(node->used) : leaf_create(node->used);
    memcpy(mine->data, node->data,
        node->used * (height > 0 ? sizeof(struct branch) : sizeof(struct ranked)));
    for (unsigned i = 0; height > 0 && i < node->used; i++)
        hold(branches_of(node)[i].child);
    release(node, height);
    *at = mine;
    return mine;
}

static size_t count_below(const struct ranking_node *node, unsigned height)
{
    size_t count = height > 0 ? 0 : node->used;
    for (unsigned i = 0; height > 0 && i < node->used; i++)
        count += branches_of(node)[i].count;
    return count;
}

/* Makes the branch say what is below it. */
static void refresh(struct branch *branch, unsigned height)
{
    const struct ranking_node *child = branch->child;
    branch->first = height > 0 ? branches_of(child)[0].first : ranked_of(child)[0];
    branch->count = count_below(child, height);
}

static struct branch branch_to(struct ranking_node *child, unsigned height)
{
    struct branch branch = { .child = child };
    refresh(&branch, height);
    return branch;
}

/* ---- The order ---- */

static int compare_bytes(struct bytes a, struct bytes b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common > 0 ? memcmp(a.data, b.data, common) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static bool is_before(const struct ranked *ranked, double score, struct bytes member)
{
    if (ranked->score != score)
        return ranked->score < score;
    return compare_bytes(ranked_member(ranked->item), member) < 0;
}

/* How many of a leaf's members stand before this one. */
static unsigned leaf_place(const struct ranking_node *leaf, double score, struct bytes member)
{
    unsigned low = 0, high = leaf->used;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (is_before(&ranked_of(leaf)[middle], score, member))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The child in which the member is, or belongs: the last that begins with it or before it. */
static unsigned child_place(const struct ranking_node *inner, double score, struct bytes member)
{
    unsigned low = 1, high = inner->used;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        const struct ranked *first = &branches_of(inner)[middle].first;
        if (first->score != score ? first->score < score
                                  : compare_bytes(ranked_member(first->item), member) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low - 1;
}

/* ---- Life ---- */

void ranking_clone(struct ranking *to, const struct ranking *from)
{
    *to = *from;
    if (to->root)
        hold(to->root);
}

void ranking_free(struct ranking *ranking)
{
    if (ranking->root)
        release(ranking->root, ranking->height);
    *ranking = (struct ranking){ 0 };
}

size_t ranking_memory(const struct ranking *ranking)
{
    return ranking->count * (sizeof(struct ranked) + 3);
}

/* ---- Insert ---- */

static void leaf_put(struct ranking_node **at, unsigned place, const struct ranked *ranked)
{
    struct ranking_node *leaf = *at;
    if (leaf->used == leaf->room)
        leaf = *at = leaf_resize(leaf, leaf->used + 1u);
    struct ranked *gap = ranked_of(leaf) + place;
    memmove(gap + 1, gap, (leaf->used - place) * sizeof(*gap));
    *gap = *ranked;
    leaf->used++;
}

/* Returns what has split off to the right, or NULL. */
static struct ranking_node *leaf_insert(struct ranking_node **at, const struct ranked *ranked)
{
    struct ranking_node *leaf = *at;
    unsigned place = leaf_place(leaf, ranked->score, ranked_member(ranked->item));
    if (leaf->used < LEAF_MAX) {
        leaf_put(at, place, ranked);
        return NULL;
    }
    if (place == 0 || place == LEAF_MAX) { /* the full one stays as it is */
        struct ranking_node *other = leaf_create(1);
        ranked_of(other)[0] = *ranked;
        if (place > 0)
            return other;
        *at = other;
        return leaf;
    }
    enum { LEFT = (LEAF_MAX + 1) / 2 };
    struct ranking_node *right = leaf_create(LEAF_MAX - LEFT);
    memcpy(right->data, ranked_of(leaf) + LEFT, (LEAF_MAX - LEFT) * sizeof(*ranked));
    leaf->used = LEFT;
    *at = leaf_resize(leaf, LEFT + 1);
    if (place <= LEFT)
        leaf_put(at, place, ranked);
    else
        leaf_put(&right, place - LEFT, ranked);
    return right;
}

static void inner_put(struct ranking_node *inner, unsigned place, const struct branch *branch)
{
    struct branch *gap = branches_of(inner) + place;
    memmove(gap + 1, gap, (inner->used - place) * sizeof(*gap));
    *gap = *branch;
    inner->used++;
}

static struct ranking_node *inner_insert(
    struct ranking_node *inner, unsigned place, const struct branch *branch)
{
    if (inner->used < INNER_MAX) {
        inner_put(inner, place, branch);
        return NULL;
    }
    unsigned left = place == INNER_MAX ? INNER_MAX : (INNER_MAX + 1) / 2;
    struct ranking_node *right = inner_create(INNER_MAX - left);
    memcpy(right->data, branches_of(inner) + left, (INNER_MAX - left) * sizeof(*branch));
    inner->used = (uint16_t)left;
    if (place < left)
        inner_put(inner, place, branch);
    else
        inner_put(right, place - left, branch);
    return right;
}

static struct ranking_node *insert(
    struct ranking_node **at, unsigned height, const struct ranked *ranked)
{
    struct ranking_node *node = own(at, height);
    if (height == 0)
        return leaf_insert(at, ranked);
    unsigned place = child_place(node, ranked->score, ranked_member(ranked->item));
    struct branch *branch = &branches_of(node)[place];
    struct ranking_node *more = insert(&branch->child, height - 1, ranked);
    if (!more) {
        branch->count++;
        branch->first =
            height > 1 ? branches_of(branch->child)[0].first : ranked_of(branch->child)[0];
        return NULL;
    }
    refresh(branch, height - 1);
    struct branch added = branch_to(more, height - 1);
    return inner_insert(node, place + 1, &added);
}

void ranking_insert(struct ranking *ranking, struct ranked ranked)
{
    ranking->count++;
    if (!ranking->root) {
        ranking->root = leaf_create(1);
        ranked_of(ranking->root)[0] = ranked;
        return;
    }
    struct ranking_node *more = insert(&ranking->root, ranking->height, &ranked);
    if (!more)
        return;
    struct ranking_node *root = inner_create(2);
    branches_of(root)[0] = branch_to(ranking->root, ranking->height);
    branches_of(root)[1] = branch_to(more, ranking->height);
    ranking->root = root;
    if (++ranking->height > RANKING_HEIGHT_MAX)
        abort(); /* two neighbours fill most of a node: memory ends long before */
}

/* ---- Remove ---- */

/* Moves all of the right node behind the left one's; both are children of the same, and so is the
 * caller's. */
static void merge(struct branch *left, struct branch *right, unsigned height)
{
    struct ranking_node *to = own(&left->child, height), *from = own(&right->child, height);
    unsigned used = to->used + (unsigned)from->used;
    size_t size = height > 0 ? sizeof(struct branch) : sizeof(struct ranked);
    if (used > to->room)
        to = left->child = leaf_resize(to, used);
    memcpy(to->data + to->used * size, from->data, from->used * size);
    to->used = (uint16_t)used;
    left->count += right->count;
    free(from);
}

static void drop_branch(struct ranking_node *inner, unsigned place)
{
    struct branch *gap = branches_of(inner) + place;
    inner->used--;
    memmove(gap, gap + 1, (inner->used - place) * sizeof(*gap));
}

/* Whether the child at the place and the one behind it have become one. */
static bool merge_pair(struct ranking_node *inner, unsigned place, unsigned height)
{
    if (place + 1 >= inner->used)
        return false;
    struct branch *pair = &branches_of(inner)[place];
    unsigned used = pair[0].child->used + (unsigned)pair[1].child->used;
    if (used > (height > 0 ? INNER_MERGE : LEAF_MERGE))
        return false;
    merge(&pair[0], &pair[1], height);
    drop_branch(inner, place + 1);
    return true;
}

static void leaf_take(struct ranking_node **at, unsigned place)
{
    struct ranking_node *leaf = *at;
    struct ranked *gap = ranked_of(leaf) + place;
    leaf->used--;
    memmove(gap, gap + 1, (leaf->used - place) * sizeof(*gap));
    if (leaf->used > 0 &&
        leaf->room > room_for(leaf->used + 8u < LEAF_MAX ? leaf->used + 8u : LEAF_MAX))
        *at = leaf_resize(leaf, leaf->used);
}

/* Whether the other one can stand where the old one stands: between the same neighbours, which are
 * in the same leaf, or with the same score. */
static bool fits(const struct ranking_node *leaf, unsigned place, const struct ranked *other)
{
    if (ranked_of(leaf)[place].score == other->score)
        return true;
    struct bytes member = ranked_member(other->item);
    return place > 0 && place + 1u < leaf->used &&
           is_before(&ranked_of(leaf)[place - 1], other->score, member) &&
           !is_before(&ranked_of(leaf)[place + 1], other->score, member);
}

/* Takes the member out, and returns true; or, where it fits, puts the other one in its place. */
static bool take(struct ranking_node **at, unsigned height, double score, struct bytes member,
    const struct ranked *other)
{
    struct ranking_node *node = own(at, height);
    if (height == 0) {
        unsigned place = leaf_place(node, score, member);
        bool stays = other && fits(node, place, other);
        if (stays)
            ranked_of(node)[place] = *other;
        else
            leaf_take(at, place);
        return !stays;
    }
    unsigned place = child_place(node, score, member);
    struct branch *branch = &branches_of(node)[place];
    bool taken = take(&branch->child, height - 1, score, member, other);
    branch->count -= taken;
    if (branch->child->used == 0) {
        release(branch->child, height - 1);
        drop_branch(node, place);
        return true;
    }
    branch->first = height > 1 ? branches_of(branch->child)[0].first : ranked_of(branch->child)[0];
    if (taken && !merge_pair(node, place, height - 1) && place > 0)
        merge_pair(node, place - 1, height - 1);
    return taken;
}

static void shorten(struct ranking *ranking)
{
    ranking->count--;
    while (ranking->height > 0 && ranking->root->used == 1) {
        struct ranking_node *child = branches_of(own(&ranking->root, ranking->height))->child;
        free(ranking->root);
        ranking->root = child;
        ranking->height--;
    }
    if (ranking->count == 0)
        ranking_free(ranking);
}

void ranking_remove(struct ranking *ranking, struct ranked ranked)
{
    take(&ranking->root, ranking->height, ranked.score, ranked_member(ranked.item), NULL);
    shorten(ranking);
}

void ranking_replace(struct ranking *ranking, struct ranked old, struct ranked other)
{
    struct bytes member = ranked_member(other.item);
    if (!take(&ranking->root, ranking->height, old.score, member, &other))
        return;
    shorten(ranking);
    ranking_insert(ranking, other);
}

/* ---- Ranks ---- */

size_t ranking_rank(const struct ranking *ranking, double score, struct bytes member)
{
    const struct ranking_node *node = ranking->root;
    size_t rank = 0;
    if (!node)
        return 0;
    for (unsigned height = ranking->height; height > 0; height--) {
        unsigned place = child_place(node, score, member);
        for (unsigned i = 0; i < place; i++)
            rank += branches_of(node)[i].count;
        node = branches_of(node)[place].child;
    }
    return rank + leaf_place(node, score, member);
}

size_t ranking_search(const struct ranking *ranking, ranking_before_fn *before, const void *arg)
{
    const struct ranking_node *node = ranking->root;
    size_t rank = 0;
    if (!node)
        return 0;
    for (unsigned height = ranking->height; height > 0; height--) {
        unsigned low = 1, high = node->used;
        while (low < high) {
            unsigned middle = (low + high) / 2;
            if (before(arg, &branches_of(node)[middle].first))
                low = middle + 1;
            else
                high = middle;
        }
        for (unsigned i = 0; i < low - 1; i++)
            rank += branches_of(node)[i].count;
        node = branches_of(node)[low - 1].child;
    }
    unsigned low = 0, high = node->used;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (before(arg, &ranked_of(node)[middle]))
            low = middle + 1;
        else
            high = middle;
    }
    return rank + low;
}

/* ---- Walking ---- */

const struct ranked *ranking_seek(
    const struct ranking *ranking, size_t rank, struct ranking_cursor *cursor)
{
    if (rank >= ranking->count)
        return NULL;
    const struct ranking_node *node = ranking->root;
    cursor->height = ranking->height;
    for (unsigned height = ranking->height; height > 0; height--) {
        const struct branch *branches = branches_of(node);
        unsigned place = 0;
        while (rank >= branches[place].count)
            rank -= branches[place++].count;
        cursor->path[height] = node;
        cursor->at[height] = (uint8_t)place;
        node = branches[place].child;
    }
    cursor->path[0] = node;
    cursor->at[0] = (uint8_t)rank;
    return &ranked_of(node)[rank];
}

/* Goes down from a branch to its first leaf, or its last. */
static const struct ranked *descend(struct ranking_cursor *cursor, unsigned height, bool last)
{
    while (height > 0) {
        const struct ranking_node *node =
            branches_of(cursor->path[height])[cursor->at[height]].child;
        height--;
        cursor->path[height] = node;
        cursor->at[height] = (uint8_t)(last ? node->used - 1 : 0);
    }
    return &ranked_of(cursor->path[0])[cursor->at[0]];
}

const struct ranked *ranking_next(struct ranking_cursor *cursor)
{
    for (unsigned height = 0; height <= cursor->height; height++) {
        if (cursor->at[height] + 1u < cursor->path[height]->used) {
            cursor->at[height]++;
            const struct ranked *ranked = descend(cursor, height, false);
            if (cursor->at[0] + LEAF_AHEAD < cursor->path[0]->used)
                __builtin_prefetch(ranked[LEAF_AHEAD].item);
            return ranked;
        }
    }
    return NULL;
}

const struct ranked *ranking_previous(struct ranking_cursor *cursor)
{
    for (unsigned height = 0; height <= cursor->height; height++) {
        if (cursor->at[height] > 0) {
            cursor->at[height]--;
            const struct ranked *ranked = descend(cursor, height, true);
            if (cursor->at[0] >= LEAF_AHEAD)
                __builtin_prefetch(ranked[-LEAF_AHEAD].item);
            return ranked;
        }
    }
    return NULL;
}
