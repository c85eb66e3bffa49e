#include "server/command/acl_check.h"

#include "common/memory.h"
#include "server/command/glob.h"
#include <stdlib.h>

enum { FEW_KEYS = 64 };

/* ---- Commands ---- */

static bool allows_command(const struct acl_selector *selector, const struct command_entry *entry,
    const struct bytes *argv, int argc)
{
    if (selector->flags & ACL_ALL_COMMANDS || entry->command->flags & CMD_NO_AUTH ||
        acl_selector_allows(selector, entry->id))
        return true;
    for (size_t i = 0; argc > 1 && i < selector->first_arg_count; i++) {
        const struct acl_first_arg *arg = &selector->first_args[i];
        if (arg->command == entry->id && bytes_is(argv[1], arg->text))
            return true;
    }
    return false;
}

/* ---- Keys ---- */

static unsigned access_of(unsigned flags)
{
    unsigned access = flags & KEY_ACCESS ? ACL_READ : 0;
    return access | (flags & (KEY_INSERT | KEY_DELETE | KEY_UPDATE) ? ACL_WRITE : 0);
}

static bool allows_key(const struct acl_selector *selector, struct bytes key, unsigned access)
{
    for (size_t i = 0; i < selector->keys.count; i++) {
        const struct acl_pattern *pattern = &selector->keys.items[i];
        if ((pattern->access & access) == access &&
            glob_matches((struct bytes){ pattern->text, pattern->len }, key, false))
            return true;
    }
    return false;
}

/* The argument that is a key and not allowed, or 0. */
static int denied_key(const struct acl_selector *selector, const struct command_entry *entry,
    const struct bytes *argv, int argc)
{
    const struct key_spec *spec = entry->command->keys;
    int few[FEW_KEYS], *positions = few, denied = 0;
    if (selector->flags & ACL_ALL_KEYS || !spec)
        return 0;
    int count = command_keys(entry->command, argv, argc, few, FEW_KEYS);
    if (count <= 0)
        return 0; /* none, or the command will say what is wrong */
    if (count > FEW_KEYS) {
        positions = memory_alloc((size_t)count * sizeof(*positions));
        command_keys(entry->command, argv, argc, positions, count);
    }
    unsigned *flags = spec[1].begin ? command_key_flags(entry, argv, argc) : NULL;
    unsigned alone = flags ? 0 : command_spec_flags(spec, entry, argv, argc);
    for (int i = 0; i < count && !denied; i++) {
        int at = positions[i];
        if (!allows_key(selector, argv[at], access_of(flags ? flags[at] : alone)))
            denied = at;
    }
    free(flags);
    if (positions != few)
        free(positions);
    return denied;
}

/* ---- Channels ---- */

/* Where commands have channels; those that end a subscription are always allowed. */
static const struct channel_spec {
    const char *command;
    bool is_pattern, one;
} channel_specs[] = {
    { "publish", false, true },
    { "spublish", false, true },
    { "subscribe", false, false },
    { "ssubscribe", false, false },
    { "psubscribe", true, false },
};

static const struct channel_spec *channels_of(const struct command_entry *entry)
{
    if (!(entry->command->flags & CMD_PUBSUB))
        return NULL;
    for (size_t i = 0; i < sizeof(channel_specs) / sizeof(*channel_specs); i++) {
        if (strcmp(channel_specs[i].command, entry->name) == 0)
            return &channel_specs[i];
    }
    return NULL;
}

/* To listen to a pattern the selector must have that very pattern. */
static bool allows_channel(
    const struct acl_selector *selector, struct bytes channel, bool is_pattern)
{
    if (selector->flags & ACL_ALL_CHANNELS)
        return true;
    for (size_t i = 0; i < selector->channels.count; i++) {
        const struct acl_pattern *pattern = &selector->channels.items[i];
        struct bytes text = { pattern->text, pattern->len };
        if (is_pattern ? bytes_equal(text, channel) : glob_matches(text, channel, false))
            return true;
    }
    return false;
}

static int denied_channel(const struct acl_selector *selector, const struct command_entry *entry,
    const struct bytes *argv, int argc)
{
    const struct channel_spec *spec = channels_of(entry);
    if (!spec || selector->flags & ACL_ALL_CHANNELS)
        return 0;
    for (int i = 1; i < argc && (i == 1 || !spec->one); i++) {
        if (!allows_channel(selector, argv[i], spec->is_pattern))
            return i;
    }
    return 0;
}

bool acl_check_channel(const struct acl_user *user, struct bytes channel, bool is_pattern)
{
    for (size_t i = 0; i < user->selector_count; i++) {
        if (allows_channel(&user->selectors[i], channel, is_pattern))
            return true;
    }
    return false;
}

/* ---- All of it ---- */

static enum acl_verdict check_selector(const struct acl_selector *selector,
    const struct command_entry *entry, const struct bytes *argv, int argc, int *position)
{
    *position = 0;
    if (!allows_command(selector, entry, argv, argc))
        return ACL_DENIED_COMMAND;
    if ((*position = denied_key(selector, entry, argv, argc)) > 0)
        return ACL_DENIED_KEY;
    if ((*position = denied_channel(selector, entry, argv, argc)) > 0)
        return ACL_DENIED_CHANNEL;
    return ACL_ALLOWED;
}

enum acl_verdict acl_check(const struct acl_user *user, const struct command_entry *entry,
    const struct bytes *argv, int argc, int *position)
{
    enum acl_verdict worst = ACL_DENIED_COMMAND;
    *position = 0;
    for (size_t i = 0; i < user->selector_count; i++) {
        int at;
        enum acl_verdict verdict = check_selector(&user->selectors[i], entry, argv, argc, &at);
        if (verdict == ACL_ALLOWED)
            return ACL_ALLOWED;
        if (verdict > worst || (verdict == worst && at > *position)) {
            worst = verdict;
            *position = at;
        }
    }
    return worst;
}

static bool reads_all(const struct acl_selector *selector)
{
    bool found = selector->flags & ACL_ALL_KEYS;
    for (size_t i = 0; i < selector->keys.count && !found; i++) {
        const struct acl_pattern *pattern = &selector->keys.items[i];
        found = pattern->access & ACL_READ && strcmp(pattern->text, "*") == 0;
    }
    return found;
}

bool acl_check_reads_all(const struct acl_user *user, const struct command_entry *entry,
    const struct bytes *argv, int argc)
{
    for (size_t i = 0; i < user->selector_count; i++) {
        int at;
        const struct acl_selector *selector = &user->selectors[i];
        if (reads_all(selector) && check_selector(selector, entry, argv, argc, &at) == ACL_ALLOWED)
            return true;
    }
    return false;
}
