/* Every element of a pattern but the star takes exactly one byte. So there is never a reason to
 * give an earlier star more once a later one has been reached: when what follows the last star does
 * not fit, that star takes one byte more and the rest is tried again. That is all the memory the
 * match needs: where the last star was.
 *
 * Some corners are as Redis has them: a class that is not closed ends with the pattern; in a class,
 * the byte behind "x-" is the range's end even if it is "]"; a star does not match an empty text.
 */
#include "server/command/glob.h"

#include <ctype.h>

struct matcher {
    struct bytes pattern;
    bool ignore_case;
};

static unsigned char fold(const struct matcher *matcher, char c)
{
    return (unsigned char)(matcher->ignore_case ? tolower((unsigned char)c) : (unsigned char)c);
}

/* The class that begins at *at (at its bracket): whether it holds c. *at moves behind it. */
static bool class_holds(const struct matcher *matcher, size_t *at, char c)
{
    const char *data = matcher->pattern.data;
    size_t len = matcher->pattern.len, i = *at + 1;
    unsigned char wanted = fold(matcher, c);
    bool negated = i < len && data[i] == '^', found = false;
    if (negated)
        i++;
    while (i < len && data[i] != ']') {
        unsigned char first = fold(matcher, data[i]), last = first;
        if (data[i] == '\\' && len - i >= 2) {
            first = last = fold(matcher, data[i + 1]);
            i += 2;
        } else if (len - i >= 3 && data[i + 1] == '-') {
            last = fold(matcher, data[i + 2]);
            i += 3;
        } else {
            i++;
        }
        if (first > last) {
            unsigned char swap = first;
            first = last;
            last = swap;
        }
        found |= wanted >= first && wanted <= last;
    }
    *at = i < len ? i + 1 : len;
    return found != negated;
}

/* The element at *at (no star) against one byte; *at moves behind it. */
static bool element_takes(const struct matcher *matcher, size_t *at, char c)
{
    const char *data = matcher->pattern.data;
    if (data[*at] == '[')
        return class_holds(matcher, at, c);
    if (data[*at] == '?') {
        ++*at;
        return true;
    }
    if (data[*at] == '\\' && *at + 1 < matcher->pattern.len)
        ++*at;
    return fold(matcher, data[(*at)++]) == fold(matcher, c);
}

bool glob_matches(struct bytes pattern, struct bytes text, bool ignore_case)
{
    const struct matcher matcher = { pattern, ignore_case };
    size_t at = 0, pos = 0, star = 0, star_pos = 0;
    bool starred = false;
    if (text.len == 0)
        return pattern.len == 0;
    while (pos < text.len) {
        if (at < pattern.len && pattern.data[at] == '*') {
            starred = true;
            star = ++at;
            star_pos = pos;
            if (at == pattern.len)
                return true;
        } else if (at < pattern.len && element_takes(&matcher, &at, text.data[pos])) {
            pos++;
        } else if (starred) {
            at = star;
            pos = ++star_pos;
        } else {
            return false;
        }
    }
    while (at < pattern.len && pattern.data[at] == '*')
        at++;
    return at == pattern.len;
}

bool glob_is_pattern(struct bytes pattern)
{
    for (size_t i = 0; i < pattern.len; i++) {
        if (strchr("*?[\\", pattern.data[i]) && pattern.data[i] != '\0')
            return true;
    }
    return false;
}
