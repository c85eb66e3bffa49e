/* MessagePack. An integer takes as few bytes as it fits into, a fraction four where a float says
 * the same; a table whose keys are 1 to n is an array; what lies more than 16 tables deep, and what
 * is no data, is nil. */
#include "server/script/libraries.h"

#include "common/buffer.h"
#include <endian.h>
#include <lua5.1/lauxlib.h>
#include <math.h>
#include <string.h>

enum { DEPTH_MAX = 16 };

/* ---- Packing ---- */

static void put(luaL_Buffer *out, uint8_t kind, uint64_t value, size_t bytes)
{
    uint64_t big = htobe64(value);
    luaL_addchar(out, (char)kind);
    luaL_addlstring(out, (const char *)&big + sizeof(big) - bytes, bytes);
}

/* A length: in the kind's own byte below `few`, else behind one of the wider kinds. */
static void put_length(
    luaL_Buffer *out, size_t len, size_t few, uint8_t fix, uint8_t kind8, uint8_t kind16)
{
    if (len < few)
        luaL_addchar(out, (char)(fix | len));
    else if (kind8 && len <= UINT8_MAX)
        put(out, kind8, len, 1);
    else if (len <= UINT16_MAX)
        put(out, kind16, len, 2);
    else
        put(out, (uint8_t)(kind16 + 1), len, 4);
}

static void put_integer(luaL_Buffer *out, int64_t value)
{
    if (value >= -32 && value <= INT8_MAX)
        luaL_addchar(out, (char)value);
    else if (value >= 0)
        put(out,
            value <= UINT8_MAX    ? 0xcc
            : value <= UINT16_MAX ? 0xcd
            : value <= UINT32_MAX ? 0xce
                                  : 0xcf,
            (uint64_t)value,
            value <= UINT8_MAX    ? 1
            : value <= UINT16_MAX ? 2
            : value <= UINT32_MAX ? 4
                                  : 8);
    else
        put(out,
            value >= INT8_MIN    ? 0xd0
            : value >= INT16_MIN ? 0xd1
            : value >= INT32_MIN ? 0xd2
                                 : 0xd3,
            (uint64_t)value,
            value >= INT8_MIN    ? 1
            : value >= INT16_MIN ? 2
            : value >= INT32_MIN ? 4
                                 : 8);
}

static void put_number(luaL_Buffer *out, double value)
{
    if (value >= -9223372036854775808.0 && value < 9223372036854775808.0 &&
        (double)(int64_t)value == value) {
        put_integer(out, (int64_t)value);
        return;
    }
    float single = (float)value;
    if (value == (double)single) {
        uint32_t bits;
        memcpy(&bits, &single, sizeof(bits));
        put(out, 0xca, bits, 4);
    } else {
        uint64_t bits;
        memcpy(&bits, &value, sizeof(bits));
        put(out, 0xcb, bits, 8);
    }
}

/* Whether the keys of the table on top are 1 to n, each. */
static bool is_array(lua_State *L, size_t *pairs)
{
    bool array = true;
    double max = 0;
    *pairs = 0;
    lua_pushnil(L);
    while (lua_next(L, -2)) {
        lua_pop(L, 1);
        double key = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : 0;
        array = array && key > 0 && key == floor(key);
        if (array && key > max)
            max = key;
        ++*pairs;
    }
    return array && max == (double)*pairs;
}

/* The bytes of a value: as a string on the stack in the place of the value on top. */
static void pack_value(lua_State *L, int depth);

/* Strings are joined by a luaL_Buffer, which wants the stack below it undisturbed: each value is
 * made a string first and added then. */
static void pack_array(lua_State *L, size_t count, int depth)
{
    luaL_Buffer out;
    int table = lua_gettop(L);
    luaL_buffinit(L, &out);
    put_length(&out, count, 16, 0x90, 0, 0xdc);
    for (size_t i = 1; i <= count; i++) {
        lua_rawgeti(L, table, (int)i);
        pack_value(L, depth + 1);
        luaL_addvalue(&out);
    }
    luaL_pushresult(&out);
}

static void pack_map(lua_State *L, size_t pairs, int depth)
{
    luaL_Buffer out;
    int table = lua_gettop(L);
    lua_pushnil(L); /* the key, below the buffer's own */
    int key = lua_gettop(L);
    luaL_buffinit(L, &out);
    put_length(&out, pairs, 16, 0x80, 0, 0xde);
    for (;;) {
        lua_pushvalue(L, key);
        if (!lua_next(L, table))
            break;
        lua_pushvalue(L, -2);
        lua_replace(L, key);
        lua_insert(L, -2);
        pack_value(L, depth + 1);
        lua_insert(L, -2);
        pack_value(L, depth + 1);
        lua_concat(L, 2);
        luaL_addvalue(&out);
    }
    luaL_pushresult(&out);
    lua_replace(L, key);
}

static void pack_table(lua_State *L, int depth)
{
    size_t pairs;
    if (is_array(L, &pairs))
        pack_array(L, pairs, depth);
    else
        pack_map(L, pairs, depth);
}

static void pack_scalar(lua_State *L)
{
    luaL_Buffer out;
    size_t len;
    int index = lua_gettop(L);
    luaL_buffinit(L, &out);
    switch (lua_type(L, index)) {
    case LUA_TSTRING:
        lua_tolstring(L, index, &len);
        put_length(&out, len, 32, 0xa0, 0xd9, 0xda);
        lua_pushvalue(L, index);
        luaL_addvalue(&out);
        break;
    case LUA_TNUMBER:
        put_number(&out, lua_tonumber(L, index));
        break;
    case LUA_TBOOLEAN:
        luaL_addchar(&out, (char)(lua_toboolean(L, index) ? 0xc3 : 0xc2));
        break;
    default:
        luaL_addchar(&out, (char)0xc0);
    }
    luaL_pushresult(&out);
}

static void pack_value(lua_State *L, int depth)
{
    luaL_checkstack(L, 16, "in function mp_encode_lua_type");
    if (lua_type(L, -1) == LUA_TTABLE && depth == DEPTH_MAX) {
        lua_pop(L, 1);
        lua_pushnil(L);
    }
    if (lua_type(L, -1) == LUA_TTABLE)
        pack_table(L, depth);
    else
        pack_scalar(L);
    lua_remove(L, -2);
}

static int msgpack_pack(lua_State *L)
{
    int count = lua_gettop(L);
    if (count == 0)
        return luaL_argerror(L, 0, "MessagePack pack needs input.");
    luaL_checkstack(L, count, "Too many arguments for MessagePack pack.");
    lua_pushliteral(L, "");
    for (int i = 1; i <= count; i++) {
        lua_pushvalue(L, i);
        pack_value(L, 0);
        lua_concat(L, 2);
    }
    return 1;
}

/* ---- Unpacking ---- */

struct cursor {
    const uint8_t *at;
    size_t left;
};

static void missing(lua_State *L)
{
    luaL_error(L, "Missing bytes in input.");
}

/* The next bytes as a big-endian number. */
static uint64_t get(lua_State *L, struct cursor *in, size_t bytes)
{
    if (in->left < bytes)
        missing(L);
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++)
        value = value << 8 | *in->at++;
    in->left -= bytes;
    return value;
}

static void get_string(lua_State *L, struct cursor *in, uint64_t len)
{
    if (in->left < len)
        missing(L);
    lua_pushlstring(L, (const char *)in->at, (size_t)len);
    in->at += len;
    in->left -= (size_t)len;
}

static void unpack_value(lua_State *L, struct cursor *in);

static void get_array(lua_State *L, struct cursor *in, uint64_t count)
{
    lua_newtable(L);
    luaL_checkstack(L, 2, "in function mp_decode_to_lua_array");
    for (uint64_t i = 1; i <= count; i++) {
        lua_pushnumber(L, (lua_Number)i);
        unpack_value(L, in);
        lua_rawset(L, -3);
    }
}

static void get_map(lua_State *L, struct cursor *in, uint64_t count)
{
    lua_newtable(L);
    for (uint64_t i = 0; i < count; i++) {
        unpack_value(L, in);
        unpack_value(L, in);
        lua_settable(L, -3); /* refuses nil and NaN as a key, with Lua's text */
    }
}

static void get_float(lua_State *L, struct cursor *in)
{
    uint32_t bits = (uint32_t)get(L, in, 4);
    float value;
    memcpy(&value, &bits, sizeof(value));
    lua_pushnumber(L, value);
}

static void get_double(lua_State *L, struct cursor *in)
{
    uint64_t bits = get(L, in, 8);
    double value;
    memcpy(&value, &bits, sizeof(value));
    lua_pushnumber(L, value);
}

static void get_kind(lua_State *L, struct cursor *in, uint8_t kind)
{
    switch (kind) {
    case 0xc0:
        lua_pushnil(L);
        break;
    case 0xc2:
    case 0xc3:
        lua_pushboolean(L, kind == 0xc3);
        break;
    case 0xca:
        get_float(L, in);
        break;
    case 0xcb:
        get_double(L, in);
        break;
    case 0xcc:
    case 0xcd:
    case 0xce:
    case 0xcf:
        lua_pushnumber(L, (lua_Number)get(L, in, (size_t)1 << (kind - 0xcc)));
        break;
    case 0xd0:
        lua_pushnumber(L, (int8_t)get(L, in, 1));
        break;
    case 0xd1:
        lua_pushnumber(L, (int16_t)get(L, in, 2));
        break;
    case 0xd2:
        lua_pushnumber(L, (int32_t)get(L, in, 4));
        break;
    case 0xd3:
        lua_pushnumber(L, (lua_Number)(int64_t)get(L, in, 8));
        break;
    case 0xd9:
    case 0xda:
    case 0xdb:
        get_string(L, in, get(L, in, (size_t)1 << (kind - 0xd9)));
        break;
    case 0xdc:
    case 0xdd:
        get_array(L, in, get(L, in, kind == 0xdc ? 2 : 4));
        break;
    case 0xde:
    case 0xdf:
        get_map(L, in, get(L, in, kind == 0xde ? 2 : 4));
        break;
    default:
        luaL_error(L, "Bad data format in input.");
    }
}

/* How deep the input nests is bounded by the stack, which luaL_checkstack and Lua's count of C
 * calls bound in turn: this recursion is in C alone, so it counts by the stack's growth. */
static void unpack_value(lua_State *L, struct cursor *in)
{
    luaL_checkstack(
        L, 1, "too many return values at once; use unpack_one or unpack_limit instead.");
    uint8_t kind = (uint8_t)get(L, in, 1);
    if (kind < 0x80)
        lua_pushnumber(L, kind);
    else if (kind >= 0xe0)
        lua_pushnumber(L, (int8_t)kind);
    else if (kind < 0x90)
        get_map(L, in, kind & 15);
    else if (kind < 0xa0)
        get_array(L, in, kind & 15);
    else if (kind < 0xc0)
        get_string(L, in, kind & 31);
    else
        get_kind(L, in, kind);
}

/* Values from the offset on, at most `limit` of them (0: all). With a limit the offset of what is
 * left, or -1, comes before them. */
static int unpack_from(lua_State *L, int limit, int offset)
{
    size_t len;
    const char *data = luaL_checklstring(L, 1, &len);
    if (offset < 0 || limit < 0)
        return luaL_error(
            L, "Invalid request to unpack with offset of %d and limit of %d.", offset, (int)len);
    if ((size_t)offset > len)
        return luaL_error(L, "Start offset %d greater than input length %d.", offset, (int)len);
    bool all = limit == 0;
    struct cursor in = { (const uint8_t *)data + offset, len - (size_t)offset };
    int count = 0;
    for (; in.left > 0 && (all || count < limit); count++)
        unpack_value(L, &in);
    if (!all) {
        luaL_checkstack(L, 1, "in function mp_unpack_full");
        lua_pushnumber(L, in.left == 0 ? -1 : (lua_Number)(len - in.left));
        lua_insert(L, -1 - count);
        count++;
    }
    return count;
}

static int msgpack_unpack(lua_State *L)
{
    return unpack_from(L, 0, 0);
}

static int msgpack_unpack_one(lua_State *L)
{
    int offset = luaL_optint(L, 2, 0);
    lua_settop(L, 1);
    return unpack_from(L, 1, offset);
}

static int msgpack_unpack_limit(lua_State *L)
{
    int limit = luaL_checkint(L, 2);
    int offset = luaL_optint(L, 3, 0);
    lua_settop(L, 1);
    return unpack_from(L, limit, offset);
}

static const luaL_Reg functions[] = { { "pack", msgpack_pack }, { "unpack", msgpack_unpack },
    { "unpack_one", msgpack_unpack_one }, { "unpack_limit", msgpack_unpack_limit },
    { NULL, NULL } };

int lib_cmsgpack_open(lua_State *L)
{
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    lua_pushliteral(L, "cmsgpack");
    lua_setfield(L, -2, "_NAME");
    lua_pushliteral(L, "lua-cmsgpack 0.4.0");
    lua_setfield(L, -2, "_VERSION");
    lua_pushliteral(L, "Copyright (C) 2012, Salvatore Sanfilippo");
    lua_setfield(L, -2, "_COPYRIGHT");
    lua_pushliteral(L, "MessagePack C implementation for Lua");
    lua_setfield(L, -2, "_DESCRIPTION");
    return 1;
}
