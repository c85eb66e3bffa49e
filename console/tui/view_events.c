/* What happened, newest first. The row under the cursor stays the same event when new ones come. */
#include "console/tui/view_events.h"

#include "common/memory.h"
#include "console/tui/app.h"
#include "console/tui/format.h"
#include "console/tui/list.h"
#include <ncurses.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILTER_MAX = 100, FILTER_KINDS = MODEL_EVENT_OPERATION + 1, ALL_KINDS = -1 };

struct events {
    struct list list;
    struct area place;
    char filter[FILTER_MAX];
    int kind;       /* of enum model_event_kind, or ALL_KINDS */
    uint64_t under; /* number of the event under the cursor; 0: the newest, whichever it is */
    const struct model_event *shown[MODEL_EVENTS_MAX]; /* as drawn last */
};

static void *events_open(struct tui *tui)
{
    struct events *events = memory_alloc_zeroed(1, sizeof *events);
    events->kind = ALL_KINDS;
    return events;
}

static void events_close(struct tui *tui, void *state)
{
    free(state);
}

void view_events_filter(void *state, const char *text)
{
    struct events *events = state;
    snprintf(events->filter, sizeof events->filter, "%s", text);
}

static bool passes(const struct events *events, const struct model_event *event)
{
    if (events->kind != ALL_KINDS && event->kind != (enum model_event_kind)events->kind)
        return false;
    return events->filter[0] == '\0' || strcasestr(event->text, events->filter) != NULL;
}

static int collect(struct tui *tui, struct events *events)
{
    int count = 0;
    const struct model_event *event;
    for (size_t ago = 0; (event = model_log_at(&tui->model->log, ago)) != NULL; ago++) {
        if (passes(events, event) && count < MODEL_EVENTS_MAX)
            events->shown[count++] = event;
    }
    for (int i = 0; events->under != 0 && i < count; i++) {
        if (events->shown[i]->number == events->under)
            events->list.cursor = i;
    }
    return count;
}

static void remember(struct events *events)
{
    int at = events->list.cursor;
    events->under = at > 0 && at < events->list.count ? events->shown[at]->number : 0;
}

static void draw_event(
    const struct events *events, const struct model_event *event, int row, bool here, int64_t now)
{
    static const enum role roles[] = {
        [MODEL_GOOD] = ROLE_GOOD_TEXT,
        [MODEL_NEUTRAL] = ROLE_TEXT,
        [MODEL_BAD] = ROLE_BAD_TEXT,
    };
    struct format clock, moment;
    struct style style = theme_style(roles[event->severity]), dim = theme_style(ROLE_DIM);
    if (here) {
        draw_blank(events->place, row, 0, theme_style(ROLE_SELECT));
        style = style_on_select(style);
        dim = theme_style(ROLE_SELECT);
    }
    draw_text(events->place, row, 0, dim, format_clock(&clock, event->wall));
    int col = 10;
    if (events->place.cols >= 80) {
        draw_right(events->place, row, 22, dim, format_moment(&moment, event->wall, now));
        draw_text(events->place, row, 24, dim, model_event_kind_text(event->kind));
        col = 36;
    }
    draw_text(events->place, row, col, style, event->text);
}

static void events_draw(struct tui *tui, void *state, struct area area)
{
    struct events *events = state;
    int count = collect(tui, events);
    struct style dim = theme_style(ROLE_DIM);
    int col = draw_format(area, 0, 0, dim, "%d event%s", count, count == 1 ? "" : "s");
    if (events->kind != ALL_KINDS)
        col = draw_format(area, 0, col, theme_style(ROLE_STRONG), "  only: %s",
            model_event_kind_text((enum model_event_kind)events->kind));
    if (events->filter[0] != '\0')
        draw_format(area, 0, col, theme_style(ROLE_STRONG), "  with \"%s\"", events->filter);
    events->place = area_rows(area, 1, area.rows - 1);
    list_fit(&events->list, count, events->place.rows);
    int64_t now = client_wall_clock();
    for (int i = 0; i < events->list.visible && events->list.top + i < count; i++) {
        int index = events->list.top + i;
        draw_event(events, events->shown[index], i, index == events->list.cursor, now);
    }
    list_draw_more(&events->list, events->place);
}

/* The whole text of the event, where the row is too short for it. */
static void events_status(struct tui *tui, void *state, struct area line)
{
    const struct events *events = state;
    if (events->list.cursor < events->list.count)
        draw_text(line, 0, 1, theme_style(ROLE_TEXT), events->shown[events->list.cursor]->text);
}

static bool events_key(struct tui *tui, void *state, int key)
{
    struct events *events = state;
    bool used = list_key(&events->list, key);
    if (used)
        remember(events);
    return used;
}

static void events_mouse(struct tui *tui, void *state, const struct mouse *mouse)
{
    struct events *events = state;
    int row = list_at(&events->list, events->place, mouse->y);
    if (mouse->kind == MOUSE_WHEEL_UP || mouse->kind == MOUSE_WHEEL_DOWN)
        list_move(&events->list, mouse->kind == MOUSE_WHEEL_UP ? -1 : 1);
    else if (mouse->kind == MOUSE_PRESS && row >= 0)
        events->list.cursor = row;
    remember(events);
}

static void next_kind(struct tui *tui, void *state)
{
    struct events *events = state;
    events->kind = events->kind + 1 < FILTER_KINDS ? events->kind + 1 : ALL_KINDS;
    events->under = 0;
    events->list.cursor = 0;
}

static void all_events(struct tui *tui, void *state)
{
    struct events *events = state;
    events->kind = ALL_KINDS;
    events->filter[0] = '\0';
}

static bool is_filtered(struct tui *tui, void *state)
{
    const struct events *events = state;
    return events->kind != ALL_KINDS || events->filter[0] != '\0';
}

static const struct binding events_bindings[] = {
    { 'k', .word = "kind", .run = next_kind,
        .help = "shows one kind of events after the other; "
                ":filter WORD by text" },
    { 27, .word = "all", .run = all_events, .works = is_filtered,
        .help = "shows all events again" },
    { 0 },
};

const struct view view_events = {
    .name = "Events",
    .open = events_open,
    .close = events_close,
    .draw = events_draw,
    .status = events_status,
    .mouse = events_mouse,
    .key = events_key,
    .bindings = events_bindings,
};
