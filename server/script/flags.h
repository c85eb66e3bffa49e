/* What a script says of itself: the words behind "flags=" in the first line of an EVAL script, and
 * in the flags table of redis.register_function. */
#ifndef SERVER_SCRIPT_FLAGS_H
#define SERVER_SCRIPT_FLAGS_H

#include "common/bytes.h"
#include "common/error.h"

enum script_flag {
    SCRIPT_NO_WRITES = 1 << 0,
    SCRIPT_ALLOW_OOM = 1 << 1,
    SCRIPT_ALLOW_STALE = 1 << 2,
    SCRIPT_NO_CLUSTER = 1 << 3,
    SCRIPT_ALLOW_CROSS_SLOT = 1 << 4,
    /* It has no first line: it may do what scripts could before there were flags. */
    SCRIPT_COMPATIBLE = 1 << 8,
};

/* The flags by name, in the order in which FUNCTION LIST tells them; ends with a NULL name. */
struct script_flag_name {
    const char *name;
    unsigned flag;
};
extern const struct script_flag_name script_flag_names[];

/* 0: there is no such flag. The names are case-sensitive. */
unsigned script_flag_find(struct bytes name);

/* Reads the first line of an EVAL script. *flags: SCRIPT_COMPATIBLE where it has none; *start:
 * bytes that are not Lua (the line without its end, so that lines keep their numbers). */
bool script_read_shebang(struct bytes body, unsigned *flags, size_t *start, struct error *error);

#endif
