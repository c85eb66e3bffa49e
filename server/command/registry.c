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

const struct command_entry *command_lookup(
    const struct bytes *argv, int argc, const struct command_entry **container)
{
    *container = NULL;
    if (argv[0].len >= sizeof(entries->name) || memchr(argv[0].data, '|', argv[0].len))
        return NULL;
    const struct command_entry *entry = find(argv[0].data, argv[0].len);
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
