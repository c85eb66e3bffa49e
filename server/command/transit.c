#include "server/command/transit.h"

#include "common/memory.h"
#include <pthread.h>
#include <stdlib.h>

/* Few slots have keys in transit at any time, so all of them are on one list. slot->in_transit, under the slot's
 * lock, says whether it is worth a look. The list is guarded by mutex. */
struct transit {
    struct transit *next;
    const struct slot *slot;
    size_t key_len;
    char key[];
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct transit *transits;

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
    for (int i = 0; i < count && !blocks; i++)
        blocks = *find(call->slot, call->argv[positions[i]]) != NULL;
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
        }
    }
    bool more = false;
    for (struct transit *transit = transits; transit && !more; transit = transit->next)
        more = transit->slot == slot;
    pthread_mutex_unlock(&mutex);
    slot->in_transit = more;
}
