/* The options that every command knows: -h -p -a ... */
#ifndef CONSOLE_BATCH_OPTIONS_H
#define CONSOLE_BATCH_OPTIONS_H

#include "common/buffer.h"
#include "console/batch/batch.h"

enum batch_options_result { BATCH_OPTION_TAKEN, BATCH_OPTION_UNKNOWN, BATCH_OPTION_WRONG };

/* The defaults: 127.0.0.1:6379, the password of SLOTCTL_AUTH. */
void batch_options_init(struct batch_options *options);
/* Takes the option at argv[*at], with its value; *at is then behind it. `wants_help` and
 * `wants_version` are set where it says so. WRONG: error says why. */
enum batch_options_result batch_options_take(struct batch_options *options, int argc, char **argv,
    int *at, bool *wants_help, bool *wants_version, struct error *error);
/* Their names, a line each. */
void batch_options_names(struct buffer *out);
/* The lines of --help. */
void batch_options_help(struct buffer *out);

#endif
