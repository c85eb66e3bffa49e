/* Out of memory is not an error that a caller can mend: a node without memory for a reply no longer
 * works. So allocation has one outcome, and callers have no branch for another. abort() rather than
 * exit(): a crash handler gets its turn (the console's restores the terminal). */
#include "common/memory.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void memory_exhausted(size_t size)
{
    fprintf(stderr, "out of memory: %zu bytes could not be allocated\n", size);
    abort();
}

static void *check(void *memory, size_t size)
{
    if (memory == NULL)
        memory_exhausted(size);
    return memory;
}

void *memory_alloc(size_t size)
{
    return check(malloc(size != 0 ? size : 1), size);
}

void *memory_alloc_zeroed(size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size)
        memory_exhausted(SIZE_MAX);
    size_t total = count * size;
    return check(calloc(1, total != 0 ? total : 1), total);
}

void *memory_resize(void *old, size_t size)
{
    return check(realloc(old, size != 0 ? size : 1), size);
}

char *memory_copy_text(const char *text)
{
    return memory_copy(text, strlen(text) + 1);
}

void *memory_copy(const void *data, size_t len)
{
    void *copy = memory_alloc(len);
    if (len != 0)
        memcpy(copy, data, len);
    return copy;
}
