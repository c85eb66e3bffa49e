/* The values in force, and how they change. Numbers are one atomic each, so that reading one is a
 * load; texts lie behind a lock. A change goes in three steps, so that it happens wholly or not at
 * all: everything is parsed; everything is put in place; everybody concerned is told, and whoever
 * objects has it all put back. */
#include "server/config.h"
#include "server/config_table.h"

#include "common/memory.h"
#include "common/words.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { HOOKS_MAX = 128 };

static _Atomic int64_t numbers[CONFIG_NUMBER_COUNT];

static pthread_mutex_t text_mutex = PTHREAD_MUTEX_INITIALIZER;
static char *texts[CONFIG_COUNT - CONFIG_NUMBER_COUNT]; /* under text_mutex */

/* Written before any thread runs. */
static char *file_path;
static struct buffer user_lines;
static void (*write_users)(struct buffer *out);
static struct hook {
    enum config_id id;
    config_apply_fn *apply;
} hooks[HOOKS_MAX];
static size_t hook_count;

static pthread_mutex_t change_mutex = PTHREAD_MUTEX_INITIALIZER; /* one change at a time */

/* ---- Single values ---- */

int64_t config_number(enum config_id id)
{
    return atomic_load_explicit(&numbers[id], memory_order_relaxed);
}

void config_set_number(enum config_id id, int64_t value)
{
    atomic_store_explicit(&numbers[id], value, memory_order_relaxed);
}

char *config_text(enum config_id id)
{
    pthread_mutex_lock(&text_mutex);
    const char *text = texts[id - CONFIG_NUMBER_COUNT];
    char *copy = memory_copy_text(text ? text : "");
    pthread_mutex_unlock(&text_mutex);
    return copy;
}

bool config_text_is_set(enum config_id id)
{
    pthread_mutex_lock(&text_mutex);
    const char *text = texts[id - CONFIG_NUMBER_COUNT];
    bool set = text && text[0];
    pthread_mutex_unlock(&text_mutex);
    return set;
}

/* Takes over the text. */
static void give_text(enum config_id id, char *text)
{
    pthread_mutex_lock(&text_mutex);
    char *old = texts[id - CONFIG_NUMBER_COUNT];
    texts[id - CONFIG_NUMBER_COUNT] = text;
    pthread_mutex_unlock(&text_mutex);
    free(old);
}

void config_set_text(enum config_id id, const char *text)
{
    give_text(id, memory_copy_text(text));
}

void config_on_change(enum config_id id, config_apply_fn *apply)
{
    if (hook_count == HOOKS_MAX)
        abort(); /* a program with more hooks needs a larger table */
    hooks[hook_count++] = (struct hook){ id, apply };
}

const char *config_file(void)
{
    return file_path ? file_path : "";
}

/* ---- Users ---- */

void config_add_user_line(const struct bytes *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buffer_append_char(&user_lines, ' ');
        words_quote(&user_lines, words[i]);
    }
    buffer_append_char(&user_lines, '\n');
}

struct bytes config_user_lines(void)
{
    return user_lines.len ? buffer_bytes(&user_lines) : BYTES("");
}

void config_on_rewrite(void (*write)(struct buffer *out))
{
    write_users = write;
}

bool config_write_users(struct buffer *out)
{
    if (write_users)
        write_users(out);
    return write_users != NULL;
}

/* ---- Values of directives ---- */

void config_value_read(const struct directive *row, struct config_value *value)
{
    *value = (struct config_value){ 0 };
    if (row->kind->numbers == 0)
        value->text = config_text(row->id);
    for (unsigned i = 0; i < row->kind->numbers; i++)
        value->numbers[i] = config_number(row->id + i);
}

void config_value_store(const struct directive *row, struct config_value *value)
{
    if (row->kind->numbers == 0)
        give_text(row->id, value->text);
    for (unsigned i = 0; i < row->kind->numbers; i++)
        config_set_number(row->id + i, value->numbers[i]);
    value->text = NULL;
}

bool config_value_equal(
    const struct directive *row, const struct config_value *a, const struct config_value *b)
{
    if (row->kind->numbers == 0)
        return strcmp(a->text, b->text) == 0;
    return memcmp(a->numbers, b->numbers, row->kind->numbers * sizeof(a->numbers[0])) == 0;
}

void config_value_free(struct config_value *value)
{
    free(value->text);
    value->text = NULL;
}

void config_reset(const char *path)
{
    for (const struct directive *row = config_directives; row->name; row++) {
        struct config_value value;
        directive_default(row, &value);
        config_value_store(row, &value);
        if (row->apply && row->id != CONFIG_DIR)
            row->apply(row, NULL);
    }
    user_lines.len = 0;
    free(file_path);
    file_path = path[0] ? realpath(path, NULL) : NULL;
}

bool config_is_secret(struct bytes name)
{
    const struct directive *row = directive_find(name);
    return row && row->flags & DIRECTIVE_SECRET;
}

/* ---- Looking at all ---- */

/* A name and its row, for the order of names with the aliases among them. */
struct named {
    const char *name;
    const struct directive *row;
};

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct named *)a)->name, ((const struct named *)b)->name);
}

void config_each(config_visit_fn *visit, void *arg)
{
    struct named all[2 * DIRECTIVES_MAX];
    size_t count = 0;
    for (const struct directive *row = config_directives; row->name; row++) {
        all[count++] = (struct named){ row->name, row };
        if (row->alias)
            all[count++] = (struct named){ row->alias, row };
    }
    qsort(all, count, sizeof(all[0]), by_name);
    struct buffer text = { 0 };
    for (size_t i = 0; i < count; i++) {
        struct config_value value;
        config_value_read(all[i].row, &value);
        text.len = 0;
        all[i].row->kind->format(all[i].row, &value, &text);
        config_value_free(&value);
        struct bytes shown = text.len ? buffer_bytes(&text) : BYTES("");
        visit(arg, all[i].name, all[i].name != all[i].row->name, shown);
    }
    buffer_free(&text);
}

void config_show(enum config_id id, struct buffer *out)
{
    const struct directive *row = config_directives;
    while (row->name && row->id != id)
        row++;
    if (!row->name)
        return;
    struct config_value value;
    config_value_read(row, &value);
    row->kind->format(row, &value, out);
    config_value_free(&value);
}

/* ---- Changing several at once ---- */

/* One pair of CONFIG SET on its way. */
struct change {
    const struct directive *row;
    struct config_value old, new; /* owned */
    bool stored;
};

static bool concerns(const struct hook *hook, const struct directive *row)
{
    unsigned values = row->kind->numbers ? row->kind->numbers : 1;
    return hook->id >= row->id && hook->id < row->id + values;
}

static bool has_hook(const struct directive *row)
{
    for (size_t i = 0; i < hook_count; i++) {
        if (concerns(&hooks[i], row))
            return true;
    }
    return false;
}

static bool tell(const struct directive *row, struct error *error)
{
    directive_tell_idle(row);
    if (row->apply && !row->apply(row, error))
        return false;
    for (size_t i = 0; i < hook_count; i++) {
        if (concerns(&hooks[i], row) && !hooks[i].apply(hooks[i].id, error))
            return false;
    }
    return true;
}

/* Finds the row and parses the value; false with error, or with *outcome CONFIG_UNKNOWN. */
static bool prepare(struct change *changes, size_t index, const struct config_pair *pair,
    bool may_set_protected, enum config_outcome *outcome, struct error *error)
{
    struct change *change = &changes[index];
    const struct directive *row = change->row = directive_find(pair->name);
    *outcome = row ? CONFIG_REFUSED : CONFIG_UNKNOWN;
    if (!row)
        return false;
    if (row->flags & DIRECTIVE_IMMUTABLE)
        return error_set(error, "can't set immutable config");
    if (row->flags & DIRECTIVE_PROTECTED && !may_set_protected)
        return error_set(error, "can't set protected config");
    for (size_t i = 0; i < index; i++) {
        if (changes[i].row == row)
            return error_set(error, "duplicate parameter");
    }
    config_value_read(row, &change->old);
    config_value_read(row, &change->new);
    if (!directive_parse(row, &pair->value, 1, &change->new, error))
        return false;
    return !(row->flags & DIRECTIVE_NEEDS_HOOK) || has_hook(row) ||
           error_set(error, "can't set immutable config");
}

/* Puts the old values back and tells those who were told of the new ones. */
static void undo(struct change *changes, size_t count, size_t told)
{
    for (size_t i = 0; i < count; i++) {
        if (changes[i].stored)
            config_value_store(changes[i].row, &changes[i].old);
    }
    for (size_t i = 0; i <= told && i < count; i++) {
        if (changes[i].stored)
            tell(changes[i].row, NULL);
    }
}

static enum config_outcome change_all(struct change *changes, const struct config_pair *pairs,
    size_t count, bool may_set_protected, size_t *culprit, struct error *error)
{
    enum config_outcome outcome;
    for (*culprit = 0; *culprit < count; ++*culprit) {
        if (!prepare(changes, *culprit, &pairs[*culprit], may_set_protected, &outcome, error))
            return outcome;
    }
    for (size_t i = 0; i < count; i++) {
        struct change *change = &changes[i];
        if (config_value_equal(change->row, &change->old, &change->new))
            continue;
        config_value_store(change->row, &change->new);
        change->stored = true;
    }
    for (*culprit = 0; *culprit < count; ++*culprit) {
        if (changes[*culprit].stored && !tell(changes[*culprit].row, error)) {
            undo(changes, count, *culprit);
            return CONFIG_REFUSED;
        }
    }
    return CONFIG_CHANGED;
}

void config_change_lock(void)
{
    pthread_mutex_lock(&change_mutex);
}

void config_change_unlock(void)
{
    pthread_mutex_unlock(&change_mutex);
}

enum config_outcome config_change(const struct config_pair *pairs, size_t count,
    bool may_set_protected, size_t *culprit, struct error *error)
{
    struct change *changes = memory_alloc_zeroed(count, sizeof(*changes));
    pthread_mutex_lock(&change_mutex);
    enum config_outcome outcome =
        change_all(changes, pairs, count, may_set_protected, culprit, error);
    pthread_mutex_unlock(&change_mutex);
    for (size_t i = 0; i < count; i++) {
        config_value_free(&changes[i].old);
        config_value_free(&changes[i].new);
    }
    free(changes);
    return outcome;
}
