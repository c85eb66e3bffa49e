/* Answers that come later. A ticket names its session by executor and ID, never by pointer, so a session may
 * go away while its answer is on the way. */
#include "server/command/call.h"
#include "server/command/late.h"
#include "server/command/push.h"
#include "server/command/topic.h"

#include "common/memory.h"
#include <stdlib.h>

struct ticket {
    struct push push; /* of an answer that keeps its place among messages */
    struct executor *executor;
    uint64_t session_id;
    bool fills_gap; /* of a transaction's reply; else it is the whole answer */
    size_t gap;
    void (*finish)(struct session *session, void *arg);
    void *arg;
};

static atomic_size_t waiting; /* answers on their way */

size_t ticket_count(void)
{
    return atomic_load(&waiting);
}

bool call_can_park(const struct call *call)
{
    return (!call->in_exec || call->may_answer_late) && call->executor->post &&
           !(call->session->flags & SESSION_PRIMARY);
}

struct ticket *call_park(struct call *call)
{
    struct ticket *ticket = memory_alloc_zeroed(1, sizeof(*ticket));
    ticket->executor = call->executor;
    ticket->session_id = call->session->id;
    ticket->fills_gap = call->in_exec;
    if (call->in_exec)
        ticket->gap = late_gap(call->session);
    call->session->flags |= SESSION_PARKED;
    atomic_fetch_add(&waiting, 1);
    return ticket;
}

/* Writes the answer, and says whether the session waits for no other. */
static bool answer(struct ticket *ticket, struct session *session)
{
    if (ticket->fills_gap) {
        bool whole = late_fill(session, ticket->gap, ticket->finish, ticket->arg);
        session->flags &= ~(whole ? SESSION_PARKED : 0u);
        return whole;
    }
    session->flags &= ~(unsigned)SESSION_PARKED;
    ticket->finish(session, ticket->arg);
    return true;
}

static void hand_over(struct ticket *ticket)
{
    struct session *session = ticket->executor->find_session(ticket->executor, ticket->session_id);
    atomic_fetch_sub(&waiting, 1);
    if (!session)
        ticket->finish(NULL, ticket->arg);
    else if (answer(ticket, session))
        ticket->executor->resume(session);
}

static void deliver(void *arg)
{
    struct ticket *ticket = arg;
    struct session *session = ticket->executor->find_session(ticket->executor, ticket->session_id);
    if (session && late_is_under_way(session)) {
        ticket->executor->post(ticket->executor, deliver, ticket);
        return;
    }
    hand_over(ticket);
    free(ticket);
}

static void deliver_push(struct push *push, struct executor *executor)
{
    hand_over((struct ticket *)push);
}

static void free_push(struct push *push)
{
    free(push);
}

void ticket_finish(
    struct ticket *ticket, void (*finish)(struct session *session, void *arg), void *arg)
{
    ticket->finish = finish;
    ticket->arg = arg;
    ticket->executor->post(ticket->executor, deliver, ticket);
}

/* Whether anybody could hear of something before or after the answer. */
static bool has_messages(const struct executor *here)
{
    return here->pushes || topic_count(TOPIC_CHANNEL) > 0 || topic_count(TOPIC_PATTERN) > 0 ||
           topic_count(TOPIC_SHARD) > 0;
}

void ticket_finish_in_order(struct ticket *ticket, struct executor *here,
    void (*finish)(struct session *session, void *arg), void *arg)
{
    if (!has_messages(here)) {
        ticket_finish(ticket, finish, arg);
        return;
    }
    ticket->finish = finish;
    ticket->arg = arg;
    ticket->push = (struct push){ .refs = 1, .deliver = deliver_push, .free = free_push };
    push_answer(here, &ticket->push, push_bit(ticket->executor));
}

static void write_resp(struct session *session, void *arg)
{
    struct buffer *resp = arg;
    if (session)
        reply_raw(&session->reply, buffer_bytes(resp));
    buffer_free(resp);
    free(resp);
}

void ticket_reply(struct ticket *ticket, struct buffer resp)
{
    ticket_finish(ticket, write_resp, memory_copy(&resp, sizeof(resp)));
}
