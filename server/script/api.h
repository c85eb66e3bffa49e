/* The table `redis`. */
#ifndef SERVER_SCRIPT_API_H
#define SERVER_SCRIPT_API_H

#include "server/script/vm.h"

/* Pushes it, still open: what scripts of the kind see while they run. */
void api_push(lua_State *L, enum vm_kind kind);
/* What a library sees while it is loaded. */
void api_push_loading(lua_State *L);

#endif
