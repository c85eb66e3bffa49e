/* FORGET has to be sent to every node of a cluster, one after the other, and the gossip of those
 * that have not had it yet must not undo it at the others: hence the minute. */
#include "server/cluster/blacklist.h"

#include "common/memory.h"
#include <stdlib.h>

static void drop(struct blacklist *list, size_t at)
{
    list->items[at] = list->items[--list->count];
}

static void drop_ended(struct blacklist *list, int64_t now)
{
    for (size_t i = list->count; i-- > 0;) {
        if (list->items[i].until <= now)
            drop(list, i);
    }
}

static struct blacklist_entry *find(struct blacklist *list, const struct node_id *id)
{
    for (size_t i = 0; i < list->count; i++) {
        if (node_id_equal(&list->items[i].id, id))
            return &list->items[i];
    }
    return NULL;
}

static void drop_first_to_end(struct blacklist *list)
{
    size_t first = 0;
    for (size_t i = 1; i < list->count; i++) {
        if (list->items[i].until < list->items[first].until)
            first = i;
    }
    drop(list, first);
}

void blacklist_add(struct blacklist *list, const struct node_id *id, int64_t until, int64_t now)
{
    drop_ended(list, now);
    struct blacklist_entry *entry = find(list, id);
    if (entry != NULL) {
        entry->until = until;
        return;
    }
    if (list->items == NULL)
        list->items = memory_alloc(BLACKLIST_MAX * sizeof(list->items[0]));
    if (list->count == BLACKLIST_MAX)
        drop_first_to_end(list);
    list->items[list->count++] = (struct blacklist_entry){ *id, until };
}

bool blacklist_has(struct blacklist *list, const struct node_id *id, int64_t now)
{
    drop_ended(list, now);
    return find(list, id) != NULL;
}

void blacklist_free(struct blacklist *list)
{
    free(list->items);
    *list = (struct blacklist){ 0 };
}
