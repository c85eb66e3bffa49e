/* What the latency monitor has gathered: between latency.c, which gathers, and latency_commands.c,
 * which tells. */
#ifndef SERVER_COMMAND_LATENCY_EVENTS_H
#define SERVER_COMMAND_LATENCY_EVENTS_H

#include "common/bytes.h"
#include "server/command/histogram.h"

enum { LATENCY_POINTS = 160, LATENCY_EVENTS_MAX = 32 };

/* The worst that happened in one second. */
struct latency_point {
    int64_t at; /* Unix time in seconds */
    int64_t ms;
};

struct latency_event {
    const char *name; /* constant */
    int64_t max_ms;   /* ever */
    size_t count;     /* of points */
    size_t oldest;    /* its index, once all places are taken */
    struct latency_point points[LATENCY_POINTS];
};

/* The point of that number, from 0, the oldest, to count - 1. */
static inline struct latency_point *latency_point(struct latency_event *event, size_t number)
{
    return &event->points[(event->oldest + number) % LATENCY_POINTS];
}

/* Copies, so that no lock is held while a reply is written. Any thread. */
bool latency_event_copy(struct bytes name, struct latency_event *out);
/* out has LATENCY_EVENTS_MAX places; returns how many there are. */
size_t latency_events_copy(struct latency_event *out);
/* Forgets one event, or all (NULL); returns how many. */
size_t latency_events_reset(const struct bytes *name);

/* One command's times since the last reset, of all executors; false where it has not run. */
bool latency_histogram(unsigned id, struct histogram_sum *sum);

#endif
