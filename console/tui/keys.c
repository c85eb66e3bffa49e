/* Keys by name, and the line that offers them. */
#include "console/tui/app.h"
#include "console/tui/zones.h"

#include <ncurses.h>
#include <stdio.h>

enum { GAP = 2 };

static const struct {
    int key;
    const char *name;
} names[] = {
    { '\r', "Enter" },
    { 27, "Esc" },
    { ' ', "Space" },
    { '\t', "Tab" },
    { KEY_BTAB, "Shift-Tab" },
    { KEY_UP, "Up" },
    { KEY_DOWN, "Down" },
    { KEY_LEFT, "Left" },
    { KEY_RIGHT, "Right" },
    { KEY_PPAGE, "PgUp" },
    { KEY_NPAGE, "PgDn" },
    { KEY_HOME, "Home" },
    { KEY_END, "End" },
    { KEY_BACKSPACE, "Backspace" },
};

const char *keys_name(int key, char *out)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (names[i].key == key) {
            snprintf(out, 16, "%s", names[i].name);
            return out;
        }
    }
    snprintf(out, 16, key > 32 && key < 127 ? "%c" : "key %d", key);
    return out;
}

const struct binding *keys_find(
    const struct binding *bindings, int key, struct tui *tui, void *state)
{
    for (const struct binding *b = bindings; b != NULL && b->key != 0; b++) {
        bool same = b->key == key || (b->other != 0 && b->other == key);
        if (same && (b->works == NULL || b->works(tui, state)))
            return b;
    }
    return NULL;
}

/* What the key line says of the binding; NULL: it isn't offered. */
static const char *offered(struct tui *tui, void *state, const struct binding *binding)
{
    if (binding->works != NULL && !binding->works(tui, state))
        return NULL;
    return binding->say != NULL ? binding->say(tui, state) : binding->word;
}

static int binding_width(const struct binding *binding, const char *word)
{
    char name[16];
    return text_width(binding->label != NULL ? binding->label : keys_name(binding->key, name)) + 1 +
           text_width(word);
}

int keys_width(struct tui *tui, void *state, const struct binding *bindings)
{
    int width = 0;
    for (const struct binding *b = bindings; b->key != 0; b++) {
        const char *word = offered(tui, state, b);
        if (word != NULL)
            width += binding_width(b, word) + GAP;
    }
    return width;
}

int keys_draw(struct tui *tui, void *state, const struct binding *bindings, struct area area,
    int row, int col)
{
    for (const struct binding *b = bindings; b->key != 0; b++) {
        const char *word = offered(tui, state, b);
        if (word == NULL)
            continue;
        int width = binding_width(b, word);
        if (col + width > area.cols)
            break;
        char name[16];
        zones_add(tui->zones, area.y + row, area.x + col, width, b->key);
        col = draw_text(area, row, col, theme_style(ROLE_KEY),
            b->label != NULL ? b->label : keys_name(b->key, name));
        col = draw_text(area, row, col + 1, theme_style(ROLE_DIM), word) + GAP;
    }
    return col;
}
