/* Counting goes through the slots in order and keeps a window of requests under way, so that
 * neither the queues here nor the nodes' time are taken whole by sixteen thousand slots. */
#include "console/model/keys.h"
#include "common/memory.h"
#include "console/client/client.h"
#include "console/client/node.h"
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

enum { WINDOW = 256 };

struct counting {
    struct model_count *count;
    struct counting *previous, *next;
    struct client_request *request;
    unsigned slot;
};

struct model_count {
    struct model *model;
    struct slot_set left; /* not asked yet */
    unsigned cursor;
    unsigned under_way, asked, answered, failed;
    struct counting *first; /* requests under way */
    struct event *turn;     /* goes on, and ends, outside of any callback */
    void (*done)(void *context, unsigned failed);
    void *context;
};

static void on_counted(void *context, struct client_answer *answer)
{
    struct counting *counting = context;
    struct model_count *count = counting->count;
    int owner = count->model->slots[counting->slot].owner;
    if (owner != MODEL_NOBODY && answer->result == CLIENT_ANSWERED) {
        count->model->nodes[owner]->own_requests++;
    }
    if (answer->error == NULL && answer->reply->type == REDIS_REPLY_INTEGER &&
        answer->reply->integer >= 0 && answer->reply->integer <= INT32_MAX) {
        count->model->slot_keys[counting->slot] = (int32_t)answer->reply->integer;
        count->model->slot_keys_at[counting->slot] = client_now();
    } else {
        count->failed++;
    }
    if (counting->previous != NULL) {
        counting->previous->next = counting->next;
    } else {
        count->first = counting->next;
    }
    if (counting->next != NULL) {
        counting->next->previous = counting->previous;
    }
    free(counting);
    count->under_way--;
    count->answered++;
    event_active(count->turn, EV_TIMEOUT, 0);
}

static void ask(struct model_count *count, unsigned slot)
{
    struct model *model = count->model;
    int owner = model->slots[slot].owner;
    struct client_node *connection = model_connection(model, owner);
    count->asked++;
    if (connection == NULL || model->nodes[owner]->trouble[0] != '\0') {
        count->answered++;
        count->failed++;
        return;
    }
    struct counting *counting = memory_alloc_zeroed(1, sizeof *counting);
    char number[16];
    snprintf(number, sizeof number, "%u", slot);
    counting->count = count;
    counting->slot = slot;
    counting->next = count->first;
    if (count->first != NULL) {
        count->first->previous = counting;
    }
    count->first = counting;
    count->under_way++;
    counting->request = client_node_send_words(
        connection, 0, on_counted, counting, "CLUSTER", "COUNTKEYSINSLOT", number, NULL);
}

static void on_turn(evutil_socket_t fd, short what, void *context)
{
    struct model_count *count = context;
    unsigned first = count->cursor, last;
    while (count->under_way < WINDOW && slot_set_next_range(&count->left, &first, &last)) {
        ask(count, first);
        count->cursor = ++first;
        if (first == SLOT_COUNT) {
            memset(&count->left, 0, sizeof count->left);
            break;
        }
    }
    if (count->under_way == 0) {
        void (*done)(void *, unsigned) = count->done;
        void *done_context = count->context;
        unsigned failed = count->failed;
        model_count_cancel(count);
        done(done_context, failed);
    }
}

struct model_count *model_count_keys(struct model *model, const struct slot_set *set,
    void (*done)(void *context, unsigned failed), void *context)
{
    struct model_count *count = memory_alloc_zeroed(1, sizeof *count);
    count->model = model;
    count->left = *set;
    count->done = done;
    count->context = context;
    count->turn = evtimer_new(client_base(model_client(model)), on_turn, count);
    event_active(count->turn, EV_TIMEOUT, 0);
    return count;
}

void model_count_cancel(struct model_count *count)
{
    if (count == NULL) {
        return;
    }
    while (count->first != NULL) {
        struct counting *counting = count->first;
        count->first = counting->next;
        client_request_forget(counting->request);
        free(counting);
    }
    event_free(count->turn);
    free(count);
}

void model_count_progress(const struct model_count *count, unsigned *asked, unsigned *answered)
{
    *asked = count->asked;
    *answered = count->answered;
}
