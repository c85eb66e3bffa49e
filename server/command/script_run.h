/* Running a script for a command. */
#ifndef SERVER_COMMAND_SCRIPT_RUN_H
#define SERVER_COMMAND_SCRIPT_RUN_H

#include "server/command/call.h"
#include "server/script/vm.h"

/* The executor's state of Lua, as fresh as the last flush wants it. NULL: a script that takes long
 * is using it; the call has been told to come again. */
struct vm *script_vm(struct call *call, enum vm_kind kind);

/* What a script is about to do: the function and its arguments are on top of the state's stack. */
struct script_order {
    struct vm *vm;
    const char *name; /* SHA, or name of the function */
    unsigned flags;   /* enum script_flag */
    bool read_only;   /* of a command that ends in _RO */
    int arguments;
};

/* Asks whether it may, and runs it; the reply is written. The function and its arguments are off
 * the stack then. */
void script_run(struct call *call, const struct script_order *order);

/* EVAL's and FCALL's second argument. False: the error has been written. */
bool script_key_count(struct call *call, int *count);

#endif
