/* A dictionary with a count of its holders: what a large hash or set lies in. A holder that wants
 * to change it while there are others gets a clone. Only the count is touched by several threads.
 */
#ifndef SERVER_TYPE_COUNTED_DICT_H
#define SERVER_TYPE_COUNTED_DICT_H

#include "server/type/dict.h"

struct counted_dict {
    _Atomic uint32_t refs;
    struct dict dict;
};

struct counted_dict *counted_dict_create(unsigned prefix, size_t reserved); /* see dict_reserve */
struct counted_dict *counted_dict_hold(struct counted_dict *table);         /* one holder more */
void counted_dict_release(struct counted_dict *table);
/* One that the caller alone holds: itself, or a clone (the caller's hold moves to it). */
struct counted_dict *counted_dict_own(struct counted_dict *table);
size_t counted_dict_memory(const struct counted_dict *table); /* bytes */
size_t counted_dict_effort(const struct counted_dict *table); /* allocations to free it */

#endif
