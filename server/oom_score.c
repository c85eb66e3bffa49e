#include "server/oom_score.h"

#include "server/config.h"
#include "server/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SCORE_MIN = -1000, SCORE_MAX = 1000 };

static const char path[] = "/proc/self/oom_score_adj";

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* guards these */
static long initial;                                      /* as the process was started */
static bool is_changed, role_is_replica;

static bool write_score(long score)
{
    FILE *file = fopen(path, "w");
    bool done = file && fprintf(file, "%ld\n", score) > 0;
    if (file && fclose(file) != 0)
        done = false;
    if (!done)
        log_write(LOG_WARNING, "Cannot write %ld to %s: %s", score, path, strerror(errno));
    return done;
}

/* The configured value of the role. */
static long wanted_score(enum oom_score_mode mode)
{
    char *values = config_text(CONFIG_OOM_SCORE_ADJ_VALUES), *end;
    long score = strtol(values, &end, 10);
    if (role_is_replica)
        score = strtol(end, NULL, 10);
    free(values);
    if (mode == OOM_SCORE_RELATIVE)
        score += initial;
    return score < SCORE_MIN ? SCORE_MIN : score > SCORE_MAX ? SCORE_MAX : score;
}

static bool adjust(void)
{
    enum oom_score_mode mode = (enum oom_score_mode)config_number(CONFIG_OOM_SCORE_ADJ);
    pthread_mutex_lock(&mutex);
    bool done = true;
    if (mode != OOM_SCORE_LEAVE)
        done = write_score(wanted_score(mode));
    else if (is_changed)
        done = write_score(initial);
    if (done)
        is_changed = mode != OOM_SCORE_LEAVE;
    pthread_mutex_unlock(&mutex);
    return done;
}

static bool changed(enum config_id id, struct error *error)
{
    return adjust() || error_set(error, "Failed to apply new oom_score_adj configuration, check "
                                        "server logs.");
}

void oom_score_init(void)
{
    FILE *file = fopen(path, "r");
    if (file && fscanf(file, "%ld", &initial) != 1)
        initial = 0;
    if (file)
        fclose(file);
    config_on_change(CONFIG_OOM_SCORE_ADJ, changed);
    config_on_change(CONFIG_OOM_SCORE_ADJ_VALUES, changed);
    adjust();
}

void oom_score_set_role(bool is_replica)
{
    pthread_mutex_lock(&mutex);
    role_is_replica = is_replica;
    pthread_mutex_unlock(&mutex);
    adjust();
}
