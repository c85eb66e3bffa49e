/* A line into words, with the quoting of redis.conf, inline commands and batch files: "..." with
 * \n \r \t \b \a \xHH \" \\ and '...' with \'. A quote that is not closed, or that is followed by
 * anything but space, is an error. */
#ifndef COMMON_WORDS_H
#define COMMON_WORDS_H

#include "common/buffer.h"

struct words {
    struct bytes *items; /* views into `text` */
    size_t count;
    char *text; /* owned */
};

bool words_split(struct bytes line, struct words *words); /* false: unbalanced quotes */
void words_free(struct words *words);
/* Appends the bytes as one word that words_split reads back, quoted only where needed. */
void words_quote(struct buffer *out, struct bytes word);

#endif
