/* How much memory the process has, as the allocator and the kernel tell. */
#ifndef SERVER_MEMORY_USAGE_H
#define SERVER_MEMORY_USAGE_H

#include "common/buffer.h"
#include <stddef.h>

/* All in bytes. What the allocator tells may be 100 ms old: asking it costs time. */
struct memory_usage {
    size_t used;     /* allocated by the program */
    size_t active;   /* pages that hold allocations */
    size_t resident; /* pages the allocator has mapped and touched */
    size_t rss;      /* of the whole process */
    size_t peak;     /* the most that `used` has been whenever somebody asked */
};

/* Any thread. */
void memory_usage_read(struct memory_usage *usage);
/* `used` by now, near enough (some kB for each thread): what the allocator told last, and what
 * threads have allocated and freed since. Costs a few loads; where that was long ago, or the answer
 * is above `limit`, the allocator is asked again, but not more often than each few ms. */
size_t memory_usage_estimate(size_t limit);
/* The thread has allocated or freed much; others see it in their estimates. */
void memory_usage_note(void);
/* The allocator gives back what holds nothing; its own figures as text, false where it has none.
 * Both may take their time. */
void memory_usage_purge(void);
bool memory_usage_print(struct buffer *out);
size_t memory_usage_total(void);          /* of the machine */
const char *memory_usage_allocator(void); /* "jemalloc-5.3.0", "libc" */

#endif
