/* An item of the dictionary is the member and nothing else, so that sets can share items. */
#include "server/type/set.h"

#include "common/memory.h"
#include "common/random.h"
#include "server/type/counted_dict.h"
#include <stdlib.h>

/* ---- The type's row ---- */

static void release(void *value, enum encoding encoding)
{
    if (encoding == ENCODING_INTSET)
        intset_release(value);
    else
        counted_dict_release(value);
}

static size_t memory(const void *value, enum encoding encoding)
{
    return encoding == ENCODING_INTSET ? intset_memory(value) : counted_dict_memory(value);
}

static void *share(void *value, enum encoding encoding)
{
    if (encoding == ENCODING_INTSET)
        return intset_hold(value);
    return counted_dict_hold(value);
}

static void *own(void *value, enum encoding encoding)
{
    if (encoding == ENCODING_INTSET)
        return intset_own(value);
    return counted_dict_own(value);
}

static size_t effort(const void *value, enum encoding encoding)
{
    return encoding == ENCODING_INTSET ? 1 : counted_dict_effort(value);
}

const struct type set_type = { "set", release, memory, share, own, effort };

/* ---- Life ---- */

struct set set_create(void)
{
    return (struct set){ intset_create(), ENCODING_INTSET };
}

struct set set_create_for(const struct member *first)
{
    return first->is_integer ? set_create() : set_create_table(0);
}

struct set set_create_table(size_t count)
{
    return (struct set){ counted_dict_create(0, count), ENCODING_HASHTABLE };
}

struct set set_from_intset(struct intset *integers)
{
    return (struct set){ integers, ENCODING_INTSET };
}

void set_free(struct set *set)
{
    release(set->value, set->encoding);
}

struct dict *set_dict(const struct set *set)
{
    return &((struct counted_dict *)set->value)->dict;
}

/* ---- Members ---- */

struct member member_of(struct bytes text)
{
    struct member member = { .text = text };
    member.is_integer = text.len > 0 && text.len <= 20 &&
                        (text.data[0] == '-' || (text.data[0] >= '0' && text.data[0] <= '9')) &&
                        number_parse(text, &member.integer);
    return member;
}

struct member set_item_member(const struct dict *dict, struct item *item)
{
    struct member member = member_of(dict_key(dict, item));
    member.item = item;
    return member;
}

static struct member integer_member(int64_t integer, char *scratch)
{
    return (struct member){
        .text = { scratch, number_format(scratch, integer) }, .integer = integer, .is_integer = true
    };
}

static size_t item_size(size_t len)
{
    return sizeof(struct item) + len;
}

size_t set_count(const struct set *set)
{
    return set->encoding == ENCODING_INTSET ? intset_count(set->value) : set_dict(set)->count;
}

bool set_has(const struct set *set, const struct member *member)
{
    if (set->encoding == ENCODING_INTSET)
        return member->is_integer && intset_has(set->value, member->integer);
    return dict_find(set_dict(set), dict_hash(member->text), member->text);
}

static bool add_to_table(struct set *set, const struct member *member)
{
    struct dict *dict = set_dict(set);
    uint64_t hash = dict_hash(member->text);
    if (dict_find(dict, hash, member->text))
        return false;
    struct item *item = member->item ? item_hold(member->item) : item_create(0, member->text, 0);
    dict_insert(dict, hash, item, item_size(member->text.len));
    return true;
}

bool set_add(struct set *set, const struct member *member, size_t intset_max)
{
    if (set->encoding == ENCODING_INTSET && !member->is_integer)
        set_make_table(set);
    if (set->encoding == ENCODING_HASHTABLE)
        return add_to_table(set, member);
    bool added;
    set->value = intset_add(set->value, member->integer, &added);
    if (intset_max > INTSET_COUNT_MAX)
        intset_max = INTSET_COUNT_MAX;
    if (added && intset_count(set->value) > intset_max)
        set_make_table(set);
    return added;
}

bool set_remove(struct set *set, const struct member *member)
{
    if (set->encoding == ENCODING_INTSET) {
        bool removed = false;
        if (member->is_integer)
            set->value = intset_remove(set->value, member->integer, &removed);
        return removed;
    }
    struct dict *dict = set_dict(set);
    struct item *item = dict_remove(dict, dict_hash(member->text), member->text);
    if (!item)
        return false;
    dict_forget_size(dict, item_size(item->key_len));
    item_release(item);
    return true;
}

void set_make_table(struct set *set)
{
    if (set->encoding == ENCODING_HASHTABLE)
        return;
    struct set table = set_create_table(set_count(set));
    struct set_iterator iterator = set_iterate(set);
    struct member member;
    while (set_next(&iterator, &member))
        add_to_table(&table, &member);
    set_free(set);
    *set = table;
}

struct member set_random(const struct set *set, char *scratch)
{
    if (set->encoding == ENCODING_INTSET)
        return integer_member(
            intset_at(set->value, random_below(intset_count(set->value))), scratch);
    struct dict *dict = set_dict(set);
    return set_item_member(dict, dict_random(dict, random_next()));
}

/* ---- Going about ---- */

struct set_iterator set_iterate(const struct set *set)
{
    if (set->encoding == ENCODING_HASHTABLE)
        return (struct set_iterator){ .items = dict_iterate(set_dict(set)) };
    return (struct set_iterator){ .integers = set->value };
}

bool set_next(struct set_iterator *iterator, struct member *member)
{
    if (!iterator->integers) {
        struct item *item = dict_next(&iterator->items);
        if (item)
            *member = set_item_member(iterator->items.dict, item);
        return item;
    }
    if (iterator->at == intset_count(iterator->integers))
        return false;
    *member = integer_member(intset_at(iterator->integers, iterator->at++), iterator->scratch);
    return true;
}
