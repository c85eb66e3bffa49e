/* What scripts call. Each function checks its arguments as Redis does and hands on to the host of
 * the run. An error is a table {err = "CODE text"}: raised by redis.call, returned by redis.pcall.
 */
#include "server/script/api.h"

#include "common/memory.h"
#include "server/info.h"
#include "server/log.h"
#include "server/script/convert.h"
#include "server/script/registry.h"
#include "server/script/sandbox.h"
#include "server/script/sha1.h"
#include <stdio.h>
#include <stdlib.h>

enum { REDIS_VERSION_NUMBER = 7 << 16 | 0 << 8 | 15 };
enum { REPLICATE_NOTHING = 0, REPLICATE_AOF = 1, REPLICATE_REPLICAS = 2, REPLICATE_ALL = 3 };

static int raise_text(lua_State *L, const char *text)
{
    convert_push_error(L, bytes_of(text), false);
    return lua_error(L);
}

/* ---- Commands ---- */

/* The arguments on the stack as words: views into Lua's strings; numbers lie in memory of Lua's,
 * which is pushed. NULL with *error set: they are none. */
static struct bytes *words_of(lua_State *L, int argc, const char **error)
{
    enum { NUMBER = 32, FEW = 8 };
    if (argc == 0) {
        *error = "Please specify at least one argument for this redis lib call";
        return NULL;
    }
    size_t numbers = 0;
    for (int i = 1; i <= argc; i++) {
        int type = lua_type(L, i);
        if (type != LUA_TSTRING && type != LUA_TNUMBER) {
            *error = "Lua redis lib command arguments must be strings or integers";
            return NULL;
        }
        numbers += type == LUA_TNUMBER;
    }
    struct bytes *words = lua_newuserdata(L, (size_t)argc * sizeof(*words) + numbers * NUMBER);
    char *digits = (char *)(words + argc);
    for (int i = 1; i <= argc; i++) {
        if (lua_type(L, i) == LUA_TSTRING) {
            words[i - 1].data = lua_tolstring(L, i, &words[i - 1].len);
        } else {
            int len = snprintf(digits, NUMBER, "%.17g", lua_tonumber(L, i));
            words[i - 1] = (struct bytes){ digits, (size_t)len };
            digits += NUMBER;
        }
    }
    return words;
}

static int stop(lua_State *L, const struct script_run *run)
{
    return raise_text(L, script_course(run) == SCRIPT_KILLED
                             ? "Script killed by user with SCRIPT KILL..."
                             : "starts over"); /* which nobody will see */
}

static int call_command(lua_State *L, bool raises)
{
    struct vm *vm = vm_of(L);
    struct script_run *run = vm->run;
    int argc = lua_gettop(L);
    const char *error = NULL;
    bool counted = false;
    struct bytes *words = words_of(L, argc, &error);
    if (words && !run)
        error = "redis.call() can only be called inside a script invocation";
    if (!error) {
        struct reply *reply = run->host->call(run, words, argc, &error, &counted);
        if (script_must_end(run))
            return stop(L, run);
        if (reply) {
            convert_push_reply(L, reply);
            bool failed = reply->bytes.len > 0 && reply->bytes.data[0] == '-';
            reply_cut(reply, 0);
            return raises && failed ? lua_error(L) : 1;
        }
    }
    convert_push_error(L, bytes_of(error), counted);
    return raises ? lua_error(L) : 1;
}

static int redis_call(lua_State *L)
{
    return call_command(L, true);
}

static int redis_pcall(lua_State *L)
{
    return call_command(L, false);
}

static int redis_acl_check_cmd(lua_State *L)
{
    const char *error = NULL;
    struct script_run *run = vm_of(L)->run;
    int argc = lua_gettop(L);
    struct bytes *words = words_of(L, argc, &error);
    int allowed = error || !run ? -1 : run->host->may_run(run, words, argc);
    if (!error && allowed < 0)
        error = "Invalid command passed to redis.acl_check_cmd()";
    if (error)
        return raise_text(L, error);
    lua_pushboolean(L, allowed);
    return 1;
}

/* ---- Replies ---- */

static bool is_one_text(lua_State *L)
{
    if (lua_gettop(L) == 1 && lua_type(L, 1) == LUA_TSTRING)
        return true;
    convert_push_error(L, BYTES("wrong number or type of arguments"), false);
    return false;
}

static int redis_error_reply(lua_State *L)
{
    if (!is_one_text(L))
        return 1;
    struct bytes text;
    text.data = lua_tolstring(L, 1, &text.len);
    if (text.len == 0 || text.data[0] != '-') {
        lua_pushliteral(L, "-");
        lua_insert(L, 1);
        lua_concat(L, 2);
        text.data = lua_tolstring(L, 1, &text.len);
    }
    convert_push_error(L, text, false);
    return 1;
}

static int redis_status_reply(lua_State *L)
{
    if (!is_one_text(L))
        return 1;
    lua_newtable(L);
    lua_insert(L, 1);
    lua_setfield(L, 1, "ok");
    return 1;
}

static int redis_sha1hex(lua_State *L)
{
    if (lua_gettop(L) != 1)
        return raise_text(L, "wrong number of arguments");
    struct bytes text;
    char hex[SHA1_HEX + 1];
    text.data = lua_tolstring(L, 1, &text.len);
    if (!text.data)
        text.len = 0;
    sha1_hex(text, hex);
    lua_pushlstring(L, hex, SHA1_HEX);
    return 1;
}

/* ---- The script itself ---- */

static int redis_log(lua_State *L)
{
    int argc = lua_gettop(L);
    if (argc < 2)
        return raise_text(L, "redis.log() requires two arguments or more.");
    if (!lua_isnumber(L, 1))
        return raise_text(L, "First argument must be a number (log level).");
    int level = (int)lua_tonumber(L, 1);
    if (level < LOG_DEBUG || level > LOG_WARNING)
        return raise_text(L, "Invalid debug level.");
    struct buffer line = { 0 };
    for (int i = 2; i <= argc; i++) {
        size_t len;
        const char *text = lua_tolstring(L, i, &len);
        if (i > 2)
            buffer_append_char(&line, ' ');
        if (text)
            buffer_append(&line, text, len);
    }
    buffer_terminate(&line);
    log_write((enum log_level)level, "%s", line.data);
    buffer_free(&line);
    return 0;
}

static int redis_setresp(lua_State *L)
{
    if (lua_gettop(L) != 1)
        return raise_text(L, "redis.setresp() requires one argument.");
    int protocol = (int)lua_tonumber(L, 1);
    if (protocol != 2 && protocol != 3)
        return raise_text(L, "RESP version must be 2 or 3.");
    struct script_run *run = vm_of(L)->run;
    if (run)
        run->host->set_protocol(run, protocol);
    return 0;
}

/* The AOF and the replicas read one journal: what one of them is to get, both get. */
static int redis_set_repl(lua_State *L)
{
    if (lua_gettop(L) != 1)
        return raise_text(L, "redis.set_repl() requires two arguments.");
    int what = (int)lua_tonumber(L, 1);
    if (what & ~REPLICATE_ALL)
        return raise_text(L, "Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or "
                             "REPL_NONE.");
    struct script_run *run = vm_of(L)->run;
    if (run)
        run->host->set_replication(run, what != REPLICATE_NOTHING);
    return 0;
}

/* Effects are all that is ever replicated. */
static int redis_replicate_commands(lua_State *L)
{
    lua_pushboolean(L, 1);
    return 1;
}

/* There is no debugger. */
static int redis_breakpoint(lua_State *L)
{
    lua_pushboolean(L, 0);
    return 1;
}

static int redis_debug(lua_State *L)
{
    return 0;
}

/* ---- The tables ---- */

static const luaL_Reg functions[] = { { "call", redis_call }, { "pcall", redis_pcall },
    { "acl_check_cmd", redis_acl_check_cmd }, { "error_reply", redis_error_reply },
    { "status_reply", redis_status_reply }, { "sha1hex", redis_sha1hex },
    { "setresp", redis_setresp }, { "set_repl", redis_set_repl }, { NULL, NULL } };
static const luaL_Reg eval_functions[] = { { "replicate_commands", redis_replicate_commands },
    { "breakpoint", redis_breakpoint }, { "debug", redis_debug }, { NULL, NULL } };
static const luaL_Reg common_functions[] = { { "log", redis_log }, { NULL, NULL } };

struct constant {
    const char *name;
    int value;
};
static const struct constant log_levels[] = { { "LOG_DEBUG", LOG_DEBUG },
    { "LOG_VERBOSE", LOG_VERBOSE }, { "LOG_NOTICE", LOG_NOTICE }, { "LOG_WARNING", LOG_WARNING },
    { "REDIS_VERSION_NUM", REDIS_VERSION_NUMBER }, { NULL, 0 } };
static const struct constant replication[] = { { "REPL_NONE", REPLICATE_NOTHING },
    { "REPL_AOF", REPLICATE_AOF }, { "REPL_REPLICA", REPLICATE_REPLICAS },
    { "REPL_SLAVE", REPLICATE_REPLICAS }, { "REPL_ALL", REPLICATE_ALL }, { NULL, 0 } };

static void set_constants(lua_State *L, const struct constant *constants)
{
    for (; constants->name; constants++) {
        lua_pushnumber(L, constants->value);
        lua_setfield(L, -2, constants->name);
    }
}

static void push_common(lua_State *L)
{
    lua_newtable(L);
    luaL_register(L, NULL, common_functions);
    set_constants(L, log_levels);
    lua_pushliteral(L, INFO_REDIS_VERSION);
    lua_setfield(L, -2, "REDIS_VERSION");
}

void api_push(lua_State *L, enum vm_kind kind)
{
    push_common(L);
    set_constants(L, replication);
    luaL_register(L, NULL, functions);
    if (kind == VM_EVAL)
        luaL_register(L, NULL, eval_functions);
}

void api_push_loading(lua_State *L)
{
    push_common(L);
    lua_pushcfunction(L, registry_register_function);
    lua_setfield(L, -2, "register_function");
    sandbox_require_names(L);
}
