/* The snapshot has a length in front, or a mark of 40 bytes before and after. It goes to a file
 * first: only when all of it is here is the old data given up for it. */
#include "server/replication/full_sync.h"

#include "common/number.h"
#include "server/aof_switch.h"
#include "server/clock.h"
#include "server/config.h"
#include "server/log.h"
#include "server/persistence.h"
#include "server/replication/feed.h"
#include "server/replication/origin.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MARK_LEN = 40, CHUNK = 256 * 1024, NEWLINE_MS = 1000 };

static char path[64]; /* set by full_sync_open */

/* The socket that waits while a snapshot is loaded; guarded by mutex. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct {
    int fd; /* -1: none */
    int64_t newline_ms;
} loading = { .fd = -1 };

void full_sync_open(void)
{
    snprintf(path, sizeof(path), "temp-full-sync-%lld.rdb", (long long)config_number(CONFIG_PORT));
    unlink(path);
}

/* ---- Receiving ---- */

/* How the snapshot comes, and how much of it has come. */
struct transfer {
    struct primary_socket *socket;
    int file;
    int timeout_ms;
    int64_t length; /* -1: a mark says where it ends */
    char mark[MARK_LEN];
    int64_t received;
    struct error *error;
};

/* "$EOF:<mark>" or "$<length>" */
static bool parse_head(struct transfer *transfer, const char *line)
{
    if (strncmp(line, "$EOF:", 5) == 0 && strlen(line + 5) == MARK_LEN) {
        memcpy(transfer->mark, line + 5, MARK_LEN);
        transfer->length = -1;
        return true;
    }
    if (line[0] == '$' && number_parse(bytes_of(line + 1), &transfer->length) &&
        transfer->length >= 0)
        return true;
    return error_set(transfer->error, "the primary sends no snapshot but %s", line);
}

static bool put(struct transfer *transfer, size_t len)
{
    struct buffer *input = &transfer->socket->input;
    size_t done = 0;
    while (done < len) {
        ssize_t written = write(transfer->file, input->data + done, len - done);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return error_set(transfer->error, "cannot write %s: %s", path, strerror(errno));
        done += (size_t)written;
    }
    transfer->received += (int64_t)len;
    buffer_consume(input, len);
    link_note_sync(transfer->length < 0 ? 0 : transfer->length, transfer->received);
    return true;
}

/* Writes what has come; *done: that was all. What follows the snapshot stays in the input. */
static bool take(struct transfer *transfer, bool *done)
{
    struct buffer *input = &transfer->socket->input;
    if (transfer->length >= 0) {
        int64_t missing = transfer->length - transfer->received;
        bool all = (int64_t)input->len >= missing;
        *done = all;
        return put(transfer, all ? (size_t)missing : input->len);
    }
    char *end =
        input->len >= MARK_LEN ? memmem(input->data, input->len, transfer->mark, MARK_LEN) : NULL;
    *done = end != NULL;
    if (!end)
        return input->len < MARK_LEN || put(transfer, input->len - (MARK_LEN - 1));
    if (!put(transfer, (size_t)(end - input->data)))
        return false;
    buffer_consume(input, MARK_LEN);
    return true;
}

static bool receive_all(struct transfer *transfer)
{
    bool done = false;
    char line[PRIMARY_LINE_MAX];
    if (!primary_socket_read_line(transfer->socket, line, transfer->timeout_ms, transfer->error) ||
        !parse_head(transfer, line))
        return false;
    for (;;) {
        if (!take(transfer, &done))
            return false;
        if (done)
            return true;
        switch (primary_socket_receive(
            transfer->socket, CHUNK, transfer->timeout_ms, transfer->error)) {
        case PRIMARY_BROKEN:
            return false;
        case PRIMARY_NOTHING:
            return error_set(transfer->error, "nothing more of the snapshot has come for %d ms",
                transfer->timeout_ms);
        case PRIMARY_GOT:
            break;
        }
    }
}

static bool receive_file(struct primary_socket *socket, int timeout_ms, struct error *error)
{
    struct transfer transfer = { .socket = socket, .timeout_ms = timeout_ms, .error = error };
    transfer.file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (transfer.file < 0)
        return error_set(error, "cannot make %s for the snapshot: %s", path, strerror(errno));
    int64_t start = clock_monotonic_ms();
    bool ok = receive_all(&transfer);
    close(transfer.file);
    if (ok)
        log_write(LOG_NOTICE, "The primary's snapshot is here: %lld bytes in %.3f seconds",
            (long long)transfer.received, (double)(clock_monotonic_ms() - start) / 1000);
    return ok;
}

/* ---- Loading ---- */

static void set_waiting(int fd)
{
    pthread_mutex_lock(&mutex);
    loading.fd = fd;
    loading.newline_ms = clock_monotonic_ms();
    pthread_mutex_unlock(&mutex);
}

void full_sync_tick(void)
{
    int64_t now = clock_monotonic_ms();
    pthread_mutex_lock(&mutex);
    if (loading.fd >= 0 && now - loading.newline_ms >= NEWLINE_MS) {
        loading.newline_ms = now;
        if (send(loading.fd, "\n", 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
            loading.fd = -1; /* the link will find out why */
    }
    pthread_mutex_unlock(&mutex);
}

/* The store becomes the file's. Until the journal has the history that belongs to it, it has one
 * that nobody has ever heard of, so that no snapshot of the time between can pass for another. */
static bool replace_data(
    struct journal *journal, const struct position *position, struct error *error)
{
    aof_switch_off(NULL);
    journal_backlog_stop(journal);
    journal_restart(journal, NULL, 0);
    if (!persistence_load_rdb(path, error))
        return false;
    journal_backlog_start(journal);
    journal_restart(journal, position->id, position->offset);
    if (!aof_switch_restart(error))
        log_write(LOG_WARNING, "The append-only file cannot be started again: %s", error->text);
    return true;
}

enum full_sync_result full_sync(struct primary_socket *socket, struct journal *journal,
    const struct position *position, uint64_t generation, int timeout_ms, int *database,
    struct error *error)
{
    enum full_sync_result result = FULL_SYNC_BROKEN;
    if (receive_file(socket, timeout_ms, error)) {
        struct origin origin;
        result = FULL_SYNC_STOPPED;
        if (role_begin_load(generation)) {
            origin_read(path, &origin);
            *database = origin.database;
            set_waiting(socket->fd);
            result = replace_data(journal, position, error) ? FULL_SYNC_DONE : FULL_SYNC_UNLOADED;
            set_waiting(-1);
            role_end_load();
        }
    }
    unlink(path);
    return result;
}
