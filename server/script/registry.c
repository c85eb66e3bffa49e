#include "server/script/registry.h"

#include "common/memory.h"
#include "server/clock.h"
#include "server/log.h"
#include "server/script/convert.h"
#include "server/script/flags.h"
#include <ctype.h>
#include <lua5.1/lauxlib.h>
#include <pthread.h>
#include <stdlib.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* guards the list */
static struct library_list registry;
static _Atomic uint64_t generation = 1; /* grows with each change */
static atomic_size_t library_count, function_count, memory;

/* ---- Libraries ---- */

static struct library *hold(struct library *library)
{
    atomic_fetch_add_explicit(&library->refs, 1, memory_order_relaxed);
    return library;
}

void library_release(struct library *library)
{
    if (atomic_fetch_sub_explicit(&library->refs, 1, memory_order_acq_rel) > 1)
        return;
    for (size_t i = 0; i < library->count; i++) {
        free(library->functions[i].name);
        free(library->functions[i].description);
    }
    free(library->functions);
    free(library->name);
    free(library->code);
    free(library);
}

static size_t size_of(const struct library *library)
{
    return sizeof(*library) + library->code_len + library->count * sizeof(*library->functions);
}

static bool is_name(struct bytes name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (!isalnum((unsigned char)name.data[i]) && name.data[i] != '_')
            return false;
    }
    return name.len > 0;
}

static const char name_rule[] = "Library names can only contain letters, numbers, or "
                                "underscores(_) and must be at least one character long";

static char *copy_text(struct bytes text)
{
    char *copy = memory_alloc(text.len + 1);
    if (text.len > 0)
        memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    return copy;
}

static struct library_function *find_function(const struct library *library, struct bytes name)
{
    for (size_t i = 0; i < library->count; i++) {
        if (bytes_is(name, library->functions[i].name))
            return &library->functions[i];
    }
    return NULL;
}

/* ---- redis.register_function: into the library that is being loaded ---- */

/* The key of the functions of the library that is being loaded, and of all that are loaded, by name
 * in lower case: tables in the registry. */
static const char draft_key, loaded_key;

static int fail(lua_State *L, const char *text)
{
    convert_push_error(L, bytes_of(text), false);
    return lua_error(L);
}

static void push_table(lua_State *L, const char *key)
{
    lua_pushlightuserdata(L, (void *)key);
    lua_rawget(L, LUA_REGISTRYINDEX);
}

static void reset_table(lua_State *L, const char *key)
{
    lua_pushlightuserdata(L, (void *)key);
    lua_newtable(L);
    lua_rawset(L, LUA_REGISTRYINDEX);
}

static void push_lower(lua_State *L, struct bytes name)
{
    char *lower = copy_text(name);
    for (size_t i = 0; i < name.len; i++)
        lower[i] = (char)tolower((unsigned char)name.data[i]);
    lua_pushlstring(L, lower, name.len);
    free(lower);
}

static struct bytes text_at(lua_State *L, int index)
{
    struct bytes text;
    text.data = lua_tolstring(L, index, &text.len);
    return text;
}

/* What a call of register_function says; places on the stack. */
struct registration {
    int name, callback, description; /* 0: not given */
    unsigned flags;
};

static void read_flags(lua_State *L, int table, struct registration *said)
{
    for (int i = 1;; i++) {
        lua_rawgeti(L, table, i);
        if (lua_isnil(L, -1))
            break;
        unsigned flag = lua_type(L, -1) == LUA_TSTRING ? script_flag_find(text_at(L, -1)) : 0;
        if (!flag)
            fail(L, "unknown flag given");
        said->flags |= flag;
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

/* Named arguments: the values that are kept stay on the stack. */
static void read_named(lua_State *L, struct registration *said)
{
    if (lua_type(L, 1) != LUA_TTABLE)
        fail(L, "calling redis.register_function with a single argument is only applicable to "
                "Lua table (representing named arguments).");
    luaL_checkstack(L, 8, "arguments");
    lua_pushnil(L);
    while (lua_next(L, 1)) {
        struct bytes key =
            lua_type(L, -2) == LUA_TSTRING ? text_at(L, -2) : (struct bytes){ "", 0 };
        int *kept = NULL;
        if (!lua_isstring(L, -2)) {
            fail(L, "named argument key given to redis.register_function is not a string");
        } else if (bytes_is(key, "function_name")) {
            if (!lua_isstring(L, -1))
                fail(L, "function_name argument given to redis.register_function must be a string");
            kept = &said->name;
        } else if (bytes_is(key, "description")) {
            if (!lua_isstring(L, -1))
                fail(L, "description argument given to redis.register_function must be a string");
            kept = &said->description;
        } else if (bytes_is(key, "callback")) {
            if (!lua_isfunction(L, -1))
                fail(L, "callback argument given to redis.register_function must be a function");
            kept = &said->callback;
        } else if (bytes_is(key, "flags")) {
            if (!lua_istable(L, -1))
                fail(L, "flags argument to redis.register_function must be a table representing "
                        "function flags");
            read_flags(L, lua_gettop(L), said);
        } else {
            fail(L, "unknown argument given to redis.register_function");
        }
        if (kept) {
            lua_insert(L, -2); /* the value stays below the key */
            if (lua_type(L, -2) == LUA_TNUMBER)
                lua_tostring(L, -2);
            *kept = lua_gettop(L) - 1;
        } else {
            lua_pop(L, 1);
        }
    }
    if (!said->name)
        fail(L, "redis.register_function must get a function name argument");
    if (!said->callback)
        fail(L, "redis.register_function must get a callback argument");
}

int registry_register_function(lua_State *L)
{
    struct library *library = vm_of(L)->loading;
    struct registration said = { .name = 1, .callback = 2 };
    int argc = lua_gettop(L);
    if (!library)
        return fail(L, "redis.register_function can only be called on FUNCTION LOAD command");
    if (argc < 1 || argc > 2)
        return fail(L, "wrong number of arguments to redis.register_function");
    if (argc == 1) {
        said = (struct registration){ 0 };
        read_named(L, &said);
    } else if (!lua_isstring(L, 1)) {
        return fail(L, "first argument to redis.register_function must be a string");
    } else if (!lua_isfunction(L, 2)) {
        return fail(L, "second argument to redis.register_function must be a function");
    }
    struct bytes name = text_at(L, said.name);
    if (!is_name(name))
        return fail(L, name_rule);
    if (find_function(library, name))
        return fail(L, "Function already exists in the library");
    push_table(L, &draft_key);
    push_lower(L, name);
    lua_pushvalue(L, said.callback);
    lua_rawset(L, -3);
    library->functions =
        memory_resize(library->functions, (library->count + 1) * sizeof(*library->functions));
    struct library_function *function = &library->functions[library->count++];
    *function = (struct library_function){ .name = copy_text(name), .flags = said.flags };
    if (said.description) {
        struct bytes description = text_at(L, said.description);
        function->description = copy_text(description);
        function->description_len = description.len;
    }
    return 0;
}

/* ---- A new library ---- */

/* The next word of the first line. False: there is none, or *open: a quote that does not end. */
static bool next_word(struct bytes *line, struct buffer *word, bool *open)
{
    word->len = 0;
    while (line->len > 0 && isspace((unsigned char)line->data[0])) {
        line->data++;
        line->len--;
    }
    if (line->len == 0)
        return false;
    char quote = '\0';
    while (line->len > 0) {
        char c = line->data[0];
        if (!quote && isspace((unsigned char)c))
            break;
        line->data++;
        line->len--;
        if (!quote && (c == '"' || c == '\'')) {
            quote = c;
        } else if (c == quote) {
            quote = '\0';
        } else {
            buffer_append_char(word, c);
        }
    }
    *open = quote != '\0';
    return !*open;
}

/* "#!lua name=x" */
static bool read_metadata(struct library *library, size_t *start, struct error *error)
{
    struct bytes code = { library->code, library->code_len };
    if (code.len < 2 || memcmp(code.data, "#!", 2) != 0)
        return error_set(error, "Missing library metadata");
    const char *end = memchr(code.data, '\n', code.len);
    if (!end)
        return error_set(error, "Invalid library metadata");
    *start = (size_t)(end - code.data);
    struct bytes line = { code.data, *start };
    struct buffer word = { 0 };
    char *engine = NULL;
    bool ok = true, open = false;
    next_word(&line, &word, &open);
    buffer_terminate(&word);
    engine = memory_copy_text(word.data + 2);
    while (ok && next_word(&line, &word, &open)) {
        buffer_terminate(&word);
        if (word.len < 5 || strncasecmp(word.data, "name=", 5) != 0)
            ok = error_set(error, "Invalid metadata value given: %s", word.data);
        else if (library->name)
            ok = error_set(error, "Invalid metadata value, name argument was given multiple times");
        else
            library->name = memory_copy_text(word.data + 5);
    }
    if (ok && open)
        ok = error_set(error, "Invalid library metadata");
    if (ok && !library->name)
        ok = error_set(error, "Library name was not given");
    if (ok && !is_name(bytes_of(library->name)))
        ok = error_set(error, "%s", name_rule);
    if (ok && !bytes_is(bytes_of(engine), "lua"))
        ok = error_set(error, "Engine '%s' not found", engine);
    buffer_free(&word);
    free(engine);
    return ok;
}

/* Runs the code; what it registers is in the library and in the draft table. */
static bool run_code(
    struct vm *vm, struct library *library, size_t start, int64_t limit_ms, struct error *error)
{
    struct bytes code = { library->code + start, library->code_len - start };
    if (!vm_compile(vm, code, "@user_function", error)) {
        struct error reason = *error;
        return error_set(error, "Error compiling function: %s", reason.text);
    }
    reset_table(vm->L, &draft_key);
    int64_t deadline = limit_ms ? clock_monotonic_us() + limit_ms * 1000 : 0;
    return vm_load(vm, library, deadline, error);
}

struct library *library_create(struct bytes code, int limit_ms, bool replaces, struct error *error)
{
    struct library *library = memory_alloc_zeroed(1, sizeof(*library));
    size_t start = 0;
    atomic_init(&library->refs, 1);
    library->code = copy_text(code);
    library->code_len = code.len;
    bool ok = read_metadata(library, &start, error);
    if (ok && !replaces && registry_has(bytes_of(library->name)))
        ok = error_set(error, "Library '%s' already exists", library->name);
    if (ok) {
        struct vm *vm = vm_create(VM_FUNCTIONS);
        ok = run_code(vm, library, start, limit_ms, error);
        vm_destroy(vm);
    }
    if (ok && library->count == 0)
        ok = error_set(error, "No functions registered");
    if (ok)
        return library;
    library_release(library);
    return NULL;
}

/* ---- The registry ---- */

static struct library *find_library(const struct library_list *list, struct bytes name)
{
    for (size_t i = 0; i < list->count; i++) {
        if (bytes_equal(bytes_of(list->items[i]->name), name))
            return list->items[i];
    }
    return NULL;
}

static void append(struct library_list *list, struct library *library)
{
    list->items = memory_resize(list->items, (list->count + 1) * sizeof(struct library *));
    list->items[list->count++] = hold(library);
}

static void remove_library(struct library_list *list, struct library *library)
{
    size_t i = 0;
    while (list->items[i] != library)
        i++;
    memmove(&list->items[i], &list->items[i + 1], (list->count - i - 1) * sizeof(struct library *));
    list->count--;
    library_release(library);
}

void library_list_free(struct library_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        library_release(list->items[i]);
    free(list->items);
    *list = (struct library_list){ 0 };
}

static void copy_list(struct library_list *to)
{
    *to = (struct library_list){ 0 };
    for (size_t i = 0; i < registry.count; i++)
        append(to, registry.items[i]);
}

void registry_list(struct library_list *list)
{
    pthread_mutex_lock(&mutex);
    copy_list(list);
    pthread_mutex_unlock(&mutex);
}

/* Makes the list the registry's; the mutex is held. */
static void publish(struct library_list list)
{
    struct library_list old = registry;
    registry = list;
    size_t functions = 0, bytes = 0;
    for (size_t i = 0; i < list.count; i++) {
        functions += list.items[i]->count;
        bytes += size_of(list.items[i]);
    }
    atomic_store(&library_count, list.count);
    atomic_store(&function_count, functions);
    atomic_store(&memory, bytes);
    atomic_fetch_add_explicit(&generation, 1, memory_order_release);
    library_list_free(&old);
}

static bool join(
    struct library_list *list, struct library *library, bool replace, struct error *error)
{
    struct library *old = find_library(list, bytes_of(library->name));
    if (old && !replace)
        return error_set(error, "Library %s already exists", library->name);
    if (old)
        remove_library(list, old);
    for (size_t i = 0; i < list->count; i++) {
        for (size_t k = 0; k < library->count; k++) {
            if (find_function(list->items[i], bytes_of(library->functions[k].name)))
                return error_set(error, "Function %s already exists", library->functions[k].name);
        }
    }
    append(list, library);
    return true;
}

bool registry_add(struct library *const *libraries, size_t count, enum registry_policy policy,
    void (*done)(void *arg), void *arg, struct error *error)
{
    struct library_list list = { 0 };
    bool ok = true;
    pthread_mutex_lock(&mutex);
    if (policy != REGISTRY_FLUSH)
        copy_list(&list);
    for (size_t i = 0; i < count && ok; i++)
        ok = join(&list, libraries[i], policy == REGISTRY_REPLACE, error);
    if (ok) {
        publish(list);
        if (done)
            done(arg);
    } else {
        library_list_free(&list);
    }
    pthread_mutex_unlock(&mutex);
    return ok;
}

bool registry_delete(struct bytes name, void (*done)(void *arg), void *arg)
{
    pthread_mutex_lock(&mutex);
    struct library *library = find_library(&registry, name);
    if (library) {
        struct library_list list;
        copy_list(&list);
        remove_library(&list, library);
        publish(list);
        done(arg);
    }
    pthread_mutex_unlock(&mutex);
    return library != NULL;
}

void registry_flush(void (*done)(void *arg), void *arg)
{
    pthread_mutex_lock(&mutex);
    publish((struct library_list){ 0 });
    if (done)
        done(arg);
    pthread_mutex_unlock(&mutex);
}

bool registry_has(struct bytes name)
{
    pthread_mutex_lock(&mutex);
    bool there = find_library(&registry, name) != NULL;
    pthread_mutex_unlock(&mutex);
    return there;
}

bool registry_find(struct bytes name, unsigned *flags)
{
    pthread_mutex_lock(&mutex);
    struct library_function *function = NULL;
    for (size_t i = 0; i < registry.count && !function; i++)
        function = find_function(registry.items[i], name);
    if (function)
        *flags = function->flags;
    pthread_mutex_unlock(&mutex);
    return function != NULL;
}

size_t registry_libraries(void)
{
    return atomic_load(&library_count);
}

size_t registry_functions(void)
{
    return atomic_load(&function_count);
}

size_t registry_memory(void)
{
    return atomic_load(&memory);
}

/* ---- In a state ---- */

void registry_forget(struct vm *vm)
{
    if (vm->loaded) {
        library_list_free(vm->loaded);
        free(vm->loaded);
    }
    vm->loaded = NULL;
}

/* Functions leave the state with their library. */
static void unload(struct vm *vm, const struct library *library)
{
    push_table(vm->L, &loaded_key);
    for (size_t i = 0; i < library->count; i++) {
        push_lower(vm->L, bytes_of(library->functions[i].name));
        lua_pushnil(vm->L);
        lua_rawset(vm->L, -3);
    }
    lua_pop(vm->L, 1);
}

static void load(struct vm *vm, struct library *library)
{
    /* What it registers was the same when it came: the names are in the library already. */
    struct library again = { .code = library->code, .code_len = library->code_len };
    const char *end = memchr(library->code, '\n', library->code_len);
    struct error error;
    lua_State *L = vm->L;
    if (run_code(vm, &again, (size_t)(end - library->code), 0, &error)) {
        push_table(L, &loaded_key);
        push_table(L, &draft_key);
        lua_pushnil(L);
        while (lua_next(L, -2)) {
            lua_pushvalue(L, -2);
            lua_insert(L, -2);
            lua_rawset(L, -5);
        }
        lua_pop(L, 2);
    } else {
        log_write(
            LOG_WARNING, "The library %s cannot be loaded any more: %s", library->name, error.text);
    }
    for (size_t i = 0; i < again.count; i++) {
        free(again.functions[i].name);
        free(again.functions[i].description);
    }
    free(again.functions);
}

static bool contains(const struct library_list *list, const struct library *library)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i] == library)
            return true;
    }
    return false;
}

static void bring_up_to_date(struct vm *vm)
{
    uint64_t now = atomic_load_explicit(&generation, memory_order_acquire);
    if (vm->generation == now)
        return;
    if (!vm->loaded) {
        vm->loaded = memory_alloc_zeroed(1, sizeof(struct library_list));
        reset_table(vm->L, &loaded_key);
    }
    struct library_list *old = vm->loaded, current;
    pthread_mutex_lock(&mutex);
    copy_list(&current);
    vm->generation = atomic_load_explicit(&generation, memory_order_relaxed);
    pthread_mutex_unlock(&mutex);
    for (size_t i = 0; i < old->count; i++) {
        if (!contains(&current, old->items[i]))
            unload(vm, old->items[i]);
    }
    for (size_t i = 0; i < current.count; i++) {
        if (!contains(old, current.items[i]))
            load(vm, current.items[i]);
    }
    library_list_free(old);
    *old = current;
}

bool registry_push(struct vm *vm, struct bytes name, unsigned *flags, const char **registered)
{
    bring_up_to_date(vm);
    const struct library_list *loaded = vm->loaded;
    const struct library_function *function = NULL;
    for (size_t i = 0; loaded && i < loaded->count && !function; i++)
        function = find_function(loaded->items[i], name);
    if (!function)
        return false;
    *flags = function->flags;
    *registered = function->name;
    push_table(vm->L, &loaded_key);
    push_lower(vm->L, name);
    lua_rawget(vm->L, -2);
    lua_remove(vm->L, -2);
    if (lua_isfunction(vm->L, -1))
        return true;
    lua_pop(vm->L, 1);
    return false;
}
