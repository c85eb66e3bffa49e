/* One-shot code asks and waits; it is the same request, and the same loop turns meanwhile. */
#include "console/client/client.h"
#include "console/client/node.h"

struct asking {
    bool done;
    redisReply *reply;
    struct error *error;
};

static void on_asked(void *context, struct client_answer *answer)
{
    struct asking *asking = context;
    asking->done = true;
    asking->reply = client_answer_take(answer);
    if (asking->reply == NULL) {
        error_set(asking->error, "%s", answer->error);
    }
}

static bool is_asked(void *context)
{
    return ((struct asking *)context)->done;
}

redisReply *client_node_ask(struct client_node *node, const struct bytes *argv, size_t argc,
    int64_t limit_ms, struct error *error)
{
    struct asking asking = { .error = error };
    struct client_request *request =
        client_node_send(node, argv, argc, limit_ms, on_asked, &asking);
    if (!client_run_until(client_node_client(node), is_asked, &asking, -1)) {
        client_request_forget(request);
        error_set(error, "interrupted");
    }
    return asking.reply;
}
