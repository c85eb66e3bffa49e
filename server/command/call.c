/* What a command changes becomes effects. They are gathered, with the SELECTs between databases,
 * until the command or the transaction is through, and go to the journal as one unit; a command
 * alone whose request is its own effect takes the short way: its bytes, as they came. */
#include "server/command/dispatch.h"

#include "server/command/condition.h"
#include "server/journal/journal.h"

#include "common/number.h"
#include "common/resp.h"
#include <ctype.h>

enum { EFFECTS_KEEP = 64 * 1024 }; /* bytes of memory for effects that stay between two commands */

void call_changed(struct call *call)
{
    call->changed = true;
}

static bool is_journaled(const struct call *call)
{
    return !(call->session->flags & (SESSION_PRIMARY | SESSION_LOADER)) &&
           !(condition_all() & CONDITION_REPLICA) && !call->executor->effects_muted &&
           journal_is_active(call->executor->journal);
}

static void select_effects(struct executor *executor, unsigned database)
{
    char digits[NUMBER_TEXT_MAX];
    struct bytes number = { digits, number_format(digits, database) };
    resp_write_command(&executor->effects, (struct bytes[]){ BYTES("SELECT"), number }, 2);
    executor->effect_count++;
    executor->effect_database = database;
}

/* One effect more. A transaction may go from database to database. */
static void add_effect(struct call *call, const struct bytes *argv, int argc)
{
    struct executor *executor = call->executor;
    if (executor->effect_count == 0)
        executor->first_database = executor->effect_database = call->database;
    else if (executor->effect_database != call->database)
        select_effects(executor, call->database);
    resp_write_command(&executor->effects, argv, (size_t)argc);
    executor->effect_count++;
}

void call_side_effect(struct call *call, const struct bytes *argv, int argc)
{
    if (is_journaled(call))
        add_effect(call, argv, argc);
}

void call_effect(struct call *call, const struct bytes *argv, int argc)
{
    call->effects_replaced = true;
    call_side_effect(call, argv, argc);
}

void call_no_effect(struct call *call)
{
    call->no_effect = true;
}

/* What the command has changed goes to the journal; within a transaction it is gathered. */
void dispatch_journal(struct call *call)
{
    struct executor *executor = call->executor;
    if (call->changed)
        counter_add(&executor->counters.changes, 1);
    bool itself =
        call->changed && !call->effects_replaced && !call->no_effect && is_journaled(call);
    if (itself && executor->effect_count == 0 && !executor->in_transaction && call->raw.len > 0) {
        call->session->write_offset = journal_append_request(
            executor->journal, (int)call->database, call->raw, call->argv, (size_t)call->argc);
        return;
    }
    if (itself)
        add_effect(call, call->argv, call->argc);
    if (!executor->in_transaction) {
        dispatch_flush_effects(executor, call->session);
        dispatch_release_extra(executor);
    }
}

void dispatch_flush_effects(struct executor *executor, struct session *session)
{
    if (executor->effect_count == 0)
        return;
    if (executor->effect_database != executor->first_database)
        select_effects(executor, executor->first_database); /* where the journal believes to be */
    struct bytes effects = buffer_bytes(&executor->effects);
    struct buffer wrapped = { 0 };
    if (executor->effect_count > 1) {
        buffer_append_text(&wrapped, "*1\r\n$5\r\nMULTI\r\n");
        buffer_append(&wrapped, effects.data, effects.len);
        buffer_append_text(&wrapped, "*1\r\n$4\r\nEXEC\r\n");
        effects = buffer_bytes(&wrapped);
    }
    session->write_offset =
        journal_append_raw(executor->journal, (int)executor->first_database, effects);
    buffer_free(&wrapped);
    executor->effects.len = 0;
    if (executor->effects.capacity > EFFECTS_KEEP)
        buffer_free(&executor->effects);
    executor->effect_count = 0;
}

void call_lock_slot(struct call *call, struct slot *slot)
{
    if (!call->executor->holds_all_slots)
        executor_lock_slot(call->executor, slot);
}

void call_unlock_slot(struct call *call, struct slot *slot)
{
    if (!call->executor->holds_all_slots)
        slot_lock_release(&slot->lock);
}

/* ---- Errors that many commands share ---- */

void call_error_arity(struct call *call)
{
    reply_error(call->reply, "wrong number of arguments for '%s' command", call->entry->name);
}

void call_error_subcommand(struct call *call)
{
    enum { SHOWN = 128 };
    char container[SHOWN];
    size_t len = call->argv[0].len < SHOWN ? call->argv[0].len : SHOWN;
    for (size_t i = 0; i < len; i++)
        container[i] = (char)toupper((unsigned char)call->argv[0].data[i]);
    struct bytes name = call->argv[1];
    reply_error(call->reply,
        "unknown subcommand or wrong number of arguments for '%.*s'. Try %.*s HELP.",
        (int)(name.len < SHOWN ? name.len : SHOWN), name.data, (int)len, container);
}

void call_error_syntax(struct call *call)
{
    reply_error(call->reply, "syntax error");
}

void call_error_type(struct call *call)
{
    reply_error(call->reply, "WRONGTYPE Operation against a key holding the wrong kind of value");
}

bool call_integer(struct call *call, int index, int64_t *value)
{
    if (number_parse(call->argv[index], value))
        return true;
    reply_error(call->reply, "value is not an integer or out of range");
    return false;
}

bool call_from_client(const struct call *call)
{
    return !(call->session->flags & (SESSION_PRIMARY | SESSION_LOADER));
}
