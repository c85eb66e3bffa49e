/* A selector allows commands (a bit for each), keys and channels (patterns). Rules are words, read
 * from left to right, each of which changes something. */
#include "server/command/acl_selector.h"

#include "common/memory.h"
#include "server/command/category.h"
#include "server/command/command.h"
#include "server/config.h"
#include "server/log.h"
#include <ctype.h>
#include <pthread.h>
#include <stdlib.h>

static size_t bitmap_words(void)
{
    return command_count() / 64 + 1;
}

/* By id, written once: describing a user asks for them again and again. */
static uint32_t *categories;
static pthread_once_t categories_once = PTHREAD_ONCE_INIT;

static void find_categories(void)
{
    categories = memory_alloc((command_count() + 1) * sizeof(*categories));
    for (unsigned id = 0; id < command_count(); id++)
        categories[id] = category_of(command_by_id(id)->command);
}

uint32_t acl_categories(unsigned id)
{
    pthread_once(&categories_once, find_categories);
    return categories[id];
}

/* ---- Patterns ---- */

void acl_patterns_clear(struct acl_patterns *patterns)
{
    for (size_t i = 0; i < patterns->count; i++)
        free(patterns->items[i].text);
    free(patterns->items);
    *patterns = (struct acl_patterns){ 0 };
}

static char *copy_bytes(struct bytes bytes)
{
    char *copy = memory_alloc(bytes.len + 1);
    if (bytes.len > 0)
        memcpy(copy, bytes.data, bytes.len);
    copy[bytes.len] = '\0';
    return copy;
}

/* One more pattern; one that is there gets the access as well. */
static void add_pattern(struct acl_patterns *patterns, unsigned access, struct bytes text)
{
    for (size_t i = 0; i < patterns->count; i++) {
        struct acl_pattern *pattern = &patterns->items[i];
        if (bytes_equal((struct bytes){ pattern->text, pattern->len }, text)) {
            pattern->access |= access;
            return;
        }
    }
    patterns->items =
        memory_resize(patterns->items, (patterns->count + 1) * sizeof(*patterns->items));
    patterns->items[patterns->count++] = (struct acl_pattern){ access, text.len, copy_bytes(text) };
}

static void copy_patterns(struct acl_patterns *to, const struct acl_patterns *from)
{
    *to = (struct acl_patterns){ 0 };
    if (from->count == 0)
        return;
    to->items = memory_alloc(from->count * sizeof(*to->items));
    to->count = from->count;
    for (size_t i = 0; i < from->count; i++) {
        to->items[i] = from->items[i];
        to->items[i].text = memory_copy(from->items[i].text, from->items[i].len + 1);
    }
}

static bool has_spaces(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (isspace((unsigned char)text.data[i]) || text.data[i] == '\0')
            return true;
    }
    return false;
}

static struct bytes behind(struct bytes text, size_t len)
{
    return (struct bytes){ text.data + len, text.len - len };
}

/* ---- Life ---- */

void acl_selector_init(struct acl_selector *selector)
{
    *selector = (struct acl_selector){ 0 };
    selector->commands = memory_alloc_zeroed(bitmap_words(), sizeof(uint64_t));
    if (config_is(CONFIG_ACL_PUBSUB_DEFAULT))
        selector->flags = ACL_ALL_CHANNELS;
}

void acl_selector_copy(struct acl_selector *to, const struct acl_selector *from)
{
    *to = *from;
    to->commands = memory_copy(from->commands, bitmap_words() * sizeof(uint64_t));
    copy_patterns(&to->keys, &from->keys);
    copy_patterns(&to->channels, &from->channels);
    to->first_args = NULL;
    if (from->first_arg_count > 0)
        to->first_args = memory_alloc(from->first_arg_count * sizeof(*to->first_args));
    for (size_t i = 0; i < from->first_arg_count; i++) {
        to->first_args[i].command = from->first_args[i].command;
        to->first_args[i].text = memory_copy_text(from->first_args[i].text);
    }
}

/* Forgets the first arguments of the command, or of all (command_count()). */
static void drop_first_args(struct acl_selector *selector, unsigned id)
{
    size_t kept = 0;
    for (size_t i = 0; i < selector->first_arg_count; i++) {
        struct acl_first_arg *arg = &selector->first_args[i];
        if (id == command_count() || arg->command == id)
            free(arg->text);
        else
            selector->first_args[kept++] = *arg;
    }
    selector->first_arg_count = kept;
}

void acl_selector_free(struct acl_selector *selector)
{
    acl_patterns_clear(&selector->keys);
    acl_patterns_clear(&selector->channels);
    drop_first_args(selector, command_count());
    free(selector->first_args);
    free(selector->commands);
}

/* ---- Commands ---- */

static void set_bit(struct acl_selector *selector, unsigned id, bool allow)
{
    uint64_t bit = UINT64_C(1) << id % 64;
    if (allow) {
        selector->commands[id / 64] |= bit;
    } else {
        selector->commands[id / 64] &= ~bit;
        selector->flags &= ~(unsigned)ACL_ALL_COMMANDS;
    }
}

/* The registry has a command's subcommands right behind it. */
void acl_selector_set_command(struct acl_selector *selector, unsigned id, bool allow)
{
    const struct command *command = command_by_id(id)->command;
    drop_first_args(selector, id);
    set_bit(selector, id, allow);
    for (unsigned sub = id + 1; sub < command_count(); sub++) {
        if (command_by_id(sub)->parent != command)
            break;
        set_bit(selector, sub, allow);
    }
}

void acl_selector_set_all(struct acl_selector *selector, bool allow)
{
    memset(selector->commands, allow ? 0xff : 0, bitmap_words() * sizeof(uint64_t));
    drop_first_args(selector, command_count());
    if (allow)
        selector->flags |= ACL_ALL_COMMANDS | ACL_FUTURE_COMMANDS;
    else
        selector->flags &= ~(unsigned)(ACL_ALL_COMMANDS | ACL_FUTURE_COMMANDS);
}

void acl_selector_set_category(struct acl_selector *selector, unsigned category, bool allow)
{
    for (unsigned id = 0; id < command_count(); id++) {
        if (acl_categories(id) >> category & 1)
            acl_selector_set_command(selector, id, allow);
    }
}

/* By its full name, "config|get"; NULL: there is none. */
static const struct command_entry *find_command(struct bytes name)
{
    const char *bar = name.len > 0 ? memchr(name.data, '|', name.len) : NULL;
    struct bytes words[2] = { name, { NULL, 0 } };
    const struct command_entry *container;
    if (!bar)
        return name.len > 0 ? command_lookup(words, 1, &container) : NULL;
    words[0].len = (size_t)(bar - name.data);
    words[1] = behind(name, words[0].len + 1);
    if (words[0].len == 0)
        return NULL;
    const struct command_entry *entry = command_lookup(words, 2, &container);
    return entry && entry->parent ? entry : NULL;
}

static bool refuse_unknown(struct error *error)
{
    return error_set(error, "Unknown command or category name in ACL");
}

static bool refuse_syntax(struct error *error)
{
    return error_set(error, "Syntax error");
}

static void add_first_arg(struct acl_selector *selector, unsigned id, struct bytes text)
{
    char *copy = copy_bytes(text);
    for (size_t i = 0; i < selector->first_arg_count; i++) {
        const struct acl_first_arg *arg = &selector->first_args[i];
        if (arg->command == id && strcasecmp(arg->text, copy) == 0) {
            free(copy);
            return;
        }
    }
    selector->first_args = memory_resize(
        selector->first_args, (selector->first_arg_count + 1) * sizeof(*selector->first_args));
    selector->first_args[selector->first_arg_count++] = (struct acl_first_arg){ id, copy };
}

/* +command|word: a subcommand, or a first argument of a command that has no subcommands. */
static bool allow_part(struct acl_selector *selector, struct bytes name, struct error *error)
{
    const char *bar = memrchr(name.data, '|', name.len);
    struct bytes before = { name.data, (size_t)(bar - name.data) };
    struct bytes word = behind(name, before.len + 1);
    const struct command_entry *entry = find_command(before);
    if (!entry)
        return refuse_unknown(error);
    if (entry->parent)
        return error_set(error, "Allowing first-arg of a subcommand is not supported");
    if (word.len == 0)
        return refuse_syntax(error);
    if (!entry->command->subcommands) {
        if (has_spaces(word))
            return refuse_syntax(error); /* it could not be written to a file */
        log_write(LOG_WARNING,
            "ACL rule +%.*s: allowing a command by its first argument is deprecated",
            (int)(name.len < 128 ? name.len : 128), name.data);
        add_first_arg(selector, entry->id, word);
        return true;
    }
    entry = find_command(name);
    if (!entry)
        return refuse_unknown(error);
    acl_selector_set_command(selector, entry->id, true);
    return true;
}

static bool apply_command(struct acl_selector *selector, struct bytes rule, struct error *error)
{
    bool allow = rule.data[0] == '+';
    struct bytes name = behind(rule, 1);
    if (name.len > 0 && name.data[0] == '@') {
        int category = category_find(behind(name, 1));
        if (category < 0)
            return refuse_unknown(error);
        acl_selector_set_category(selector, (unsigned)category, allow);
        return true;
    }
    if (allow && name.len > 0 && memchr(name.data, '|', name.len))
        return allow_part(selector, name, error);
    const struct command_entry *entry = find_command(name);
    if (!entry)
        return refuse_unknown(error);
    acl_selector_set_command(selector, entry->id, allow);
    return true;
}

/* ---- Keys and channels ---- */

/* ~pattern, %R~pattern, %W~pattern, %RW~pattern */
static bool apply_keys(struct acl_selector *selector, struct bytes rule, struct error *error)
{
    unsigned access = rule.data[0] == '~' ? ACL_READ | ACL_WRITE : 0;
    size_t at = 1;
    if (selector->flags & ACL_ALL_KEYS)
        return error_set(error,
            "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does "
            "not have any effect. Try 'resetkeys' to start with an empty list of patterns");
    for (bool more = rule.data[0] == '%'; more && at < rule.len; at++) {
        unsigned letter = (unsigned)toupper((unsigned char)rule.data[at]);
        unsigned kind = letter == 'R' ? ACL_READ : letter == 'W' ? ACL_WRITE : 0;
        more = rule.data[at] != '~' || access == 0;
        if (more && (kind == 0 || access & kind))
            return refuse_syntax(error);
        access |= kind;
    }
    struct bytes text = behind(rule, at);
    if (access == 0 || has_spaces(text))
        return refuse_syntax(error);
    add_pattern(&selector->keys, access, text);
    return true;
}

static bool apply_channel(struct acl_selector *selector, struct bytes rule, struct error *error)
{
    struct bytes text = behind(rule, 1);
    if (selector->flags & ACL_ALL_CHANNELS)
        return error_set(error,
            "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and "
            "does not have any effect. Try 'resetchannels' to start with an empty list of "
            "channels");
    if (has_spaces(text))
        return refuse_syntax(error);
    add_pattern(&selector->channels, 0, text);
    return true;
}

/* ---- Rules ---- */

static void all_keys(struct acl_selector *selector)
{
    acl_patterns_clear(&selector->keys);
    selector->flags |= ACL_ALL_KEYS;
}

static void reset_keys(struct acl_selector *selector)
{
    acl_patterns_clear(&selector->keys);
    selector->flags &= ~(unsigned)ACL_ALL_KEYS;
}

static void all_channels(struct acl_selector *selector)
{
    acl_patterns_clear(&selector->channels);
    selector->flags |= ACL_ALL_CHANNELS;
}

static void reset_channels(struct acl_selector *selector)
{
    acl_patterns_clear(&selector->channels);
    selector->flags &= ~(unsigned)ACL_ALL_CHANNELS;
}

static void all_commands(struct acl_selector *selector)
{
    acl_selector_set_all(selector, true);
}

static void no_commands(struct acl_selector *selector)
{
    acl_selector_set_all(selector, false);
}

static const struct {
    const char *word;
    void (*apply)(struct acl_selector *selector);
} words[] = {
    { "allkeys", all_keys },
    { "~*", all_keys },
    { "resetkeys", reset_keys },
    { "allchannels", all_channels },
    { "&*", all_channels },
    { "resetchannels", reset_channels },
    { "allcommands", all_commands },
    { "+@all", all_commands },
    { "nocommands", no_commands },
    { "-@all", no_commands },
};

bool acl_selector_apply(struct acl_selector *selector, struct bytes rule, struct error *error)
{
    if (rule.len == 0)
        return true;
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
        if (bytes_is(rule, words[i].word)) {
            words[i].apply(selector);
            return true;
        }
    }
    switch (rule.data[0]) {
    case '+':
    case '-':
        return apply_command(selector, rule, error);
    case '~':
    case '%':
        return apply_keys(selector, rule, error);
    case '&':
        return apply_channel(selector, rule, error);
    default:
        return refuse_syntax(error);
    }
}
