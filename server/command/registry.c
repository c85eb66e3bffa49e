/* All commands by name. The rows of the families are entered once, when the process starts, into an open table
 * keyed by the name in lower case; nothing is added later, so reading needs no lock. */
#include "server/command/command.h"
#include "server/command/families.h"

#include "common/memory.h"
#include <ctype.h>
#include <stdio.h>

enum { PLACES = 2048 }; /* a power of two, several times the number of commands */

static struct command_entry *entries;
static unsigned entry_count, entry_capacity;
static unsigned places[PLACES]; /* index into entries + 1; 0: free */

/* Few are called otherwise than they are named: a list of their numbers, apart from the table. */
static unsigned *renamed; /* owned */
static size_t renamed_count;
static bool any_renamed; /* or are called by nobody */

#define FAMILY_ENTRY(name) name,
static const struct command *const families[] = { COMMAND_FAMILIES(FAMILY_ENTRY) };

static uint32_t place_of(const char *name, size_t len)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ ((uint8_t)name[i] | 0x20)) * 16777619u;
    return (hash ^ hash >> 15) & (PLACES - 1);
}

static unsigned add(const struct command *command, const struct command *parent)
{
    if (entry_count == entry_capacity) {
        entry_capacity = entry_capacity ? entry_capacity * 2 : 512;
        entries = memory_resize(entries, entry_capacity * sizeof(*entries));
    }
    struct command_entry *entry = &entries[entry_count];
    *entry = (struct command_entry){ .command = command, .parent = parent, .id = entry_count };
    entry->name_len = (unsigned)snprintf(entry->name, sizeof(entry->name), "%s%s%s",
        parent ? parent->name : "", parent ? "|" : "", command->name);
    entry_count++;
    uint32_t place = place_of(entry->name, strlen(entry->name));
    while (places[place])
        place = (place + 1) & (PLACES - 1);
    places[place] = entry_count;
    return entry->id;
}

void command_registry_init(void)
{
    for (size_t i = 0; i < sizeof(families) / sizeof(*families); i++) {
        for (const struct command *command = families[i]; command->name; command++) {
            add(command, NULL);
            for (const struct command *sub = command->subcommands; sub && sub->name; sub++)
                add(sub, command);
        }
    }
    for (unsigned i = 0; i < entry_count; i++)
        entries[i].called = entries[i].name; /* where the entries stay from now on */
}

unsigned command_count(void)
{
    return entry_count;
}

const struct command_entry *command_by_id(unsigned id)
{
    return &entries[id];
}

static bool is_name(const struct command_entry *entry, const char *name, size_t len)
{
    if (entry->name_len != len)
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = name[i];
        if ((c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c) != entry->name[i])
            return false;
    }
    return true;
}

static const struct command_entry *find(const char *name, size_t len)
{
    for (uint32_t place = place_of(name, len); places[place]; place = (place + 1) & (PLACES - 1)) {
        const struct command_entry *entry = &entries[places[place] - 1];
        if (is_name(entry, name, len))
            return entry;
    }
    return NULL;
}

/* By the name that clients use. */
static const struct command_entry *find_called(struct bytes name)
{
    for (size_t i = 0; i < renamed_count; i++) {
        if (bytes_is(name, entries[renamed[i]].called))
            return &entries[renamed[i]];
    }
    const struct command_entry *entry = find(name.data, name.len);
    return entry && entry->called == entry->name ? entry : NULL;
}

static const struct command_entry *resolve(const struct command_entry *entry,
    const struct bytes *argv, int argc, const struct command_entry **container)
{
    *container = NULL;
    if (!entry || !entry->command->subcommands || argc < 2)
        return entry;
    *container = entry;
    char full[sizeof(entry->name)];
    size_t len = strlen(entry->name);
    if (len + 1 + argv[1].len >= sizeof(full))
        return NULL;
    memcpy(full, entry->name, len);
    full[len] = '|';
    memcpy(full + len + 1, argv[1].data, argv[1].len);
    return find(full, len + 1 + argv[1].len);
}

static bool may_be_name(struct bytes name)
{
    return name.len < sizeof(entries->name) && !memchr(name.data, '|', name.len);
}

const struct command_entry *command_lookup(
    const struct bytes *argv, int argc, const struct command_entry **container)
{
    *container = NULL;
    if (!may_be_name(argv[0]))
        return NULL;
    const struct command_entry *entry = __builtin_expect(any_renamed, 0)
                                            ? find_called(argv[0])
                                            : find(argv[0].data, argv[0].len);
    return resolve(entry, argv, argc, container);
}

const struct command_entry *command_lookup_original(
    const struct bytes *argv, int argc, const struct command_entry **container)
{
    const struct command_entry *entry = command_lookup(argv, argc, container);
    if (__builtin_expect(entry != NULL || *container || !may_be_name(argv[0]), 1))
        return entry;
    return resolve(find(argv[0].data, argv[0].len), argv, argc, container);
}

bool command_rename(const struct bytes *words, size_t count, struct error *error)
{
    if (count != 3)
        return error_set(error, "wrong number of arguments");
    const struct command_entry *found = may_be_name(words[1]) ? find_called(words[1]) : NULL;
    if (!found)
        return error_set(error, "No such command in rename-command");
    struct bytes name = words[2];
    if (name.len > 0 && (!may_be_name(name) || memchr(name.data, '\0', name.len)))
        return error_set(error, "a command's name has at most %d characters, and no '|'",
            (int)sizeof(found->name) - 1);
    struct command_entry *entry = &entries[found->id];
    const char *before = entry->called;
    entry->called = NULL;
    if (name.len > 0 && find_called(name)) {
        entry->called = before;
        return error_set(error, "Target command name already exists");
    }
    size_t at = 0;
    while (at < renamed_count && renamed[at] != found->id)
        at++;
    if (at < renamed_count)
        renamed[at] = renamed[--renamed_count];
    any_renamed = true;
    if (name.len == 0)
        return true;
    char *called = memory_alloc(name.len + 1);
    memcpy(called, name.data, name.len);
    called[name.len] = '\0';
    entry->called = called;
    renamed = memory_resize(renamed, (renamed_count + 1) * sizeof(*renamed));
    renamed[renamed_count++] = entry->id;
    return true;
}
