/* A small editor of one line, in bytes of the locale: Left, Right, Home, End, Backspace, Ctrl-U,
 * and Up and Down for what was typed before. */
#include "console/tui/prompt.h"

#include "common/memory.h"
#include "console/tui/command.h"
#include "console/tui/find.h"
#include <limits.h>
#include <ncurses.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PROMPT_TEXT = 512, PROMPT_HISTORY = 30, CTRL_A = 1, CTRL_E = 5, CTRL_U = 21, ESCAPE = 27 };

struct prompt {
    char kind; /* '/' or ':'; 0: closed */
    char text[PROMPT_TEXT];
    size_t len, at;                         /* bytes; at: where the cursor is */
    char past[PROMPT_HISTORY][PROMPT_TEXT]; /* with the kind as first byte; the newest first */
    int past_count, past_at;                /* past_at -1: what is typed now */
};

struct prompt *prompt_new(void)
{
    return memory_alloc_zeroed(1, sizeof(struct prompt));
}

void prompt_free(struct prompt *prompt)
{
    free(prompt);
}

bool prompt_is_open(const struct prompt *prompt)
{
    return prompt->kind != 0;
}

static void prompt_set(struct prompt *prompt, const char *text)
{
    snprintf(prompt->text, sizeof prompt->text, "%s", text);
    prompt->len = prompt->at = strlen(prompt->text);
}

void prompt_open(struct prompt *prompt, char kind, const char *text)
{
    prompt->kind = kind;
    prompt->past_at = -1;
    prompt_set(prompt, text);
}

void prompt_close(struct prompt *prompt)
{
    prompt->kind = 0;
}

static void prompt_remember(struct prompt *prompt)
{
    if (prompt->len == 0 || prompt->len + 2 > PROMPT_TEXT)
        return;
    memmove(prompt->past[1], prompt->past[0], sizeof prompt->past - sizeof prompt->past[0]);
    prompt->past[0][0] = prompt->kind;
    memcpy(prompt->past[0] + 1, prompt->text, prompt->len + 1);
    if (prompt->past_count < PROMPT_HISTORY)
        prompt->past_count++;
}

static void prompt_recall(struct prompt *prompt, int by)
{
    int at = prompt->past_at + by;
    while (at >= 0 && at < prompt->past_count && prompt->past[at][0] != prompt->kind)
        at += by;
    if (at >= prompt->past_count)
        return;
    prompt->past_at = at < 0 ? -1 : at;
    prompt_set(prompt, at < 0 ? "" : prompt->past[at] + 1);
}

/* Bytes of the character before the cursor, or at it: continuation bytes of UTF-8 go with the
 * first. */
static size_t before(const struct prompt *prompt)
{
    size_t n = prompt->at > 0;
    while (n > 0 && n < prompt->at && ((unsigned char)prompt->text[prompt->at - n] & 0xc0) == 0x80)
        n++;
    return n;
}

static size_t after(const struct prompt *prompt)
{
    size_t n = prompt->at < prompt->len;
    while (n > 0 && prompt->at + n < prompt->len &&
           ((unsigned char)prompt->text[prompt->at + n] & 0xc0) == 0x80)
        n++;
    return n;
}

static void prompt_insert(struct prompt *prompt, wchar_t character)
{
    char bytes[MB_LEN_MAX];
    mbstate_t state = { 0 };
    size_t n = wcrtomb(bytes, character, &state);
    if (n == (size_t)-1 || prompt->len + n >= sizeof prompt->text - 1)
        return;
    memmove(prompt->text + prompt->at + n, prompt->text + prompt->at, prompt->len - prompt->at + 1);
    memcpy(prompt->text + prompt->at, bytes, n);
    prompt->len += n;
    prompt->at += n;
}

static void prompt_erase(struct prompt *prompt)
{
    size_t n = before(prompt);
    memmove(prompt->text + prompt->at - n, prompt->text + prompt->at, prompt->len - prompt->at + 1);
    prompt->at -= n;
    prompt->len -= n;
}

static void prompt_run(struct prompt *prompt, struct tui *tui)
{
    char kind = prompt->kind, text[PROMPT_TEXT];
    memcpy(text, prompt->text, sizeof text);
    prompt_remember(prompt);
    prompt_close(prompt);
    if (kind == '/')
        find_run(tui, text);
    else
        command_run(tui, text);
}

void prompt_key(struct prompt *prompt, struct tui *tui, int key, wchar_t character)
{
    switch (key) {
    case '\r':
        prompt_run(prompt, tui);
        break;
    case ESCAPE:
        prompt_close(prompt);
        break;
    case KEY_BACKSPACE:
        if (prompt->len == 0)
            prompt_close(prompt);
        prompt_erase(prompt);
        break;
    case KEY_LEFT:
        prompt->at -= before(prompt);
        break;
    case KEY_RIGHT:
        prompt->at += after(prompt);
        break;
    case KEY_HOME:
    case CTRL_A:
        prompt->at = 0;
        break;
    case KEY_END:
    case CTRL_E:
        prompt->at = prompt->len;
        break;
    case CTRL_U:
        prompt_set(prompt, "");
        break;
    case KEY_UP:
        prompt_recall(prompt, 1);
        break;
    case KEY_DOWN:
        prompt_recall(prompt, -1);
        break;
    case '\t':
        if (prompt->kind == ':') {
            command_complete(prompt->text, sizeof prompt->text);
            prompt->len = prompt->at = strlen(prompt->text);
        }
        break;
    default:
        if (character >= L' ')
            prompt_insert(prompt, character);
    }
}

void prompt_draw(struct prompt *prompt, struct area line)
{
    draw_blank(line, 0, 0, theme_style(ROLE_TEXT));
    draw_format(line, 0, 1, theme_style(ROLE_KEY), "%c", prompt->kind);
    char head[PROMPT_TEXT];
    snprintf(head, sizeof head, "%.*s", (int)prompt->at, prompt->text);
    int shift = text_width(head) - (line.cols - 4);
    struct area place = { line.y, line.x + 2, 1, line.cols - 3 };
    /* A long text is shown from where its cursor still fits. */
    const char *text = prompt->text;
    for (; shift > 0 && *text != '\0'; shift--)
        text++;
    int end = draw_text(place, 0, 0, theme_style(ROLE_STRONG), text);
    const char *hint = prompt->kind == '/' ? find_hint() : command_hint(prompt->text);
    if (end + 2 + text_width(hint) < place.cols)
        draw_right(place, 0, place.cols, theme_style(ROLE_DIM), hint);
    int at = text_width(head);
    move(line.y, line.x + 2 + (at < place.cols - 1 ? at : place.cols - 1));
}
