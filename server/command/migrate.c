/* MIGRATE: keys go to another node. The worker notes the keys as they are, and marks them as in
 * transit, so that until the end nobody changes them; a background thread sends them and hears what
 * the other node says; then the worker, under the slots' locks again, removes those that were
 * accepted and journals their deletion. Meanwhile the node serves everybody, and reads of these
 * keys too.
 *
 * Being in transit does not keep a key from expiring, nor from a flush of everything. Both may
 * remove it here while it arrives there, as if it had arrived first; and as nobody may write the
 * key, what is found at the end is either what was sent or nothing. Only where this node has
 * changed its role meanwhile (and so may have got other data), nothing is removed.
 *
 * Within a transaction the keys go out as they are where MIGRATE stands, and leave when the
 * transaction is through and the other node has answered. */
#include "server/command/background.h"
#include "server/command/block.h"
#include "server/command/condition.h"
#include "server/command/dispatch.h"
#include "server/command/families.h"
#include "server/command/key.h"
#include "server/command/migrate_send.h"
#include "server/command/notify.h"
#include "server/command/push.h"
#include "server/command/rows.h"
#include "server/command/transaction.h"
#include "server/command/transit.h"
#include "server/command/tracking.h"
#include "server/command/watch.h"
#include "server/config.h"
#include "server/journal/journal.h"

#include "common/memory.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    DEFAULT_TIMEOUT_MS = 1000,
    PAUSE_POLL_MS = 10, /* while writes are paused at the end */
};

struct migration {
    struct executor *executor;
    struct ticket *ticket;
    struct migrate_target target;
    struct migrate_item *items;
    struct slot **slots; /* of each item */
    size_t count;
    bool copy;
    unsigned database;
    char history[JOURNAL_ID_LEN + 1]; /* which the node was in when it began */
    bool sent;                        /* all is well; else failure */
    char failure[MIGRATE_FAILURE_MAX];
    int64_t offset; /* the journal's behind the deletion; 0: none */
};

static struct bytes copy_bytes(struct bytes bytes)
{
    return bytes.data ? (struct bytes){ memory_copy(bytes.data, bytes.len), bytes.len } : bytes;
}

static char *copy_text(struct bytes bytes)
{
    char *text = memory_alloc(bytes.len + 1);
    memcpy(text, bytes.data, bytes.len);
    text[bytes.len] = '\0';
    return text;
}

static void migration_free(struct migration *migration)
{
    for (size_t i = 0; i < migration->count; i++)
        entry_free(migration->items[i].entry);
    free(migration->items);
    free(migration->slots);
    free(migration->target.host);
    free(migration->target.port);
    free((char *)migration->target.user.data);
    free((char *)migration->target.password.data);
    free(migration);
}

/* ---- The end, in the worker ---- */

static void answer(struct session *session, void *arg)
{
    struct migration *migration = arg;
    if (session) {
        if (migration->offset > 0)
            session->write_offset = migration->offset;
        if (migration->sent)
            reply_ok(&session->reply);
        else
            reply_error(&session->reply, "%s", migration->failure);
    }
    migration_free(migration);
}

/* Whether this node still is what it was when the keys went out. In a turn, so it stays so until
 * its end. */
static bool may_remove(const struct migration *migration)
{
    struct journal_history history = journal_history(migration->executor->journal);
    return !(condition_all() & CONDITION_REPLICA) && strcmp(history.id, migration->history) == 0;
}

static bool remove_item(struct migration *migration, size_t i)
{
    struct store *store = migration->executor->store;
    struct slot *slot = migration->slots[i];
    struct bytes name = entry_key(migration->items[i].entry);
    uint64_t hash = store_hash(store, name);
    table_cell *cell = store_find(slot, hash, name);
    if (!cell)
        return false;
    store_remove(store, slot, hash, cell);
    watch_touch(slot, name);
    tracking_touch(migration->executor, 0, name);
    notify_event(migration->executor, migration->database, name, NOTIFY_GENERIC, "del");
    return true;
}

/* Removes what was accepted, and journals that as one DEL. The slots are locked. */
static void remove_accepted(struct migration *migration)
{
    struct bytes *argv = memory_alloc((migration->count + 1) * sizeof(*argv));
    size_t argc = 0;
    argv[argc++] = BYTES("DEL");
    for (size_t i = 0; i < migration->count; i++) {
        if (migration->items[i].accepted && remove_item(migration, i))
            argv[argc++] = entry_key(migration->items[i].entry);
    }
    struct journal *journal = migration->executor->journal;
    if (argc > 1)
        counter_add(&migration->executor->counters.changes, 1);
    if (argc > 1 && journal_is_active(journal))
        migration->offset = journal_append(journal, (int)migration->database, argv, argc);
    free(argv);
}

static void end_transit(struct migration *migration)
{
    for (size_t i = 0; i < migration->count; i++) {
        struct bytes name = entry_key(migration->items[i].entry);
        transit_end(migration->slots[i], &name, 1);
        block_signal_slot(migration->executor, migration->slots[i]);
    }
}

static bool has_accepted(const struct migration *migration)
{
    for (size_t i = 0; i < migration->count; i++) {
        if (migration->items[i].accepted)
            return true;
    }
    return false;
}

static void settle_later(void *arg);

/* A letter to the worker. Where writes are paused (a manual failover counts on it that the journal
 * stands still) the keys stay in transit until they are not. */
static void settle(void *arg)
{
    struct migration *migration = arg;
    bool removes = has_accepted(migration);
    turn_begin(migration->executor->turn);
    if (removes && pause_is_on()) {
        turn_end(migration->executor->turn);
        background_run(PAUSE_POLL_MS, settle_later, migration);
        return;
    }
    struct slot **locked = memory_copy(migration->slots, migration->count * sizeof(*locked));
    size_t count = migration->count;
    if (!store_enter_many(locked, &count)) { /* a script takes long */
        free(locked);
        turn_end(migration->executor->turn);
        background_run(PAUSE_POLL_MS, settle_later, migration);
        return;
    }
    if (removes && may_remove(migration)) {
        remove_accepted(migration);
    } else if (removes) {
        migration->sent = false;
        snprintf(migration->failure, sizeof(migration->failure),
            "this node's role has changed while keys were on their way: they may be on both nodes");
    }
    end_transit(migration);
    block_serve(migration->executor, locked, count);
    store_unlock_many(locked, count);
    block_serve_rest(migration->executor);
    turn_end(migration->executor->turn);
    push_flush(migration->executor);
    free(locked);
    journal_wake(migration->executor->journal);
    executor_retry_all();
    ticket_finish(migration->ticket, answer, migration);
}

static void settle_later(void *arg)
{
    struct migration *migration = arg;
    migration->executor->post(migration->executor, settle, migration);
}

/* In a background thread. */
static void send_keys(void *arg)
{
    struct migration *migration = arg;
    migration->sent =
        migrate_send(&migration->target, migration->items, migration->count, migration->failure);
    if (migration->copy)
        ticket_finish(migration->ticket, answer, migration);
    else
        migration->executor->post(migration->executor, settle, migration);
}

/* ---- The beginning ---- */

struct migrate_args {
    bool copy, replace;
    struct bytes user, password; /* data NULL: not given */
    int64_t database;
    int timeout_ms;
    int first, count; /* where the keys are */
};

/* Reads one option at argv[*i] and moves *i to its last word. */
static bool parse_option(struct call *call, int *i, struct migrate_args *args)
{
    struct bytes word = call->argv[*i];
    int more = call->argc - 1 - *i;
    if (bytes_is(word, "COPY")) {
        args->copy = true;
    } else if (bytes_is(word, "REPLACE")) {
        args->replace = true;
    } else if (bytes_is(word, "AUTH") && more >= 1) {
        args->password = call->argv[++*i];
    } else if (bytes_is(word, "AUTH2") && more >= 2) {
        args->user = call->argv[++*i];
        args->password = call->argv[++*i];
    } else if (bytes_is(word, "KEYS") && call->argv[3].len == 0) {
        args->first = *i + 1;
        args->count = more;
        *i = call->argc;
    } else {
        if (bytes_is(word, "KEYS"))
            reply_error(call->reply,
                "When using MIGRATE KEYS option, the key argument must be set to "
                "the empty string");
        else
            call_error_syntax(call);
        return false;
    }
    return true;
}

static bool parse(struct call *call, struct migrate_args *args)
{
    int64_t timeout;
    *args = (struct migrate_args){ .first = 3, .count = 1 };
    for (int i = 6; i < call->argc; i++) {
        if (!parse_option(call, &i, args))
            return false;
    }
    if (!call_integer(call, 5, &timeout) || !call_integer(call, 4, &args->database))
        return false;
    if (timeout <= 0)
        timeout = DEFAULT_TIMEOUT_MS;
    args->timeout_ms = timeout < INT_MAX ? (int)timeout : INT_MAX;
    return true;
}

/* Whether dispatch has found the same keys, and so has locked their slots. */
static bool are_locked(const struct call *call, const struct migrate_args *args)
{
    int count = command_keys(call->entry->command, call->argv, call->argc, NULL, 0);
    if (args->count == 0)
        return true;
    if (count < args->count)
        return false;
    int *positions = memory_alloc((size_t)count * sizeof(*positions));
    command_keys(call->entry->command, call->argv, call->argc, positions, count);
    bool same = true;
    for (int i = 0; i < args->count; i++)
        same = same && positions[count - args->count + i] == args->first + i;
    free(positions);
    return same;
}

/* Copies of the keys that are there. */
static struct migration *collect(struct call *call, const struct migrate_args *args)
{
    struct migration *migration = memory_alloc_zeroed(1, sizeof(*migration));
    size_t room = (size_t)args->count + 1;
    migration->items = memory_alloc_zeroed(room, sizeof(*migration->items));
    migration->slots = memory_alloc_zeroed(room, sizeof(*migration->slots));
    for (int i = 0; i < args->count; i++) {
        struct key key;
        if (!key_read(call, args->first + i, &key))
            continue;
        migration->items[migration->count].entry =
            entry_copy(key.entry, key.name, entry_expiry(key.entry));
        migration->slots[migration->count++] = key.slot;
    }
    return migration;
}

static void begin(struct call *call, const struct migrate_args *args, struct migration *migration)
{
    migration->executor = call->executor;
    migration->database = call->database;
    migration->copy = args->copy;
    migration->target = (struct migrate_target){ .host = copy_text(call->argv[1]),
        .port = copy_text(call->argv[2]),
        .database = args->database,
        .timeout_ms = args->timeout_ms,
        .user = copy_bytes(args->user),
        .password = copy_bytes(args->password),
        .replace = args->replace,
        .asking = dispatch_is_cluster(),
        .compress = config_is(CONFIG_RDBCOMPRESSION) };
    struct journal_history history = journal_history(call->executor->journal);
    memcpy(migration->history, history.id, sizeof(migration->history));
    for (size_t i = 0; i < migration->count && !args->copy; i++) {
        struct bytes name = entry_key(migration->items[i].entry);
        transit_begin(migration->slots[i], &name, 1);
    }
    migration->ticket = call_park(call);
    background_run(0, send_keys, migration);
}

/* Whether the transaction would go on with the keys, which by then would have to be gone. */
static bool are_wanted_behind(const struct call *call, const struct migrate_args *args)
{
    for (int i = 0; i < args->count && !args->copy; i++) {
        if (transaction_wants_behind(call, call->argv[args->first + i]))
            return true;
    }
    return false;
}

static void migrate(struct call *call)
{
    struct migrate_args args;
    if (!parse(call, &args))
        return;
    if (!are_locked(call, &args)) {
        call_error_syntax(call);
        return;
    }
    if (are_wanted_behind(call, &args)) {
        reply_error(call->reply, "Keys that MIGRATE moves leave when the transaction is through, but "
                                 "a later command of it may use them: put MIGRATE behind that");
        return;
    }
    struct migration *migration = collect(call, &args);
    if (migration->count > 0 && call_can_park(call)) {
        begin(call, &args, migration);
        return;
    }
    if (migration->count == 0)
        reply_simple(call->reply, "NOKEY");
    else
        reply_error(call->reply, "MIGRATE waits for another node, which is for connections");
    migration_free(migration);
}

/* ---- The table ---- */

static const struct command_arg key_args[] = { KEY_ARG, TOKEN("empty_string", ""), { 0 } };
static const struct command_arg user_args[] = { ARG("username", ARG_STRING),
    ARG("password", ARG_STRING), { 0 } };
static const struct command_arg authentication_args[] = { OPTION("password", ARG_STRING, "AUTH",
                                                              "4.0.7"),
    { "username_password", ARG_BLOCK, ARG_OPTIONAL, "AUTH2", 0, "6.0.0", user_args }, { 0 } };

const struct command migrate_commands[] = {
    { "migrate", migrate, -6, CMD_WRITE | CMD_MOVABLE_KEYS | CMD_PARKS,
        KEYS(KEYS_AT(3, KEY_RW | KEY_ACCESS | KEY_DELETE, 0),
            { KEY_BEGIN_KEYWORD, KEY_RW | KEY_ACCESS | KEY_DELETE | KEY_INCOMPLETE, -2, "KEYS",
                KEY_FIND_RANGE, -1, 1, 0, 0, 0, NULL }),
        .categories = "@dangerous", .group = "generic", .since = "2.6.0",
        .complexity =
            "A DUMP and a DEL here and a RESTORE there for each key, and what lies between",
        .summary = "Moves keys to another node, each of them at no time on neither",
        .tips = TIPS("nondeterministic_output"),
        .history = HISTORY({ "3.0.0", "Added the `COPY` and `REPLACE` options." },
            { "3.0.6", "Added the `KEYS` option." }, { "4.0.7", "Added the `AUTH` option." },
            { "6.0.0", "Added the `AUTH2` option." }),
        .args = ARGS(ARG("host", ARG_STRING), ARG("port", ARG_INTEGER),
            { "key_or_empty_string", ARG_ONEOF, 0, NULL, 0, NULL, key_args },
            ARG("destination-db", ARG_INTEGER), ARG("timeout", ARG_INTEGER),
            OPTION("copy", ARG_PURE_TOKEN, "COPY", "3.0.0"),
            OPTION("replace", ARG_PURE_TOKEN, "REPLACE", "3.0.0"),
            { "authentication", ARG_ONEOF, ARG_OPTIONAL, NULL, 0, NULL, authentication_args },
            { "key", ARG_KEY, ARG_OPTIONAL | ARG_MULTIPLE, "KEYS", 1, "3.0.6", NULL }) },
    { 0 }
};
