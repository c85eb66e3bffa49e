/* A batch command: a row of a table, and what its function gets. */
#ifndef CONSOLE_BATCH_COMMAND_H
#define CONSOLE_BATCH_COMMAND_H

#include "console/batch/batch.h"
#include "console/model/model.h"
#include "console/operation/plan.h"
#include <jansson.h>

enum { BATCH_ARGUMENTS_MAX = 1024, BATCH_OPTIONS_MAX = 8 };

/* An option of one command. */
struct batch_option {
    const char *name;  /* "--from" */
    const char *value; /* what stands behind it, for the help; NULL: a flag */
    const char *help;
};

/* The arguments of one command, taken apart. */
struct batch_arguments {
    const char *
        values[BATCH_OPTIONS_MAX]; /* by row of the command's options; NULL: not given; flags: "" */
    char **words;                  /* the others */
    int count;
};

/* One run of slotctl. */
struct batch {
    struct batch_options options;
    struct client *client;
    struct batch_connections *connections; /* of exec */
    struct model *model;                   /* made when a command first needs it; see batch_model */
    json_t *document;                      /* owned; what --json prints */
    char error[1024];                      /* of the command under way; empty: none */
    bool color;                            /* standard output is a terminal that wants colours */
    const struct batch_command *command;   /* under way */
    bool nested;                           /* a line of a batch file */
};

struct batch_command {
    const char *name, *usage, *summary;
    const struct batch_option *options; /* ends with an empty row; NULL: none */
    int words_min, words_max;           /* other arguments; max -1: any number */
    bool waits;    /* --timeout is for the whole of it, and not for each answer */
    bool verbatim; /* everything behind the first word that is no option belongs to the command */
    int (*run)(struct batch *batch, const struct batch_arguments *arguments);
};

extern const struct batch_command batch_commands[]; /* ends with an empty row */

/* Keeps the sentence for the end of the command, in text or JSON; returns code. */
int batch_fail(struct batch *batch, enum batch_exit code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Standard output, for the eye; nothing with --json. */
void batch_print(const struct batch *batch, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void batch_print_buffer(const struct batch *batch, const struct buffer *text);
/* Adds a member to the document; takes over the value. */
void batch_set(struct batch *batch, const char *name, json_t *value);

/* The limit for one answer that --timeout gave; 0: the usual one. */
int64_t batch_request_ms(const struct batch *batch);

/* The model of the cluster of the -h -p node, refreshed; NULL: no connection (the error is kept).
 */
struct model *batch_model(struct batch *batch);
struct model *batch_watch(struct batch *batch); /* the same, not asked yet */

/* Runs one command line within this run (of a batch file). */
int batch_run_words(struct batch *batch, int argc, char **argv);

/* A whole number from min to max; false and the error kept where it is none. */
bool batch_number(struct batch *batch, const char *what, const char *text, int64_t min, int64_t max,
    int64_t *number);

/* Shows the plan, stops at --dry-run, asks, runs it with progress; the exit code. Frees the plan.
 */
int batch_run_plan(struct batch *batch, struct plan *plan);
/* Whether a change may be made: --yes, or "yes" typed at a terminal. */
bool batch_confirm(struct batch *batch, const char *question);

/* create and wait ok, also as parts of up. */
int batch_create_cluster(
    struct batch *batch, const struct address *addresses, size_t count, unsigned replicas);
int batch_wait_ok(struct batch *batch, int64_t limit_ms);

/* The commands. */
int batch_status(struct batch *batch, const struct batch_arguments *arguments);
int batch_check(struct batch *batch, const struct batch_arguments *arguments);
int batch_create(struct batch *batch, const struct batch_arguments *arguments);
int batch_reshard(struct batch *batch, const struct batch_arguments *arguments);
int batch_failover(struct batch *batch, const struct batch_arguments *arguments);
int batch_wait(struct batch *batch, const struct batch_arguments *arguments);
int batch_exec(struct batch *batch, const struct batch_arguments *arguments);
void batch_connections_free(struct batch_connections *connections); /* exec's; NULL is fine */
int batch_file(struct batch *batch, const struct batch_arguments *arguments);
int batch_up(struct batch *batch, const struct batch_arguments *arguments);
int batch_down(struct batch *batch, const struct batch_arguments *arguments);

/* Rows of options that the functions above read by index. */
enum { CREATE_REPLICAS };
enum { RESHARD_FROM, RESHARD_TO, RESHARD_SLOTS, RESHARD_RANGE, RESHARD_REPLACE };
enum { FAILOVER_FORCE, FAILOVER_TAKEOVER };
enum { FILE_KEEP_GOING };
enum { UP_NODES, UP_PORT, UP_DIR, UP_SERVER, UP_REPLICAS };
enum { DOWN_DIR };

#endif
