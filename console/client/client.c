/* The loop, its limits and its clocks. One-shot code waits by turning the same loop until its
 * condition holds, so there is one way of talking to nodes and not two. */
#include "console/client/client.h"
#include "common/memory.h"
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

struct client {
    struct event_base *base;
    struct client_options options;
    bool interrupted;
};

struct client *client_new(const struct client_options *options)
{
    struct event_base *base = event_base_new();
    if (base == NULL) {
        return NULL;
    }
    signal(SIGPIPE, SIG_IGN);
    struct client *client = memory_alloc_zeroed(1, sizeof *client);
    client->base = base;
    client->options = *options;
    if (client->options.connect_ms <= 0) {
        client->options.connect_ms = CLIENT_CONNECT_MS;
    }
    if (client->options.request_ms <= 0) {
        client->options.request_ms = CLIENT_REQUEST_MS;
    }
    if (client->options.answer_max == 0) {
        client->options.answer_max = 64 * 1024 * 1024;
    }
    return client;
}

void client_free(struct client *client)
{
    if (client != NULL) {
        event_base_free(client->base);
        free(client);
    }
}

const struct client_options *client_options(const struct client *client)
{
    return &client->options;
}

struct event_base *client_base(const struct client *client)
{
    return client->base;
}

static int64_t milliseconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t client_now(void)
{
    return milliseconds(CLOCK_MONOTONIC);
}

int64_t client_wall_clock(void)
{
    return milliseconds(CLOCK_REALTIME);
}

static void wake_up(evutil_socket_t fd, short what, void *context)
{
}

bool client_run_until(
    struct client *client, bool (*ready)(void *context), void *context, int64_t limit_ms)
{
    int64_t end = client_now() + limit_ms;
    struct event *timer = evtimer_new(client->base, wake_up, NULL);
    client->interrupted = false;
    bool done = false;
    while (!(done = ready(context)) && !client->interrupted) {
        int64_t left = limit_ms < 0 ? 60000 : end - client_now();
        if (left <= 0) {
            break;
        }
        struct timeval wait = { left / 1000, left % 1000 * 1000 };
        event_add(timer, &wait);
        event_base_loop(client->base, EVLOOP_ONCE);
    }
    event_free(timer);
    client->interrupted = false;
    return done;
}

void client_interrupt(struct client *client)
{
    client->interrupted = true;
    event_base_loopbreak(client->base);
}
