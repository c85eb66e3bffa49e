/* Global options are a table: name, value, help, and a function that takes the value. */
#include "console/batch/options.h"
#include "common/number.h"
#include "console/client/uri.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct option {
    const char *name, *other_name; /* "-h"; NULL */
    const char *value;             /* NULL: a flag */
    const char *help;
    bool (*take)(struct batch_options *options, const char *value, struct error *error);
};

static bool copy_text(
    char *out, size_t size, const char *value, const char *what, struct error *error)
{
    if (strlen(value) >= size) {
        return error_set(error, "the %s is longer than %zu bytes", what, size - 1);
    }
    memcpy(out, value, strlen(value) + 1);
    return true;
}

static bool take_host(struct batch_options *options, const char *value, struct error *error)
{
    return copy_text(options->seed.ip, sizeof options->seed.ip, value, "host", error);
}

static bool take_port(struct batch_options *options, const char *value, struct error *error)
{
    uint64_t port;
    if (!number_parse_unsigned(bytes_of(value), &port) || port == 0 || port > 65535) {
        return error_set(error, "-p wants a port from 1 to 65535, not \"%.40s\"", value);
    }
    options->seed.port = (uint16_t)port;
    return true;
}

static bool take_password(struct batch_options *options, const char *value, struct error *error)
{
    return copy_text(
        options->client.password, sizeof options->client.password, value, "password", error);
}

static bool take_user(struct batch_options *options, const char *value, struct error *error)
{
    return copy_text(options->client.user, sizeof options->client.user, value, "user name", error);
}

static bool take_uri(struct batch_options *options, const char *value, struct error *error)
{
    return uri_parse(value, &options->seed, &options->client, error);
}

static bool take_timeout(struct batch_options *options, const char *value, struct error *error)
{
    double seconds;
    if (!number_parse_double(bytes_of(value), &seconds) || !(seconds >= 0.001) || seconds > 1e6) {
        return error_set(
            error, "--timeout wants seconds from 0.001 to 1000000, not \"%.40s\"", value);
    }
    options->timeout_ms = (int64_t)ceil(seconds * 1000);
    return true;
}

static bool take_json(struct batch_options *options, const char *value, struct error *error)
{
    return options->json = true;
}

static bool take_yes(struct batch_options *options, const char *value, struct error *error)
{
    return options->yes = true;
}

static bool take_dry_run(struct batch_options *options, const char *value, struct error *error)
{
    return options->dry_run = true;
}

static bool take_no_color(struct batch_options *options, const char *value, struct error *error)
{
    return options->no_color = true;
}

static const struct option table[] = {
    { "-h", NULL, "HOST", "host of a node (127.0.0.1)", take_host },
    { "-p", NULL, "PORT", "port of a node (6379)", take_port },
    { "-a", NULL, "PASSWORD", "password; better in the environment as SLOTCTL_AUTH",
        take_password },
    { "--user", NULL, "NAME", "user for the password", take_user },
    { "-u", "--uri", "URI", "redis://[user:password@]host[:port], all of these in one", take_uri },
    { "--timeout", NULL, "S", "seconds to wait: for an answer (5), for wait and up (60)",
        take_timeout },
    { "--json", NULL, NULL, "print one JSON document", take_json },
    { "--yes", "-y", NULL, "don't ask before a change", take_yes },
    { "--dry-run", "-n", NULL, "print the plan of a change and stop", take_dry_run },
    { "--no-color", NULL, NULL, "no colours (also: NO_COLOR is set)", take_no_color },
};

void batch_options_init(struct batch_options *options)
{
    *options = (struct batch_options){ 0 };
    snprintf(options->seed.ip, sizeof options->seed.ip, "127.0.0.1");
    options->seed.port = 6379;
    const char *password = getenv("SLOTCTL_AUTH");
    if (password != NULL && strlen(password) < sizeof options->client.password) {
        snprintf(options->client.password, sizeof options->client.password, "%s", password);
    }
    const char *no_color = getenv("NO_COLOR");
    options->no_color = no_color != NULL && no_color[0] != '\0';
}

/* "--timeout=3" has its value behind the '='. */
static const char *value_inside(const char *word, const char *name)
{
    size_t len = strlen(name);
    return name[1] == '-' && strncmp(word, name, len) == 0 && word[len] == '=' ? word + len + 1
                                                                               : NULL;
}

enum batch_options_result batch_options_take(struct batch_options *options, int argc, char **argv,
    int *at, bool *wants_help, bool *wants_version, struct error *error)
{
    const char *word = argv[*at];
    if (strcmp(word, "--help") == 0 || strcmp(word, "--version") == 0) {
        *(word[2] == 'h' ? wants_help : wants_version) = true;
        ++*at;
        return BATCH_OPTION_TAKEN;
    }
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const struct option *option = &table[i];
        const char *inside = option->value != NULL ? value_inside(word, option->name) : NULL;
        bool same = strcmp(word, option->name) == 0 ||
                    (option->other_name != NULL && strcmp(word, option->other_name) == 0);
        if (!same && inside == NULL) {
            continue;
        }
        const char *value = inside;
        ++*at;
        if (option->value != NULL && value == NULL) {
            if (*at >= argc) {
                error_set(
                    error, "%s wants %s behind it; slotctl --help lists all", word, option->value);
                return BATCH_OPTION_WRONG;
            }
            value = argv[(*at)++];
        }
        return option->take(options, value, error) ? BATCH_OPTION_TAKEN : BATCH_OPTION_WRONG;
    }
    return BATCH_OPTION_UNKNOWN;
}

void batch_options_names(struct buffer *out)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        buffer_printf(out, "%s\n", table[i].name);
    }
    buffer_append_text(out, "--help\n--version\n");
}

void batch_options_help(struct buffer *out)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char left[40];
        snprintf(left, sizeof left, "%s%s%s%s%s", table[i].name,
            table[i].other_name != NULL ? ", " : "",
            table[i].other_name != NULL ? table[i].other_name : "",
            table[i].value != NULL ? " " : "", table[i].value != NULL ? table[i].value : "");
        buffer_printf(out, "  %-20s %s\n", left, table[i].help);
    }
}
