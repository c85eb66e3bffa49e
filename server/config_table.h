/* The rows of the configuration, for the files config*.c alone. */
#ifndef SERVER_CONFIG_TABLE_H
#define SERVER_CONFIG_TABLE_H

#include "server/config.h"

enum directive_flag {
    DIRECTIVE_IMMUTABLE = 1,   /* only when the process starts */
    DIRECTIVE_PROTECTED = 2,   /* by CONFIG SET only where enable-protected-configs says so */
    DIRECTIVE_SECRET = 4,      /* a password */
    DIRECTIVE_WORDS = 8,       /* several words make the value */
    DIRECTIVE_NEEDS_HOOK = 16, /* changing the value is not enough: a module has to act on it */
    DIRECTIVE_KEPT = 32,       /* CONFIG REWRITE writes it even if it is the default */
    DIRECTIVE_IDLE = 64,       /* taken and shown, but there is nothing here that it could change */
};

enum { DIRECTIVES_MAX = 256, CONFIG_VALUE_NUMBERS = 9, CONFIG_TEXT_MAX = 64 * 1024 };

/* What a directive is set to: its numbers, or its text. */
struct config_value {
    int64_t numbers[CONFIG_VALUE_NUMBERS];
    char *text; /* owned; NULL where the directive has numbers */
};

struct config_choice {
    const char *name; /* NULL ends an array */
    int64_t value;
};

struct directive;

/* How values of a kind are read and written. */
struct config_kind {
    unsigned numbers; /* how many; 0: a text */
    /* Words to value. A part that the words do not name keeps what is in *value; text is replaced.
     */
    bool (*parse)(const struct directive *row, const struct bytes *words, size_t count,
        struct config_value *value, struct error *error);
    /* As CONFIG GET shows it. */
    void (*format)(
        const struct directive *row, const struct config_value *value, struct buffer *out);
    /* As lines of the file, each with the directive's name and '\n'. */
    void (*write)(
        const struct directive *row, const struct config_value *value, struct buffer *out);
};

extern const struct config_kind config_kind_number, config_kind_size, config_kind_size_or_percent, config_kind_octal,
    config_kind_bool, config_kind_choice, config_kind_output_limits, config_kind_text,
    config_kind_words, config_kind_save, config_kind_replicaof, config_kind_size_or_percent,
    config_kind_events;

struct directive {
    const char *name, *alias; /* alias NULL: none */
    const struct config_kind *kind;
    enum config_id id; /* of its first value */
    unsigned flags;    /* enum directive_flag */
    int64_t min, max;
    const char *initial; /* the default, as words of the file; NULL: see initial_number */
    int64_t (*initial_number)(void);
    const struct config_choice *choices;
    /* Whether the text makes sense for this directive. */
    bool (*check)(const char *text, struct error *error);
    /* What the configuration does itself with a new value, which is in place: when loading and at
     * run time. */
    bool (*apply)(const struct directive *row, struct error *error);
};

/* In the order of their names; the last row has no name. */
extern const struct directive config_directives[];

/* Why a directive with DIRECTIVE_IDLE changes nothing (config_idle.c). */
const char *directive_idle_reason(const struct directive *row);
/* Says so in the log. */
void directive_tell_idle(const struct directive *row);

/* By name or alias, in any case of letters; NULL: there is none. */
const struct directive *directive_find(struct bytes name);
/* Words to value, where one word may hold them all for DIRECTIVE_WORDS ("60 1000"). */
bool directive_parse(const struct directive *row, const struct bytes *words, size_t count,
    struct config_value *value, struct error *error);
void directive_default(const struct directive *row, struct config_value *value);

/* The values in force (config.c). The caller frees with config_value_free. */
void config_value_read(const struct directive *row, struct config_value *value);
/* Puts the value in force; takes over the text. */
void config_value_store(const struct directive *row, struct config_value *value);
bool config_value_equal(
    const struct directive *row, const struct config_value *a, const struct config_value *b);
void config_value_free(struct config_value *value);

/* No CONFIG SET comes in between these two. */
void config_change_lock(void);
void config_change_unlock(void);

/* Keeps a `user` line, for config_user_lines. */
void config_add_user_line(const struct bytes *words, size_t count);
/* Appends what stands for the `user` lines now, if anybody has said how (config_on_rewrite). False:
 * nobody has, and they stay as they are. */
bool config_write_users(struct buffer *out);

/* Sets everything to its default; path is that of the file ("": none), made absolute. */
void config_reset(const char *path);
/* The whole file, at most 16 MB. */
bool config_read_file(const char *path, struct buffer *out, struct error *error);
/* The next line of the text without its end; false at the end of the text. */
bool config_next_line(struct bytes *rest, struct bytes *line);

#endif
