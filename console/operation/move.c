/* A move of slots: up to MOVE_LANES are under way at once, each in a lane of its own, because most
 * of a slot's time is waiting for answers. Keys travel in one MIGRATE at a time all the same, so
 * that the source isn't kept from its clients for longer than by one.
 *
 * When it is cancelled, or a slot fails, no new slot is begun; those under way are finished, or put
 * back where nothing of them has gone yet. Only then does the run end, so what it tells is final.
 */
#include "console/operation/move.h"
#include "common/memory.h"
#include "console/client/client.h"
#include "console/model/model.h"
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

enum { RANGES_TOLD = 6, REST_MS = 3600 * 1000 };

void run_move_free(struct move *move)
{
    for (size_t i = 0; move != NULL && i < MOVE_LANES; i++) {
        free(move->lanes[i].argv);
        if (move->lanes[i].turn != NULL) {
            event_free(move->lanes[i].turn);
        }
    }
    free(move);
}

bool move_is_ending(const struct operation *operation)
{
    return operation->cancelling || operation->move->failing;
}

/* --- the end, told --- */

/* "slot 5", "slots 5-7,9" */
struct slots_text {
    char text[128];
};

static struct slots_text slots_text(const struct slot_set *set)
{
    struct slots_text text;
    struct buffer ranges = { 0 };
    model_write_ranges(set, RANGES_TOLD, &ranges);
    snprintf(text.text, sizeof text.text, "slot%s %.*s", slot_set_count(set) == 1 ? "" : "s",
        (int)ranges.len, ranges.len > 0 ? ranges.data : "");
    buffer_free(&ranges);
    return text;
}

/* Everything that hasn't been moved yet, of this step and those behind it. */
static void write_resume(struct operation *operation)
{
    const struct move *move = operation->move;
    const struct plan_node *target = &operation->plan.nodes[move->target];
    bool target_fails = move->failing && move->failed_at == move->target;
    const struct address *ask =
        &operation->plan.nodes[target_fails ? move->source : move->target].address;
    struct slot_set left = { { 0 } };
    struct buffer ranges = { 0 };
    for (size_t i = operation->step; i < operation->plan.step_count; i++) {
        for (unsigned b = 0; b < SLOT_BITMAP_SIZE; b++) {
            left.bits[b] |= operation->plan.steps[i].slots->bits[b] & ~operation->moved.bits[b];
        }
    }
    model_write_ranges(&left, 0, &ranges);
    if (slot_set_is_empty(&left)) {
        operation->report.resume[0] = '\0';
    } else if (ranges.len < sizeof operation->report.resume - 200) {
        snprintf(operation->report.resume, sizeof operation->report.resume,
            "slotctl -h %s -p %u reshard --to %s --range %.*s", ask->ip, ask->port, target->id.text,
            (int)ranges.len, ranges.data);
    } else {
        snprintf(operation->report.resume, sizeof operation->report.resume,
            "slotctl -h %s -p %u check", ask->ip, ask->port);
    }
    buffer_free(&ranges);
}

static void write_state(struct operation *operation)
{
    const struct move *move = operation->move;
    const char *source = run_node_name(operation, move->source);
    const char *target = run_node_name(operation, move->target);
    char open[300] = "no slot is open", half[300] = "";
    if (!slot_set_is_empty(&move->open)) {
        snprintf(open, sizeof open, "%s %s open: %s migrating, %s importing, %u key%s moved",
            slots_text(&move->open).text, slot_set_count(&move->open) == 1 ? "is" : "are", source,
            target, move->open_keys, move->open_keys == 1 ? "" : "s");
    }
    if (!slot_set_is_empty(&move->half_back)) {
        snprintf(half, sizeof half, "; %s stayed with %s, but %s may still be importing",
            slots_text(&move->half_back).text, source, target);
    }
    snprintf(operation->report.state, sizeof operation->report.state,
        "%u of %u slots are moved; %.230s%.230s", operation->slots_done, operation->slots_total,
        open, half);
}

static void end_cancelled(struct operation *operation)
{
    const struct move *move = operation->move;
    char finished[160] = "", back[160] = "";
    bool late = !slot_set_is_empty(&move->late), any_back = !slot_set_is_empty(&move->put_back);
    if (late) {
        snprintf(finished, sizeof finished, "; finished %s", slots_text(&move->late).text);
    }
    if (any_back) {
        snprintf(back, sizeof back, "%s put back %s", late ? "," : ";",
            slots_text(&move->put_back).text);
    }
    run_end(operation, OPERATION_CANCELLED, "cancelled after %u of %u slots%s%s%s",
        operation->slots_done, operation->slots_total, finished, back,
        late || any_back ? "" : "; no slot is open");
}

static void finish(struct operation *operation)
{
    struct move *move = operation->move;
    if (move->failing) {
        write_state(operation);
        write_resume(operation);
        run_end(operation, OPERATION_FAILED, "%s", move->failure);
    } else if (operation->cancelling) {
        write_resume(operation);
        end_cancelled(operation);
    } else {
        run_move_free(move);
        operation->move = NULL;
        run_step_done(operation);
    }
}

/* --- handing out --- */

static void begin_lane(struct operation *operation, struct lane *lane, unsigned slot)
{
    struct event *turn = lane->turn;
    free(lane->argv);
    *lane = (struct lane){ .operation = operation, .busy = true, .slot = slot, .turn = turn };
    snprintf(lane->slot_text, sizeof lane->slot_text, "%u", slot);
    slot_set_remove(&operation->move->left, slot);
    operation->move->busy++;
    move_slot_begin(lane);
}

static void tell_lowest(struct operation *operation)
{
    operation->slot = -1;
    for (size_t i = 0; i < MOVE_LANES; i++) {
        const struct lane *lane = &operation->move->lanes[i];
        if (lane->busy && (operation->slot < 0 || (int)lane->slot < operation->slot)) {
            operation->slot = (int)lane->slot;
        }
    }
}

static void wake(struct operation *operation);

static void feed(struct operation *operation)
{
    struct move *move = operation->move;
    unsigned slot = 0, last;
    if (operation->paused_at != 0) {
        run_later(operation, REST_MS, wake); /* operation_pause wakes it up before */
        return;
    }
    for (size_t i = 0; i < MOVE_LANES && !move_is_ending(operation); i++) {
        if (!move->lanes[i].busy && slot_set_next_range(&move->left, &slot, &last)) {
            begin_lane(operation, &move->lanes[i], slot);
        }
    }
    tell_lowest(operation);
    if (move->busy == 0) {
        finish(operation);
    }
}

static void wake(struct operation *operation)
{
    struct move *move = operation->move;
    for (size_t i = 0; i < MOVE_LANES; i++) {
        void (*again)(struct lane *) = move->lanes[i].resting;
        move->lanes[i].resting = NULL;
        if (again != NULL) {
            again(&move->lanes[i]);
        }
    }
    feed(operation);
}

bool move_rests(struct lane *lane, void (*again)(struct lane *lane))
{
    if (lane->operation->paused_at == 0) {
        return false;
    }
    lane->resting = again;
    run_later(lane->operation, REST_MS, wake);
    return true;
}

static void end_lane(struct lane *lane)
{
    lane->busy = false;
    lane->operation->move->busy--;
    run_progress(lane->operation);
    feed(lane->operation);
}

void move_lane_done(struct lane *lane)
{
    struct operation *operation = lane->operation;
    slot_set_add(&operation->moved, lane->slot);
    operation->slots_done++;
    if (move_is_ending(operation)) {
        slot_set_add(&operation->move->late, lane->slot);
    }
    end_lane(lane);
}

void move_lane_put_back(struct lane *lane, bool target_knows)
{
    struct move *move = lane->operation->move;
    slot_set_add(target_knows ? &move->put_back : &move->half_back, lane->slot);
    end_lane(lane);
}

void move_lane_failed(struct lane *lane, int node, const char *what, const char *error)
{
    struct operation *operation = lane->operation;
    struct move *move = operation->move;
    if (!move->failing) {
        snprintf(move->failure, sizeof move->failure, "slot %u: %s at %s: %.255s", lane->slot, what,
            run_node_name(operation, node),
            error != NULL ? error : "an answer that makes no sense");
        if (move->busy > 1) {
            run_say(operation, "%s; bringing the slots under way to an end", move->failure);
        }
    }
    if (!move->failing) { /* a source that tells of IOERR means the target */
        bool other_end = error != NULL && strncmp(error, "IOERR", 5) == 0;
        move->failed_at = other_end ? move->target : node;
    }
    move->failing = true;
    slot_set_add(lane->opened ? &move->open : &move->half_back, lane->slot);
    move->open_keys += lane->keys_moved;
    end_lane(lane);
}

/* --- the step --- */

static void on_turn(evutil_socket_t fd, short what, void *context)
{
    struct lane *lane = context;
    if (lane->operation->report.outcome == OPERATION_RUNNING) {
        lane->next(lane);
    }
}

void run_move_step(struct operation *operation)
{
    const struct plan_step *step = &operation->plan.steps[operation->step];
    struct move *move = operation->move = memory_alloc_zeroed(1, sizeof *move);
    move->source = step->peer;
    move->target = step->node;
    move->left = *step->slots;
    for (size_t i = 0; i < MOVE_LANES; i++) {
        move->lanes[i].turn = evtimer_new(client_base(operation->client), on_turn, &move->lanes[i]);
    }
    feed(operation);
}
