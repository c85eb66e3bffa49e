/* Replies of commands to values of Lua, and results of scripts to replies. */
#ifndef SERVER_SCRIPT_CONVERT_H
#define SERVER_SCRIPT_CONVERT_H

#include "server/command/reply.h"
#include <lua5.1/lua.h>

/* Pushes the first value of the reply. */
void convert_push_reply(lua_State *L, const struct reply *reply);

/* Pushes an error as scripts see it, a table. text: "-CODE words" or just words, which get the code
 * ERR. counted: the statistics have it already. */
void convert_push_error(lua_State *L, struct bytes text, bool counted);

/* Pops a value and appends it to the reply; script_protocol: what setresp said. *counted is set
 * where the result is an error that the statistics have already. */
void convert_reply(lua_State *L, struct reply *reply, int script_protocol, bool *counted);

#endif
