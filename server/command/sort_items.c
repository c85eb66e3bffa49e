#include "server/command/sort_items.h"

#include "common/memory.h"
#include "common/number.h"
#include "server/type/list.h"
#include <stdlib.h>

enum { BLOCK = 32 * 1024 };

struct sort_block {
    struct sort_block *next;
    size_t used, size;
    char data[];
};

/* ---- Texts ---- */

struct bytes sort_items_keep(struct sort_items *items, struct bytes text)
{
    struct sort_block *block = items->blocks;
    if (!block || block->size - block->used < text.len + 1) {
        size_t size = text.len + 1 > BLOCK ? text.len + 1 : BLOCK;
        block = memory_alloc(sizeof(*block) + size);
        *block = (struct sort_block){ items->blocks, 0, size };
        items->blocks = block;
    }
    char *at = block->data + block->used;
    if (text.len > 0)
        memcpy(at, text.data, text.len);
    at[text.len] = '\0';
    block->used += text.len + 1;
    return (struct bytes){ at, text.len };
}

static void add(struct sort_items *items, struct bytes text)
{
    if (items->count == items->capacity) {
        items->capacity = items->capacity ? items->capacity * 2 : 64;
        items->items = memory_resize(items->items, items->capacity * sizeof(*items->items));
    }
    items->items[items->count++] = (struct sort_item){ .text = sort_items_keep(items, text) };
}

void sort_items_free(struct sort_items *items)
{
    while (items->blocks) {
        struct sort_block *block = items->blocks;
        items->blocks = block->next;
        free(block);
    }
    free(items->items);
}

/* ---- Elements of the types ---- */

/* `count` elements from `first` on, or from the end backwards. */
static void load_list(
    struct sort_items *items, const struct list *list, size_t first, size_t count, bool backwards)
{
    struct list_cursor cursor;
    char scratch[NUMBER_TEXT_MAX];
    int64_t index = backwards ? -1 - (int64_t)first : (int64_t)first;
    bool there = list_seek(&cursor, list, index);
    for (; there && count > 0; count--) {
        add(items, list_get(&cursor, scratch));
        there = backwards ? list_previous(&cursor) : list_next(&cursor);
    }
    list_cursor_end(&cursor);
}

bool sort_takes(const struct entry *entry)
{
    return entry->type == TYPE_LIST;
}

static size_t count_of(const struct entry *entry)
{
    return ((const struct list *)entry_value(entry))->count;
}

/* The part that LIMIT chooses of so many. */
static void choose(const struct sort_args *args, size_t all, size_t *first, size_t *count)
{
    *first = args->offset < 0 ? 0 : (uint64_t)args->offset > all ? all : (size_t)args->offset;
    size_t left = all - *first;
    *count = args->limit < 0 || (uint64_t)args->limit > left ? left : (size_t)args->limit;
}

void sort_items_load(struct sort_items *items, const struct entry *entry,
    const struct sort_args *args, size_t *first, size_t *count)
{
    *items = (struct sort_items){ .count = 0 };
    size_t all = entry ? count_of(entry) : 0;
    choose(args, all, first, count);
    if (!entry)
        return;
    if (args->unsorted) {
        load_list(items, entry_value(entry), *first, *count, args->descending);
        *first = 0;
        return;
    }
    load_list(items, entry_value(entry), 0, all, false);
}

/* ---- Patterns ---- */

bool sort_pattern_key(
    struct bytes pattern, struct bytes element, struct buffer *name, struct bytes *field)
{
    const char *star = pattern.len > 0 ? memchr(pattern.data, '*', pattern.len) : NULL;
    if (!star)
        return false;
    const char *end = pattern.data + pattern.len, *tail = star + 1;
    const char *arrow = memmem(tail, (size_t)(end - tail), "->", 2);
    *field = (struct bytes){ NULL, 0 };
    if (arrow && arrow + 2 < end) {
        *field = (struct bytes){ arrow + 2, (size_t)(end - arrow) - 2 };
        end = arrow;
    }
    buffer_append(name, pattern.data, (size_t)(star - pattern.data));
    buffer_append(name, element.data, element.len);
    buffer_append(name, tail, (size_t)(end - tail));
    return true;
}

static const struct bytes nothing = { NULL, 0 };

static struct bytes value_of(const struct entry *entry, struct bytes field, char *scratch)
{
    if (field.len > 0 || entry->type != TYPE_STRING)
        return nothing;
    struct bytes value = entry_string(entry, scratch);
    return value.data ? value : BYTES("");
}

struct bytes sort_pattern_value(struct call *call, struct bytes pattern, struct bytes element,
    struct buffer *name, char *scratch)
{
    struct bytes field;
    if (bytes_equal(pattern, BYTES("#")))
        return element;
    name->len = 0;
    if (!sort_pattern_key(pattern, element, name, &field))
        return nothing;
    struct bytes key = buffer_bytes(name);
    const struct slot *slot = store_slot(call->store, call->database, slot_of_key(key));
    table_cell *cell = store_find(slot, store_hash(call->store, key), key);
    bool there = cell && !entry_is_expired(table_cell_entry(cell), call->now);
    struct executor_counters *counters = &call->executor->counters;
    counter_add(there ? &counters->keyspace_hits : &counters->keyspace_misses, 1);
    return there ? value_of(table_cell_entry(cell), field, scratch) : nothing;
}
