/* Plays the socket for a reader of RESP; see the header. */
#include "tests/support/resp_pieces.h"
#include <stdlib.h>
#include <string.h>

/* One call, with the bytes at a place of their own. */
static enum resp_status read_copy(struct resp_reader *reader, struct bytes bytes, size_t *consumed,
    resp_note_fn *note, struct buffer *out)
{
    char *copy = malloc(bytes.len);
    memcpy(copy, bytes.data, bytes.len);
    enum resp_status status = resp_read(reader, copy, bytes.len, consumed);
    if (*consumed > bytes.len || (status == RESP_OK) != (*consumed != 0))
        abort();
    if (status == RESP_MORE && resp_reader_missing(reader, bytes.len) == 0)
        abort();
    note(out, reader, status);
    free(copy);
    return status;
}

size_t resp_read_in_pieces(struct resp_reader *reader, struct bytes text, size_t piece,
    resp_note_fn *note, struct buffer *out)
{
    size_t start = 0, end = 0, consumed;
    enum resp_status status = RESP_MORE;
    while (status != RESP_ERROR && (status == RESP_OK || end < text.len)) {
        if (status == RESP_MORE)
            end = text.len - end < piece ? text.len : end + piece;
        struct bytes there = { text.data + start, end - start };
        status = read_copy(reader, there, &consumed, note, out);
        start += consumed;
    }
    return status == RESP_ERROR ? 0 : text.len - start;
}
