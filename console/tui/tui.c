/* The dashboard's loop. Keys, signals, timers and the answers of nodes all come through the loop of
 * the model's client; whatever changed something asks for a drawing, and drawings that are asked
 * for within a frame become one. ncurses sends the differences only.
 *
 * A key goes to the prompt while it is open, else to the question on top, else to the view, else to
 * the bindings that work everywhere. A click is looked up among the places that stand for a key
 * first; so all that a key line offers works with both. */
#include "console/tui/tui.h"

#include "console/tui/actions.h"
#include "console/tui/app.h"
#include "console/tui/counter.h"
#include "console/tui/header.h"
#include "console/tui/jobs.h"
#include "console/tui/panel.h"
#include "console/tui/prompt.h"
#include "console/tui/terminal.h"
#include "console/tui/views.h"
#include "console/tui/zones.h"
#include <event2/event.h>
#include <ncurses.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { QUESTIONS_MAX = 8, FRAME_MS = 33, TICK_MS = 1000, EXIT_USAGE = 2, EXIT_TERMINAL = 3 };
enum { CTRL_L = 12, ESCAPE = 27, DELETE = 127, BACKSPACE = 8, SIGNALS = 6, MOUSE_EVENTS_MAX = 16 };

const struct view *const tui_views[VIEW_COUNT] = {
    [VIEW_SLOTS] = &view_slots,
    [VIEW_NODES] = &view_nodes,
    [VIEW_GOSSIP] = &view_gossip,
    [VIEW_OPERATIONS] = &view_operations,
    [VIEW_EVENTS] = &view_events,
};

/* The dashboard's own part of it: what the loop needs. */
struct screen {
    struct tui tui; /* first: the others know this part */
    struct layer questions[QUESTIONS_MAX];
    int question_count;
    const struct layer *grab; /* who got the press of the button that is down */
    bool button_down, grab_panel;
    struct event *input, *tick, *frame, *signals[SIGNALS];
    bool frame_waits;
    bool asked;   /* a question was opened since input came: keys typed ahead are no answer */
    bool fresh;   /* something was opened that hasn't been drawn: keys would miss it */
    bool leaving; /* when what runs has ended */
    bool over;
    int code;
};

static struct screen *screen_of(struct tui *tui)
{
    return (struct screen *)tui;
}

/* --- What the parts ask for --- */

void tui_changed(struct tui *tui)
{
    static const struct timeval wait = { 0, FRAME_MS * 1000 };
    struct screen *screen = screen_of(tui);
    if (screen->frame_waits || screen->frame == NULL)
        return;
    screen->frame_waits = true;
    evtimer_add(screen->frame, &wait);
}

void tui_show(struct tui *tui, enum tui_view view)
{
    tui->current = view;
    screen_of(tui)->fresh = true;
    tui_changed(tui);
}

static struct layer *top_question(struct screen *screen)
{
    return screen->question_count > 0 ? &screen->questions[screen->question_count - 1] : NULL;
}

void tui_ask(struct tui *tui, const struct view *view, void *state)
{
    struct screen *screen = screen_of(tui);
    if (screen->question_count == QUESTIONS_MAX)
        tui_answered(tui);
    screen->questions[screen->question_count++] = (struct layer){ .view = view, .state = state };
    screen->fresh = screen->asked = true;
    tui_changed(tui);
}

void tui_answered(struct tui *tui)
{
    struct screen *screen = screen_of(tui);
    struct layer *top = top_question(screen);
    if (top == NULL)
        return;
    screen->question_count--;
    screen->grab = NULL;
    if (top->view->close != NULL)
        top->view->close(tui, top->state);
    tui_changed(tui);
}

void tui_say(struct tui *tui, enum model_severity kind, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(tui->notice, sizeof tui->notice, format, args);
    va_end(args);
    tui->notice_kind = kind;
    tui_changed(tui);
}

static void screen_end(struct screen *screen, int code)
{
    screen->over = true;
    screen->code = code;
    client_interrupt(screen->tui.client);
}

void tui_leave(struct tui *tui)
{
    struct screen *screen = screen_of(tui);
    if (jobs_running(tui->jobs) != NULL)
        screen->leaving = true;
    else
        screen_end(screen, 0);
}

int tui_shard(struct tui *tui)
{
    const struct layer *layer = &tui->views[tui->current];
    return layer->view->shard != NULL ? layer->view->shard(tui, layer->state) : -1;
}

void tui_go(struct tui *tui, int slot, int node)
{
    static const enum tui_view others[] = { VIEW_SLOTS, VIEW_NODES };
    const struct layer *layer = &tui->views[tui->current];
    if (layer->view->go != NULL && layer->view->go(tui, layer->state, slot, node))
        return;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        layer = &tui->views[others[i]];
        if (layer->view->go(tui, layer->state, slot, node)) {
            tui_show(tui, others[i]);
            return;
        }
    }
}

/* --- Bindings that work everywhere --- */

static void show_1(struct tui *tui, void *state)
{
    tui_show(tui, VIEW_SLOTS);
}

static void show_2(struct tui *tui, void *state)
{
    tui_show(tui, VIEW_NODES);
}

static void show_3(struct tui *tui, void *state)
{
    tui_show(tui, VIEW_GOSSIP);
}

static void show_4(struct tui *tui, void *state)
{
    tui_show(tui, VIEW_OPERATIONS);
}

static void show_5(struct tui *tui, void *state)
{
    tui_show(tui, VIEW_EVENTS);
}

static bool is_running(struct tui *tui, void *state)
{
    return jobs_running(tui->jobs) != NULL;
}

static bool can_pause(struct tui *tui, void *state)
{
    return is_running(tui, state) && operation_can_pause(jobs_running(tui->jobs));
}

static const char *pause_word(struct tui *tui, void *state)
{
    return is_running(tui, state) && jobs_at(tui->jobs, 0)->progress.paused ? "go on" : "pause";
}

static void toggle_pause(struct tui *tui, void *state)
{
    jobs_pause(tui->jobs);
}

static void cancel(struct tui *tui, void *state)
{
    action_cancel(tui);
}

static void check(struct tui *tui, void *state)
{
    action_check(tui);
}

static void open_find(struct tui *tui, void *state)
{
    prompt_open(tui->prompt, '/', "");
}

static void open_command(struct tui *tui, void *state)
{
    prompt_open(tui->prompt, ':', "");
}

static void help(struct tui *tui, void *state)
{
    action_help(tui);
}

static void redraw(struct tui *tui, void *state)
{
    clearok(curscr, TRUE);
}

static void leave(struct tui *tui, void *state)
{
    action_leave(tui);
}

const struct binding tui_bindings[] = {
    { 'p', .word = "pause", .say = pause_word, .run = toggle_pause, .works = can_pause,
        .help = "pauses the running operation, and lets it go on" },
    { 'x', .word = "cancel", .run = cancel, .works = is_running,
        .help = "cancels the running operation" },
    { 'c', .word = "check", .run = check, .help = "shows what is wrong with the cluster" },
    { '/', .word = "find", .run = open_find, .help = "finds a slot, a node, or the slot of a key" },
    { ':', .word = "command", .run = open_command, .help = "runs a command, see below" },
    { 'q', .word = "quit", .run = leave, .help = "leaves the dashboard" },
    { '1', .label = "1-5", .run = show_1, .help = "show a view" },
    { '2', .run = show_2 },
    { '3', .run = show_3 },
    { '4', .run = show_4 },
    { '5', .run = show_5 },
    { '?', .run = help, .help = "shows this page" },
    { CTRL_L, .label = "Ctrl-L", .run = redraw, .help = "draws the screen anew" },
    { 0 },
};

/* --- Drawing --- */

/* Where what is on a screen of this size. */
struct layout {
    struct area verdict, tabs, body, rule, panel, status, events, keys;
};

static struct layout make_layout(int rows, int cols)
{
    int events = rows >= 44 ? 10 : rows >= 32 ? 4 : 1;
    int body = rows - 4 - events, panel = panel_width(cols);
    struct layout layout = {
        .verdict = { 0, 0, 1, cols },
        .tabs = { 1, 0, 1, cols },
        .body = { 2, 0, body, cols - panel - 1 },
        .rule = { 2, cols - panel - 1, body, 1 },
        .panel = { 2, cols - panel, body, panel },
        .status = { 2 + body, 0, 1, cols },
        .events = { 3 + body, 0, events, cols },
        .keys = { rows - 1, 0, 1, cols },
    };
    return layout;
}

static void draw_question(struct screen *screen, struct layer *question)
{
    struct tui *tui = &screen->tui;
    int rows = LINES, cols = COLS;
    const char *title = question->view->name;
    if (question->view->title != NULL)
        title = question->view->title(question->state);
    question->view->size(tui, question->state, &rows, &cols);
    rows = rows > LINES - 3 ? LINES - 3 : rows;
    cols = cols > COLS - 2 ? COLS - 2 : cols;
    struct area box = { (LINES - rows) / 2, (COLS - cols) / 2, rows, cols };
    question->area = draw_box(box, theme_style(ROLE_DIALOG), title);
    question->view->draw(tui, question->state, question->area);
    keys_draw(
        tui, question->state, question->view->bindings, question->area, question->area.rows - 1, 0);
}

static void draw_keys(struct screen *screen, struct area line)
{
    struct tui *tui = &screen->tui;
    const struct layer *top = top_question(screen), *view = &tui->views[tui->current];
    if (prompt_is_open(tui->prompt)) {
        prompt_draw(tui->prompt, line);
        return;
    }
    if (top != NULL) {
        keys_draw(tui, top->state, top->view->bindings, line, 0, 1);
        return;
    }
    /* The keys that work everywhere have their place; the view's own get what is left. */
    struct area own = { line.y, line.x, 1, line.cols - keys_width(tui, NULL, tui_bindings) };
    int col = keys_draw(tui, view->state, view->view->bindings, own, 0, 1);
    keys_draw(tui, NULL, tui_bindings, line, 0, col);
}

static void draw_all(struct screen *screen)
{
    struct tui *tui = &screen->tui;
    struct layout layout = make_layout(LINES, COLS);
    struct layer *view = &tui->views[tui->current];
    view->area = layout.body;
    view->view->draw(tui, view->state, layout.body);
    for (int row = 0; row < layout.rule.rows; row++)
        draw_glyph(layout.rule, row, 0, theme_style(ROLE_DIM), GLYPH_VERTICAL);
    header_draw_verdict(tui, layout.verdict);
    header_draw_tabs(tui, layout.tabs);
    panel_draw(tui->panel, tui, layout.panel);
    if (view->view->status != NULL)
        view->view->status(tui, view->state, layout.status);
    header_draw_events(tui, layout.events);
    header_draw_notice(tui, layout.events);
    for (int i = 0; i < screen->question_count; i++)
        draw_question(screen, &screen->questions[i]);
    draw_keys(screen, layout.keys);
}

static void draw_too_small(void)
{
    struct area all = { 0, 0, LINES, COLS };
    char text[80];
    snprintf(text, sizeof text, "The dashboard needs 80x24; this is %dx%d. q quits.", COLS, LINES);
    draw_wrapped(all, 0, 0, theme_style(ROLE_STRONG), text, true);
}

static void screen_draw(struct screen *screen)
{
    struct tui *tui = &screen->tui;
    screen->fresh = false;
    zones_clear(tui->zones);
    tui->cursor_shown = false;
    erase();
    if (LINES < TUI_MIN_ROWS || COLS < TUI_MIN_COLS)
        draw_too_small();
    else
        draw_all(screen);
    bool in_prompt = prompt_is_open(tui->prompt);
    bool in_view = tui->cursor_shown && screen->question_count == 0;
    if (!in_prompt && in_view)
        move(tui->cursor_y, tui->cursor_x);
    curs_set(in_prompt || in_view ? 1 : 0);
    refresh();
}

static void frame_due(evutil_socket_t fd, short what, void *context)
{
    struct screen *screen = context;
    screen->frame_waits = false;
    screen_draw(screen);
}

/* --- Keys and the mouse --- */

static bool run_binding(struct tui *tui, const struct binding *bindings, int key, void *state)
{
    const struct binding *binding = keys_find(bindings, key, tui, state);
    if (binding == NULL || binding->run == NULL)
        return false;
    binding->run(tui, state);
    return true;
}

void tui_press(struct tui *tui, int key)
{
    const struct layer *top = top_question(screen_of(tui));
    const struct layer *layer = top != NULL ? top : &tui->views[tui->current];
    tui->notice[0] = '\0';
    if (run_binding(tui, layer->view->bindings, key, layer->state))
        return;
    if (layer->view->key != NULL && layer->view->key(tui, layer->state, key))
        return;
    if (top == NULL)
        run_binding(tui, tui_bindings, key, layer->state);
}

static void mouse_to(struct screen *screen, const struct layer *layer, const struct mouse *mouse)
{
    if (layer->view->mouse != NULL)
        layer->view->mouse(&screen->tui, layer->state, mouse);
}

static void mouse_pressed(struct screen *screen, const struct mouse *mouse)
{
    struct tui *tui = &screen->tui;
    const struct layer *top = top_question(screen), *view = &tui->views[tui->current];
    int key = zones_find(tui->zones, mouse->y, mouse->x);
    bool press = mouse->kind == MOUSE_PRESS;
    prompt_close(tui->prompt);
    screen->grab = NULL;
    if (press && key != 0) {
        tui_press(tui, key);
        return;
    }
    tui->notice[0] = '\0';
    if (top != NULL) {
        if (area_has(top->area, mouse->y, mouse->x))
            mouse_to(screen, top, mouse);
        return;
    }
    struct layout layout = make_layout(LINES, COLS);
    if (area_has(layout.panel, mouse->y, mouse->x)) {
        panel_mouse(tui->panel, tui, mouse);
    } else if (area_has(layout.body, mouse->y, mouse->x)) {
        screen->grab = press ? view : NULL;
        mouse_to(screen, view, mouse);
    }
}

static void take_mouse_event(struct screen *screen, const MEVENT *event)
{
    struct mouse mouse = { .y = event->y, .x = event->x };
    if (event->bstate & BUTTON4_PRESSED) {
        mouse.kind = MOUSE_WHEEL_UP;
    } else if (event->bstate & BUTTON5_PRESSED) {
        mouse.kind = MOUSE_WHEEL_DOWN;
    } else if (event->bstate & BUTTON1_RELEASED) {
        mouse.kind = MOUSE_RELEASE;
    } else if (event->bstate & (BUTTON1_PRESSED | REPORT_MOUSE_POSITION)) {
        mouse.kind = event->bstate & BUTTON1_PRESSED ? MOUSE_PRESS : MOUSE_DRAG;
        if (mouse.kind == MOUSE_DRAG && !screen->button_down)
            return;
    } else {
        return;
    }
    if (screen->fresh)
        screen_draw(screen);
    if (mouse.kind == MOUSE_DRAG || mouse.kind == MOUSE_RELEASE) {
        screen->button_down = mouse.kind == MOUSE_DRAG;
        if (screen->grab != NULL)
            mouse_to(screen, screen->grab, &mouse);
        return;
    }
    screen->button_down = mouse.kind == MOUSE_PRESS;
    mouse_pressed(screen, &mouse);
}

/* One KEY_MOUSE may stand for several reports that came together; ncurses hands out the newest
 * first. */
static void read_mouse(struct screen *screen)
{
    MEVENT events[MOUSE_EVENTS_MAX];
    int count = 0;
    while (count < MOUSE_EVENTS_MAX && getmouse(&events[count]) == OK)
        count++;
    if (LINES < TUI_MIN_ROWS || COLS < TUI_MIN_COLS)
        return;
    while (count-- > 0 && !screen->over)
        take_mouse_event(screen, &events[count]);
}

static void read_key(struct screen *screen, int status, wint_t input)
{
    struct tui *tui = &screen->tui;
    int key = (int)input;
    wchar_t character = status == OK ? (wchar_t)input : 0;
    if (screen->fresh)
        screen_draw(screen);
    if (status == KEY_CODE_YES && key == KEY_MOUSE) {
        read_mouse(screen);
        return;
    }
    if (key == '\n' || (status == KEY_CODE_YES && key == KEY_ENTER))
        key = '\r';
    if (status == OK && (key == DELETE || key == BACKSPACE))
        key = KEY_BACKSPACE;
    if ((key == KEY_RESIZE && status == KEY_CODE_YES) || screen->asked)
        return;
    if (status == OK && key > DELETE && !prompt_is_open(tui->prompt))
        return; /* a character that no binding has; its number could be that of a key */
    if (LINES < TUI_MIN_ROWS || COLS < TUI_MIN_COLS) {
        if (key == 'q')
            action_leave(tui);
        return;
    }
    if (prompt_is_open(tui->prompt)) {
        tui->notice[0] = '\0';
        prompt_key(tui->prompt, tui, key, key < ' ' || status != OK ? 0 : character);
    } else {
        tui_press(tui, key);
    }
}

static void input_ready(evutil_socket_t fd, short what, void *context)
{
    struct screen *screen = context;
    int waiting = 0, status;
    wint_t input;
    bool any = false;
    screen->asked = false;
    if (ioctl(STDIN_FILENO, FIONREAD, &waiting) != 0 || waiting == 0) {
        screen_end(screen, 128 + SIGHUP); /* the terminal is gone */
        return;
    }
    while (!screen->over && (status = get_wch(&input)) != ERR) {
        read_key(screen, status, input);
        any = true;
    }
    if (any && !screen->over)
        tui_changed(&screen->tui);
}

/* --- Timers, signals, changes --- */

static void model_changed(void *context)
{
    tui_changed(context);
}

/* Ages grow although nothing happens. */
static void tick_due(evutil_socket_t fd, short what, void *context)
{
    struct screen *screen = context;
    if (screen->leaving && jobs_running(screen->tui.jobs) == NULL)
        screen_end(screen, 0);
    tui_changed(&screen->tui);
}

static void signal_came(evutil_socket_t number, short what, void *context)
{
    struct screen *screen = context;
    switch ((int)number) {
    case SIGWINCH:
        terminal_resize();
        break;
    case SIGTSTP:
        terminal_suspend();
        break;
    case SIGINT:
        action_leave(&screen->tui);
        break;
    default:
        screen_end(screen, 128 + (int)number);
    }
    tui_changed(&screen->tui);
}

static void start_events(struct screen *screen)
{
    static const int numbers[] = { SIGWINCH, SIGTSTP, SIGINT, SIGTERM, SIGHUP, SIGQUIT };
    static const struct timeval tick = { TICK_MS / 1000, 0 };
    struct event_base *base = client_base(screen->tui.client);
    screen->frame = evtimer_new(base, frame_due, screen);
    screen->input = event_new(base, STDIN_FILENO, EV_READ | EV_PERSIST, input_ready, screen);
    screen->tick = event_new(base, -1, EV_PERSIST, tick_due, screen);
    event_add(screen->input, NULL);
    event_add(screen->tick, &tick);
    for (int i = 0; i < SIGNALS; i++) {
        screen->signals[i] = evsignal_new(base, numbers[i], signal_came, screen);
        evsignal_add(screen->signals[i], NULL);
    }
}

static void free_event(struct event **event)
{
    if (*event != NULL)
        event_free(*event);
    *event = NULL;
}

static void stop_events(struct screen *screen)
{
    free_event(&screen->input);
    free_event(&screen->tick);
    free_event(&screen->frame);
    for (int i = 0; i < SIGNALS; i++)
        free_event(&screen->signals[i]);
}

/* --- From start to end --- */

static void open_parts(struct screen *screen, struct model *model)
{
    struct tui *tui = &screen->tui;
    tui->model = model;
    tui->client = model_client(model);
    tui->counter = counter_new(tui);
    tui->jobs = jobs_new(tui);
    tui->panel = panel_new();
    tui->prompt = prompt_new();
    tui->zones = zones_new();
    for (int i = 0; i < VIEW_COUNT; i++)
        tui->views[i] = (struct layer){ .view = tui_views[i], .state = tui_views[i]->open(tui) };
}

static void close_parts(struct screen *screen)
{
    struct tui *tui = &screen->tui;
    while (screen->question_count > 0)
        tui_answered(tui);
    for (int i = 0; i < VIEW_COUNT; i++)
        tui->views[i].view->close(tui, tui->views[i].state);
    zones_free(tui->zones);
    prompt_free(tui->prompt);
    panel_free(tui->panel);
    jobs_free(tui->jobs);
    counter_free(tui->counter);
}

static bool is_over(void *context)
{
    return ((struct screen *)context)->over;
}

int tui_run(const struct tui_options *options)
{
    struct screen screen = { .over = false };
    struct error error;
    if (!theme_choose(options->theme)) {
        fprintf(stderr, "slotctl: no theme named %s\n", options->theme);
        return EXIT_USAGE;
    }
    if (!terminal_open(&error)) {
        fprintf(stderr, "slotctl: %s\n", error.text);
        return EXIT_TERMINAL;
    }
    theme_start();
    open_parts(&screen, options->model);
    start_events(&screen);
    model_watch(options->model, model_changed, &screen.tui);
    screen_draw(&screen);
    while (!screen.over)
        client_run_until(screen.tui.client, is_over, &screen, -1);
    model_watch(options->model, NULL, NULL);
    stop_events(&screen);
    close_parts(&screen);
    terminal_close();
    return screen.code;
}
