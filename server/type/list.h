/* Lists. The elements lie in chunks (list_chunk.h), filled as list-max-listpack-size says, in the
 * way in which Redis fills its own, so that a dump has the same bytes. Over the chunks stands a
 * tree whose branches know how many elements are below each of their children: any index is found
 * in a few steps. A list of one chunk has no tree.
 *
 * Chunks and branches are counted, and copied before a change where more than one list holds them;
 * so one more holder of a list is a number, and a change afterwards copies one path. */
#ifndef SERVER_TYPE_LIST_H
#define SERVER_TYPE_LIST_H

#include "server/type/list_chunk.h"
#include "server/type/type.h"

struct branch;

struct list {
    _Atomic uint32_t refs;
    uint32_t chunks;
    int16_t fill;      /* as list-max-listpack-size was when the list was made */
    uint16_t compress; /* chunks at each end that are never compressed; 0: none is */
    uint8_t height;    /* levels of branches over the chunks */
    size_t count;      /* elements */
    size_t bytes;      /* of the chunks */
    union {
        struct chunk *chunk; /* height 0; NULL: empty */
        struct branch *branch;
    } root;
};

extern const struct type list_type;

enum list_end { LIST_HEAD, LIST_TAIL };

/* Empty. fill and compress: any values of the two directives; what is out of bounds is bounded. */
struct list *list_create(int64_t fill, int64_t compress);
void list_release(struct list *list);

/* Elements of this size and more lie alone; only tests change it. */
extern _Atomic size_t list_plain_min;

/* --- Changes; the list is the caller's alone (list_type.own). Views into it end. --- */
void list_push(struct list *list, enum list_end end, struct bytes value);
/* Before or behind the element with this index, which is there. */
void list_insert(struct list *list, size_t index, bool behind, struct bytes value);
void list_replace(struct list *list, size_t index, struct bytes value);
/* All of them are there. */
void list_remove(struct list *list, size_t index, size_t count);
/* Puts a chunk of any kind behind what is there: for who reads files. Takes over the hold. */
void list_append_chunk(struct list *list, struct chunk *chunk);

/* --- Going about. ---
 *     struct list_cursor cursor;
 *     for (bool there = list_seek(&cursor, list, 0); there; there = list_next(&cursor)) ...
 *     list_cursor_end(&cursor);
 * The list must not change in between. */
enum { LIST_HEIGHT_MAX = 12 };
struct list_cursor {
    const struct list *list;
    struct {
        const struct branch *branch;
        unsigned at;
    } path[LIST_HEIGHT_MAX];
    const struct chunk *chunk;
    struct chunk *expanded;  /* the cursor's own, of a compressed chunk; or NULL */
    const unsigned char *at; /* in the listpack; NULL in a plain chunk */
    size_t index, offset;    /* in the list, in the chunk */
};
/* To the element with that index, from the end where negative (-1: the last). False: there is none;
 * the cursor needs an end all the same. */
bool list_seek(struct list_cursor *cursor, const struct list *list, int64_t index);
bool list_next(struct list_cursor *cursor);
bool list_previous(struct list_cursor *cursor);
void list_cursor_end(struct list_cursor *cursor);
/* Good until the cursor moves on; scratch has NUMBER_TEXT_MAX bytes. */
struct bytes list_get(const struct list_cursor *cursor, char *scratch);
bool list_is(const struct list_cursor *cursor, struct bytes value);

/* Chunk after chunk, for who writes files. */
typedef void list_visit_fn(const struct chunk *chunk, void *arg);
void list_visit_chunks(const struct list *list, list_visit_fn *visit, void *arg);

#endif
