/* Reading the configuration: lines of files, of standard input, and of the command line, all by the
 * same rules. A later line wins over an earlier one; only `save` gathers. Whatever a line has wrong
 * ends the reading with a message that shows the line. */
#include "server/config_table.h"

#include "common/memory.h"
#include "common/words.h"
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    FILE_SIZE_MAX = 16 * 1024 * 1024,
    INCLUDE_DEPTH_MAX = 16,
    SHOWN_PATH = 150,
    SHOWN_LINE = 120
};

struct loader {
    bool save_seen; /* a save line has replaced the default */
    unsigned depth; /* of includes */
};

/* ---- Text ---- */

static bool read_all(int fd, struct buffer *out, struct error *error)
{
    for (;;) {
        buffer_reserve(out, 16 * 1024);
        ssize_t got = read(fd, out->data + out->len, 16 * 1024);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_set(error, "%s", strerror(errno));
        if (got == 0)
            return true;
        out->len += (size_t)got;
        if (out->len > FILE_SIZE_MAX)
            return error_set(error, "larger than the %d MB that a configuration may have",
                FILE_SIZE_MAX / 1024 / 1024);
    }
}

bool config_read_file(const char *path, struct buffer *out, struct error *error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool done = fd >= 0 ? read_all(fd, out, error) : error_set(error, "%s", strerror(errno));
    if (fd >= 0)
        close(fd);
    return done;
}

bool config_next_line(struct bytes *rest, struct bytes *line)
{
    if (rest->len == 0)
        return false;
    const char *end = memchr(rest->data, '\n', rest->len);
    line->data = rest->data;
    line->len = end ? (size_t)(end - rest->data) : rest->len;
    size_t taken = line->len + (end ? 1 : 0);
    rest->data += taken;
    rest->len -= taken;
    if (line->len > 0 && line->data[line->len - 1] == '\r')
        line->len--;
    return true;
}

/* ---- Errors ---- */

/* The whole message: a title, where it is, what is wrong. Several lines, which error_set would make
 * one. */
static bool fail(struct error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static bool fail(struct error *error, const char *format, ...)
{
    static const char title[] = "*** FATAL CONFIG FILE ERROR (slotd " SLOTD_VERSION ") ***\n";
    memcpy(error->text, title, sizeof(title));
    va_list args;
    va_start(args, format);
    vsnprintf(
        error->text + sizeof(title) - 1, sizeof(error->text) - sizeof(title) + 1, format, args);
    va_end(args);
    return false;
}

/* *error has the reason. */
static bool fail_line(struct error *error, const char *path, unsigned number, struct bytes line)
{
    struct error reason = *error;
    char where[SHOWN_PATH + 80];
    if (path)
        snprintf(where, sizeof(where), "Reading the configuration file %.*s, at line %u",
            SHOWN_PATH, path, number);
    else
        snprintf(where, sizeof(where), "Reading the arguments of the command line, at directive %u",
            number);
    return fail(error, "%s\n>>> '%.*s%s'\n%.150s", where,
        (int)(line.len < SHOWN_LINE ? line.len : SHOWN_LINE), line.data,
        line.len > SHOWN_LINE ? "..." : "", reason.text);
}

static bool fail_file(struct error *error, const char *path, const char *reason)
{
    return fail(error, "Can't read the configuration file '%.200s': %.200s", path, reason);
}

/* ---- Lines ---- */

static bool load_text(
    struct loader *loader, const char *path, struct bytes text, struct error *error);

static bool load_file(struct loader *loader, const char *path, struct error *error)
{
    struct buffer text = { 0 };
    struct error reason;
    bool done = config_read_file(path, &text, &reason)
                    ? load_text(loader, path, buffer_bytes(&text), error)
                    : fail_file(error, path, reason.text);
    buffer_free(&text);
    return done;
}

/* include PATH: a pattern may name several files, or none. *whole says that error is a whole
 * message. */
static bool load_include(
    struct loader *loader, const char *pattern, bool *whole, struct error *error)
{
    if (loader->depth == INCLUDE_DEPTH_MAX)
        return error_set(error, "files include each other more than %d deep", INCLUDE_DEPTH_MAX);
    glob_t found;
    int status = glob(pattern, GLOB_NOMAGIC, NULL, &found);
    if (status != 0 && status != GLOB_NOMATCH)
        return error_set(error, "the files to include can't be listed: %s", strerror(errno));
    loader->depth++;
    bool done = true;
    for (size_t i = 0; status == 0 && done && i < found.gl_pathc; i++)
        done = load_file(loader, found.gl_pathv[i], error);
    loader->depth--;
    *whole = !done;
    if (status == 0)
        globfree(&found);
    return done;
}

/* The first `save` replaces the default, later ones add to it, an empty one clears. */
static void gather_save(
    struct loader *loader, const struct directive *row, struct config_value *value)
{
    if (loader->save_seen && value->text[0]) {
        char *before = config_text(row->id);
        if (before[0]) {
            size_t size = strlen(before) + strlen(value->text) + 2;
            char *joined = memory_alloc(size);
            snprintf(joined, size, "%s %s", before, value->text);
            free(value->text);
            value->text = joined;
        }
        free(before);
    }
    loader->save_seen = true;
}

/* Lines that are about something else than a directive's value. */
static struct taker {
    const char *name;
    config_line_fn *take;
} takers[4];
static size_t taker_count;

void config_on_line(const char *name, config_line_fn *take)
{
    if (taker_count < sizeof(takers) / sizeof(*takers))
        takers[taker_count++] = (struct taker){ name, take };
}

static config_line_fn *taker_of(struct bytes name)
{
    for (size_t i = 0; i < taker_count; i++) {
        if (bytes_is(name, takers[i].name))
            return takers[i].take;
    }
    return NULL;
}

static bool set_directive(
    struct loader *loader, const struct bytes *words, size_t count, struct error *error)
{
    const struct directive *row = directive_find(words[0]);
    config_line_fn *take = taker_of(words[0]);
    if (take)
        return take(words, count, error);
    if (bytes_is(words[0], "loadmodule"))
        return error_set(error, "slotd has no modules: remove the line, and have the module's "
                                "commands served elsewhere");
    if (!row)
        return error_set(error,
            "Unknown directive '%.*s': it is none of those that slotd " SLOTD_VERSION
            " has (see conf/slotd.conf)",
            (int)(words[0].len < 64 ? words[0].len : 64), words[0].data);
    if (count < 2)
        return error_set(error, "wrong number of arguments");
    struct config_value value;
    config_value_read(row, &value);
    if (!directive_parse(row, words + 1, count - 1, &value, error)) {
        config_value_free(&value);
        return false;
    }
    if (row->id == CONFIG_SAVE)
        gather_save(loader, row, &value);
    config_value_store(row, &value);
    return !row->apply || row->apply(row, error);
}

static bool load_words(
    struct loader *loader, const struct words *words, bool *whole, struct error *error)
{
    if (bytes_is(words->items[0], "user")) {
        if (words->count < 2)
            return error_set(error, "wrong number of arguments");
        config_add_user_line(words->items, words->count);
        return true;
    }
    if (!bytes_is(words->items[0], "include"))
        return set_directive(loader, words->items, words->count, error);
    if (words->count != 2)
        return error_set(error, "wrong number of arguments");
    struct bytes pattern = words->items[1];
    char *copy = memory_alloc(pattern.len + 1);
    memcpy(copy, pattern.data, pattern.len);
    copy[pattern.len] = '\0';
    bool done = load_include(loader, copy, whole, error);
    free(copy);
    return done;
}

static bool load_line(struct loader *loader, struct bytes line, bool *whole, struct error *error)
{
    size_t start = 0;
    while (start < line.len && strchr(" \t\v\f\r", line.data[start]) && line.data[start])
        start++;
    if (start == line.len || line.data[start] == '#')
        return true;
    if (memchr(line.data, '\0', line.len))
        return error_set(error, "there is a zero byte in the line");
    struct words words;
    if (!words_split(line, &words))
        return error_set(error, "Unbalanced quotes in configuration line");
    bool done = words.count == 0 || load_words(loader, &words, whole, error);
    words_free(&words);
    return done;
}

/* path NULL: the command line, of which each directive is a line. */
static bool load_text(
    struct loader *loader, const char *path, struct bytes text, struct error *error)
{
    struct bytes line;
    for (unsigned number = 1; config_next_line(&text, &line); number++) {
        bool whole = false;
        if (!load_line(loader, line, &whole, error))
            return whole ? false : fail_line(error, path, number, line);
    }
    return true;
}

/* ---- The command line ---- */

static bool is_option(const char *arg)
{
    return arg[0] == '-' && arg[1] == '-';
}

static bool is_stdin(int argc, char **argv, int i)
{
    return strcmp(argv[i], "-") == 0 && (i == 0 || i == argc - 1);
}

/* "--name" begins a line; what follows is its value, even if that begins with dashes; "--name
 * value" in one argument is a line as well; --save without a value is `save ""`. */
static void arguments_to_lines(int argc, char **argv, struct buffer *lines)
{
    bool awaits_value = false;
    for (int i = 0; i < argc; i++) {
        if (is_stdin(argc, argv, i))
            continue;
        if (awaits_value || !is_option(argv[i])) {
            buffer_append_char(lines, ' ');
            words_quote(lines, bytes_of(argv[i]));
            awaits_value = false;
            continue;
        }
        if (lines->len)
            buffer_append_char(lines, '\n');
        buffer_append_text(lines, argv[i] + 2);
        awaits_value = strpbrk(argv[i], " \t") == NULL;
        if (strcasecmp(argv[i], "--save") == 0 && (i + 1 == argc || is_option(argv[i + 1]))) {
            buffer_append_text(lines, " \"\"");
            awaits_value = false;
        }
    }
}

static bool load_arguments(struct loader *loader, int argc, char **argv, struct error *error)
{
    if (argc > 0 && !is_option(argv[0]) && !is_stdin(argc, argv, 0))
        return fail(error,
            "The argument '%.100s' belongs to no directive: write slotd [file] [--directive "
            "value ...]\n",
            argv[0]);
    struct buffer lines = { 0 };
    arguments_to_lines(argc, argv, &lines);
    bool done = load_text(loader, NULL, buffer_bytes(&lines), error);
    buffer_free(&lines);
    return done;
}

static bool load_stdin(struct loader *loader, struct error *error)
{
    struct buffer text = { 0 };
    struct error reason;
    bool done = read_all(STDIN_FILENO, &text, &reason)
                    ? load_text(loader, "(standard input)", buffer_bytes(&text), error)
                    : fail_file(error, "(standard input)", reason.text);
    buffer_free(&text);
    return done;
}

/* What only the whole of the configuration can have wrong. */
static bool check_together(struct error *error)
{
    char *primary = config_text(CONFIG_REPLICAOF);
    bool replica = primary[0] != '\0';
    free(primary);
    if (!config_is(CONFIG_CLUSTER_ENABLED))
        return true;
    if (replica)
        return fail(error, "replicaof directive not allowed in cluster mode: the cluster decides "
                           "who follows whom (CLUSTER REPLICATE)");
    if (config_number(CONFIG_CLUSTER_PORT) == 0 && config_number(CONFIG_PORT) > 55535)
        return fail(error,
            "port %d leaves no room for the cluster bus at port + 10000: choose a port up "
            "to 55535, "
            "or set cluster-port",
            (int)config_number(CONFIG_PORT));
    return true;
}

bool config_load(const char *path, int argc, char **argv, struct error *error)
{
    struct loader loader = { 0 };
    bool from_stdin = path && strcmp(path, "-") == 0;
    if (from_stdin)
        path = NULL;
    config_reset(path ? path : "");
    if (path && !load_file(&loader, path, error))
        return false;
    if (from_stdin && !load_stdin(&loader, error))
        return false;
    for (int i = 0; i < argc; i++) {
        if (is_stdin(argc, argv, i) && !load_stdin(&loader, error))
            return false;
    }
    if (!load_arguments(&loader, argc, argv, error))
        return false;
    char *dir = config_text(CONFIG_DIR);
    if (strcmp(dir, ".") == 0) {
        char *full = getcwd(NULL, 0);
        if (full)
            config_set_text(CONFIG_DIR, full);
        free(full);
    }
    free(dir);
    return check_together(error);
}
