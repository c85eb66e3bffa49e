/* Client-side caching: who has read which keys, and is to hear when they change.
 *
 * The table of read keys has stripes with locks of their own, which come after the slots' locks. A
 * read is remembered, and a change looks for readers, under the lock of the key's slot: so no
 * change comes between a read and its being remembered. What is to be told goes out as a push when
 * the command is through. */
#ifndef SERVER_COMMAND_TRACKING_H
#define SERVER_COMMAND_TRACKING_H

#include "server/command/call.h"

enum tracking_flag {
    TRACKING_BCAST = 1,
    TRACKING_OPTIN = 2,
    TRACKING_OPTOUT = 4,
    TRACKING_NOLOOP = 8,
    TRACKING_CACHING = 16, /* CLIENT CACHING was said, for the next command */
    TRACKING_BROKEN = 32,  /* the client of REDIRECT is gone */
};

/* Of a SESSION_TRACKING; its worker's. */
struct tracking {
    unsigned flags;
    uint64_t redirect; /* client ID; 0: none */
};

/* Before any thread runs. */
void tracking_init(void);

/* In the session's worker. Starting again changes the modes. */
void tracking_start(struct session *session, unsigned flags, uint64_t redirect,
    const struct bytes *prefixes, size_t count);
void tracking_stop(struct session *session); /* nothing where it does not track */

/* How many clients track, read through the functions below: one load each where nobody does. */
extern _Atomic uint32_t tracking_count;
static inline bool tracking_is_on(void)
{
    return __builtin_expect(atomic_load_explicit(&tracking_count, memory_order_relaxed) > 0, 0);
}

/* A key was changed or removed, by this session (0: by none, as in expiry); its slot is locked. */
void tracking_changed(struct executor *executor, uint64_t by, struct bytes key);
static inline void tracking_touch(struct executor *executor, uint64_t by, struct bytes key)
{
    if (tracking_is_on())
        tracking_changed(executor, by, key);
}
/* All keys have gone: everybody is told to forget everything. executor: NULL outside of a command;
 * then no slot is locked. */
void tracking_flush(struct executor *executor);

/* The session, which tracks, has run a command that only reads, itself or by a script; the slots are
 * still locked. */
void tracking_remember(const struct session *session, const struct call *call);
/* CLIENT CACHING is good for one command, or one transaction: this one is over. */
void tracking_command_over(struct session *session, const struct command_entry *entry);

#endif
