/* The log is one block of memory, made when the first event comes. */
#include "console/model/event.h"
#include "common/memory.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* What is told late, as slots that moved are, goes where its time belongs. */
static void keep_order(struct model_log *log)
{
    for (size_t ago = 0; ago + 1 < log->total && ago + 1 < MODEL_EVENTS_MAX; ago++) {
        struct model_event *later = &log->ring[(log->total - 1 - ago) % MODEL_EVENTS_MAX];
        struct model_event *earlier = &log->ring[(log->total - 2 - ago) % MODEL_EVENTS_MAX];
        if (earlier->wall <= later->wall) {
            return;
        }
        struct model_event moved = *earlier;
        *earlier = *later;
        *later = moved;
        uint64_t number = earlier->number; /* numbers go with places */
        earlier->number = later->number;
        later->number = number;
    }
}

void model_log_add(struct model_log *log, int64_t wall, enum model_event_kind kind,
    enum model_severity severity, const char *format, ...)
{
    if (log->ring == NULL) {
        log->ring = memory_alloc_zeroed(MODEL_EVENTS_MAX, sizeof *log->ring);
    }
    struct model_event *event = &log->ring[log->total % MODEL_EVENTS_MAX];
    event->number = ++log->total;
    event->wall = wall;
    event->kind = kind;
    event->severity = severity;
    va_list args;
    va_start(args, format);
    vsnprintf(event->text, sizeof event->text, format, args);
    va_end(args);
    keep_order(log);
}

const struct model_event *model_log_at(const struct model_log *log, size_t ago)
{
    if (ago >= log->total || ago >= MODEL_EVENTS_MAX) {
        return NULL;
    }
    return &log->ring[(log->total - 1 - ago) % MODEL_EVENTS_MAX];
}

void model_log_free(struct model_log *log)
{
    free(log->ring);
    *log = (struct model_log){ 0 };
}

const char *model_event_kind_text(enum model_event_kind kind)
{
    static const char *const texts[] = {
        [MODEL_EVENT_NODE_NEW] = "new",
        [MODEL_EVENT_NODE_GONE] = "gone",
        [MODEL_EVENT_NODE_LOST] = "lost",
        [MODEL_EVENT_NODE_BACK] = "back",
        [MODEL_EVENT_NODE_SUSPECTED] = "suspected",
        [MODEL_EVENT_FAILOVER] = "failover",
        [MODEL_EVENT_ROLE] = "role",
        [MODEL_EVENT_SLOTS] = "slots",
        [MODEL_EVENT_STATE] = "state",
        [MODEL_EVENT_OPERATION] = "operation",
    };
    return texts[kind];
}
