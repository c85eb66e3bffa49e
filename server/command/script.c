/* EVAL and its kin, and SCRIPT. */
#include "server/command/families.h"
#include "server/command/help.h"
#include "server/command/rows.h"
#include "server/command/script_info.h"
#include "server/command/script_run.h"
#include "server/config.h"
#include "server/info.h"
#include "server/script/busy.h"
#include "server/script/cache.h"
#include "server/script/registry.h"
#include <ctype.h>

/* Runs the script of this SHA; body as cache_push wants it. */
static void eval_sha(struct call *call, const char *sha, struct bytes body, bool read_only)
{
    int keys;
    struct error error;
    struct script_order order = { .name = sha, .read_only = read_only };
    if (!script_key_count(call, &keys))
        return;
    order.vm = script_vm(call, VM_EVAL);
    if (!order.vm)
        return;
    if (!cache_push(order.vm, sha, body, &order.flags, &error)) {
        reply_error(call->reply, "%s",
            error.text[0] ? error.text : "NOSCRIPT No matching script. Please use EVAL.");
        return;
    }
    const struct bytes *words = call->argv + 3;
    vm_set_arguments(order.vm, words, (size_t)keys, words + keys, (size_t)(call->argc - 3 - keys));
    script_run(call, &order);
}

static void eval_with(struct call *call, bool read_only)
{
    char sha[SHA1_HEX + 1];
    sha1_hex_again(call->argv[1], sha);
    eval_sha(call, sha, call->argv[1], read_only);
}

/* In either case of letters; false: it cannot be one. */
static bool read_sha(struct bytes text, char sha[SHA1_HEX + 1])
{
    if (text.len != SHA1_HEX)
        return false;
    for (int i = 0; i < SHA1_HEX; i++)
        sha[i] = (char)tolower((unsigned char)text.data[i]);
    sha[SHA1_HEX] = '\0';
    return true;
}

static void evalsha_with(struct call *call, bool read_only)
{
    char sha[SHA1_HEX + 1];
    if (read_sha(call->argv[1], sha))
        eval_sha(call, sha, (struct bytes){ NULL, 0 }, read_only);
    else
        reply_error(call->reply, "NOSCRIPT No matching script. Please use EVAL.");
}

static void eval(struct call *call)
{
    eval_with(call, false);
}

static void eval_ro(struct call *call)
{
    eval_with(call, true);
}

static void evalsha(struct call *call)
{
    evalsha_with(call, false);
}

static void evalsha_ro(struct call *call)
{
    evalsha_with(call, true);
}

/* ---- SCRIPT ---- */

static void script_load(struct call *call)
{
    char sha[SHA1_HEX + 1];
    struct error error;
    unsigned flags;
    struct vm *vm = script_vm(call, VM_EVAL);
    if (!vm)
        return;
    sha1_hex(call->argv[2], sha);
    if (!cache_push(vm, sha, call->argv[2], &flags, &error)) {
        reply_error(call->reply, "%s", error.text);
        return;
    }
    lua_pop(vm->L, 1);
    reply_bulk(call->reply, (struct bytes){ sha, SHA1_HEX });
}

static void script_exists(struct call *call)
{
    reply_array(call->reply, (size_t)call->argc - 2);
    for (int i = 2; i < call->argc; i++) {
        char sha[SHA1_HEX + 1];
        reply_integer(call->reply, read_sha(call->argv[i], sha) && cache_has(sha));
    }
}

/* Each state is closed by its own thread, when it is next wanted: both modes are the same. */
static void script_flush(struct call *call)
{
    if (call->argc > 3 || (call->argc == 3 && !bytes_is(call->argv[2], "async") &&
                              !bytes_is(call->argv[2], "sync"))) {
        reply_error(call->reply, "SCRIPT FLUSH only support SYNC|ASYNC option");
        return;
    }
    cache_flush();
    reply_ok(call->reply);
}

static void script_kill(struct call *call)
{
    const char *error = busy_kill(false);
    if (error)
        reply_error(call->reply, "%s", error);
    else
        reply_ok(call->reply);
}

/* There is no step debugger: one that is wanted is refused, rather than scripts run without. */
static void script_debug(struct call *call)
{
    if (bytes_is(call->argv[2], "no"))
        reply_ok(call->reply);
    else if (bytes_is(call->argv[2], "yes") || bytes_is(call->argv[2], "sync"))
        reply_error(call->reply, "This server has no debugger for scripts");
    else
        reply_error(call->reply, "Use SCRIPT DEBUG YES/SYNC/NO");
}

/* ---- INFO ---- */

static void tell_human(struct buffer *out, const char *name, size_t bytes)
{
    static const char units[] = "BKMGT";
    double value = (double)bytes;
    size_t unit = 0;
    for (; value >= 1024 && unit + 2 < sizeof(units); unit++)
        value /= 1024;
    if (unit == 0)
        buffer_printf(out, "%s:%zuB\r\n", name, bytes);
    else
        buffer_printf(out, "%s:%.2f%c\r\n", name, value, units[unit]);
}

static void tell_memory(struct buffer *out)
{
    size_t eval = vm_memory(VM_EVAL), functions = vm_memory(VM_FUNCTIONS);
    size_t scripts = cache_memory(), libraries = registry_memory();
    buffer_printf(out, "used_memory_lua:%zu\r\nused_memory_vm_eval:%zu\r\n", eval, eval);
    tell_human(out, "used_memory_lua_human", eval);
    buffer_printf(out, "used_memory_scripts_eval:%zu\r\nnumber_of_cached_scripts:%zu\r\n", scripts,
        cache_count());
    buffer_printf(out, "number_of_functions:%zu\r\nnumber_of_libraries:%zu\r\n",
        registry_functions(), registry_libraries());
    buffer_printf(out, "used_memory_vm_functions:%zu\r\nused_memory_vm_total:%zu\r\n", functions,
        eval + functions);
    tell_human(out, "used_memory_vm_total_human", eval + functions);
    buffer_printf(out, "used_memory_functions:%zu\r\nused_memory_scripts:%zu\r\n", libraries,
        scripts + libraries);
    tell_human(out, "used_memory_scripts_human", scripts + libraries);
}

void script_info_init(void)
{
    info_register("memory", tell_memory);
}

/* ---- The table ---- */

static const struct command_arg debug_modes[] = { TOKEN("yes", "YES"), TOKEN("sync", "SYNC"),
    TOKEN("no", "NO"), { 0 } };
static const struct command_arg flush_modes[] = { TOKEN("async", "ASYNC"), TOKEN("sync", "SYNC"),
    { 0 } };

static const struct command script_subcommands[] = {
    { "debug", script_debug, 3, CMD_NOSCRIPT, .group = "scripting", .since = "3.2.0",
        .complexity = "O(1)",
        .summary = "Turns the debugger of scripts off; there is none to turn on",
        .args = ARGS(CHOICE("mode", 0, debug_modes)) },
    { "exists", script_exists, -3, CMD_NOSCRIPT, .group = "scripting", .since = "2.6.0",
        .complexity = "O(N), N SHAs", .summary = "Tells which of the scripts are in the cache",
        .tips = TIPS("request_policy:all_shards", "response_policy:agg_logical_and"),
        .args = ARGS(ARG_MANY("sha1", ARG_STRING)) },
    { "flush", script_flush, -2, CMD_NOSCRIPT, .group = "scripting", .since = "2.6.0",
        .complexity = "O(N), N scripts", .summary = "Forgets all scripts",
        .tips = TIPS("request_policy:all_nodes", "response_policy:all_succeeded"),
        .history = HISTORY({ "6.2.0", "Added the `ASYNC` and `SYNC` flushing mode modifiers." }),
        .args = ARGS({ "async", ARG_ONEOF, ARG_OPTIONAL, NULL, 0, "6.2.0", flush_modes }) },
    { "help", call_help, 2, CMD_LOADING | CMD_STALE, .group = "scripting", .since = "5.0.0",
        .complexity = "O(1)", .summary = "Tells what the subcommands do" },
    { "kill", script_kill, 2, CMD_NOSCRIPT | CMD_ALLOW_BUSY, .group = "scripting", .since = "2.6.0",
        .complexity = "O(1)", .summary = "Ends scripts of EVAL that are busy and have not written",
        .tips = TIPS("request_policy:all_shards", "response_policy:one_succeeded") },
    { "load", script_load, 3, CMD_NOSCRIPT | CMD_STALE, .group = "scripting", .since = "2.6.0",
        .complexity = "O(N), N bytes of the script",
        .summary = "Puts a script into the cache without running it",
        .tips = TIPS("request_policy:all_nodes", "response_policy:all_succeeded"),
        .args = ARGS(ARG("script", ARG_STRING)) },
    { 0 }
};

#define EVAL_ARGS(what)                                                                            \
    ARGS(ARG(what, ARG_STRING), ARG("numkeys", ARG_INTEGER),                                       \
        { "key", ARG_KEY, ARG_OPTIONAL | ARG_MULTIPLE, NULL, 0, NULL, NULL },                      \
        { "arg", ARG_STRING, ARG_OPTIONAL | ARG_MULTIPLE, NULL, 0, NULL, NULL })

enum {
    EVAL_FLAGS = CMD_MOVABLE_KEYS | CMD_NOSCRIPT | CMD_SKIP_MONITOR | CMD_MAY_REPLICATE |
                 CMD_NO_MANDATORY_KEYS | CMD_STALE,
    EVAL_RO_FLAGS = CMD_MOVABLE_KEYS | CMD_NOSCRIPT | CMD_SKIP_MONITOR | CMD_NO_MANDATORY_KEYS |
                    CMD_STALE | CMD_READONLY,
};

const struct command script_commands[] = {
    { "eval", eval, -3, EVAL_FLAGS,
        KEYS(COUNTED_KEYS_NOTED(2, KEY_RW | KEY_ACCESS | KEY_UPDATE,
            "We cannot tell how the keys will be used so we assume the worst, RW and UPDATE")),
        .group = "scripting", .since = "2.6.0", .complexity = "Depends on the script",
        .summary = "Runs a script in Lua", .args = EVAL_ARGS("script") },
    { "evalsha", evalsha, -3, EVAL_FLAGS, KEYS(COUNTED_KEYS(2, KEY_RW | KEY_ACCESS | KEY_UPDATE)),
        .group = "scripting", .since = "2.6.0", .complexity = "Depends on the script",
        .summary = "Runs a script of the cache by its SHA", .args = EVAL_ARGS("sha1") },
    { "eval_ro", eval_ro, -3, EVAL_RO_FLAGS,
        KEYS(COUNTED_KEYS_NOTED(2, KEY_RO | KEY_ACCESS,
            "We cannot tell how the keys will be used so we assume the worst, RO and ACCESS")),
        .group = "scripting", .since = "7.0.0", .complexity = "Depends on the script",
        .summary = "Runs a script that only reads", .args = EVAL_ARGS("script") },
    { "evalsha_ro", evalsha_ro, -3, EVAL_RO_FLAGS, KEYS(COUNTED_KEYS(2, KEY_RO | KEY_ACCESS)),
        .group = "scripting", .since = "7.0.0", .complexity = "Depends on the script",
        .summary = "Runs a script of the cache, by its SHA, that only reads",
        .args = EVAL_ARGS("sha1") },
    { "script", NULL, -2, .group = "scripting", .since = "2.6.0",
        .complexity = "Depends on subcommand.", .summary = "Deals with the cache of scripts",
        .subcommands = script_subcommands },
    { 0 }
};
