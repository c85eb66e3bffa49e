/* What the state machine wants done, in order. Private to server/cluster.
 *
 * Two kinds of effect do not queue: a save is one however often it is asked for and comes before
 * all that waits (a vote must be on disk before it leaves), and changed slots gather in one set. */
#ifndef SERVER_CLUSTER_EFFECTS_H
#define SERVER_CLUSTER_EFFECTS_H

#include "server/cluster/state.h"

/* Bytes that several effects share: one message on its way to many. */
struct shared_bytes {
    size_t users;
    size_t len;
    char data[];
};

struct queued_effect {
    struct cluster_effect effect;
    struct shared_bytes *bytes; /* one user of it; or NULL */
    void *owned;                /* freed with the effect; or NULL */
};

struct effects {
    struct queued_effect *items; /* from `head` to `count` */
    size_t head, count, capacity;
    struct queued_effect given; /* out with the caller: kept until the next call */
    bool save, sync;
    bool urgent; /* one of those that wait is more than messages, links and log lines */
    bool slots_changed;
    struct slot_set changed, given_slots;
};

struct shared_bytes *shared_bytes_create(struct bytes bytes); /* with one user */
void shared_bytes_release(struct shared_bytes *bytes);

void effects_log(struct effects *effects, enum log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void effects_connect(struct effects *effects, uint64_t link, const struct address *address);
void effects_close(struct effects *effects, uint64_t link);
void effects_send(struct effects *effects, uint64_t link, struct shared_bytes *bytes);
void effects_save(struct effects *effects, bool sync);
void effects_slot(struct effects *effects, unsigned slot);
void effects_delete_keys(struct effects *effects, const struct slot_set *slots);
void effects_follow(
    struct effects *effects, const struct node_id *node, const struct address *address);
void effects_publish(
    struct effects *effects, bool sharded, struct bytes channel, struct bytes message);
/* The kinds that carry a time, a truth or nothing: EMPTY_DATA, LEAD, PAUSE, UNPAUSE, STATE. */
void effects_add(struct effects *effects, enum cluster_effect_kind kind, int64_t until, bool ok);

size_t effects_waiting(const struct effects *effects);
bool effects_next(struct effects *effects, struct cluster_effect *effect);
void effects_free(struct effects *effects);

#endif
