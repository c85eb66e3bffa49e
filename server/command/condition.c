#include "server/command/condition.h"

#include "server/command/executor.h"
#include "server/store/turn.h"
#include <pthread.h>

_Atomic uint32_t condition_bits;

static const uint32_t makes_wait =
    CONDITION_WRITES_PAUSED | CONDITION_ALL_PAUSED | CONDITION_AOF_BEHIND;

/* The pauses; guarded by mutex. until_ms 0: none. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct {
    int64_t until_ms;
    bool writes_only;
} pauses[PAUSE_PURPOSES];

void condition_set(enum condition condition, bool on)
{
    if (on) {
        atomic_fetch_or(&condition_bits, (uint32_t)condition);
    } else {
        uint32_t before = atomic_fetch_and(&condition_bits, ~(uint32_t)condition);
        if (before & condition & makes_wait)
            executor_retry_all();
    }
}

/* Sets the bits from the pauses; mutex is held. */
static void show_pauses(void)
{
    bool writes = false, all = false;
    for (int i = 0; i < PAUSE_PURPOSES; i++) {
        writes = writes || (pauses[i].until_ms && pauses[i].writes_only);
        all = all || (pauses[i].until_ms && !pauses[i].writes_only);
    }
    condition_set(CONDITION_ALL_PAUSED, all);
    condition_set(CONDITION_WRITES_PAUSED, writes);
}

void pause_begin(enum pause_purpose purpose, bool writes_only, int64_t until_ms)
{
    turn_stop_all();
    pthread_mutex_lock(&mutex);
    /* A pause is only ever made longer or stricter by another, as CLIENT PAUSE has it. */
    pauses[purpose].writes_only =
        writes_only && (pauses[purpose].writes_only || !pauses[purpose].until_ms);
    if (pauses[purpose].until_ms < until_ms)
        pauses[purpose].until_ms = until_ms;
    show_pauses();
    pthread_mutex_unlock(&mutex);
    turn_resume_all();
}

void pause_end(enum pause_purpose purpose)
{
    pthread_mutex_lock(&mutex);
    pauses[purpose].until_ms = 0;
    show_pauses();
    pthread_mutex_unlock(&mutex);
}

void pause_tick(int64_t now_ms)
{
    if (!pause_is_on())
        return;
    pthread_mutex_lock(&mutex);
    for (int i = 0; i < PAUSE_PURPOSES; i++) {
        if (pauses[i].until_ms && pauses[i].until_ms <= now_ms)
            pauses[i].until_ms = 0;
    }
    show_pauses();
    pthread_mutex_unlock(&mutex);
}
