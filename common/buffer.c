/* One allocation that doubles when it is full. Bytes leave at the front by moving what remains,
 * so owners consume once for a batch of what they read, not once for each piece. */
#include "common/buffer.h"

#include "common/memory.h"
#include <stdio.h>
#include <stdlib.h>

enum { CAPACITY_MIN = 64 };

void buffer_free(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){ 0 };
}

void buffer_reserve(struct buffer *buffer, size_t more)
{
    if (buffer->capacity - buffer->len >= more)
        return;
    /* A size that no memory can hold is passed on, for the allocator to refuse. */
    size_t need = more > SIZE_MAX - buffer->len ? SIZE_MAX : buffer->len + more;
    size_t capacity = buffer->capacity > SIZE_MAX / 2 ? SIZE_MAX : buffer->capacity * 2;
    if (capacity < need)
        capacity = need;
    if (capacity < CAPACITY_MIN)
        capacity = CAPACITY_MIN;
    buffer->data = memory_resize(buffer->data, capacity);
    buffer->capacity = capacity;
}

void buffer_append(struct buffer *buffer, const void *data, size_t len)
{
    if (len == 0)
        return;
    buffer_reserve(buffer, len);
    memcpy(buffer->data + buffer->len, data, len);
    buffer->len += len;
}

void buffer_append_text(struct buffer *buffer, const char *text)
{
    buffer_append(buffer, text, strlen(text));
}

void buffer_append_char(struct buffer *buffer, char c)
{
    buffer_reserve(buffer, 1);
    buffer->data[buffer->len++] = c;
}

void buffer_printf(struct buffer *buffer, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    buffer_vprintf(buffer, format, args);
    va_end(args);
}

void buffer_vprintf(struct buffer *buffer, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    size_t room = buffer->capacity - buffer->len;
    int printed = vsnprintf(room != 0 ? buffer->data + buffer->len : NULL, room, format, args);
    size_t len = printed < 0 ? 0 : (size_t)printed;
    if (len >= room && len != 0) {
        buffer_reserve(buffer, len + 1);
        vsnprintf(buffer->data + buffer->len, len + 1, format, again);
    }
    buffer->len += len;
    va_end(again);
}

void buffer_consume(struct buffer *buffer, size_t len)
{
    buffer->len -= len;
    if (buffer->len != 0 && len != 0)
        memmove(buffer->data, buffer->data + len, buffer->len);
}

void buffer_terminate(struct buffer *buffer)
{
    buffer_reserve(buffer, 1);
    buffer->data[buffer->len] = '\0';
}

static void append_big_endian(struct buffer *buffer, uint64_t value, unsigned size)
{
    buffer_reserve(buffer, size);
    for (unsigned i = size; i-- > 0;)
        buffer->data[buffer->len++] = (char)(value >> (8 * i));
}

void buffer_append_u16be(struct buffer *buffer, uint16_t value)
{
    append_big_endian(buffer, value, 2);
}

void buffer_append_u32be(struct buffer *buffer, uint32_t value)
{
    append_big_endian(buffer, value, 4);
}

void buffer_append_u64be(struct buffer *buffer, uint64_t value)
{
    append_big_endian(buffer, value, 8);
}
