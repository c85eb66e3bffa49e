/* Commands are run as a client's would be, but without questions: the primary has asked them. A
 * turn takes some commands, and ends with the very bytes of these being put into the journal, so
 * that whoever stops all turns finds store and offset agreed. A transaction counts as a whole:
 * neither its commands nor its bytes are there before its EXEC.
 *
 * A command that this server does not have, or that fails here, cannot be passed over: the data
 * would be another than the primary's, and nobody would know. */
#include "server/replication/apply.h"

#include "common/error.h"
#include "server/clock.h"
#include "server/command/call.h"
#include "server/command/transaction.h"
#include "server/journal/journal.h"
#include "server/replication/link.h"

enum { TURN_COMMANDS = 128, TURN_BYTES = 256 * 1024 };

static _Atomic int stream_database; /* written within turns of the link's thread */

int applier_database(void)
{
    return atomic_load_explicit(&stream_database, memory_order_relaxed);
}

void applier_init(struct applier *applier, struct store *store, struct journal *journal)
{
    *applier = (struct applier){ .executor = executor_create(store, journal) };
    applier->session.executor = applier->executor;
    applier->session.flags = SESSION_PRIMARY | SESSION_AUTHENTICATED;
    applier->session.reply.protocol = 2;
    applier->session.reply.muted = true;
    applier->reader.bulk_max = INT64_MAX; /* the primary's bound has been kept by the primary */
    applier->reader.authenticated = true;
}

void applier_free(struct applier *applier)
{
    transaction_discard(&applier->session);
    resp_reader_free(&applier->reader);
    reply_free(&applier->session.reply);
}

void applier_reset(struct applier *applier, int database)
{
    transaction_discard(&applier->session);
    resp_reader_reset(&applier->reader);
    applier->parsed = 0;
    applier->wants_ack = false;
    applier->offset = journal_offset(applier->executor->journal);
    if (database >= 0 && (unsigned)database < store_databases(applier->executor->store))
        applier->session.database = (unsigned)database;
    turn_begin(applier->executor->turn);
    atomic_store_explicit(&stream_database, (int)applier->session.database, memory_order_relaxed);
    turn_end(applier->executor->turn);
}

/* Commands that are none of the data's. */
static bool is_aside(struct applier *applier, const struct bytes *argv, size_t argc)
{
    if (argc == 0 || bytes_is(argv[0], "PING"))
        return true;
    if (bytes_is(argv[0], "REPLCONF")) {
        applier->wants_ack = applier->wants_ack || (argc > 1 && bytes_is(argv[1], "GETACK"));
        return true;
    }
    return false;
}

/* Messages are for subscribers; where there is no such command there are none. */
static bool is_message(struct bytes name)
{
    return bytes_is(name, "PUBLISH") || bytes_is(name, "SPUBLISH");
}

/* What a primary has any reason to send. */
static bool is_expected(const struct command_entry *entry)
{
    static const char *const others[] = { "select", "multi", "exec", "discard" };
    if (entry->command->flags & (CMD_WRITE | CMD_MAY_REPLICATE))
        return true;
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
        if (strcmp(entry->name, others[i]) == 0)
            return true;
    }
    return false;
}

static enum apply_result apply_one(struct applier *applier, struct error *error)
{
    const struct bytes *argv = applier->reader.argv;
    size_t argc = applier->reader.argc;
    if (is_aside(applier, argv, argc))
        return APPLY_OK;
    struct session *session = &applier->session;
    struct request request = { .session = session, .argv = argv, .argc = (int)argc };
    int shown = (int)(argv[0].len < 64 ? argv[0].len : 64);
    dispatch_prepare(applier->executor, &request, NULL);
    if (!request.entry && is_message(argv[0]))
        return APPLY_OK;
    if (!request.entry || !is_expected(request.entry)) {
        error_set(error,
            "the primary has sent the command '%.*s', which this server does not have for "
            "replicas: "
            "it stops here, at the offset before it, rather than become another data set",
            shown, argv[0].data);
        return APPLY_UNKNOWN;
    }
    uint32_t errors = session->reply.errors;
    if (dispatch_run(applier->executor, &request) == DISPATCH_RETRY)
        return APPLY_WAIT;
    if (session->reply.errors == errors)
        return APPLY_OK;
    error_set(error, "the primary's command '%.*s' has failed here (%s)", shown, argv[0].data,
        session->reply.last_error);
    return APPLY_FAILED;
}

/* Some commands; *applied: bytes from the start of the input that are to go to the journal. */
static enum apply_result run_turn(
    struct applier *applier, const struct buffer *input, size_t *applied, struct error *error)
{
    enum apply_result result = APPLY_OK;
    applier->executor->now = clock_unix_ms();
    for (int i = 0; i < TURN_COMMANDS && *applied < TURN_BYTES; i++) {
        size_t used;
        if (applier->parsed == input->len)
            break;
        enum resp_status status = resp_read(
            &applier->reader, input->data + applier->parsed, input->len - applier->parsed, &used);
        if (status == RESP_MORE)
            break;
        if (status == RESP_ERROR) {
            error_set(error, "the primary's stream is none: %s", applier->reader.error);
            return APPLY_FAILED;
        }
        result = apply_one(applier, error);
        if (result != APPLY_OK)
            break;
        applier->parsed += used;
        if (!applier->session.transaction)
            *applied = applier->parsed;
    }
    return result;
}

/* Into the journal, where it must come to the offset that it has on the primary. */
static bool note_applied(
    struct applier *applier, const struct buffer *input, size_t applied, struct error *error)
{
    struct journal *journal = applier->executor->journal;
    int64_t after = journal_append_stream(journal, (struct bytes){ input->data, applied });
    atomic_store_explicit(&stream_database, (int)applier->session.database, memory_order_relaxed);
    applier->offset += (int64_t)applied;
    return after == applier->offset ||
           error_set(error,
               "the journal of this replica has been written by somebody else: its "
               "offset is %lld instead of %lld",
               (long long)after, (long long)applier->offset);
}

enum apply_result applier_run(
    struct applier *applier, struct buffer *input, uint64_t generation, struct error *error)
{
    enum apply_result result = APPLY_OK;
    size_t parsed = 0;
    do {
        size_t applied = 0;
        parsed = applier->parsed;
        turn_begin(applier->executor->turn);
        if (role_generation() != generation) {
            turn_end(applier->executor->turn);
            return APPLY_STOPPED;
        }
        result = run_turn(applier, input, &applied, error);
        if (applied > 0 && !note_applied(applier, input, applied, error))
            result = APPLY_FAILED;
        turn_end(applier->executor->turn);
        journal_wake(applier->executor->journal);
        bool more = applier->parsed > parsed;
        if (applied > 0) {
            buffer_consume(input, applied);
            applier->parsed -= applied;
        }
        if (!more)
            break;
    } while (result == APPLY_OK);
    return result;
}
