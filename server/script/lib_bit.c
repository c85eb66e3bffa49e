/* The bit library: a number is taken modulo 2^32, results are signed. */
#include "server/script/libraries.h"

#include <lua5.1/lauxlib.h>

/* The way of the original: adding 2^52 + 2^51 leaves the integer in the low bits of the double,
 * rounded to the nearest even. */
static uint32_t argument(lua_State *L, int index)
{
    union {
        double number;
        uint64_t bits;
    } value = { luaL_checknumber(L, index) };
    value.number += 6755399441055744.0;
    return (uint32_t)value.bits;
}

static int result(lua_State *L, uint32_t value)
{
    lua_pushnumber(L, (int32_t)value);
    return 1;
}

static int tobit(lua_State *L)
{
    return result(L, argument(L, 1));
}

static int bnot(lua_State *L)
{
    return result(L, ~argument(L, 1));
}

static int bswap(lua_State *L)
{
    return result(L, __builtin_bswap32(argument(L, 1)));
}

static int band(lua_State *L)
{
    uint32_t value = argument(L, 1);
    for (int i = 2; i <= lua_gettop(L); i++)
        value &= argument(L, i);
    return result(L, value);
}

static int bor(lua_State *L)
{
    uint32_t value = argument(L, 1);
    for (int i = 2; i <= lua_gettop(L); i++)
        value |= argument(L, i);
    return result(L, value);
}

static int bxor(lua_State *L)
{
    uint32_t value = argument(L, 1);
    for (int i = 2; i <= lua_gettop(L); i++)
        value ^= argument(L, i);
    return result(L, value);
}

static int lshift(lua_State *L)
{
    uint32_t value = argument(L, 1), count = argument(L, 2) & 31;
    return result(L, value << count);
}

static int rshift(lua_State *L)
{
    uint32_t value = argument(L, 1), count = argument(L, 2) & 31;
    return result(L, value >> count);
}

static int arshift(lua_State *L)
{
    uint32_t value = argument(L, 1), count = argument(L, 2) & 31;
    return result(L, (uint32_t)((int32_t)value >> count));
}

static int rol(lua_State *L)
{
    uint32_t value = argument(L, 1), count = argument(L, 2) & 31;
    return result(L, value << count | value >> (-count & 31));
}

static int ror(lua_State *L)
{
    uint32_t value = argument(L, 1), count = argument(L, 2) & 31;
    return result(L, value >> count | value << (-count & 31));
}

/* A negative number of digits means capitals. */
static int tohex(lua_State *L)
{
    uint32_t value = argument(L, 1);
    int32_t count = lua_isnone(L, 2) ? 8 : (int32_t)argument(L, 2);
    const char *digits = "0123456789abcdef";
    char text[8];
    if (count < 0) {
        digits = "0123456789ABCDEF";
        count = (int32_t)(0u - (uint32_t)count);
    }
    if (count > 8 || count < 0)
        count = 8;
    for (int i = count - 1; i >= 0; i--, value >>= 4)
        text[i] = digits[value & 15];
    lua_pushlstring(L, text, (size_t)count);
    return 1;
}

static const luaL_Reg functions[] = { { "tobit", tobit }, { "bnot", bnot }, { "band", band },
    { "bor", bor }, { "bxor", bxor }, { "lshift", lshift }, { "rshift", rshift },
    { "arshift", arshift }, { "rol", rol }, { "ror", ror }, { "bswap", bswap }, { "tohex", tohex },
    { NULL, NULL } };

int lib_bit_open(lua_State *L)
{
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    return 1;
}
