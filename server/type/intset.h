/* A set of integers in ascending order, each as wide as the widest needs (16, 32 or 64 bits), byte
 * for byte as Redis keeps them in RDB and DUMP: width 4 | count 4 | integers, all little endian.
 *
 * Reference counted: while more than one holds it nobody changes it. A change may move it: take the
 * returned one. Source of the format: payloads that redis-server 7.0.15 dumps. */
#ifndef SERVER_TYPE_INTSET_H
#define SERVER_TYPE_INTSET_H

#include "common/bytes.h"
#include <stdatomic.h>
#include <stdint.h>

struct intset {
    _Atomic uint32_t refs;
    uint32_t width; /* bytes of an integer: 2, 4 or 8 */
    uint32_t count;
    char integers[];
};

enum { INTSET_COUNT_MAX = 1 << 30 };

struct intset *intset_create(void);
struct intset *intset_hold(struct intset *set);
void intset_release(struct intset *set);
/* The set itself where the caller alone holds it, else a copy (the caller's reference moves). */
struct intset *intset_own(struct intset *set);

/* Whether these bytes, of any origin, are one: the length right, the integers ascending, at least
 * one. */
bool intset_is_valid(struct bytes bytes);
struct intset *intset_from(struct bytes bytes); /* approved by intset_is_valid */
struct bytes intset_bytes(const struct intset *set);
size_t intset_memory(const struct intset *set);

size_t intset_count(const struct intset *set);
int64_t intset_at(const struct intset *set, size_t index);
bool intset_has(const struct intset *set, int64_t value);
/* The caller alone holds it. *added says whether the value was not there. */
struct intset *intset_add(struct intset *set, int64_t value, bool *added);
struct intset *intset_remove(struct intset *set, int64_t value, bool *removed);

#endif
