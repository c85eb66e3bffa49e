/* Any text is refused with a sentence, or is a manifest that is the same after it was written and
 * read again, names plain files only, and can be carried through a rewrite. */
#include "server/journal/aof_manifest.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

/* Writes it, reads that, and writes what was read: both texts must be the same. */
static void write_and_read(const struct aof_manifest *manifest)
{
    struct aof_manifest again;
    struct error error;
    struct buffer once = { 0 }, twice = { 0 };
    aof_manifest_write(manifest, &once);
    require(aof_manifest_parse(buffer_bytes(&once), &again, &error));
    aof_manifest_write(&again, &twice);
    require(bytes_equal(buffer_bytes(&once), buffer_bytes(&twice)));
    require(again.count == manifest->count);
    aof_manifest_free(&again);
    buffer_free(&once);
    buffer_free(&twice);
}

/* A rewrite's new names are those of no other file. */
static void rewrite(struct aof_manifest *manifest)
{
    int64_t base = aof_manifest_add_base(manifest, "fuzz", true)->seq;
    int64_t increment = aof_manifest_add_increment(manifest, "fuzz")->seq;
    aof_manifest_retire_increments(manifest, increment);
    if (base <= AOF_SEQ_MAX && increment <= AOF_SEQ_MAX) {
        write_and_read(manifest);
    }
    aof_manifest_drop_history(manifest);
    require(manifest->count == 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct aof_manifest manifest;
    struct error error = { "" };
    if (!aof_manifest_parse((struct bytes){ (const char *)data, size }, &manifest, &error)) {
        require(error.text[0] != '\0' && manifest.files == NULL);
        return 0;
    }
    for (size_t i = 0; i < manifest.count; i++) {
        require(aof_name_is_plain(bytes_of(manifest.files[i].name)));
    }
    write_and_read(&manifest);
    rewrite(&manifest);
    aof_manifest_free(&manifest);
    return 0;
}
