#include "server/snapshot/rdb.h"

#include <stddef.h>

static const char *const type_names[] = {
    [0] = "string",
    [1] = "list",
    [2] = "set",
    [3] = "sorted set",
    [4] = "hash",
    [5] = "sorted set",
    [6] = "module",
    [7] = "module",
    [9] = "hash",
    [10] = "list",
    [11] = "set",
    [12] = "sorted set",
    [13] = "hash",
    [14] = "list",
    [15] = "stream",
    [16] = "hash",
    [17] = "sorted set",
    [18] = "list",
    [19] = "stream",
    [20] = "set",
    [21] = "stream",
};

const char *rdb_type_name(uint8_t type)
{
    const char *name = type < sizeof(type_names) / sizeof(type_names[0]) ? type_names[type] : NULL;
    return name ? name : "unknown type";
}
