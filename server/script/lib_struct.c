/* The struct library: values to binary structures and back, by a format of letters. Numbers behind
 * a letter are sizes; > < and ! set the order of bytes and the alignment for what follows. */
#include "server/script/libraries.h"

#include <ctype.h>
#include <limits.h>
#include <lua5.1/lauxlib.h>
#include <stdbool.h>
#include <string.h>

enum { INTEGER_MAX = 32, ALIGN_MAX = 8 };

struct format {
    const char *at;
    bool big;
    size_t align;
};

static struct format format_of(lua_State *L)
{
    return (struct format){ luaL_checkstring(L, 1), false, 1 };
}

static size_t read_size(lua_State *L, struct format *format, int otherwise)
{
    if (!isdigit((unsigned char)*format->at))
        return (size_t)otherwise;
    int size = 0;
    for (; isdigit((unsigned char)*format->at); format->at++) {
        int digit = *format->at - '0';
        if (size > INT_MAX / 10 || size * 10 > INT_MAX - digit)
            luaL_error(L, "integral size overflow");
        size = size * 10 + digit;
    }
    return (size_t)size;
}

/* Bytes that the option takes; 0 where its value says, or it takes none. */
static size_t size_of(lua_State *L, char option, struct format *format)
{
    switch (option) {
    case 'b':
    case 'B':
    case 'x':
        return 1;
    case 'h':
    case 'H':
        return sizeof(short);
    case 'l':
    case 'L':
        return sizeof(long);
    case 'T':
        return sizeof(size_t);
    case 'f':
        return sizeof(float);
    case 'd':
        return sizeof(double);
    case 'c':
        return read_size(L, format, 1);
    case 'i':
    case 'I': {
        size_t size = read_size(L, format, sizeof(int));
        if (size > INTEGER_MAX)
            luaL_error(L, "integral size %d is larger than limit of %d", (int)size, INTEGER_MAX);
        return size;
    }
    default:
        return 0;
    }
}

/* Bytes to skip so that what comes stands where its size wants it. */
static size_t padding(const struct format *format, char option, size_t at, size_t size)
{
    if (size == 0 || option == 'c')
        return 0;
    if (size > format->align)
        size = format->align;
    return (size - (at & (size - 1))) & (size - 1);
}

static void control(lua_State *L, char option, struct format *format)
{
    switch (option) {
    case ' ':
        return;
    case '>':
    case '<':
        format->big = option == '>';
        return;
    case '!': {
        size_t align = read_size(L, format, ALIGN_MAX);
        if (align == 0 || (align & (align - 1)) != 0)
            luaL_error(L, "alignment %d is not a power of 2", (int)align);
        format->align = align;
        return;
    }
    default:
        luaL_argerror(L, 1, lua_pushfstring(L, "invalid format option '%c'", option));
    }
}

/* To or from the order of the machine. */
static void order(const struct format *format, char *bytes, size_t len)
{
    for (size_t i = 0; format->big && i < len / 2; i++) {
        char kept = bytes[i];
        bytes[i] = bytes[len - 1 - i];
        bytes[len - 1 - i] = kept;
    }
}

/* ---- Packing ---- */

/* A double as an integer of 64 bits, as the machine's conversion would make it. */
static uint64_t to_integer(double number)
{
    if (number < 0)
        return number >= -9223372036854775808.0 ? (uint64_t)(int64_t)number : 1ULL << 63;
    if (number < 18446744073709551616.0)
        return (uint64_t)number;
    return number == number ? 0 : 1ULL << 63;
}

static void put_integer(luaL_Buffer *out, const struct format *format, double number, size_t size)
{
    char bytes[INTEGER_MAX] = { 0 };
    uint64_t value = to_integer(number);
    for (size_t i = 0; i < size && i < sizeof(value); i++, value >>= 8)
        bytes[i] = (char)value;
    order(format, bytes, size);
    luaL_addlstring(out, bytes, size);
}

static void put_float(luaL_Buffer *out, const struct format *format, double number, bool single)
{
    float small = (float)number;
    char bytes[sizeof(double)];
    size_t size = single ? sizeof(small) : sizeof(number);
    memcpy(bytes, single ? (void *)&small : (void *)&number, size);
    order(format, bytes, size);
    luaL_addlstring(out, bytes, size);
}

static size_t put_text(lua_State *L, luaL_Buffer *out, char option, int *argument, size_t size)
{
    size_t len;
    const char *text = luaL_checklstring(L, (*argument)++, &len);
    if (size == 0)
        size = len;
    luaL_argcheck(L, len >= size, *argument, "string too short");
    luaL_addlstring(out, text, size);
    if (option == 's') {
        luaL_addchar(out, '\0');
        size++;
    }
    return size;
}

static int struct_pack(lua_State *L)
{
    struct format format = format_of(L);
    luaL_Buffer out;
    int argument = 2;
    size_t total = 0;
    lua_pushnil(L); /* arguments end here: behind it stands what the buffer needs */
    luaL_buffinit(L, &out);
    while (*format.at) {
        char option = *format.at++;
        size_t size = size_of(L, option, &format);
        size_t skip = padding(&format, option, total, size);
        total += skip;
        while (skip-- > 0)
            luaL_addchar(&out, '\0');
        if (strchr("bBhHlLTiI", option))
            put_integer(&out, &format, luaL_checknumber(L, argument++), size);
        else if (option == 'f' || option == 'd')
            put_float(&out, &format, luaL_checknumber(L, argument++), option == 'f');
        else if (option == 'x')
            luaL_addchar(&out, '\0');
        else if (option == 'c' || option == 's')
            size = put_text(L, &out, option, &argument, size);
        else
            control(L, option, &format);
        total += size;
    }
    luaL_pushresult(&out);
    return 1;
}

/* ---- Unpacking ---- */

static void get_integer(
    lua_State *L, const struct format *format, const char *data, size_t size, bool is_signed)
{
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value = value << 8 | (unsigned char)data[format->big ? i : size - 1 - i];
    if (!is_signed) {
        lua_pushnumber(L, (lua_Number)value);
        return;
    }
    uint64_t mask = ~0ULL << ((size * 8 - 1) & 63);
    if (value & mask)
        value |= mask;
    lua_pushnumber(L, (lua_Number)(int64_t)value);
}

static void get_float(lua_State *L, const struct format *format, const char *data, bool single)
{
    char bytes[sizeof(double)];
    float small;
    double number;
    size_t size = single ? sizeof(small) : sizeof(number);
    memcpy(bytes, data, size);
    order(format, bytes, size);
    memcpy(single ? (void *)&small : (void *)&number, bytes, size);
    lua_pushnumber(L, single ? (double)small : number);
}

/* The length of a string whose size the number before it says. */
static size_t take_size(lua_State *L, int *count, size_t left)
{
    if (*count == 0 || !lua_isnumber(L, -1))
        luaL_error(L, "format 'c0' needs a previous size");
    double size = lua_tonumber(L, -1);
    lua_pop(L, 1);
    (*count)--;
    luaL_argcheck(L, size >= 0 && size <= (double)left, 2, "data string too short");
    return (size_t)size;
}

static size_t get_text(lua_State *L, const char *data, size_t left)
{
    const char *end = memchr(data, '\0', left);
    if (!end)
        luaL_error(L, "unfinished string in data");
    lua_pushlstring(L, data, (size_t)(end - data));
    return (size_t)(end - data) + 1;
}

static int struct_unpack(lua_State *L)
{
    struct format format = format_of(L);
    size_t len;
    const char *data = luaL_checklstring(L, 2, &len);
    size_t at = (size_t)luaL_optinteger(L, 3, 1);
    luaL_argcheck(L, at > 0, 3, "offset must be 1 or greater");
    at--;
    int count = 0;
    lua_settop(L, 2);
    while (*format.at) {
        char option = *format.at++;
        size_t size = size_of(L, option, &format);
        luaL_argcheck(L, size <= len, 2, "data string too short");
        at += padding(&format, option, at, size);
        luaL_argcheck(L, at <= len - size, 2, "data string too short");
        luaL_checkstack(L, 2, "too many results");
        const char *here = data + at;
        bool pushed = true;
        if (strchr("bBhHlLTiI", option)) {
            get_integer(L, &format, here, size, islower((unsigned char)option));
        } else if (option == 'f' || option == 'd') {
            get_float(L, &format, here, option == 'f');
        } else if (option == 'c') {
            if (size == 0)
                size = take_size(L, &count, len - at);
            lua_pushlstring(L, here, size);
        } else if (option == 's') {
            size = get_text(L, here, len - at);
        } else {
            pushed = false;
            if (option != 'x')
                control(L, option, &format);
        }
        count += pushed;
        at += size;
    }
    lua_pushinteger(L, (lua_Integer)(at + 1));
    return count + 1;
}

static int struct_size(lua_State *L)
{
    struct format format = format_of(L);
    size_t total = 0;
    while (*format.at) {
        char option = *format.at++;
        size_t size = size_of(L, option, &format);
        total += padding(&format, option, total, size);
        if (option == 's')
            luaL_argerror(L, 1, "option 's' has no fixed size");
        if (option == 'c' && size == 0)
            luaL_argerror(L, 1, "option 'c0' has no fixed size");
        if (!isalnum((unsigned char)option))
            control(L, option, &format);
        total += size;
    }
    lua_pushinteger(L, (lua_Integer)total);
    return 1;
}

static const luaL_Reg functions[] = { { "pack", struct_pack }, { "unpack", struct_unpack },
    { "size", struct_size }, { NULL, NULL } };

int lib_struct_open(lua_State *L)
{
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    return 1;
}
