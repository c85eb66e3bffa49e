/* One-shot commands: arguments in, text or one JSON document and an exit code out. */
#ifndef CONSOLE_BATCH_BATCH_H
#define CONSOLE_BATCH_BATCH_H

#include "common/address.h"
#include "console/client/client.h"

enum batch_exit {
    BATCH_DONE = 0,
    BATCH_PROBLEM = 1, /* the cluster has a problem, or the operation failed */
    BATCH_USAGE = 2,
    BATCH_NO_CONNECTION = 3,
    BATCH_NOT_CONFIRMED = 4,
};

/* The global options, as main.c read them. */
struct batch_options {
    struct client_options client;
    struct address seed;
    int64_t timeout_ms; /* of --timeout; 0: not given */
    bool json, yes, dry_run, no_color;
};

/* Runs argv[0] with its arguments; returns the exit code. Everything is said on standard output
 * (results) and standard error (errors, questions). */
int batch_run(const struct batch_options *options, int argc, char **argv);
/* The table of commands, for --help, and one command's own help (NULL name: all). */
int batch_help(const char *name);
bool batch_is_command(const char *name);
/* Words for the shell's completion, one a line: all commands and global options, or for a command
 * its options too. */
int batch_complete(const char *command);
/* The command whose name is nearest to what was typed; NULL: none is near. */
const char *batch_nearest(const char *name);

#endif
