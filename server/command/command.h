/* The command table: one row for each command, in the file of its family. Dispatch, COMMAND INFO, COMMAND
 * DOCS, ACL categories and the tests are made from these rows. */
#ifndef SERVER_COMMAND_COMMAND_H
#define SERVER_COMMAND_COMMAND_H

#include "common/bytes.h"
#include "common/error.h"
#include <stdint.h>

struct call;
typedef void command_fn_t(struct call *call);

/* As COMMAND INFO names them. */
enum command_flag {
    CMD_WRITE = 1 << 0,
    CMD_READONLY = 1 << 1,
    CMD_DENYOOM = 1 << 2,
    CMD_ADMIN = 1 << 3,
    CMD_PUBSUB = 1 << 4,
    CMD_NOSCRIPT = 1 << 5,
    CMD_BLOCKING = 1 << 6,
    CMD_LOADING = 1 << 7,       /* may run while the data set is loaded */
    CMD_STALE = 1 << 8,         /* may run on a replica without its primary's data */
    CMD_SKIP_MONITOR = 1 << 9,
    CMD_SKIP_SLOWLOG = 1 << 10,
    CMD_ASKING = 1 << 11,       /* serves an importing slot without ASKING */
    CMD_FAST = 1 << 12,
    CMD_NO_AUTH = 1 << 13,
    CMD_MAY_REPLICATE = 1 << 14,
    CMD_NO_ASYNC_LOADING = 1 << 15,
    CMD_NO_MULTI = 1 << 16,
    CMD_NO_MANDATORY_KEYS = 1 << 17,
    CMD_ALLOW_BUSY = 1 << 18,
    CMD_MOVABLE_KEYS = 1 << 19,
    CMD_SENTINEL = 1 << 20,
    /* Ours, not shown: */
    CMD_ALL_SLOTS = 1 << 24,    /* visits slots one after another itself (KEYS, FLUSHALL ...) */
    CMD_IN_MULTI = 1 << 25,     /* runs at once within a transaction instead of being queued */
    CMD_EXEC = 1 << 26,         /* does what the transaction's commands do */
    CMD_NEEDS_DISK = 1 << 23,   /* refused as writes are while the disk fails */
    CMD_PARKS = 1 << 27,        /* may park within a transaction, too: see late.h */
    CMD_AFTER_PARKED = 1 << 28, /* waits, within a transaction, for those that have parked before it */
};

/* Where the keys are, as the key specifications of Redis 7 say it. An array ends with a row of zeroes. One that is
 * unknown (KEY_BEGIN_UNKNOWN) is of one key, where it has a keyword: behind that, from `index` on, as in SORT. */
enum key_spec_flag {
    KEY_RO = 1 << 0,
    KEY_RW = 1 << 1,
    KEY_OW = 1 << 2,
    KEY_RM = 1 << 3,
    KEY_ACCESS = 1 << 4,
    KEY_UPDATE = 1 << 5,
    KEY_INSERT = 1 << 6,
    KEY_DELETE = 1 << 7,
    KEY_NOT_KEY = 1 << 8,
    KEY_INCOMPLETE = 1 << 9,
    KEY_VARIABLE_FLAGS = 1 << 10,
};

enum key_begin { KEY_BEGIN_NONE, KEY_BEGIN_INDEX, KEY_BEGIN_KEYWORD, KEY_BEGIN_UNKNOWN };
enum key_find { KEY_FIND_RANGE, KEY_FIND_KEYNUM, KEY_FIND_UNKNOWN };

struct key_spec {
    enum key_begin begin;
    unsigned flags;         /* enum key_spec_flag */
    int index;              /* BEGIN_INDEX: position; BEGIN_KEYWORD: where the search starts (negative: backwards) */
    const char *keyword;
    enum key_find find;
    int last, step, limit;  /* FIND_RANGE: last relative to the begin (negative: from the end) */
    int count_at, first;    /* FIND_KEYNUM: both relative to the begin; step as above */
    const char *notes;
};

/* An argument as COMMAND DOCS tells it; an array ends with a row of zeroes. */
enum arg_type {
    ARG_END, ARG_STRING, ARG_INTEGER, ARG_DOUBLE, ARG_KEY, ARG_PATTERN, ARG_UNIX_TIME,
    ARG_PURE_TOKEN, ARG_ONEOF, ARG_BLOCK
};
enum arg_flag { ARG_OPTIONAL = 1, ARG_MULTIPLE = 2, ARG_MULTIPLE_TOKEN = 4 };

struct command_arg {
    const char *name;
    enum arg_type type;
    unsigned flags;
    const char *token;
    int key_spec;                  /* of ARG_KEY: index of its key specification */
    const char *since;
    const struct command_arg *args; /* of ARG_ONEOF and ARG_BLOCK */
};

struct command_history {
    const char *since, *change;
};

struct command {
    const char *name;              /* lower case; of a subcommand without its parent's */
    void (*run)(struct call *call); /* NULL for a mere container of subcommands */
    int arity;                     /* arguments with the name; negative: at least */
    unsigned flags;                /* enum command_flag */
    const struct key_spec *keys;   /* NULL: no keys */
    const char *categories;        /* ACL categories beyond those the flags and the group give: "@dangerous" */
    const char *group;             /* "string", "generic", "cluster", "connection", "server", "transactions" ... */
    const char *since;
    const char *summary;
    const char *complexity;
    const char *const *tips;       /* ends with NULL */
    const struct command_arg *args;
    const struct command_history *history; /* ends with a row of zeroes */
    const char *deprecated_since, *replaced_by;
    const struct command *subcommands; /* ends with a row of zeroes */
    uint8_t member; /* argument that names a member of the key's collection, to be prefetched; 0: none */
};

/* The usual places of keys: one at 1; all from 1 to the end; one at each second from 1; the first two ... Each with
 * the access flags of the name. See keys.c for the list; a family defines what only it needs. */
extern const struct key_spec keys_first_ro[], keys_first_rw_update[], keys_first_ow[], keys_first_rm[],
    keys_all_ro[], keys_all_rm[], keys_pairs_ow[];

/* A command as the registry knows it: the row, its parent, and a number for statistics. */
struct command_entry {
    const struct command *command;
    const struct command *parent; /* of a subcommand, else NULL */
    unsigned id;                  /* 0 .. command_count() - 1 */
    unsigned name_len;
    char name[56];                /* "get", "client|kill" */
    const char *called;           /* how clients call it: NULL for one that they must not */
};

/* Builds the registry from the families' tables (registry.c lists them); once, before any thread. */
void command_registry_init(void);
/* rename-command NAME OTHER: the command is called otherwise from now on, or, where that is empty, by
 * nobody. Everywhere else it keeps its name (command_lookup_original). Before any thread. */
bool command_rename(const struct bytes *words, size_t count, struct error *error);
unsigned command_count(void);
const struct command_entry *command_by_id(unsigned id);
/* Containers resolve to their subcommand by the second argument. NULL: unknown; *container is set where the
 * first word is known but the second is not. */
const struct command_entry *command_lookup(
    const struct bytes *argv, int argc, const struct command_entry **container);
/* The same, and where nothing is called so, the command whose own name that is: the effects in the
 * stream and in files have those. */
const struct command_entry *command_lookup_original(
    const struct bytes *argv, int argc, const struct command_entry **container);

/* The positions of the keys of a request, in order: fills at most `max`, returns how many there are, or -1
 * where the arguments make no sense. */
int command_keys(const struct command *command, const struct bytes *argv, int argc, int *positions, int max);
/* The same with what is no key but belongs to a slot as well (KEY_NOT_KEY: sharded channels). */
int command_slotted(const struct command *command, const struct bytes *argv, int argc, int *positions, int max);

/* What the request does with a key that this specification of the command finds (enum key_spec_flag): where that
 * depends on the arguments (SET, BITFIELD), what it depends on has been looked at. */
unsigned command_spec_flags(
    const struct key_spec *spec, const struct command_entry *entry, const struct bytes *argv, int argc);
/* For each argument those flags, of the first specification that finds a key there; 0: no key. The caller frees. */
unsigned *command_key_flags(const struct command_entry *entry, const struct bytes *argv, int argc);

/* Whether a request of this command has exactly one key, at a fixed place: the fast way through dispatch. */
static inline bool command_has_one_key(const struct command *command)
{
    const struct key_spec *spec = command->keys;
    return spec && spec->begin == KEY_BEGIN_INDEX && spec->find == KEY_FIND_RANGE &&
           spec->last == 0 && !spec[1].begin && !(spec->flags & KEY_NOT_KEY);
}

#endif
