/* Sorting a part of an array: for who wants but the first of many. */
#ifndef COMMON_PARTIAL_SORT_H
#define COMMON_PARTIAL_SORT_H

#include <stddef.h>

/* Orders the array so far that its elements from `first` to `last` (both counted in, last < count)
 * are those that they would be were it sorted. size: bytes of an element, at most
 * PARTIAL_SORT_SIZE_MAX. compare as for qsort. Elements that are equal end in the order in which
 * Redis leaves them, where it sorts a part. */
enum { PARTIAL_SORT_SIZE_MAX = 256 };
void partial_sort(void *base, size_t count, size_t size,
    int (*compare)(const void *a, const void *b), size_t first, size_t last);

#endif
