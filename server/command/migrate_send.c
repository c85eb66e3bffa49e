#include "server/command/migrate_send.h"

#include "common/number.h"
#include "common/resp.h"
#include "server/clock.h"
#include "server/snapshot/rdb_payload.h"
#include "server/snapshot/value.h"
#include <stdio.h>

enum { CHUNK = 64 * 1024 }; /* bytes gathered before they are written */

/* One attempt. */
struct sending {
    const struct migrate_target *target;
    struct migrate_link *link;
    struct buffer out;
    bool selects;    /* SELECT was sent */
    size_t answered; /* items */
    bool refused;    /* the target has said an error: `failure` is it */
    char *failure;
    const char *doing; /* "writing" or "reading" */
    enum migrate_link_status status;
};

static bool write_out(struct sending *sending, size_t least)
{
    if (sending->out.len < least || sending->out.len == 0)
        return true;
    sending->doing = "writing";
    sending->status =
        migrate_link_write(sending->link, buffer_bytes(&sending->out), sending->target->timeout_ms);
    sending->out.len = 0;
    return sending->status == MIGRATE_LINK_OK;
}

static void put_preamble(struct sending *sending)
{
    const struct migrate_target *target = sending->target;
    if (target->password.data) {
        struct bytes argv[3] = { BYTES("AUTH") };
        size_t argc = 1;
        if (target->user.data)
            argv[argc++] = target->user;
        argv[argc++] = target->password;
        resp_write_command(&sending->out, argv, argc);
    }
    sending->selects = sending->link->database != target->database;
    if (sending->selects) {
        char digits[NUMBER_TEXT_MAX];
        struct bytes number = { digits, number_format(digits, target->database) };
        resp_write_command(&sending->out, (struct bytes[]){ BYTES("SELECT"), number }, 2);
    }
}

/* False: it has expired. */
static bool put_item(struct sending *sending, const struct entry *entry)
{
    const struct migrate_target *target = sending->target;
    int64_t expiry = entry_expiry(entry), ttl = 0;
    if (expiry != ENTRY_NO_EXPIRY) {
        ttl = expiry - clock_unix_ms();
        if (ttl < 0)
            return false;
        ttl = ttl > 0 ? ttl : 1; /* 0 would be for ever */
    }
    char digits[NUMBER_TEXT_MAX];
    struct rdb_writer writer;
    rdb_payload_begin(&writer, value_type(entry), target->compress);
    value_write(&writer, entry);
    struct bytes argv[] = { target->asking ? BYTES("RESTORE-ASKING") : BYTES("RESTORE"),
        entry_key(entry), { digits, number_format(digits, ttl) }, rdb_payload_end(&writer),
        BYTES("REPLACE") };
    resp_write_command(&sending->out, argv, target->replace ? 5 : 4);
    rdb_writer_free(&writer);
    return true;
}

static bool write_all(struct sending *sending, struct migrate_item *items, size_t count)
{
    put_preamble(sending);
    for (size_t i = 0; i < count; i++) {
        items[i].asked = put_item(sending, items[i].entry);
        if (!write_out(sending, CHUNK))
            return false;
    }
    return write_out(sending, 1);
}

/* An answer: false where none came. What is no success is remembered if it is the first. */
static bool read_answer(struct sending *sending, bool *success)
{
    char line[MIGRATE_LINE_MAX];
    sending->doing = "reading";
    sending->status = migrate_link_read_line(sending->link, line, sending->target->timeout_ms);
    if (sending->status != MIGRATE_LINK_OK)
        return false;
    *success = line[0] == '+';
    if (!*success && !sending->refused) {
        sending->refused = true;
        snprintf(sending->failure, MIGRATE_FAILURE_MAX, "Target instance replied with error: %s",
            line[0] == '-' ? line + 1 : line);
    }
    return true;
}

static bool read_all(struct sending *sending, struct migrate_item *items, size_t count)
{
    bool authenticated = true, selected = true, restored;
    if (sending->target->password.data && !read_answer(sending, &authenticated))
        return false;
    if (sending->selects && !read_answer(sending, &selected))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!items[i].asked)
            continue;
        if (!read_answer(sending, &restored))
            return false;
        sending->answered++;
        items[i].accepted = authenticated && selected && restored;
    }
    return true;
}

static void fail(struct sending *sending, const char *what)
{
    if (!sending->refused)
        snprintf(sending->failure, MIGRATE_FAILURE_MAX, "IOERR error or timeout %s", what);
}

/* False: it failed. *again: nothing was answered and it was no timeout, so another try may help (a
 * connection that was kept, and that the other side has closed since). */
static bool attempt(struct sending *sending, struct migrate_item *items, size_t count, bool *again)
{
    const struct migrate_target *target = sending->target;
    *again = false;
    sending->link =
        migrate_link_open(target->host, target->port, target->timeout_ms, &sending->status);
    if (!sending->link) {
        fail(sending, sending->status == MIGRATE_LINK_TIMEOUT ? "connecting to the client"
                                                              : "writing to target instance");
        return false;
    }
    bool done = write_all(sending, items, count) && read_all(sending, items, count);
    buffer_free(&sending->out);
    if (done) {
        sending->link->database = sending->refused ? -1 : target->database;
        migrate_link_keep(sending->link);
        return !sending->refused;
    }
    migrate_link_close(sending->link);
    *again = sending->status != MIGRATE_LINK_TIMEOUT && sending->answered == 0 && !sending->refused;
    char what[64];
    snprintf(what, sizeof(what), "%s to target instance", sending->doing);
    fail(sending, what);
    return false;
}

bool migrate_send(
    const struct migrate_target *target, struct migrate_item *items, size_t count, char *failure)
{
    bool again;
    for (int tries = 0; tries < 2; tries++) {
        struct sending sending = { .target = target, .failure = failure };
        if (attempt(&sending, items, count, &again))
            return true;
        if (!again)
            break;
    }
    return false;
}
