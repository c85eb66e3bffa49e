/* The elements that SORT sorts, as texts of its own, and the values that their patterns name. */
#ifndef SERVER_COMMAND_SORT_ITEMS_H
#define SERVER_COMMAND_SORT_ITEMS_H

#include "common/buffer.h"
#include "server/command/sort_args.h"

struct sort_item {
    struct bytes text; /* of the element; a zero follows */
    struct bytes by;   /* what it is sorted by, where that is a text; data NULL: nothing */
    double score;      /* where it is a number */
};

/* Texts lie in blocks that never move. */
struct sort_items {
    struct sort_item *items; /* owned, as all that they point to */
    size_t count, capacity;
    struct sort_block *blocks;
};

/* Whether elements of this entry can be sorted. */
bool sort_takes(const struct entry *entry);
/* All of its elements, or, in their own order where that is asked for, those that the limits
 * choose: these two numbers are what is left to choose then. NULL: there are none. */
void sort_items_load(struct sort_items *items, const struct entry *entry,
    const struct sort_args *args, size_t *first, size_t *count);
void sort_items_free(struct sort_items *items);
/* Keeps a text with the items. */
struct bytes sort_items_keep(struct sort_items *items, struct bytes text);

/* The key that the pattern names for the element, appended to `name`, and the field behind it
 * ("->field"), of no length where there is none. False: the pattern has no *. */
bool sort_pattern_key(
    struct bytes pattern, struct bytes element, struct buffer *name, struct bytes *field);
/* What the pattern stands for: the element itself (#), or the value of the key; good until the next
 * call, or in scratch. data NULL: nothing. The slots of such keys are locked. */
struct bytes sort_pattern_value(struct call *call, struct bytes pattern, struct bytes element,
    struct buffer *name, char *scratch);

#endif
