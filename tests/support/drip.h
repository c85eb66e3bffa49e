/* A source of bytes, as readers of files and of sockets take them, that gives few at a time. */
#ifndef TESTS_SUPPORT_DRIP_H
#define TESTS_SUPPORT_DRIP_H

#include "common/bytes.h"
#include "common/error.h"
#include <sys/types.h>

struct drip {
    struct bytes left;
    size_t piece; /* bytes at a time, at the most */
};

/* For struct rdb_source; context is the drip. Gives 0 at the end, and never fails. */
ssize_t drip_read(void *context, void *to, size_t len, struct error *error);

#endif
