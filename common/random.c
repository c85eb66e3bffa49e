/* xoshiro256**: four words of state for each thread. */
#include "common/random.h"

#include <sys/random.h>
#include <time.h>

static __thread uint64_t state[4];

static uint64_t rotate(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

static void seed(void)
{
    if (getrandom(state, sizeof(state), 0) != sizeof(state))
        state[1] = (uint64_t)time(NULL) * 0x9e3779b97f4a7c15 ^ (uintptr_t)state;
    state[0] |= 1; /* never all zeroes */
}

uint64_t random_next(void)
{
    if (state[0] == 0 && state[1] == 0 && state[2] == 0 && state[3] == 0)
        seed();
    uint64_t number = rotate(state[1] * 5, 7) * 9, t = state[1] << 17;
    state[2] ^= state[0];
    state[3] ^= state[1];
    state[1] ^= state[2];
    state[0] ^= state[3];
    state[2] ^= t;
    state[3] = rotate(state[3], 45);
    return number;
}

/* The upper half of a product is fair but for the few numbers that the lower half shows. */
uint64_t random_below(uint64_t limit)
{
    unsigned __int128 product = (unsigned __int128)random_next() * limit;
    if ((uint64_t)product < limit) {
        uint64_t floor = -limit % limit;
        while ((uint64_t)product < floor)
            product = (unsigned __int128)random_next() * limit;
    }
    return (uint64_t)(product >> 64);
}
