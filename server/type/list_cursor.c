/* Reading lists: a cursor knows its way down the tree. */
#include "server/type/list_branch.h"

/* The chunk that the cursor has come to, opened at the element `offset`. */
static void open_chunk(struct list_cursor *cursor, const struct chunk *chunk, size_t offset)
{
    list_cursor_end(cursor);
    if (chunk->kind == CHUNK_COMPRESSED)
        chunk = cursor->expanded = chunk_expand(chunk);
    cursor->chunk = chunk;
    cursor->offset = offset;
    cursor->at = NULL;
    if (chunk->kind == CHUNK_PLAIN)
        return;
    /* The count of a listpack may be unknown to it, but not to the chunk. */
    long count = chunk->count, from_start = (long)offset;
    cursor->at =
        listpack_seek(chunk_pack(chunk), from_start > count / 2 ? from_start - count : from_start);
}

bool list_seek(struct list_cursor *cursor, const struct list *list, int64_t index)
{
    cursor->list = list; /* the path is set on the way */
    cursor->chunk = NULL;
    cursor->expanded = NULL;
    cursor->at = NULL;
    cursor->index = cursor->offset = 0;
    if (index < 0)
        index += (int64_t)list->count;
    if (index < 0 || (uint64_t)index >= list->count)
        return false;
    cursor->index = (size_t)index;
    size_t rest = (size_t)index;
    bool last = rest == list->count - 1; /* which needs no counting on the way, as the first */
    const struct chunk *chunk = list->root.chunk;
    const struct branch *branch = list->root.branch;
    for (unsigned level = list->height; level > 0; level--) {
        unsigned at = last ? branch->used - 1u : rest > 0 ? branch_find(branch, &rest) : 0;
        cursor->path[level - 1].branch = branch;
        cursor->path[level - 1].at = at;
        if (level == 1)
            chunk = branch->children[at].chunk;
        else
            branch = branch->children[at].branch;
    }
    open_chunk(cursor, chunk, last ? chunk->count - 1 : rest);
    return true;
}

/* To the chunk before or behind this one. */
static bool step_chunk(struct list_cursor *cursor, int step)
{
    unsigned level = 1, height = cursor->list->height;
    for (;; level++) {
        if (level > height)
            return false;
        unsigned at = cursor->path[level - 1].at;
        if (step > 0 ? at + 1u < cursor->path[level - 1].branch->used : at > 0)
            break;
    }
    cursor->path[level - 1].at += (unsigned)step;
    for (; level > 1; level--) {
        const struct branch *branch = cursor->path[level - 1].branch;
        branch = branch->children[cursor->path[level - 1].at].branch;
        cursor->path[level - 2].branch = branch;
        cursor->path[level - 2].at = step > 0 ? 0 : branch->used - 1u;
    }
    const struct chunk *chunk = cursor->path[0].branch->children[cursor->path[0].at].chunk;
    open_chunk(cursor, chunk, step > 0 ? 0 : chunk->count - 1);
    return true;
}

bool list_next(struct list_cursor *cursor)
{
    cursor->index++;
    if (++cursor->offset < cursor->chunk->count) {
        cursor->at += listpack_element_total(cursor->at);
        return true;
    }
    return step_chunk(cursor, 1);
}

bool list_previous(struct list_cursor *cursor)
{
    cursor->index--;
    if (cursor->offset > 0) {
        cursor->offset--;
        cursor->at = listpack_previous(chunk_pack(cursor->chunk), cursor->at);
        return true;
    }
    return step_chunk(cursor, -1);
}

void list_cursor_end(struct list_cursor *cursor)
{
    if (cursor->expanded)
        chunk_release(cursor->expanded);
    cursor->expanded = NULL;
}

struct bytes list_get(const struct list_cursor *cursor, char *scratch)
{
    return cursor->at ? listpack_get(cursor->at, scratch) : chunk_plain(cursor->chunk);
}

bool list_is(const struct list_cursor *cursor, struct bytes value)
{
    return cursor->at ? listpack_is(cursor->at, value)
                      : bytes_equal(chunk_plain(cursor->chunk), value);
}

static void visit_branch(
    const struct branch *branch, unsigned level, list_visit_fn *visit, void *arg)
{
    for (unsigned i = 0; i < branch->used; i++) {
        if (level == 1)
            visit(branch->children[i].chunk, arg);
        else
            visit_branch(branch->children[i].branch, level - 1, visit, arg);
    }
}

void list_visit_chunks(const struct list *list, list_visit_fn *visit, void *arg)
{
    if (list->height > 0)
        visit_branch(list->root.branch, list->height, visit, arg);
    else if (list->root.chunk)
        visit(list->root.chunk, arg);
}
