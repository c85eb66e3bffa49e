/* Commands drawn by chance from a seed, over all types and most commands: for runs whose outcome is
 * compared with another server's. The same seed draws the same commands. */
#ifndef TESTS_SUPPORT_DRAW_H
#define TESTS_SUPPORT_DRAW_H

#include "common/buffer.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How replies are to be compared: DRAW_TIMED where they tell time that passes, DRAW_CHANCE where they
 * cannot be, ... */
enum draw_reply {
    DRAW_EXACT,
    DRAW_TIMED,
    DRAW_UNORDERED,
    DRAW_PAIRS,
    DRAW_DEEP,
    DRAW_CHANCE
};

struct draw_form {
    const char *words; /* draw.c says what they stand for */
    int weight;
    int how; /* enum draw_reply */
    bool not_in_multi; /* not where EXEC's reply would hold it */
};

struct draw {
    uint64_t state;      /* the seed, not 0 */
    uint64_t last_entry; /* of the streams */
    bool in_multi;
    bool by_chance; /* also forms whose outcome is the server's to choose: SPOP, XADD *, times that pass */
};

uint64_t draw_next(struct draw *draw);
/* One command into the buffer; now and then with a word too many or too few. */
const struct draw_form *draw_command(struct draw *draw, struct buffer *out);
/* The place of a form that draw_command gave, below DRAW_FORMS_MAX. */
enum { DRAW_FORMS_MAX = 1000 };
size_t draw_form_index(const struct draw_form *form);

#endif
