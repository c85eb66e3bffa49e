/* Under appendfsync always a reply is held until the disk has what was written before it; a client
 * that does not take its replies is closed when client-output-buffer-limit says so. */
#include "server/net/output.h"

#include "server/clock.h"
#include "server/command/client_memory.h"
#include "server/config.h"
#include "server/journal/aof.h"
#include "server/journal/gate.h"
#include "server/log.h"
#include "server/net/worker.h"

/* Under appendfsync always nobody sees a reply before all that was written by then is on the disk:
 * a reader might have seen what another has written. */
static bool must_hold(struct worker *worker, struct connection *connection)
{
    if (connection->stream)
        return false;
    /* While the disk fails only those wait who have written what it lacks: the others shall hear
     * -MISCONF, and may read. */
    bool failing = aof_errno(worker->aof) != 0;
    int64_t offset = failing ? (int64_t)connection->session.write_offset : connection->held_offset;
    return !gate_wait(worker->listener, offset, 1);
}

void output_enforce_limit(struct connection *connection)
{
    size_t size = reply_size(&connection->session.reply) - connection->sent;
    bool listens = connection->session.flags & SESSION_SUBSCRIBED;
    int64_t hard =
        config_number(listens ? CONFIG_OUTPUT_LIMIT_PUBSUB_HARD : CONFIG_OUTPUT_LIMIT_NORMAL_HARD);
    int64_t soft =
        config_number(listens ? CONFIG_OUTPUT_LIMIT_PUBSUB_SOFT : CONFIG_OUTPUT_LIMIT_NORMAL_SOFT);
    int64_t seconds = config_number(
        listens ? CONFIG_OUTPUT_LIMIT_PUBSUB_SECONDS : CONFIG_OUTPUT_LIMIT_NORMAL_SECONDS);
    bool over = hard > 0 && size >= (size_t)hard;
    if (soft > 0 && size >= (size_t)soft) {
        int64_t now = clock_monotonic_ms();
        if (!connection->soft_limit_since)
            connection->soft_limit_since = now;
        over = over || now - connection->soft_limit_since > seconds * 1000;
    } else {
        connection->soft_limit_since = 0;
    }
    if (over) {
        log_write(LOG_WARNING, "Closing client %s: its replies exceed client-output-buffer-limit",
            connection->session.peer);
        connection_close(connection);
    }
}

void output_flush(struct worker *worker)
{
    bool always = aof_holds_replies(worker->aof);
    struct connection_list *flush = &worker->flush;
    size_t kept = 0;
    for (size_t i = 0; i < flush->count; i++) {
        struct connection *connection = flush->items[i];
        connection->on_flush = false;
        if (connection->closing)
            continue;
        if (always && must_hold(worker, connection)) {
            connection->on_flush = true;
            flush->items[kept++] = connection;
            continue;
        }
        connection_write(connection);
        if (!connection->closing)
            client_memory_note(&connection->session);
        if (connection->writing && !connection->closing && !connection->stream)
            output_enforce_limit(connection);
    }
    flush->count = kept;
}
