/* Hashes: fields with values. Small ones are a listpack (field, value, field, value ...), others a
 * dictionary whose items have the value behind the field.
 *
 * Who works on a hash has a struct hash: what lies out of line, and how it is kept. Functions that
 * change it want a value that the caller alone holds (`own` of the type's row), and may put another
 * value and encoding there: they must be put back to where they came from. Fields and values are at
 * most UINT32_MAX bytes. */
#ifndef SERVER_TYPE_HASH_H
#define SERVER_TYPE_HASH_H

#include "common/number.h"
#include "server/type/dict.h"
#include "server/type/listpack.h"
#include "server/type/type.h"

extern const struct type hash_type;

struct hash {
    void *value;
    enum encoding encoding; /* ENCODING_LISTPACK or ENCODING_HASHTABLE */
};

/* Up to where a hash is a listpack. */
struct hash_limits {
    size_t entries; /* fields */
    size_t bytes;   /* of one field or value */
};

struct hash hash_create(void);               /* a listpack without fields */
struct hash hash_create_table(size_t count); /* a dictionary with room for so many */
void hash_free(struct hash *hash);
/* Takes over the listpack: an even count of elements, fields all different. */
struct hash hash_from_listpack(struct listpack *pack);
/* The dictionary of ENCODING_HASHTABLE. */
struct dict *hash_dict(const struct hash *hash);

size_t hash_count(const struct hash *hash);
/* False: no such field. The value is good until the next change, or lies in scratch
 * (NUMBER_TEXT_MAX bytes). */
bool hash_get(const struct hash *hash, struct bytes field, char *scratch, struct bytes *value);
/* Returns whether the field is new. Becomes a dictionary where the limits call for it. The bytes
 * must not lie in the hash. */
bool hash_set(
    struct hash *hash, struct bytes field, struct bytes value, const struct hash_limits *limits);
/* Returns whether the field was there. */
bool hash_remove(struct hash *hash, struct bytes field);
/* A listpack becomes a dictionary. False, and nothing has changed: a field is there twice. */
bool hash_make_table(struct hash *hash);

/* --- Going about. The bytes are good until the next step or change. --- */

struct hash_pair {
    struct bytes field, value;
    char scratch[2][NUMBER_TEXT_MAX];
};

/* All pairs; a listpack's in its order. The hash must not change in between.
 *     struct hash_iterator iterator = hash_iterate(&hash);
 *     while (hash_next(&iterator, &pair)) ... */
struct hash_iterator {
    const struct listpack *pack; /* or, where NULL, the dictionary */
    const unsigned char *at;
    struct dict_iterator items;
};
struct hash_iterator hash_iterate(const struct hash *hash);
bool hash_next(struct hash_iterator *iterator, struct hash_pair *pair);

/* Of an item of a hash's dictionary. */
void hash_item_pair(const struct dict *dict, struct item *item, struct hash_pair *pair);

#endif
