/* An AOF under test: a folder, a journal, and a state that is nothing but the commands NUMBER 0,
 * NUMBER 1, ... in their order, so that a state is known by how many there are. A base is all of
 * them as RESP. For aof.c and aof_faults.c. */
#ifndef TESTS_UNIT_AOF_SET_H
#define TESTS_UNIT_AOF_SET_H

#include "common/number.h"
#include "common/resp.h"
#include "server/journal/aof.h"
#include "server/journal/reader.h"
#include "tests/support/file.h"
#include "tests/support/scratch.h"
#include "tests/support/wait.h"
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

struct set {
    struct journal *journal;
    struct aof *aof;
    int count; /* commands appended */
};

struct loaded {
    struct aof_load_result result;
    struct error error;
    bool good;
    int count;   /* NUMBER commands that came in their order */
    bool broken; /* one came out of order */
};

static inline void log_nothing(void *context, enum aof_log_level level, const char *line)
{
}

static inline struct set set_make(const char *folder, enum aof_policy policy)
{
    struct aof_options options = { .dir = folder,
        .dirname = "appendonlydir",
        .filename = "appendonly.aof",
        .policy = policy,
        .load_truncated = true,
        .log = log_nothing };
    struct error error;
    struct set set = { .journal = journal_create(0) };
    set.aof = aof_create(&options, set.journal, &error);
    cr_assert_not_null(set.aof, "%s", error.text);
    return set;
}

static inline void set_free(struct set *set)
{
    aof_destroy(set->aof);
    journal_destroy(set->journal);
}

static inline size_t number_command(struct bytes argv[2], char digits[NUMBER_TEXT_MAX], int number)
{
    argv[0] = BYTES("NUMBER");
    argv[1] = (struct bytes){ digits, number_format(digits, number) };
    return 2;
}

/* Appends commands until there are `count`; returns the offset behind the last. */
static inline int64_t set_append(struct set *set, int count)
{
    int64_t offset = journal_offset(set->journal);
    while (set->count < count) {
        struct bytes argv[2];
        char digits[NUMBER_TEXT_MAX];
        offset = journal_append(set->journal, 0, argv, number_command(argv, digits, set->count++));
    }
    journal_wake(set->journal);
    return offset;
}

/* What a snapshot would do. */
static inline void set_write_base(const char *path, int count)
{
    struct buffer out = { 0 };
    for (int i = 0; i < count; i++) {
        struct bytes argv[2];
        char digits[NUMBER_TEXT_MAX];
        resp_write_command(&out, argv, number_command(argv, digits, i));
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    cr_assert(fd >= 0 && write(fd, out.data, out.len) == (ssize_t)out.len);
    close(fd);
    buffer_free(&out);
}

static inline bool apply_number(
    void *context, const struct bytes *argv, size_t argc, struct error *error)
{
    struct loaded *loaded = context;
    int64_t number;
    if (bytes_is(argv[0], "SELECT")) {
        return true;
    }
    if (argc != 2 || !bytes_is(argv[0], "NUMBER") || !number_parse(argv[1], &number)) {
        return error_set(error, "unknown command");
    }
    loaded->broken |= number != loaded->count;
    loaded->count++;
    return true;
}

/* The RDB files of these tests are those without keys that aof_start makes. */
static inline int64_t load_empty_rdb(void *context, int fd, const char *path, struct error *error)
{
    return 18;
}

static inline struct loaded set_load_into(struct set *set)
{
    struct loaded loaded = { 0 };
    struct aof_loader loader = {
        .context = &loaded, .load_rdb = load_empty_rdb, .apply = apply_number
    };
    loaded.good = aof_load(set->aof, &loader, &loaded.result, &loaded.error);
    set->count = loaded.count;
    return loaded;
}

/* Loads the folder's AOF with everything made anew. */
static inline struct loaded set_load(const char *folder)
{
    struct set set = set_make(folder, AOF_FSYNC_NO);
    struct loaded loaded = set_load_into(&set);
    set_free(&set);
    return loaded;
}

static inline void set_expect(const char *folder, int count)
{
    struct loaded loaded = set_load(folder);
    cr_assert(loaded.good, "%s", loaded.error.text);
    cr_assert_not(loaded.broken);
    cr_assert_eq(loaded.count, count, "%d instead of %d", loaded.count, count);
}

/* Loads and starts. */
static inline struct set set_start(const char *folder, enum aof_policy policy)
{
    struct error error;
    struct set set = set_make(folder, policy);
    struct loaded loaded = set_load_into(&set);
    cr_assert(loaded.good, "%s", loaded.error.text);
    cr_assert(aof_start(set.aof, &error), "%s", error.text);
    return set;
}

static inline void set_stop(struct set *set)
{
    struct error error;
    cr_assert(aof_stop(set->aof, 20000, &error), "%s", error.text);
    set_free(set);
}

/* A whole rewrite of the state there is now; `during` more commands come before its end. */
static inline void set_rewrite(struct set *set, int during)
{
    struct error error;
    int count = set->count;
    cr_assert(aof_rewrite_begin(set->aof, journal_offset(set->journal), &error), "%s", error.text);
    set_append(set, set->count + during);
    set_write_base(aof_rewrite_path(set->aof), count);
    cr_assert(aof_rewrite_finish(set->aof, &error), "%s", error.text);
}

/* Whether the gate has passed the offset. */
static inline bool set_is_synced(const struct set *set, int64_t offset)
{
    return gate_highest(aof_gate(set->aof)) >= offset;
}

static inline char *set_path(const char *folder, const char *name)
{
    return scratch_printf("%s/appendonlydir/%s", folder, name);
}

/* Writes files by hand: name, content, name, content, ..., NULL. */
static inline void set_write(const char *folder, ...)
{
    va_list args;
    va_start(args, folder);
    folder_make(folder);
    folder_make(scratch_printf("%s/appendonlydir", folder));
    for (const char *name; (name = va_arg(args, const char *)) != NULL;) {
        file_write_text(set_path(folder, name), va_arg(args, const char *));
    }
    va_end(args);
}

#endif
