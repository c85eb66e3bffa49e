/* A Lua state with all that scripts may use. Each executor has two, made when they are needed: one
 * for EVAL's scripts, one for the libraries of functions. A state belongs to its executor's thread,
 * so that scripts of different slots run at the same time. */
#ifndef SERVER_SCRIPT_VM_H
#define SERVER_SCRIPT_VM_H

#include "common/error.h"
#include "server/script/libraries.h"
#include "server/script/run.h"
#include <lua5.1/lua.h>

enum vm_kind { VM_EVAL, VM_FUNCTIONS, VM_KINDS };

struct library;

struct vm {
    lua_State *L;
    enum vm_kind kind;
    int ref_handler; /* in the registry: the handler of errors */
    int ref_globals,
        ref_library_globals; /* of VM_FUNCTIONS: while functions run, while they load */
    struct lib_random random;
    struct script_run *run;   /* under way, or NULL */
    struct library *loading;  /* registers its functions now, or NULL */
    int64_t load_deadline_us; /* of that, monotonic; 0: none */
    uint64_t generation;      /* of the cache or the registry that is loaded here */
    void *loaded;             /* registry.c's */
};

struct vm *vm_create(enum vm_kind kind);
void vm_destroy(struct vm *vm);
/* Bytes that all states of the kind have taken. Any thread. */
size_t vm_memory(enum vm_kind kind);

static inline struct vm *vm_of(lua_State *L)
{
    void *vm;
    lua_getallocf(L, &vm);
    return vm;
}

/* Compiles text and leaves the function on the stack. */
bool vm_compile(struct vm *vm, struct bytes text, const char *name, struct error *error);

/* The names KEYS and ARGV of a VM_EVAL. */
void vm_set_arguments(struct vm *vm, const struct bytes *keys, size_t key_count,
    const struct bytes *args, size_t arg_count);
/* Pushes an array of them. */
void vm_push_array(struct vm *vm, const struct bytes *items, size_t count);

/* Calls the function below its `arguments` on the stack, with the run's hook. A result is appended
 * to the reply, and so is an error, with the place where it was made. *counted: see convert_reply.
 * False: it ended with an error. Where the run says SCRIPT_STARTS_OVER, nothing is appended. */
bool vm_call(
    struct vm *vm, struct script_run *run, int arguments, struct reply *reply, bool *counted);

/* Calls the function on top of the stack, without arguments, to let a library register its
 * functions. The error's text is in error. */
bool vm_load(struct vm *vm, struct library *library, int64_t deadline_us, struct error *error);

#endif
