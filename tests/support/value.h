/* Values as texts that can be compared, whatever their type. */
#ifndef TESTS_SUPPORT_VALUE_H
#define TESTS_SUPPORT_VALUE_H

#include "common/buffer.h"
#include "tests/support/client.h"

/* Type and contents of a key's value, so that equal values give equal bytes: members of sets and
 * fields of hashes are sorted. A key that is not there gives "none". The caller frees. Fails the
 * test where there is no reply. */
struct buffer value_text(struct client *client, const char *key, size_t len);

/* Whether the two keys have equal values; says on standard error where they differ. */
bool value_equal(struct client *a, const char *key, size_t len, struct client *b, const char *other,
    size_t other_len);

#endif
