/* The libraries of functions: one registry for the process; each executor's state loads from it
 * what it has not got yet. A library never changes once it is there: FUNCTION LOAD REPLACE puts
 * another in its place. Any thread. */
#ifndef SERVER_SCRIPT_REGISTRY_H
#define SERVER_SCRIPT_REGISTRY_H

#include "common/buffer.h"
#include "server/script/vm.h"

struct library_function {
    char *name;
    char *description; /* NULL: none */
    size_t description_len;
    unsigned flags; /* enum script_flag */
};

struct library {
    atomic_uint refs;
    char *name;
    char *code; /* with its first line */
    size_t code_len;
    struct library_function *functions;
    size_t count;
};

void library_release(struct library *library);

/* All libraries at one moment; each is held. */
struct library_list {
    struct library **items;
    size_t count;
};
void registry_list(struct library_list *list);
void library_list_free(struct library_list *list);

/* Compiles the code and lets it register its functions, in a state of its own. limit_ms: how long
 * that may take; 0: as long as it wants. Unless it replaces, a library of its name is an error
 * before that. NULL: error. */
struct library *library_create(struct bytes code, int limit_ms, bool replaces, struct error *error);

enum registry_policy { REGISTRY_APPEND, REGISTRY_REPLACE, REGISTRY_FLUSH };

/* Puts libraries there, all or none; each is held by the registry then, and the caller's holds
 * stay. Within the registry's lock, after the change, done(arg) is called: it journals, so that the
 * stream has changes of the registry in their order. May be NULL. */
bool registry_add(struct library *const *libraries, size_t count, enum registry_policy policy,
    void (*done)(void *arg), void *arg, struct error *error);
/* False: there is none of that name. */
bool registry_delete(struct bytes name, void (*done)(void *arg), void *arg);
void registry_flush(void (*done)(void *arg), void *arg);
/* Whether there is a library of that name. */
bool registry_has(struct bytes name);

size_t registry_libraries(void);
size_t registry_functions(void);
size_t registry_memory(void); /* bytes */

/* Flags of a function of the registry: false, there is none of that name (in any case of letters).
 */
bool registry_find(struct bytes name, unsigned *flags);
/* Makes the state's functions those of the registry, and pushes one. False: there is none of that
 * name. *name: as it was registered, good until the state runs again. */
bool registry_push(struct vm *vm, struct bytes name, unsigned *flags, const char **registered);
/* Forgets what a state had; before vm_destroy of a VM_FUNCTIONS. */
void registry_forget(struct vm *vm);

/* redis.register_function. */
int registry_register_function(lua_State *L);

#endif
