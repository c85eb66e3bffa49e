/* Reads the bytes as a server would, twice: whole, and in pieces that lie elsewhere each time. Both
 * must give the same requests and the same error, and every view must lie in what was given. */
#include "common/resp.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void note_request(struct buffer *out, const struct resp_reader *reader)
{
    buffer_printf(out, "%zu;", reader->argc);
    for (size_t i = 0; i < reader->argc; i++) {
        buffer_printf(out, "%zu:", reader->argv[i].len);
        buffer_append(out, reader->argv[i].data, reader->argv[i].len);
    }
}

/* `piece` more bytes for each RESP_MORE. The block has just the size of what is there, so that the
 * address sanitizer sees any step beyond it. */
static struct buffer read_all(struct resp_reader *reader, struct bytes text, size_t piece)
{
    struct buffer out = { 0 };
    size_t start = 0, end = 0;
    enum resp_status status = RESP_MORE;
    while (status != RESP_ERROR && (status == RESP_OK || end < text.len)) {
        if (status == RESP_MORE)
            end = text.len - end < piece ? text.len : end + piece;
        size_t len = end - start, consumed;
        char *copy = malloc(len);
        memcpy(copy, text.data + start, len);
        status = resp_read(reader, copy, len, &consumed);
        if (consumed > len || (status == RESP_OK) != (consumed != 0))
            abort();
        if (status == RESP_OK)
            note_request(&out, reader);
        else if (status == RESP_ERROR)
            buffer_append_text(&out, reader->error);
        else if (resp_reader_missing(reader, len) == 0)
            abort();
        free(copy);
        start += consumed;
    }
    resp_reader_free(reader);
    return out;
}

/* The first byte sets the size of the pieces and the bounds. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct bytes text = { (const char *)data + 1, size - 1 };
    struct resp_reader start = { .bulk_max = data[0] & 64 ? 100 : 0,
        .strict_bounds = (data[0] & 128) != 0 };
    struct resp_reader whole_reader = start, cut_reader = start;
    struct buffer whole = read_all(&whole_reader, text, SIZE_MAX);
    struct buffer cut = read_all(&cut_reader, text, 1 + data[0] % 64);
    /* How soon a line without an end is too long depends on what is there with it. */
    if (size < RESP_INLINE_MAX && !bytes_equal(buffer_bytes(&whole), buffer_bytes(&cut)))
        abort();
    buffer_free(&whole);
    buffer_free(&cut);
    return 0;
}
