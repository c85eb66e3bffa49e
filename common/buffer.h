/* A growable run of bytes: written at its end, read from its start. The owner frees it. A buffer
 * that is all zeroes is an empty one. Allocation failure ends the process (see memory.h). */
#ifndef COMMON_BUFFER_H
#define COMMON_BUFFER_H

#include "common/bytes.h"
#include <stdarg.h>
#include <stdint.h>

struct buffer {
    char *data;
    size_t len;      /* bytes in use, from data[0] */
    size_t capacity; /* bytes allocated; 0 when data is NULL */
};

void buffer_free(struct buffer *buffer); /* frees the memory and makes it an empty buffer */
void buffer_reserve(struct buffer *buffer, size_t more); /* room for `more` bytes after len */
void buffer_append(struct buffer *buffer, const void *data, size_t len);
void buffer_append_text(struct buffer *buffer, const char *text); /* without its zero */
void buffer_append_char(struct buffer *buffer, char c);
void buffer_printf(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void buffer_vprintf(struct buffer *buffer, const char *format, va_list args);
void buffer_consume(struct buffer *buffer, size_t len); /* drops len bytes from the start */
void buffer_terminate(struct buffer *buffer); /* puts a zero behind the bytes, not counted in len */

/* Big-endian integers, as the cluster bus writes them. */
void buffer_append_u16be(struct buffer *buffer, uint16_t value);
void buffer_append_u32be(struct buffer *buffer, uint32_t value);
void buffer_append_u64be(struct buffer *buffer, uint64_t value);

static inline struct bytes buffer_bytes(const struct buffer *buffer)
{
    return (struct bytes){ buffer->data, buffer->len };
}

#endif
