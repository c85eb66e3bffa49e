/* Rules of a user as a whole (on, off, passwords, selectors); what else a rule says goes to the
 * user's own selector. Passwords are kept as hashes only, and compared as hashes: what is compared
 * tells nothing of how much of a password was right. */
#include "server/command/acl_user.h"

#include "common/memory.h"
#include "server/command/acl_selector.h"
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <stdlib.h>

enum { HASH_DIGITS = 2 * ACL_HASH_SIZE };

/* ---- Life ---- */

static struct acl_selector *add_selector(struct acl_user *user)
{
    user->selectors =
        memory_resize(user->selectors, (user->selector_count + 1) * sizeof(*user->selectors));
    return &user->selectors[user->selector_count++];
}

struct acl_user *acl_user_create(void)
{
    struct acl_user *user = memory_alloc_zeroed(1, sizeof(*user));
    acl_selector_init(add_selector(user));
    return user;
}

struct acl_user *acl_user_create_default(void)
{
    struct acl_user *user = acl_user_create();
    user->flags = ACL_ON | ACL_NOPASS;
    acl_patterns_clear(&user->selectors->channels);
    user->selectors->flags |= ACL_ALL_KEYS | ACL_ALL_CHANNELS;
    acl_selector_set_all(user->selectors, true);
    return user;
}

struct acl_user *acl_user_copy(const struct acl_user *user)
{
    struct acl_user *copy = memory_copy(user, sizeof(*user));
    copy->passwords = NULL;
    if (user->password_count > 0)
        copy->passwords =
            memory_copy(user->passwords, user->password_count * sizeof(*user->passwords));
    copy->selectors = memory_alloc(user->selector_count * sizeof(*copy->selectors));
    for (size_t i = 0; i < user->selector_count; i++)
        acl_selector_copy(&copy->selectors[i], &user->selectors[i]);
    return copy;
}

static void clear_selectors(struct acl_user *user)
{
    while (user->selector_count > 1)
        acl_selector_free(&user->selectors[--user->selector_count]);
}

static void clear_passwords(struct acl_user *user)
{
    free(user->passwords);
    user->passwords = NULL;
    user->password_count = 0;
}

void acl_user_free(struct acl_user *user)
{
    if (!user)
        return;
    clear_selectors(user);
    acl_selector_free(user->selectors);
    free(user->selectors);
    clear_passwords(user);
    free(user);
}

void acl_user_reset(struct acl_user *user)
{
    clear_selectors(user);
    clear_passwords(user);
    acl_selector_free(user->selectors);
    acl_selector_init(user->selectors);
    user->flags = 0;
}

/* ---- Passwords ---- */

void acl_hash(struct bytes password, unsigned char *hash)
{
    SHA256((const unsigned char *)(password.len ? password.data : ""), password.len, hash);
}

/* The index of the hash, or password_count: all are looked at, whichever it is. */
static size_t find_password(const struct acl_user *user, const unsigned char *hash)
{
    size_t found = user->password_count;
    for (size_t i = 0; i < user->password_count; i++) {
        if (CRYPTO_memcmp(user->passwords[i], hash, ACL_HASH_SIZE) == 0)
            found = i;
    }
    return found;
}

bool acl_user_has_hash(const struct acl_user *user, const unsigned char *hash)
{
    size_t found = find_password(user, hash);
    return user->flags & ACL_NOPASS || found < user->password_count;
}

static bool parse_hash(struct bytes digits, unsigned char *hash, struct error *error)
{
    bool ok = digits.len == HASH_DIGITS;
    for (size_t i = 0; ok && i < HASH_DIGITS; i++) {
        char c = digits.data[i];
        ok = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
        unsigned digit = (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
        hash[i / 2] = (unsigned char)(i % 2 == 0 ? digit << 4 : hash[i / 2] | digit);
    }
    return ok || error_set(error, "The password hash must be exactly 64 characters and contain "
                                  "only lowercase hexadecimal characters");
}

/* >password, #hash */
static void add_password(struct acl_user *user, const unsigned char *hash)
{
    user->flags &= ~(unsigned)ACL_NOPASS;
    if (find_password(user, hash) < user->password_count)
        return;
    user->passwords =
        memory_resize(user->passwords, (user->password_count + 1) * sizeof(*user->passwords));
    memcpy(user->passwords[user->password_count++], hash, ACL_HASH_SIZE);
}

/* <password, !hash */
static bool remove_password(struct acl_user *user, const unsigned char *hash, struct error *error)
{
    size_t at = find_password(user, hash);
    if (at == user->password_count)
        return error_set(
            error, "The password you are trying to remove from the user does not exist");
    user->password_count--;
    memmove(user->passwords[at], user->passwords[at + 1],
        (user->password_count - at) * sizeof(*user->passwords));
    return true;
}

static bool apply_password(struct acl_user *user, struct bytes rule, struct error *error)
{
    unsigned char hash[ACL_HASH_SIZE];
    struct bytes text = { rule.data + 1, rule.len - 1 };
    if (rule.data[0] == '>' || rule.data[0] == '<')
        acl_hash(text, hash);
    else if (!parse_hash(text, hash, error))
        return false;
    if (rule.data[0] == '<' || rule.data[0] == '!')
        return remove_password(user, hash, error);
    add_password(user, hash);
    return true;
}

/* ---- Words ---- */

/* What a word does: flags that it sets and clears, and more. */
static void no_password(struct acl_user *user)
{
    clear_passwords(user);
}

static void make_new(struct acl_user *user)
{
    acl_user_reset(user);
    user->flags = ACL_SANITIZE;
}

static const struct {
    const char *word;
    unsigned set, clear;
    void (*apply)(struct acl_user *user); /* before the flags change; or NULL */
} words[] = {
    { "on", ACL_ON, 0, NULL },
    { "off", 0, ACL_ON, NULL },
    { "nopass", ACL_NOPASS, 0, no_password },
    { "resetpass", 0, ACL_NOPASS, no_password },
    { "sanitize-payload", ACL_SANITIZE, ACL_SKIP_SANITIZE, NULL },
    { "skip-sanitize-payload", ACL_SKIP_SANITIZE, ACL_SANITIZE, NULL },
    { "clearselectors", 0, 0, clear_selectors },
    { "reset", 0, 0, make_new },
};

/* "(+get ~k*)" */
static bool apply_selector(struct acl_user *user, struct bytes rule, struct error *error)
{
    struct acl_selector selector;
    struct bytes rest = { rule.data + 1, rule.len - 2 };
    acl_selector_init(&selector);
    while (rest.len > 0) {
        const char *end = memchr(rest.data, ' ', rest.len);
        struct bytes word = { rest.data, end ? (size_t)(end - rest.data) : rest.len };
        if (!acl_selector_apply(&selector, word, error)) {
            acl_selector_free(&selector);
            return false;
        }
        size_t used = word.len + (end ? 1 : 0);
        rest.data += used;
        rest.len -= used;
    }
    *add_selector(user) = selector;
    return true;
}

bool acl_user_apply(struct acl_user *user, struct bytes rule, struct error *error)
{
    if (rule.len == 0)
        return true;
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
        if (!bytes_is(rule, words[i].word))
            continue;
        if (words[i].apply)
            words[i].apply(user);
        user->flags = (user->flags & ~words[i].clear) | words[i].set;
        return true;
    }
    if (memchr("><#!", rule.data[0], 4))
        return apply_password(user, rule, error);
    if (rule.len >= 2 && rule.data[0] == '(' && rule.data[rule.len - 1] == ')')
        return apply_selector(user, rule, error);
    return acl_selector_apply(user->selectors, rule, error);
}

/* Whether the word begins a selector that it does not end. */
static bool is_open(struct bytes word)
{
    return word.len > 0 && word.data[0] == '(' && word.data[word.len - 1] != ')';
}

size_t acl_rule_next(
    const struct bytes *words_in, size_t count, size_t at, struct buffer *rule, bool *unmatched)
{
    struct bytes first = words_in[at++];
    bool open = is_open(first);
    rule->len = 0;
    buffer_append(rule, first.data, first.len);
    while (open && at < count) {
        struct bytes word = words_in[at++];
        buffer_append_char(rule, ' ');
        buffer_append(rule, word.data, word.len);
        open = word.len == 0 || word.data[word.len - 1] != ')';
    }
    *unmatched = open;
    if (open)
        rule->len = first.len;
    return at;
}

bool acl_user_apply_all(struct acl_user *user, const struct bytes *words_in, size_t count,
    struct buffer *culprit, bool *unmatched, struct error *error)
{
    *culprit = (struct buffer){ 0 };
    *unmatched = false;
    for (size_t at = 0; at < count && !*unmatched;)
        at = acl_rule_next(words_in, count, at, culprit, unmatched);
    if (*unmatched)
        return error_set(error, "Unmatched parenthesis in acl selector starting at '%.*s'.",
            (int)(culprit->len < 128 ? culprit->len : 128), culprit->data);
    for (size_t at = 0; at < count;) {
        at = acl_rule_next(words_in, count, at, culprit, unmatched);
        if (culprit->len > 0 && !acl_user_apply(user, buffer_bytes(culprit), error))
            return false;
    }
    return true;
}

bool acl_user_may_all(const struct acl_user *user)
{
    enum { ALL = ACL_ALL_COMMANDS | ACL_ALL_KEYS | ACL_ALL_CHANNELS };
    for (size_t i = 0; i < user->selector_count; i++) {
        if ((user->selectors[i].flags & ALL) == ALL)
            return true;
    }
    return false;
}
