/* What a line splits into, quoted word by word, must split into the same again. */
#include "common/words.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct words first, second;
    if (!words_split((struct bytes){ (const char *)data, size }, &first))
        return 0;
    struct buffer line = { 0 };
    for (size_t i = 0; i < first.count; i++) {
        words_quote(&line, first.items[i]);
        buffer_append_char(&line, ' ');
    }
    if (!words_split(buffer_bytes(&line), &second) || second.count != first.count)
        abort();
    for (size_t i = 0; i < first.count; i++) {
        if (!bytes_equal(first.items[i], second.items[i]))
            abort();
    }
    words_free(&first);
    words_free(&second);
    buffer_free(&line);
    return 0;
}
