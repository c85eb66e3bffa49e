/* Most categories follow from what a row says anyway: a command that writes is in @write, one of
 * the group "list" is in @list. A row names what does not follow. Where it names a category of
 * subject (@connection, say), that one takes the place of its group's; a mere container of
 * subcommands has no group's either. */
#include "server/command/category.h"

enum category_index {
    KEYSPACE,
    READ,
    WRITE,
    SET,
    SORTEDSET,
    LIST,
    HASH,
    STRING,
    BITMAP,
    HYPERLOGLOG,
    GEO,
    STREAM,
    PUBSUB,
    ADMIN,
    FAST,
    SLOW,
    BLOCKING,
    DANGEROUS,
    CONNECTION,
    TRANSACTION,
    SCRIPTING,
};

static const char *const names[CATEGORY_COUNT] = {
    [KEYSPACE] = "keyspace",
    [READ] = "read",
    [WRITE] = "write",
    [SET] = "set",
    [SORTEDSET] = "sortedset",
    [LIST] = "list",
    [HASH] = "hash",
    [STRING] = "string",
    [BITMAP] = "bitmap",
    [HYPERLOGLOG] = "hyperloglog",
    [GEO] = "geo",
    [STREAM] = "stream",
    [PUBSUB] = "pubsub",
    [ADMIN] = "admin",
    [FAST] = "fast",
    [SLOW] = "slow",
    [BLOCKING] = "blocking",
    [DANGEROUS] = "dangerous",
    [CONNECTION] = "connection",
    [TRANSACTION] = "transaction",
    [SCRIPTING] = "scripting",
};

#define BIT(index) (UINT32_C(1) << (index))

/* What is no subject of a command. */
static const uint32_t manners =
    BIT(READ) | BIT(WRITE) | BIT(ADMIN) | BIT(FAST) | BIT(SLOW) | BIT(BLOCKING) | BIT(DANGEROUS);

static const struct group_category {
    const char *group;
    unsigned category;
} groups[] = {
    { "generic", KEYSPACE },
    { "set", SET },
    { "sorted-set", SORTEDSET },
    { "list", LIST },
    { "hash", HASH },
    { "string", STRING },
    { "bitmap", BITMAP },
    { "hyperloglog", HYPERLOGLOG },
    { "geo", GEO },
    { "stream", STREAM },
    { "pubsub", PUBSUB },
    { "connection", CONNECTION },
    { "transactions", TRANSACTION },
    { "scripting", SCRIPTING },
};

const char *category_name(unsigned index)
{
    return names[index];
}

int category_find(struct bytes name)
{
    for (int i = 0; i < CATEGORY_COUNT; i++) {
        if (bytes_is(name, names[i]))
            return i;
    }
    return -1;
}

/* "@a @b" as bits. */
static uint32_t parse(const char *text)
{
    uint32_t found = 0;
    while (text && *(text += strspn(text, " @"))) {
        size_t len = strcspn(text, " ");
        int index = category_find((struct bytes){ text, len });
        if (index >= 0)
            found |= BIT(index);
        text += len;
    }
    return found;
}

static uint32_t of_group(const char *group)
{
    for (size_t i = 0; group && i < sizeof(groups) / sizeof(groups[0]); i++) {
        if (strcmp(groups[i].group, group) == 0)
            return BIT(groups[i].category);
    }
    return 0;
}

uint32_t category_of(const struct command *command)
{
    unsigned flags = command->flags;
    uint32_t found = parse(command->categories);
    bool has_subject = (found & ~manners) != 0;
    if (!has_subject && !(command->subcommands && !command->run))
        found |= of_group(command->group);
    if (flags & CMD_WRITE)
        found |= BIT(WRITE);
    if (flags & CMD_READONLY && !(found & BIT(SCRIPTING)))
        found |= BIT(READ);
    if (flags & CMD_ADMIN)
        found |= BIT(ADMIN) | BIT(DANGEROUS);
    if (flags & CMD_PUBSUB)
        found |= BIT(PUBSUB);
    if (flags & CMD_BLOCKING)
        found |= BIT(BLOCKING);
    return found | (flags & CMD_FAST ? BIT(FAST) : BIT(SLOW));
}
