/* Requests of every command, made of hostile arguments: the positions of their keys lie within
 * them, in the same number whether there is room for them or not, and never the name's. */
#include "server/command/command.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { ARGS_MAX = 64, ROOM = 4 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Words that specifications look for, and numbers at the edges. */
static const char *const words[] = { "KEYS", "keys", "", "0", "1", "2", "-1", "3", "2147483647",
    "4294967296", "9223372036854775807", "STORE", "STREAMS", "k", "COPY", "AUTH" };

/* A byte is a word of the list, or, from 128 on, that many bytes of what follows. */
static int read_args(const uint8_t *data, size_t size, struct bytes *argv)
{
    int argc = 0;
    for (size_t at = 0; at < size && argc < ARGS_MAX;) {
        uint8_t byte = data[at++];
        if (byte < 128) {
            argv[argc++] = bytes_of(words[byte % (sizeof(words) / sizeof(*words))]);
            continue;
        }
        size_t len = byte & 15u;
        if (len > size - at)
            len = size - at;
        argv[argc++] = (struct bytes){ (const char *)data + at, len };
        at += len;
    }
    return argc;
}

static void check(const struct command *command, const struct bytes *given, int argc)
{
    /* Blocks of just the right size, so that a step too far is seen. */
    struct bytes *argv = malloc((size_t)argc * sizeof(*argv));
    memcpy(argv, given, (size_t)argc * sizeof(*argv));
    int few[ROOM];
    int count = command_keys(command, argv, argc, NULL, 0);
    if (command_keys(command, argv, argc, few, ROOM) != count || count < -1 || count > 2 * argc)
        abort();
    int *all = malloc((size_t)(count > 0 ? count : 1) * sizeof(*all));
    command_keys(command, argv, argc, all, count);
    for (int i = 0; i < count; i++) {
        if (all[i] < 1 || all[i] >= argc || (i < ROOM && all[i] != few[i]))
            abort();
    }
    free(all);
    free(argv);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (command_count() == 0)
        command_registry_init();
    struct bytes argv[ARGS_MAX];
    int argc = read_args(data, size, argv);
    for (unsigned id = 0; argc > 0 && id < command_count(); id++)
        check(command_by_id(id)->command, argv, argc);
    const struct command_entry *container;
    if (argc > 0)
        command_lookup(argv, argc, &container);
    return 0;
}
