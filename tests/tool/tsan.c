/* Linked into the unit tests of the thread sanitizer's build. Criterion (by BoxFort) maps the memory that
 * it shares with a test's process at an address that it draws with rand_r(), the same in both. Most of
 * those addresses are none that the sanitizer has shadow memory for. This rand_r() draws only addresses
 * at the end of the range that programs are mapped to: 0x567000000000 + n * 16 MB. */
#include <stdlib.h>

enum { FIRST_DRAW = 0x367000, DRAWS = 0x1000 }; /* draw * 2^24 is added to 0x200000000000 */

int rand_r(unsigned int *seed)
{
    *seed = *seed * 1103515245U + 12345U;
    return FIRST_DRAW + (int)(*seed >> 16) % DRAWS;
}
