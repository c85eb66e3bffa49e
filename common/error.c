/* The sentence is made aside and then copied, so that the text that is already in the error may
 * itself be an argument of the new one. Many sentences show what came from outside, and go to a
 * terminal or a log: so no control character passes. */
#include "common/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void keep(struct error *error, struct error *made)
{
    for (char *c = made->text; *c != '\0'; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
    }
    *error = *made;
}

bool error_set(struct error *error, const char *format, ...)
{
    if (error == NULL)
        return false;
    struct error made;
    va_list args;
    va_start(args, format);
    vsnprintf(made.text, sizeof(made.text), format, args);
    va_end(args);
    keep(error, &made);
    return false;
}

bool error_prefix(struct error *error, const char *format, ...)
{
    if (error == NULL)
        return false;
    struct error made;
    va_list args;
    va_start(args, format);
    int printed = vsnprintf(made.text, sizeof(made.text), format, args);
    va_end(args);
    size_t used = printed < 0 ? 0 : (size_t)printed;
    if (used < sizeof(made.text)) {
        int room = (int)(sizeof(made.text) - used);
        snprintf(made.text + used, (size_t)room, ": %.*s", room, error->text);
    }
    keep(error, &made);
    return false;
}
