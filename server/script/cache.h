/* The scripts that EVAL and SCRIPT LOAD have brought, by their SHA: one cache for all executors,
 * whose states compile what they run. Any thread. */
#ifndef SERVER_SCRIPT_CACHE_H
#define SERVER_SCRIPT_CACHE_H

#include "server/script/sha1.h"
#include "server/script/vm.h"
#include <stdint.h>

/* Pushes the script's compiled function on the stack of a VM_EVAL. body: the text, where the caller
 * has it, which is cached then; data NULL: it must be in the cache already. The SHA is in lower
 * case. False: with error empty, it is not there; else it cannot be compiled ("ERR ..." is
 * missing). */
bool cache_push(struct vm *vm, const char sha[SHA1_HEX + 1], struct bytes body, unsigned *flags,
    struct error *error);

bool cache_has(const char sha[SHA1_HEX + 1]);
/* Forgets them all; every state starts anew. */
void cache_flush(void);
/* Grows with every flush. */
uint64_t cache_generation(void);
size_t cache_count(void);
size_t cache_memory(void); /* bytes */

#endif
