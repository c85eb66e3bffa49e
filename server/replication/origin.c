#include "server/replication/origin.h"

#include "common/node_id.h"
#include "common/number.h"
#include "server/snapshot/rdb_file.h"
#include <fcntl.h>
#include <unistd.h>

static void take(struct origin *origin, struct bytes name, struct bytes value)
{
    int64_t number;
    struct node_id id; /* 40 hexadecimal digits, like these */
    if (bytes_is(name, "repl-id") && node_id_parse(value, &id))
        memcpy(origin->id, id.text, sizeof(origin->id));
    else if (bytes_is(name, "repl-offset") && number_parse(value, &number) && number >= 0)
        origin->offset = number;
    else if (bytes_is(name, "repl-stream-db") && number_parse(value, &number) && number >= -1 &&
             number <= INT32_MAX)
        origin->database = (int)number;
}

bool origin_read(const char *path, struct origin *origin)
{
    *origin = (struct origin){ .database = -1 };
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    struct rdb_reader reader;
    struct rdb_record record = { 0 };
    rdb_reader_init(&reader,
        &(struct rdb_reader_options){ .source = rdb_fd_source(&fd), .size = rdb_fd_size(fd) });
    bool ok = rdb_read_header(&reader, NULL);
    while (ok && rdb_read_record(&reader, &record, NULL) && record.kind == RDB_RECORD_AUX)
        take(origin, record.name, record.value);
    rdb_reader_free(&reader);
    close(fd);
    return ok;
}
