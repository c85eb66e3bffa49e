/* redis://[user[:password]@]host[:port]: the part before the last @ names the user, because a
 * password may hold one; without a colon in it, it is the password, as redis-cli has it. */
#include "console/client/uri.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

static int hex_digit(char c)
{
    return isdigit((unsigned char)c)    ? c - '0'
           : isxdigit((unsigned char)c) ? (c | 32) - 'a' + 10
                                        : -1;
}

static bool decode(struct bytes text, char *out, const char *what, struct error *error)
{
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (c == '%') {
            int high = i + 2 < text.len ? hex_digit(text.data[i + 1]) : -1;
            int low = i + 2 < text.len ? hex_digit(text.data[i + 2]) : -1;
            if (high < 0 || low < 0) {
                return error_set(error,
                    "the %s of the URI has a %% without two digits 0-9a-f "
                    "behind it; a percent sign itself is written %%25",
                    what);
            }
            c = (char)(high * 16 + low);
            i += 2;
        }
        if (len + 1 >= CLIENT_TEXT_MAX || c == '\0') {
            return error_set(error,
                "the %s of the URI is longer than %d bytes or holds a zero byte", what,
                CLIENT_TEXT_MAX - 1);
        }
        out[len++] = c;
    }
    out[len] = '\0';
    return true;
}

bool uri_parse(
    const char *text, struct address *address, struct client_options *options, struct error *error)
{
    static const char scheme[] = "redis://";
    if (strncasecmp(text, scheme, sizeof scheme - 1) != 0) {
        return error_set(
            error, "\"%.100s\" is no URI of the form redis://[user:password@]host[:port]", text);
    }
    struct bytes rest = bytes_of(text + sizeof scheme - 1);
    const char *slash = memchr(rest.data, '/', rest.len);
    const char *at = memrchr(rest.data, '@', rest.len);
    if (slash != NULL && (at == NULL || slash > at)) {
        struct bytes path = bytes_of(slash + 1);
        if (path.len > 0 && !bytes_is(path, "0")) {
            return error_set(error,
                "the URI names database \"%.20s\"; a cluster has database 0 only", path.data);
        }
        rest.len = (size_t)(slash - rest.data);
    }
    if (at != NULL) {
        struct bytes user = { rest.data, (size_t)(at - rest.data) };
        const char *colon = memchr(user.data, ':', user.len);
        struct bytes password = user;
        if (colon != NULL) {
            password = (struct bytes){ colon + 1, (size_t)(at - colon - 1) };
            user.len = (size_t)(colon - user.data);
        } else {
            user.len = 0;
        }
        if (!decode(user, options->user, "user", error) ||
            !decode(password, options->password, "password", error)) {
            return false;
        }
        rest = (struct bytes){ at + 1, rest.len - (size_t)(at + 1 - rest.data) };
    }
    if (rest.len == 0) {
        return true;
    }
    bool bare_v6 = rest.data[0] == '[' && rest.data[rest.len - 1] == ']';
    bool has_port = !bare_v6 && memrchr(rest.data, ':', rest.len) != NULL;
    char host[ADDRESS_HOST_MAX + 8];
    if (rest.len >= ADDRESS_HOST_MAX) {
        return error_set(error, "the host of the URI is too long");
    }
    int len =
        snprintf(host, sizeof host, "%.*s%s", (int)rest.len, rest.data, has_port ? "" : ":6379");
    return address_parse((struct bytes){ host, (size_t)len }, address, error);
}
