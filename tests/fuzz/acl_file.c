/* Any text is refused with a reason, or makes users; and what these are told as makes users that
 * are told as the same. */
#include "server/command/acl_file.h"
#include "server/command/acl_users.h"
#include "server/command/command.h"
#include "server/config.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void tell(const struct acl_loaded *loaded, struct buffer *out)
{
    for (size_t i = 0; i < loaded->count; i++) {
        buffer_printf(out, "user %s ", loaded->items[i].name);
        acl_user_describe(loaded->items[i].user, out);
        buffer_append_char(out, '\n');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool ready;
    struct error error;
    if (!ready && !config_load(NULL, 0, NULL, &error))
        abort();
    if (!ready)
        command_registry_init();
    ready = true;
    struct acl_loaded first = { 0 }, second = { 0 };
    struct buffer errors = { 0 }, told = { 0 }, again = { 0 };
    struct bytes text = { (const char *)data, size };
    if (acl_file_parse(text, "fuzz", &first, &errors)) {
        tell(&first, &told);
        struct bytes copy = told.len ? buffer_bytes(&told) : BYTES("");
        if (!acl_file_parse(copy, "again", &second, &errors))
            abort();
        tell(&second, &again);
        if (!bytes_equal(copy, again.len ? buffer_bytes(&again) : BYTES("")))
            abort();
    } else if (errors.len == 0) {
        abort();
    }
    acl_loaded_free(&first);
    acl_loaded_free(&second);
    buffer_free(&errors);
    buffer_free(&told);
    buffer_free(&again);
    return 0;
}
