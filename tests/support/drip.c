/* Bytes of memory, a few at a time; see the header. */
#include "tests/support/drip.h"
#include <string.h>

ssize_t drip_read(void *context, void *to, size_t len, struct error *error)
{
    struct drip *drip = context;
    size_t n = len < drip->piece ? len : drip->piece;
    n = n < drip->left.len ? n : drip->left.len;
    if (n > 0)
        memcpy(to, drip->left.data, n);
    drip->left = (struct bytes){ drip->left.data + n, drip->left.len - n };
    return (ssize_t)n;
}
