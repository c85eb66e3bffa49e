/* The numbers of drand48: x = x * 0x5DEECE66D + 11 modulo 2^48, of which the upper 31 bits are
 * used. They are the same on every machine; each state of Lua has a sequence of its own. */
#include "server/script/libraries.h"

#include <lua5.1/lauxlib.h>
#include <math.h>

enum { UPPER = 0x7fffffff };

void lib_random_seed(struct lib_random *random, int32_t seed)
{
    random->state = (uint64_t)(uint32_t)seed << 16 | 0x330e;
}

static int32_t draw(struct lib_random *random)
{
    random->state = (random->state * 0x5deece66dULL + 11) & 0xffffffffffffULL;
    return (int32_t)(random->state >> 17);
}

static struct lib_random *generator(lua_State *L)
{
    return lua_touserdata(L, lua_upvalueindex(1));
}

static int math_random(lua_State *L)
{
    lua_Number part = (lua_Number)(draw(generator(L)) % UPPER) / (lua_Number)UPPER;
    switch (lua_gettop(L)) {
    case 0:
        lua_pushnumber(L, part);
        return 1;
    case 1: {
        int upper = luaL_checkint(L, 1);
        luaL_argcheck(L, 1 <= upper, 1, "interval is empty");
        lua_pushnumber(L, floor(part * upper) + 1);
        return 1;
    }
    case 2: {
        int lower = luaL_checkint(L, 1), upper = luaL_checkint(L, 2);
        luaL_argcheck(L, lower <= upper, 2, "interval is empty");
        lua_pushnumber(L, floor(part * ((lua_Number)upper - lower + 1)) + lower);
        return 1;
    }
    default:
        return luaL_error(L, "wrong number of arguments");
    }
}

static int math_randomseed(lua_State *L)
{
    lib_random_seed(generator(L), luaL_checkint(L, 1));
    return 0;
}

void lib_random_register(lua_State *L, struct lib_random *random)
{
    lua_pushlightuserdata(L, random);
    lua_pushcclosure(L, math_random, 1);
    lua_setfield(L, -2, "random");
    lua_pushlightuserdata(L, random);
    lua_pushcclosure(L, math_randomseed, 1);
    lua_setfield(L, -2, "randomseed");
}
