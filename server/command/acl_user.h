/* A user as a value: passwords, and selectors that say what may be done. A value is built by rules
 * ("+get", "~k*", ">secret"), and once it is published (acl_users.h) it never changes: whoever
 * changes a user copies the value, changes the copy and publishes that.
 *
 * Ids of commands are those of the registry, which must be there before the first user. */
#ifndef SERVER_COMMAND_ACL_USER_H
#define SERVER_COMMAND_ACL_USER_H

#include "common/buffer.h"
#include "common/error.h"
#include <stdint.h>

enum { ACL_HASH_SIZE = 32 }; /* SHA-256 */

enum acl_user_flag {
    ACL_ON = 1,
    ACL_NOPASS = 2, /* any password is right */
    ACL_SANITIZE = 4,
    ACL_SKIP_SANITIZE = 8,
};

enum acl_selector_flag {
    ACL_ALL_COMMANDS = 1,
    ACL_ALL_KEYS = 2,
    ACL_ALL_CHANNELS = 4,
    ACL_FUTURE_COMMANDS = 8, /* its rules began with +@all: it says what is not allowed */
};

enum acl_access { ACL_READ = 1, ACL_WRITE = 2 };

struct acl_pattern {
    unsigned access; /* enum acl_access; of channels 0 */
    size_t len;
    char *text; /* owned */
};

struct acl_patterns {
    struct acl_pattern *items; /* owned; in the order in which they came */
    size_t count;
};

/* +select|0: a command that is not allowed but with this first argument. */
struct acl_first_arg {
    unsigned command;
    char *text; /* owned */
};

struct acl_selector {
    unsigned flags;     /* enum acl_selector_flag */
    uint64_t *commands; /* owned; a bit for each id */
    struct acl_first_arg *first_args;
    size_t first_arg_count;
    struct acl_patterns keys, channels;
};

struct acl_user {
    unsigned flags;                            /* enum acl_user_flag */
    unsigned char (*passwords)[ACL_HASH_SIZE]; /* owned */
    size_t password_count;
    struct acl_selector *selectors; /* owned; the first one is the user's own and always there */
    size_t selector_count;
};

/* A user who may do nothing, and is off. Channels are as acl-pubsub-default has them. */
struct acl_user *acl_user_create(void);
/* The default user as it is where nothing is said of it: on, without password, may do all. */
struct acl_user *acl_user_create_default(void);
struct acl_user *acl_user_copy(const struct acl_user *user);
void acl_user_free(struct acl_user *user);

/* Applies one rule, as ACL SETUSER has them; a selector is one rule, "(+get ~k*)". False: error
 * says why, in Redis's words, and the user is as it was, but for what a selector's rules have
 * done to a selector that is not added. */
bool acl_user_apply(struct acl_user *user, struct bytes rule, struct error *error);
/* Words that make one selector ("(+get", "~k*)") are one rule. Puts the rule that begins at
 * words[at] into *rule, and gives the index behind it. *unmatched: a selector begins there and has
 * no end; *rule is its first word. */
size_t acl_rule_next(
    const struct bytes *words, size_t count, size_t at, struct buffer *rule, bool *unmatched);
/* Applies the rules that the words make, up to one that is wrong: *culprit is that rule then. The
 * caller frees *culprit in any case. Where a selector has no end no rule is applied. */
bool acl_user_apply_all(struct acl_user *user, const struct bytes *words, size_t count,
    struct buffer *culprit, bool *unmatched, struct error *error);
/* The user is new again: as acl_user_create has it. */
void acl_user_reset(struct acl_user *user);

/* A password as it is kept: ACL_HASH_SIZE bytes. */
void acl_hash(struct bytes password, unsigned char *hash);
/* Whether the password with this hash is one of the user's, or any is right. Takes as long for one
 * that differs in its first byte as for one that differs in its last. */
bool acl_user_has_hash(const struct acl_user *user, const unsigned char *hash);
/* Nothing has to be asked: all commands, keys and channels. */
bool acl_user_may_all(const struct acl_user *user);
static inline bool acl_selector_allows(const struct acl_selector *selector, unsigned id)
{
    return selector->commands[id / 64] >> id % 64 & 1;
}

/* --- As text, in rules that make the same user. --- */

/* "on nopass ~* &* +@all" */
void acl_user_describe(const struct acl_user *user, struct buffer *out);
/* The flags, as ACL GETUSER and describe name them; NULL at the end. */
const char *acl_user_flag_name(const struct acl_user *user, unsigned index);
void acl_describe_commands(const struct acl_selector *selector, struct buffer *out);
void acl_describe_keys(const struct acl_selector *selector, struct buffer *out);
/* Of channels that are not all, without "resetchannels". */
void acl_describe_channels(const struct acl_selector *selector, struct buffer *out);
/* 64 hexadecimal digits. */
void acl_describe_password(const unsigned char *hash, struct buffer *out);

#endif
