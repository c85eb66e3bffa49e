/* The words of a line, by the rules of Redis's configuration, inline commands and redis-cli. A
 * quote may open in the middle of a word and then goes on with it; it must close at the word's end.
 * A zero byte ends the line, as it does where these rules come from.
 *
 * No word is longer than its text in the line, so one allocation of the line's length holds all. */
#include "common/words.h"

#include "common/memory.h"
#include <stdlib.h>

struct splitter {
    const char *at, *end;
    char *out;
};

/* The byte `ahead` of the present one; 0 behind the end of the line. */
static char peek(const struct splitter *splitter, size_t ahead)
{
    return (size_t)(splitter->end - splitter->at) > ahead ? splitter->at[ahead] : '\0';
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* What stands behind a backslash in "...", and what it means. The two strings go in step. */
static const char escape_letters[] = "nrtba";
static const char escape_values[] = "\n\r\t\b\a";

/* One byte of the inside of "...", which may be an escape. */
static void take_escaped(struct splitter *splitter)
{
    char c = peek(splitter, 0);
    size_t taken = 1;
    if (c == '\\' && peek(splitter, 1) != '\0') {
        int high = hex_digit(peek(splitter, 2)), low = hex_digit(peek(splitter, 3));
        c = peek(splitter, 1);
        taken = 2;
        const char *letter = strchr(escape_letters, c);
        if (c == 'x' && high >= 0 && low >= 0) {
            c = (char)(high << 4 | low);
            taken = 4;
        } else if (letter != NULL) {
            c = escape_values[letter - escape_letters];
        }
    }
    *splitter->out++ = c;
    splitter->at += taken;
}

/* From behind an opening quote to behind the closing one, which a space or the end must follow. */
static bool take_quoted(struct splitter *splitter, char quote)
{
    for (;;) {
        char c = peek(splitter, 0);
        if (c == '\0')
            return false;
        if (c == quote) {
            splitter->at++;
            return peek(splitter, 0) == '\0' || is_space(peek(splitter, 0));
        }
        if (quote == '"') {
            take_escaped(splitter);
        } else {
            if (c == '\\' && peek(splitter, 1) == '\'')
                c = *++splitter->at;
            *splitter->out++ = c;
            splitter->at++;
        }
    }
}

static bool take_word(struct splitter *splitter)
{
    for (;;) {
        char c = peek(splitter, 0);
        if (c == '\0' || c == ' ' || c == '\n' || c == '\r' || c == '\t')
            return true;
        splitter->at++;
        if (c == '"' || c == '\'')
            return take_quoted(splitter, c);
        *splitter->out++ = c;
    }
}

bool words_split(struct bytes line, struct words *words)
{
    *words = (struct words){ .text = memory_alloc(line.len) };
    if (line.len == 0)
        return true;
    struct splitter splitter = { line.data, line.data + line.len, words->text };
    size_t capacity = 0;
    for (;;) {
        while (is_space(peek(&splitter, 0)))
            splitter.at++;
        if (peek(&splitter, 0) == '\0')
            return true;
        const char *start = splitter.out;
        if (!take_word(&splitter)) {
            words_free(words);
            return false;
        }
        if (words->count == capacity) {
            capacity = capacity != 0 ? capacity * 2 : 8;
            words->items = memory_resize(words->items, capacity * sizeof(words->items[0]));
        }
        words->items[words->count++] = (struct bytes){ start, (size_t)(splitter.out - start) };
    }
}

void words_free(struct words *words)
{
    free(words->items);
    free(words->text);
    *words = (struct words){ 0 };
}

/* A # at the start is quoted too: in a file it would make a comment of the line. */
static bool needs_quotes(struct bytes word)
{
    if (word.len == 0 || word.data[0] == '#')
        return true;
    for (size_t i = 0; i < word.len; i++) {
        unsigned char c = (unsigned char)word.data[i];
        if (c <= ' ' || c == 0x7f || c == '"' || c == '\'')
            return true;
    }
    return false;
}

void words_quote(struct buffer *out, struct bytes word)
{
    if (!needs_quotes(word)) {
        buffer_append(out, word.data, word.len);
        return;
    }
    buffer_append_char(out, '"');
    for (size_t i = 0; i < word.len; i++) {
        char c = word.data[i];
        const char *escape = c != '\0' ? strchr(escape_values, c) : NULL;
        if (c == '"' || c == '\\')
            buffer_printf(out, "\\%c", c);
        else if (escape != NULL)
            buffer_printf(out, "\\%c", escape_letters[escape - escape_values]);
        else if ((unsigned char)c < ' ' || c == 0x7f)
            buffer_printf(out, "\\x%02x", (unsigned)(unsigned char)c);
        else
            buffer_append_char(out, c);
    }
    buffer_append_char(out, '"');
}
