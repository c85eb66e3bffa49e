#include "server/command/transit.h"

#include "common/memory.h"
#include <pthread.h>
#include <stdlib.h>

/* Few keys are in transit at any time, so all of them are on one list, guarded by mutex.
 * transit_count says whether it is worth a look. */
struct transit {
    struct transit *next;
    const struct slot *slot;
    size_t key_len;
    char key[];
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct transit *transits;
atomic_size_t transit_count; /* how many there are */

static struct transit **find(const struct slot *slot, struct bytes key)
{
    struct transit **at = &transits;
    while (*at && !((*at)->slot == slot && (*at)->key_len == key.len &&
                      memcmp((*at)->key, key.data, key.len) == 0))
        at = &(*at)->next;
    return at;
}

bool transit_blocks(const struct call *call)
{
    unsigned flags = call->entry->command->flags;
    if (!(flags & CMD_WRITE) || !call_from_client(call))
        return false;
    enum { MAX = 64 };
    int positions[MAX];
    int count = command_keys(call->entry->command, call->argv, call->argc, positions, MAX);
    if (count > MAX)
        return true; /* rather wait than look at each */
    bool blocks = false;
    pthread_mutex_lock(&mutex);
    for (int i = 0; i < count && !blocks; i++) {
        struct bytes key = call->argv[positions[i]];
        struct slot *slot = store_slot(call->store, call->database, slot_of_key(key));
        blocks = *find(slot, key) != NULL;
    }
    pthread_mutex_unlock(&mutex);
    return blocks;
}

void transit_begin(struct slot *slot, const struct bytes *keys, size_t count)
{
    pthread_mutex_lock(&mutex);
    for (size_t i = 0; i < count; i++) {
        struct transit *transit = memory_alloc(sizeof(*transit) + keys[i].len);
        transit->next = transits;
        transit->slot = slot;
        transit->key_len = keys[i].len;
        memcpy(transit->key, keys[i].data, keys[i].len);
        transits = transit;
        atomic_fetch_add(&transit_count, 1);
    }
    pthread_mutex_unlock(&mutex);
    slot->in_transit = true;
}

void transit_end(struct slot *slot, const struct bytes *keys, size_t count)
{
    pthread_mutex_lock(&mutex);
    for (size_t i = 0; i < count; i++) {
        struct transit **at = find(slot, keys[i]);
        struct transit *transit = *at;
        if (transit) {
            *at = transit->next;
            free(transit);
            atomic_fetch_sub(&transit_count, 1);
        }
    }
    bool more = false;
    for (struct transit *transit = transits; transit && !more; transit = transit->next)
        more = transit->slot == slot;
    pthread_mutex_unlock(&mutex);
    slot->in_transit = more;
}
