/* What scripts may see of Lua, and nothing of it to change: tables that are locked, functions that
 * respect the locks, and no way to the world outside. */
#ifndef SERVER_SCRIPT_SANDBOX_H
#define SERVER_SCRIPT_SANDBOX_H

#include <lua5.1/lauxlib.h>
#include <lua5.1/lua.h>
#include <lua5.1/lualib.h>
#include <stdbool.h>
#include <stddef.h>

/* Opens what scripts may use of Lua's own libraries in a fresh state and leaves on the stack a
 * table of the global names, still open for more. */
void sandbox_open(lua_State *L);

/* Locks the table on top of the stack: what scripts get in its place is an empty table that shows
 * its contents and refuses changes, and that is what replaces it on the stack. */
void sandbox_lock(lua_State *L);

/* Locks the globals on top of the stack as sandbox_lock does (a name that is not there is an error,
 * though), makes them the environment of all code that is loaded from now on, and pops them. The
 * place stays the same when it is called again: code that has been loaded sees the new globals. */
void sandbox_set_globals(lua_State *L);

/* Makes a name that is not in the table on top of the stack an error. */
void sandbox_require_names(lua_State *L);

/* Compiles text, never bytecode. As luaL_loadbuffer. */
int sandbox_load(lua_State *L, const char *text, size_t len, const char *name);

#endif
