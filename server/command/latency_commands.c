/* LATENCY: what latency.c has measured, as tables, graphs and advice. */
#include "server/command/command_docs.h"
#include "server/command/help.h"
#include "server/command/latency_events.h"
#include "server/command/rows.h"

#include "server/clock.h"
#include "server/config.h"

#include "common/memory.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- Events ---- */

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct latency_event *)a)->name, ((const struct latency_event *)b)->name);
}

/* All events, in the order of their names; the caller frees. */
static struct latency_event *all_events(size_t *count)
{
    struct latency_event *events = memory_alloc(LATENCY_EVENTS_MAX * sizeof(*events));
    *count = latency_events_copy(events);
    qsort(events, *count, sizeof(*events), by_name);
    return events;
}

static void latency_latest(struct call *call)
{
    size_t count;
    struct latency_event *events = all_events(&count);
    reply_array(call->reply, count);
    for (size_t i = 0; i < count; i++) {
        const struct latency_point *last = latency_point(&events[i], events[i].count - 1);
        reply_array(call->reply, 4);
        reply_bulk_text(call->reply, events[i].name);
        reply_integer(call->reply, last->at);
        reply_integer(call->reply, last->ms);
        reply_integer(call->reply, events[i].max_ms);
    }
    free(events);
}

static void latency_history(struct call *call)
{
    struct latency_event event = { 0 };
    latency_event_copy(call->argv[2], &event);
    reply_array(call->reply, event.count);
    for (size_t i = 0; i < event.count; i++) {
        reply_array(call->reply, 2);
        reply_integer(call->reply, latency_point(&event, i)->at);
        reply_integer(call->reply, latency_point(&event, i)->ms);
    }
}

static void latency_reset(struct call *call)
{
    size_t removed = call->argc == 2 ? latency_events_reset(NULL) : 0;
    for (int i = 2; i < call->argc; i++)
        removed += latency_events_reset(&call->argv[i]);
    reply_integer(call->reply, (int64_t)removed);
}

/* ---- GRAPH ---- */

enum { GRAPH_COLUMNS = 80, GRAPH_ROWS = 4, LABEL_ROWS = 4 };

/* "15s", "3m", "2h", "4d": how long ago; at most three digits. */
static void format_age(char *out, size_t size, int64_t seconds)
{
    static const struct {
        int64_t seconds;
        char unit;
    } units[] = { { 86400, 'd' }, { 3600, 'h' }, { 60, 'm' }, { 1, 's' } };
    size_t i = 0;
    while (units[i].seconds > 1 && seconds < units[i].seconds)
        i++;
    snprintf(out, size, "%" PRId64 "%c", seconds / units[i].seconds, units[i].unit);
}

/* A column for each point: a bar with a finer tip ('_', 'o', '#'), below it its age, top to bottom.
 */
static void append_graph(struct buffer *out, struct latency_event *event, int64_t now)
{
    size_t shown = event->count < GRAPH_COLUMNS ? event->count : GRAPH_COLUMNS;
    size_t first = event->count - shown;
    int64_t low = INT64_MAX, high = 0;
    for (size_t i = first; i < event->count; i++) {
        int64_t ms = latency_point(event, i)->ms;
        low = ms < low ? ms : low;
        high = ms > high ? ms : high;
    }
    buffer_printf(out,
        "%s - high %" PRId64 " ms, low %" PRId64 " ms (all time high %" PRId64 " ms)\n",
        event->name, high, low, event->max_ms);
    for (int i = 0; i < GRAPH_COLUMNS; i++)
        buffer_append_char(out, '-');
    buffer_append_char(out, '\n');
    static const char tips[] = "_o#";
    int steps = GRAPH_ROWS * 3;
    for (int row = GRAPH_ROWS - 1; row >= 0; row--) {
        for (size_t i = first; i < event->count; i++) {
            double share = high > low
                               ? (double)(latency_point(event, i)->ms - low) / (double)(high - low)
                               : 0.5;
            int level = (int)lround(share * (steps - 1)) - row * 3;
            buffer_append_char(out, level < 0 ? ' ' : level > 2 ? '|' : tips[level]);
        }
        buffer_append_char(out, '\n');
    }
    buffer_append_char(out, '\n');
    for (int row = 0; row < LABEL_ROWS; row++) {
        for (size_t i = first; i < event->count; i++) {
            char age[24];
            format_age(age, sizeof(age), now - latency_point(event, i)->at);
            buffer_append_char(out, (size_t)row < strlen(age) ? age[row] : ' ');
        }
        buffer_append_char(out, '\n');
    }
}

static void latency_graph(struct call *call)
{
    struct latency_event event = { 0 };
    if (!latency_event_copy(call->argv[2], &event)) {
        struct bytes name = call->argv[2];
        reply_error(call->reply, "No samples available for event '%.*s'",
            (int)(name.len < 128 ? name.len : 128), name.data);
        return;
    }
    struct buffer text = { 0 };
    append_graph(&text, &event, call->now / 1000);
    reply_verbatim(call->reply, "txt", buffer_bytes(&text));
    buffer_free(&text);
}

/* ---- DOCTOR ---- */

struct summary {
    double mean, deviation; /* of the points, in ms; mean absolute deviation */
    int64_t low, high;
    double period; /* seconds between two points */
};

static void summarize(struct latency_event *event, int64_t now, struct summary *summary)
{
    *summary = (struct summary){ .low = INT64_MAX };
    double sum = 0;
    for (size_t i = 0; i < event->count; i++) {
        int64_t ms = latency_point(event, i)->ms;
        sum += (double)ms;
        summary->low = ms < summary->low ? ms : summary->low;
        summary->high = ms > summary->high ? ms : summary->high;
    }
    summary->mean = sum / (double)event->count;
    for (size_t i = 0; i < event->count; i++)
        summary->deviation += fabs((double)latency_point(event, i)->ms - summary->mean);
    summary->deviation /= (double)event->count;
    summary->period = (double)(now - latency_point(event, 0)->at) / (double)event->count;
}

/* What to do about an event, by the start of its name. */
static const struct advice {
    const char *event, *text;
} advices[] = {
    { "command",
        "Commands that take long hold the lock of their slot, and their worker, meanwhile. SLOWLOG "
        "GET "
        "shows which ones they were; KEYS, FLUSHALL and large values are the usual ones." },
    { "fast-command",
        "Commands that should be quick were not: the machine did not run the process (too little "
        "CPU, memory swapped out, a virtual machine that waits for its host)." },
    { "aof", "The disk of the append-only file is slow or busy. `appendfsync everysec` waits for "
             "it less than "
             "`always`; other writers on the same disk are better moved elsewhere." },
    { "rdb", "The disk that snapshots are written to is slow or busy." },
    { "expire", "Many keys expire at the same moment. Spread their expiry a little." },
};

static void append_advice(struct buffer *out, const struct latency_event *events, size_t count)
{
    buffer_append_text(out, "\nWhat can be done:\n\n");
    for (size_t a = 0; a < sizeof(advices) / sizeof(advices[0]); a++) {
        size_t len = strlen(advices[a].event);
        for (size_t i = 0; i < count; i++) {
            if (strncmp(events[i].name, advices[a].event, len) != 0)
                continue;
            buffer_printf(out, "- %s\n", advices[a].text);
            break;
        }
    }
}

static void append_report(struct buffer *out, int64_t now)
{
    size_t count;
    struct latency_event *events = all_events(&count);
    if (count == 0) {
        buffer_append_text(
            out, "No event has taken longer than latency-monitor-threshold so far.\n");
    } else {
        buffer_append_text(out, "Events that took longer than latency-monitor-threshold:\n\n");
        for (size_t i = 0; i < count; i++) {
            struct summary summary;
            summarize(&events[i], now, &summary);
            buffer_printf(out,
                "%zu. %s: %zu latency spikes (average %.0fms, mean deviation %.0fms, period %.2f "
                "sec). "
                "Worst all time event %" PRId64 "ms.\n",
                i + 1, events[i].name, events[i].count, summary.mean, summary.deviation,
                summary.period, events[i].max_ms);
        }
        append_advice(out, events, count);
    }
    free(events);
}

static void latency_doctor(struct call *call)
{
    struct buffer text = { 0 };
    if (config_number(CONFIG_LATENCY_MONITOR_THRESHOLD) == 0)
        buffer_append_text(&text,
            "The latency monitor is off, so there is nothing to report. "
            "CONFIG SET latency-monitor-threshold <milliseconds> turns it on.\n");
    else
        append_report(&text, call->now / 1000);
    reply_verbatim(call->reply, "txt", buffer_bytes(&text));
    buffer_free(&text);
}

/* ---- HISTOGRAM ---- */

enum { FIRST_BUCKET_NS = 1024 };

/* One command: how many calls took up to 1, 2, 4 ... microseconds; buckets that add nothing are
 * left out. */
static size_t reply_histogram(struct reply *reply, unsigned id, struct histogram_sum *sum)
{
    if (!latency_histogram(id, sum))
        return 0;
    reply_bulk_text(reply, command_by_id(id)->name);
    reply_map(reply, 2);
    reply_bulk_text(reply, "calls");
    reply_integer(reply, (int64_t)sum->total);
    reply_bulk_text(reply, "histogram_usec");
    struct reply_mark mark = reply_deferred(reply);
    size_t buckets = 0;
    uint64_t before = 0;
    for (uint64_t ns = FIRST_BUCKET_NS; before < sum->total; ns *= 2) {
        uint64_t count = histogram_sum_up_to(sum, ns < HISTOGRAM_MAX ? ns : HISTOGRAM_MAX);
        if (count == before)
            continue;
        reply_integer(reply, (int64_t)(histogram_step_end(ns) / 1000));
        reply_integer(reply, (int64_t)count);
        before = count;
        buckets++;
    }
    reply_deferred_map(reply, mark, buckets);
    return 1;
}

static void latency_histogram_run(struct call *call)
{
    struct histogram_sum *sum = memory_alloc(sizeof(*sum));
    size_t count = 0;
    struct reply_mark mark = reply_deferred(call->reply);
    for (unsigned id = 0; call->argc == 2 && id < command_count(); id++)
        count += reply_histogram(call->reply, id, sum);
    for (int i = 2; i < call->argc; i++) {
        const struct command_entry *entry = command_by_name(call->argv[i]);
        if (!entry)
            continue;
        count += reply_histogram(call->reply, entry->id, sum);
        for (unsigned id = entry->id + 1;
             id < command_count() && command_by_id(id)->parent == entry->command; id++)
            count += reply_histogram(call->reply, id, sum);
    }
    reply_deferred_map(call->reply, mark, count);
    free(sum);
}

/* ---- The rows ---- */

static const char *const ask_tips[] = { "nondeterministic_output", "request_policy:all_nodes",
    "response_policy:special", NULL };
static const char *const reset_tips[] = { "request_policy:all_nodes",
    "response_policy:all_succeeded", NULL };
static const struct command_arg event_args[] = { { .name = "event", .type = ARG_STRING }, { 0 } };
static const struct command_arg events_args[] = {
    { .name = "event", .type = ARG_STRING, .flags = ARG_OPTIONAL | ARG_MULTIPLE }, { 0 }
};
static const struct command_arg commands_args[] = {
    { .name = "command", .type = ARG_STRING, .flags = ARG_OPTIONAL | ARG_MULTIPLE }, { 0 }
};

#define COMMON .flags = CMD_ADMIN | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE, .group = "server"

static const struct command subcommands[] = {
    { .name = "doctor",
        .run = latency_doctor,
        .arity = 2,
        COMMON,
        .since = "2.8.13",
        .summary = "Says in words which events were slow and what to do about them",
        .complexity = "O(1)",
        .tips = ask_tips },
    { .name = "graph",
        .run = latency_graph,
        .arity = 3,
        COMMON,
        .since = "2.8.13",
        .summary = "Draws the samples of an event",
        .complexity = "O(1)",
        .tips = ask_tips,
        .args = event_args },
    HELP_ROW("server", "2.8.13"),
    { .name = "histogram",
        .run = latency_histogram_run,
        .arity = -2,
        COMMON,
        .since = "7.0.0",
        .summary = "Tells how long commands took, cumulatively in buckets that double",
        .complexity = "O(N) where N is the number of commands that are told of",
        .tips = ask_tips,
        .args = commands_args },
    { .name = "history",
        .run = latency_history,
        .arity = 3,
        COMMON,
        .since = "2.8.13",
        .summary = "Lists the samples of an event: time and milliseconds",
        .complexity = "O(1)",
        .tips = ask_tips,
        .args = event_args },
    { .name = "latest",
        .run = latency_latest,
        .arity = 2,
        COMMON,
        .since = "2.8.13",
        .summary = "Shows the latest sample of each event, and its worst",
        .complexity = "O(1)",
        .tips = ask_tips },
    { .name = "reset",
        .run = latency_reset,
        .arity = -2,
        COMMON,
        .since = "2.8.13",
        .summary = "Forgets the samples of events, of all by default",
        .complexity = "O(1)",
        .tips = reset_tips,
        .args = events_args },
    { 0 },
};

const struct command latency_commands[] = {
    { .name = "latency",
        .arity = -2,
        .group = "server",
        .since = "2.8.13",
        .summary = "Commands about what takes long",
        .complexity = "Depends on the subcommand.",
        .subcommands = subcommands },
    { 0 },
};
