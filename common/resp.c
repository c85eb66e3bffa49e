/* A request is found where it lies: the reader walks once over the bytes and notes where each
 * argument is. When the bytes end too early it keeps its place (pos, scanned) and goes on from
 * there with the next call; as the bytes may lie elsewhere by then, arguments are kept as offsets
 * and become views when the request is whole. So the work is linear in the bytes, however they are
 * cut.
 *
 * What is accepted and refused, and in which words, is Redis 7.0's, with its quirks: the byte
 * behind a carriage return and the two behind an argument are skipped, not checked, and a zero byte
 * hides a line end that stands behind it, until the line is too long. */
#include "common/resp.h"

#include "common/memory.h"
#include "common/number.h"
#include "common/words.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    ARGV_KEEP = 1024, /* and at most from one request to the next */
    UNAUTHENTICATED_ARGS_MAX = 10,
    NO_BULK = -1,
};

static const int64_t bulk_max_default = 512 * 1024 * 1024;

static bool is_bounded(const struct resp_reader *reader)
{
    return reader->strict_bounds && !reader->authenticated;
}

static enum resp_status refuse(struct resp_reader *reader, const char *error)
{
    snprintf(reader->error, sizeof(reader->error), "%s", error);
    reader->argc = 0;
    reader->expect = 0;
    reader->pos = reader->scanned = 0;
    return RESP_ERROR;
}

/* Looks for the end of the line at pos: sets *line, and returns RESP_OK. */
static enum resp_status find_line(struct resp_reader *reader, const char *data, size_t len,
    char end, const char *too_big, struct bytes *line)
{
    const char *start = data + reader->pos, *from = start + reader->scanned;
    size_t fresh = (size_t)(data + len - from);
    const char *found = memchr(from, end, fresh);
    const char *hidden = memchr(from, '\0', found != NULL ? (size_t)(found - from) : fresh);
    if (hidden != NULL)
        found = NULL;
    const char *seen = found != NULL ? found : hidden != NULL ? hidden : data + len;
    reader->scanned = (size_t)(seen - start);
    if (reader->scanned > RESP_INLINE_MAX || (found == NULL && len - reader->pos > RESP_INLINE_MAX))
        return refuse(reader, too_big);
    if (found == NULL)
        return RESP_MORE;
    *line = (struct bytes){ start, reader->scanned };
    return RESP_OK;
}

/* The length that nearly every request has: one to nine digits and a carriage return. Returns where
 * the next line starts, or NULL for what read_length must look at. */
static inline const char *read_short_length(
    const char *p, const char *end, char type, int64_t *value)
{
    if (end - p < 4 || *p != type) /* the type, a digit and the line end */
        return NULL;
    unsigned digit = (unsigned char)p[1] - (unsigned)'0', sum = digit;
    if (digit > 9)
        return NULL;
    if (p[2] == '\r') { /* one digit, and two, are nearly all that there is */
        *value = sum;
        return p + 4;
    }
    digit = (unsigned char)p[2] - (unsigned)'0';
    if (p[3] == '\r' && end - p > 4 && digit <= 9 && sum > 0) {
        *value = sum * 10 + digit;
        return p + 5;
    }
    const char *last = end - p > 11 ? p + 11 : end - 1; /* the \r must come before this */
    for (p += 2; p < last; p++) {
        digit = (unsigned char)*p - (unsigned)'0';
        if (digit > 9)
            break;
        if (sum == 0)
            return NULL;
        sum = sum * 10 + digit;
    }
    if (p >= last || *p != '\r')
        return NULL;
    *value = sum;
    return p + 2;
}

/* Any other line with a length, whole or not. RESP_OK: *valid says whether it is a number. */
static enum resp_status read_length(struct resp_reader *reader, const char *data, size_t len,
    const char *too_big, int64_t *value, bool *valid)
{
    struct bytes line;
    enum resp_status status = find_line(reader, data, len, '\r', too_big, &line);
    if (status != RESP_OK)
        return status;
    if (len - reader->pos - line.len < 2)
        return RESP_MORE;
    *valid = line.len != 0 && number_parse((struct bytes){ line.data + 1, line.len - 1 }, value);
    reader->pos += line.len + 2;
    reader->scanned = 0;
    return RESP_OK;
}

static enum resp_status read_array_length(struct resp_reader *reader, const char *data, size_t len)
{
    int64_t count = 0;
    bool valid;
    enum resp_status status =
        read_length(reader, data, len, "too big mbulk count string", &count, &valid);
    if (status != RESP_OK)
        return status;
    if (!valid || count > RESP_ARGS_MAX)
        return refuse(reader, "invalid multibulk length");
    if (count > UNAUTHENTICATED_ARGS_MAX && is_bounded(reader))
        return refuse(reader, "unauthenticated multibulk length");
    reader->expect = count > 0 ? count : 0;
    reader->bulk_len = NO_BULK;
    return RESP_OK;
}

static enum resp_status refuse_type(struct resp_reader *reader, char got)
{
    char text[32];
    snprintf(text, sizeof(text), "expected '$', got '%c'", got == '\r' || got == '\n' ? ' ' : got);
    return refuse(reader, text);
}

static enum resp_status read_bulk_length(struct resp_reader *reader, const char *data, size_t len)
{
    int64_t count;
    bool valid = true;
    const char *next = read_short_length(data + reader->pos, data + len, '$', &count);
    if (next != NULL) {
        reader->pos = (size_t)(next - data);
        reader->scanned = 0;
    } else {
        size_t start = reader->pos;
        enum resp_status status =
            read_length(reader, data, len, "too big bulk count string", &count, &valid);
        if (status != RESP_OK)
            return status;
        if (data[start] != '$')
            return refuse_type(reader, data[start]);
    }
    if (!valid || count < 0 ||
        count > (reader->bulk_max != 0 ? reader->bulk_max : bulk_max_default))
        return refuse(reader, "invalid bulk length");
    if (count > RESP_BULK_MAX_UNAUTHENTICATED && is_bounded(reader))
        return refuse(reader, "unauthenticated bulk length");
    reader->bulk_len = count;
    return RESP_OK;
}

/* Room follows the arguments that are really there, not the number that was announced. */
static void grow_argv(struct resp_reader *reader)
{
    reader->capacity = reader->capacity != 0 ? reader->capacity * 2 : RESP_ARGV_FIRST;
    reader->argv = memory_resize(reader->argv, reader->capacity * sizeof(reader->argv[0]));
}

static void start_request(struct resp_reader *reader)
{
    reader->argc = 0;
    if (reader->capacity > ARGV_KEEP) {
        free(reader->argv);
        reader->argv = NULL;
        reader->capacity = 0;
    }
}

static enum resp_status read_inline(
    struct resp_reader *reader, const char *data, size_t len, size_t *consumed)
{
    struct bytes line;
    enum resp_status status = find_line(reader, data, len, '\n', "too big inline request", &line);
    if (status != RESP_OK)
        return status;
    *consumed = line.len + 1;
    reader->scanned = 0;
    if (line.len != 0 && line.data[line.len - 1] == '\r')
        line.len--;
    if (reader->line == NULL)
        reader->line = memory_alloc_zeroed(1, sizeof(*reader->line));
    words_free(reader->line);
    if (!words_split(line, reader->line)) {
        *consumed = 0;
        return refuse(reader, "unbalanced quotes in request");
    }
    for (size_t i = 0; i < reader->line->count; i++) {
        if (reader->argc == reader->capacity)
            grow_argv(reader);
        reader->argv[reader->argc++] = reader->line->items[i];
    }
    return RESP_OK;
}

static enum resp_status read_array(
    struct resp_reader *reader, const char *data, size_t len, size_t *consumed)
{
    while ((int64_t)reader->argc < reader->expect) {
        if (reader->bulk_len == NO_BULK) {
            enum resp_status status = read_bulk_length(reader, data, len);
            if (status != RESP_OK)
                return status;
        }
        size_t bulk_len = (size_t)reader->bulk_len;
        if (len - reader->pos < 2 || len - reader->pos - 2 < bulk_len)
            return RESP_MORE;
        if (reader->argc == reader->capacity)
            grow_argv(reader);
        /* An offset for now, see the head of this file. */
        reader->argv[reader->argc++] =
            (struct bytes){ (const char *)(uintptr_t)reader->pos, bulk_len };
        reader->pos += bulk_len + 2;
        reader->bulk_len = NO_BULK;
    }
    for (size_t i = 0; i < reader->argc; i++)
        reader->argv[i].data = data + (uintptr_t)reader->argv[i].data;
    *consumed = reader->pos;
    reader->pos = 0;
    reader->expect = 0;
    return RESP_OK;
}

/* The request that nearly all are: it is here as a whole, with short lengths and room for its
 * arguments. False: it is another one, and nothing has been done. */
static bool read_at_once(struct resp_reader *reader, const char *data, size_t len, size_t *consumed)
{
    const char *end = data + len;
    int64_t max = reader->bulk_max != 0 ? reader->bulk_max : bulk_max_default, count, bulk_len;
    const char *p = read_short_length(data, end, '*', &count);
    if (p == NULL || count > (int64_t)reader->capacity)
        return false;
    struct bytes *arg = reader->argv;
    for (const struct bytes *last = arg + count; arg < last; arg++) {
        p = read_short_length(p, end, '$', &bulk_len);
        if (p == NULL || bulk_len > max || end - p < bulk_len + 2)
            return false;
        *arg = (struct bytes){ p, (size_t)bulk_len };
        p += bulk_len + 2;
    }
    reader->argc = (size_t)count;
    *consumed = (size_t)(p - data);
    return true;
}

enum resp_status resp_read(
    struct resp_reader *reader, const char *data, size_t len, size_t *consumed)
{
    if (reader->expect == 0 && reader->scanned == 0 && reader->capacity <= ARGV_KEEP &&
        !is_bounded(reader) && read_at_once(reader, data, len, consumed))
        return RESP_OK;
    *consumed = 0;
    if (len == 0)
        return RESP_MORE;
    if (reader->expect == 0) {
        start_request(reader);
        if (data[0] != '*')
            return read_inline(reader, data, len, consumed);
        enum resp_status status = read_array_length(reader, data, len);
        if (status != RESP_OK)
            return status;
    }
    return read_array(reader, data, len, consumed);
}

void resp_reader_free(struct resp_reader *reader)
{
    free(reader->argv);
    if (reader->line != NULL)
        words_free(reader->line);
    free(reader->line);
    *reader = (struct resp_reader){ 0 };
}

size_t resp_reader_missing(const struct resp_reader *reader, size_t len)
{
    if (reader->expect == 0 || reader->bulk_len == NO_BULK)
        return 1;
    size_t end = reader->pos + (size_t)reader->bulk_len + 2;
    return end > len ? end - len : 1;
}

/* A type, a length and the line end. */
static void write_length(struct buffer *out, char type, uint64_t length)
{
    buffer_reserve(out, NUMBER_TEXT_MAX + 3);
    char *p = out->data + out->len;
    *p++ = type;
    p += number_format_unsigned(p, length);
    *p++ = '\r';
    *p++ = '\n';
    out->len = (size_t)(p - out->data);
}

void resp_write_array(struct buffer *out, size_t count)
{
    write_length(out, '*', count);
}

void resp_write_bulk(struct buffer *out, struct bytes value)
{
    write_length(out, '$', value.len);
    buffer_append(out, value.data, value.len);
    buffer_append(out, "\r\n", 2);
}

void resp_write_command(struct buffer *out, const struct bytes *argv, size_t argc)
{
    resp_write_array(out, argc);
    for (size_t i = 0; i < argc; i++)
        resp_write_bulk(out, argv[i]);
}
