/* One stream, many writers. A writer encodes its command before it takes the mutex; under it there
 * are a memcpy into the last block and the new offset. What is as large as a block becomes a
 * block of its own, filled before, so that nobody waits for another's large copy.
 *
 * The offset is stored with release order behind the bytes, and readers load it with acquire order:
 * all below it can be read without a lock.
 *
 * Waking is lazy: an append only notes that a reader waits, and the one who appended wakes it at
 * the end of its turn (journal_wake), or when a block is full, for a turn may be long. */
#include "server/journal/journal.h"
#include "common/buffer.h"
#include "common/memory.h"
#include "common/number.h"
#include "common/resp.h"
#include "server/journal/blocks.h"
#include <stdio.h>
#include <stdlib.h>

enum {
    ENCODE_ON_STACK = 1024, /* bytes that a command may need to be encoded on the stack */
    LARGE = BLOCK_SIZE,     /* from here on a command gets a block of its own */
    WAKE_BATCH = 32,
};

struct journal *journal_create(size_t backlog_size)
{
    struct journal *journal = memory_alloc_zeroed(1, sizeof *journal);
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ADAPTIVE_NP);
    pthread_mutex_init(&journal->mutex, &attributes);
    pthread_mutexattr_destroy(&attributes);
    pthread_mutex_init(&journal->wake_mutex, NULL);
    journal->last_db = JOURNAL_NO_DB;
    journal->backlog_size = backlog_size < JOURNAL_BACKLOG_MIN ? JOURNAL_BACKLOG_MIN : backlog_size;
    journal_restart(journal, NULL, 0);
    journal_history_shift(journal);
    journal_history_clear_second(journal);
    return journal;
}

void journal_destroy(struct journal *journal)
{
    if (journal == NULL) {
        return;
    }
    journal->backlog = false;
    blocks_free_list(blocks_update_active(journal));
    pthread_mutex_destroy(&journal->mutex);
    pthread_mutex_destroy(&journal->wake_mutex);
    free(journal);
}

static bool put_select(struct journal *journal, int db)
{
    char digits[NUMBER_TEXT_MAX], text[96];
    size_t count = number_format(digits, db);
    int len = snprintf(
        text, sizeof text, "*2\r\n$6\r\nSELECT\r\n$%zu\r\n%.*s\r\n", count, (int)count, digits);
    journal->last_db = db;
    return blocks_put(journal, (struct bytes){ text, (size_t)len });
}

/* Appends `data`, or the block that holds it already. */
static int64_t append(struct journal *journal, int db, struct bytes data, struct block *large)
{
    struct block *unneeded = NULL;
    pthread_mutex_lock(&journal->mutex);
    int64_t offset = atomic_load_explicit(&journal->state.offset, memory_order_relaxed);
    if (!atomic_load_explicit(&journal->state.active, memory_order_relaxed)) {
        pthread_mutex_unlock(&journal->mutex);
        free(large);
        return offset;
    }
    bool begun = false;
    if (db != journal->last_db && db != JOURNAL_NO_DB) {
        begun = put_select(journal, db);
    }
    if (large != NULL) {
        blocks_link(journal, large);
        begun = true;
    } else {
        begun |= blocks_put(journal, data);
    }
    struct block *last = journal->chain->last;
    offset = last->start + (int64_t)last->used;
    atomic_store_explicit(&journal->state.offset, offset, memory_order_release);
    if (journal->armed) {
        atomic_store_explicit(&journal->state.wake, true, memory_order_relaxed);
    }
    if (begun) {
        unneeded = blocks_trim(journal);
    }
    pthread_mutex_unlock(&journal->mutex);
    if (__builtin_expect(begun, 0)) {
        blocks_free_list(unneeded);
        journal_wake(journal);
    }
    return offset;
}

int64_t journal_append_raw(struct journal *journal, int db, struct bytes request)
{
    if (!journal_is_active(journal) || request.len == 0) {
        return journal_offset(journal);
    }
    if (__builtin_expect(request.len < LARGE, 1)) {
        return append(journal, db, request, NULL);
    }
    struct block *large = blocks_new(request.len);
    memcpy(large->data, request.data, request.len);
    large->used = request.len;
    return append(journal, db, (struct bytes){ 0 }, large);
}

int64_t journal_append_stream(struct journal *journal, struct bytes stream)
{
    return journal_append_raw(journal, JOURNAL_NO_DB, stream);
}

/* Writes "*5\r\n" or "$5\r\n"; returns the place behind it. */
static char *write_count(char *out, char kind, size_t count)
{
    *out++ = kind;
    if (count < 10) {
        *out++ = (char)('0' + count);
    } else {
        out += number_format_unsigned(out, count);
    }
    *out++ = '\r';
    *out++ = '\n';
    return out;
}

/* Encodes to `out`, which has encoded_bound() bytes; returns the length. */
static size_t encode(char *out, const struct bytes *argv, size_t argc)
{
    char *end = write_count(out, '*', argc);
    for (size_t i = 0; i < argc; i++) {
        end = write_count(end, '$', argv[i].len);
        memcpy(end, argv[i].data, argv[i].len);
        end += argv[i].len;
        *end++ = '\r';
        *end++ = '\n';
    }
    return (size_t)(end - out);
}

static size_t encoded_bound(const struct bytes *argv, size_t argc)
{
    const size_t count_bound = 3 + NUMBER_TEXT_MAX;
    size_t bound = count_bound;
    for (size_t i = 0; i < argc; i++) {
        bound += count_bound + argv[i].len + 2;
    }
    return bound;
}

int64_t journal_append(struct journal *journal, int db, const struct bytes *argv, size_t argc)
{
    if (!journal_is_active(journal) || argc == 0) {
        return journal_offset(journal);
    }
    size_t bound = encoded_bound(argv, argc);
    if (__builtin_expect(bound <= ENCODE_ON_STACK, 1)) {
        char text[ENCODE_ON_STACK];
        return append(journal, db, (struct bytes){ text, encode(text, argv, argc) }, NULL);
    }
    struct block *block = blocks_new(bound);
    block->used = encode(block->data, argv, argc);
    if (block->used >= LARGE) {
        return append(journal, db, (struct bytes){ 0 }, block);
    }
    int64_t offset = append(journal, db, (struct bytes){ block->data, block->used }, NULL);
    free(block);
    return offset;
}

static size_t digit_count(size_t value)
{
    size_t count = 1;
    while (value >= 10) {
        value /= 10;
        count++;
    }
    return count;
}

static bool is_line_end(const char *at)
{
    return at[0] == '\r' && at[1] == '\n';
}

/* Whether the request is what encode() makes of its arguments. Its numbers are known to be strict
 * ones, so only the line ends can differ. */
static bool is_as_encoded(struct bytes request, const struct bytes *argv, size_t argc)
{
    const char *at = request.data + 1 + digit_count(argc);
    for (size_t i = 0; i < argc; i++) {
        const char *length_end = at + 2 + 1 + digit_count(argv[i].len);
        if (argv[i].data != length_end + 2 || !is_line_end(at) || !is_line_end(length_end)) {
            return false;
        }
        at = argv[i].data + argv[i].len;
    }
    return at + 2 == request.data + request.len && is_line_end(at);
}

int64_t journal_append_request(
    struct journal *journal, int db, struct bytes request, const struct bytes *argv, size_t argc)
{
    if (!journal_is_active(journal) || argc == 0) {
        return journal_offset(journal);
    }
    return is_as_encoded(request, argv, argc) ? journal_append_raw(journal, db, request)
                                              : journal_append(journal, db, argv, argc);
}

void journal_forget_db(struct journal *journal)
{
    pthread_mutex_lock(&journal->mutex);
    journal->last_db = JOURNAL_NO_DB;
    pthread_mutex_unlock(&journal->mutex);
}

/* Disarms up to WAKE_BATCH readers that have something to read; their notify functions go to `due`.
 */
static size_t take_due(struct journal *journal, struct journal_reader **due)
{
    size_t count = 0;
    bool armed = false;
    pthread_mutex_lock(&journal->mutex);
    for (struct journal_reader *reader = journal->readers; reader != NULL; reader = reader->next) {
        if (!reader->armed) {
            continue;
        }
        if (count < WAKE_BATCH && journal_reader_lag(reader) > 0) {
            reader->armed = false;
            due[count++] = reader;
        } else {
            armed = true;
        }
    }
    journal->armed = armed;
    if (count < WAKE_BATCH) {
        atomic_store_explicit(&journal->state.wake, false, memory_order_relaxed);
    }
    pthread_mutex_unlock(&journal->mutex);
    return count;
}

void journal_wake_readers(struct journal *journal)
{
    struct journal_reader *due[WAKE_BATCH];
    size_t count;
    pthread_mutex_lock(&journal->wake_mutex);
    do {
        count = take_due(journal, due);
        for (size_t i = 0; i < count; i++) {
            due[i]->notify(due[i]->context);
        }
    } while (count == WAKE_BATCH);
    pthread_mutex_unlock(&journal->wake_mutex);
}

size_t journal_memory(const struct journal *journal)
{
    pthread_mutex_t *mutex = (pthread_mutex_t *)&journal->mutex;
    pthread_mutex_lock(mutex);
    size_t memory = journal->memory;
    pthread_mutex_unlock(mutex);
    return memory;
}
