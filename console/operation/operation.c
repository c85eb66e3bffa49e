/* The frame in which steps run: it knows their order, sends for them, tells the watcher, and ends.
 * What a step does is in the runner that its row names. */
#include "console/operation/operation.h"
#include "common/memory.h"
#include "console/client/client.h"
#include "console/client/node.h"
#include "console/model/model.h"
#include "console/operation/plan_build.h"
#include "console/operation/run.h"
#include <event2/event.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { PROGRESS_MS = 50, SAMPLE_MS = 500, WORDS_MAX = 64 };

struct run_request {
    LIST_ENTRY(run_request) link;
    struct operation *operation;
    int node;
    unsigned way;
    unsigned tries;
    int64_t limit_ms;
    run_done *done;
    void *context;
    struct bytes *argv; /* owned, with the bytes behind it */
    size_t argc;
    struct client_request *sent; /* NULL: waits for another try */
    struct event *retry;
};

static void (*const runners[PLAN_STEP_KINDS])(struct operation *operation) = {
    [PLAN_ADD_SLOTS] = run_setup_step,
    [PLAN_SET_EPOCH] = run_setup_step,
    [PLAN_MEET] = run_setup_step,
    [PLAN_REPLICATE] = run_setup_step,
    [PLAN_AGREE] = run_agree_step,
    [PLAN_WAIT_OK] = run_agree_step,
    [PLAN_PUT_BACK] = run_put_back_step,
    [PLAN_MOVE] = run_move_step,
    [PLAN_FAILOVER_STEP] = run_takeover_step,
};

/* --- telling --- */

static void tell(struct operation *operation, enum operation_event_kind kind, const char *text)
{
    struct operation_event event = { .kind = kind,
        .at_ms = client_now() - operation->started,
        .step = operation->step,
        .text = text };
    operation->watch(operation->context, &event);
}

void run_say(struct operation *operation, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    tell(operation, OPERATION_PHASE, text);
}

static void take_sample(struct operation *operation, int64_t now)
{
    struct run_sample *samples = operation->samples;
    if (operation->sample_count > 0 &&
        now - samples[(operation->sample_count - 1) % RUN_SAMPLES].at < SAMPLE_MS) {
        return;
    }
    samples[operation->sample_count++ % RUN_SAMPLES] =
        (struct run_sample){ now, operation->keys_done, operation->slots_done };
}

void run_progress(struct operation *operation)
{
    int64_t now = client_now();
    take_sample(operation, now);
    if (now - operation->told_progress >= PROGRESS_MS) {
        operation->told_progress = now;
        tell(operation, OPERATION_PROGRESS, "");
    }
}

const char *run_node_name(const struct operation *operation, int node)
{
    return operation->plan.nodes[node].name;
}

/* --- going on --- */

static void on_turn(evutil_socket_t fd, short what, void *context)
{
    struct operation *operation = context;
    void (*next)(struct operation *) = operation->next;
    operation->next = NULL;
    if (next != NULL) {
        next(operation);
    }
}

void run_later(struct operation *operation, int64_t ms, void (*next)(struct operation *operation))
{
    struct timeval wait = { ms / 1000, ms % 1000 * 1000 };
    operation->next = next;
    event_add(operation->turn, &wait);
}

static void tell_end(struct operation *operation)
{
    tell(operation, OPERATION_DONE, operation->report.text);
}

static void set_outcome(struct operation *operation, enum operation_outcome outcome)
{
    operation->report.outcome = outcome;
    operation->slot = -1;
    run_later(operation, 0, tell_end);
}

void run_end(struct operation *operation, enum operation_outcome outcome, const char *format, ...)
{
    if (operation->report.outcome != OPERATION_RUNNING) {
        return;
    }
    va_list args;
    va_start(args, format);
    vsnprintf(operation->report.text, sizeof operation->report.text, format, args);
    va_end(args);
    set_outcome(operation, outcome);
}

static void succeed(struct operation *operation)
{
    char age[24];
    struct buffer summary = { 0 };
    int64_t elapsed = client_now() - operation->started - operation->paused_ms;
    model_write_age(elapsed, age, sizeof age);
    plan_write_summary(&operation->plan, &summary);
    if (operation->plan.kind == PLAN_RESHARD && operation->slots_total > 0) {
        unsigned slots = operation->slots_done;
        run_end(operation, OPERATION_SUCCEEDED, "%u slot%s with %lld keys moved in %s", slots,
            slots == 1 ? "" : "s", (long long)operation->keys_done, age);
    } else {
        run_end(operation, OPERATION_SUCCEEDED, "%.*s: done in %s",
            (int)(summary.len < 400 ? summary.len : 400), summary.data, age);
    }
    buffer_free(&summary);
}

static void begin_step(struct operation *operation)
{
    if (operation->report.outcome != OPERATION_RUNNING) {
        return;
    }
    if (operation->step == operation->plan.step_count) {
        succeed(operation);
        return;
    }
    if (operation->cancelling && operation->plan.kind == PLAN_CREATE &&
        operation->plan.steps[operation->step].kind != PLAN_REPLICATE &&
        operation->plan.steps[operation->step].kind != PLAN_WAIT_OK) {
        run_setup_undo(operation);
        return;
    }
    struct buffer text = { 0 };
    plan_write_step(&operation->plan, operation->step, &text);
    buffer_terminate(&text);
    operation->step_started = client_now();
    tell(operation, OPERATION_STEP, text.data);
    buffer_free(&text);
    runners[operation->plan.steps[operation->step].kind](operation);
}

void run_step_done(struct operation *operation)
{
    operation->step++;
    run_later(operation, 0, begin_step);
}

/* --- asking nodes --- */

static struct client_node *connection(struct operation *operation, int node, unsigned way)
{
    struct client_node **place = &operation->connections[(size_t)node * RUN_WAYS + way];
    if (*place == NULL) {
        *place = client_node_new(operation->client, &operation->plan.nodes[node].address);
    }
    return *place;
}

static void request_free(struct run_request *request)
{
    LIST_REMOVE(request, link);
    event_free(request->retry);
    free(request->argv);
    free(request);
}

static void on_answer(void *context, struct client_answer *answer)
{
    struct run_request *request = context;
    struct operation *operation = request->operation;
    request->sent = NULL;
    if (answer->result != CLIENT_ANSWERED && --request->tries > 0) {
        struct timeval wait = { RUN_RETRY_MS / 1000, RUN_RETRY_MS % 1000 * 1000 };
        event_add(request->retry, &wait);
        return;
    }
    run_done *done = request->done;
    void *done_context = request->context;
    int node = request->node;
    request_free(request);
    if (operation->report.outcome == OPERATION_RUNNING) {
        done(operation, node, answer->reply, answer->error, done_context);
    }
}

static void send_request(struct run_request *request)
{
    struct client_node *node = connection(request->operation, request->node, request->way);
    request->sent = client_node_send(
        node, request->argv, request->argc, request->limit_ms, on_answer, request);
}

static void on_retry(evutil_socket_t fd, short what, void *context)
{
    send_request(context);
}

struct bytes *run_copy_arguments(const struct bytes *argv, size_t argc)
{
    size_t size = argc * sizeof *argv, len = 0;
    for (size_t i = 0; i < argc; i++) {
        len += argv[i].len;
    }
    struct bytes *copy = memory_alloc(size + len + 1);
    char *at = (char *)copy + size;
    for (size_t i = 0; i < argc; i++) {
        copy[i] = (struct bytes){ at, argv[i].len };
        if (argv[i].len > 0) {
            memcpy(at, argv[i].data, argv[i].len);
        }
        at += argv[i].len;
    }
    return copy;
}

void run_ask(struct operation *operation, int node, unsigned tries, int64_t limit_ms,
    run_done *done, void *context, const struct bytes *argv, size_t argc)
{
    run_ask_on(operation, node, 0, tries, limit_ms, done, context, argv, argc);
}

void run_ask_on(struct operation *operation, int node, unsigned way, unsigned tries,
    int64_t limit_ms, run_done *done, void *context, const struct bytes *argv, size_t argc)
{
    struct run_request *request = memory_alloc_zeroed(1, sizeof *request);
    request->operation = operation;
    request->node = node;
    request->way = way;
    request->tries = tries;
    request->limit_ms = limit_ms;
    request->done = done;
    request->context = context;
    request->argv = run_copy_arguments(argv, argc);
    request->argc = argc;
    request->retry = evtimer_new(client_base(operation->client), on_retry, request);
    LIST_INSERT_HEAD(&operation->requests, request, link);
    send_request(request);
}

void run_ask_words(struct operation *operation, int node, run_done *done, void *context, ...)
{
    struct bytes argv[WORDS_MAX];
    size_t argc = 0;
    const char *word;
    va_list args;
    va_start(args, context);
    while (argc < WORDS_MAX && (word = va_arg(args, const char *)) != NULL) {
        argv[argc++] = bytes_of(word);
    }
    va_end(args);
    run_ask(operation, node, RUN_TRIES, operation->options.request_ms, done, context, argv, argc);
}

/* --- the operation as others see it --- */

struct operation *operation_start(struct client *client, const struct plan *plan,
    const struct operation_options *options,
    void (*watch)(void *context, const struct operation_event *event), void *context)
{
    struct operation *operation = memory_alloc_zeroed(1, sizeof *operation);
    operation->client = client;
    plan_copy(&operation->plan, plan);
    if (options != NULL) {
        operation->options = *options;
    }
    if (operation->options.wait_ms <= 0) {
        operation->options.wait_ms = RUN_WAIT_MS;
    }
    if (operation->options.batch_keys == 0) {
        operation->options.batch_keys = 100;
    }
    operation->watch = watch;
    operation->context = context;
    operation->connections =
        memory_alloc_zeroed(plan->node_count * RUN_WAYS, sizeof *operation->connections);
    LIST_INIT(&operation->requests);
    operation->turn = evtimer_new(client_base(client), on_turn, operation);
    operation->started = client_now();
    operation->slot = -1;
    operation->slots_total = plan_slot_count(plan);
    operation->keys_total = plan_key_count(plan);
    run_later(operation, 0, begin_step);
    return operation;
}

void operation_free(struct operation *operation)
{
    if (operation == NULL) {
        return;
    }
    struct run_request *request;
    while ((request = LIST_FIRST(&operation->requests)) != NULL) {
        if (request->sent != NULL) {
            client_request_forget(request->sent);
        }
        request_free(request);
    }
    for (size_t i = 0; i < operation->plan.node_count * RUN_WAYS; i++) {
        client_node_free(operation->connections[i]);
    }
    free(operation->connections);
    run_move_free(operation->move);
    event_free(operation->turn);
    plan_free(&operation->plan);
    free(operation);
}

void operation_cancel(struct operation *operation)
{
    if (operation->report.outcome == OPERATION_RUNNING) {
        operation->cancelling = true;
        operation_pause(operation, false);
    }
}

bool operation_can_pause(const struct operation *operation)
{
    return operation->plan.kind == PLAN_RESHARD && operation->report.outcome == OPERATION_RUNNING &&
           !operation->cancelling;
}

void operation_pause(struct operation *operation, bool pause)
{
    int64_t now = client_now();
    if (pause && operation->paused_at == 0 && operation_can_pause(operation)) {
        operation->paused_at = now;
        tell(operation, OPERATION_PROGRESS, "");
    } else if (!pause && operation->paused_at != 0) {
        operation->paused_ms += now - operation->paused_at;
        operation->paused_at = 0;
        operation->sample_count = 0;
        if (operation->next != NULL) {
            run_later(operation, 0, operation->next); /* the runner waits for us there */
        }
    }
}

const struct plan *operation_plan(const struct operation *operation)
{
    return &operation->plan;
}

static void fill_rates(const struct operation *operation, struct operation_progress *progress)
{
    unsigned count = operation->sample_count;
    progress->left_ms = -1;
    if (count < 2) {
        return;
    }
    unsigned kept = count < RUN_SAMPLES ? count : RUN_SAMPLES;
    const struct run_sample *oldest = &operation->samples[(count - kept) % RUN_SAMPLES];
    double seconds = (double)(client_now() - oldest->at) / 1000;
    if (seconds <= 0) {
        return;
    }
    progress->keys_rate = (double)(operation->keys_done - oldest->keys) / seconds;
    progress->slots_rate = (double)(operation->slots_done - oldest->slots) / seconds;
    if (progress->slots_rate > 0) {
        unsigned left = operation->slots_total - operation->slots_done;
        progress->left_ms = (int64_t)((double)left / progress->slots_rate * 1000);
    }
}

void operation_progress(const struct operation *operation, struct operation_progress *progress)
{
    int64_t now = operation->paused_at != 0 ? operation->paused_at : client_now();
    *progress = (struct operation_progress){ .step = operation->step,
        .step_count = operation->plan.step_count,
        .slots_done = operation->slots_done,
        .slots_total = operation->slots_total,
        .keys_done = operation->keys_done,
        .keys_total = operation->keys_total,
        .slot = operation->slot,
        .elapsed_ms = now - operation->started - operation->paused_ms,
        .paused = operation->paused_at != 0,
        .cancelling = operation->cancelling };
    fill_rates(operation, progress);
}

const struct operation_report *operation_report(const struct operation *operation)
{
    return &operation->report;
}

const struct slot_set *operation_moved_slots(const struct operation *operation)
{
    return &operation->moved;
}
