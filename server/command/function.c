/* FCALL, FCALL_RO and FUNCTION. Changes of the registry are journaled as they came, within its
 * lock, so that the stream has them in the order in which they happened. */
#include "server/command/function.h"
#include "server/command/dispatch.h"
#include "server/command/families.h"
#include "server/command/glob.h"
#include "server/command/help.h"
#include "server/command/rows.h"
#include "server/command/script_run.h"
#include "server/log.h"
#include "server/script/busy.h"
#include "server/script/flags.h"
#include "server/script/registry.h"
#include "server/snapshot/rdb_payload.h"

#include "common/memory.h"
#include "common/number.h"
#include <stdlib.h>

enum { LOAD_LIMIT_MS = 500 }; /* of a client's FUNCTION LOAD */

/* FCALL's own words for what is no number. */
static bool number_of_keys(struct call *call, int *keys)
{
    int64_t value;
    if (number_parse(call->argv[2], &value))
        return script_key_count(call, keys);
    reply_error(call->reply, "Bad number of keys provided");
    return false;
}

static void fcall_with(struct call *call, bool read_only)
{
    int keys;
    unsigned flags;
    struct script_order order = { .read_only = read_only, .arguments = 2 };
    if (!registry_find(call->argv[1], &flags)) {
        reply_error(call->reply, "Function not found");
        return;
    }
    if (!number_of_keys(call, &keys))
        return;
    order.vm = script_vm(call, VM_FUNCTIONS);
    if (!order.vm)
        return;
    if (!registry_push(order.vm, call->argv[1], &order.flags, &order.name)) {
        reply_error(call->reply, "Function not found");
        return;
    }
    const struct bytes *words = call->argv + 3;
    vm_push_array(order.vm, words, (size_t)keys);
    vm_push_array(order.vm, words + keys, (size_t)(call->argc - 3 - keys));
    script_run(call, &order);
}

static void fcall(struct call *call)
{
    fcall_with(call, false);
}

static void fcall_ro(struct call *call)
{
    fcall_with(call, true);
}

/* ---- Changes ---- */

/* Within the registry's lock. */
static void journal_change(void *arg)
{
    struct call *call = arg;
    call_changed(call);
    call_effect(call, call->argv, call->argc);
    if (!call->executor->in_transaction)
        dispatch_flush_effects(call->executor, call->session);
}

static void function_load(struct call *call)
{
    struct error error;
    bool replace = false;
    for (int i = 2; i < call->argc - 1; i++) {
        if (!bytes_is(call->argv[i], "replace")) {
            reply_error(call->reply, "Unknown option given: %.*s", (int)call->argv[i].len,
                call->argv[i].data);
            return;
        }
        replace = true;
    }
    struct library *library = library_create(
        call->argv[call->argc - 1], call_from_client(call) ? LOAD_LIMIT_MS : 0, replace, &error);
    if (library && registry_add(&library, 1, replace ? REGISTRY_REPLACE : REGISTRY_APPEND,
                       journal_change, call, &error))
        reply_bulk_text(call->reply, library->name);
    else
        reply_error(call->reply, "%s", error.text);
    if (library)
        library_release(library);
}

static void function_delete(struct call *call)
{
    if (registry_delete(call->argv[2], journal_change, call))
        reply_ok(call->reply);
    else
        reply_error(call->reply, "Library not found");
}

static void function_flush(struct call *call)
{
    if (call->argc > 3) {
        call_error_subcommand(call);
        return;
    }
    if (call->argc == 3 && !bytes_is(call->argv[2], "async") && !bytes_is(call->argv[2], "sync")) {
        reply_error(call->reply, "FUNCTION FLUSH only supports SYNC|ASYNC option");
        return;
    }
    registry_flush(journal_change, call);
    reply_ok(call->reply);
}

/* ---- Payloads ---- */

static void function_dump(struct call *call)
{
    struct library_list list;
    struct rdb_writer writer;
    registry_list(&list);
    rdb_writer_init(&writer, &(struct rdb_writer_options){ .compress = true });
    for (size_t i = 0; i < list.count; i++) {
        rdb_write_byte(&writer, RDB_OPCODE_FUNCTION);
        rdb_write_string(&writer, (struct bytes){ list.items[i]->code, list.items[i]->code_len });
    }
    reply_bulk(call->reply, rdb_payload_end(&writer));
    rdb_writer_free(&writer);
    library_list_free(&list);
}

static void add_library(struct library_list *list, struct library *library)
{
    list->items = memory_resize(list->items, (list->count + 1) * sizeof(struct library *));
    list->items[list->count++] = library;
}

static bool read_libraries(
    struct call *call, struct bytes payload, struct library_list *list, struct error *error)
{
    struct rdb_reader reader;
    uint8_t type;
    bool ok = true;
    if (payload.len == RDB_PAYLOAD_TAIL)
        return true;
    bool more = rdb_payload_open(payload, &type, &reader);
    while (ok && more) {
        struct bytes code;
        struct library *library = NULL;
        if (type != RDB_OPCODE_FUNCTION)
            ok = error_set(error, "given type is not a function");
        else if (!rdb_read_string(&reader, &code, NULL))
            ok = error_set(error, "Failed loading library data");
        else
            library = library_create(code, call_from_client(call) ? LOAD_LIMIT_MS : 0, true, error);
        if (library)
            add_library(list, library);
        ok = ok && library;
        more = ok && rdb_reader_offset(&reader) < payload.len - RDB_PAYLOAD_TAIL &&
               rdb_read_byte(&reader, &type, NULL);
    }
    rdb_reader_free(&reader);
    return ok;
}

static void function_restore(struct call *call)
{
    static const struct {
        const char *word;
        enum registry_policy policy;
    } policies[] = { { "append", REGISTRY_APPEND }, { "replace", REGISTRY_REPLACE },
        { "flush", REGISTRY_FLUSH } };
    enum { COUNT = sizeof(policies) / sizeof(policies[0]) };
    struct library_list list = { 0 };
    struct error error;
    size_t chosen = 0;
    if (call->argc > 4) {
        call_error_subcommand(call);
        return;
    }
    while (call->argc == 4 && chosen < COUNT && !bytes_is(call->argv[3], policies[chosen].word))
        chosen++;
    if (chosen == COUNT) {
        reply_error(call->reply,
            "Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.");
        return;
    }
    if (!rdb_payload_verify(call->argv[2]))
        reply_error(call->reply, RDB_PAYLOAD_BAD_TAIL);
    else if (read_libraries(call, call->argv[2], &list, &error) &&
             registry_add(
                 list.items, list.count, policies[chosen].policy, journal_change, call, &error))
        reply_ok(call->reply);
    else
        reply_error(call->reply, "%s", error.text);
    library_list_free(&list);
}

bool function_load_library(struct bytes code, struct error *error)
{
    struct library *library = library_create(code, 0, true, error);
    bool ok = library && registry_add(&library, 1, REGISTRY_APPEND, NULL, NULL, error);
    if (library)
        library_release(library);
    return ok;
}

/* ---- Asking ---- */

static void reply_flags(struct reply *reply, unsigned flags)
{
    size_t count = 0;
    for (const struct script_flag_name *row = script_flag_names; row->name; row++)
        count += (flags & row->flag) != 0;
    reply_set(reply, count);
    for (const struct script_flag_name *row = script_flag_names; row->name; row++) {
        if (flags & row->flag)
            reply_simple(reply, row->name);
    }
}

static void reply_library(struct reply *reply, const struct library *library, bool with_code)
{
    reply_map(reply, with_code ? 4 : 3);
    reply_bulk_text(reply, "library_name");
    reply_bulk_text(reply, library->name);
    reply_bulk_text(reply, "engine");
    reply_bulk_text(reply, "LUA");
    reply_bulk_text(reply, "functions");
    reply_array(reply, library->count);
    for (size_t i = 0; i < library->count; i++) {
        const struct library_function *function = &library->functions[i];
        reply_map(reply, 3);
        reply_bulk_text(reply, "name");
        reply_bulk_text(reply, function->name);
        reply_bulk_text(reply, "description");
        if (function->description)
            reply_bulk(reply, (struct bytes){ function->description, function->description_len });
        else
            reply_null(reply);
        reply_bulk_text(reply, "flags");
        reply_flags(reply, function->flags);
    }
    if (with_code) {
        reply_bulk_text(reply, "library_code");
        reply_bulk(reply, (struct bytes){ library->code, library->code_len });
    }
}

static void function_list(struct call *call)
{
    bool with_code = false, with_pattern = false;
    struct bytes pattern = { "*", 1 };
    for (int i = 2; i < call->argc; i++) {
        struct bytes word = call->argv[i];
        if (!with_code && bytes_is(word, "withcode")) {
            with_code = true;
        } else if (!with_pattern && bytes_is(word, "libraryname")) {
            if (i + 1 == call->argc) {
                reply_error(call->reply, "library name argument was not given");
                return;
            }
            with_pattern = true;
            pattern = call->argv[++i];
        } else {
            reply_error(call->reply, "Unknown argument %.*s", (int)word.len, word.data);
            return;
        }
    }
    struct library_list list;
    registry_list(&list);
    struct reply_mark mark = reply_deferred(call->reply);
    size_t count = 0;
    for (size_t i = 0; i < list.count; i++) {
        if (!glob_matches(pattern, bytes_of(list.items[i]->name), true))
            continue;
        reply_library(call->reply, list.items[i], with_code);
        count++;
    }
    reply_deferred_array(call->reply, mark, count);
    library_list_free(&list);
}

static void tell_running(
    void *arg, const char *name, const struct bytes *argv, int argc, int64_t ms)
{
    struct reply *reply = arg;
    reply_map(reply, 3);
    reply_bulk_text(reply, "name");
    reply_bulk_text(reply, name);
    reply_bulk_text(reply, "command");
    reply_array(reply, (size_t)argc);
    for (int i = 0; i < argc; i++)
        reply_bulk(reply, argv[i]);
    reply_bulk_text(reply, "duration_ms");
    reply_integer(reply, ms);
}

static void function_stats(struct call *call)
{
    struct reply *reply = call->reply;
    reply_map(reply, 2);
    reply_bulk_text(reply, "running_script");
    if (!busy_tell(true, tell_running, reply))
        reply_null(reply);
    reply_bulk_text(reply, "engines");
    reply_map(reply, 1);
    reply_bulk_text(reply, "LUA");
    reply_map(reply, 2);
    reply_bulk_text(reply, "libraries_count");
    reply_integer(reply, (int64_t)registry_libraries());
    reply_bulk_text(reply, "functions_count");
    reply_integer(reply, (int64_t)registry_functions());
}

static void function_kill(struct call *call)
{
    const char *error = busy_kill(true);
    if (error)
        reply_error(call->reply, "%s", error);
    else
        reply_ok(call->reply);
}

/* ---- The table ---- */

#define FCALL_KEYS(access, text)                                                                   \
    KEYS(COUNTED_KEYS_NOTED(                                                                       \
        2, access, "We cannot tell how the keys will be used so we assume the worst, " text))

static const struct command_arg flush_modes[] = { TOKEN("async", "ASYNC"), TOKEN("sync", "SYNC"),
    { 0 } };
static const struct command_arg restore_policies[] = { TOKEN("flush", "FLUSH"),
    TOKEN("append", "APPEND"), TOKEN("replace", "REPLACE"), { 0 } };

#define ROW(name, run, arity, flags, ...)                                                          \
    ROW_OF("scripting", name, run, arity, flags, "7.0.0", __VA_ARGS__)
#define ALL_SHARDS(response) TIPS("request_policy:all_shards", "response_policy:" response)

static const struct command function_subcommands[] = {
    ROW("delete", function_delete, 3, CMD_NOSCRIPT | CMD_WRITE, "O(1)",
        "Removes a library and its functions", .tips = ALL_SHARDS("all_succeeded"),
        .args = ARGS(ARG("library-name", ARG_STRING))),
    ROW("dump", function_dump, 2, CMD_NOSCRIPT, "O(N), N functions",
        "Returns all libraries as a payload for FUNCTION RESTORE"),
    ROW("flush", function_flush, -2, CMD_NOSCRIPT | CMD_WRITE, "O(N), N functions",
        "Removes all libraries", .tips = ALL_SHARDS("all_succeeded"),
        .args = ARGS(CHOICE("async", ARG_OPTIONAL, flush_modes))),
    ROW("help", call_help, 2, CMD_LOADING | CMD_STALE, "O(1)", "Tells what the subcommands do"),
    ROW("kill", function_kill, 2, CMD_NOSCRIPT | CMD_ALLOW_BUSY, "O(1)",
        "Ends functions that are busy and have not written", .tips = ALL_SHARDS("one_succeeded")),
    ROW("list", function_list, -2, CMD_NOSCRIPT, "O(N), N functions",
        "Tells the libraries and their functions", .tips = TIPS("nondeterministic_output_order"),
        .args = ARGS(OPTION("library-name-pattern", ARG_STRING, "LIBRARYNAME", NULL),
            OPTION("withcode", ARG_PURE_TOKEN, "WITHCODE", NULL))),
    ROW("load", function_load, -3, CMD_NOSCRIPT | CMD_WRITE | CMD_DENYOOM,
        "O(1), and the time that the library takes", "Adds a library of functions",
        .tips = ALL_SHARDS("all_succeeded"),
        .args = ARGS(
            OPTION("replace", ARG_PURE_TOKEN, "REPLACE", NULL), ARG("function-code", ARG_STRING))),
    ROW("restore", function_restore, -3, CMD_NOSCRIPT | CMD_WRITE | CMD_DENYOOM,
        "O(N), N functions", "Adds the libraries of a payload of FUNCTION DUMP",
        .tips = ALL_SHARDS("all_succeeded"),
        .args = ARGS(
            ARG("serialized-value", ARG_STRING), CHOICE("policy", ARG_OPTIONAL, restore_policies))),
    ROW("stats", function_stats, 2, CMD_NOSCRIPT | CMD_ALLOW_BUSY, "O(1)",
        "Tells how many functions there are, and which one is busy",
        .tips = TIPS(
            "nondeterministic_output", "request_policy:all_shards", "response_policy:special")),
    { 0 }
};

#define FCALL_ARGS                                                                                 \
    ARGS(ARG("function", ARG_STRING), ARG("numkeys", ARG_INTEGER),                                 \
        { "key", ARG_KEY, ARG_OPTIONAL | ARG_MULTIPLE, NULL, 0, NULL, NULL },                      \
        { "arg", ARG_STRING, ARG_OPTIONAL | ARG_MULTIPLE, NULL, 0, NULL, NULL })

enum {
    FCALL_FLAGS =
        CMD_MOVABLE_KEYS | CMD_NOSCRIPT | CMD_SKIP_MONITOR | CMD_NO_MANDATORY_KEYS | CMD_STALE
};

const struct command function_commands[] = {
    ROW("fcall", fcall, -3, FCALL_FLAGS | CMD_MAY_REPLICATE, "Depends on the function",
        "Runs a function", .keys = FCALL_KEYS(KEY_RW | KEY_ACCESS | KEY_UPDATE, "RW and UPDATE"),
        .args = FCALL_ARGS),
    ROW("fcall_ro", fcall_ro, -3, FCALL_FLAGS | CMD_READONLY, "Depends on the function",
        "Runs a function that only reads", .keys = FCALL_KEYS(KEY_RO | KEY_ACCESS, "RO and ACCESS"),
        .args = FCALL_ARGS),
    ROW("function", NULL, -2, 0, "Depends on subcommand.", "Deals with libraries of functions",
        .subcommands = function_subcommands),
    { 0 }
};
