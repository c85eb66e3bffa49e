/* The frame of one-shot commands: finds the row, takes the arguments apart, runs it, and at the end
 * says what there is to say, as text or as one JSON document. */
#include "console/batch/batch.h"
#include "common/memory.h"
#include "common/number.h"
#include "console/batch/command.h"
#include "console/batch/options.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { POLL_MS = 200 }; /* while a command waits for the cluster */

/* --- what commands use --- */

int batch_fail(struct batch *batch, enum batch_exit code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(batch->error, sizeof batch->error, format, args);
    va_end(args);
    return code;
}

void batch_print(const struct batch *batch, const char *format, ...)
{
    if (!batch->options.json) {
        va_list args;
        va_start(args, format);
        vprintf(format, args);
        va_end(args);
    }
}

void batch_print_buffer(const struct batch *batch, const struct buffer *text)
{
    if (!batch->options.json && text->len > 0) {
        fwrite(text->data, 1, text->len, stdout);
    }
}

void batch_set(struct batch *batch, const char *name, json_t *value)
{
    json_object_set_new(batch->document, name, value);
}

int64_t batch_request_ms(const struct batch *batch)
{
    return batch->command->waits ? 0 : batch->options.timeout_ms;
}

struct model *batch_watch(struct batch *batch)
{
    if (batch->model == NULL) {
        struct model_options options = { .interval_ms = POLL_MS,
            .limit_ms = batch_request_ms(batch) };
        batch->model = model_new(batch->client, &batch->options.seed, 1, &options);
    }
    return batch->model;
}

struct model *batch_model(struct batch *batch)
{
    struct error error;
    if (!model_refresh(batch_watch(batch), &error)) {
        batch_fail(batch, BATCH_NO_CONNECTION, "%s", error.text);
        return NULL;
    }
    return batch->model;
}

bool batch_number(struct batch *batch, const char *what, const char *text, int64_t min, int64_t max,
    int64_t *number)
{
    if (!number_parse(bytes_of(text), number) || *number < min || *number > max) {
        batch_fail(batch, BATCH_USAGE, "%s wants a whole number from %lld to %lld, not \"%.60s\"",
            what, (long long)min, (long long)max, text);
        return false;
    }
    return true;
}

/* --- finding the command --- */

static const struct batch_command *find_command(const char *name)
{
    for (const struct batch_command *command = batch_commands; command->name != NULL; command++) {
        if (strcmp(command->name, name) == 0) {
            return command;
        }
    }
    return NULL;
}

bool batch_is_command(const char *name)
{
    return find_command(name) != NULL;
}

/* Edit distance (Levenshtein), for short words. */
static unsigned distance(const char *a, const char *b)
{
    enum { LONGEST = 24 };
    unsigned row[LONGEST + 1];
    size_t a_len = strlen(a), b_len = strlen(b);
    if (a_len > LONGEST || b_len > LONGEST) {
        return LONGEST;
    }
    for (size_t j = 0; j <= b_len; j++) {
        row[j] = (unsigned)j;
    }
    for (size_t i = 1; i <= a_len; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_len; j++) {
            unsigned above = row[j];
            unsigned best = diagonal + (a[i - 1] != b[j - 1]);
            best = above + 1 < best ? above + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            diagonal = above;
            row[j] = best;
        }
    }
    return row[b_len];
}

const char *batch_nearest(const char *name)
{
    const char *nearest = NULL;
    unsigned best = strlen(name) <= 4 ? 2 : 3;
    for (const struct batch_command *command = batch_commands; command->name != NULL; command++) {
        unsigned far = distance(name, command->name);
        bool start = strlen(name) >= 2 && strncmp(command->name, name, strlen(name)) == 0;
        far = start ? 0 : far;
        if (far < best) {
            best = far;
            nearest = command->name;
        }
    }
    return nearest;
}

/* --- help --- */

static void write_command_help(const struct batch_command *command, struct buffer *out)
{
    buffer_printf(out, "slotctl %s %s\n    %s\n", command->name, command->usage, command->summary);
    for (const struct batch_option *option = command->options;
         option != NULL && option->name != NULL; option++) {
        char left[60];
        snprintf(left, sizeof left, "%s%s%s", option->name, option->value != NULL ? " " : "",
            option->value != NULL ? option->value : "");
        buffer_printf(out, "      %-22s %s\n", left, option->help);
    }
}

static void write_help(struct buffer *out)
{
    buffer_append_text(out,
        "slotctl watches and drives a Redis Cluster of slotd, Redis or Valkey nodes.\n\n"
        "usage: slotctl [options]                    the dashboard, in a terminal\n"
        "       slotctl [options] COMMAND [...]      one command, for scripts too\n"
        "       slotctl COMMAND --help\n\ncommands:\n");
    for (const struct batch_command *command = batch_commands; command->name != NULL; command++) {
        buffer_printf(out, "  %-10s %s\n", command->name, command->summary);
    }
    buffer_append_text(out, "\noptions:\n");
    batch_options_help(out);
    buffer_append_text(out,
        "  --theme NAME         of the dashboard\n"
        "  --version            print the version\n"
        "  --help               this text\n"
        "\nA node is named by host:port, by :port or port where only one node has it, or by the "
        "first\n"
        "digits of its ID. Slots are written 0-99,200,300-399.\n"
        "\nexit codes:\n"
        "  0  done\n"
        "  1  the cluster has a problem, or the operation failed\n"
        "  2  usage\n"
        "  3  no connection\n"
        "  4  not confirmed: a change needs --yes where there is no terminal to ask\n");
}

static int close_output(int code)
{
    if (fflush(stdout) != 0 || ferror(stdout)) {
        if (errno != EPIPE) {
            fprintf(stderr, "slotctl: can't write to standard output: %s\n", strerror(errno));
        }
        return code == BATCH_DONE ? BATCH_PROBLEM : code;
    }
    return code;
}

int batch_help(const char *name)
{
    struct buffer text = { 0 };
    const struct batch_command *command = name != NULL ? find_command(name) : NULL;
    if (command != NULL) {
        write_command_help(command, &text);
    } else {
        write_help(&text);
    }
    fwrite(text.data, 1, text.len, stdout);
    buffer_free(&text);
    return close_output(BATCH_DONE);
}

int batch_complete(const char *name)
{
    const struct batch_command *command = name != NULL ? find_command(name) : NULL;
    struct buffer text = { 0 };
    for (const struct batch_option *option = command != NULL ? command->options : NULL;
         option != NULL && option->name != NULL; option++) {
        buffer_printf(&text, "%s\n", option->name);
    }
    for (const struct batch_command *row = batch_commands; command == NULL && row->name != NULL;
         row++) {
        buffer_printf(&text, "%s\n", row->name);
    }
    batch_options_names(&text);
    fwrite(text.data, 1, text.len, stdout);
    buffer_free(&text);
    return close_output(BATCH_DONE);
}

/* --- taking arguments apart --- */

static int take_own_option(struct batch *batch, const struct batch_command *command, int argc,
    char **argv, int *at, struct batch_arguments *arguments)
{
    for (int i = 0; command->options != NULL && command->options[i].name != NULL; i++) {
        const struct batch_option *option = &command->options[i];
        size_t len = strlen(option->name);
        bool inside = strncmp(argv[*at], option->name, len) == 0 && argv[*at][len] == '=';
        if (strcmp(argv[*at], option->name) != 0 && !(inside && option->value != NULL)) {
            continue;
        }
        const char *value = inside ? argv[*at] + len + 1 : "";
        ++*at;
        if (option->value != NULL && !inside) {
            if (*at >= argc) {
                return batch_fail(
                    batch, BATCH_USAGE, "%s wants %s behind it", option->name, option->value);
            }
            value = argv[(*at)++];
        }
        arguments->values[i] = value;
        return BATCH_DONE;
    }
    return batch_fail(batch, BATCH_USAGE, "%s knows no option \"%.60s\"; see slotctl %s --help",
        command->name, argv[*at], command->name);
}

static int check_words(struct batch *batch, const struct batch_command *command,
    const struct batch_arguments *arguments)
{
    if (arguments->count < command->words_min ||
        (command->words_max >= 0 && arguments->count > command->words_max)) {
        const char *extra = arguments->count > command->words_max && command->words_max >= 0
                                ? arguments->words[command->words_max]
                                : NULL;
        return batch_fail(batch, BATCH_USAGE, "%s%.60s%susage: slotctl %s%s%s",
            extra != NULL ? "\"" : "", extra != NULL ? extra : "",
            extra != NULL ? "\" is too much; " : "", command->name,
            command->usage[0] != '\0' ? " " : "", command->usage);
    }
    return BATCH_DONE;
}

static bool is_option(const char *word)
{
    return word[0] == '-' && word[1] != '\0';
}

/* argv[0] is the command's name. Words are gathered in words, which has room for argc. */
static int take_arguments(struct batch *batch, const struct batch_command *command, int argc,
    char **argv, struct batch_arguments *arguments, bool *wants_help)
{
    bool wants_version = false, only_words = false;
    int at = 1;
    while (at < argc) {
        struct error error;
        if (only_words || !is_option(argv[at])) {
            only_words |= command->verbatim;
            arguments->words[arguments->count++] = argv[at++];
            continue;
        }
        if (strcmp(argv[at], "--") == 0) {
            only_words = true;
            at++;
            continue;
        }
        enum batch_options_result result = batch_options_take(
            &batch->options, argc, argv, &at, wants_help, &wants_version, &error);
        if (result == BATCH_OPTION_WRONG) {
            return batch_fail(batch, BATCH_USAGE, "%s", error.text);
        }
        if (result == BATCH_OPTION_UNKNOWN) {
            int code = take_own_option(batch, command, argc, argv, &at, arguments);
            if (code != BATCH_DONE) {
                return code;
            }
        }
    }
    return *wants_help ? BATCH_DONE : check_words(batch, command, arguments);
}

/* --- running --- */

/* The connection of one run is one: a line of a file can't change it. */
static bool same_connection(const struct batch_options *a, const struct batch_options *b)
{
    return address_equal(&a->seed, &b->seed) && strcmp(a->client.user, b->client.user) == 0 &&
           strcmp(a->client.password, b->client.password) == 0;
}

static int unknown_command(struct batch *batch, const char *name)
{
    const char *nearest = batch_nearest(name);
    return batch_fail(batch, BATCH_USAGE, "unknown command \"%.60s\"; %s%s%s", name,
        nearest != NULL ? "did you mean \"" : "slotctl --help lists all",
        nearest != NULL ? nearest : "", nearest != NULL ? "\"?" : "");
}

int batch_run_words(struct batch *batch, int argc, char **argv)
{
    batch->error[0] = '\0';
    const struct batch_command *command = find_command(argv[0]);
    if (command == NULL) {
        return unknown_command(batch, argv[0]);
    }
    const struct batch_command *outer = batch->command;
    struct batch_options before = batch->options;
    struct batch_arguments arguments = { .words =
                                             memory_alloc((size_t)(argc + 1) * sizeof(char *)) };
    bool wants_help = false;
    batch->command = command;
    int code = take_arguments(batch, command, argc, argv, &arguments, &wants_help);
    if (code == BATCH_DONE && batch->nested && !same_connection(&before, &batch->options)) {
        code = batch_fail(batch, BATCH_USAGE,
            "a line of a batch file can't change the connection: "
            "give -h, -p, -a, --user or -u before batch");
    }
    if (code == BATCH_DONE && wants_help) {
        code = batch_help(command->name);
    } else if (code == BATCH_DONE) {
        if (batch->client == NULL) {
            struct client_options client = batch->options.client;
            int64_t limit = batch->options.timeout_ms;
            client.connect_ms = limit > 0 && limit < CLIENT_CONNECT_MS ? limit : 0;
            client.answer_max = (size_t)1 << 30; /* exec may ask for a whole value */
            batch->client = client_new(&client);
        }
        code = batch->client == NULL ? batch_fail(batch, BATCH_PROBLEM,
                                           "the system offers no way to wait for sockets")
                                     : command->run(batch, &arguments);
    }
    free(arguments.words);
    batch->command = outer;
    if (batch->nested) {
        batch->options = before;
    }
    return code;
}

static void print_document(struct batch *batch, int code)
{
    if (batch->error[0] != '\0') {
        batch_set(batch, "error", json_string(batch->error));
    }
    batch_set(batch, "exit_code", json_integer(code));
    json_dumpf(batch->document, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    putchar('\n');
}

int batch_run(const struct batch_options *options, int argc, char **argv)
{
    struct batch batch = { .options = *options, .document = json_object() };
    batch.color = !options->no_color && isatty(STDOUT_FILENO);
    int code = batch_run_words(&batch, argc, argv);
    if (batch.options.json) {
        print_document(&batch, code);
    } else if (batch.error[0] != '\0') {
        fflush(stdout);
        fprintf(stderr, "slotctl: %s\n", batch.error);
    }
    json_decref(batch.document);
    batch_connections_free(batch.connections);
    model_free(batch.model);
    client_free(batch.client);
    return close_output(code);
}
