/* slotctl: with no command and a terminal the dashboard, with a command one run of it. */
#include "console/batch/batch.h"
#include "console/batch/options.h"
#include "console/model/model.h"
#include "console/tui/tui.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int usage(const char *format, const char *word, const char *more)
{
    fputs("slotctl: ", stderr);
    fprintf(stderr, format, word, more);
    fputs("\n", stderr);
    return BATCH_USAGE;
}

static int run_dashboard(const struct batch_options *options, const char *theme)
{
    if (options->json || options->dry_run || options->yes) {
        return usage(
            "%s %s", "--json, --dry-run and --yes want a command;", "slotctl --help lists all");
    }
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
        return usage("%s %s", "the dashboard wants a terminal; for a script give a command:",
            "slotctl status, or see slotctl --help");
    }
    struct client *client = client_new(&options->client);
    if (client == NULL) {
        fputs("slotctl: the system offers no way to wait for sockets\n", stderr);
        return BATCH_PROBLEM;
    }
    struct model_options model_options = { .limit_ms = options->timeout_ms };
    struct model *model = model_new(client, &options->seed, 1, &model_options);
    model_start(model);
    struct tui_options tui = { .model = model, .theme = theme };
    int code = tui_run(&tui);
    model_free(model);
    client_free(client);
    return code;
}

int main(int argc, char **argv)
{
    struct batch_options options;
    struct error error;
    const char *theme = NULL;
    bool wants_help = false, wants_version = false;
    int at = 1;
    if (argc > 1 && strcmp(argv[1], "--complete") == 0) { /* conf/slotctl.bash-completion asks so */
        return batch_complete(argc > 2 ? argv[2] : NULL);
    }
    batch_options_init(&options);
    while (at < argc && argv[at][0] == '-') {
        if (strcmp(argv[at], "--theme") == 0 && at + 1 < argc) {
            theme = argv[at + 1];
            at += 2;
            continue;
        }
        switch (
            batch_options_take(&options, argc, argv, &at, &wants_help, &wants_version, &error)) {
        case BATCH_OPTION_WRONG:
            return usage("%s%s", error.text, "");
        case BATCH_OPTION_UNKNOWN:
            return usage("unknown option \"%.60s\"; %s", argv[at], "slotctl --help lists all");
        case BATCH_OPTION_TAKEN:
            break;
        }
    }
    if (wants_version) {
        puts("slotctl " SLOTD_VERSION);
        return fflush(stdout) == 0 ? BATCH_DONE : BATCH_PROBLEM;
    }
    if (wants_help) {
        return batch_help(at < argc ? argv[at] : NULL);
    }
    return at < argc ? batch_run(&options, argc - at, argv + at) : run_dashboard(&options, theme);
}
