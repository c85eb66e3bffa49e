/* The loop that all connections of the console share: libevent's, one thread, no locks. Everything
 * in console/ runs inside it; nothing ever waits outside of it. */
#ifndef CONSOLE_CLIENT_CLIENT_H
#define CONSOLE_CLIENT_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;
struct client;

enum {
    CLIENT_CONNECT_MS = 2000, /* default limits */
    CLIENT_REQUEST_MS = 5000,
    CLIENT_TEXT_MAX = 512, /* bytes of a user name or password with its zero */
};

struct client_options {
    char user[CLIENT_TEXT_MAX];     /* empty: the default user */
    char password[CLIENT_TEXT_MAX]; /* empty: no AUTH */
    int64_t connect_ms;             /* limit for connecting and AUTH; 0: CLIENT_CONNECT_MS */
    int64_t request_ms;             /* limit of a request that names none; 0: CLIENT_REQUEST_MS */
    size_t answer_max;              /* bytes of one answer; 0: 64 MB */
};

/* NULL where the system has no event mechanism. Ignores SIGPIPE for the process. The options are
 * copied. */
struct client *client_new(const struct client_options *options);
/* Every connection must have been freed before. client may be NULL. */
void client_free(struct client *client);

const struct client_options *client_options(const struct client *client);
/* For timers, signals and the terminal; owned by the client. */
struct event_base *client_base(const struct client *client);

/* Milliseconds: monotonic, and since 1970. */
int64_t client_now(void);
int64_t client_wall_clock(void);

/* Runs the loop until ready(context) is true; false where limit_ms passed first (a negative limit:
 * none) or where client_interrupt was called. Not to be called from inside the loop. */
bool client_run_until(
    struct client *client, bool (*ready)(void *context), void *context, int64_t limit_ms);
/* Makes client_run_until return false at its next turn, once. Safe inside the loop. */
void client_interrupt(struct client *client);

#endif
