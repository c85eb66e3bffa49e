#include "server/command/redact.h"

#include "server/config.h"

/* A password is in all arguments of a command, in the value behind the name of a secret directive,
 * or in the words behind a keyword. */
static const struct rule {
    const char *command;
    int first;           /* from this argument on */
    const char *keyword; /* NULL: all of them, or (words > 0) the values of secret directives */
    int words;           /* so many behind the keyword */
} rules[] = {
    { "acl|setuser", 2, NULL, 0 },
    { "auth", 1, NULL, 0 },
    { "config|set", 2, NULL, 1 },
    { "hello", 1, "auth", 2 },
    { "migrate", 6, "auth", 1 },
    { "migrate", 6, "auth2", 2 },
};

static bool rule_hides(const struct rule *rule, const struct bytes *argv, int argc, int index)
{
    if (index < rule->first)
        return false;
    if (rule->keyword == NULL && rule->words > 0)
        return (index - rule->first) % 2 == 1 && config_is_secret(argv[index - 1]);
    if (rule->keyword == NULL)
        return true;
    for (int i = index - 1; i >= rule->first && i >= index - rule->words; i--) {
        if (bytes_is(argv[i], rule->keyword))
            return true;
    }
    return false;
}

bool redact_hides(const struct command_entry *entry, const struct bytes *argv, int argc, int index)
{
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        if (strcmp(rules[i].command, entry->name) == 0 && rule_hides(&rules[i], argv, argc, index))
            return true;
    }
    return false;
}
