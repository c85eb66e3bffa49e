/* Sets. Of integers, up to a limit, an intset; others a dictionary.
 *
 * Who works on a set has a struct set: what lies out of line, and how it is kept. Functions that
 * change it want a value that the caller alone holds (`own` of the type's row), and may put another
 * value and encoding there: they must be put back to where they came from. Members are at most
 * UINT32_MAX bytes. */
#ifndef SERVER_TYPE_SET_H
#define SERVER_TYPE_SET_H

#include "common/number.h"
#include "server/type/dict.h"
#include "server/type/intset.h"
#include "server/type/type.h"

extern const struct type set_type;

struct set {
    void *value;
    enum encoding encoding; /* ENCODING_INTSET or ENCODING_HASHTABLE */
};

/* A member as it is looked for: what it takes to know of it is found out once. */
struct member {
    struct bytes text;
    int64_t integer;
    bool is_integer;
    struct item *item; /* or NULL: the item of another set, which this one may share */
};
struct member member_of(struct bytes text);

struct set set_create(void); /* an intset without members */
/* What is right for a first member: an intset, or a dictionary. */
struct set set_create_for(const struct member *first);
/* A dictionary with room for so many. */
struct set set_create_table(size_t count);
void set_free(struct set *set);
struct set set_from_intset(struct intset *integers); /* takes it over */
struct dict *set_dict(const struct set *set);        /* of ENCODING_HASHTABLE */

size_t set_count(const struct set *set);
bool set_has(const struct set *set, const struct member *member);
/* Returns whether it is new. An intset of more than so many, or with a member that is no integer,
 * becomes a dictionary. */
bool set_add(struct set *set, const struct member *member, size_t intset_max);
/* Returns whether it was there. */
bool set_remove(struct set *set, const struct member *member);
void set_make_table(struct set *set);
/* Some member, each with the same likelihood; the set is not empty. The member is good until the
 * next change; scratch: NUMBER_TEXT_MAX bytes. */
struct member set_random(const struct set *set, char *scratch);

/* All members; an intset's ascend. The set must not change in between; the member is good until the
 * next step. */
struct set_iterator {
    const struct intset *integers; /* or, where NULL, the dictionary */
    size_t at;
    struct dict_iterator items;
    char scratch[NUMBER_TEXT_MAX];
};
struct set_iterator set_iterate(const struct set *set);
bool set_next(struct set_iterator *iterator, struct member *member);

/* The member that an item of a set's dictionary is. */
struct member set_item_member(const struct dict *dict, struct item *item);

#endif
