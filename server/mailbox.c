#include "server/mailbox.h"

#include "common/memory.h"
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct letter {
    struct letter *next;
    void (*fn)(void *arg);
    void *arg;
};

struct mailbox {
    pthread_mutex_t mutex; /* guards first and last */
    struct letter *first, **last;
    int fd;
    struct event *event;
};

static void open_letters(evutil_socket_t fd, short what, void *arg)
{
    struct mailbox *mailbox = arg;
    uint64_t count;
    if (read(fd, &count, sizeof(count)) < 0)
        return;
    pthread_mutex_lock(&mailbox->mutex);
    struct letter *letter = mailbox->first;
    mailbox->first = NULL;
    mailbox->last = &mailbox->first;
    pthread_mutex_unlock(&mailbox->mutex);
    while (letter) {
        struct letter *next = letter->next;
        letter->fn(letter->arg);
        free(letter);
        letter = next;
    }
}

struct mailbox *mailbox_create(struct event_base *base)
{
    struct mailbox *mailbox = memory_alloc_zeroed(1, sizeof(*mailbox));
    pthread_mutex_init(&mailbox->mutex, NULL);
    mailbox->last = &mailbox->first;
    mailbox->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    mailbox->event = event_new(base, mailbox->fd, EV_READ | EV_PERSIST, open_letters, mailbox);
    if (mailbox->fd < 0 || !mailbox->event || event_add(mailbox->event, NULL) < 0)
        memory_exhausted(sizeof(*mailbox));
    return mailbox;
}

void mailbox_destroy(struct mailbox *mailbox)
{
    event_free(mailbox->event);
    close(mailbox->fd);
    while (mailbox->first) {
        struct letter *next = mailbox->first->next;
        free(mailbox->first);
        mailbox->first = next;
    }
    pthread_mutex_destroy(&mailbox->mutex);
    free(mailbox);
}

void mailbox_post(struct mailbox *mailbox, void (*fn)(void *arg), void *arg)
{
    struct letter *letter = memory_alloc(sizeof(*letter));
    *letter = (struct letter){ NULL, fn, arg };
    pthread_mutex_lock(&mailbox->mutex);
    bool first = mailbox->first == NULL;
    *mailbox->last = letter;
    mailbox->last = &letter->next;
    pthread_mutex_unlock(&mailbox->mutex);
    if (first) {
        uint64_t one = 1;
        while (write(mailbox->fd, &one, sizeof(one)) < 0)
            ; /* only EINTR: the counter cannot be full */
    }
}
