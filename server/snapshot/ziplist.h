/* Ziplists: what stood in the place of listpacks in RDB files of Redis before 7.0. They are only
 * read.
 *
 *   total bytes 4 | offset of the last entry 4 | entries 2 (65535: count them) | entry ... | 0xff
 *   entry: length of the one before | encoding and length | data
 *
 * Little endian, but for the lengths of strings. Source of the format: public descriptions, checked
 * against payloads that redis-server takes. */
#ifndef SERVER_SNAPSHOT_ZIPLIST_H
#define SERVER_SNAPSHOT_ZIPLIST_H

#include "common/error.h"
#include "server/type/listpack.h"

/* The same elements as a listpack, the caller's. False, and error set: the bytes, of any origin,
 * are no whole ziplist. */
bool ziplist_to_listpack(struct bytes bytes, struct listpack **pack, struct error *error);

#endif
