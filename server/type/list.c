/* Changing lists. What happens at the ends goes down the edge of the tree and changes its chunk.
 * Everything else is an edit: it goes down to the chunk that has the index, owning the path, makes
 * none to three chunks of the one, and on the way back each branch takes in what came of its child,
 * and is split where it has too many. */
#include "server/type/list_branch.h"

#include "common/memory.h"
#include <stdlib.h>

enum {
    FILL_MAX = 32767,
    FILL_MIN = -5,
    COMPRESS_MAX = 65535,
    SAFE_SIZE = 8192, /* bytes that a chunk may have whose elements are counted */
    OVERHEAD = 8,     /* at least what an element takes beside its bytes, as Redis reckons */
    PARTS_MAX = 3,
};

_Atomic size_t list_plain_min = LISTPACK_BYTES_MAX;

/* ---- Life ---- */

struct list *list_create(int64_t fill, int64_t compress)
{
    struct list *list = memory_alloc_zeroed(1, sizeof(*list));
    atomic_init(&list->refs, 1);
    list->fill = (int16_t)(fill > FILL_MAX ? FILL_MAX : fill < FILL_MIN ? FILL_MIN : fill);
    list->compress = (uint16_t)(compress > COMPRESS_MAX ? COMPRESS_MAX
                                : compress < 0          ? 0
                                                        : compress);
    return list;
}

static void hold_root(struct list *list)
{
    if (list->height > 0)
        branch_hold(list->root.branch);
    else if (list->root.chunk)
        chunk_hold(list->root.chunk);
}

static void release_root(struct list *list)
{
    if (list->height > 0)
        branch_release(list->root.branch, list->height);
    else if (list->root.chunk)
        chunk_release(list->root.chunk);
}

void list_release(struct list *list)
{
    if (atomic_fetch_sub_explicit(&list->refs, 1, memory_order_acq_rel) > 1)
        return;
    release_root(list);
    free(list);
}

static void release(void *value, enum encoding encoding)
{
    list_release(value);
}

static size_t memory(const void *value, enum encoding encoding)
{
    const struct list *list = value;
    size_t branches = list->height > 0 ? list->chunks * sizeof(struct child) * 5 / 4 : 0;
    return sizeof(*list) + list->bytes + branches;
}

static void *share(void *value, enum encoding encoding)
{
    struct list *list = value;
    atomic_fetch_add_explicit(&list->refs, 1, memory_order_relaxed);
    return list;
}

static void *own(void *value, enum encoding encoding)
{
    struct list *list = value;
    if (atomic_load_explicit(&list->refs, memory_order_acquire) == 1)
        return list;
    struct list *copy = list_create(list->fill, list->compress);
    copy->chunks = list->chunks;
    copy->height = list->height;
    copy->count = list->count;
    copy->bytes = list->bytes;
    copy->root = list->root;
    hold_root(copy);
    list_release(list);
    return copy;
}

static size_t effort(const void *value, enum encoding encoding)
{
    return 1 + (size_t)((const struct list *)value)->chunks * 2;
}

const struct type list_type = { "list", release, memory, share, own, effort };

/* ---- What goes into one chunk ---- */

static size_t limit_of(const struct list *list)
{
    return (size_t)4096 << (-list->fill - 1);
}

static bool is_plain(struct bytes value)
{
    return value.len >= atomic_load_explicit(&list_plain_min, memory_order_relaxed);
}

/* Whether a chunk of that many bytes and elements may get one more of that length. */
static bool has_room(const struct list *list, size_t size, size_t count, size_t len)
{
    size_t after = size + len + OVERHEAD;
    if (list->fill < 0)
        return after <= limit_of(list);
    return after <= SAFE_SIZE && count < (size_t)list->fill;
}

static bool chunk_takes(const struct list *list, const struct chunk *chunk, struct bytes value)
{
    return chunk->kind != CHUNK_PLAIN && !is_plain(value) &&
           has_room(list, chunk->size, chunk->count, value.len);
}

static struct chunk *chunk_of(struct bytes value)
{
    return is_plain(value) ? chunk_create_plain(value) : chunk_create(value);
}

/* ---- Edits ---- */

enum edit_kind {
    EDIT_PUSH_FRONT,
    EDIT_PUSH_BACK,
    EDIT_INSERT,
    EDIT_REPLACE,
    EDIT_REMOVE,
    EDIT_COMPRESS,
    EDIT_APPEND
};

struct edit {
    struct list *list;
    enum edit_kind kind;
    struct bytes value;
    size_t count;        /* of EDIT_REMOVE: in this chunk */
    struct chunk *chunk; /* of EDIT_APPEND */
};

/* What becomes of a chunk. */
struct parts {
    struct chunk *chunks[PARTS_MAX];
    unsigned count;
};

static void add_part(struct parts *parts, struct chunk *chunk)
{
    parts->chunks[parts->count++] = chunk;
}

static void push(const struct edit *edit, struct chunk *chunk, struct parts *parts)
{
    bool front = edit->kind == EDIT_PUSH_FRONT;
    if (chunk_takes(edit->list, chunk, edit->value)) {
        struct listpack_element element;
        listpack_encode(&element, edit->value);
        chunk = chunk_own(chunk);
        add_part(
            parts, front ? chunk_push_front(chunk, &element) : chunk_push_back(chunk, &element));
        return;
    }
    if (front)
        add_part(parts, chunk_of(edit->value));
    add_part(parts, chunk);
    if (!front)
        add_part(parts, chunk_of(edit->value));
}

/* Before the element with that index in the chunk, or behind the last. A chunk without room is cut
 * there, and the new element goes to the smaller side or between. */
static void insert(const struct edit *edit, struct chunk *chunk, size_t index, struct parts *parts)
{
    struct listpack_element element;
    bool plain = is_plain(edit->value);
    if (!plain)
        listpack_encode(&element, edit->value);
    if (chunk_takes(edit->list, chunk, edit->value)) {
        add_part(parts, chunk_insert(chunk_own(chunk), index, &element));
        return;
    }
    struct chunk *left = chunk, *right = NULL;
    if (index == 0) {
        right = chunk;
        left = NULL;
    } else if (index < chunk->count) {
        left = chunk_own(chunk);
        right = chunk_split(&left, index);
        bool to_left = left->size < right->size;
        struct chunk **side = to_left ? &left : &right;
        if (chunk_takes(edit->list, *side, edit->value)) {
            *side = to_left ? chunk_push_back(*side, &element) : chunk_push_front(*side, &element);
            add_part(parts, left);
            add_part(parts, right);
            return;
        }
    }
    if (left)
        add_part(parts, left);
    add_part(parts, chunk_of(edit->value));
    if (right)
        add_part(parts, right);
}

static void replace(const struct edit *edit, struct chunk *chunk, size_t index, struct parts *parts)
{
    bool plain = is_plain(edit->value) || chunk->kind == CHUNK_PLAIN;
    if (!plain &&
        (edit->value.len <= SAFE_SIZE / 8 ||
            has_room(edit->list, chunk->size, 0, edit->value.len)) &&
        chunk->size < 8 * SAFE_SIZE) {
        struct listpack_element element;
        listpack_encode(&element, edit->value);
        add_part(parts, chunk_replace(chunk_own(chunk), index, &element));
        return;
    }
    struct chunk *left = chunk, *right = NULL;
    if (chunk->count == 1) {
        chunk_release(chunk);
        add_part(parts, chunk_of(edit->value));
        return;
    }
    left = chunk_own(chunk);
    if (index + 1 < left->count)
        right = chunk_split(&left, index + 1);
    if (left->count > 1)
        add_part(parts, chunk_remove(left, index, 1));
    else
        chunk_release(left);
    add_part(parts, chunk_of(edit->value));
    if (right)
        add_part(parts, right);
}

static void take_out(
    const struct edit *edit, struct chunk *chunk, size_t index, struct parts *parts)
{
    if (edit->count == chunk->count)
        chunk_release(chunk);
    else
        add_part(parts, chunk_remove(chunk_own(chunk), index, edit->count));
}

static void edit_chunk(
    const struct edit *edit, struct chunk *chunk, size_t index, struct parts *parts)
{
    parts->count = 0;
    switch (edit->kind) {
    case EDIT_PUSH_FRONT:
    case EDIT_PUSH_BACK:
        push(edit, chunk, parts);
        break;
    case EDIT_INSERT:
        insert(edit, chunk, index, parts);
        break;
    case EDIT_REPLACE:
        replace(edit, chunk, index, parts);
        break;
    case EDIT_REMOVE:
        take_out(edit, chunk, index, parts);
        break;
    case EDIT_COMPRESS:
        add_part(parts, chunk_compress(chunk));
        break;
    case EDIT_APPEND:
        add_part(parts, chunk);
        add_part(parts, edit->chunk);
        break;
    }
}

/* What becomes of a child, in `out`, of PARTS_MAX; returns how many. */
static unsigned edit_child(
    const struct edit *edit, unsigned level, struct child child, size_t index, struct child *out);

static unsigned edit_leaf(
    const struct edit *edit, struct chunk *chunk, size_t index, struct child *out)
{
    struct parts parts;
    size_t before = chunk_memory(chunk);
    edit_chunk(edit, chunk, index, &parts);
    struct list *list = edit->list;
    list->bytes -= before;
    for (unsigned i = 0; i < parts.count; i++) {
        out[i] = (struct child){ { parts.chunks[i] }, parts.chunks[i]->count };
        list->bytes += chunk_memory(parts.chunks[i]);
    }
    list->chunks = list->chunks - 1 + parts.count;
    return parts.count;
}

/* More children than a branch may have: they become two branches. Lists grow at their ends: there
 * the old branch stays full. */
static void split_branch(
    struct branch *branch, unsigned at, const struct child *got, unsigned count, struct child *out)
{
    struct child all[BRANCH_MAX + PARTS_MAX];
    unsigned total = branch->used - 1 + count;
    memcpy(all, branch->children, at * sizeof(*all));
    memcpy(all + at, got, count * sizeof(*all));
    memcpy(all + at + count, &branch->children[at + 1], (branch->used - at - 1) * sizeof(*all));
    unsigned left = at == branch->used - 1u ? BRANCH_MAX : at == 0 ? total - BRANCH_MAX : total / 2;
    branch = branch_splice(branch, 0, branch->used, all, left);
    struct branch *right = branch_splice(branch_create(), 0, 0, all + left, total - left);
    out[0] = (struct child){ { .branch = branch }, branch_count(branch) };
    out[1] = (struct child){ { .branch = right }, branch_count(right) };
}

/* Branches that have become small move together. */
static struct branch *join_small(struct branch *branch, unsigned at, unsigned level)
{
    enum { SMALL = BRANCH_MAX / 4 };
    if (level < 2 || branch->used < 2 || branch->children[at].branch->used >= SMALL)
        return branch;
    unsigned left = at > 0 ? at - 1 : at;
    struct child *children = branch->children;
    if (children[left].branch->used + children[left + 1].branch->used > BRANCH_MAX / 2)
        return branch;
    struct branch *to = branch_own(children[left].branch, level - 1);
    struct branch *from = branch_own(children[left + 1].branch, level - 1);
    to = branch_splice(to, to->used, 0, from->children, from->used);
    free(from); /* its children are the other's */
    struct child joined = { { .branch = to }, branch_count(to) };
    return branch_splice(branch, left, 2, &joined, 1);
}

static unsigned edit_child(
    const struct edit *edit, unsigned level, struct child child, size_t index, struct child *out)
{
    if (level == 0)
        return edit_leaf(edit, child.chunk, index, out);
    struct branch *branch = branch_own(child.branch, level);
    struct child got[PARTS_MAX];
    unsigned at = branch_find(branch, &index);
    unsigned count = edit_child(edit, level - 1, branch->children[at], index, got);
    if (branch->used - 1 + count > BRANCH_MAX) {
        split_branch(branch, at, got, count, out);
        return 2;
    }
    branch = branch_splice(branch, at, 1, got, count);
    if (branch->used == 0) {
        free(branch);
        return 0;
    }
    if (count == 1)
        branch = join_small(branch, at, level);
    out[0] = (struct child){ { .branch = branch }, branch_count(branch) };
    return 1;
}

/* The list has elements. */
static void edit_list(struct edit *edit, size_t index)
{
    struct list *list = edit->list;
    struct child root = { { .branch = list->root.branch }, list->count }, out[PARTS_MAX];
    unsigned count = edit_child(edit, list->height, root, index, out);
    if (count == 0) {
        list->height = 0;
        list->root.chunk = NULL;
        list->count = 0;
        return;
    }
    if (count > 1) {
        struct branch *branch = branch_splice(branch_create(), 0, 0, out, count);
        out[0] = (struct child){ { .branch = branch }, branch_count(branch) };
        list->height++;
    }
    list->root.branch = out[0].branch;
    list->count = out[0].count;
    while (list->height > 0 && list->root.branch->used == 1) {
        struct branch *branch = list->root.branch;
        if (--list->height == 0)
            list->root.chunk = branch->children[0].chunk;
        else
            list->root.branch = branch->children[0].branch;
        free(branch); /* it is owned: the edit has come by */
    }
}

/* ---- Compression ---- */

/* How many elements the first or last `chunks` chunks have. */
static size_t count_at_end(const struct list *list, enum list_end end, unsigned chunks)
{
    struct list_cursor cursor;
    size_t count = 0;
    for (unsigned i = 0; i < chunks && count < list->count; i++) {
        size_t index = end == LIST_HEAD ? count : list->count - 1 - count;
        list_seek(&cursor, list, (int64_t)index);
        count += cursor.chunk->count;
        list_cursor_end(&cursor);
    }
    return count;
}

/* Compresses the chunk of that element, if it is an inner one. */
static void compress_at(struct list *list, size_t index)
{
    if (list->compress == 0 || list->chunks <= 2u * list->compress)
        return;
    size_t head = count_at_end(list, LIST_HEAD, list->compress);
    size_t tail = count_at_end(list, LIST_TAIL, list->compress);
    if (index >= head && index < list->count - tail)
        edit_list(&(struct edit){ .list = list, .kind = EDIT_COMPRESS }, index);
}

/* After a new chunk at an end another one has become an inner one. */
static void compress_behind(struct list *list, enum list_end end)
{
    if (list->compress == 0 || list->chunks <= 2u * list->compress)
        return;
    size_t outer = count_at_end(list, end, list->compress);
    if (outer < list->count)
        compress_at(list, end == LIST_HEAD ? outer : list->count - 1 - outer);
}

/* Around a place where chunks were changed or cut. */
static void compress_around(struct list *list, size_t index)
{
    if (list->compress == 0)
        return;
    for (size_t i = index > 0 ? index - 1 : 0; i <= index + 1 && i < list->count; i++)
        compress_at(list, i);
}

/* ---- The ends ---- */

/* The chunk at the end, owned with the whole way to it; every branch on it gets `change` elements
 * more. Returns where the pointer to it is. */
static struct chunk **own_edge(struct list *list, enum list_end end, long change)
{
    struct branch **place = &list->root.branch;
    for (unsigned level = list->height; level > 0; level--) {
        struct branch *branch = *place = branch_own(*place, level);
        struct child *child = &branch->children[end == LIST_HEAD ? 0 : branch->used - 1];
        child->count += (size_t)change;
        if (level == 1) {
            child->chunk = chunk_own(child->chunk);
            return &child->chunk;
        }
        place = &child->branch;
    }
    list->root.chunk = chunk_own(list->root.chunk);
    return &list->root.chunk;
}

static const struct chunk *edge(const struct list *list, enum list_end end)
{
    const struct branch *branch = list->root.branch;
    for (unsigned level = list->height; level > 0; level--) {
        const struct child *child = &branch->children[end == LIST_HEAD ? 0 : branch->used - 1];
        if (level == 1)
            return child->chunk;
        branch = child->branch;
    }
    return list->root.chunk;
}

static void first_chunk(struct list *list, struct chunk *chunk)
{
    list->root.chunk = chunk;
    list->count = chunk->count;
    list->chunks = 1;
    list->bytes = chunk_memory(chunk);
}

void list_push(struct list *list, enum list_end end, struct bytes value)
{
    if (list->count == 0) {
        first_chunk(list, chunk_of(value));
        return;
    }
    const struct chunk *old = edge(list, end);
    if (!chunk_takes(list, old, value)) {
        enum edit_kind kind = end == LIST_HEAD ? EDIT_PUSH_FRONT : EDIT_PUSH_BACK;
        edit_list(&(struct edit){ .list = list, .kind = kind, .value = value },
            end == LIST_HEAD ? 0 : list->count - 1);
        compress_behind(list, end);
        return;
    }
    struct listpack_element element;
    listpack_encode(&element, value);
    list->bytes -= chunk_memory(old);
    struct chunk **chunk = own_edge(list, end, 1);
    *chunk =
        end == LIST_HEAD ? chunk_push_front(*chunk, &element) : chunk_push_back(*chunk, &element);
    list->bytes += chunk_memory(*chunk);
    list->count++;
}

void list_append_chunk(struct list *list, struct chunk *chunk)
{
    if (list->count == 0) {
        first_chunk(list, chunk);
        return;
    }
    struct edit edit = { .list = list, .kind = EDIT_APPEND, .chunk = chunk };
    edit_list(&edit, list->count - 1);
    compress_behind(list, LIST_TAIL);
}

/* ---- Anywhere ---- */

void list_insert(struct list *list, size_t index, bool behind, struct bytes value)
{
    bool at_end = behind && index == list->count - 1;
    if (at_end || (!behind && index == 0)) {
        list_push(list, at_end ? LIST_TAIL : LIST_HEAD, value);
        return;
    }
    if (behind)
        index++;
    edit_list(&(struct edit){ .list = list, .kind = EDIT_INSERT, .value = value }, index);
    compress_around(list, index);
}

void list_replace(struct list *list, size_t index, struct bytes value)
{
    edit_list(&(struct edit){ .list = list, .kind = EDIT_REPLACE, .value = value }, index);
    compress_around(list, index);
}

/* Some elements of one chunk at an end, but not all. */
static void drop_at_end(struct list *list, enum list_end end, size_t count)
{
    list->bytes -= chunk_memory(edge(list, end));
    struct chunk **chunk = own_edge(list, end, -(long)count);
    *chunk = chunk_remove(*chunk, end == LIST_HEAD ? 0 : (*chunk)->count - count, count);
    list->bytes += chunk_memory(*chunk);
    list->count -= count;
}

void list_remove(struct list *list, size_t index, size_t count)
{
    size_t left = count;
    while (left > 0) {
        if (index == 0 && left < edge(list, LIST_HEAD)->count) {
            drop_at_end(list, LIST_HEAD, left);
            return;
        }
        if (index + left == list->count && left < edge(list, LIST_TAIL)->count) {
            drop_at_end(list, LIST_TAIL, left);
            return;
        }
        struct list_cursor cursor;
        list_seek(&cursor, list, (int64_t)index);
        size_t here = cursor.chunk->count - cursor.offset;
        list_cursor_end(&cursor);
        size_t some = here < left ? here : left;
        edit_list(&(struct edit){ .list = list, .kind = EDIT_REMOVE, .count = some }, index);
        left -= some;
    }
    if (list->count > 0)
        compress_around(list, index < list->count ? index : list->count - 1);
}
