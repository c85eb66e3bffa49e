/* What happened, newest last: failovers, slots that moved, nodes lost and back, changes of the
 * verdict, and what operations report. A ring: the oldest are forgotten. */
#ifndef CONSOLE_MODEL_EVENT_H
#define CONSOLE_MODEL_EVENT_H

#include <stddef.h>
#include <stdint.h>

enum { MODEL_EVENTS_MAX = 1000, MODEL_EVENT_TEXT = 200 };

enum model_event_kind {
    MODEL_EVENT_NODE_NEW,
    MODEL_EVENT_NODE_GONE, /* forgotten by the cluster */
    MODEL_EVENT_NODE_LOST,
    MODEL_EVENT_NODE_BACK,
    MODEL_EVENT_NODE_SUSPECTED,
    MODEL_EVENT_FAILOVER,
    MODEL_EVENT_ROLE, /* a replica of another primary now */
    MODEL_EVENT_SLOTS,
    MODEL_EVENT_STATE,     /* the verdict changed */
    MODEL_EVENT_OPERATION, /* told by an operation or a front end */
};

enum model_severity { MODEL_GOOD, MODEL_NEUTRAL, MODEL_BAD };

struct model_event {
    uint64_t number; /* 1, 2, 3 ... */
    int64_t wall;    /* milliseconds since 1970 */
    enum model_event_kind kind;
    enum model_severity severity;
    char text[MODEL_EVENT_TEXT];
};

/* All zeroes is an empty log. */
struct model_log {
    struct model_event *ring; /* owned; MODEL_EVENTS_MAX of them once the first came */
    uint64_t total;           /* how many there ever were */
};

/* wall: when it happened. */
void model_log_add(struct model_log *log, int64_t wall, enum model_event_kind kind,
    enum model_severity severity, const char *format, ...) __attribute__((format(printf, 5, 6)));
/* The event `ago` before the newest (0: the newest); NULL where there is none (any more). */
const struct model_event *model_log_at(const struct model_log *log, size_t ago);
void model_log_free(struct model_log *log);
const char *model_event_kind_text(enum model_event_kind kind); /* "failover", ... */

#endif
