#include "server/snapshot/snapshot_file.h"

#include "common/memory.h"
#include "server/snapshot/rdb_file.h"
#include <stdlib.h>

struct file_target {
    struct snapshot_target target; /* the first member: what the snapshotter has */
    struct snapshot_file_options options;
    char *path;
    bool created;
    struct rdb_file file; /* where created */
    struct rdb_sink sink;
};

static bool prepare(void *context, struct error *error)
{
    struct file_target *file = context;
    file->created = rdb_file_create(&file->file, file->path, error);
    file->sink = rdb_file_sink(&file->file);
    return file->created;
}

static bool begin(void *context, struct error *error)
{
    struct file_target *file = context;
    return !file->options.begin || file->options.begin(file->options.context, error);
}

static bool write_data(void *context, struct bytes data, struct error *error)
{
    struct file_target *file = context;
    return file->sink.write(file->sink.context, data, error);
}

static void finish(void *context, const struct error *error)
{
    struct file_target *file = context;
    struct error failure;
    if (error) {
        if (file->created)
            rdb_file_abandon(&file->file);
    } else if (!rdb_file_commit(&file->file, &failure)) {
        error = &failure;
    }
    file->options.done(file->options.context, error);
    free(file->path);
    free(file);
}

struct snapshot_target *snapshot_file_create(const struct snapshot_file_options *options)
{
    struct file_target *file = memory_alloc_zeroed(1, sizeof(*file));
    file->options = *options;
    file->path = memory_copy_text(options->path);
    file->target = (struct snapshot_target){ .prepare = prepare,
        .begin = begin,
        .write = write_data,
        .finish = finish,
        .context = file,
        .aof_base = options->aof_base };
    return &file->target;
}
