/* What a role looks like, in each theme and on each kind of terminal. Roles carry attributes too,
 * so that nothing depends on colour alone. Pairs of colours are made by ncurses when first used. */
#include "console/tui/theme.h"

#include <ncurses.h>
#include <stdlib.h>
#include <string.h>

enum { SHARD_COLOURS = 12, SHARD_COLOURS_8 = 6 };

struct look {
    short fg, bg;     /* with 256 colours */
    short fg_8, bg_8; /* with 8 */
    unsigned attrs;   /* always */
    unsigned mono;    /* without colours, instead of attrs */
};

struct theme {
    const char *name;
    struct look roles[ROLE_COUNT];
    short shards[SHARD_COLOURS];
    short shards_8[SHARD_COLOURS_8];
    short heat[THEME_HEAT_LEVELS];
};

static const struct theme themes[] = {
    {
        .name = "dark",
        .roles = {
            [ROLE_TEXT] = { -1, -1, -1, -1, 0, 0 },
            [ROLE_STRONG] = { -1, -1, -1, -1, A_BOLD, A_BOLD },
            [ROLE_DIM] = { 245, -1, -1, -1, 0, 0 },
            [ROLE_OK] = { 16, 71, 0, 2, A_BOLD, A_REVERSE },
            [ROLE_WARN] = { 16, 220, 0, 3, A_BOLD, A_REVERSE | A_BOLD },
            [ROLE_BAD] = { 231, 160, 7, 1, A_BOLD, A_REVERSE | A_BOLD },
            [ROLE_GOOD_TEXT] = { 114, -1, 2, -1, 0, 0 },
            [ROLE_WARN_TEXT] = { 220, -1, 3, -1, A_BOLD, A_BOLD },
            [ROLE_BAD_TEXT] = { 203, -1, 1, -1, A_BOLD, A_BOLD },
            [ROLE_TAB] = { 250, 236, 7, -1, 0, 0 },
            [ROLE_TAB_ACTIVE] = { 231, 61, 7, 4, A_BOLD, A_REVERSE },
            [ROLE_KEY] = { 231, -1, 7, -1, A_BOLD, A_BOLD },
            [ROLE_SELECT] = { 231, 238, 0, 7, 0, A_REVERSE },
            [ROLE_CURSOR] = { 231, -1, 7, -1, A_BOLD, A_REVERSE },
            [ROLE_MARK] = { 234, -1, 0, -1, 0, A_REVERSE },
            [ROLE_UNSERVED] = { 160, -1, 1, -1, A_BOLD, A_BOLD },
            [ROLE_DIALOG] = { 153, -1, 6, -1, 0, 0 },
            [ROLE_BUTTON] = { 252, 238, 7, -1, 0, 0 },
            [ROLE_BUTTON_FOCUS] = { 16, 153, 0, 6, A_BOLD, A_REVERSE },
        },
        .shards = { 75, 215, 141, 79, 211, 186, 33, 173, 99, 149, 177, 152 },
        .shards_8 = { 4, 5, 6, 3, 2, 7 },
        .heat = { 236, 24, 31, 37, 72, 143, 215, 221 },
    },
    {
        .name = "light",
        .roles = {
            [ROLE_TEXT] = { -1, -1, -1, -1, 0, 0 },
            [ROLE_STRONG] = { -1, -1, -1, -1, A_BOLD, A_BOLD },
            [ROLE_DIM] = { 242, -1, -1, -1, 0, 0 },
            [ROLE_OK] = { 231, 28, 7, 2, A_BOLD, A_REVERSE },
            [ROLE_WARN] = { 16, 214, 0, 3, A_BOLD, A_REVERSE | A_BOLD },
            [ROLE_BAD] = { 231, 160, 7, 1, A_BOLD, A_REVERSE | A_BOLD },
            [ROLE_GOOD_TEXT] = { 28, -1, 2, -1, 0, 0 },
            [ROLE_WARN_TEXT] = { 130, -1, 3, -1, A_BOLD, A_BOLD },
            [ROLE_BAD_TEXT] = { 160, -1, 1, -1, A_BOLD, A_BOLD },
            [ROLE_TAB] = { 238, 253, 0, -1, 0, 0 },
            [ROLE_TAB_ACTIVE] = { 231, 61, 7, 4, A_BOLD, A_REVERSE },
            [ROLE_KEY] = { 16, -1, 0, -1, A_BOLD, A_BOLD },
            [ROLE_SELECT] = { 16, 252, 7, 0, 0, A_REVERSE },
            [ROLE_CURSOR] = { 16, -1, 0, -1, A_BOLD, A_REVERSE },
            [ROLE_MARK] = { 255, -1, 7, -1, 0, A_REVERSE },
            [ROLE_UNSERVED] = { 160, -1, 1, -1, A_BOLD, A_BOLD },
            [ROLE_DIALOG] = { 25, -1, 4, -1, 0, 0 },
            [ROLE_BUTTON] = { 238, 252, 0, 7, 0, 0 },
            [ROLE_BUTTON_FOCUS] = { 231, 25, 7, 4, A_BOLD, A_REVERSE },
        },
        .shards = { 32, 172, 98, 36, 168, 142, 25, 130, 61, 70, 133, 66 },
        .shards_8 = { 4, 5, 6, 3, 2, 0 },
        .heat = { 254, 153, 117, 74, 67, 136, 172, 166 },
    },
};

enum { THEMES = sizeof themes / sizeof themes[0] };

static struct {
    const struct theme *theme;
    enum theme_level level;
} current = { &themes[0], THEME_NONE };

bool theme_choose(const char *name)
{
    if (name == NULL)
        return true;
    for (size_t i = 0; i < THEMES; i++) {
        if (strcmp(themes[i].name, name) == 0) {
            current.theme = &themes[i];
            return true;
        }
    }
    return false;
}

void theme_start(void)
{
    const char *no_colour = getenv("NO_COLOR");
    current.level = THEME_NONE;
    if ((no_colour != NULL && no_colour[0] != '\0') || !has_colors())
        return;
    start_color();
    if (use_default_colors() == ERR)
        return;
    if (COLORS >= 256)
        current.level = THEME_256;
    else if (COLORS >= 8)
        current.level = THEME_8;
}

const char *theme_name(size_t index)
{
    return index < THEMES ? themes[index].name : NULL;
}

enum theme_level theme_level(void)
{
    return current.level;
}

struct style theme_style(enum role role)
{
    const struct look *look = &current.theme->roles[role];
    switch (current.level) {
    case THEME_256:
        return (struct style){ look->fg, look->bg, look->attrs };
    case THEME_8:
        return (struct style){ look->fg_8, look->bg_8, look->attrs };
    case THEME_NONE:
        break;
    }
    return (struct style){ -1, -1, look->mono };
}

struct style style_on_select(struct style style)
{
    struct style select = theme_style(ROLE_SELECT);
    if (current.level != THEME_256)
        return select;
    style.bg = select.bg;
    return style;
}

short theme_shard_colour(unsigned shard)
{
    switch (current.level) {
    case THEME_256:
        return current.theme->shards[shard % SHARD_COLOURS];
    case THEME_8:
        return current.theme->shards_8[shard % SHARD_COLOURS_8];
    case THEME_NONE:
        break;
    }
    return -1;
}

struct style theme_shard(unsigned shard)
{
    return (struct style){ theme_shard_colour(shard), -1, A_BOLD };
}

short theme_heat_colour(unsigned level)
{
    if (current.level != THEME_256)
        return -1;
    return current.theme->heat[level < THEME_HEAT_LEVELS ? level : THEME_HEAT_LEVELS - 1];
}

char theme_shard_letter(unsigned shard)
{
    if (shard < 26)
        return (char)('A' + shard);
    return shard < 52 ? (char)('a' + shard - 26) : '#';
}

int theme_pair(struct style style)
{
    if (current.level == THEME_NONE || (style.fg < 0 && style.bg < 0))
        return 0;
    int pair = alloc_pair(style.fg, style.bg);
    return pair < 0 ? 0 : pair;
}

void theme_apply(struct style style)
{
    int pair = theme_pair(style);
    attr_set(style.attrs, (short)pair, &pair);
}
