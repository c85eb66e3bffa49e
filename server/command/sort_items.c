#include "server/command/sort_items.h"

#include "common/memory.h"
#include "common/number.h"
#include "server/type/hash.h"
#include "server/type/list.h"
#include "server/type/set.h"
#include "server/type/zset.h"
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
    struct sort_items *items, const struct entry *entry, size_t first, size_t count, bool backwards)
{
    const struct list *list = entry_value(entry);
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

static size_t count_list(const struct entry *entry)
{
    return ((const struct list *)entry_value(entry))->count;
}

static struct set set_of(const struct entry *entry)
{
    return (struct set){ entry_value(entry), entry->encoding };
}

static void load_set(
    struct sort_items *items, const struct entry *entry, size_t first, size_t count, bool backwards)
{
    struct set set = set_of(entry);
    struct set_iterator iterator = set_iterate(&set);
    struct member member;
    while (set_next(&iterator, &member))
        add(items, member.text);
}

static size_t count_set(const struct entry *entry)
{
    struct set set = set_of(entry);
    return set_count(&set);
}

static struct zset zset_of(const struct entry *entry)
{
    return (struct zset){ entry->encoding, entry_value(entry) };
}

static size_t count_zset(const struct entry *entry)
{
    struct zset zset = zset_of(entry);
    return zset_count(&zset);
}

static void load_zset(
    struct sort_items *items, const struct entry *entry, size_t first, size_t count, bool backwards)
{
    struct zset zset = zset_of(entry);
    struct zset_cursor cursor;
    struct zset_element element;
    if (count == 0)
        return;
    zset_walk(&zset, backwards ? zset_count(&zset) - 1 - first : first, backwards, &cursor);
    for (; count > 0 && zset_next(&cursor, &element); count--)
        add(items, element.member);
}

/* The types that can be sorted. */
static const struct source {
    bool has_order; /* of its own: `load` takes `count` elements from `first` on, or from the end
                     * backwards; else it takes all */
    size_t (*count)(const struct entry *entry);
    void (*load)(struct sort_items *items, const struct entry *entry, size_t first, size_t count,
        bool backwards);
} sources[TYPE_COUNT] = {
    [TYPE_LIST] = { true, count_list, load_list },
    [TYPE_SET] = { false, count_set, load_set },
    [TYPE_ZSET] = { true, count_zset, load_zset },
};

bool sort_takes(const struct entry *entry)
{
    return sources[entry->type].load;
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
    const struct source *source = entry ? &sources[entry->type] : NULL;
    size_t all = entry ? source->count(entry) : 0;
    choose(args, all, first, count);
    if (entry && args->unsorted && source->has_order) {
        source->load(items, entry, *first, *count, args->descending);
        *first = 0;
    } else if (entry) {
        source->load(items, entry, 0, all, false);
    }
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
    struct bytes value = nothing;
    if (field.len > 0) {
        struct hash hash = { entry_value(entry), entry->encoding };
        bool there = entry->type == TYPE_HASH && hash_get(&hash, field, scratch, &value);
        return !there ? nothing : value.data ? value : BYTES("");
    }
    if (entry->type != TYPE_STRING)
        return nothing;
    value = entry_string(entry, scratch);
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
