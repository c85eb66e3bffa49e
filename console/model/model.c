/* The model as others see it: made of seeds, watched, asked. */
#include "console/model/model.h"
#include "console/model/build.h"
#include "console/model/poll.h"

struct model *model_new(struct client *client, const struct address *seeds, size_t seed_count,
    const struct model_options *options)
{
    struct model *model = model_build_new();
    model->poll = model_poll_new(client, model, options);
    for (size_t i = 0; i < seed_count; i++) {
        model_add_seed(model, &seeds[i]);
    }
    return model;
}

void model_free(struct model *model)
{
    if (model != NULL) {
        model_poll_free(model->poll);
        model_build_free(model);
    }
}

void model_add_seed(struct model *model, const struct address *address)
{
    static const struct node_id none;
    for (size_t i = 0; i < model->node_count; i++) {
        if (address_equal(&model->nodes[i]->address, address)) {
            model->nodes[i]->seed = true;
            return;
        }
    }
    int added = model_build_add(model, &none, address);
    model->nodes[added]->seed = true;
    if (model->rounds > 0) {
        model_poll_now(model);
    }
}

enum model_opinion model_opinion(const struct model *model, int from, int about, int64_t *pong_age)
{
    const struct model_node *viewer = model->nodes[from], *other = model->nodes[about];
    *pong_age = -1;
    if (!viewer->has_view) {
        return MODEL_THINKS_NOTHING;
    }
    if (from == about) {
        return MODEL_THINKS_SELF;
    }
    const struct model_view_line *line = model_view_find(&viewer->view, &other->id);
    for (size_t i = 0; line == NULL && i < viewer->view.line_count; i++) {
        const struct model_view_line *stranger = &viewer->view.lines[i];
        if ((stranger->flags & NODE_HANDSHAKE) &&
            address_equal(&stranger->address, &other->address)) {
            line = stranger;
        }
    }
    if (line == NULL) {
        return MODEL_THINKS_NOTHING;
    }
    if (line->pong_received > 0) {
        int64_t age = viewer->view_wall - line->pong_received;
        *pong_age = age > 0 ? age : 0;
    }
    return line->flags & NODE_FAIL        ? MODEL_THINKS_FAIL
           : line->flags & NODE_PFAIL     ? MODEL_THINKS_PFAIL
           : line->flags & NODE_HANDSHAKE ? MODEL_THINKS_HANDSHAKE
           : !line->connected             ? MODEL_THINKS_NO_LINK
                                          : MODEL_THINKS_OK;
}

const char *model_opinion_text(enum model_opinion opinion)
{
    static const char *const texts[] = {
        [MODEL_THINKS_NOTHING] = "unknown",
        [MODEL_THINKS_SELF] = "self",
        [MODEL_THINKS_OK] = "ok",
        [MODEL_THINKS_NO_LINK] = "no link",
        [MODEL_THINKS_HANDSHAKE] = "handshake",
        [MODEL_THINKS_PFAIL] = "pfail",
        [MODEL_THINKS_FAIL] = "fail",
    };
    return texts[opinion];
}
