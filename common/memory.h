/* Allocation that does not fail: out of memory ends the process with one line on standard error.
 * Sizes that come from outside are bounded before they come here. */
#ifndef COMMON_MEMORY_H
#define COMMON_MEMORY_H

#include <stddef.h>

void *memory_alloc(size_t size) __attribute__((malloc, returns_nonnull));
void *memory_alloc_zeroed(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
void *memory_resize(void *old, size_t size) __attribute__((returns_nonnull));
char *memory_copy_text(const char *text) __attribute__((malloc, returns_nonnull));
void *memory_copy(const void *data, size_t len) __attribute__((malloc, returns_nonnull));
/* Says how many bytes could not be had and ends the process: for allocations made elsewhere. */
void memory_exhausted(size_t size) __attribute__((noreturn, cold));

#endif
