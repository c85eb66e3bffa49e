/* Requests that come in pieces, as a socket may give them. */
#ifndef TESTS_SUPPORT_RESP_PIECES_H
#define TESTS_SUPPORT_RESP_PIECES_H

#include "common/buffer.h"
#include "common/resp.h"

/* What is to be written down of one call of resp_read. */
typedef void resp_note_fn(
    struct buffer *out, const struct resp_reader *reader, enum resp_status status);

/* Reads the text up to its end or an error, with `piece` more bytes for each RESP_MORE, and notes
 * every call. The bytes lie elsewhere each time, in a block of just their size, so that the address
 * sanitizer sees a view that outlives its call and any step beyond what is there. Gives how many
 * bytes are left of a request that is not whole; 0 after an error. Aborts where the reader breaks
 * its word. Frees neither the reader nor out. */
size_t resp_read_in_pieces(struct resp_reader *reader, struct bytes text, size_t piece,
    resp_note_fn *note, struct buffer *out);

#endif
