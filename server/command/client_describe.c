/* A client as CLIENT LIST tells of it: words with the fields' names, in Redis's order. */
#include "server/command/client_describe.h"

#include "server/command/acl_users.h"
#include "server/command/call.h"
#include "server/command/client_tracking.h"
#include "server/command/topic.h"
#include "server/command/tracking.h"
#include "server/command/transaction.h"

static void append_flags(struct buffer *out, const struct session *session, bool asks)
{
    unsigned flags = session->flags, tracking = session->tracking ? session->tracking->flags : 0;
    const struct {
        bool on;
        char letter;
    } letters[] = {
        { flags & SESSION_REPLICA, 'S' },
        { flags & SESSION_MONITOR, 'O' },
        { flags & SESSION_PRIMARY, 'M' },
        { flags & SESSION_SUBSCRIBED, 'P' },
        { session->transaction, 'x' },
        { flags & SESSION_PARKED && !asks, 'b' },
        { flags & SESSION_TRACKING, 't' },
        { tracking & TRACKING_BROKEN, 'R' },
        { tracking & TRACKING_BCAST, 'B' },
        { atomic_load(&session->watch_broken), 'd' },
        { flags & SESSION_CLOSE_AFTER_REPLY, 'c' },
        { flags & SESSION_UNIX_SOCKET, 'U' },
        { flags & SESSION_READONLY, 'r' },
        { flags & SESSION_NO_EVICT, 'e' },
        { flags & SESSION_NO_TOUCH, 'T' },
    };
    size_t before = out->len;
    for (size_t i = 0; i < sizeof(letters) / sizeof(*letters); i++) {
        if (letters[i].on)
            buffer_append_char(out, letters[i].letter);
    }
    if (out->len == before)
        buffer_append_char(out, 'N');
}

void client_describe(struct buffer *out, const struct session *session, int64_t now, bool asks)
{
    struct session_figures figures = { 0 };
    session->executor->measure(session, &figures);
    buffer_printf(out, "id=%llu addr=%s laddr=%s fd=%d name=%s age=%lld idle=%lld flags=",
        (unsigned long long)session->id, session->peer, session->local, figures.fd,
        session->name ? session->name : "", (long long)(now - session->created_ms) / 1000,
        (long long)(now - session->active_ms) / 1000);
    append_flags(out, session, asks);
    buffer_printf(out,
        " db=%u sub=%zu psub=%zu ssub=%zu multi=%d qbuf=%zu qbuf-free=%zu argv-mem=0 multi-mem=%zu "
        "rbs=%zu "
        "rbp=%zu obl=%zu oll=%zu omem=%zu tot-mem=%zu events=%s cmd=%s user=%s redir=%lld "
        "resp=%d",
        session->database, topic_count_of(session, TOPIC_CHANNEL),
        topic_count_of(session, TOPIC_PATTERN), topic_count_of(session, TOPIC_SHARD),
        session->transaction ? (int)session->transaction->count : -1, figures.input,
        figures.input_free, transaction_memory(session), figures.output_memory,
        figures.output_buffer, figures.output_buffer, figures.output_blobs, figures.output_memory,
        figures.memory, figures.is_writing ? "rw" : "r",
        session->last_command ? command_by_id(session->last_command - 1)->name : "NULL",
        acl_session_user(session), (long long)client_redirect_of(session), session->reply.protocol);
    buffer_printf(out, " lib-name=%s lib-ver=%s",
        session->library_name ? session->library_name : "",
        session->library_version ? session->library_version : "");
}
