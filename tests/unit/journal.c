/* The journal: what many threads append arrives whole and in order at every reader; the backlog's
 * windows; replication ids; the gate. */
#include "server/journal/journal.h"
#include "common/memory.h"
#include "common/number.h"
#include "common/resp.h"
#include "server/journal/gate.h"
#include "server/journal/reader.h"
#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { WAIT_MS = 20 * 1000 };

#ifdef SLOTD_SANITIZE
enum { EACH = 4000 };
#else
enum { EACH = 40000 };
#endif

static const char HEAD[] = "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n";
enum { HEAD_LEN = sizeof HEAD - 1 };

static void notify(void *context)
{
    uint64_t one = 1;
    (void)!write(*(int *)context, &one, sizeof one);
}

static bool was_notified(int fd, int limit_ms)
{
    uint64_t count;
    struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
    return poll(&poll_fd, 1, limit_ms) == 1 && read(fd, &count, sizeof count) == sizeof count;
}

/* Takes all there is. */
static void drain(struct journal_reader *reader, struct buffer *out)
{
    struct iovec views[4];
    size_t count;
    while ((count = journal_reader_peek(reader, views, 4)) > 0) {
        size_t len = 0;
        for (size_t i = 0; i < count; i++) {
            buffer_append(out, views[i].iov_base, views[i].iov_len);
            len += views[i].iov_len;
        }
        journal_reader_advance(reader, len);
    }
}

static void expect_read(struct journal_reader *reader, const char *text)
{
    struct buffer out = { 0 };
    drain(reader, &out);
    buffer_terminate(&out);
    cr_expect_str_eq(out.data, text);
    buffer_free(&out);
}

static int64_t append_text(struct journal *journal, const char *text)
{
    return journal_append_raw(journal, JOURNAL_NO_DB, bytes_of(text));
}

Test(journal, inactive_without_readers)
{
    struct journal *journal = journal_create(1024 * 1024);
    struct bytes argv[] = { BYTES("SET"), BYTES("k"), BYTES("v") };
    cr_expect_not(journal_is_active(journal));
    cr_expect_eq(journal_append(journal, 0, argv, 3), 0);
    cr_expect_eq(journal_memory(journal), 0u);
    struct journal_reader *reader = journal_reader_open(journal, JOURNAL_NOW, NULL, NULL);
    cr_expect(journal_is_active(journal));
    cr_expect_eq(journal_append(journal, 0, argv, 3), HEAD_LEN + 27);
    expect_read(
        reader, "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n");
    journal_reader_close(reader);
    cr_expect_not(journal_is_active(journal));
    cr_expect_eq(journal_memory(journal), 0u);
    cr_expect_eq(journal_append(journal, 0, argv, 3), HEAD_LEN + 27);
    journal_destroy(journal);
}

Test(journal, select_where_the_database_changes)
{
    struct journal *journal = journal_create(0);
    struct journal_reader *reader = journal_reader_open(journal, JOURNAL_NOW, NULL, NULL);
    struct bytes ping = BYTES("PING");
    journal_append(journal, JOURNAL_NO_DB, &ping, 1);
    expect_read(reader, "*1\r\n$4\r\nPING\r\n");
    journal_append_raw(journal, 0, BYTES("a"));
    journal_append_raw(journal, 0, BYTES("b"));
    journal_append_raw(journal, 12, BYTES("c"));
    journal_append_raw(journal, JOURNAL_NO_DB, BYTES("d"));
    journal_append_raw(journal, 12, BYTES("e"));
    expect_read(reader, "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\nab"
                        "*2\r\n$6\r\nSELECT\r\n$2\r\n12\r\ncde");
    journal_forget_db(journal);
    journal_append_raw(journal, 12, BYTES("f"));
    expect_read(reader, "*2\r\n$6\r\nSELECT\r\n$2\r\n12\r\nf");
    struct journal_reader *second = journal_reader_open(journal, JOURNAL_NOW, NULL, NULL);
    journal_append_raw(journal, 12, BYTES("g"));
    expect_read(second, "*2\r\n$6\r\nSELECT\r\n$2\r\n12\r\ng");
    journal_reader_close(second);
    journal_reader_close(reader);
    journal_destroy(journal);
}

/* Sizes around those where encoding and blocks change their way. */
Test(journal, values_of_every_size)
{
    static const size_t sizes[] = { 0, 1, 9, 10, 99, 100, 900, 1024, 60000, 65400, 65536, 65537,
        70000, 200000, 3000000 };
    struct journal *journal = journal_create(0);
    struct journal_reader *reader = journal_reader_open(journal, JOURNAL_NOW, NULL, NULL);
    struct buffer expected = { 0 }, got = { 0 };
    buffer_append(&expected, HEAD, HEAD_LEN);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *value = memory_alloc(sizes[i] + 1);
        memset(value, 'a' + (int)i, sizes[i]);
        struct bytes argv[] = { BYTES("SET"), BYTES("key"), { value, sizes[i] } };
        struct buffer raw = { 0 };
        journal_append(journal, 0, argv, 3);
        resp_write_command(&raw, argv, 3);
        journal_append_raw(journal, 0, buffer_bytes(&raw));
        buffer_append(&expected, raw.data, raw.len);
        buffer_append(&expected, raw.data, raw.len);
        buffer_free(&raw);
        free(value);
    }
    cr_expect_eq((size_t)journal_offset(journal), expected.len);
    cr_expect_eq((size_t)journal_reader_lag(reader), expected.len);
    drain(reader, &got);
    cr_assert(bytes_equal(buffer_bytes(&expected), buffer_bytes(&got)));
    buffer_free(&expected);
    buffer_free(&got);
    journal_reader_close(reader);
    journal_destroy(journal);
}

/* Requests that a reader of requests accepts, but a reader of files would not. */
Test(journal, a_request_is_appended_as_it_should_have_been)
{
    static const char good[] = "*2\r\n$4\r\nECHO\r\n$12\r\nhello, world\r\n";
    struct journal *journal = journal_create(0);
    struct journal_reader *reader = journal_reader_open(journal, JOURNAL_NOW, NULL, NULL);
    int others = 0;
    for (size_t i = 0; i < sizeof good - 1; i++) {
        struct resp_reader in = { .authenticated = true };
        size_t taken;
        char text[sizeof good];
        memcpy(text, good, sizeof good);
        text[i] = good[i] == '\r' || good[i] == '\n' ? 'x' : good[i];
        if (resp_read(&in, text, sizeof good - 1, &taken) == RESP_OK) {
            others += text[i] != good[i];
            journal_append_request(
                journal, JOURNAL_NO_DB, (struct bytes){ text, taken }, in.argv, in.argc);
            expect_read(reader, good);
        }
        resp_reader_free(&in);
    }
    cr_expect_eq(others, 7,
        "%d: one byte behind each of three lengths, two behind each of two arguments", others);
    journal_reader_close(reader);
    journal_destroy(journal);
}

Test(journal, memory_from_the_slowest_position_on)
{
    struct journal *journal = journal_create(0);
    struct journal_reader *fast = journal_reader_open(journal, JOURNAL_NOW, NULL, NULL);
    struct journal_reader *slow = journal_reader_open(journal, JOURNAL_NOW, NULL, NULL);
    char text[1000] = { 'x' };
    struct buffer out = { 0 };
    for (int i = 0; i < 4000; i++) {
        journal_append_raw(journal, JOURNAL_NO_DB, (struct bytes){ text, sizeof text });
        out.len = 0;
        drain(fast, &out);
    }
    cr_expect_geq(journal_memory(journal), 4000000u);
    drain(slow, &out);
    cr_expect_leq(journal_memory(journal), 6u * 64 * 1024);
    journal_reader_close(slow);
    journal_reader_close(fast);
    buffer_free(&out);
    journal_destroy(journal);
}

Test(journal, a_reader_is_woken_once)
{
    struct journal *journal = journal_create(0);
    int fd = eventfd(0, EFD_NONBLOCK);
    struct journal_reader *reader = journal_reader_open(journal, JOURNAL_NOW, notify, &fd);
    append_text(journal, "x");
    journal_wake(journal);
    cr_expect_not(was_notified(fd, 0), "it did not ask");
    cr_expect_not(journal_reader_wait(reader), "there is something");
    expect_read(reader, "x");
    cr_expect(journal_reader_wait(reader));
    journal_wake(journal);
    cr_expect_not(was_notified(fd, 0), "nothing came");
    append_text(journal, "y");
    cr_expect_not(was_notified(fd, 0), "the turn is not over");
    append_text(journal, "z");
    journal_wake(journal);
    cr_expect(was_notified(fd, 0));
    append_text(journal, "!");
    journal_wake(journal);
    cr_expect_not(was_notified(fd, 0), "it did not ask again");
    expect_read(reader, "yz!");
    journal_reader_close(reader);
    journal_destroy(journal);
    close(fd);
}

Test(journal, backlog_keeps_the_last_bytes)
{
    struct journal *journal = journal_create(20000);
    journal_backlog_start(journal);
    struct journal_history history = journal_history(journal);
    struct bytes id = bytes_of(history.id);
    struct journal_backlog backlog = journal_backlog(journal);
    cr_expect_eq(backlog.first_offset, 1);
    cr_expect_eq(backlog.length, 0);
    cr_expect(journal_can_continue(journal, id, 1));
    cr_expect_not(journal_can_continue(journal, id, 0));
    cr_expect_not(journal_can_continue(journal, id, 2));
    for (int i = 0; i < 100000; i++) {
        char text[16];
        snprintf(text, sizeof text, "%09d\n", i);
        append_text(journal, text);
    }
    backlog = journal_backlog(journal);
    cr_expect_eq(backlog.length, 20000);
    cr_expect_eq(backlog.first_offset, 1000000 - 20000 + 1);
    cr_expect(journal_can_continue(journal, id, backlog.first_offset));
    cr_expect_not(journal_can_continue(journal, id, backlog.first_offset - 1));
    cr_expect(journal_can_continue(journal, id, 1000001));
    cr_expect_not(journal_can_continue(journal, id, 1000002));
    cr_expect_not(journal_can_continue(journal, BYTES("?"), 1000001));
    cr_expect_null(journal_reader_open(journal, 0, NULL, NULL));
    struct journal_reader *reader = journal_reader_open(journal, 999980, NULL, NULL);
    expect_read(reader, "000099998\n000099999\n");
    journal_reader_close(reader);
    cr_expect_leq(journal_memory(journal), 6u * 64 * 1024);
    journal_backlog_resize(journal, 500000);
    cr_expect_leq(journal_backlog(journal).length, 100000);
    journal_backlog_resize(journal, 1);
    cr_expect_eq(journal_backlog(journal).length, JOURNAL_BACKLOG_MIN);
    journal_backlog_stop(journal);
    cr_expect_str_neq(journal_history(journal).id, history.id);
    cr_expect_not(journal_is_active(journal));
    journal_destroy(journal);
}

Test(journal, ids_as_roles_change)
{
    struct journal *journal = journal_create(0);
    journal_backlog_start(journal);
    struct journal_history first = journal_history(journal);
    cr_expect_eq(strlen(first.id), 40u);
    cr_expect_str_eq(first.second_id, "0000000000000000000000000000000000000000");
    cr_expect_eq(first.second_offset, -1);
    append_text(journal, "0123456789");
    journal_history_shift(journal);
    struct journal_history second = journal_history(journal);
    cr_expect_str_eq(second.second_id, first.id);
    cr_expect_eq(second.second_offset, 11);
    append_text(journal, "abc");
    cr_expect(journal_can_continue(journal, bytes_of(first.id), 11));
    cr_expect_not(journal_can_continue(journal, bytes_of(first.id), 12));
    cr_expect(journal_can_continue(journal, bytes_of(second.id), 14));
    const char *other = "1234567890123456789012345678901234567890";
    journal_history_continue(journal, other);
    cr_expect_str_eq(journal_history(journal).id, other);
    cr_expect_str_eq(journal_history(journal).second_id, second.id);
    cr_expect_eq(journal_history(journal).second_offset, 14);
    journal_destroy(journal);
}

Test(journal, a_full_sync_cuts_readers_off)
{
    struct journal *journal = journal_create(0);
    journal_backlog_start(journal);
    struct journal_reader *reader = journal_reader_open(journal, JOURNAL_NOW, NULL, NULL);
    append_text(journal, "before");
    struct iovec view;
    cr_assert_eq(journal_reader_peek(reader, &view, 1), 1u);
    const char *id = "1234567890123456789012345678901234567890";
    journal_restart(journal, id, 5000);
    cr_expect(memcmp(view.iov_base, "before", 6) == 0, "a view stays good until the close");
    cr_expect(journal_reader_is_cut(reader));
    cr_expect_eq(journal_reader_peek(reader, &view, 1), 0u);
    cr_expect_eq(journal_offset(journal), 5000);
    append_text(journal, "after");
    cr_expect_eq(journal_reader_peek(reader, &view, 1), 0u);
    cr_expect_not(journal_reader_wait(reader));
    struct journal_reader *next = journal_reader_open(journal, 5000, NULL, NULL);
    expect_read(next, "after");
    cr_expect(journal_can_continue(journal, bytes_of(id), 5001));
    cr_expect_not(journal_can_continue(journal, bytes_of(id), 5000));
    journal_reader_close(reader);
    journal_reader_close(next);
    journal_destroy(journal);
}

Test(journal, limits_of_a_reader)
{
    struct journal *journal = journal_create(0);
    struct journal_reader *reader = journal_reader_open(journal, JOURNAL_NOW, NULL, NULL);
    struct journal_limit limit = { .hard = 200000, .soft = 100000, .soft_ms = 1000 };
    char text[50000] = { 'x' };
    struct bytes piece = { text, sizeof text };
    journal_append_stream(journal, piece);
    cr_expect_not(journal_reader_over_limit(reader, &limit, 0));
    journal_append_stream(journal, piece);
    journal_append_stream(journal, piece);
    cr_expect_not(journal_reader_over_limit(reader, &limit, 10000));
    cr_expect_not(journal_reader_over_limit(reader, &limit, 11000));
    cr_expect(journal_reader_over_limit(reader, &limit, 11001));
    journal_reader_advance(reader, sizeof text);
    cr_expect_not(journal_reader_over_limit(reader, &limit, 12000));
    journal_append_stream(journal, piece);
    cr_expect_not(journal_reader_over_limit(reader, &limit, 12001), "the time starts anew");
    for (int i = 0; i < 3; i++) {
        journal_append_stream(journal, piece);
    }
    cr_expect(journal_reader_over_limit(reader, &limit, 12002));
    journal_backlog_resize(journal, 1000000);
    journal_backlog_start(journal);
    cr_expect_not(journal_reader_over_limit(reader, &limit, 99999), "the backlog is larger");
    journal_reader_close(reader);
    journal_destroy(journal);
}

/* Many writers, several readers of different speed. */

enum { WRITERS = 8, READERS = 3 };

struct writer {
    struct journal *journal;
    int number;
};

/* Each number is the writer's and a count; a value of the length that the two give follows. */
static size_t value_length(int writer, int count)
{
    return count % 1000 == 999 ? 70000u + (size_t)writer
                               : (size_t)((writer * 31 + count * 7) % 200);
}

static void *write_all(void *argument)
{
    const struct writer *writer = argument;
    char *value = memory_alloc(80000);
    memset(value, 'a' + writer->number, 80000);
    for (int i = 0; i < EACH; i++) {
        char number[NUMBER_TEXT_MAX], count[NUMBER_TEXT_MAX];
        struct bytes argv[] = { { number, number_format(number, writer->number) },
            { count, number_format(count, i) }, { value, value_length(writer->number, i) } };
        if (i % 2 == 0) {
            journal_append(writer->journal, 0, argv, 3);
        } else {
            struct buffer raw = { 0 };
            resp_write_command(&raw, argv, 3);
            journal_append_raw(writer->journal, 0, buffer_bytes(&raw));
            buffer_free(&raw);
        }
        if (i % 16 == 15 || i == EACH - 1) {
            journal_wake(writer->journal);
        }
    }
    free(value);
    return NULL;
}

struct follower {
    struct journal *journal;
    struct journal_reader *reader;
    int fd;
    size_t bite; /* the most it takes at once */
    int seen[WRITERS];
    int commands;
    const char *wrong;
};

static int int_of(struct bytes text)
{
    int64_t value = -1;
    return number_parse(text, &value) ? (int)value : -1;
}

static void check_command(struct follower *follower, const struct resp_reader *in)
{
    if (in->argc == 2 && bytes_is(in->argv[0], "SELECT")) {
        return;
    }
    int writer = in->argc == 3 ? int_of(in->argv[0]) : -1;
    int count = in->argc == 3 ? int_of(in->argv[1]) : -1;
    if (writer < 0 || writer >= WRITERS || count != follower->seen[writer]) {
        follower->wrong = "a command is out of order";
        return;
    }
    follower->seen[writer]++;
    follower->commands++;
    struct bytes value = in->argv[2];
    if (value.len != value_length(writer, count)) {
        follower->wrong = "a value's length";
    }
    for (size_t i = 0; i < value.len; i++) {
        if (value.data[i] != 'a' + writer) {
            follower->wrong = "a value's bytes";
        }
    }
}

/* Appends up to a bite of what there is; false: waited in vain. */
static bool take_bite(struct follower *follower, struct buffer *data)
{
    struct iovec views[3];
    size_t count = journal_reader_peek(follower->reader, views, 3), len = 0;
    for (size_t i = 0; i < count && len < follower->bite; i++) {
        size_t part = views[i].iov_len;
        part = part < follower->bite - len ? part : follower->bite - len;
        buffer_append(data, views[i].iov_base, part);
        len += part;
    }
    journal_reader_advance(follower->reader, len);
    return count > 0 || !journal_reader_wait(follower->reader) ||
           was_notified(follower->fd, WAIT_MS);
}

static void *follow_all(void *argument)
{
    struct follower *follower = argument;
    struct buffer data = { 0 };
    struct resp_reader in = { .authenticated = true };
    while (follower->wrong == NULL && follower->commands < WRITERS * EACH) {
        if (!take_bite(follower, &data)) {
            follower->wrong = "nobody woke it";
        }
        size_t used = 0, taken;
        while (follower->wrong == NULL && used < data.len &&
               resp_read(&in, data.data + used, data.len - used, &taken) == RESP_OK) {
            check_command(follower, &in);
            used += taken;
        }
        buffer_consume(&data, used);
    }
    resp_reader_free(&in);
    buffer_free(&data);
    return NULL;
}

Test(journal, many_writers_and_readers)
{
    struct journal *journal = journal_create(100000);
    struct writer writers[WRITERS];
    struct follower followers[READERS] = { { .bite = 1000000 }, { .bite = 5000 },
        { .bite = 100000 } };
    pthread_t threads[WRITERS + READERS];
    journal_backlog_start(journal);
    for (int i = 0; i < READERS; i++) {
        followers[i].journal = journal;
        followers[i].fd = eventfd(0, EFD_NONBLOCK);
        followers[i].reader = journal_reader_open(journal, JOURNAL_NOW, notify, &followers[i].fd);
        pthread_create(&threads[WRITERS + i], NULL, follow_all, &followers[i]);
    }
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){ journal, i };
        pthread_create(&threads[i], NULL, write_all, &writers[i]);
    }
    for (int i = 0; i < WRITERS + READERS; i++) {
        pthread_join(threads[i], NULL);
    }
    for (int i = 0; i < READERS; i++) {
        cr_expect_null(followers[i].wrong, "reader %d: %s", i, followers[i].wrong);
        cr_expect_eq(followers[i].commands, WRITERS * EACH);
        cr_expect_eq(journal_reader_lag(followers[i].reader), 0);
        journal_reader_close(followers[i].reader);
        close(followers[i].fd);
    }
    cr_expect_eq(journal_backlog(journal).length, 100000);
    journal_destroy(journal);
}

/* Readers come and go while others append. */
static void *open_and_close(void *argument)
{
    struct follower *follower = argument;
    for (int i = 0; i < 300; i++) {
        struct buffer out = { 0 };
        struct journal_reader *reader =
            journal_reader_open(follower->journal, JOURNAL_NOW, notify, &follower->fd);
        (void)journal_reader_wait(reader);
        drain(reader, &out);
        if (out.len >= HEAD_LEN && memcmp(out.data, HEAD, HEAD_LEN) != 0) {
            follower->wrong = "a new reader must begin with SELECT";
        }
        journal_reader_close(reader);
        buffer_free(&out);
    }
    return NULL;
}

Test(journal, readers_come_and_go)
{
    struct journal *journal = journal_create(0);
    struct writer writers[2] = { { journal, 0 }, { journal, 1 } };
    struct follower followers[2] = { { .journal = journal }, { .journal = journal } };
    pthread_t threads[4];
    for (int i = 0; i < 2; i++) {
        followers[i].fd = eventfd(0, EFD_NONBLOCK);
        pthread_create(&threads[i], NULL, write_all, &writers[i]);
        pthread_create(&threads[2 + i], NULL, open_and_close, &followers[i]);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    for (int i = 0; i < 2; i++) {
        cr_expect_null(followers[i].wrong);
        close(followers[i].fd);
    }
    cr_expect_not(journal_is_active(journal));
    cr_expect_eq(journal_memory(journal), 0u);
    journal_destroy(journal);
}

Test(gate, one_follower)
{
    struct gate *gate = gate_create();
    int fd = eventfd(0, EFD_NONBLOCK);
    struct gate_listener *listener = gate_listener_add(gate, notify, &fd);
    cr_expect_eq(gate_highest(gate), -1);
    cr_expect(gate_wait(listener, 5, 0));
    cr_expect_not(gate_wait(listener, 0, 1), "there is no follower");
    struct gate_follower *follower = gate_follower_add(gate, 10);
    cr_expect(was_notified(fd, 0));
    cr_expect(gate_wait(listener, 10, 1));
    cr_expect_not(gate_wait(listener, 20, 1));
    cr_expect_not(gate_wait(listener, 15, 1));
    gate_follower_advance(follower, 14);
    cr_expect_not(was_notified(fd, 0));
    gate_follower_advance(follower, 15);
    cr_expect(was_notified(fd, 0));
    cr_expect(gate_wait(listener, 15, 1));
    gate_follower_advance(follower, 30);
    cr_expect_not(was_notified(fd, 0), "it did not ask again");
    gate_follower_advance(follower, 3);
    cr_expect_eq(gate_highest(gate), 30);
    gate_follower_set(follower, 3);
    cr_expect_eq(gate_highest(gate), 3);
    cr_expect_not(gate_wait(listener, 1000, 1));
    gate_follower_set(follower, GATE_OPEN);
    cr_expect(was_notified(fd, 0));
    cr_expect(gate_wait(listener, 1000, 1));
    gate_follower_remove(follower);
    gate_listener_remove(listener);
    gate_destroy(gate);
    close(fd);
}

Test(gate, as_many_followers_as_wait_asks_for)
{
    struct gate *gate = gate_create();
    int fd = eventfd(0, EFD_NONBLOCK);
    struct gate_listener *listener = gate_listener_add(gate, notify, &fd);
    struct gate_follower *a = gate_follower_add(gate, 0), *b = gate_follower_add(gate, 0);
    cr_expect_not(gate_wait(listener, 100, 2));
    gate_follower_advance(a, 100);
    cr_expect(was_notified(fd, 0));
    cr_expect_eq(gate_count(gate, 100), 1u);
    cr_expect_not(gate_wait(listener, 100, 2));
    cr_expect(gate_wait(listener, 100, 1));
    gate_follower_advance(b, 99);
    cr_expect_not(was_notified(fd, 0));
    gate_follower_advance(b, 200);
    cr_expect(was_notified(fd, 0));
    cr_expect(gate_wait(listener, 100, 2));
    cr_expect_not(gate_wait(listener, 101, 2));
    gate_wake_all(gate);
    cr_expect(was_notified(fd, 0));
    gate_follower_remove(b);
    cr_expect_eq(gate_highest(gate), 100);
    cr_expect_eq(gate_count(gate, 0), 1u);
    gate_follower_remove(a);
    gate_listener_remove(listener);
    gate_destroy(gate);
    close(fd);
}

struct passing {
    struct gate_follower *follower;
    int64_t last;
};

static void *advance_all(void *argument)
{
    const struct passing *passing = argument;
    for (int64_t i = 1; i <= passing->last; i++) {
        gate_follower_advance(passing->follower, i);
    }
    return NULL;
}

/* No wake-up is lost between "not yet" and the advance. */
Test(gate, nobody_sleeps_forever)
{
    struct gate *gate = gate_create();
    int fd = eventfd(0, EFD_NONBLOCK);
    struct gate_listener *listener = gate_listener_add(gate, notify, &fd);
    struct passing passing[2] = { { gate_follower_add(gate, 0), EACH },
        { gate_follower_add(gate, 0), EACH } };
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        pthread_create(&threads[i], NULL, advance_all, &passing[i]);
    }
    for (int64_t offset = 1; offset <= EACH; offset++) {
        while (!gate_wait(listener, offset, 2)) {
            cr_assert(was_notified(fd, WAIT_MS));
        }
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        gate_follower_remove(passing[i].follower);
    }
    gate_listener_remove(listener);
    gate_destroy(gate);
    close(fd);
}
