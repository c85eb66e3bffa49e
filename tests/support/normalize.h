/* Two replies that say the same in other words: what of them must be equal. */
#ifndef TESTS_SUPPORT_NORMALIZE_H
#define TESTS_SUPPORT_NORMALIZE_H

#include "common/buffer.h"

enum normalize_kind {
    NORMALIZE_EXACT,       /* byte for byte */
    NORMALIZE_UNORDERED,   /* an array or a set, its elements in any order */
    NORMALIZE_DEEP,        /* at all depths: arrays of elements of one type, integers excepted */
    NORMALIZE_PAIRS,       /* a map, or an array of names and values, in any order */
    NORMALIZE_NAMES,       /* the same, the names alone */
    NORMALIZE_SHAPE,       /* types and counts, not the values */
    NORMALIZE_TYPE,        /* the first byte: kind of the reply */
    NORMALIZE_FIELDS,      /* a text of "name:value" lines: the fields named in `argument` */
    NORMALIZE_FIELD_NAMES, /* such a text: what names and sections a has, b has, and perhaps more */
    NORMALIZE_NEAR,   /* integers not more than `argument` apart (a fraction: bulks and doubles) */
    NORMALIZE_IGNORE, /* nothing */
};

struct normalize {
    enum normalize_kind kind;
    struct bytes argument;
};

/* The kind that a script calls by this name ("unordered", ...); false: none. */
bool normalize_by_name(struct bytes name, enum normalize_kind *kind, bool *takes_argument);

bool normalize_equal(const struct normalize *normalize, struct bytes a, struct bytes b);

#endif
