/* A file of commands, one a line. The first failure ends it, unless --keep-going says to go on. */
#include "common/memory.h"
#include "common/words.h"
#include "console/batch/command.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct script {
    struct batch *batch;
    const char *name;
    unsigned line;
    bool keep_going;
    int code; /* of the first failure */
    char error[1024];
    unsigned run, failed;
    json_t *results;
};

/* Words as zero-terminated texts, the way the commands take them. */
static char **copy_words(const struct words *words)
{
    char **argv = memory_alloc_zeroed(words->count + 1, sizeof *argv);
    for (size_t i = 0; i < words->count; i++) {
        argv[i] = memory_alloc(words->items[i].len + 1);
        memcpy(argv[i], words->items[i].data, words->items[i].len);
        argv[i][words->items[i].len] = '\0';
    }
    return argv;
}

static void free_words(char **argv, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(argv[i]);
    }
    free(argv);
}

static bool has_zero(const struct words *words)
{
    for (size_t i = 0; i < words->count; i++) {
        if (memchr(words->items[i].data, '\0', words->items[i].len) != NULL) {
            return true;
        }
    }
    return false;
}

static int run_command(struct batch *batch, const struct words *words)
{
    if (has_zero(words)) {
        return batch_fail(batch, BATCH_USAGE, "a zero byte can't be part of a command line");
    }
    char **argv = copy_words(words);
    int code = strcmp(argv[0], "batch") == 0
                   ? batch_fail(batch, BATCH_USAGE, "a batch file can't run another batch file")
                   : batch_run_words(batch, (int)words->count, argv);
    free_words(argv, words->count);
    return code;
}

/* Runs one line with a document of its own, which joins the results. */
static int run_words(struct script *script, const struct words *words)
{
    struct batch *batch = script->batch;
    json_t *outer = batch->document;
    batch->document = json_object();
    batch->error[0] = '\0';
    int code = run_command(batch, words);
    batch_set(batch, "line", json_integer(script->line));
    batch_set(batch, "exit_code", json_integer(code));
    if (batch->error[0] != '\0') {
        batch_set(batch, "error", json_string(batch->error));
    }
    json_array_append_new(script->results, batch->document);
    batch->document = outer;
    return code;
}

static void note_failure(struct script *script, int code)
{
    struct batch *batch = script->batch;
    char text[sizeof script->error];
    snprintf(text, sizeof text, "%.200s:%u: %.800s", script->name, script->line,
        batch->error[0] != '\0' ? batch->error : "the cluster has a problem");
    if (script->code == BATCH_DONE) {
        script->code = code;
        memcpy(script->error, text, sizeof text);
    }
    if (script->keep_going && !batch->options.json) {
        fflush(stdout);
        fprintf(stderr, "slotctl: %s\n", text);
    }
    script->failed++;
    batch->error[0] = '\0';
}

static bool is_comment(struct bytes line)
{
    size_t at = 0;
    while (at < line.len && strchr(" \t\r\n", line.data[at]) != NULL && line.data[at] != '\0') {
        at++;
    }
    return at == line.len || line.data[at] == '#';
}

/* False: stop here. */
static bool run_line(struct script *script, struct bytes line)
{
    struct words words = { 0 };
    int code;
    script->line++;
    if (is_comment(line)) {
        return true;
    }
    if (!words_split(line, &words)) {
        code = batch_fail(script->batch, BATCH_USAGE,
            "a quote is not closed, or has something else than "
            "a space behind it");
    } else {
        code = words.count > 0 ? run_words(script, &words) : BATCH_DONE;
        words_free(&words);
    }
    script->run++;
    if (code != BATCH_DONE) {
        note_failure(script, code);
    }
    return code == BATCH_DONE || script->keep_going;
}

int batch_file(struct batch *batch, const struct batch_arguments *arguments)
{
    const char *name = arguments->words[0];
    bool standard = strcmp(name, "-") == 0;
    FILE *file = standard ? stdin : fopen(name, "re");
    if (file == NULL) {
        return batch_fail(batch, BATCH_USAGE, "%.200s: %s", name, strerror(errno));
    }
    struct script script = { .batch = batch,
        .name = standard ? "standard input" : name,
        .keep_going = arguments->values[FILE_KEEP_GOING] != NULL,
        .results = json_array() };
    bool nested = batch->nested;
    char *line = NULL;
    size_t capacity = 0;
    ssize_t len;
    batch->nested = true;
    while ((len = getline(&line, &capacity, file)) >= 0 &&
           run_line(&script, (struct bytes){ line, (size_t)len })) {
    }
    bool unreadable = ferror(file) != 0;
    int why = errno;
    free(line);
    if (!standard) {
        fclose(file);
    }
    batch->nested = nested;
    batch_set(batch, "commands", json_integer(script.run));
    batch_set(batch, "failed", json_integer(script.failed));
    batch_set(batch, "results", script.results);
    if (unreadable) {
        return batch_fail(batch, BATCH_USAGE, "%.200s: %s", script.name, strerror(why));
    }
    if (script.code != BATCH_DONE && script.keep_going && !batch->options.json) {
        return batch_fail(
            batch, script.code, "%u of %u commands failed", script.failed, script.run);
    }
    return script.code == BATCH_DONE ? BATCH_DONE
                                     : batch_fail(batch, script.code, "%s", script.error);
}
