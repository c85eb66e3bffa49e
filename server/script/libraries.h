/* The libraries that scripts have beside Lua's own. Each opener leaves its table on the stack. */
#ifndef SERVER_SCRIPT_LIBRARIES_H
#define SERVER_SCRIPT_LIBRARIES_H

#include <lua5.1/lua.h>
#include <stdint.h>

int lib_bit_open(lua_State *L);      /* operations on 32-bit integers */
int lib_struct_open(lua_State *L);   /* binary structures */
int lib_cmsgpack_open(lua_State *L); /* MessagePack */

/* math.random and math.randomseed, with the numbers that Redis has. Replaces those in the math
 * table on top of the stack; the generator's state is the caller's. */
#define LIB_RANDOM_START 0x1234abcd330eULL
struct lib_random {
    uint64_t state; /* 48 bits, at first LIB_RANDOM_START */
};
void lib_random_seed(struct lib_random *random, int32_t seed);
void lib_random_register(lua_State *L, struct lib_random *random);

#endif
