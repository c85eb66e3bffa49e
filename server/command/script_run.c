/* A script is one command: it holds the slots of its keys from its start to its end, and what it
 * changes goes to the journal as one unit of effects. Its commands run as those of a transaction
 * do, one after the other, each asked again whether it may.
 *
 * Which slots. Dispatch has locked those of the keys that the script has declared. In a cluster a
 * script with a first line (#!lua) touches one slot, and others are an error; one without may touch
 * keys of other slots of this node, as in Redis, and in standalone mode any script may. Such a slot
 * is not waited for, for locks are taken in ascending order only: it is tried. If somebody has it,
 * and the script has not changed anything yet, the script ends and begins again with every slot
 * locked (call->wants_all_slots). If it has, it tries for a second, and gets an error then. A slot
 * that was taken so is let go with the others, when the effects are journaled.
 *
 * Scripts that take long. After BUSY_SLOW_US a script marks its slots as held for long: who wants
 * them goes on with other work and comes again, or is told -BUSY after busy-reply-threshold. From
 * then on it lets its worker's other connections be served from time to time (executor_serve), in
 * the midst of Lua: all commands but those of its slots, those that go over all slots, and scripts.
 * As long as it has not written, its turn ends meanwhile, so that others can stop all turns; once
 * it has, it cannot be killed, and they must wait. */
#include "server/command/script_run.h"

#include "common/memory.h"
#include "common/number.h"
#include "server/clock.h"
#include "server/command/acl_access.h"
#include "server/command/condition.h"
#include "server/command/dispatch.h"
#include "server/command/errorstats.h"
#include "server/command/evict.h"
#include "server/command/far.h"
#include "server/command/monitor.h"
#include "server/command/route.h"
#include "server/command/sort_args.h"
#include "server/command/tracking.h"
#include "server/command/transit.h"
#include "server/config.h"
#include "server/log.h"
#include "server/script/busy.h"
#include "server/script/cache.h"
#include "server/script/flags.h"
#include "server/script/registry.h"
#include <stdlib.h>
#include <unistd.h>

enum {
    TRIES = 200,           /* of a slot that a command has: it is through in a microsecond */
    WAIT_US = 1000 * 1000, /* for a slot, of a script that has written */
    POLL_US = 50,
    NO_SLOT = SLOT_COUNT,
    ERROR_MAX = 1024,
};

/* Of an executor: owner its thread. */
struct scripts {
    struct vm *vms[VM_KINDS];
    struct session session; /* the client as which scripts run commands */
    struct script *current; /* under way, or NULL */
    char error[ERROR_MAX];  /* of the last command that was refused */
};

/* One under way. */
struct script {
    struct script_run run; /* first: the room's callbacks get this */
    struct scripts *scripts;
    struct call *call;
    bool read_only, may_cross, may_use_memory;
    bool slow;      /* listed as busy; its slots are marked */
    bool told;      /* others have been told to ask again: the threshold is over */
    bool left_turn; /* its turn has ended, for the time being */
    bool has_sent;  /* a message, which cannot be taken back */
    unsigned slot;  /* that its keys are of, where it may not cross; NO_SLOT: none yet */
};

static struct scripts *scripts_of(struct executor *executor)
{
    if (!executor->scripts) {
        struct scripts *scripts = memory_alloc_zeroed(1, sizeof(*scripts));
        scripts->session.executor = executor;
        executor->scripts = scripts;
    }
    return executor->scripts;
}

struct vm *script_vm(struct call *call, enum vm_kind kind)
{
    struct scripts *scripts = scripts_of(call->executor);
    if (scripts->current) {
        call->retry = true;
        return NULL;
    }
    struct vm **vm = &scripts->vms[kind];
    if (*vm && kind == VM_EVAL && (*vm)->generation != cache_generation()) {
        vm_destroy(*vm);
        *vm = NULL;
    }
    if (!*vm) {
        *vm = vm_create(kind);
        if (kind == VM_EVAL)
            (*vm)->generation = cache_generation();
    }
    return *vm;
}

bool script_key_count(struct call *call, int *count)
{
    int64_t value;
    if (!call_integer(call, 2, &value))
        return false;
    if (value > call->argc - 3)
        reply_error(call->reply, "Number of keys can't be greater than number of args");
    else if (value < 0)
        reply_error(call->reply, "Number of keys can't be negative");
    else
        *count = (int)value;
    return value >= 0 && value <= call->argc - 3;
}

/* ---- May it begin? ---- */

/* Why a script with such flags may not run now; NULL: it may. */
static const char *refuse_start(const struct call *call, const struct script_order *order)
{
    static const char stale[] =
        "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.";
    uint32_t conditions = condition_all();
    bool obeyed = !call_from_client(call);
    bool is_stale = conditions & CONDITION_STALE && !config_is(CONFIG_REPLICA_SERVE_STALE_DATA);
    unsigned flags = order->flags;
    bool short_of_memory = call->executor->out_of_memory && !obeyed &&
                           !(flags & (SCRIPT_COMPATIBLE | SCRIPT_ALLOW_OOM | SCRIPT_NO_WRITES));
    if (short_of_memory && !call->in_exec) /* as what uses memory is refused, whatever it is */
        return EVICT_REFUSAL;
    if (flags & SCRIPT_COMPATIBLE)
        return is_stale ? stale : NULL;
    if (flags & SCRIPT_NO_CLUSTER && dispatch_is_cluster())
        return "Can not run script on cluster, 'no-cluster' flag is set.";
    if (is_stale && !(flags & SCRIPT_ALLOW_STALE))
        return stale;
    if (flags & SCRIPT_NO_WRITES || obeyed)
        return NULL;
    if (conditions & CONDITION_REPLICA && config_is(CONFIG_REPLICA_READ_ONLY))
        return "READONLY Can not run script with write flag on readonly replica.";
    if (conditions & CONDITION_RDB_FAILING && !(conditions & CONDITION_REPLICA))
        return "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to "
               "persist to disk. Writable scripts are blocked. Use 'no-writes' flag for read only "
               "scripts.";
    if (conditions & CONDITION_AOF_FAILING && !(conditions & CONDITION_REPLICA))
        return "MISCONF Redis is configured to persist data to AOF, but it's currently unable to "
               "persist to disk. Writable scripts are blocked. Use 'no-writes' flag for read only "
               "scripts. AOF error: the file cannot be written";
    if (order->read_only)
        return "Can not execute a script with write flag using *_ro command.";
    if (conditions & CONDITION_FEW_REPLICAS && !(conditions & CONDITION_REPLICA))
        return "NOREPLICAS Not enough good replicas to write.";
    if (short_of_memory)
        return "OOM allow-oom flag is not set on the script, can not run it when used memory > "
               "'maxmemory'";
    return NULL;
}

/* ---- Slots ---- */

static bool holds(const struct executor *executor, const struct slot *slot)
{
    if (executor->holds_all_slots)
        return true;
    for (size_t i = 0; i < executor->held_count; i++) {
        if (executor->held[i] == slot)
            return true;
    }
    for (size_t i = 0; i < executor->extra_count; i++) {
        if (executor->extra[i] == slot)
            return true;
    }
    return false;
}

static void add_extra(struct script *script, struct slot *slot)
{
    struct executor *executor = script->call->executor;
    if (executor->extra_count == executor->extra_capacity) {
        executor->extra_capacity = executor->extra_capacity ? executor->extra_capacity * 2 : 8;
        executor->extra =
            memory_resize(executor->extra, executor->extra_capacity * sizeof(struct slot *));
    }
    executor->extra[executor->extra_count++] = slot;
    if (script->slow)
        slot_lock_hold_long(&slot->lock);
}

/* Whether nothing would be seen of the script if it ended here. */
static bool is_untouched(const struct script *script)
{
    return script_course(&script->run) == SCRIPT_GOES_ON && !script->call->in_exec &&
           !script->has_sent && script->call->executor->effect_count == 0 && call_from_client(script->call);
}

static bool start_over(struct script *script)
{
    unsigned goes_on = SCRIPT_GOES_ON;
    atomic_compare_exchange_strong(&script->run.course, &goes_on, SCRIPT_STARTS_OVER);
    return false;
}

/* Locks a slot that is not locked yet. False: the script starts over, or *error says why not. */
static bool take_slot(struct script *script, struct slot *slot, const char **error)
{
    for (int i = 0; i < TRIES; i++) {
        if (slot_lock_try(&slot->lock)) {
            add_extra(script, slot);
            return true;
        }
        __builtin_ia32_pause();
    }
    if (is_untouched(script)) {
        script->call->wants_all_slots = true;
        return start_over(script);
    }
    for (int waited = 0; waited < WAIT_US; waited += POLL_US) {
        usleep(POLL_US);
        if (slot_lock_try(&slot->lock)) {
            add_extra(script, slot);
            return true;
        }
    }
    *error = "Script attempted to access an undeclared key whose slot is busy";
    return false;
}

/* For a command that goes over all slots. */
static bool take_all(struct script *script, const char **error)
{
    struct executor *executor = script->call->executor;
    if (executor->holds_all_slots)
        return true;
    if (is_untouched(script)) {
        script->call->wants_all_slots = true;
        return start_over(script);
    }
    size_t before = executor->extra_count, taken = before;
    for (unsigned database = 0; database < store_databases(executor->store); database++) {
        for (unsigned number = 0; number < SLOT_COUNT; number++) {
            struct slot *slot = store_slot(executor->store, database, number);
            executor->extra_count = before; /* those that were taken here need no look */
            bool held = holds(executor, slot);
            executor->extra_count = taken;
            if (!held && !take_slot(script, slot, error))
                return false;
            taken = executor->extra_count;
        }
    }
    executor->holds_all_slots = executor->extra_is_all = true;
    return true;
}

/* ---- May a command run? ---- */

/* The text of the error in the script's reply, which is taken back. */
static const char *take_error(struct scripts *scripts)
{
    struct reply *reply = &scripts->session.reply;
    size_t len = reply->bytes.len < ERROR_MAX ? reply->bytes.len : ERROR_MAX - 1;
    memcpy(scripts->error, reply->bytes.data, len);
    while (len > 0 && (scripts->error[len - 1] == '\n' || scripts->error[len - 1] == '\r'))
        len--;
    scripts->error[len] = '\0';
    reply_cut(reply, 0);
    return scripts->error;
}

/* In the words that scripts are told. */
static const char *refuse_route(struct scripts *scripts)
{
    const char *told = take_error(scripts);
    if (strcmp(told, "-CLUSTERDOWN The cluster is down and only accepts read commands") == 0)
        return "Script attempted to execute a write command while the cluster is down and readonly";
    if (strcmp(told, "-CLUSTERDOWN The cluster is down") == 0)
        return "Script attempted to execute a command while the cluster is down";
    return "Script attempted to access a non local key in a cluster node";
}

/* The keys are of one slot, and the node serves it. */
static bool is_served(
    struct script *script, struct call *nested, const int *keys, int count, const char **error)
{
    struct route route = {
        .slot = nested->slot, .flags = nested->entry->command->flags, .keys = (size_t)count
    };
    if (route_counts_missing(nested->slot)) {
        for (int i = 0; i < count; i++)
            route_add_key(
                &route, nested->store, nested->now, nested->argv[keys[i]], nested->argv[keys[0]]);
    }
    if (!route_is_served(nested->session, nested->reply, &route)) {
        *error = refuse_route(script->scripts);
        return false;
    }
    unsigned number = store_slot_number(nested->store, nested->slot);
    if (script->may_cross)
        return true;
    if (script->slot != NO_SLOT && script->slot != number) {
        *error = "Script attempted to access keys that do not hash to the same slot";
        return false;
    }
    script->slot = number;
    return true;
}

/* Finds the keys, and locks their slots where they are not yet. */
static bool enter_slots(
    struct script *script, struct call *nested, int *keys, int count, const char **error)
{
    for (int i = 0; i < count; i++) {
        struct slot *slot =
            store_slot(nested->store, nested->database, slot_of_key(nested->argv[keys[i]]));
        if (i > 0 && slot != nested->slot)
            nested->one_slot = false;
        if (i > 0 && slot != nested->slot && dispatch_is_cluster()) {
            *error = "Script attempted to access a non local key in a cluster node";
            return false;
        }
        if (i == 0) {
            nested->slot = slot;
            nested->first_key = keys[0];
            nested->hash = store_hash(nested->store, nested->argv[keys[0]]);
            nested->one_slot = true;
        }
        if (!holds(nested->executor, slot) && !take_slot(script, slot, error))
            return false;
    }
    return !dispatch_is_cluster() || is_served(script, nested, keys, count, error);
}

/* SORT by keys that its elements name, which nobody knows beforehand; a cluster refuses it. */
static bool is_sort_by_others(const struct call *nested)
{
    return !dispatch_is_cluster() && strncmp(nested->entry->name, "sort", 4) == 0 &&
           sort_names_keys(nested->argv, nested->argc);
}

/* MOVE, COPY ... DB: of the other database a slot more. */
static bool enter_far(struct script *script, const struct call *nested, const char **error)
{
    int64_t database;
    int at;
    if (dispatch_is_cluster() ||
        !far_is_named(nested->entry, nested->argv, nested->argc, &database, &at) || database < 0 ||
        database >= store_databases(nested->store))
        return true;
    struct slot *slot =
        store_slot(nested->store, (unsigned)database, slot_of_key(nested->argv[at]));
    return holds(nested->executor, slot) || take_slot(script, slot, error);
}

static bool find_and_enter(struct script *script, struct call *nested, const char **error)
{
    enum { FEW = 64 };
    const struct command *command = nested->entry->command;
    if (command->flags & CMD_ALL_SLOTS)
        return take_all(script, error);
    if (is_sort_by_others(nested) && !take_all(script, error))
        return false;
    if (!command->keys)
        return true;
    int few[FEW], *keys = few;
    int count = command_keys(command, nested->argv, nested->argc, few, FEW);
    if (count < 1)
        return true; /* the command will say what is wrong with its arguments */
    if (count > FEW) {
        keys = memory_alloc((size_t)count * sizeof(*keys));
        command_keys(command, nested->argv, nested->argc, keys, count);
    }
    bool ok =
        enter_slots(script, nested, keys, count, error) && enter_far(script, nested, error);
    if (keys != few)
        free(keys);
    return ok;
}

/* A pause has begun since the script was let in, or MIGRATE has the key under way: it would have
 * waited then, and so it does, where it has not changed anything. */
static bool must_wait(struct script *script, struct call *nested)
{
    bool writes = nested->entry->command->flags & CMD_WRITE;
    return writes && is_untouched(script) &&
           (pause_is_on() || (transit_any() && transit_blocks(nested)));
}

static const char *refuse_command(
    const struct script *script, const struct command_entry *entry, int argc)
{
    const struct command *command = entry ? entry->command : NULL;
    uint32_t conditions = condition_all();
    if (!command || (!command->run && argc > 1))
        return "Unknown Redis command called from script";
    if (!command->run || (command->arity > 0 && command->arity != argc) || argc < -command->arity)
        return "Wrong number of args calling Redis command from script";
    if (command->flags & CMD_NOSCRIPT)
        return "This Redis command is not allowed from script";
    if (conditions & CONDITION_STALE && !(command->flags & CMD_STALE) &&
        !config_is(CONFIG_REPLICA_SERVE_STALE_DATA))
        return "Can not execute the command on a stale replica";
    if (script->read_only && command->flags & (CMD_WRITE | CMD_MAY_REPLICATE))
        return "Write commands are not allowed from read-only scripts.";
    return NULL;
}

/* ---- The room's callbacks ---- */

static struct script *script_of(struct script_run *run)
{
    return (struct script *)run;
}

static void come_back(struct script *script)
{
    if (script->left_turn)
        turn_begin(script->call->executor->turn);
    script->left_turn = false;
}

static void count_refusal(
    struct executor *executor, const struct command_entry *entry, const char *error)
{
    char word[32] = "ERR";
    if (error[0] == '-') {
        size_t len = strcspn(error + 1, " ");
        len = len < sizeof(word) ? len : sizeof(word) - 1;
        memcpy(word, error + 1, len);
        word[len] = '\0';
    }
    if (entry)
        counter_add(&executor->commands[entry->id].rejected, 1);
    counter_add(&executor->counters.errors, 1);
    errorstats_count(word);
}

/* Whether the command may run; if not, *error says why unless the script must end. */
static bool may_begin(struct script *script, struct call *nested, const char **error)
{
    const struct command_entry *entry = nested->entry;
    *error = refuse_command(script, entry, nested->argc);
    if (*error)
        return false;
    *error =
        acl_refuse_in_script(script->call->session, entry, nested->argv, nested->argc);
    if (*error)
        return false;
    bool writes = entry->command->flags & CMD_WRITE;
    /* CMD_DENYOOM is for maxmemory, which asks by this flag as it asks for commands of clients. */
    bool may_use_memory = script->may_use_memory || script_course(&script->run) == SCRIPT_WRITES;
    unsigned asked = CMD_WRITE | (may_use_memory ? 0 : entry->command->flags & CMD_DENYOOM);
    if (writes && !dispatch_is_allowed(nested->session, nested->reply, asked)) {
        *error = take_error(script->scripts);
        return false;
    }
    if (!find_and_enter(script, nested, error))
        return false;
    if (must_wait(script, nested)) {
        script->call->retry = true;
        return start_over(script);
    }
    unsigned goes_on = SCRIPT_GOES_ON;
    if (writes)
        atomic_compare_exchange_strong(&script->run.course, &goes_on, SCRIPT_WRITES);
    return !script_must_end(&script->run);
}

static struct reply *call_command(
    struct script_run *run, const struct bytes *argv, int argc, const char **error, bool *counted)
{
    struct script *script = script_of(run);
    struct call *outer = script->call;
    struct session *session = &script->scripts->session;
    const struct command_entry *container;
    come_back(script);
    session->reply.protocol = (uint8_t)run->protocol;
    struct call nested = { .executor = outer->executor,
        .session = session,
        .entry = command_lookup(argv, argc, &container),
        .argv = argv,
        .argc = argc,
        .reply = &session->reply,
        .store = outer->store,
        .now = outer->now,
        .database = session->database,
        .in_exec = true,
        .in_script = true };
    if (!may_begin(script, &nested, error)) {
        *counted = true;
        if (*error)
            count_refusal(outer->executor, nested.entry, *error);
        return NULL;
    }
    dispatch_call(&nested);
    if (nested.entry->command->flags & CMD_MAY_REPLICATE)
        script->has_sent = true;
    if (outer->session->flags & SESSION_TRACKING &&
        nested.entry->command->flags & CMD_READONLY)
        tracking_remember(outer->session, &nested);
    return &session->reply;
}

static int may_run(struct script_run *run, const struct bytes *argv, int argc)
{
    const struct command_entry *container;
    const struct command_entry *entry = command_lookup(argv, argc, &container);
    if (!entry)
        return -1;
    come_back(script_of(run)); /* a user is looked at within a turn */
    return acl_may_call(script_of(run)->call->session, entry, argv, argc);
}

static void set_protocol(struct script_run *run, int protocol)
{
    run->protocol = protocol;
}

static void set_replication(struct script_run *run, bool on)
{
    script_of(run)->call->executor->effects_muted = !on;
}

/* ---- Taking long ---- */

static void mark_slots(struct executor *executor)
{
    for (size_t i = 0; i < executor->held_count; i++)
        slot_lock_hold_long(&executor->held[i]->lock);
    for (size_t i = 0; i < executor->extra_count; i++)
        slot_lock_hold_long(&executor->extra[i]->lock);
    for (unsigned database = 0;
         executor->holds_all_slots && database < store_databases(executor->store); database++) {
        for (unsigned number = 0; number < SLOT_COUNT; number++)
            slot_lock_hold_long(&store_slot(executor->store, database, number)->lock);
    }
}

static void become_slow(struct script *script)
{
    script->slow = true;
    busy_enter(&script->run);
    mark_slots(script->call->executor);
}

static void tell_others(struct script *script)
{
    log_write(LOG_WARNING,
        "Slow script detected: still in execution after %lld milliseconds. You can try killing the "
        "script using the %s command. Script name is: %s.",
        (long long)config_number(CONFIG_BUSY_REPLY_THRESHOLD),
        script->run.is_function ? "FUNCTION KILL" : "SCRIPT KILL", script->run.name);
    script->told = true;
    executor_retry_all(); /* they get -BUSY now */
}

static void tick(struct script_run *run)
{
    struct script *script = script_of(run);
    struct executor *executor = script->call->executor;
    int64_t took = clock_monotonic_us() - run->start_us;
    if (took < BUSY_SLOW_US)
        return;
    if (!script->slow)
        become_slow(script);
    if (!script->told && took >= config_number(CONFIG_BUSY_REPLY_THRESHOLD) * 1000)
        tell_others(script);
    if (!executor->serve)
        return; /* a primary's stream, a file: there is nobody to serve */
    if (is_untouched(script) && !script->left_turn) {
        script->left_turn = true;
        turn_end(executor->turn);
    } else if (!script->left_turn) {
        turn_set_long(executor->turn, true);
    }
    if (!executor_serve(executor) && script_course(run) == SCRIPT_GOES_ON)
        atomic_store(&run->course, SCRIPT_KILLED);
}

static const struct script_host host = { .call = call_command,
    .may_run = may_run,
    .set_protocol = set_protocol,
    .set_replication = set_replication,
    .tick = tick };

/* ---- From its start to its end ---- */

/* The script's client is the caller, but has its own database, transaction and replies. */
static void prepare_session(struct scripts *scripts, const struct call *call)
{
    enum {
        KEPT = SESSION_ASKING | SESSION_READONLY | SESSION_PRIMARY | SESSION_LOADER |
               SESSION_AUTHENTICATED | SESSION_NO_TOUCH | SESSION_UNIX_SOCKET
    };
    struct session *session = &scripts->session;
    const struct session *caller = call->session;
    session->id = caller->id;
    session->flags = caller->flags & KEPT;
    session->database = caller->database;
    session->created_ms = caller->created_ms;
    session->reply.muted = false;
    memcpy(session->peer, caller->peer, sizeof(session->peer));
    memcpy(session->local, caller->local, sizeof(session->local));
    reply_cut(&session->reply, 0);
}

static void end(struct script *script)
{
    struct executor *executor = script->call->executor;
    script->scripts->current = NULL;
    if (!script->slow)
        return;
    come_back(script);
    turn_set_long(executor->turn, false);
    busy_leave(&script->run);
    executor->wakes_others = true; /* once the slots are free */
}

void script_run(struct call *call, const struct script_order *order)
{
    const char *why = refuse_start(call, order);
    if (why) {
        lua_pop(order->vm->L, order->arguments + 1);
        reply_error(call->reply, "%s", why);
        return;
    }
    struct executor *executor = call->executor;
    bool starts_over = executor->holds_all_slots && !call->in_exec;
    if (!starts_over)
        monitor_note_script(call);
    struct scripts *scripts = scripts_of(executor);
    int64_t now = clock_monotonic_us();
    bool compatible = order->flags & SCRIPT_COMPATIBLE;
    struct script script = { .run = { .host = &host,
                                 .name = order->name,
                                 .is_function = order->vm->kind == VM_FUNCTIONS,
                                 .protocol = 2,
                                 .start_us = now,
                                 .ticked_us = now,
                                 .from_primary = !call_from_client(call),
                                 .argv = call->argv,
                                 .argc = call->argc },
        .scripts = scripts,
        .call = call,
        .read_only = order->read_only || (!compatible && order->flags & SCRIPT_NO_WRITES),
        .may_use_memory = order->flags & SCRIPT_ALLOW_OOM,
        .may_cross = compatible || order->flags & SCRIPT_ALLOW_CROSS_SLOT,
        .slot = call->slot && dispatch_is_cluster() ? store_slot_number(call->store, call->slot)
                                                    : NO_SLOT };
    bool in_transaction = executor->in_transaction, counted = false;
    prepare_session(scripts, call);
    scripts->current = &script;
    executor->in_transaction = true;
    vm_call(order->vm, &script.run, order->arguments, call->reply, &counted);
    executor->in_transaction = in_transaction;
    executor->effects_muted = false;
    end(&script);
    if (counted)
        call->error_counted = true;
}
