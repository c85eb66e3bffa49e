/* Numbers that nobody guesses from outside, for sampling; no secrets are made of them. */
#ifndef COMMON_RANDOM_H
#define COMMON_RANDOM_H

#include <stdint.h>

/* Any number; each thread draws from a row of its own, seeded by the system. */
uint64_t random_next(void);
/* 0 to limit - 1, each with the same likelihood; limit > 0. */
uint64_t random_below(uint64_t limit);

#endif
