/* Changes: the plan is shown, a person (or --yes) says yes, and the operation runs while its events
 * are printed. Ctrl-C cancels it, and it ends in a clear state; a second one ends the program. */
#include "console/batch/command.h"
#include "console/client/client.h"
#include "console/operation/operation.h"
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct running {
    struct batch *batch;
    struct operation *operation;
    bool done, line_open; /* a progress line without its end is on the terminal */
    json_t *events;
};

bool batch_confirm(struct batch *batch, const char *question)
{
    char answer[16];
    if (batch->options.yes) {
        return true;
    }
    if (batch->options.json || !isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) {
        batch_fail(
            batch, BATCH_NOT_CONFIRMED, "not confirmed: without a terminal a change needs --yes");
        return false;
    }
    fflush(stdout);
    fprintf(stderr, "%s [y/N] ", question);
    bool yes = fgets(answer, sizeof answer, stdin) != NULL &&
               (strcasecmp(answer, "y\n") == 0 || strcasecmp(answer, "yes\n") == 0);
    if (!yes) {
        batch_fail(batch, BATCH_NOT_CONFIRMED, "not confirmed: nothing was changed");
    }
    return yes;
}

static void end_line(struct running *running)
{
    if (running->line_open) {
        batch_print(running->batch, "\n");
        running->line_open = false;
    }
}

static void print_progress(struct running *running)
{
    struct operation_progress progress;
    char left[24];
    if (!isatty(STDOUT_FILENO)) {
        return;
    }
    operation_progress(running->operation, &progress);
    batch_print(running->batch, "\r  %u/%u slots  %lld keys  %.0f keys/s", progress.slots_done,
        progress.slots_total, (long long)progress.keys_done, progress.keys_rate);
    if (progress.left_ms >= 0) {
        batch_print(
            running->batch, "  %s left", model_write_age(progress.left_ms, left, sizeof left));
    }
    batch_print(running->batch, "\033[K");
    fflush(stdout);
    running->line_open = true;
}

static void on_event(void *context, const struct operation_event *event)
{
    struct running *running = context;
    if (event->kind == OPERATION_PROGRESS) {
        print_progress(running);
        return;
    }
    end_line(running);
    if (event->kind == OPERATION_DONE) {
        running->done = true;
        return;
    }
    batch_print(running->batch, "%7.2f s  %s\n", (double)event->at_ms / 1000, event->text);
    fflush(stdout);
    json_array_append_new(running->events,
        json_pack("{s:f,s:s,s:s}", "at", (double)event->at_ms / 1000, "kind",
            event->kind == OPERATION_STEP ? "step" : "phase", "text", event->text));
}

static bool is_done(void *context)
{
    return ((struct running *)context)->done;
}

static void on_interrupt(evutil_socket_t number, short what, void *context)
{
    struct running *running = context;
    struct operation_progress progress;
    operation_progress(running->operation, &progress);
    if (progress.cancelling) {
        signal((int)number, SIG_DFL);
        raise((int)number);
        return;
    }
    end_line(running);
    fprintf(stderr, "cancelling; once more to stop at once\n");
    operation_cancel(running->operation);
}

static int report(struct running *running)
{
    struct batch *batch = running->batch;
    const struct operation_report *end = operation_report(running->operation);
    static const char *const outcomes[] = { "running", "succeeded", "failed", "cancelled" };
    batch_set(batch, "outcome", json_string(outcomes[end->outcome]));
    batch_set(batch, "text", json_string(end->text));
    batch_set(batch, "state", end->state[0] != '\0' ? json_string(end->state) : json_null());
    batch_set(batch, "resume", end->resume[0] != '\0' ? json_string(end->resume) : json_null());
    if (end->outcome == OPERATION_SUCCEEDED) {
        batch_print(batch, "%s\n", end->text);
        return BATCH_DONE;
    }
    return batch_fail(batch, BATCH_PROBLEM, "%s%s%s%s%s", end->text,
        end->state[0] != '\0' ? "\nstate: " : "", end->state,
        end->resume[0] != '\0' ? "\ngo on with: " : "", end->resume);
}

static int run(struct batch *batch, const struct plan *plan)
{
    struct running running = { .batch = batch, .events = json_array() };
    struct operation_options options = { .request_ms = batch_request_ms(batch) };
    struct event_base *base = client_base(batch->client);
    struct event *interrupt = evsignal_new(base, SIGINT, on_interrupt, &running);
    struct event *terminate = evsignal_new(base, SIGTERM, on_interrupt, &running);
    running.operation = operation_start(batch->client, plan, &options, on_event, &running);
    event_add(interrupt, NULL);
    event_add(terminate, NULL);
    while (!client_run_until(batch->client, is_done, &running, -1)) {
    }
    event_free(interrupt);
    event_free(terminate);
    int code = report(&running);
    batch_set(batch, "events", running.events);
    operation_free(running.operation);
    return code;
}

int batch_run_plan(struct batch *batch, struct plan *plan)
{
    struct buffer text = { 0 };
    int code = BATCH_DONE;
    plan_write_text(plan, &text);
    batch_print_buffer(batch, &text);
    buffer_free(&text);
    batch_set(batch, "plan", plan_to_json(plan));
    if (!batch->options.dry_run) {
        code = batch_confirm(batch, "Do it?") ? run(batch, plan) : BATCH_NOT_CONFIRMED;
    }
    plan_free(plan);
    return code;
}
