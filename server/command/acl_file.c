/* A line of a file makes a user: "user NAME RULE ...". A file is taken as a whole: everything that
 * is wrong in it is told at once, and then nothing of it is taken. */
#include "server/command/acl_file.h"

#include "common/memory.h"
#include "common/words.h"
#include "server/command/acl_users.h"
#include "server/config.h"
#include "server/config_table.h"
#include "server/log.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static bool is_name(struct bytes name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (isspace((unsigned char)name.data[i]) || name.data[i] == '\0')
            return false;
    }
    return true;
}

static int shown(struct bytes text)
{
    return (int)(text.len < 128 ? text.len : 128);
}

/* ---- The aclfile ---- */

/* Cuts the line at its spaces; as many words as it has characters would fit. */
static size_t split(struct bytes line, struct bytes *words)
{
    size_t count = 0;
    while (line.len > 0) {
        const char *end = memchr(line.data, ' ', line.len);
        size_t len = end ? (size_t)(end - line.data) : line.len;
        if (len > 0)
            words[count++] = (struct bytes){ line.data, len };
        line.data += len + (end ? 1 : 0);
        line.len -= len + (end ? 1 : 0);
    }
    return count;
}

/* Where in a file something is, for its errors. */
struct place {
    const char *path;
    unsigned line;
    struct buffer *errors;
};

static void apply_rules(
    const struct place *place, struct acl_user *user, const struct bytes *words, size_t count)
{
    static const char unknown[] = "Unknown";
    struct buffer rule = { 0 };
    struct error error;
    bool said = false;
    for (size_t at = 0; at < count;) {
        bool unmatched;
        at = acl_rule_next(words, count, at, &rule, &unmatched);
        if (unmatched) {
            buffer_printf(place->errors, "%s:%u: Unmatched parenthesis in selector definition.",
                place->path, place->line);
            break;
        }
        if (rule.len == 0 || acl_user_apply(user, buffer_bytes(&rule), &error))
            continue;
        if (strncmp(error.text, unknown, sizeof(unknown) - 1) == 0)
            buffer_printf(place->errors, "%s:%u: Error in applying operation '%.*s': %s. ",
                place->path, place->line, shown(buffer_bytes(&rule)), rule.data, error.text);
        else if (!said)
            buffer_printf(place->errors, "%s:%u: %s. ", place->path, place->line, error.text);
        said = said || strncmp(error.text, unknown, sizeof(unknown) - 1) != 0;
    }
    buffer_free(&rule);
}

static void parse_line(const struct place *place, struct bytes line, struct acl_loaded *loaded)
{
    struct bytes *words = memory_alloc((line.len / 2 + 1) * sizeof(*words));
    size_t count = split(line, words);
    if (count < 2 || !bytes_equal(words[0], BYTES("user"))) {
        buffer_printf(place->errors,
            "%s:%u should start with user keyword followed by the username. ", place->path,
            place->line);
    } else if (acl_loaded_has(loaded, words[1])) {
        buffer_printf(place->errors, "WARNING: Duplicate user '%.*s' found on line %u. ",
            shown(words[1]), words[1].data, place->line);
    } else if (!is_name(words[1])) {
        buffer_printf(place->errors, "'%s:%u: username '%.*s' contains invalid characters. ",
            place->path, place->line, shown(words[1]), words[1].data);
    } else {
        apply_rules(place, acl_loaded_add(loaded, words[1]), words + 2, count - 2);
    }
    free(words);
}

bool acl_file_parse(
    struct bytes text, const char *path, struct acl_loaded *loaded, struct buffer *errors)
{
    struct bytes line;
    size_t before = errors->len;
    struct place place = { path, 0, errors };
    while (config_next_line(&text, &line)) {
        place.line++;
        while (line.len > 0 && isspace((unsigned char)line.data[0])) {
            line.data++;
            line.len--;
        }
        while (line.len > 0 && isspace((unsigned char)line.data[line.len - 1]))
            line.len--;
        if (line.len > 0)
            parse_line(&place, line, loaded);
    }
    return errors->len == before;
}

static bool has_default(const struct acl_loaded *loaded)
{
    return acl_loaded_has(loaded, BYTES("default"));
}

bool acl_file_load(struct buffer *errors)
{
    char *path = config_text(CONFIG_ACLFILE);
    struct acl_loaded loaded = { 0 };
    struct buffer text = { 0 };
    struct error error;
    bool done = config_read_file(path, &text, &error);
    if (!done) {
        buffer_printf(errors, "Error loading ACLs, opening file '%s': %s", path, error.text);
    } else if (!acl_file_parse(buffer_bytes(&text), path, &loaded, errors)) {
        done = false;
        buffer_append_text(errors, "WARNING: ACL errors detected, no change to the previously "
                                   "active ACL rules was performed");
    } else {
        if (!has_default(&loaded) && config_text_is_set(CONFIG_REQUIREPASS))
            log_write(LOG_WARNING,
                "%s has no line for the default user, who is without password now, whatever "
                "requirepass says",
                path);
        acl_users_replace(&loaded);
    }
    acl_loaded_free(&loaded);
    buffer_free(&text);
    free(path);
    return done;
}

bool acl_file_save(struct error *error)
{
    struct buffer text = { 0 };
    char *path = config_text(CONFIG_ACLFILE), *folder = NULL, *full = NULL;
    if (path[0] != '/' && (folder = getcwd(NULL, 0)) != NULL &&
        asprintf(&full, "%s/%s", folder, path) < 0)
        full = NULL;
    acl_users_write(&text);
    bool done = path[0] == '/' || full
                    ? config_replace_file(full ? full : path, buffer_bytes(&text), error)
                    : error_set(error, "the current folder is gone");
    buffer_free(&text);
    free(folder);
    free(full);
    free(path);
    return done;
}

/* ---- The configuration ---- */

/* Makes the user of one line, whose words stand as words_quote has written them. */
static bool add_configured(struct acl_loaded *loaded, struct bytes line, struct error *error)
{
    struct words words;
    struct buffer culprit = { 0 };
    bool unmatched;
    if (!words_split(line, &words) || words.count < 2)
        return error_set(error, "a user line has no name");
    struct bytes name = words.items[1];
    bool done = true;
    if (!is_name(name))
        done = error_set(error,
            "Error in user declaration '%.*s': usernames can't contain "
            "spaces or null characters",
            shown(name), name.data);
    else if (acl_loaded_has(loaded, name))
        done = error_set(error,
            "Error in user declaration '%.*s': Duplicate user found. A user can only be defined "
            "once in config files",
            shown(name), name.data);
    else if (!acl_user_apply_all(acl_loaded_add(loaded, name), words.items + 2, words.count - 2,
                 &culprit, &unmatched, error))
        done = error_prefix(error, "Error in user declaration '%.*s', rule '%.*s'", shown(name),
            name.data, shown(buffer_bytes(&culprit)), culprit.data);
    buffer_free(&culprit);
    words_free(&words);
    return done;
}

static bool load_lines(struct bytes lines, struct error *error)
{
    struct acl_loaded loaded = { 0 };
    struct bytes line;
    bool done = true;
    while (done && config_next_line(&lines, &line))
        done = add_configured(&loaded, line, error);
    /* Without a line of its own the default user has requirepass. */
    struct acl_user *user = has_default(&loaded) ? NULL : acl_users_copy(BYTES("default"));
    if (user) {
        acl_user_free(acl_loaded_add(&loaded, BYTES("default")));
        loaded.items[loaded.count - 1].user = user;
    }
    if (done)
        acl_users_replace(&loaded);
    acl_loaded_free(&loaded);
    return done;
}

bool acl_file_load_config(struct error *error)
{
    struct bytes lines = config_user_lines();
    if (!config_text_is_set(CONFIG_ACLFILE))
        return lines.len == 0 || load_lines(lines, error);
    if (lines.len > 0)
        return error_set(error,
            "There are users in the configuration, and an aclfile as well: users can be in the "
            "one or in the other, but not in both");
    struct buffer errors = { 0 };
    if (acl_file_load(&errors))
        return true;
    error_set(error, "The aclfile is not as it must be: %.*s",
        (int)(errors.len < 400 ? errors.len : 400), errors.data);
    buffer_free(&errors);
    return false;
}
