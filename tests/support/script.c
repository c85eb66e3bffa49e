/* Running scripts against two servers; see the header. */
#include "tests/support/script.h"
#include "common/number.h"
#include "common/resp.h"
#include "common/words.h"
#include "tests/support/file.h"
#include "tests/support/node.h"
#include "tests/support/normalize.h"
#include "tests/support/raw.h"
#include "tests/support/scratch.h"
#include "tests/support/shell.h"
#include "tests/support/wait.h"
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>

enum { SIDES = 2, CLIENTS = 10, VARIABLES = 64, DIFFERENCES = 200, REPLY_LIMIT_MS = 10000 };

struct variable {
    char name[32];
    struct bytes value[SIDES]; /* scratch text */
};

struct run {
    const char *path;
    int line;
    int protocol;
    struct node *node[SIDES];
    struct raw *client[SIDES][CLIENTS];
    int current; /* client */
    struct variable variables[VARIABLES];
    int variable_count;
    int differences;
};

/* One line's modifiers. */
struct modifiers {
    struct normalize normalize;
    struct bytes save, until;
    bool silent, closed, raw, pushed;
    int replies; /* how many come; 0: one */
};

static const char *const side_names[SIDES] = { "redis-server", "under test  " };

/* ---- the differences that are meant */

struct difference {
    char *pattern, *reason;
    int used;
};
static struct difference known[DIFFERENCES];
static int known_count;

void differences_load(const char *path)
{
    char *text = file_read(path, NULL), *rest = NULL;
    cr_assert_not_null(text, "%s: no such file", path);
    known_count = 0;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        char *bar = strstr(line, " | ");
        if (line[0] == '#' || line[0] == 0)
            continue;
        cr_assert(bar != NULL && known_count < DIFFERENCES, "%s: no \" | reason\": %s", path, line);
        *bar = 0;
        known[known_count++] = (struct difference){ .pattern = line, .reason = bar + 3 };
    }
}

int differences_used(void)
{
    int used = 0;
    for (int i = 0; i < known_count; i++)
        used += known[i].used;
    return used;
}

static bool is_meant(const char *command)
{
    for (int i = 0; i < known_count; i++)
        if (fnmatch(known[i].pattern, command, 0) == 0) {
            known[i].used++;
            fprintf(stderr, "meant: %s: %s\n", command, known[i].reason);
            return true;
        }
    return false;
}

/* ---- variables */

static void set_variable(struct run *run, struct bytes name, const struct bytes *values)
{
    struct variable *variable = NULL;
    for (int i = 0; i < run->variable_count; i++)
        if (bytes_equal(bytes_of(run->variables[i].name), name))
            variable = &run->variables[i];
    if (variable == NULL) {
        cr_assert(run->variable_count < VARIABLES && name.len < sizeof(variable->name));
        variable = &run->variables[run->variable_count++];
        memcpy(variable->name, name.data, name.len);
        variable->name[name.len] = 0;
    }
    memcpy(variable->value, values, sizeof(variable->value));
}

static void set_variable_text(struct run *run, const char *name, const char *a, const char *b)
{
    struct bytes values[SIDES] = { bytes_of(a), bytes_of(b) };
    set_variable(run, bytes_of(name), values);
}

/* Puts the word with its variables replaced; a $ that names none stands for itself. */
static void expand(const struct run *run, int side, struct bytes word, struct buffer *out)
{
    for (size_t at = 0; at < word.len;) {
        const struct variable *best = NULL;
        size_t best_len = 0;
        for (int i = 0; word.data[at] == '$' && i < run->variable_count; i++) {
            const struct variable *variable = &run->variables[i];
            size_t len = strlen(variable->name);
            if (len > best_len && len < word.len - at &&
                memcmp(word.data + at + 1, variable->name, len) == 0) {
                best = variable;
                best_len = len;
            }
        }
        if (best == NULL) {
            buffer_append_char(out, word.data[at++]);
            continue;
        }
        at += 1 + best_len;
        bool other = at < word.len && word.data[at] == '~';
        at += other;
        struct bytes value = best->value[other ? 1 - side : side];
        buffer_append(out, value.data, value.len);
    }
}

/* The reply with each side's own values replaced by their names. */
static void hide_values(const struct run *run, int side, struct bytes reply, struct buffer *out)
{
    for (size_t at = 0; at < reply.len;) {
        const struct variable *found = NULL;
        for (int i = 0; i < run->variable_count && found == NULL; i++) {
            struct bytes value = run->variables[i].value[side];
            if (value.len >= 5 && value.len <= reply.len - at &&
                !bytes_equal(value, run->variables[i].value[1 - side]) &&
                memcmp(reply.data + at, value.data, value.len) == 0)
                found = &run->variables[i];
        }
        if (found != NULL) {
            buffer_printf(out, "<%s>", found->name);
            at += found->value[side].len;
        } else
            buffer_append_char(out, reply.data[at++]);
    }
}

/* What a reply says, without its head: of a bulk its bytes, else the line. */
static struct bytes text_of(struct bytes reply)
{
    const char *end = memchr(reply.data, '\n', reply.len);
    size_t head = end != NULL ? (size_t)(end - reply.data) + 1 : 0;
    bool bulk = reply.len > head + 2 && (reply.data[0] == '$' || reply.data[0] == '=');
    struct bytes text = bulk ? (struct bytes){ reply.data + head, reply.len - head - 2 }
                             : (struct bytes){ reply.data + 1, head > 3 ? head - 3 : 0 };
    if (reply.data[0] == '=' && text.len >= 4)
        text = (struct bytes){ text.data + 4, text.len - 4 };
    return text;
}

/* ---- one line */

static struct raw *connection(struct run *run, int side)
{
    struct raw **client = &run->client[side][run->current];
    if (*client != NULL)
        return *client;
    *client = raw_open(node_port(run->node[side]));
    cr_assert_not_null(*client, "%s does not accept", side_names[side]);
    if (run->protocol == 3) {
        raw_send_text(*client, "HELLO 3\r\n");
        raw_reply(*client, REPLY_LIMIT_MS);
    }
    return *client;
}

static void send_words(struct run *run, int side, const struct bytes *words, size_t count)
{
    struct buffer out = { 0 }, word = { 0 };
    resp_write_array(&out, count);
    for (size_t i = 0; i < count; i++) {
        word.len = 0;
        expand(run, side, words[i], &word);
        resp_write_bulk(&out, buffer_bytes(&word));
    }
    raw_send(connection(run, side), out.data, out.len);
    buffer_free(&out);
    buffer_free(&word);
}

/* The bytes behind @raw, with \r \n \xHH read as in quotes. */
static void send_raw(struct run *run, int side, struct bytes line)
{
    struct words words;
    const char *quoted = scratch_printf("\"%.*s\"", (int)line.len, line.data);
    cr_assert(words_split(bytes_of(quoted), &words) && words.count == 1, "%s:%d: @raw takes no \"",
        run->path, run->line);
    raw_send(connection(run, side), words.items[0].data, words.items[0].len);
    words_free(&words);
}

static void say_difference(struct run *run, const char *line, const struct bytes *replies)
{
    if (is_meant(line))
        return;
    run->differences++;
    fprintf(stderr, "%s:%d (RESP%d): %s\n", run->path, run->line, run->protocol, line);
    for (int side = 0; side < SIDES; side++)
        fprintf(stderr, "  %s \"%s\"\n", side_names[side], raw_escape(replies[side]));
}

static bool replies_equal(
    struct run *run, const struct modifiers *modifiers, const struct bytes *replies)
{
    struct buffer hidden[SIDES] = { 0 };
    if (bytes_equal(replies[0], replies[1]))
        return true;
    for (int side = 0; side < SIDES; side++)
        hide_values(run, side, replies[side], &hidden[side]);
    /* Lengths of bulks count the hidden bytes: where values were replaced, texts are compared. */
    bool changed = hidden[0].len != replies[0].len || hidden[1].len != replies[1].len;
    bool simple = replies[0].len > 0 && strchr("$=+", replies[0].data[0]) != NULL;
    bool equal;
    if (changed && simple && modifiers->normalize.kind == NORMALIZE_EXACT)
        equal = hidden[0].len > 0 && hidden[1].len > 0 && hidden[0].data[0] == hidden[1].data[0] &&
                bytes_equal(text_of(buffer_bytes(&hidden[0])), text_of(buffer_bytes(&hidden[1])));
    else
        equal = normalize_equal(&modifiers->normalize, replies[0], replies[1]) ||
                (modifiers->normalize.kind == NORMALIZE_EXACT &&
                    bytes_equal(buffer_bytes(&hidden[0]), buffer_bytes(&hidden[1])));
    buffer_free(&hidden[0]);
    buffer_free(&hidden[1]);
    return equal;
}

/* Sends until the reply is the text; the last reply is what is compared. */
static struct bytes reply_until(struct run *run, int side, const struct modifiers *modifiers,
    const struct bytes *words, size_t count)
{
    const char *wanted =
        scratch_printf("%.*s\r\n", (int)modifiers->until.len, modifiers->until.data);
    int64_t deadline = wait_deadline(REPLY_LIMIT_MS);
    struct bytes reply;
    do {
        send_words(run, side, words, count);
        reply = raw_reply(connection(run, side), REPLY_LIMIT_MS);
    } while (!bytes_equal(reply, bytes_of(wanted)) && wait_pause(deadline));
    return reply;
}

/* The replies that came before the end, and whether it came. */
static struct bytes all_until_closed(struct raw *raw)
{
    struct buffer all = { 0 };
    const char *end = raw_closed(raw, 5000) ? "(closed)" : "(open)";
    for (struct bytes reply; (reply = raw_reply(raw, 0)).len > 0;)
        buffer_append(&all, reply.data, reply.len);
    buffer_append_text(&all, end);
    struct bytes copy = { scratch_copy(all.data, all.len), all.len };
    buffer_free(&all);
    return copy;
}

static const char no_reply[] = "(none)";

/* Whether redis-server has sent less than the script asks for. */
static bool is_one_short(struct bytes replies)
{
    size_t len = sizeof(no_reply) - 1;
    return replies.len >= len && memcmp(replies.data + replies.len - len, no_reply, len) == 0;
}

/* So many replies in a row. */
static struct bytes several_replies(struct raw *raw, int count)
{
    struct buffer all = { 0 };
    for (int i = 0; i < count; i++) {
        struct bytes reply = raw_reply(raw, REPLY_LIMIT_MS);
        if (reply.len == 0)
            buffer_append_text(&all, no_reply);
        buffer_append(&all, reply.data, reply.len);
    }
    struct bytes copy = { scratch_copy(all.data, all.len), all.len };
    buffer_free(&all);
    return copy;
}

static void forget_client(struct run *run)
{
    for (int side = 0; side < SIDES; side++) {
        raw_close(run->client[side][run->current]);
        run->client[side][run->current] = NULL;
    }
}

static void run_command(struct run *run, const char *line, const struct modifiers *modifiers,
    const struct bytes *words, size_t count, struct bytes rest)
{
    struct bytes replies[SIDES] = { { "", 0 }, { "", 0 } };
    for (int side = 0; side < SIDES && modifiers->until.len == 0 && !modifiers->pushed;
         side++) {
        if (modifiers->raw)
            send_raw(run, side, rest);
        else
            send_words(run, side, words, count);
    }
    for (int side = 0; side < SIDES; side++) {
        if (modifiers->until.len > 0)
            replies[side] = reply_until(run, side, modifiers, words, count);
        else if (modifiers->closed) {
            replies[side] = all_until_closed(connection(run, side));
        } else if (modifiers->replies > 0) {
            replies[side] = several_replies(connection(run, side), modifiers->replies);
        } else if (!modifiers->silent)
            replies[side] = raw_reply(connection(run, side), REPLY_LIMIT_MS);
    }
    if (modifiers->save.len > 0) {
        struct bytes values[SIDES];
        for (int side = 0; side < SIDES; side++) {
            struct bytes text = text_of(replies[side]);
            values[side] = (struct bytes){ scratch_copy(text.data, text.len), text.len };
        }
        set_variable(run, modifiers->save, values);
        if (replies[0].len > 0 && replies[1].len > 0 && replies[0].data[0] != replies[1].data[0])
            say_difference(run, line, replies);
    } else if (!replies_equal(run, modifiers, replies) || is_one_short(replies[0]))
        say_difference(run, line, replies);
    if (modifiers->closed)
        forget_client(run);
}

/* ---- the script */

/* Reads the words with @ at the start; gives how many words they are. */
static size_t read_modifiers(
    struct run *run, const struct words *words, struct modifiers *modifiers)
{
    size_t at = 0;
    while (at < words->count && words->items[at].len > 1 && words->items[at].data[0] == '@') {
        struct bytes name = { words->items[at].data + 1, words->items[at].len - 1 };
        struct bytes argument =
            at + 1 < words->count ? words->items[at + 1] : (struct bytes){ "", 0 };
        bool takes_argument = false;
        if (bytes_is(name, "save") || bytes_is(name, "until")) {
            *(bytes_is(name, "save") ? &modifiers->save : &modifiers->until) = argument;
            takes_argument = true;
        } else if (bytes_is(name, "silent"))
            modifiers->silent = true;
        else if (bytes_is(name, "closed"))
            modifiers->closed = true;
        else if (bytes_is(name, "raw"))
            modifiers->raw = true;
        else if (bytes_is(name, "pushed") || bytes_is(name, "replies")) {
            int64_t count;
            cr_assert(number_parse(argument, &count) && count > 0 && count < 1000,
                "%s:%d: @%.*s takes a number", run->path, run->line, (int)name.len, name.data);
            modifiers->pushed = bytes_is(name, "pushed");
            modifiers->replies = (int)count;
            at += 2;
            continue;
        }
        else
            cr_assert(normalize_by_name(name, &modifiers->normalize.kind, &takes_argument),
                "%s:%d: no such modifier: @%.*s", run->path, run->line, (int)name.len, name.data);
        if (takes_argument && !bytes_is(name, "save") && !bytes_is(name, "until"))
            modifiers->normalize.argument = argument;
        at += takes_argument ? 2 : 1;
    }
    return at;
}

static void run_line(struct run *run, const char *line)
{
    struct modifiers modifiers = { 0 };
    if (strncmp(line, "@raw ", 5) == 0 || strncmp(line, "@closed @raw ", 13) == 0) {
        modifiers.raw = true;
        modifiers.closed = line[1] == 'c';
        run_command(run, line, &modifiers, NULL, 0, bytes_of(line + (modifiers.closed ? 13 : 5)));
        return;
    }
    struct words words;
    cr_assert(
        words_split(bytes_of(line), &words), "%s:%d: unbalanced quotes", run->path, run->line);
    size_t skip = read_modifiers(run, &words, &modifiers);
    run_command(run, line, &modifiers, words.items + skip, words.count - skip, bytes_of(line));
    words_free(&words);
}

/* The reply that was not waited for when its command was sent. */
static void run_reply(struct run *run)
{
    struct modifiers modifiers = { 0 };
    struct bytes replies[SIDES];
    for (int side = 0; side < SIDES; side++)
        replies[side] = raw_reply(connection(run, side), REPLY_LIMIT_MS);
    if (!replies_equal(run, &modifiers, replies))
        say_difference(run, "@reply", replies);
}

/* Waits until so many clients wait. */
static void run_blocked(struct run *run, int count)
{
    const char *line = scratch_printf("blocked_clients:%d\r", count);
    for (int side = 0; side < SIDES; side++)
        wait_until(10000, strstr(node_text(run->node[side], "INFO clients"), line) != NULL);
}

static void start_sides(struct run *run, const char *const *config, bool cluster)
{
    static const char *const programs[SIDES] = { "redis-server", NULL };
    for (int side = 0; side < SIDES; side++) {
        run->node[side] = node_prepare_program(programs[side], "%s%s",
            cluster ? "cluster-enabled yes\ncluster-node-timeout 500\n" : "", config[side]);
        node_spawn(run->node[side], NULL);
    }
    for (int side = 0; side < SIDES; side++) {
        struct node *node = run->node[side];
        node_wait_ready(node, 15000);
        node_text(node, "CLUSTER ADDSLOTSRANGE 0 16383");
    }
    for (int side = 0; cluster && side < SIDES; side++)
        wait_until(10000, strstr(node_text(run->node[side], "CLUSTER INFO"), "cluster_state:ok"));
    set_variable_text(run, "port", scratch_printf("%d", node_port(run->node[0])),
        scratch_printf("%d", node_port(run->node[1])));
    set_variable_text(run, "bus", scratch_printf("%d", node_port(run->node[0]) + 10000),
        scratch_printf("%d", node_port(run->node[1]) + 10000));
    set_variable_text(run, "folder", node_folder(run->node[0]), node_folder(run->node[1]));
    if (cluster)
        set_variable_text(run, "id", node_text(run->node[0], "CLUSTER MYID"),
            node_text(run->node[1], "CLUSTER MYID"));
}

/* Lines about the script as a whole; false: a command. *stop: the script ends here. */
static bool run_directive(struct run *run, const char *line, bool *stop)
{
    int number;
    if (line[0] == 0 || line[0] == '#' || strncmp(line, "@config ", 8) == 0 ||
        strncmp(line, "@redis-config ", 14) == 0 || strcmp(line, "@standalone") == 0)
        return true;
    if (sscanf(line, "@client %d", &number) == 1) {
        cr_assert(
            number >= 0 && number < CLIENTS, "%s:%d: clients are 0 to 9", run->path, run->line);
        run->current = number;
        return true;
    }
    if (strcmp(line, "@reply") == 0) {
        run_reply(run);
        return true;
    }
    if (sscanf(line, "@blocked %d", &number) == 1) {
        run_blocked(run, number);
        return true;
    }
    if (sscanf(line, "@resp %d", &number) == 1) {
        *stop = number != run->protocol;
        return true;
    }
    return false;
}

/* The lines of both sides' configuration, and whether there is a cluster. */
static void read_head(const char *text, const char **config, bool *cluster)
{
    config[0] = config[1] = "";
    *cluster = true;
    for (const char *line = text; *line != 0;) {
        size_t len = strcspn(line, "\n");
        bool both = strncmp(line, "@config ", 8) == 0;
        size_t at = both ? 8 : strlen("@redis-config ");
        if (both || strncmp(line, "@redis-config ", at) == 0)
            config[0] = scratch_printf("%s%.*s\n", config[0], (int)(len - at), line + at);
        if (both || (len > at && strncmp(line, "@redis-config ", at) == 0 && !server_is_slotd()))
            config[1] = scratch_printf("%s%.*s\n", config[1], (int)(len - at), line + at);
        if (strncmp(line, "@standalone", 11) == 0)
            *cluster = false;
        line += len + (line[len] != 0);
    }
}

int script_run(const char *path, int protocol)
{
    struct run *run = calloc(1, sizeof(*run));
    cr_assert_not_null(run);
    const char *text = file_read(path, NULL), *config[SIDES];
    bool cluster, stop = false;
    cr_assert_not_null(text, "%s: no such file", path);
    run->path = path;
    run->protocol = protocol;
    read_head(text, config, &cluster);
    start_sides(run, config, cluster);
    for (const char *at = text; *at != 0 && !stop;) {
        size_t len = strcspn(at, "\n");
        const char *line = scratch_copy(at, len);
        run->line++;
        if (!run_directive(run, line, &stop))
            run_line(run, line);
        at += len + (at[len] != 0);
    }
    for (run->current = 0; run->current < CLIENTS; run->current++)
        forget_client(run);
    for (int side = 0; side < SIDES; side++)
        if (node_runs(run->node[side]))
            node_kill(run->node[side]);
    int differences = run->differences;
    free(run);
    return differences;
}
