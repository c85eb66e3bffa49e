#include "server/store/entry.h"

#include "server/command/zset_source.h"

bool zset_source_of(struct zset_source *source, const struct entry *entry)
{
    *source = (struct zset_source){ .type = TYPE_ZSET, .weight = 1 };
    if (!entry)
        return true;
    source->type = entry->type;
    if (entry->type == TYPE_ZSET) {
        source->zset = (struct zset){ entry->encoding, entry_value(entry) };
        source->count = zset_count(&source->zset);
        return true;
    }
    if (entry->type != TYPE_SET)
        return false;
    source->set = (struct set){ .value = entry_value(entry), .encoding = entry->encoding };
    source->count = set_count(&source->set);
    return true;
}

bool zset_source_find(const struct zset_source *source, struct bytes member, double *score)
{
    if (source->count == 0)
        return false;
    if (source->type == TYPE_ZSET)
        return zset_score(&source->zset, member, score);
    struct member wanted = member_of(member);
    *score = 1;
    return set_has(&source->set, &wanted);
}

void zset_source_walk(const struct zset_source *source, struct zset_source_walk *walk)
{
    walk->source = source;
    if (source->count == 0)
        return;
    if (source->type == TYPE_ZSET)
        zset_walk(&source->zset, 0, false, &walk->cursor);
    else
        walk->iterator = set_iterate(&source->set);
}

bool zset_source_next(struct zset_source_walk *walk, struct zset_element *element)
{
    if (walk->source->count == 0)
        return false;
    if (walk->source->type == TYPE_ZSET)
        return zset_next(&walk->cursor, element);
    struct member member;
    if (!set_next(&walk->iterator, &member))
        return false;
    *element = (struct zset_element){ member.text, 1 };
    return true;
}
