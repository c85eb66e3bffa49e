/* CLIENT PAUSE. pause_begin stops all turns, and a command runs in one: so the pause begins in the
 * executor's thread behind the turn, and the client that asked waits for that. */
#include "server/command/client_pause.h"

#include "server/command/background.h"
#include "server/command/condition.h"

#include "common/memory.h"
#include "common/number.h"
#include <stdlib.h>

struct pause_order {
    struct executor *executor;
    bool writes_only;
    int64_t until_ms;
    struct ticket *ticket; /* NULL: it has been told already */
};

static void pause_told(struct session *session, void *arg)
{
    if (session)
        reply_ok(&session->reply);
    free(arg);
}

static void begin_pause_now(void *arg)
{
    struct pause_order *order = arg;
    pause_begin(PAUSE_CLIENT, order->writes_only, order->until_ms);
    if (order->ticket)
        ticket_finish(order->ticket, pause_told, order);
    else
        free(order);
}

/* Between two turns of the executor, or in the midst of one whose script takes long. */
static void begin_pause(void *arg)
{
    struct pause_order *order = arg;
    if (turn_is_held(order->executor->turn))
        background_run(0, begin_pause_now, order);
    else
        begin_pause_now(order);
}

void client_pause(struct call *call)
{
    int64_t timeout, until;
    bool writes_only = false;
    if (call->argc == 4 && bytes_is(call->argv[3], "write")) {
        writes_only = true;
    } else if (call->argc > 4) {
        call_error_arity(call);
        return;
    } else if (call->argc == 4 && !bytes_is(call->argv[3], "all")) {
        reply_error(call->reply, "CLIENT PAUSE mode must be WRITE or ALL");
        return;
    }
    if (!number_parse(call->argv[2], &timeout) ||
        __builtin_add_overflow(timeout, call->now, &until)) {
        reply_error(call->reply, "timeout is not an integer or out of range");
        return;
    }
    if (timeout < 0) {
        reply_error(call->reply, "timeout is negative");
        return;
    }
    if (!call->executor->post) {
        reply_error(call->reply, "CLIENT PAUSE is for connections");
        return;
    }
    struct pause_order *order = memory_alloc(sizeof(*order));
    *order = (struct pause_order){ call->executor, writes_only, until, NULL };
    if (call_can_park(call))
        order->ticket = call_park(call);
    else
        reply_ok(call->reply);
    call->executor->post(call->executor, begin_pause, order);
}

void client_unpause(struct call *call)
{
    pause_end(PAUSE_CLIENT);
    reply_ok(call->reply);
}
