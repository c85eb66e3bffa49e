/* The newest view, and older ones that somebody still holds: few, so a list. */
#include "server/cluster/published.h"

#include "common/memory.h"
#include <pthread.h>
#include <stdlib.h>

/* A view and how many hold it; the newest is held once for being it. Guarded by views.mutex. */
struct published {
    struct published *next;
    struct cluster_view *view;
    unsigned holders;
};

static struct {
    pthread_mutex_t mutex;
    struct published *first; /* the newest; behind it older ones that somebody still holds */
} views = { .mutex = PTHREAD_MUTEX_INITIALIZER };

static void drop_unheld(void)
{
    for (struct published **at = &views.first->next; *at;) {
        struct published *old = *at;
        if (old->holders > 0) {
            at = &old->next;
            continue;
        }
        *at = old->next;
        cluster_view_free(old->view);
        free(old);
    }
}

void cluster_view_publish(struct cluster_view *view)
{
    struct published *newest = memory_alloc(sizeof(*newest));
    *newest = (struct published){ NULL, view, 0 };
    pthread_mutex_lock(&views.mutex);
    newest->next = views.first;
    views.first = newest;
    drop_unheld();
    pthread_mutex_unlock(&views.mutex);
}

const struct cluster_view *cluster_view_hold(void)
{
    const struct cluster_view *view = NULL;
    pthread_mutex_lock(&views.mutex);
    if (views.first) {
        views.first->holders++;
        view = views.first->view;
    }
    pthread_mutex_unlock(&views.mutex);
    return view;
}

void cluster_view_release(const struct cluster_view *view)
{
    if (!view)
        return;
    pthread_mutex_lock(&views.mutex);
    struct published *held = views.first;
    while (held->view != view)
        held = held->next;
    held->holders--;
    drop_unheld();
    pthread_mutex_unlock(&views.mutex);
}
