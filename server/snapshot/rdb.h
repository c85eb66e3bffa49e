/* RDB, the snapshot format of Redis: the numbers that its writer and its reader share.
 *
 * A file is "REDIS" and four digits of version, then records that begin with one byte (an opcode,
 * or the type of a key), then RDB_OPCODE_END and, since version 5, eight bytes of CRC-64. Integers
 * behind opcodes are little endian, lengths have an encoding of their own. Source: shared facts of
 * the wire, checked against the files that redis-server 7.0.15 writes and reads; opcode 244 is
 * Valkey 8's. */
#ifndef SERVER_SNAPSHOT_RDB_H
#define SERVER_SNAPSHOT_RDB_H

#include "common/bytes.h"
#include <stdint.h>

enum {
    RDB_VERSION = 10,          /* written: what Redis 7.0 and everything since reads */
    RDB_VERSION_READ_MAX = 11, /* read: Redis 7.2, Valkey 8 */
    RDB_VERSION_CHECKSUM = 5,  /* the first version with a checksum at its end */
    RDB_MAGIC_LEN = 5,
    RDB_HEADER_LEN = 9,
    RDB_KEY_MAX = 512 * 1024 * 1024, /* bytes of a key */
};

enum rdb_opcode {
    RDB_OPCODE_SLOT_INFO = 244,    /* three lengths: slot, keys, keys with an expiry; a hint */
    RDB_OPCODE_FUNCTION = 245,     /* a string: the code of a function library */
    RDB_OPCODE_OLD_FUNCTION = 246, /* the same in release candidates of 7.0 */
    RDB_OPCODE_MODULE_AUX = 247,   /* data of a module that belongs to no key */
    RDB_OPCODE_IDLE = 248,         /* a length: seconds since the key was used */
    RDB_OPCODE_FREQ = 249,         /* a byte: the key's LFU counter */
    RDB_OPCODE_AUX = 250,          /* two strings: a name, a value */
    RDB_OPCODE_SIZES = 251,        /* two lengths: keys, keys with an expiry; a hint */
    RDB_OPCODE_EXPIRY_MS = 252,    /* 8 bytes */
    RDB_OPCODE_EXPIRY_S = 253,     /* 4 bytes */
    RDB_OPCODE_DATABASE = 254,     /* a length */
    RDB_OPCODE_END = 255,
};

/* Bytes that stand for the type of a key, and for how its value is kept. */
enum rdb_type {
    RDB_TYPE_STRING = 0,
    RDB_TYPE_LIST = 1,
    RDB_TYPE_SET = 2,
    RDB_TYPE_ZSET = 3, /* scores as text */
    RDB_TYPE_HASH = 4,
    RDB_TYPE_ZSET_2 = 5, /* scores as binary doubles */
    RDB_TYPE_HASH_ZIPMAP = 9,
    RDB_TYPE_LIST_ZIPLIST = 10,
    RDB_TYPE_SET_INTSET = 11,
    RDB_TYPE_ZSET_ZIPLIST = 12,
    RDB_TYPE_HASH_ZIPLIST = 13,
    RDB_TYPE_LIST_QUICKLIST = 14, /* nodes are ziplists */
    RDB_TYPE_STREAM_LISTPACKS = 15,
    RDB_TYPE_HASH_LISTPACK = 16,
    RDB_TYPE_ZSET_LISTPACK = 17,
    RDB_TYPE_LIST_QUICKLIST_2 = 18, /* nodes are plain strings or listpacks */
    RDB_TYPE_STREAM_LISTPACKS_2 = 19,
    RDB_TYPE_SET_LISTPACK = 20,
    RDB_TYPE_STREAM_LISTPACKS_3 = 21,
    RDB_TYPE_MAX = RDB_OPCODE_SLOT_INFO - 1
};

/* The two top bits of a length's first byte, and the whole byte where the length follows it. */
enum {
    RDB_LENGTH_6 = 0x00,
    RDB_LENGTH_14 = 0x40,
    RDB_LENGTH_32 = 0x80,
    RDB_LENGTH_64 = 0x81,
    RDB_LENGTH_SPECIAL = 0xc0, /* not a length: the six other bits say how a string is kept */
};

enum rdb_special { RDB_SPECIAL_INT8, RDB_SPECIAL_INT16, RDB_SPECIAL_INT32, RDB_SPECIAL_LZF };

enum { RDB_NO_EXPIRY = -1, RDB_NO_IDLE = -1, RDB_NO_FREQ = -1 };

/* What stands before a key's value. */
struct rdb_key {
    struct bytes name;
    int64_t expiry; /* Unix time in ms, or RDB_NO_EXPIRY */
    int64_t idle;   /* seconds, or RDB_NO_IDLE */
    int freq;       /* 0 to 255, or RDB_NO_FREQ */
    uint8_t type;   /* the type byte: says how the value that follows is encoded */
};

/* "list", "set", ... for a type byte, "unknown type" for one that no version up to 11 has. */
const char *rdb_type_name(uint8_t type);

#endif
