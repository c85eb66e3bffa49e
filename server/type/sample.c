/* Of a large part of the items a walk over all takes some; a small part is drawn one by one, with a
 * table of those that have been drawn. */
#include "server/type/sample.h"

#include "common/memory.h"
#include <stdlib.h>

enum { LARGE_PART = 4 }; /* from a fourth on */

static void walk_all(const struct dict *dict, size_t wanted, struct item **items)
{
    struct sample sample = { dict->count, wanted };
    struct dict_iterator iterator = dict_iterate(dict);
    for (size_t taken = 0; taken < wanted;) {
        struct item *item = dict_next(&iterator);
        if (sample_takes(&sample))
            items[taken++] = item;
    }
}

/* Whether the item was not in the table, where it is now. The size is a power of two. */
static bool note(struct item **seen, size_t size, struct item *item)
{
    size_t at = (uintptr_t)item * 0x9e3779b97f4a7c15 >> 20 & (size - 1);
    for (; seen[at]; at = (at + 1) & (size - 1)) {
        if (seen[at] == item)
            return false;
    }
    seen[at] = item;
    return true;
}

static void draw(const struct dict *dict, size_t wanted, struct item **items)
{
    size_t size = 8;
    while (size < wanted * 2)
        size *= 2;
    struct item **seen = memory_alloc_zeroed(size, sizeof(*seen));
    for (size_t taken = 0; taken < wanted;) {
        struct item *item = dict_random(dict, random_next());
        if (note(seen, size, item))
            items[taken++] = item;
    }
    free(seen);
}

struct item **sample_items(const struct dict *dict, size_t wanted)
{
    if (wanted == 0)
        return NULL;
    struct item **items = memory_alloc(wanted * sizeof(*items));
    if (wanted >= dict->count / LARGE_PART)
        walk_all(dict, wanted, items);
    else
        draw(dict, wanted, items);
    return items;
}
