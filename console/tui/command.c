/* Each command is a row: its name, what may stand behind it, what it does. */
#include "console/tui/command.h"

#include "common/words.h"
#include "console/tui/actions.h"
#include "console/tui/app.h"
#include "console/tui/find.h"
#include "console/tui/marks.h"
#include "console/tui/page.h"
#include "console/tui/view_events.h"
#include <stdio.h>
#include <stdlib.h>

enum { ARGUMENTS_MAX = 16, ARGUMENT_TEXT = 512 };

struct command {
    const char *name, *arguments, *help;
    int least, most; /* arguments */
    void (*run)(struct tui *tui, const struct bytes *arguments, size_t count);
};

static const char *text_of(struct bytes bytes, char out[ARGUMENT_TEXT])
{
    snprintf(out, ARGUMENT_TEXT, "%.*s", (int)bytes.len, bytes.data);
    return out;
}

/* All arguments with a space between them. */
static const char *joined(const struct bytes *arguments, size_t count, char out[ARGUMENT_TEXT])
{
    size_t len = 0;
    out[0] = '\0';
    for (size_t i = 0; i < count && len < ARGUMENT_TEXT; i++)
        len += (size_t)snprintf(out + len, ARGUMENT_TEXT - len, "%s%.*s", i > 0 ? " " : "",
            (int)arguments[i].len, arguments[i].data);
    return out;
}

static bool parse_slots(
    struct tui *tui, const struct bytes *arguments, size_t count, struct slot_set *set)
{
    char text[ARGUMENT_TEXT];
    struct error error;
    memset(set, 0, sizeof *set);
    int shard = count == 1 ? model_find_shard(tui->model, arguments[0], &error) : MODEL_NOBODY;
    unsigned slot = 0;
    if (shard != MODEL_NOBODY && !slot_parse(arguments[0], &slot)) {
        int primary = tui->model->shards[shard].primary;
        if (primary != MODEL_NOBODY)
            *set = tui->model->nodes[primary]->slots;
        return true;
    }
    if (slot_set_parse(bytes_of(joined(arguments, count, text)), set, &error))
        return true;
    tui_say(tui, MODEL_BAD, "%s", error.text);
    return false;
}

static void run_mark(struct tui *tui, const struct bytes *arguments, size_t count)
{
    struct slot_set set;
    if (parse_slots(tui, arguments, count, &set))
        marks_add(tui, &set);
}

static void run_unmark(struct tui *tui, const struct bytes *arguments, size_t count)
{
    struct slot_set set;
    if (count == 0)
        marks_clear(tui);
    else if (parse_slots(tui, arguments, count, &set))
        marks_remove(tui, &set);
}

static void run_find(struct tui *tui, const struct bytes *arguments, size_t count)
{
    char text[ARGUMENT_TEXT];
    find_run(tui, joined(arguments, count, text));
}

static void run_reshard(struct tui *tui, const struct bytes *arguments, size_t count)
{
    struct error error;
    int shard = ACTION_ASK_TARGET;
    if (count > 0) {
        shard = model_find_shard(tui->model, arguments[0], &error);
        if (shard == MODEL_NOBODY) {
            tui_say(tui, MODEL_BAD, "%s", error.text);
            return;
        }
    }
    action_reshard(tui, shard);
}

static void run_failover(struct tui *tui, const struct bytes *arguments, size_t count)
{
    struct error error;
    enum plan_failover_mode mode = PLAN_FAILOVER_PLAIN;
    if (count == 2 && bytes_is(arguments[1], "--force"))
        mode = PLAN_FAILOVER_FORCE;
    else if (count == 2 && bytes_is(arguments[1], "--takeover"))
        mode = PLAN_FAILOVER_TAKEOVER;
    else if (count == 2) {
        tui_say(tui, MODEL_BAD, "behind the node may stand --force or --takeover");
        return;
    }
    int shard = model_find_shard(tui->model, arguments[0], &error);
    int node = model_find_node(tui->model, arguments[0], &error);
    if (node != MODEL_NOBODY)
        action_failover_node(tui, node, mode);
    else if (shard != MODEL_NOBODY && mode == PLAN_FAILOVER_PLAIN)
        action_failover(tui, shard);
    else
        tui_say(tui, MODEL_BAD, "%s", error.text);
}

static void run_check(struct tui *tui, const struct bytes *arguments, size_t count)
{
    action_check(tui);
}

static void run_node(struct tui *tui, const struct bytes *arguments, size_t count)
{
    struct error error;
    int node = model_find_node(tui->model, arguments[0], &error);
    if (node == MODEL_NOBODY)
        tui_say(tui, MODEL_BAD, "%s", error.text);
    else
        action_show_node(tui, node);
}

static void run_watch(struct tui *tui, const struct bytes *arguments, size_t count)
{
    struct address address;
    struct error error;
    if (!address_parse(arguments[0], &address, &error))
        tui_say(tui, MODEL_BAD, "%s", error.text);
    else
        model_add_seed(tui->model, &address);
}

static void run_filter(struct tui *tui, const struct bytes *arguments, size_t count)
{
    char text[ARGUMENT_TEXT];
    tui_show(tui, VIEW_EVENTS);
    view_events_filter(tui->views[VIEW_EVENTS].state, joined(arguments, count, text));
}

static void run_theme(struct tui *tui, const struct bytes *arguments, size_t count)
{
    char text[ARGUMENT_TEXT], names[ARGUMENT_TEXT] = "";
    if (theme_choose(text_of(arguments[0], text)))
        return;
    size_t len = 0;
    for (size_t i = 0; theme_name(i) != NULL && len < sizeof names; i++)
        len += (size_t)snprintf(
            names + len, sizeof names - len, "%s%s", i > 0 ? ", " : "", theme_name(i));
    tui_say(tui, MODEL_BAD, "no theme named %s; there are %s", text, names);
}

static void run_help(struct tui *tui, const struct bytes *arguments, size_t count)
{
    action_help(tui);
}

static void run_quit(struct tui *tui, const struct bytes *arguments, size_t count)
{
    action_leave(tui);
}

static const struct command commands[] = {
    { "mark", "SLOTS|SHARD", "marks slots: 0-999,5000, or all of a shard", 1, ARGUMENTS_MAX,
        run_mark },
    { "unmark", "[SLOTS|SHARD]", "takes marks away, all of them where none are named", 0,
        ARGUMENTS_MAX, run_unmark },
    { "find", "SLOT|NODE|KEY", "puts the cursor there", 1, ARGUMENTS_MAX, run_find },
    { "reshard", "[SHARD|NODE]", "plans to move the marked slots there", 0, 1, run_reshard },
    { "failover", "SHARD|NODE [--force|--takeover]", "plans a failover to the replica", 1, 2,
        run_failover },
    { "check", "", "shows what is wrong with the cluster", 0, 0, run_check },
    { "node", "NODE", "shows all about a node", 1, 1, run_node },
    { "watch", "HOST:PORT", "asks this node too", 1, 1, run_watch },
    { "filter", "[WORD]", "shows the events that have the word", 0, ARGUMENTS_MAX, run_filter },
    { "theme", "NAME", "changes the colours: dark, light", 1, 1, run_theme },
    { "help", "", "shows keys and commands", 0, 0, run_help },
    { "quit", "", "leaves the dashboard", 0, 0, run_quit },
};

enum { COMMANDS = sizeof commands / sizeof commands[0] };

/* The command that the word names or begins; NULL where none or several do (*several tells). */
static const struct command *command_find(struct bytes word, bool *several)
{
    const struct command *found = NULL;
    *several = false;
    for (size_t i = 0; i < COMMANDS; i++) {
        if (bytes_is(word, commands[i].name))
            return &commands[i];
        if (word.len > 0 && strncasecmp(commands[i].name, word.data, word.len) == 0) {
            *several = found != NULL;
            found = &commands[i];
        }
    }
    return *several ? NULL : found;
}

void command_run(struct tui *tui, const char *line)
{
    struct words words = { 0 };
    bool several = false;
    if (!words_split(bytes_of(line), &words)) {
        tui_say(tui, MODEL_BAD, "a quote is not closed");
        return;
    }
    if (words.count > 0) {
        const struct command *command = command_find(words.items[0], &several);
        int given = (int)words.count - 1;
        if (command == NULL)
            tui_say(tui, MODEL_BAD, "%s command \"%.*s\"; ? lists them",
                several ? "more than one" : "no", (int)words.items[0].len, words.items[0].data);
        else if (given < command->least || given > command->most)
            tui_say(tui, MODEL_BAD, "usage: %s %s", command->name, command->arguments);
        else
            command->run(tui, words.items + 1, (size_t)given);
    }
    words_free(&words);
}

void command_complete(char *line, size_t size)
{
    bool several = false;
    const struct command *command = command_find(bytes_of(line), &several);
    if (command != NULL && strchr(line, ' ') == NULL)
        snprintf(line, size, "%s%s", command->name, command->most > 0 ? " " : "");
}

const char *command_hint(const char *line)
{
    bool several = false;
    struct bytes word = { line, strcspn(line, " ") };
    const struct command *command = command_find(word, &several);
    return command != NULL ? command->arguments : "a command; ? lists them";
}

void command_help(struct page *page)
{
    for (size_t i = 0; i < COMMANDS; i++)
        page_add(page, ROLE_STRONG, commands[i].name, "%s%s%s", commands[i].arguments,
            commands[i].arguments[0] != '\0' ? "  " : "", commands[i].help);
}
