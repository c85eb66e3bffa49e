#include "server/type/counted_dict.h"

#include "common/memory.h"
#include <stdlib.h>

struct counted_dict *counted_dict_create(unsigned prefix, size_t reserved)
{
    struct counted_dict *table = memory_alloc(sizeof(*table));
    atomic_init(&table->refs, 1);
    dict_init(&table->dict, prefix);
    dict_reserve(&table->dict, reserved);
    return table;
}

struct counted_dict *counted_dict_hold(struct counted_dict *table)
{
    atomic_fetch_add_explicit(&table->refs, 1, memory_order_relaxed);
    return table;
}

static bool is_shared(const struct counted_dict *table)
{
    return atomic_load_explicit(&table->refs, memory_order_acquire) > 1;
}

void counted_dict_release(struct counted_dict *table)
{
    if (is_shared(table) && atomic_fetch_sub_explicit(&table->refs, 1, memory_order_acq_rel) != 1)
        return;
    dict_free(&table->dict);
    free(table);
}

struct counted_dict *counted_dict_own(struct counted_dict *table)
{
    if (!is_shared(table))
        return table;
    struct counted_dict *mine = memory_alloc(sizeof(*mine));
    atomic_init(&mine->refs, 1);
    dict_clone(&mine->dict, &table->dict);
    counted_dict_release(table);
    return mine;
}

size_t counted_dict_memory(const struct counted_dict *table)
{
    return sizeof(*table) + dict_memory(&table->dict);
}

size_t counted_dict_effort(const struct counted_dict *table)
{
    return is_shared(table) ? 1 : table->dict.count + 2;
}
