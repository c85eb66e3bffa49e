/* Any text is refused with a line, or is a topology that is the same after it was written and read
 * again. */
#include "common/topology.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct buffer write_nodes(const struct topology *topology)
{
    struct buffer out = { 0 };
    for (size_t i = 0; i < topology->count; i++)
        topology_write_node(&out, &topology->nodes[i], true);
    return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct topology first, second;
    struct error error = { "" };
    if (!topology_parse((struct bytes){ (const char *)data, size }, &first, &error)) {
        if (strncmp(error.text, "line ", 5) != 0)
            abort();
        return 0;
    }
    struct buffer once = write_nodes(&first);
    if (!topology_parse(buffer_bytes(&once), &second, &error))
        abort();
    struct buffer twice = write_nodes(&second);
    if (!bytes_equal(buffer_bytes(&once), buffer_bytes(&twice)))
        abort();
    buffer_free(&once);
    buffer_free(&twice);
    topology_free(&first);
    topology_free(&second);
    return 0;
}
