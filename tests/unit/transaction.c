/* Requests through dispatch, without a connection: transactions, watched keys, ASKING, what the
 * journal gets. */
#include "server/command/transaction.h"

#include "common/resp.h"
#include "common/words.h"
#include "server/clock.h"
#include "server/command/condition.h"
#include "server/command/dispatch.h"
#include "server/command/latency.h"
#include "server/command/slowlog.h"
#include "server/command/transit.h"
#include "server/config.h"
#include "server/journal/reader.h"
#include <criterion/criterion.h>
#include <stdlib.h>

static struct store *store;
static struct journal *journal;
static struct executor *executor;
static struct session one, two;

static void open_session(struct session *session)
{
    *session = (struct session){ .executor = executor, .reply.protocol = 2, .id = 1 };
    session->flags = SESSION_AUTHENTICATED;
}

static void close_session(struct session *session)
{
    transaction_discard(session);
    reply_free(&session->reply);
}

static void begin(void)
{
    struct error error;
    cr_assert(config_load(NULL, 0, NULL, &error), "%s", error.text);
    clock_init();
    command_registry_init();
    slowlog_init();
    latency_init();
    dispatch_init(false);
    store = store_create(4);
    journal = journal_create(1024 * 1024);
    executor = executor_create(store, journal);
    executor->now = 4102444800000; /* of the test alone: the clock is behind, and now never goes back */
    open_session(&one);
    open_session(&two);
}

static void end(void)
{
    close_session(&one);
    close_session(&two);
    store_destroy(store);
}

TestSuite(transaction, .init = begin, .fini = end, .timeout = 10);

static enum dispatch_result try(struct session *session, const char *line)
{
    struct words words;
    cr_assert(words_split(bytes_of(line), &words));
    struct request request = { .session = session, .argv = words.items, .argc = (int)words.count };
    turn_begin(executor->turn);
    dispatch_prepare(executor, &request, NULL);
    enum dispatch_result result = dispatch_run(executor, &request);
    turn_end(executor->turn);
    words_free(&words);
    return result;
}

/* The answer with ~ for line ends. */
static const char *say(struct session *session, const char *line)
{
    static char text[1024];
    cr_assert_eq(try(session, line), DISPATCH_DONE, "%s", line);
    struct buffer *bytes = &session->reply.bytes;
    cr_assert_lt(bytes->len, sizeof(text));
    size_t len = 0;
    for (size_t i = 0; i < bytes->len; i++) {
        if (bytes->data[i] != '\r')
            text[len++] = bytes->data[i] == '\n' ? '~' : bytes->data[i];
    }
    text[len] = '\0';
    reply_cut(&session->reply, 0);
    return text;
}

#define expect(session, line, answer) cr_assert_str_eq(say(&(session), (line)), (answer))

Test(transaction, runs_what_was_queued)
{
    expect(one, "MULTI", "+OK~");
    expect(one, "SET a 1", "+QUEUED~");
    expect(one, "INCR a", "+QUEUED~");
    expect(two, "GET a", "$-1~");
    expect(one, "EXEC", "*2~+OK~:2~");
    expect(one, "EXEC", "-ERR EXEC without MULTI~");
    expect(one, "DISCARD", "-ERR DISCARD without MULTI~");
}

/* EXEC holds the locks of the watched keys' slots: UNWATCH must not want them again. */
Test(transaction, unwatch_inside)
{
    expect(one, "WATCH a b", "+OK~");
    expect(one, "MULTI", "+OK~");
    expect(one, "UNWATCH", "+QUEUED~");
    expect(one, "SET a 1", "+QUEUED~");
    expect(one, "EXEC", "*2~+OK~+OK~");
    cr_assert_null(one.watches);
}

Test(transaction, watched_keys)
{
    expect(one, "WATCH a", "+OK~");
    expect(two, "SET a 1", "+OK~");
    expect(one, "MULTI", "+OK~");
    expect(one, "SET a 2", "+QUEUED~");
    expect(one, "EXEC", "*-1~");
    expect(one, "MULTI", "+OK~");
    expect(one, "WATCH a", "-ERR WATCH inside MULTI is not allowed~");
    expect(one, "EXEC", "*0~");
    /* The flush of an empty key, and one's own change before MULTI. */
    expect(one, "WATCH none", "+OK~");
    expect(two, "FLUSHALL", "+OK~");
    expect(one, "MULTI", "+OK~");
    expect(one, "EXEC", "*0~");
    expect(one, "WATCH a", "+OK~");
    expect(one, "SET a 3", "+OK~");
    expect(one, "MULTI", "+OK~");
    expect(one, "EXEC", "*-1~");
    expect(one, "WATCH a", "+OK~");
    expect(two, "DEL a", ":1~");
    expect(one, "UNWATCH", "+OK~");
    expect(one, "MULTI", "+OK~");
    expect(one, "EXEC", "*0~");
}

Test(transaction, a_watched_key_that_expires)
{
    expect(one, "SET a 1 PX 100", "+OK~");
    expect(one, "WATCH a", "+OK~");
    executor->now += 200;
    expect(one, "MULTI", "+OK~");
    expect(one, "EXEC", "*-1~");
    expect(one, "SET a 1 PX 100", "+OK~");
    executor->now += 200;
    expect(one, "WATCH a", "+OK~"); /* over before, but not yet removed */
    expect(two, "GET a", "$-1~");
    expect(one, "MULTI", "+OK~");
    expect(one, "EXEC", "*0~");
}

Test(transaction, refused_while_it_is_queued)
{
    expect(one, "MULTI", "+OK~");
    expect(one, "SET a 1", "+QUEUED~");
    expect(one, "GET", "-ERR wrong number of arguments for 'get' command~");
    size_t memory = transaction_memory(&one);
    cr_assert_gt(memory, 0);
    expect(one, "SET b 2", "+QUEUED~");
    cr_assert_eq(transaction_memory(&one), memory, "it cannot run any more, so it takes no memory");
    expect(one, "EXEC", "-EXECABORT Transaction discarded because of previous errors.~");
    cr_assert_eq(transaction_memory(&one), 0);
    expect(one, "GET a", "$-1~");
    expect(one, "MULTI", "+OK~");
    expect(one, "EXEC now",
        "-EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' "
        "command~");
    expect(one, "EXEC", "-ERR EXEC without MULTI~");
    expect(one, "EXEC now",
        "-EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' "
        "command~");
}

/* What keeps one of its commands keeps EXEC, as a whole. */
Test(transaction, refused_when_it_is_to_run)
{
    expect(one, "MULTI", "+OK~");
    expect(one, "SET a 1", "+QUEUED~");
    expect(two, "MULTI", "+OK~");
    expect(two, "GET a", "+QUEUED~");
    condition_set(CONDITION_FEW_REPLICAS, true);
    expect(one, "EXEC",
        "-EXECABORT Transaction discarded because of: NOREPLICAS Not enough good replicas to "
        "write.~");
    expect(one, "EXEC", "-ERR EXEC without MULTI~");
    condition_set(CONDITION_FEW_REPLICAS, false);
    condition_set(CONDITION_LOADING, true);
    expect(two, "EXEC",
        "-EXECABORT Transaction discarded because of: LOADING Redis is loading the dataset in "
        "memory~");
    condition_set(CONDITION_LOADING, false);
}

Test(transaction, writes_that_wait)
{
    condition_set(CONDITION_WRITES_PAUSED, true);
    expect(one, "GET a", "$-1~");
    cr_assert_eq(try(&one, "SET a 1"), DISPATCH_RETRY);
    condition_set(CONDITION_WRITES_PAUSED, false);
    expect(one, "MULTI", "+OK~");
    expect(one, "SET a 1", "+QUEUED~");
    condition_set(CONDITION_WRITES_PAUSED, true);
    cr_assert_eq(try(&one, "EXEC"), DISPATCH_RETRY);
    condition_set(CONDITION_WRITES_PAUSED, false);
    expect(one, "EXEC", "*1~+OK~");
}

/* A pause that is there is only made longer or stricter. */
Test(transaction, pauses_add_up)
{
    pause_begin(PAUSE_CLIENT, false, 2000000);
    pause_begin(PAUSE_CLIENT, true, 1500000);
    pause_tick(1600000);
    cr_assert_eq(condition_all(), CONDITION_ALL_PAUSED);
    cr_assert_eq(try(&one, "GET a"), DISPATCH_RETRY);
    pause_begin(PAUSE_FAILOVER, true, 3000000);
    pause_tick(2000000);
    cr_assert_eq(condition_all(), CONDITION_WRITES_PAUSED);
    pause_end(PAUSE_CLIENT);
    cr_assert_eq(condition_all(), CONDITION_WRITES_PAUSED);
    pause_end(PAUSE_FAILOVER);
    cr_assert_eq(condition_all(), 0);
    pause_begin(PAUSE_CLIENT, true, 4000000);
    cr_assert_eq(condition_all(), CONDITION_WRITES_PAUSED);
    pause_end(PAUSE_CLIENT);
}

static void transit(bool on, struct bytes name)
{
    struct slot *slot = store_slot(store, 0, slot_of_key(name));
    slot_lock_acquire(&slot->lock);
    if (on)
        transit_begin(slot, &name, 1);
    else
        transit_end(slot, &name, 1);
    slot_lock_release(&slot->lock);
}

/* Any of the keys, whatever slot it is of. */
Test(transaction, keys_in_transit)
{
    expect(one, "MULTI", "+OK~");
    expect(one, "SET a 1", "+QUEUED~");
    expect(one, "SET b 2", "+QUEUED~");
    transit(true, BYTES("b"));
    cr_assert(transit_any());
    cr_assert_eq(try(&one, "EXEC"), DISPATCH_RETRY);
    cr_assert_eq(try(&two, "SET b 1"), DISPATCH_RETRY);
    cr_assert_eq(try(&two, "MSET a 1 b 2"), DISPATCH_RETRY);
    expect(two, "GET b", "$-1~");
    expect(two, "SET a 7", "+OK~");
    transit(false, BYTES("b"));
    cr_assert(!transit_any());
    expect(one, "EXEC", "*2~+OK~+OK~");
    expect(two, "MSET a 1 b 2", "+OK~");
}

/* ---- ASKING ---- */

Test(transaction, asking_is_for_one_command)
{
    one.flags |= SESSION_ASKING;
    expect(one, "PING", "+PONG~");
    cr_assert(!(one.flags & SESSION_ASKING));
    one.flags |= SESSION_ASKING;
    say(&one, "NONSENSE");
    cr_assert(!(one.flags & SESSION_ASKING));
    one.flags |= SESSION_ASKING;
    say(&one, "GET");
    cr_assert(!(one.flags & SESSION_ASKING));
}

Test(transaction, asking_is_for_one_transaction)
{
    one.flags |= SESSION_ASKING;
    expect(one, "MULTI", "+OK~");
    expect(one, "SET a 1", "+QUEUED~");
    cr_assert(one.flags & SESSION_ASKING);
    expect(one, "EXEC", "*1~+OK~");
    cr_assert(!(one.flags & SESSION_ASKING));
}

/* ---- Statistics ---- */

Test(transaction, errors_are_counted_once)
{
    expect(one, "SET a x", "+OK~");
    expect(one, "MULTI", "+OK~");
    expect(one, "INCR a", "+QUEUED~");
    uint64_t before = atomic_load(&executor->counters.errors);
    expect(one, "EXEC", "*1~-ERR value is not an integer or out of range~");
    cr_assert_eq(atomic_load(&executor->counters.errors), before + 1);
    const struct command_entry *container,
        *incr = command_lookup((struct bytes[]){ BYTES("incr") }, 1, &container),
        *exec = command_lookup((struct bytes[]){ BYTES("exec") }, 1, &container);
    cr_assert_eq(atomic_load(&executor->commands[incr->id].failed), 1);
    cr_assert_eq(atomic_load(&executor->commands[exec->id].failed), 0);
    say(&one, "INCR");
    cr_assert_eq(atomic_load(&executor->commands[incr->id].rejected), 1);
    cr_assert_eq(atomic_load(&executor->counters.errors), before + 2);
}

/* ---- The journal ---- */

static struct journal_reader *reader;

/* What came since, each request's words joined by spaces, requests by " / ". */
static const char *journaled(void)
{
    static char text[1024];
    struct buffer bytes = { 0 };
    struct iovec views[16];
    size_t count = journal_reader_peek(reader, views, 16);
    for (size_t i = 0; i < count; i++)
        buffer_append(&bytes, views[i].iov_base, views[i].iov_len);
    journal_reader_advance(reader, bytes.len);
    struct resp_reader requests = { 0 };
    size_t used;
    text[0] = '\0';
    for (size_t at = 0; at < bytes.len; at += used) {
        cr_assert_eq(resp_read(&requests, bytes.data + at, bytes.len - at, &used), RESP_OK);
        if (at > 0)
            strcat(text, " / ");
        for (size_t i = 0; i < requests.argc; i++) {
            if (i > 0)
                strcat(text, " ");
            strncat(text, requests.argv[i].data, requests.argv[i].len);
        }
    }
    resp_reader_free(&requests);
    buffer_free(&bytes);
    return text;
}

Test(transaction, journaled_as_one)
{
    reader = journal_reader_open(journal, JOURNAL_NOW, NULL, NULL);
    expect(one, "SET a 1", "+OK~");
    cr_assert_str_eq(journaled(), "SELECT 0 / SET a 1");
    expect(one, "MULTI", "+OK~");
    expect(one, "INCR a", "+QUEUED~");
    expect(one, "GET a", "+QUEUED~");
    expect(one, "GETDEL a", "+QUEUED~");
    expect(one, "EXEC", "*3~:2~$1~2~$1~2~");
    cr_assert_str_eq(journaled(), "MULTI / INCR a / DEL a / EXEC");
    expect(one, "MULTI", "+OK~");
    expect(one, "SET a 5", "+QUEUED~");
    expect(one, "EXEC", "*1~+OK~");
    cr_assert_str_eq(journaled(), "SET a 5");
    journal_reader_close(reader);
}

/* Each effect in the database that it was made in, and what comes after the transaction too. */
Test(transaction, journaled_across_databases)
{
    reader = journal_reader_open(journal, JOURNAL_NOW, NULL, NULL);
    expect(one, "MULTI", "+OK~");
    expect(one, "SET a 1", "+QUEUED~");
    expect(one, "SELECT 2", "+QUEUED~");
    expect(one, "SET b 2", "+QUEUED~");
    expect(one, "EXEC", "*3~+OK~+OK~+OK~");
    cr_assert_str_eq(
        journaled(), "SELECT 0 / MULTI / SET a 1 / SELECT 2 / SET b 2 / SELECT 0 / EXEC");
    expect(two, "SET c 3", "+OK~");
    cr_assert_str_eq(journaled(), "SET c 3");
    expect(one, "SET d 4", "+OK~");
    cr_assert_str_eq(journaled(), "SELECT 2 / SET d 4");
    expect(one, "MULTI", "+OK~");
    expect(one, "SELECT 1", "+QUEUED~");
    expect(one, "SET e 5", "+QUEUED~");
    expect(one, "EXEC", "*2~+OK~+OK~");
    cr_assert_str_eq(journaled(), "SELECT 1 / SET e 5");
    journal_reader_close(reader);
}

/* A key that is found to be over is deleted, and journaled so, before what found it. */
Test(transaction, journaled_expiry)
{
    reader = journal_reader_open(journal, JOURNAL_NOW, NULL, NULL);
    expect(one, "SET a 1 PX 100", "+OK~");
    cr_assert_str_eq(journaled(), "SELECT 0 / SET a 1 PXAT 4102444800100");
    executor->now += 200;
    expect(one, "GET a", "$-1~");
    cr_assert_str_eq(journaled(), "DEL a");
    expect(one, "SET a 1 PX 100", "+OK~");
    journaled();
    executor->now += 200;
    expect(one, "INCR a", ":1~");
    cr_assert_str_eq(journaled(), "MULTI / DEL a / INCR a / EXEC");
    journal_reader_close(reader);
}
