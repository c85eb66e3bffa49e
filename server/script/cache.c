/* A table of chains that doubles when it is full. It is asked only when a state meets a script for
 * the first time: after that the state knows the script itself, until a flush makes the state's
 * generation old. */
#include "server/script/cache.h"

#include "common/memory.h"
#include "server/script/flags.h"
#include <lua5.1/lauxlib.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct cached {
    struct cached *next;
    char sha[SHA1_HEX];
    size_t len;
    char body[];
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* guards the table */
static struct cached **places;
static size_t place_count; /* a power of two, or 0 */
static atomic_size_t count, memory;
static _Atomic uint64_t generation = 1;

uint64_t cache_generation(void)
{
    return atomic_load_explicit(&generation, memory_order_acquire);
}

size_t cache_count(void)
{
    return atomic_load(&count);
}

size_t cache_memory(void)
{
    return atomic_load(&memory);
}

/* Of a SHA's digits eight will do. */
static size_t hash_of(const char *sha)
{
    size_t hash = 0;
    for (int i = 0; i < 8; i++)
        hash = hash << 4 | (size_t)((sha[i] & 15) + (sha[i] > '9' ? 9 : 0));
    return hash;
}

static struct cached *find(const char *sha)
{
    if (place_count == 0)
        return NULL;
    struct cached *script = places[hash_of(sha) & (place_count - 1)];
    while (script && memcmp(script->sha, sha, SHA1_HEX) != 0)
        script = script->next;
    return script;
}

static void grow(void)
{
    size_t new_count = place_count ? place_count * 2 : 64;
    struct cached **larger = memory_alloc_zeroed(new_count, sizeof(struct cached *));
    for (size_t i = 0; i < place_count; i++) {
        for (struct cached *script = places[i], *next; script; script = next) {
            next = script->next;
            struct cached **place = &larger[hash_of(script->sha) & (new_count - 1)];
            script->next = *place;
            *place = script;
        }
    }
    free(places);
    places = larger;
    place_count = new_count;
}

static void add(const char *sha, struct bytes body)
{
    pthread_mutex_lock(&mutex);
    if (!find(sha)) {
        if (atomic_load(&count) >= place_count)
            grow();
        struct cached *script = memory_alloc(sizeof(*script) + body.len);
        struct cached **place = &places[hash_of(sha) & (place_count - 1)];
        memcpy(script->sha, sha, SHA1_HEX);
        if (body.len > 0)
            memcpy(script->body, body.data, body.len);
        script->len = body.len;
        script->next = *place;
        *place = script;
        atomic_fetch_add(&count, 1);
        atomic_fetch_add(&memory, sizeof(*script) + body.len);
    }
    pthread_mutex_unlock(&mutex);
}

bool cache_has(const char sha[SHA1_HEX + 1])
{
    pthread_mutex_lock(&mutex);
    bool there = find(sha) != NULL;
    pthread_mutex_unlock(&mutex);
    return there;
}

/* The text, in memory that the caller frees; NULL: it is not there. */
static char *copy_body(const char *sha, struct bytes *body)
{
    char *copy = NULL;
    pthread_mutex_lock(&mutex);
    const struct cached *script = find(sha);
    if (script) {
        copy = memory_alloc(script->len + 1);
        memcpy(copy, script->body, script->len);
        *body = (struct bytes){ copy, script->len };
    }
    pthread_mutex_unlock(&mutex);
    return copy;
}

void cache_flush(void)
{
    pthread_mutex_lock(&mutex);
    for (size_t i = 0; i < place_count; i++) {
        for (struct cached *script = places[i], *next; script; script = next) {
            next = script->next;
            free(script);
        }
    }
    free(places);
    places = NULL;
    place_count = 0;
    atomic_store(&count, 0);
    atomic_store(&memory, 0);
    atomic_fetch_add_explicit(&generation, 1, memory_order_release);
    pthread_mutex_unlock(&mutex);
}

/* ---- In a state: functions by their SHA in the registry, flags by the function ---- */

static bool push_compiled(lua_State *L, const char *sha, unsigned *flags)
{
    lua_pushlstring(L, sha, SHA1_HEX);
    lua_rawget(L, LUA_REGISTRYINDEX);
    if (!lua_isfunction(L, -1)) {
        lua_pop(L, 1);
        return false;
    }
    lua_pushvalue(L, -1);
    lua_rawget(L, LUA_REGISTRYINDEX);
    *flags = lua_isnumber(L, -1) ? (unsigned)lua_tonumber(L, -1) : SCRIPT_COMPATIBLE;
    lua_pop(L, 1);
    return true;
}

static bool compile(
    struct vm *vm, const char *sha, struct bytes body, unsigned *flags, struct error *error)
{
    lua_State *L = vm->L;
    size_t start;
    if (!script_read_shebang(body, flags, &start, error))
        return false;
    struct bytes code = { body.data + start, body.len - start };
    if (!vm_compile(vm, code, "@user_script", error)) {
        struct error reason = *error;
        return error_set(error, "Error compiling script (new function): %s", reason.text);
    }
    lua_pushlstring(L, sha, SHA1_HEX);
    lua_pushvalue(L, -2);
    lua_rawset(L, LUA_REGISTRYINDEX);
    if (*flags != SCRIPT_COMPATIBLE) {
        lua_pushvalue(L, -1);
        lua_pushnumber(L, *flags);
        lua_rawset(L, LUA_REGISTRYINDEX);
    }
    return true;
}

bool cache_push(struct vm *vm, const char sha[SHA1_HEX + 1], struct bytes body, unsigned *flags,
    struct error *error)
{
    error->text[0] = '\0';
    if (push_compiled(vm->L, sha, flags))
        return true;
    if (body.data) {
        if (!compile(vm, sha, body, flags, error))
            return false;
        add(sha, body);
        return true;
    }
    char *copy = copy_body(sha, &body);
    bool ok = copy && compile(vm, sha, body, flags, error);
    free(copy);
    return ok;
}
