/* A command is written down once it has run: it may still hold its slot's lock, so the line goes
 * out when that is open again, with the pushes of the command. */
#include "server/command/monitor.h"

#include "server/clock.h"
#include "server/command/families.h"
#include "server/command/redact.h"
#include "server/command/rows.h"
#include "server/command/topic.h"

#include "common/memory.h"
#include <inttypes.h>
#include <stdlib.h>

_Atomic uint32_t monitor_count;

static const struct bytes no_name = { "", 0 };

struct line {
    struct push push;
    struct topic *topic; /* held */
    struct blob *text;   /* held */
};

static void deliver(struct push *push, struct executor *executor)
{
    struct line *line = (struct line *)push;
    struct topic_list *list = topic_list(line->topic, executor);
    for (uint32_t i = 0; i < list->count; i++)
        push_write_raw(list->items[i]->session, line->text);
}

static void free_line(struct push *push)
{
    struct line *line = (struct line *)push;
    topic_release(line->topic);
    blob_release(line->text);
    free(line);
}

/* As a person could write it: what is not printable as \xHH. */
static void append_quoted(struct buffer *out, struct bytes text)
{
    static const char escaped[] = "\n\r\t\a\b", letters[] = "nrtab";
    buffer_append_char(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        const char *known = c ? strchr(escaped, c) : NULL;
        if (known) {
            buffer_append_char(out, '\\');
            buffer_append_char(out, letters[known - escaped]);
        } else if (c == '"' || c == '\\') {
            buffer_append_char(out, '\\');
            buffer_append_char(out, (char)c);
        } else if (c >= ' ' && c <= '~') {
            buffer_append_char(out, (char)c);
        } else {
            buffer_printf(out, "\\x%02x", c);
        }
    }
    buffer_append_char(out, '"');
}

static void append_origin(struct buffer *out, const struct session *session)
{
    bool of_script = !session->connection && !(session->flags & SESSION_PRIMARY);
    if (of_script)
        buffer_printf(out, "[%u lua]", session->database);
    else if (session->flags & SESSION_UNIX_SOCKET)
        buffer_printf(out, "[%u unix:%.*s]", session->database, (int)strcspn(session->local, ":"),
            session->local);
    else
        buffer_printf(out, "[%u %s]", session->database, session->peer);
}

static void send_line(const struct call *call)
{
    const struct session *session = call->session;
    push_set workers;
    size_t subscribers;
    struct topic *topic = topic_find(TOPIC_MONITOR, no_name, &workers, &subscribers);
    if (!topic)
        return;
    struct buffer out = { 0 };
    int64_t now = clock_unix_us();
    buffer_printf(&out, "+%" PRId64 ".%06" PRId64 " ", now / 1000000, now % 1000000);
    append_origin(&out, session);
    for (int i = 0; i < call->argc; i++) {
        buffer_append_char(&out, ' ');
        if (redact_hides(call->entry, call->argv, call->argc, i))
            buffer_append_text(&out, "\"(redacted)\"");
        else
            append_quoted(&out, call->argv[i]);
    }
    buffer_append_text(&out, "\r\n");
    struct line *line = memory_alloc(sizeof(*line));
    *line = (struct line){ .push = { .deliver = deliver, .free = free_line },
        .topic = topic,
        .text = blob_create(out.len, out.len) };
    atomic_init(&line->push.refs, 1);
    memcpy(line->text->data, out.data, out.len);
    buffer_free(&out);
    push_later(call->executor, &line->push, workers);
}

void monitor_send(const struct call *call)
{
    bool hidden = call->entry->command->flags & (CMD_SKIP_MONITOR | CMD_ADMIN) ||
                  call->session->flags & SESSION_LOADER;
    if (!hidden && !call->waiter) /* one that waits was shown when it began to */
        send_line(call);
}

void monitor_send_script(const struct call *call)
{
    if (!(call->session->flags & SESSION_LOADER))
        send_line(call);
}

/* ---- The command ---- */

static void monitor(struct call *call)
{
    struct session *session = call->session;
    if (call->in_exec || call->executor->box < 0) {
        reply_error(call->reply, "MONITOR isn't allowed for DENY BLOCKING client");
        return;
    }
    if (session->flags & SESSION_MONITOR)
        return;
    push_drain(call->executor);
    topic_subscribe(session, TOPIC_MONITOR, no_name);
    session->flags |= SESSION_MONITOR;
    atomic_fetch_add(&monitor_count, 1);
    reply_ok(call->reply);
}

void monitor_stop(struct session *session)
{
    if (!(session->flags & SESSION_MONITOR))
        return;
    session->flags &= ~(unsigned)SESSION_MONITOR;
    topic_unsubscribe(session, TOPIC_MONITOR, no_name);
    atomic_fetch_sub(&monitor_count, 1);
}

const struct command monitor_commands[] = {
    { "monitor", monitor, 1, CMD_ADMIN | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE, .group = "server",
        .since = "1.0.0", .summary = "Shows every command that the server is given, as it runs" },
    { 0 },
};
