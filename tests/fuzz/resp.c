/* Reads the bytes as a server would, twice: whole, and in pieces that lie elsewhere each time. Both
 * must give the same requests and the same error, and every view must lie in what was given. */
#include "tests/support/resp_pieces.h"
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void note(struct buffer *out, const struct resp_reader *reader, enum resp_status status)
{
    if (status == RESP_ERROR)
        buffer_append_text(out, reader->error);
    if (status != RESP_OK)
        return;
    buffer_printf(out, "%zu;", reader->argc);
    for (size_t i = 0; i < reader->argc; i++) {
        buffer_printf(out, "%zu:", reader->argv[i].len);
        buffer_append(out, reader->argv[i].data, reader->argv[i].len);
    }
}

static struct buffer read_all(struct resp_reader reader, struct bytes text, size_t piece)
{
    struct buffer out = { 0 };
    resp_read_in_pieces(&reader, text, piece, note, &out);
    resp_reader_free(&reader);
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
    struct buffer whole = read_all(start, text, SIZE_MAX);
    struct buffer cut = read_all(start, text, 1 + data[0] % 64);
    /* How soon a line without an end is too long depends on what is there with it. */
    if (size < RESP_INLINE_MAX && !bytes_equal(buffer_bytes(&whole), buffer_bytes(&cut)))
        abort();
    buffer_free(&whole);
    buffer_free(&cut);
    return 0;
}
