/* The reply is kept as pieces, in the order of the commands: what was written at once, and the gaps
 * between. While anything of the transaction writes, its piece stands in session->reply, so that
 * commands need not know; what stood there before waits in `outside`. */
#include "server/command/late.h"

#include "common/memory.h"
#include "server/clock.h"
#include "server/command/transaction.h"
#include <stdlib.h>

struct piece {
    struct reply reply;
    bool open;                                            /* a gap */
    void (*run)(struct session *session, size_t command); /* that waits for those before; or NULL */
    size_t command;
};

struct late {
    bool under_way;       /* EXEC runs */
    struct reply outside; /* of the session, before it */
    struct piece *pieces; /* owned */
    size_t count, capacity;
    size_t open;
    size_t postponed;      /* of these, commands that have not run */
    struct piece *running; /* the gap of such a one, while it runs; it may park and keep it open */
};

/* What a reply is apart from its contents. */
static struct reply empty_like(const struct reply *reply)
{
    struct reply empty = {
        .protocol = reply->protocol, .muted = reply->muted, .errors = reply->errors
    };
    memcpy(empty.last_error, reply->last_error, sizeof(empty.last_error));
    return empty;
}

static struct piece *add_piece(struct late *late)
{
    if (late->count == late->capacity) {
        late->capacity = late->capacity ? late->capacity * 2 : 8;
        late->pieces = memory_resize(late->pieces, late->capacity * sizeof(*late->pieces));
    }
    struct piece *piece = &late->pieces[late->count++];
    memset(piece, 0, sizeof(*piece));
    return piece;
}

void late_begin(struct session *session)
{
    struct late *late = memory_alloc_zeroed(1, sizeof(*late));
    late->under_way = true;
    late->outside = session->reply;
    session->reply = empty_like(&late->outside);
    session->late = late;
}

/* What has been written since the last gap becomes a piece. */
static void cut_piece(struct session *session)
{
    struct piece *piece = add_piece(session->late);
    piece->reply = session->reply;
    session->reply = empty_like(&piece->reply);
}

size_t late_gap(struct session *session)
{
    struct late *late = session->late;
    if (late->running) {
        late->running->run = NULL;
        return (size_t)(late->running - late->pieces);
    }
    cut_piece(session);
    struct piece *gap = add_piece(late);
    gap->reply = empty_like(&session->reply);
    gap->open = true;
    late->open++;
    return late->count - 1;
}

bool late_waits(const struct session *session, unsigned flags)
{
    const struct late *late = session->late;
    if (!late || late->open == 0)
        return false;
    return flags & CMD_AFTER_PARKED || (flags & CMD_PARKS && late->postponed > 0);
}

void late_postpone(
    struct session *session, size_t command, void (*run)(struct session *session, size_t command))
{
    size_t gap = late_gap(session); /* moves the pieces */
    session->late->pieces[gap].run = run;
    session->late->pieces[gap].command = command;
    session->late->postponed++;
}

void late_free(struct session *session)
{
    struct late *late = session->late;
    if (!late)
        return;
    session->late = NULL;
    for (size_t i = 0; i < late->count; i++)
        reply_free(&late->pieces[i].reply);
    free(late->pieces);
    free(late);
}

/* Puts the reply together. It goes out whole: what CLIENT REPLY said in between was for what was
 * written then. */
static void put_together(struct session *session)
{
    struct late *late = session->late;
    for (size_t i = 0; i < late->count; i++)
        reply_take(&session->reply, &late->pieces[i].reply);
    late_free(session);
}

bool late_is_under_way(const struct session *session)
{
    return session->late && session->late->under_way;
}

void late_end(struct session *session)
{
    struct late *late = session->late;
    late->under_way = false;
    cut_piece(session);
    struct reply after = session->reply; /* nothing but its state */
    session->reply = late->outside;
    session->reply.protocol = after.protocol;
    session->reply.muted = after.muted;
    session->reply.errors = after.errors;
    memcpy(session->reply.last_error, after.last_error, sizeof(after.last_error));
    if (late->open == 0)
        put_together(session);
}

/* The gap's piece stands in session->reply while the answer is written. */
static void write_into(struct session *session, size_t gap,
    void (*write)(struct session *session, void *arg), void *arg)
{
    struct late *late = session->late;
    struct reply outside = session->reply;
    session->reply = late->pieces[gap].reply;
    write(session, arg);
    late->pieces[gap].reply = session->reply;
    session->reply = outside;
}

static void close_gap(struct late *late, size_t gap)
{
    late->pieces[gap].open = false;
    late->open--;
}

static void run_postponed(struct session *session, void *arg)
{
    const struct piece *piece = arg;
    piece->run(session, piece->command);
}

/* The commands whose turn has come: before them no gap is open. */
static void run_ready(struct session *session)
{
    struct late *late = session->late;
    for (size_t i = 0; i < late->count && late->open > 0; i++) {
        struct piece *piece = &late->pieces[i];
        if (!piece->open)
            continue;
        if (!piece->run)
            return;
        late->running = piece;
        late->postponed--;
        write_into(session, i, run_postponed, piece);
        late->running = NULL;
        if (!piece->run)
            return; /* it has parked */
        close_gap(late, i);
    }
}

bool late_fill(struct session *session, size_t gap,
    void (*write)(struct session *session, void *arg), void *arg)
{
    struct late *late = session->late;
    write_into(session, gap, write, arg);
    close_gap(late, gap);
    run_ready(session);
    if (late->open > 0)
        return false;
    put_together(session);
    transaction_discard(session);
    return true;
}
