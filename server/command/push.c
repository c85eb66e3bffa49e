#include "server/command/push.h"

#include "common/memory.h"
#include <pthread.h>
#include <stdlib.h>

struct letter {
    struct letter *next;
    struct push *push;
    push_set to; /* of those that were put off */
};

/* What others have for the clients of one executor. */
struct box {
    struct executor *executor;
    pthread_mutex_t mutex; /* guards first and last */
    struct letter *first, **last;
    atomic_bool filled; /* there is a letter; for a look without the mutex */
};

/* Made before any thread runs. */
static struct box boxes[PUSH_BOXES_MAX];
static unsigned box_count;

void push_box_create(struct executor *executor)
{
    if (box_count == PUSH_BOXES_MAX)
        memory_exhausted(sizeof(struct box));
    struct box *box = &boxes[box_count];
    *box = (struct box){ .executor = executor };
    pthread_mutex_init(&box->mutex, NULL);
    box->last = &box->first;
    executor->box = (int)box_count++;
}

unsigned push_boxes(void)
{
    return box_count;
}

push_set push_everyone(void)
{
    return (push_set)((1u << box_count) - 1);
}

static void release(struct push *push)
{
    if (atomic_fetch_sub_explicit(&push->refs, 1, memory_order_acq_rel) == 1)
        push->free(push);
}

static struct letter *empty(struct box *box)
{
    pthread_mutex_lock(&box->mutex);
    struct letter *first = box->first;
    box->first = NULL;
    box->last = &box->first;
    atomic_store_explicit(&box->filled, false, memory_order_relaxed);
    pthread_mutex_unlock(&box->mutex);
    return first;
}

void push_drain(struct executor *executor)
{
    if (executor->box < 0)
        return;
    struct box *box = &boxes[executor->box];
    if (!atomic_load_explicit(&box->filled, memory_order_acquire))
        return;
    for (struct letter *letter = empty(box), *next; letter; letter = next) {
        next = letter->next;
        letter->push->deliver(letter->push, executor);
        release(letter->push);
        free(letter);
    }
}

static void open_box(void *arg)
{
    push_drain(arg);
}

static void put(struct box *box, struct push *push)
{
    struct letter *letter = memory_alloc(sizeof(*letter));
    *letter = (struct letter){ .push = push };
    atomic_fetch_add_explicit(&push->refs, 1, memory_order_relaxed);
    pthread_mutex_lock(&box->mutex);
    bool first = box->first == NULL;
    *box->last = letter;
    box->last = &letter->next;
    atomic_store_explicit(&box->filled, true, memory_order_release);
    pthread_mutex_unlock(&box->mutex);
    if (first)
        box->executor->post(box->executor, open_box, box->executor);
}

void push_send(struct executor *here, struct push *push, push_set to)
{
    for (unsigned i = 0; i < box_count; i++) {
        if (to & 1u << i && boxes[i].executor != here)
            put(&boxes[i], push);
    }
    if (here && to & push_bit(here)) {
        push_drain(here);
        push->deliver(push, here);
    }
    release(push);
}

static struct letter **end_of_pushes(struct executor *here)
{
    return here->pushes ? &here->last_push->next : &here->pushes;
}

void push_later(struct executor *here, struct push *push, push_set to)
{
    struct letter *letter = memory_alloc(sizeof(*letter));
    struct letter **end = end_of_pushes(here);
    const struct reply *served = here->serving;
    *letter = (struct letter){ NULL, push, to };
    if (served && !here->answer_place && (served->begun || reply_size(served) > 0))
        here->answer_place = end;
    *end = here->last_push = letter;
}

void push_serve(struct executor *here, struct reply *reply)
{
    here->serving = reply;
    here->answer_place = NULL;
    if (reply)
        reply->begun = false;
}

void push_answer(struct executor *here, struct push *push, push_set to)
{
    struct letter *letter = memory_alloc(sizeof(*letter));
    struct letter **place = here->answer_place ? here->answer_place : end_of_pushes(here);
    *letter = (struct letter){ *place, push, to };
    *place = letter;
    if (!letter->next)
        here->last_push = letter;
}

void push_flush_slow(struct executor *here)
{
    struct letter *letter = here->pushes;
    here->pushes = here->last_push = NULL;
    while (letter) {
        struct letter *next = letter->next;
        if (letter->push->complete)
            letter->to = letter->push->complete(letter->push, here);
        push_send(here, letter->push, letter->to);
        free(letter);
        letter = next;
    }
}

void push_write(struct session *session, struct blob *text)
{
    buffer_append_char(&session->reply.bytes, session->reply.protocol == 2 ? '*' : '>');
    push_write_raw(session, text);
}

void push_write_raw(struct session *session, struct blob *text)
{
    reply_shared(&session->reply, text);
    session->executor->flush(session);
}

void push_write_first(struct session *client, struct blob *text)
{
    push_drain(client->executor);
    push_write(client, text);
    client->executor->client_unsent = reply_size(&client->reply);
}
