#include "server/script/vm.h"

#include "common/memory.h"
#include "server/clock.h"
#include "server/log.h"
#include "server/script/api.h"
#include "server/script/convert.h"
#include "server/script/sandbox.h"
#include <lua5.1/lua-cjson.h>
#include <stdlib.h>

enum {
    HOOK_COUNT = 10000, /* instructions from hook to hook */
    TICK_US = 1000,
};

static atomic_size_t memory[VM_KINDS];

size_t vm_memory(enum vm_kind kind)
{
    return atomic_load_explicit(&memory[kind], memory_order_relaxed);
}

static void *allocate(void *arg, void *old, size_t old_size, size_t size)
{
    struct vm *vm = arg;
    void *now = NULL;
    if (size > 0) {
        now = realloc(old, size);
        if (!now)
            return NULL; /* "not enough memory", and the script ends */
    } else {
        free(old);
    }
    atomic_fetch_add_explicit(&memory[vm->kind], size - old_size, memory_order_relaxed);
    return now;
}

/* ---- Errors ---- */

/* The source and line of the function that made the error, or of its caller where that is none of
 * Lua. */
static bool where(lua_State *L, lua_Debug *place)
{
    if (!lua_getstack(L, 1, place) || !lua_getinfo(L, "Sl", place))
        return false;
    if (strcmp(place->what, "C") != 0)
        return true;
    return lua_getstack(L, 2, place) && lua_getinfo(L, "Sl", place);
}

static int handle_error(lua_State *L)
{
    lua_Debug place;
    lua_settop(L, 1);
    if (!lua_istable(L, 1)) {
        const char *text = lua_tostring(L, 1);
        lua_pushstring(L, "ERR ");
        if (text)
            lua_pushvalue(L, 1);
        else if (lua_isboolean(L, 1))
            lua_pushstring(L, lua_toboolean(L, 1) ? "true" : "false");
        else if (lua_isnil(L, 1))
            lua_pushliteral(L, "nil");
        else
            lua_pushfstring(L, "%s: %p", luaL_typename(L, 1), lua_topointer(L, 1));
        lua_concat(L, 2);
        lua_newtable(L);
        lua_insert(L, -2);
        lua_setfield(L, -2, "err");
        lua_replace(L, 1);
    }
    if (where(L, &place)) {
        lua_pushstring(L, place.source);
        lua_setfield(L, 1, "source");
        lua_pushnumber(L, place.currentline);
        lua_setfield(L, 1, "line");
    }
    return 1;
}

/* The text of the error on top of the stack, which stays there. */
static const char *error_text(lua_State *L)
{
    if (lua_istable(L, -1)) {
        lua_getfield(L, -1, "err");
        const char *text = lua_tostring(L, -1);
        lua_pop(L, 1);
        return text ? text : "ERR unknown error";
    }
    const char *text = lua_tostring(L, -1);
    return text ? text : "ERR unknown error";
}

static void append_error(
    lua_State *L, const struct script_run *run, struct reply *reply, bool *counted)
{
    struct buffer line = { 0 };
    *counted = false;
    buffer_append_text(&line, error_text(L));
    if (lua_istable(L, -1)) {
        lua_getfield(L, -1, "source");
        lua_getfield(L, -2, "line");
        lua_getfield(L, -3, "ignore_error_stats_update");
        const char *source = lua_tostring(L, -3), *number = lua_tostring(L, -2);
        *counted = lua_toboolean(L, -1);
        if (source && number)
            buffer_printf(&line, " script: %s, on %s:%s.", run->name, source, number);
        lua_pop(L, 3);
    }
    for (size_t i = 0; i < line.len; i++) {
        if (line.data[i] == '\r' || line.data[i] == '\n')
            line.data[i] = ' ';
    }
    reply_error_line(reply, buffer_bytes(&line));
    buffer_free(&line);
}

/* ---- In the midst of a script ---- */

static void hook(lua_State *L, lua_Debug *event)
{
    struct vm *vm = vm_of(L);
    struct script_run *run = vm->run;
    int64_t now = clock_monotonic_us();
    if (run) {
        if (now - run->ticked_us >= TICK_US) {
            run->host->tick(run);
            run->ticked_us = clock_monotonic_us();
        }
        if (!script_must_end(run))
            return;
        /* At every line from now on: what catches the error does not get far. */
        lua_sethook(L, hook, LUA_MASKLINE | LUA_MASKCOUNT, 1000);
        convert_push_error(L, BYTES("Script killed by user with SCRIPT KILL..."), false);
        lua_error(L);
    }
    if (vm->load_deadline_us && now > vm->load_deadline_us) {
        lua_sethook(L, hook, LUA_MASKLINE | LUA_MASKCOUNT, 1000);
        convert_push_error(L, BYTES("FUNCTION LOAD timeout"), false);
        lua_error(L);
    }
}

bool vm_call(
    struct vm *vm, struct script_run *run, int arguments, struct reply *reply, bool *counted)
{
    lua_State *L = vm->L;
    int base = lua_gettop(L) - arguments;
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm->ref_handler);
    lua_insert(L, base);
    vm->run = run;
    lua_sethook(L, hook, LUA_MASKCOUNT, HOOK_COUNT);
    bool ok = lua_pcall(L, arguments, 1, base) == 0;
    lua_sethook(L, NULL, 0, 0);
    vm->run = NULL;
    if (script_course(run) == SCRIPT_STARTS_OVER)
        ; /* as if it had never been */
    else if (ok)
        convert_reply(L, reply, run->protocol, counted);
    else
        append_error(L, run, reply, counted);
    lua_settop(L, base - 1);
    return ok;
}

bool vm_load(struct vm *vm, struct library *library, int64_t deadline_us, struct error *error)
{
    lua_State *L = vm->L;
    int base = lua_gettop(L);
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm->ref_library_globals);
    sandbox_set_globals(L);
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm->ref_handler);
    lua_insert(L, base);
    vm->loading = library;
    vm->load_deadline_us = deadline_us;
    if (deadline_us)
        lua_sethook(L, hook, LUA_MASKCOUNT, HOOK_COUNT);
    bool ok = lua_pcall(L, 0, 0, base) == 0;
    lua_sethook(L, NULL, 0, 0);
    vm->loading = NULL;
    vm->load_deadline_us = 0;
    if (!ok)
        error_set(error, "Error registering functions: %s", error_text(L));
    lua_settop(L, base - 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm->ref_globals);
    sandbox_set_globals(L);
    return ok;
}

bool vm_compile(struct vm *vm, struct bytes text, const char *name, struct error *error)
{
    if (sandbox_load(vm->L, text.data, text.len, name) == 0)
        return true;
    error_set(error, "%s", lua_tostring(vm->L, -1));
    lua_pop(vm->L, 1);
    return false;
}

/* ---- Arguments ---- */

void vm_push_array(struct vm *vm, const struct bytes *items, size_t count)
{
    lua_createtable(vm->L, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        lua_pushlstring(vm->L, items[i].data ? items[i].data : "", items[i].len);
        lua_rawseti(vm->L, -2, (int)i + 1);
    }
}

void vm_set_arguments(struct vm *vm, const struct bytes *keys, size_t key_count,
    const struct bytes *args, size_t arg_count)
{
    lua_State *L = vm->L;
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm->ref_globals);
    lua_pushliteral(L, "KEYS");
    vm_push_array(vm, keys, key_count);
    lua_rawset(L, -3);
    lua_pushliteral(L, "ARGV");
    vm_push_array(vm, args, arg_count);
    lua_rawset(L, -3);
    lua_pop(L, 1);
}

/* ---- Life ---- */

static int panic(lua_State *L)
{
    log_write(LOG_WARNING, "Lua gave up: %s", lua_tostring(L, -1));
    abort();
}

/* Opens a library and sets it, locked, in the table at the index. */
static void add_library(lua_State *L, int globals, lua_CFunction open, const char *name)
{
    lua_pushcfunction(L, open);
    lua_call(L, 0, 1);
    sandbox_lock(L);
    lua_setfield(L, globals, name);
}

static int keep(lua_State *L)
{
    lua_pushvalue(L, -1);
    return luaL_ref(L, LUA_REGISTRYINDEX);
}

static void open_globals(struct vm *vm)
{
    lua_State *L = vm->L;
    sandbox_open(L);
    int globals = lua_gettop(L);
    lua_getfield(L, globals, "math");
    lib_random_register(L, &vm->random);
    sandbox_lock(L);
    lua_setfield(L, globals, "math");
    add_library(L, globals, luaopen_cjson, "cjson");
    add_library(L, globals, lib_bit_open, "bit");
    add_library(L, globals, lib_struct_open, "struct");
    add_library(L, globals, lib_cmsgpack_open, "cmsgpack");
    api_push(L, vm->kind);
    sandbox_lock(L);
    lua_setfield(L, globals, "redis");
    lua_pushcfunction(L, handle_error);
    vm->ref_handler = keep(L);
    if (vm->kind == VM_EVAL)
        lua_setfield(L, globals, "__redis__err__handler");
    else
        lua_pop(L, 1);
}

struct vm *vm_create(enum vm_kind kind)
{
    struct vm *vm = memory_alloc_zeroed(1, sizeof(*vm));
    vm->kind = kind;
    vm->random.state = LIB_RANDOM_START;
    vm->L = lua_newstate(allocate, vm);
    if (!vm->L)
        memory_exhausted(sizeof(*vm));
    lua_State *L = vm->L;
    lua_atpanic(L, panic);
    open_globals(vm);
    vm->ref_globals = keep(L);
    lua_pushvalue(L, -1);
    sandbox_set_globals(L);
    lua_pushvalue(L, LUA_GLOBALSINDEX); /* locked */
    lua_setfield(L, -2, "_G");
    lua_pop(L, 1);
    if (kind == VM_FUNCTIONS) {
        lua_newtable(L);
        api_push_loading(L);
        sandbox_lock(L);
        lua_setfield(L, -2, "redis");
        vm->ref_library_globals = luaL_ref(L, LUA_REGISTRYINDEX);
    }
    return vm;
}

void vm_destroy(struct vm *vm)
{
    lua_close(vm->L);
    free(vm);
}
