/* Lua's states without a server: what is closed to scripts stays closed, what the libraries make can
 * be read back, and what comes from outside is checked. */
#include "server/command/command.h"
#include "server/script/cache.h"
#include "server/script/flags.h"
#include "server/script/registry.h"
#include "server/script/sha1.h"
#include "server/script/vm.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static struct reply *no_command(struct script_run *run, const struct bytes *argv, int argc,
    const char **error, bool *counted)
{
    *error = "-NONE there are no commands here";
    return NULL;
}

static void tick(struct script_run *run)
{
}

static const struct script_host host = { .call = no_command, .tick = tick };

/* The reply in RESP2, as text that the test may keep. */
static const char *eval(struct vm *vm, const char *code)
{
    static struct reply reply;
    struct script_run run = { .host = &host, .name = "sha", .protocol = 2 };
    struct error error;
    bool counted;
    reply.protocol = 2;
    reply_cut(&reply, 0);
    cr_assert(vm_compile(vm, bytes_of(code), "@user_script", &error), "%s", error.text);
    vm_set_arguments(vm, NULL, 0, NULL, 0);
    vm_call(vm, &run, 0, &reply, &counted);
    cr_expect_eq(lua_gettop(vm->L), 0, "%s leaves something on the stack", code);
    buffer_terminate(&reply.bytes);
    return reply.bytes.data;
}

static void expect(const char *code, const char *reply)
{
    struct vm *vm = vm_create(VM_EVAL);
    const char *got = eval(vm, code);
    cr_expect_str_eq(got, reply, "%s: %s", code, got);
    vm_destroy(vm);
}

static bool begins(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

/* ---- SHA-1: the examples of FIPS 180, and every length of the last block ---- */

Test(sha1, known_digests)
{
    static const struct {
        const char *text, *digest;
    } rows[] = { { "", "da39a3ee5e6b4b0d3255bfef95601890afd80709" },
        { "abc", "a9993e364706816aba3e25717850c26c9cd0d89d" },
        { "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "84983e441c3bd26ebaae4aa1f95129e5e54670f1" } };
    char hex[SHA1_HEX + 1];
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sha1_hex(bytes_of(rows[i].text), hex);
        cr_expect_str_eq(hex, rows[i].digest);
    }
    char million[1000];
    struct buffer all = { 0 };
    memset(million, 'a', sizeof(million));
    for (int i = 0; i < 1000; i++)
        buffer_append(&all, million, sizeof(million));
    sha1_hex(buffer_bytes(&all), hex);
    cr_expect_str_eq(hex, "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
    buffer_free(&all);
}

/* ---- The first line ---- */

Test(flags, first_line)
{
    unsigned flags;
    size_t start;
    struct error error;
    cr_assert(script_read_shebang(BYTES("return 1"), &flags, &start, &error));
    cr_expect(flags == SCRIPT_COMPATIBLE && start == 0);
    cr_assert(script_read_shebang(
        BYTES("#!lua flags=no-writes,allow-stale\nx"), &flags, &start, &error));
    cr_expect_eq(flags, SCRIPT_NO_WRITES | SCRIPT_ALLOW_STALE);
    cr_expect_eq(start, strlen("#!lua flags=no-writes,allow-stale"));
    cr_expect_not(script_read_shebang(BYTES("#!lua"), &flags, &start, &error));
    cr_expect_not(script_read_shebang(BYTES("#!"), &flags, &start, &error));
    cr_expect_not(script_read_shebang(BYTES("#!\n"), &flags, &start, &error));
    cr_expect_not(script_read_shebang(BYTES("#!lua flags=x\n"), &flags, &start, &error));
}

/* ---- The sandbox ---- */

/* No way to the real tables: each attempt ends in an error or changes nothing. */
Test(sandbox, stays_closed)
{
    static const char *const attempts[] = { "redis.call = 1", "rawset(redis, 'call', 1)",
        "rawset(_G, 'x', 1)", "setmetatable(redis, {})", "setmetatable(_G, {})",
        "getmetatable('').__index = 1", "rawset(getmetatable(''), '__index', 1)",
        "getmetatable(_G).__index = nil", "string.len = nil", "table.insert(math, 1)",
        "x = 1", "function f() end", "loadstring('x = 1')()", "rawset(getmetatable(_G), 'x', 1)" };
    struct vm *vm = vm_create(VM_EVAL);
    for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
        const char *got = eval(vm, attempts[i]);
        cr_expect(strstr(got, "Attempt to modify a readonly table"), "%s: %s", attempts[i], got);
    }
    static const char *const walks[] = {
        "for k, v in pairs(redis) do if k == 'call' then return type(v) end end",
        "local f, s = pairs(redis) return pcall(rawset, s, 'x', 1) and 'open' or 'function'",
        "local k, v = next(redis) return type(v) ~= nil and 'function'",
    };
    for (size_t i = 0; i < sizeof(walks) / sizeof(walks[0]); i++)
        cr_expect_str_eq(eval(vm, walks[i]), "$8\r\nfunction\r\n", "%s", walks[i]);
    static const char *const gone[] = { "io", "os", "debug", "package", "require", "dofile",
        "loadfile", "module", "print", "newproxy", "getfenv", "setfenv" };
    for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++) {
        char code[64];
        snprintf(code, sizeof(code), "return %s", gone[i]);
        cr_expect(strstr(eval(vm, code), "nonexistent global variable"), "%s", gone[i]);
    }
    cr_expect_str_eq(eval(vm, "return ('x'):rep(3)"), "$3\r\nxxx\r\n");
    vm_destroy(vm);
}

Test(sandbox, takes_no_bytecode)
{
    expect("local f, e = loadstring(string.dump(function() return 1 end)) return {f or 'none', e}",
        "*2\r\n$4\r\nnone\r\n$53\r\n[string \"\x1bLuaQ\"]:1: unexpected symbol near 'char(27)'\r\n");
}

Test(sandbox, errors_say_where)
{
    expect("\nerror('x')", "-ERR user_script:2: x script: sha, on @user_script:2.\r\n");
    expect("return redis.call('get', 'x')",
        "-NONE there are no commands here script: sha, on @user_script:1.\r\n");
    expect("return redis.pcall('get', 'x')", "-NONE there are no commands here\r\n");
    expect("error({})", "-ERR unknown error script: sha, on @user_script:1.\r\n");
}

/* ---- Libraries: there and back ---- */

Test(libraries, messagepack_there_and_back)
{
    expect("for _, v in ipairs({0, 1, -1, 127, 128, -32, -33, 255, 256, 65535, 65536, 2^31, "
           "-2^31, 2^32, 2^53, -2^53, 0.5, 0.1, 1e300, -1e-300, 'a', string.rep('x', 31), "
           "string.rep('x', 32), string.rep('x', 255), string.rep('x', 256), "
           "string.rep('x', 70000), true, false}) do "
           "if cmsgpack.unpack(cmsgpack.pack(v)) ~= v then return tostring(v) end end "
           "local t = cmsgpack.unpack(cmsgpack.pack({a = {1, 2, {b = 'c'}}, [5] = 6})) "
           "return t.a[3].b .. t[5]",
        "$2\r\nc6\r\n");
}

/* Every beginning of a packed value, and every change of one byte of it: an error or a value. */
Test(libraries, messagepack_takes_damage)
{
    expect("local whole = cmsgpack.pack({a = {1, -2, 0.1, 'text', {}}, [2^40] = true}) "
           "for i = 0, #whole do pcall(cmsgpack.unpack, whole:sub(1, i)) "
           "for b = 0, 255 do pcall(cmsgpack.unpack, whole:sub(1, i) .. string.char(b) .. "
           "whole:sub(i + 2)) end end "
           "pcall(cmsgpack.unpack, string.rep('\\221\\255\\255\\255\\255', 5000)) "
           "pcall(cmsgpack.unpack, string.rep('\\145', 100000)) return 'alive'",
        "$5\r\nalive\r\n");
}

Test(libraries, struct_there_and_back)
{
    expect("for _, order in ipairs({'<', '>'}) do "
           "local packed = struct.pack(order .. 'bBhHiIlLi3s c3 d', -1, 200, -2, 65535, -3, 4, -5, "
           "6, -7, 'text', 'abc', 0.25) "
           "local r = {struct.unpack(order .. 'bBhHiIlLi3s c3 d', packed)} "
           "if table.concat(r, ' ') ~= '-1 200 -2 65535 -3 4 -5 6 -7 text abc 0.25 ' .. "
           "#packed + 1 then return table.concat(r, ' ') end end return 'same'",
        "$4\r\nsame\r\n");
}

Test(libraries, struct_takes_damage)
{
    expect("for _, f in ipairs({'i', 's', 'c0', 'bc0', 'c5', '!16i16', 'i32', 'd', 'sc0', 'x', "
           "'i33', '!3', 'dddd', 'c2147483647', 'b!i', 'i0'}) do for n = 0, 40 do "
           "for at = -2, 42 do pcall(struct.unpack, f, string.rep('\\255', n), at) end end end "
           "return 'alive'",
        "$5\r\nalive\r\n");
}

Test(libraries, reply_of_deep_tables_ends)
{
    struct vm *vm = vm_create(VM_EVAL);
    const char *got = eval(vm, "local t = {} t[1] = t return t");
    cr_expect(begins(got, "*1\r\n*1\r\n"));
    cr_expect(strstr(got, "-ERR reached lua stack limit\r\n"));
    vm_destroy(vm);
}

/* ---- The two stores ---- */

Test(cache, knows_until_it_is_flushed)
{
    struct vm *vm = vm_create(VM_EVAL), *other = vm_create(VM_EVAL);
    char sha[SHA1_HEX + 1];
    struct error error;
    unsigned flags;
    struct bytes body = BYTES("#!lua flags=no-writes\nreturn 1"), none = { NULL, 0 };
    sha1_hex(body, sha);
    cr_expect_not(cache_push(vm, sha, none, &flags, &error));
    cr_expect_str_empty(error.text);
    cr_assert(cache_push(vm, sha, body, &flags, &error));
    cr_expect_eq(flags, SCRIPT_NO_WRITES);
    cr_expect(cache_has(sha));
    cr_expect_eq(cache_count(), 1);
    cr_assert(cache_push(other, sha, none, &flags, &error), "another state gets it, too");
    cr_expect_eq(flags, SCRIPT_NO_WRITES);
    uint64_t before = cache_generation();
    cache_flush();
    cr_expect(cache_generation() != before && !cache_has(sha));
    cr_expect_eq(cache_memory(), 0);
    cr_expect_not(cache_push(vm, "0123456789012345678901234567890123456789",
        BYTES("return ("), &flags, &error));
    cr_expect(begins(error.text, "Error compiling script"));
    vm_destroy(vm);
    vm_destroy(other);
}

/* Hundreds of them, so that the table grows. */
Test(cache, grows)
{
    struct vm *vm = vm_create(VM_EVAL);
    char sha[SHA1_HEX + 1], body[64];
    struct error error;
    unsigned flags;
    for (int i = 0; i < 1000; i++) {
        snprintf(body, sizeof(body), "return %d", i);
        sha1_hex(bytes_of(body), sha);
        cr_assert(cache_push(vm, sha, bytes_of(body), &flags, &error));
        lua_settop(vm->L, 0);
    }
    cr_expect_eq(cache_count(), 1000);
    for (int i = 0; i < 1000; i++) {
        snprintf(body, sizeof(body), "return %d", i);
        sha1_hex(bytes_of(body), sha);
        cr_expect(cache_has(sha));
    }
    cache_flush();
    vm_destroy(vm);
}

#define LIBRARY(name, function)                                                                    \
    BYTES("#!lua name=" name "\nredis.register_function('" function "', function() end)")

Test(registry, all_or_none)
{
    struct error error;
    struct library *a = library_create(LIBRARY("a", "f"), 0, false, &error);
    struct library *b = library_create(LIBRARY("b", "g"), 0, false, &error);
    struct library *clash = library_create(LIBRARY("c", "G"), 0, false, &error);
    cr_assert(a && b && clash);
    cr_assert(registry_add(&a, 1, REGISTRY_APPEND, NULL, NULL, &error));
    cr_expect_not(registry_add(&a, 1, REGISTRY_APPEND, NULL, NULL, &error));
    cr_expect_str_eq(error.text, "Library a already exists");
    struct library *both[] = { b, clash };
    cr_expect_not(registry_add(both, 2, REGISTRY_APPEND, NULL, NULL, &error));
    cr_expect_str_eq(error.text, "Function G already exists");
    cr_expect_eq(registry_libraries(), 1);
    cr_assert(registry_add(&b, 1, REGISTRY_FLUSH, NULL, NULL, &error));
    cr_expect(registry_has(BYTES("b")) && !registry_has(BYTES("a")));
    registry_flush(NULL, NULL);
    cr_expect(registry_libraries() == 0 && registry_functions() == 0 && registry_memory() == 0);
    library_release(a);
    library_release(b);
    library_release(clash);
}

/* A state follows the registry: new functions, replaced ones, and those that are gone. */
Test(registry, states_follow)
{
    struct error error;
    struct vm *vm = vm_create(VM_FUNCTIONS);
    unsigned flags;
    const char *name;
    struct library *library = library_create(LIBRARY("a", "F"), 0, false, &error);
    cr_expect_not(registry_push(vm, BYTES("f"), &flags, &name));
    cr_assert(registry_add(&library, 1, REGISTRY_APPEND, NULL, NULL, &error));
    cr_assert(registry_push(vm, BYTES("f"), &flags, &name));
    cr_expect_str_eq(name, "F");
    lua_settop(vm->L, 0);
    library_release(library);
    library = library_create(LIBRARY("a", "other"), 0, true, &error);
    cr_assert(registry_add(&library, 1, REGISTRY_REPLACE, NULL, NULL, &error));
    cr_expect_not(registry_push(vm, BYTES("f"), &flags, &name));
    cr_expect(registry_push(vm, BYTES("OTHER"), &flags, &name));
    library_release(library);
    registry_flush(NULL, NULL);
    cr_expect_not(registry_push(vm, BYTES("other"), &flags, &name));
    registry_forget(vm);
    vm_destroy(vm);
}

Test(registry, loading_has_an_end)
{
    struct error error;
    cr_expect_null(library_create(
        BYTES("#!lua name=a\nwhile true do pcall(function() while true do end end) end"), 50, false,
        &error));
    cr_expect(strstr(error.text, "FUNCTION LOAD timeout") || strstr(error.text, "pcall"));
    cr_expect_null(library_create(BYTES("#!lua name=a\nwhile true do end"), 50, false, &error));
    cr_expect(strstr(error.text, "FUNCTION LOAD timeout"));
}

/* Lengths up to, at and beyond what is remembered; texts that take each other's place. */
Test(script, a_digest_asked_for_again_is_the_same)
{
    static char text[1100];
    char hex[SHA1_HEX + 1], again[SHA1_HEX + 1];
    for (int round = 0; round < 4; round++) {
        memset(text, 'a' + round / 2, sizeof(text));
        for (size_t len = 0; len < sizeof(text); len += len < 20 || len > 990 ? 1 : 97) {
            struct bytes view = { text, len };
            sha1_hex(view, hex);
            sha1_hex_again(view, again);
            cr_assert_str_eq(again, hex, "%zu bytes", len);
        }
    }
}
