#include "server/script/flags.h"

#include <string.h>

const struct script_flag_name script_flag_names[] = { { "no-writes", SCRIPT_NO_WRITES },
    { "allow-oom", SCRIPT_ALLOW_OOM }, { "allow-stale", SCRIPT_ALLOW_STALE },
    { "no-cluster", SCRIPT_NO_CLUSTER }, { "allow-cross-slot-keys", SCRIPT_ALLOW_CROSS_SLOT },
    { NULL, 0 } };

unsigned script_flag_find(struct bytes name)
{
    for (const struct script_flag_name *row = script_flag_names; row->name; row++) {
        if (bytes_equal(name, bytes_of(row->name)))
            return row->flag;
    }
    return 0;
}

static bool starts_with(struct bytes text, const char *prefix)
{
    size_t len = strlen(prefix);
    return text.len >= len && memcmp(text.data, prefix, len) == 0;
}

/* The next piece of the text up to the separator; false: there is none. */
static bool take(struct bytes *text, char separator, struct bytes *piece)
{
    while (separator == ' ' && text->len > 0 && text->data[0] == ' ') {
        text->data++;
        text->len--;
    }
    if (text->len == 0)
        return false;
    const char *end = memchr(text->data, separator, text->len);
    piece->data = text->data;
    piece->len = end ? (size_t)(end - text->data) : text->len;
    size_t used = piece->len + (end != NULL);
    text->data += used;
    text->len -= used;
    return true;
}

static bool read_flags(struct bytes list, unsigned *flags, struct error *error)
{
    struct bytes name;
    while (take(&list, ',', &name)) {
        unsigned flag = script_flag_find(name);
        if (!flag)
            return error_set(
                error, "Unexpected flag in script shebang: %.*s", (int)name.len, name.data);
        *flags |= flag;
    }
    return true;
}

bool script_read_shebang(struct bytes body, unsigned *flags, size_t *start, struct error *error)
{
    *flags = SCRIPT_COMPATIBLE;
    *start = 0;
    if (!starts_with(body, "#!"))
        return true;
    const char *end = memchr(body.data, '\n', body.len);
    if (!end)
        return error_set(error, "Invalid script shebang");
    *flags = 0;
    *start = (size_t)(end - body.data);
    struct bytes line = { body.data, *start }, word = { "", 0 };
    if (!take(&line, ' ', &word) || !bytes_equal(word, BYTES("#!lua")))
        return error_set(
            error, "Unexpected engine in script shebang: %.*s", (int)word.len, word.data);
    while (take(&line, ' ', &word)) {
        if (!starts_with(word, "flags="))
            return error_set(error, "Unknown lua shebang option: %.*s", (int)word.len, word.data);
        if (!read_flags((struct bytes){ word.data + 6, word.len - 6 }, flags, error))
            return false;
    }
    return true;
}
