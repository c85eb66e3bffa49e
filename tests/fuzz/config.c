/* Any text is either refused with a message or loaded; and what was loaded, rewritten and loaded
 * again is the same configuration. */
#include "server/config.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void collect(void *arg, const char *name, bool is_alias, struct bytes value)
{
    buffer_append_text(arg, name);
    buffer_append_char(arg, '=');
    buffer_append(arg, value.data, value.len);
    buffer_append_char(arg, '\n');
}

static bool load(const char *path, struct buffer *values)
{
    struct error error = { "" };
    if (!config_load(path, 0, NULL, &error)) {
        if (error.text[0] == '\0')
            abort();
        return false;
    }
    config_each(collect, values);
    return true;
}

/* Other files are none of this test's business. */
static bool has_include(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i + 7 <= size; i++) {
        if (strncasecmp((const char *)data + i, "include", 7) == 0)
            return true;
    }
    return false;
}

static void check(const char *path)
{
    struct buffer first = { 0 }, second = { 0 };
    struct error error;
    if (load(path, &first)) {
        if (!config_rewrite(&error) || !load(path, &second))
            abort();
        if (!bytes_equal(buffer_bytes(&first), buffer_bytes(&second)))
            abort();
    }
    buffer_free(&first);
    buffer_free(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char folder[] = "/tmp/slotd-fuzz-XXXXXX";
    int before = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (has_include(data, size) || before < 0 || !mkdtemp(folder)) {
        close(before);
        return 0;
    }
    char path[sizeof(folder) + 8];
    snprintf(path, sizeof(path), "%s/conf", folder);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(data, 1, size, file) != size || fclose(file) != 0)
        abort();
    check(path);
    if (fchdir(before) != 0)
        abort();
    close(before);
    unlink(path);
    rmdir(folder);
    return 0;
}
