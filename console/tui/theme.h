/* Colours by what they mean. A theme is a row of a table; the terminal decides how much of it can
 * be shown: 256 colours, 8, or none, where bold, reverse and letters do the work. */
#ifndef TUI_THEME_H
#define TUI_THEME_H

#include <stdbool.h>
#include <stddef.h>

/* Colours are the terminal's numbers, -1 its own foreground or background; attrs are ncurses'. */
struct style {
    short fg, bg;
    unsigned attrs;
};

enum role {
    ROLE_TEXT,
    ROLE_STRONG,
    ROLE_DIM, /* labels, rules, and figures that are old */
    ROLE_OK,  /* badges of the verdict: readable without colour too */
    ROLE_WARN,
    ROLE_BAD,
    ROLE_GOOD_TEXT, /* words that say up, ok */
    ROLE_WARN_TEXT,
    ROLE_BAD_TEXT,
    ROLE_TAB,
    ROLE_TAB_ACTIVE,
    ROLE_KEY,    /* the letter to press */
    ROLE_SELECT, /* the row under the cursor */
    ROLE_CURSOR, /* the point under the map's cursor */
    ROLE_MARK,   /* the stripe of marked slots */
    ROLE_UNSERVED,
    ROLE_DIALOG, /* the frame of a question */
    ROLE_BUTTON,
    ROLE_BUTTON_FOCUS,
    ROLE_COUNT,
};

enum theme_level { THEME_NONE, THEME_8, THEME_256 };

enum { THEME_HEAT_LEVELS = 8 };

/* Chooses a theme by name (NULL: the first); false where there is none of that name. Before
 * theme_start it sets only the choice; after it, the colours change at once. */
bool theme_choose(const char *name);
/* Finds out what the terminal can show, with NO_COLOR and TERM respected. After terminal_open. */
void theme_start(void);
/* The names of all themes, NULL at the end. */
const char *theme_name(size_t index);

enum theme_level theme_level(void);
struct style theme_style(enum role role);
/* The style in a row under the cursor: its own colour where that can be read there. */
struct style style_on_select(struct style style);
/* The colour of the shard with that index; the same for all figures of it on every screen. */
struct style theme_shard(unsigned shard);
/* The colour number of a shard's points on the map; -1 without colours. */
short theme_shard_colour(unsigned shard);
/* The colour number of a shade, 0 (cold) to THEME_HEAT_LEVELS - 1; -1 below 256 colours. */
short theme_heat_colour(unsigned level);

/* 'A' to 'Z', then 'a' to 'z', then '#'. */
char theme_shard_letter(unsigned shard);

/* Makes the style the current one of ncurses' standard screen. */
void theme_apply(struct style style);
/* ncurses' colour pair of the style; 0 without colours. */
int theme_pair(struct style style);

#endif
