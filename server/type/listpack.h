/* A listpack: strings and integers packed one behind the other into a single allocation, byte for
 * byte as Redis keeps them, so that RDB and DUMP take them as they are. For what is small: a search
 * walks it.
 *
 *   total bytes 4 | elements 2 (65535: count them) | element ... | 0xff
 *   element: encoding and data | their length, readable backwards
 *
 * A position is a pointer to an element, good until the next change; NULL is the place behind the
 * last. A change may move the listpack: take the returned one. At most LISTPACK_BYTES_MAX bytes:
 * who adds asks listpack_has_room before. Source of the format: the listpack specification, checked
 * against payloads that redis-server 7.0.15 dumps. */
#ifndef SERVER_TYPE_LISTPACK_H
#define SERVER_TYPE_LISTPACK_H

#include "common/bytes.h"
#include "common/number.h"

#define LISTPACK_BYTES_MAX (UINT32_C(1) << 30)

struct listpack {
    unsigned char bytes[1];
};

struct listpack *listpack_create(void);
/* A copy of bytes that listpack_is_valid has approved. */
struct listpack *listpack_from(struct bytes bytes);
struct listpack *listpack_copy(const struct listpack *pack);
void listpack_free(struct listpack *pack);

/* Whether these bytes, of any origin, are a whole listpack: every element within its bounds, the
 * lengths backwards as they must be, the count right. */
bool listpack_is_valid(struct bytes bytes);

size_t listpack_size(const struct listpack *pack);  /* in bytes */
size_t listpack_count(const struct listpack *pack); /* elements */
static inline struct bytes listpack_bytes(const struct listpack *pack)
{
    return (struct bytes){ (const char *)pack->bytes, listpack_size(pack) };
}
/* Whether `len` bytes more in one element stay below LISTPACK_BYTES_MAX. */
bool listpack_has_room(const struct listpack *pack, size_t len);

/* --- Going about. NULL: there is none. --- */
const unsigned char *listpack_first(const struct listpack *pack);
const unsigned char *listpack_last(const struct listpack *pack);
const unsigned char *listpack_next(const struct listpack *pack, const unsigned char *at);
const unsigned char *listpack_previous(const struct listpack *pack, const unsigned char *at);
/* The element with that index, from the end where negative (-1: the last). */
const unsigned char *listpack_seek(const struct listpack *pack, long index);
/* From `at` on: the first element that equals value, looking at one and leaving out `skip` after
 * it. */
const unsigned char *listpack_find(
    const struct listpack *pack, const unsigned char *at, struct bytes value, unsigned skip);

/* --- Elements. --- */
/* The text; of an integer its digits, in scratch (NUMBER_TEXT_MAX bytes). */
struct bytes listpack_get(const unsigned char *at, char *scratch);
bool listpack_get_integer(
    const unsigned char *at, int64_t *value); /* false: not kept as an integer */
bool listpack_is(const unsigned char *at, struct bytes value);
size_t listpack_element_size(struct bytes value); /* bytes that this would take */

/* --- Changes. The value must not lie in the listpack itself. --- */
/* Before `at`, or at the end where it is NULL. *added, where not NULL, gets the place of the new
 * element. */
struct listpack *listpack_insert(struct listpack *pack, const unsigned char *at, struct bytes value,
    const unsigned char **added);
struct listpack *listpack_append(struct listpack *pack, struct bytes value);
struct listpack *listpack_append_integer(struct listpack *pack, int64_t value);
struct listpack *listpack_prepend(struct listpack *pack, struct bytes value);
/* *at moves with the element. */
struct listpack *listpack_replace(
    struct listpack *pack, const unsigned char **at, struct bytes value);
/* Removes up to `count` elements from *at on; *at is then what followed them. */
struct listpack *listpack_remove(struct listpack *pack, const unsigned char **at, size_t count);
/* All of `other` behind what is there; the sum has room. */
struct listpack *listpack_concatenate(struct listpack *pack, const struct listpack *other);

/* --- The format itself, for who keeps listpacks in memory of its own (list_chunk.c). --- */
enum { LISTPACK_HEADER = 6 };
/* What an element is made of before its length backwards. */
struct listpack_element {
    unsigned char head[9];
    size_t head_len;
    struct bytes text; /* behind the head: of the value itself; empty for an integer */
    size_t total;      /* bytes, with the length backwards */
};
void listpack_encode(struct listpack_element *element, struct bytes value);
void listpack_element_write(unsigned char *to, const struct listpack_element *element);
size_t listpack_element_total(const unsigned char *at);
/* Writes the header and the end byte; `size` includes both. */
void listpack_set_header(struct listpack *pack, size_t size, size_t count);

#endif
