/* The two directions are not each other's mirror: what RESP2 cannot say (false and null are one,
 * numbers are integers) is as clients of scripts know it, and RESP3's types are tables with one
 * field that names the type. */
#include "server/script/convert.h"

#include "common/number.h"
#include <lua5.1/lauxlib.h>
#include <stdlib.h>

/* ---- From a reply ---- */

/* A place in a reply: in its bytes, with the blobs that stand between them. */
struct place {
    const struct reply *reply;
    size_t at, blob;
};

static void push_value(lua_State *L, struct place *place);

/* The rest of the line at the place; goes behind its end. */
static struct bytes take_line(struct place *place)
{
    const struct buffer *bytes = &place->reply->bytes;
    const char *from = bytes->data + place->at;
    const char *end = memchr(from, '\r', bytes->len - place->at);
    place->at = (size_t)(end - bytes->data) + 2;
    return (struct bytes){ from, (size_t)(end - from) };
}

static int64_t take_number(struct place *place)
{
    int64_t number = 0;
    number_parse(take_line(place), &number);
    return number;
}

/* A bulk's content: in the bytes, or a blob that stands here. */
static struct bytes take_bulk(struct place *place, size_t len)
{
    const struct reply *reply = place->reply;
    if (place->blob < reply->blob_count && reply->blobs[place->blob].at == place->at) {
        struct bytes content = blob_bytes(reply->blobs[place->blob++].blob);
        place->at += 2;
        return content;
    }
    struct bytes content = { reply->bytes.data + place->at, len };
    place->at += len + 2;
    return content;
}

static void push_bulk(lua_State *L, struct place *place)
{
    int64_t len = take_number(place);
    if (len < 0) {
        lua_pushboolean(L, 0);
        return;
    }
    struct bytes content = take_bulk(place, (size_t)len);
    lua_pushlstring(L, content.data, content.len);
}

static void push_array(lua_State *L, struct place *place)
{
    int64_t count = take_number(place);
    if (count < 0) {
        lua_pushboolean(L, 0);
        return;
    }
    lua_newtable(L); /* not of this size: where there are nils in it, its length would be another */
    for (int64_t i = 1; i <= count; i++) {
        push_value(L, place);
        lua_rawseti(L, -2, (int)i);
    }
}

static void push_map(lua_State *L, struct place *place)
{
    int64_t count = take_number(place);
    lua_createtable(L, 0, 1);
    lua_createtable(L, 0, (int)count);
    for (int64_t i = 0; i < count; i++) {
        push_value(L, place);
        push_value(L, place);
        lua_rawset(L, -3);
    }
    lua_setfield(L, -2, "map");
}

static void push_set(lua_State *L, struct place *place)
{
    int64_t count = take_number(place);
    lua_createtable(L, 0, 1);
    lua_createtable(L, 0, (int)count);
    for (int64_t i = 0; i < count; i++) {
        push_value(L, place);
        lua_pushboolean(L, 1);
        lua_rawset(L, -3);
    }
    lua_setfield(L, -2, "set");
}

static void push_text_field(lua_State *L, const char *name, struct bytes text)
{
    lua_createtable(L, 0, 1);
    lua_pushlstring(L, text.data, text.len);
    lua_setfield(L, -2, name);
}

static void push_double(lua_State *L, struct place *place)
{
    double value = 0;
    number_parse_double(take_line(place), &value);
    lua_createtable(L, 0, 1);
    lua_pushnumber(L, value);
    lua_setfield(L, -2, "double");
}

static void push_verbatim(lua_State *L, struct place *place)
{
    enum { KIND = 3, BEFORE = KIND + 1 };
    size_t len = (size_t)take_number(place);
    struct bytes content = take_bulk(place, len);
    lua_createtable(L, 0, 1);
    lua_createtable(L, 0, 2);
    lua_pushlstring(L, content.data + BEFORE, content.len - BEFORE);
    lua_setfield(L, -2, "string");
    lua_pushlstring(L, content.data, KIND);
    lua_setfield(L, -2, "format");
    lua_setfield(L, -2, "verbatim_string");
}

static void push_value(lua_State *L, struct place *place)
{
    luaL_checkstack(L, 6, "reply of a command");
    char kind = place->reply->bytes.data[place->at++];
    switch (kind) {
    case '+':
        push_text_field(L, "ok", take_line(place));
        break;
    case '-': {
        struct bytes line = take_line(place);
        convert_push_error(L, (struct bytes){ line.data - 1, line.len + 1 }, true);
        break;
    }
    case ':':
        lua_pushnumber(L, (lua_Number)take_number(place));
        break;
    case '$':
        push_bulk(L, place);
        break;
    case '*':
    case '>':
        push_array(L, place);
        break;
    case '%':
        push_map(L, place);
        break;
    case '~':
        push_set(L, place);
        break;
    case ',':
        push_double(L, place);
        break;
    case '#':
        lua_pushboolean(L, take_line(place).data[0] == 't');
        break;
    case '(':
        push_text_field(L, "big_number", take_line(place));
        break;
    case '=':
        push_verbatim(L, place);
        break;
    default: /* '_' */
        take_line(place);
        lua_pushnil(L);
    }
}

void convert_push_reply(lua_State *L, const struct reply *reply)
{
    struct place place = { .reply = reply };
    if (reply->bytes.len == 0)
        lua_pushnil(L);
    else
        push_value(L, &place);
}

void convert_push_error(lua_State *L, struct bytes text, bool counted)
{
    bool coded = text.len > 0 && text.data[0] == '-';
    if (coded) {
        text.data++;
        text.len--;
        coded = text.len > 0 && memchr(text.data, ' ', text.len);
    }
    lua_createtable(L, 0, 4);
    lua_pushstring(L, coded ? "" : "ERR ");
    lua_pushlstring(L, text.data, text.len);
    lua_concat(L, 2);
    lua_setfield(L, -2, "err");
    if (counted) {
        lua_pushboolean(L, 1);
        lua_setfield(L, -2, "ignore_error_stats_update");
    }
}

/* ---- To a reply ---- */

struct target {
    struct reply *reply;
    int protocol; /* the script's */
    bool counted;
};

static void append_value(lua_State *L, struct target *target);

/* Pushes the field of the table on top; false, with nothing pushed: it is not of the type. */
static bool push_field(lua_State *L, const char *name, int type)
{
    lua_pushstring(L, name);
    lua_rawget(L, -2);
    if (lua_type(L, -1) == type)
        return true;
    lua_pop(L, 1);
    return false;
}

/* What goes into one line of the reply. */
static struct buffer one_line(struct bytes text)
{
    struct buffer line = { 0 };
    buffer_append(&line, text.data, text.len);
    for (size_t i = 0; i < line.len; i++) {
        if (line.data[i] == '\r' || line.data[i] == '\n')
            line.data[i] = ' ';
    }
    buffer_terminate(&line);
    return line;
}

static struct bytes text_at(lua_State *L, int index)
{
    struct bytes text;
    text.data = lua_tolstring(L, index, &text.len);
    return text;
}

static void append_error(lua_State *L, struct target *target)
{
    struct bytes text = text_at(L, -1);
    struct buffer line = one_line(text);
    reply_error_line(target->reply, buffer_bytes(&line));
    buffer_free(&line);
    lua_pop(L, 1);
    lua_pushliteral(L, "ignore_error_stats_update");
    lua_rawget(L, -2);
    target->counted = lua_toboolean(L, -1);
}

static void append_status(lua_State *L, struct target *target)
{
    struct buffer line = one_line(text_at(L, -1));
    reply_raw(target->reply, BYTES("+"));
    reply_raw(target->reply, buffer_bytes(&line));
    reply_raw(target->reply, BYTES("\r\n"));
    buffer_free(&line);
}

static void append_double(lua_State *L, struct target *target)
{
    reply_double(target->reply, lua_tonumber(L, -1));
}

/* Keys, and their values where `values`. */
static size_t append_pairs(lua_State *L, struct target *target, bool values)
{
    size_t count = 0;
    lua_pushnil(L);
    while (lua_next(L, -2)) {
        lua_pushvalue(L, -2);
        append_value(L, target);
        if (values)
            append_value(L, target);
        else
            lua_pop(L, 1);
        count++;
    }
    return count;
}

static void append_map(lua_State *L, struct target *target)
{
    struct reply_mark mark = reply_deferred(target->reply);
    reply_deferred_map(target->reply, mark, append_pairs(L, target, true));
}

static void append_set(lua_State *L, struct target *target)
{
    struct reply_mark mark = reply_deferred(target->reply);
    reply_deferred_set(target->reply, mark, append_pairs(L, target, false));
}

static void append_big_number(lua_State *L, struct target *target)
{
    struct buffer line = one_line(text_at(L, -1));
    if (target->reply->protocol == 2) {
        reply_bulk(target->reply, buffer_bytes(&line));
    } else {
        reply_raw(target->reply, BYTES("("));
        reply_raw(target->reply, buffer_bytes(&line));
        reply_raw(target->reply, BYTES("\r\n"));
    }
    buffer_free(&line);
}

static bool append_verbatim(lua_State *L, struct target *target)
{
    if (!push_field(L, "format", LUA_TSTRING))
        return false;
    char kind[4] = "   ";
    struct bytes format = text_at(L, -1);
    memcpy(kind, format.data, format.len < 3 ? format.len : 3);
    lua_pop(L, 1);
    if (!push_field(L, "string", LUA_TSTRING))
        return false;
    reply_verbatim(target->reply, kind, text_at(L, -1));
    return true;
}

static void append_array(lua_State *L, struct target *target)
{
    struct reply_mark mark = reply_deferred(target->reply);
    size_t count = 0;
    for (int i = 1;; i++) {
        lua_pushnumber(L, i);
        lua_rawget(L, -2);
        if (lua_isnil(L, -1)) {
            lua_pop(L, 1);
            break;
        }
        append_value(L, target);
        count++;
    }
    reply_deferred_array(target->reply, mark, count);
}

/* A table that one field makes a value of another type, in this order. */
static void append_table(lua_State *L, struct target *target)
{
    static const struct {
        const char *field;
        int type;
        void (*append)(lua_State *L, struct target *target);
    } forms[] = { { "err", LUA_TSTRING, append_error }, { "ok", LUA_TSTRING, append_status },
        { "double", LUA_TNUMBER, append_double }, { "map", LUA_TTABLE, append_map },
        { "set", LUA_TTABLE, append_set }, { "big_number", LUA_TSTRING, append_big_number } };
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (push_field(L, forms[i].field, forms[i].type)) {
            forms[i].append(L, target);
            return;
        }
    }
    int top = lua_gettop(L);
    if (push_field(L, "verbatim_string", LUA_TTABLE)) {
        if (append_verbatim(L, target))
            return;
        lua_settop(L, top);
    }
    append_array(L, target);
}

/* A double as an integer, as the machine's conversion makes it. */
static int64_t to_integer(double number)
{
    bool fits = number >= -9223372036854775808.0 && number < 9223372036854775808.0;
    return fits ? (int64_t)number : INT64_MIN;
}

/* Pops it. */
static void append_value(lua_State *L, struct target *target)
{
    struct reply *reply = target->reply;
    int top = lua_gettop(L);
    if (!lua_checkstack(L, 4)) {
        reply_error(reply, "reached lua stack limit");
        lua_pop(L, 1);
        return;
    }
    switch (lua_type(L, -1)) {
    case LUA_TSTRING:
        reply_bulk(reply, text_at(L, -1));
        break;
    case LUA_TNUMBER:
        reply_integer(reply, to_integer(lua_tonumber(L, -1)));
        break;
    case LUA_TBOOLEAN:
        if (target->protocol == 3)
            reply_bool(reply, lua_toboolean(L, -1));
        else if (lua_toboolean(L, -1))
            reply_integer(reply, 1);
        else
            reply_null(reply);
        break;
    case LUA_TTABLE:
        append_table(L, target);
        break;
    default:
        reply_null(reply);
    }
    lua_settop(L, top - 1);
}

void convert_reply(lua_State *L, struct reply *reply, int script_protocol, bool *counted)
{
    struct target target = { reply, script_protocol, false };
    append_value(L, &target);
    *counted = target.counted;
}
