/* Inside of the journal, for journal.c, blocks.c, reader.c and history.c only: the chain of blocks
 * that holds the bytes, and the fields that the journal's mutex guards. */
#ifndef SERVER_JOURNAL_BLOCKS_H
#define SERVER_JOURNAL_BLOCKS_H

#include "server/journal/reader.h"
#include <pthread.h>

enum {
    BLOCK_SIZE = 64 * 1024, /* an allocation, header included */
    BLOCK_SPARES = 4,       /* kept for the next append */
    BLOCK_TRIM = 64,        /* freed in one go under the mutex */
};

/* Bytes of one stretch of the stream. What lies below journal_state.offset never changes, so
 * readers read it without a lock; a block ends where the next one starts. */
struct block {
    _Atomic(struct block *) next; /* set once, under the mutex */
    struct block *previous;       /* mutex; NULL for the first */
    int64_t start;                /* offset of data[0]; set before the block is linked */
    size_t used, capacity;        /* mutex */
    unsigned readers;             /* mutex; positions in this block */
    char data[];
};

/* journal_restart begins a new chain; the old one stays until its last reader is closed. */
struct chain {
    struct block *first, *last; /* mutex */
    unsigned readers;           /* mutex */
};

struct journal_reader {
    struct journal *journal;
    struct journal_reader *next, *previous; /* mutex */
    struct chain *chain;                    /* fixed */
    struct block *block;                    /* changed by the reader under the mutex */
    _Atomic int64_t offset;                 /* changed by the reader */
    _Atomic bool cut;                       /* set under the mutex */
    bool armed;                             /* mutex */
    journal_notify *notify;
    void *context;
    int64_t soft_since; /* of the reader's thread; -1: below the soft limit */
};

struct journal {
    struct journal_state state; /* first: see journal.h */

    /* An append costs one lock and one unlock of this mutex, and a memcpy. */
    pthread_mutex_t mutex;
    int last_db;                    /* mutex; JOURNAL_NO_DB: the next command gets a SELECT */
    bool armed;                     /* mutex; some reader is */
    struct chain *chain;            /* mutex */
    struct journal_reader *readers; /* mutex */
    size_t live_readers;            /* mutex; those that are not cut */
    struct block *spares;           /* mutex; linked by `previous` */
    unsigned spare_count;           /* mutex */
    size_t memory;                  /* mutex */
    bool backlog;                   /* mutex */
    size_t backlog_size;            /* mutex */
    int64_t backlog_start;          /* mutex; the offset when it was started */
    struct journal_history history; /* mutex */

    /* Held while notify functions run, so that a reader can be closed safely. Taken before mutex.
     */
    pthread_mutex_t wake_mutex;
};

/* All of these: the mutex is held. */

/* Appends to the current chain, in the last block and as many new ones as it takes. The offset is
 * not published yet. True where a block was begun. */
bool blocks_put(struct journal *journal, struct bytes data);
/* Makes a block that the caller filled the last one. */
void blocks_link(struct journal *journal, struct block *block);
/* Where the backlog begins: the first offset that it covers. */
int64_t blocks_backlog_first(const struct journal *journal);
/* Takes at most BLOCK_TRIM blocks that nobody needs from the front; returns them, linked by
 * `previous`, to be freed by blocks_free_list without the mutex. */
struct block *blocks_trim(struct journal *journal);
/* Takes all blocks of the chain and the chain itself, which has no readers. */
struct block *blocks_take_chain(struct journal *journal, struct chain *chain);
/* Starts to be active, or stops, as readers and backlog ask for. What it returns is to be freed. */
struct block *blocks_update_active(struct journal *journal);
struct block *blocks_find(const struct journal *journal, int64_t offset); /* NULL: not held */

/* Without the mutex. */
struct block *blocks_new(size_t capacity);
void blocks_free_list(struct block *list);
void blocks_trim_all(struct journal *journal); /* takes the mutex, a little at a time */

#endif
