/* Lua 5.1 knows no table that cannot be changed. Such a table here is a pair: the real one, which
 * no script ever gets hold of, and an empty one with a metatable that reads from the real one and
 * refuses to write. What would go around the metatable (rawset, next, setmetatable, table.insert
 * ...) is replaced by functions that know a locked table by its metatable and treat it as Redis's
 * Lua treats a read-only one.
 *
 * All code of a state runs in one environment, the locked globals, whose real table can be
 * exchanged: a library of functions sees little while it is loaded and all when it runs. */
#include "server/script/sandbox.h"

#include <string.h>

static const char real_key, globals_key, string_key; /* addresses are the keys */

static const char readonly_text[] = "Attempt to modify a readonly table";

/* ---- Locked tables ---- */

/* Pushes the real table behind a locked one at the index; nothing and false where it is none. */
static bool push_real(lua_State *L, int index)
{
    if (!lua_istable(L, index) || !lua_getmetatable(L, index))
        return false;
    lua_pushlightuserdata(L, (void *)&real_key);
    lua_rawget(L, -2);
    lua_remove(L, -2);
    if (lua_istable(L, -1))
        return true;
    lua_pop(L, 1);
    return false;
}

static bool is_locked(lua_State *L, int index)
{
    bool locked = push_real(L, index);
    if (locked)
        lua_pop(L, 1);
    return locked;
}

static int refuse_write(lua_State *L)
{
    return luaL_error(L, "%s", readonly_text);
}

/* Of functions that would write: no position stands before the text there. */
static void refuse_locked(lua_State *L, int index)
{
    if (is_locked(L, index)) {
        lua_pushstring(L, readonly_text);
        lua_error(L);
    }
}

static int refuse_name(lua_State *L)
{
    if (!lua_isstring(L, 2))
        return luaL_error(
            L, "Second argument to luaProtectedTableError must be a string or number");
    return luaL_error(
        L, "Script attempted to access nonexistent global variable '%s'", lua_tostring(L, 2));
}

static void set_real(lua_State *L, int metatable, int real)
{
    lua_pushvalue(L, real);
    lua_setfield(L, metatable, "__index");
    lua_pushlightuserdata(L, (void *)&real_key);
    lua_pushvalue(L, real);
    lua_rawset(L, metatable);
}

void sandbox_lock(lua_State *L)
{
    int real = lua_gettop(L);
    lua_newtable(L);
    lua_newtable(L);
    set_real(L, real + 2, real);
    lua_pushcfunction(L, refuse_write);
    lua_setfield(L, real + 2, "__newindex");
    lua_setmetatable(L, real + 1);
    lua_replace(L, real);
}

void sandbox_require_names(lua_State *L)
{
    lua_newtable(L);
    lua_pushcfunction(L, refuse_name);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -2);
}

void sandbox_set_globals(lua_State *L)
{
    sandbox_require_names(L);
    int real = lua_gettop(L);
    lua_pushlightuserdata(L, (void *)&globals_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
    if (lua_istable(L, -1)) {
        lua_getmetatable(L, -1);
        set_real(L, real + 2, real);
        lua_settop(L, real - 1);
        return;
    }
    lua_pop(L, 1);
    sandbox_lock(L);
    lua_pushlightuserdata(L, (void *)&globals_key);
    lua_pushvalue(L, real);
    lua_rawset(L, LUA_REGISTRYINDEX);
    lua_replace(L, LUA_GLOBALSINDEX);
}

int sandbox_load(lua_State *L, const char *text, size_t len, const char *name)
{
    if (len > 0 && text[0] == LUA_SIGNATURE[0]) {
        /* The parser's words about another character that is none, with this one's number. */
        int status = luaL_loadbuffer(L, "\1", 1, name);
        luaL_gsub(L, lua_tostring(L, -1), "'char(1)'", "'char(27)'");
        lua_remove(L, -2);
        return status;
    }
    /* The parser does not hold on to all that it makes: nothing may be collected meanwhile. */
    lua_gc(L, LUA_GCSTOP, 0);
    int status = luaL_loadbuffer(L, text, len, name);
    lua_gc(L, LUA_GCRESTART, 0);
    return status;
}

/* ---- Functions in the place of Lua's own ---- */

static int base_next(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 2);
    if (push_real(L, 1))
        lua_replace(L, 1);
    if (lua_next(L, 1))
        return 2;
    lua_pushnil(L);
    return 1;
}

static int base_pairs(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushvalue(L, 1);
    lua_pushnil(L);
    return 3;
}

static int base_rawget(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checkany(L, 2);
    lua_settop(L, 2);
    if (push_real(L, 1))
        lua_replace(L, 1);
    lua_rawget(L, 1);
    return 1;
}

static int base_rawset(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checkany(L, 2);
    luaL_checkany(L, 3);
    lua_settop(L, 3);
    refuse_locked(L, 1);
    lua_rawset(L, 1);
    return 1;
}

/* Of a locked table: that of the real one, itself locked. */
static int base_getmetatable(lua_State *L)
{
    luaL_checkany(L, 1);
    if (lua_type(L, 1) == LUA_TSTRING) {
        lua_pushlightuserdata(L, (void *)&string_key);
        lua_rawget(L, LUA_REGISTRYINDEX);
        return 1;
    }
    bool locked = push_real(L, 1);
    if (!lua_getmetatable(L, locked ? -1 : 1)) {
        lua_pushnil(L);
        return 1;
    }
    if (locked)
        sandbox_lock(L);
    else
        luaL_getmetafield(L, 1, "__metatable"); /* nothing where there is none */
    return 1;
}

static int base_setmetatable(lua_State *L)
{
    int type = lua_type(L, 2);
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_argcheck(L, type == LUA_TNIL || type == LUA_TTABLE, 2, "nil or table expected");
    refuse_locked(L, 1);
    if (luaL_getmetafield(L, 1, "__metatable"))
        return luaL_error(L, "cannot change a protected metatable");
    lua_settop(L, 2);
    lua_setmetatable(L, 1);
    return 1;
}

/* An error that is a table comes as the text in it, as scripts of old expect. */
static int base_pcall(lua_State *L)
{
    int count = lua_gettop(L);
    lua_pushboolean(L, 1);
    lua_insert(L, 1);
    if (lua_pcall(L, count - 1, LUA_MULTRET, 0) != 0) {
        if (lua_istable(L, -1)) {
            lua_getfield(L, -1, "err");
            if (lua_isstring(L, -1))
                lua_replace(L, -2);
            else
                lua_pop(L, 1);
        }
        lua_pushboolean(L, 0);
        lua_replace(L, 1);
        if (lua_gettop(L) == 1)
            lua_insert(L, 1);
    }
    return lua_gettop(L);
}

static int load_result(lua_State *L, int status)
{
    if (status == 0)
        return 1;
    lua_pushnil(L);
    lua_insert(L, -2);
    return 2;
}

static int base_loadstring(lua_State *L)
{
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    const char *name = luaL_optstring(L, 2, text);
    return load_result(L, sandbox_load(L, text, len, name));
}

/* The pieces are gathered before the parser sees them, so that no code of the script runs while it
 * does. */
static int base_load(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    const char *name = luaL_optstring(L, 2, "=(load)");
    lua_settop(L, 3);
    lua_pushliteral(L, "");
    for (;;) {
        lua_pushvalue(L, 1);
        lua_call(L, 0, 1);
        if (lua_isnil(L, -1) || (lua_isstring(L, -1) && lua_objlen(L, -1) == 0))
            break;
        if (!lua_isstring(L, -1)) { /* as the handler of errors leaves it in Redis */
            lua_pushnil(L);
            lua_newtable(L);
            lua_pushliteral(L, "ERR ");
            luaL_where(L, 1);
            lua_pushliteral(L, "reader function must return a string");
            lua_concat(L, 3);
            lua_setfield(L, -2, "err");
            return 2;
        }
        lua_concat(L, 2);
    }
    size_t len;
    const char *text = lua_tolstring(L, 4, &len);
    return load_result(L, sandbox_load(L, text, len, name));
}

static int table_insert(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    int end = (int)lua_objlen(L, 1) + 1, at = end;
    switch (lua_gettop(L)) {
    case 2:
        break;
    case 3:
        at = luaL_checkint(L, 2);
        if (at > end)
            end = at;
        for (int i = end; i > at; i--) {
            lua_rawgeti(L, 1, i - 1);
            lua_rawseti(L, 1, i);
        }
        break;
    default:
        return luaL_error(L, "wrong number of arguments to 'insert'");
    }
    refuse_locked(L, 1);
    lua_rawseti(L, 1, at);
    return 0;
}

static int table_foreach(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_settop(L, 2);
    if (push_real(L, 1))
        lua_replace(L, 1);
    lua_pushnil(L);
    while (lua_next(L, 1)) {
        lua_pushvalue(L, 2);
        lua_pushvalue(L, -3);
        lua_pushvalue(L, -3);
        lua_call(L, 2, 1);
        if (!lua_isnil(L, -1))
            return 1;
        lua_pop(L, 2);
    }
    return 0;
}

/* ---- What there is ---- */

/* Global functions that scripts see as Lua has them. */
static const char *const base_names[] = { "_VERSION", "assert", "collectgarbage", "coroutine",
    "error", "gcinfo", "ipairs", "rawequal", "select", "tonumber", "tostring", "type", "unpack",
    "xpcall", NULL };

static const luaL_Reg base_functions[] = { { "next", base_next }, { "rawget", base_rawget },
    { "rawset", base_rawset }, { "getmetatable", base_getmetatable },
    { "setmetatable", base_setmetatable }, { "pcall", base_pcall },
    { "loadstring", base_loadstring }, { "load", base_load }, { NULL, NULL } };

static const luaL_Reg table_functions[] = { { "insert", table_insert },
    { "foreach", table_foreach }, { NULL, NULL } };

static void open_library(lua_State *L, lua_CFunction open, const char *name)
{
    lua_pushcfunction(L, open);
    lua_pushstring(L, name);
    lua_call(L, 1, 0);
}

static void open_table(lua_State *L, int globals)
{
    open_library(L, luaopen_table, LUA_TABLIBNAME);
    lua_getglobal(L, LUA_TABLIBNAME);
    luaL_register(L, NULL, table_functions);
    sandbox_lock(L);
    lua_setfield(L, globals, LUA_TABLIBNAME);
}

/* Lua itself finds the methods of strings in the real table; scripts see locked ones. */
static void open_string(lua_State *L, int globals)
{
    open_library(L, luaopen_string, LUA_STRLIBNAME);
    lua_getglobal(L, LUA_STRLIBNAME);
    sandbox_lock(L);
    lua_newtable(L);
    lua_pushvalue(L, -2);
    lua_setfield(L, -2, "__index");
    sandbox_lock(L);
    lua_pushlightuserdata(L, (void *)&string_key);
    lua_insert(L, -2);
    lua_rawset(L, LUA_REGISTRYINDEX);
    lua_setfield(L, globals, LUA_STRLIBNAME);
}

void sandbox_open(lua_State *L)
{
    open_library(L, luaopen_base, "");
    lua_newtable(L);
    int globals = lua_gettop(L);
    for (const char *const *name = base_names; *name; name++) {
        lua_getglobal(L, *name);
        if (lua_istable(L, -1))
            sandbox_lock(L);
        lua_setfield(L, globals, *name);
    }
    luaL_register(L, NULL, base_functions);
    lua_getfield(L, globals, "next");
    lua_pushcclosure(L, base_pairs, 1);
    lua_setfield(L, globals, "pairs");
    open_table(L, globals);
    open_string(L, globals);
    open_library(L, luaopen_math, LUA_MATHLIBNAME);
    lua_getglobal(L, LUA_MATHLIBNAME);
    lua_setfield(
        L, globals, LUA_MATHLIBNAME); /* the caller puts its own functions in and locks it */
}
