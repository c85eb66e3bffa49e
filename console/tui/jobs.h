/* Operations that this dashboard runs: one at a time, and what the finished ones came to. */
#ifndef TUI_JOBS_H
#define TUI_JOBS_H

#include "console/operation/operation.h"

struct jobs;
struct tui;

enum { JOB_LINES_MAX = 64, JOB_LINE_TEXT = 200, JOBS_MAX = 20 };

/* One operation, running or over. */
struct job {
    char title[JOB_LINE_TEXT]; /* the plan in a sentence */
    enum plan_kind kind;
    int64_t started; /* milliseconds since 1970 */
    struct operation_progress progress;
    struct operation_report report;
    struct {
        int64_t at_ms; /* since the start */
        char text[JOB_LINE_TEXT];
    } lines[JOB_LINES_MAX]; /* phases; the oldest go where there are too many */
    unsigned line_count;
};

struct jobs *jobs_new(struct tui *tui);
void jobs_free(struct jobs *jobs);
/* False, with a word to the person, where one runs already. */
bool jobs_start(struct jobs *jobs, const struct plan *plan);
/* The running operation; NULL: none. */
struct operation *jobs_running(const struct jobs *jobs);
/* Jobs, newest first; NULL where there is none with that index. The first may still run. */
const struct job *jobs_at(const struct jobs *jobs, unsigned index);
unsigned jobs_count(const struct jobs *jobs);
/* The slot under way and the node that gets it (an index of the model); false: none is. */
bool jobs_slot(const struct jobs *jobs, unsigned *slot, int *target);
void jobs_cancel(struct jobs *jobs);
void jobs_pause(struct jobs *jobs); /* or goes on */

#endif
