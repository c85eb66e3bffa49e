/* Waiting: polls every few milliseconds; see the header. */
#include "tests/support/wait.h"
#include <stdlib.h>
#include <time.h>

enum { POLL_MS = 10 };

int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t now_ms(void)
{
    return now_us() / 1000;
}

double test_slowness(void)
{
    const char *text = getenv("TEST_SLOWNESS");
    double factor = text != NULL ? atof(text) : 1;
    return factor > 1 ? factor : 1;
}

int64_t wait_deadline(int limit_ms)
{
    return now_ms() + (int64_t)(limit_ms * test_slowness());
}

bool wait_pause(int64_t deadline)
{
    int64_t left = deadline - now_ms();
    if (left <= 0)
        return false;
    struct timespec pause = { .tv_nsec = (left < POLL_MS ? left : POLL_MS) * 1000000 };
    nanosleep(&pause, NULL);
    return true;
}
