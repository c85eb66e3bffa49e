/* The model doesn't know that slots are moving until it asks; so it is asked more often while
 * something runs here, and at the end. Slots that have arrived lose their marks: what is marked is
 * what is still to go. */
#include "console/tui/jobs.h"

#include "common/memory.h"
#include "console/tui/app.h"
#include "console/tui/marks.h"
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

enum { POLL_MS = 300 };

struct jobs {
    struct tui *tui;
    struct operation *operation;
    struct event *sweep; /* frees an operation outside of its own callback */
    bool over;           /* the operation has ended and waits for the sweep */
    struct job *list;    /* owned; JOBS_MAX of them; the newest is at count - 1 */
    unsigned count;
    int64_t polled_at; /* client_now() */
};

static void jobs_sweep(evutil_socket_t fd, short what, void *context)
{
    struct jobs *jobs = context;
    if (!jobs->over)
        return;
    operation_free(jobs->operation);
    jobs->operation = NULL;
    jobs->over = false;
    model_poll_now(jobs->tui->model);
    tui_changed(jobs->tui);
}

struct jobs *jobs_new(struct tui *tui)
{
    struct jobs *jobs = memory_alloc_zeroed(1, sizeof *jobs);
    jobs->tui = tui;
    jobs->list = memory_alloc_zeroed(JOBS_MAX, sizeof *jobs->list);
    jobs->sweep = evtimer_new(client_base(tui->client), jobs_sweep, jobs);
    return jobs;
}

void jobs_free(struct jobs *jobs)
{
    if (jobs == NULL)
        return;
    operation_free(jobs->operation);
    if (jobs->sweep != NULL)
        event_free(jobs->sweep);
    free(jobs->list);
    free(jobs);
}

static void job_add_line(struct job *job, int64_t at_ms, const char *text)
{
    if (job->line_count == JOB_LINES_MAX) {
        memmove(&job->lines[0], &job->lines[1], sizeof job->lines - sizeof job->lines[0]);
        job->line_count--;
    }
    job->lines[job->line_count].at_ms = at_ms;
    snprintf(job->lines[job->line_count].text, JOB_LINE_TEXT, "%s", text);
    job->line_count++;
}

static void jobs_finished(struct jobs *jobs, struct job *job)
{
    static const struct timeval now = { 0, 0 };
    static const enum model_severity severities[] = {
        [OPERATION_RUNNING] = MODEL_NEUTRAL,
        [OPERATION_SUCCEEDED] = MODEL_GOOD,
        [OPERATION_FAILED] = MODEL_BAD,
        [OPERATION_CANCELLED] = MODEL_NEUTRAL,
    };
    job->report = *operation_report(jobs->operation);
    model_log_add(&jobs->tui->model->log, client_wall_clock(), MODEL_EVENT_OPERATION,
        severities[job->report.outcome], "%s", job->report.text);
    /* Stays until the next key, whatever else happens meanwhile. */
    tui_say(jobs->tui, severities[job->report.outcome], "%s%s", job->report.text,
        job->report.outcome == OPERATION_FAILED ? " (4 shows more)" : "");
    jobs->over = true;
    evtimer_add(jobs->sweep, &now);
}

/* Takes what has been done over to the marks, and has the model look. */
static void jobs_follow(struct jobs *jobs)
{
    const struct slot_set *moved = operation_moved_slots(jobs->operation);
    if (moved != NULL)
        marks_remove(jobs->tui, moved);
    if (client_now() - jobs->polled_at < POLL_MS)
        return;
    jobs->polled_at = client_now();
    model_poll_now(jobs->tui->model);
}

static void jobs_watch(void *context, const struct operation_event *event)
{
    struct jobs *jobs = context;
    struct job *job = &jobs->list[jobs->count - 1];
    operation_progress(jobs->operation, &job->progress);
    if (event->text[0] != '\0' && event->kind != OPERATION_PROGRESS &&
        event->kind != OPERATION_DONE)
        job_add_line(job, event->at_ms, event->text);
    jobs_follow(jobs);
    if (event->kind == OPERATION_DONE)
        jobs_finished(jobs, job);
    tui_changed(jobs->tui);
}

bool jobs_start(struct jobs *jobs, const struct plan *plan)
{
    if (jobs->operation != NULL) {
        tui_say(jobs->tui, MODEL_BAD, "an operation is running already: 4 shows it");
        return false;
    }
    if (jobs->count == JOBS_MAX) {
        memmove(&jobs->list[0], &jobs->list[1], sizeof jobs->list[0] * (JOBS_MAX - 1));
        jobs->count--;
    }
    struct job *job = &jobs->list[jobs->count++];
    memset(job, 0, sizeof *job);
    job->kind = plan->kind;
    job->started = client_wall_clock();
    struct buffer title = { 0 };
    plan_write_summary(plan, &title);
    buffer_terminate(&title);
    snprintf(job->title, sizeof job->title, "%s", title.data);
    buffer_free(&title);
    static const struct operation_options defaults = { 0 };
    jobs->operation = operation_start(jobs->tui->client, plan, &defaults, jobs_watch, jobs);
    operation_progress(jobs->operation, &job->progress);
    model_log_add(&jobs->tui->model->log, job->started, MODEL_EVENT_OPERATION, MODEL_NEUTRAL,
        "started: %s", job->title);
    return true;
}

struct operation *jobs_running(const struct jobs *jobs)
{
    return jobs->over ? NULL : jobs->operation;
}

const struct job *jobs_at(const struct jobs *jobs, unsigned index)
{
    return index < jobs->count ? &jobs->list[jobs->count - 1 - index] : NULL;
}

unsigned jobs_count(const struct jobs *jobs)
{
    return jobs->count;
}

bool jobs_slot(const struct jobs *jobs, unsigned *slot, int *target)
{
    if (jobs_running(jobs) == NULL)
        return false;
    const struct plan *plan = operation_plan(jobs->operation);
    const struct operation_progress *progress = &jobs->list[jobs->count - 1].progress;
    if (progress->slot < 0 || progress->step >= plan->step_count)
        return false;
    const struct plan_step *step = &plan->steps[progress->step];
    if (step->kind != PLAN_MOVE || step->node == PLAN_NO_NODE)
        return false;
    *slot = (unsigned)progress->slot;
    *target = model_find_id(jobs->tui->model, &plan->nodes[step->node].id);
    return *target != MODEL_NOBODY;
}

void jobs_cancel(struct jobs *jobs)
{
    if (jobs_running(jobs) == NULL)
        return;
    operation_cancel(jobs->operation);
    tui_say(jobs->tui, MODEL_NEUTRAL, "cancelling: the step under way comes to a clean end first");
}

void jobs_pause(struct jobs *jobs)
{
    if (jobs_running(jobs) == NULL)
        return;
    struct job *job = &jobs->list[jobs->count - 1];
    operation_progress(jobs->operation, &job->progress);
    operation_pause(jobs->operation, !job->progress.paused);
    operation_progress(jobs->operation, &job->progress);
    tui_changed(jobs->tui);
}
