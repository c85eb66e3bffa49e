/* Three ways to be told: of keys one has read (a table of keys, each with its readers), of all keys
 * with a prefix (topics of their own, the changes of a command gathered into one push for each
 * prefix), and of a flush (a topic that all who track are subscribed to). */
#include "server/command/tracking.h"

#include "server/command/topic.h"
#include "server/command/tracking_table.h"
#include "server/config.h"
#include "server/info.h"

#include "common/memory.h"
#include "common/resp.h"
#include <stdlib.h>

_Atomic uint32_t tracking_count;

static const struct bytes no_name = { "", 0 };

static struct blob *blob_of(struct bytes text)
{
    struct blob *blob = blob_create(text.len, text.len);
    if (text.len > 0)
        memcpy(blob->data, text.data, text.len);
    return blob;
}

/* ---- Telling one client; in its worker ---- */

static void write_text(struct session *session, const char *text)
{
    buffer_append_text(&session->reply.bytes, text);
}

/* The client that hears it, which need not be the one that tracks. */
static void tell(struct session *session, bool redirected, struct blob *keys)
{
    if (session->reply.protocol > 2)
        write_text(session, ">2\r\n$10\r\ninvalidate\r\n");
    else if (redirected && session->flags & SESSION_SUBSCRIBED)
        write_text(session, "*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n");
    else
        return;
    push_write_raw(session, keys);
}

/* For a client of another worker. */
struct forwarded {
    struct push push;
    uint64_t to;
    struct blob *keys; /* held */
};

static void deliver_forwarded(struct push *push, struct executor *executor)
{
    struct forwarded *forwarded = (struct forwarded *)push;
    struct session *session = executor->find_session(executor, forwarded->to);
    if (session)
        tell(session, true, forwarded->keys);
}

static void free_forwarded(struct push *push)
{
    blob_release(((struct forwarded *)push)->keys);
    free(push);
}

static void say_broken(struct session *session)
{
    session->tracking->flags |= TRACKING_BROKEN;
    if (session->reply.protocol < 3)
        return;
    buffer_printf(&session->reply.bytes, ">2\r\n$21\r\ntracking-redir-broken\r\n:%llu\r\n",
        (unsigned long long)session->tracking->redirect);
    session->executor->flush(session);
}

static void tell_tracker(struct session *session, struct blob *keys)
{
    uint64_t to = session->tracking->redirect;
    if (!to) {
        tell(session, false, keys);
        return;
    }
    struct executor *where = session_where(to);
    if (!where) {
        say_broken(session);
        return;
    }
    struct forwarded *forwarded = memory_alloc(sizeof(*forwarded));
    *forwarded =
        (struct forwarded){ .push = { .deliver = deliver_forwarded, .free = free_forwarded },
            .to = to,
            .keys = blob_hold(keys) };
    atomic_init(&forwarded->push.refs, 1);
    if (where == session->executor) {
        deliver_forwarded(&forwarded->push, where);
        free_forwarded(&forwarded->push);
    } else {
        push_send(session->executor, &forwarded->push, push_bit(where));
    }
}

/* ---- Keys that were read ---- */

/* A key and who had read it. */
struct change {
    struct push push;
    uint64_t by;
    struct blob *keys; /* held */
    struct tracking_readers readers;
};

static void deliver_change(struct push *push, struct executor *executor)
{
    struct change *change = (struct change *)push;
    for (size_t i = 0; i < change->readers.count; i++) {
        const struct tracking_reader *reader = &change->readers.items[i];
        if (reader->box != executor->box)
            continue;
        struct session *session = executor->find_session(executor, reader->id);
        if (!session || !session->tracking || session->tracking->flags & TRACKING_BCAST ||
            (session->tracking->flags & TRACKING_NOLOOP && change->by == session->id))
            continue;
        tell_tracker(session, change->keys);
    }
}

static void free_change(struct push *push)
{
    struct change *change = (struct change *)push;
    blob_release(change->keys);
    free(change->readers.items);
    free(change);
}

static struct blob *array_of(const struct bytes *keys, size_t count)
{
    struct buffer out = { 0 };
    resp_write_array(&out, count);
    for (size_t i = 0; i < count; i++)
        resp_write_bulk(&out, keys[i]);
    struct blob *blob = blob_of(buffer_bytes(&out));
    buffer_free(&out);
    return blob;
}

static struct push *change_create(
    uint64_t by, struct bytes key, struct tracking_readers readers, push_set *to)
{
    struct change *change = memory_alloc(sizeof(*change));
    *change = (struct change){ .push = { .deliver = deliver_change, .free = free_change },
        .by = by,
        .keys = array_of(&key, 1),
        .readers = readers };
    atomic_init(&change->push.refs, 1);
    *to = 0;
    for (size_t i = 0; i < readers.count; i++)
        *to |= (push_set)(1u << readers.items[i].box);
    return &change->push;
}

/* ---- Keys with a prefix ---- */

/* The keys that a command has changed. */
struct changes {
    struct push push;
    uint64_t by;
    struct buffer names; /* while they are gathered: each a size_t and the bytes */
    size_t count;
    struct part {
        struct topic *topic; /* held; of a prefix */
        struct blob *keys;   /* held */
    } * parts;               /* owned; in the order of the prefixes */
    size_t part_count, part_capacity;
    const struct bytes *sorted; /* while parts are made */
    push_set workers;
};

static void deliver_changes(struct push *push, struct executor *executor)
{
    struct changes *changes = (struct changes *)push;
    for (size_t i = 0; i < changes->part_count; i++) {
        struct topic_list *list = topic_list(changes->parts[i].topic, executor);
        for (uint32_t k = 0; k < list->count; k++) {
            struct session *session = list->items[k]->session;
            bool own = session->id == changes->by;
            if (!(own && session->tracking->flags & TRACKING_NOLOOP))
                tell_tracker(session, changes->parts[i].keys);
        }
    }
}

static void free_changes(struct push *push)
{
    struct changes *changes = (struct changes *)push;
    for (size_t i = 0; i < changes->part_count; i++) {
        topic_release(changes->parts[i].topic);
        blob_release(changes->parts[i].keys);
    }
    free(changes->parts);
    buffer_free(&changes->names);
    free(changes);
}

static int compare_names(const void *a, const void *b)
{
    const struct bytes *one = a, *other = b;
    size_t len = one->len < other->len ? one->len : other->len;
    int order = len > 0 ? memcmp(one->data, other->data, len) : 0;
    return order ? order : (one->len > other->len) - (one->len < other->len);
}

static int compare_parts(const void *a, const void *b)
{
    return compare_names(
        &((const struct part *)a)->topic->name, &((const struct part *)b)->topic->name);
}

static void add_part(void *arg, struct topic *topic)
{
    struct changes *changes = arg;
    struct bytes *matching = memory_alloc((changes->count + 1) * sizeof(*matching));
    size_t count = 0;
    for (size_t i = 0; i < changes->count; i++) {
        struct bytes key = changes->sorted[i];
        bool again = i > 0 && bytes_equal(key, changes->sorted[i - 1]);
        if (!again && key.len >= topic->name.len &&
            (topic->name.len == 0 || memcmp(key.data, topic->name.data, topic->name.len) == 0))
            matching[count++] = key;
    }
    if (count > 0) {
        if (changes->part_count == changes->part_capacity) {
            changes->part_capacity = changes->part_capacity ? changes->part_capacity * 2 : 4;
            changes->parts =
                memory_resize(changes->parts, changes->part_capacity * sizeof(*changes->parts));
        }
        changes->parts[changes->part_count++] =
            (struct part){ topic_hold(topic), array_of(matching, count) };
        changes->workers |= topic->workers;
    }
    free(matching);
}

/* The command is through: what are the changes to whom? */
static push_set complete(struct push *push, struct executor *here)
{
    struct changes *changes = (struct changes *)push;
    here->changes = NULL;
    struct bytes *sorted = memory_alloc((changes->count + 1) * sizeof(*sorted));
    const char *at = changes->names.data;
    for (size_t i = 0; i < changes->count; i++) {
        memcpy(&sorted[i].len, at, sizeof(size_t));
        sorted[i].data = at + sizeof(size_t);
        at += sizeof(size_t) + sorted[i].len;
    }
    qsort(sorted, changes->count, sizeof(*sorted), compare_names);
    changes->sorted = sorted;
    topic_each(TOPIC_PREFIX, add_part, changes);
    if (changes->part_count > 1)
        qsort(changes->parts, changes->part_count, sizeof(*changes->parts), compare_parts);
    changes->sorted = NULL;
    free(sorted);
    return changes->workers;
}

static void gather(struct executor *executor, uint64_t by, struct bytes key)
{
    struct changes *changes = executor->changes;
    if (!changes) {
        changes = memory_alloc_zeroed(1, sizeof(*changes));
        changes->push =
            (struct push){ .deliver = deliver_changes, .free = free_changes, .complete = complete };
        atomic_init(&changes->push.refs, 1);
        changes->by = by;
        executor->changes = changes;
        push_later(executor, &changes->push, 0);
    }
    buffer_append(&changes->names, &key.len, sizeof(key.len));
    buffer_append(&changes->names, key.data, key.len);
    changes->count++;
}

void tracking_changed(struct executor *executor, uint64_t by, struct bytes key)
{
    struct tracking_readers readers = tracking_table_take(key);
    if (readers.count > 0) {
        push_set to;
        struct push *push = change_create(by, key, readers, &to);
        push_later(executor, push, to);
    }
    if (topic_count(TOPIC_PREFIX) > 0)
        gather(executor, by, key);
}

/* ---- Flushes ---- */

struct flushed {
    struct push push;
    struct topic *trackers; /* held */
};

static void deliver_flushed(struct push *push, struct executor *executor)
{
    struct topic_list *list = topic_list(((struct flushed *)push)->trackers, executor);
    struct blob *null2 = blob_of(BYTES("$-1\r\n")), *null3 = blob_of(BYTES("_\r\n"));
    for (uint32_t i = 0; i < list->count; i++) {
        struct session *session = list->items[i]->session;
        tell_tracker(session, session->reply.protocol > 2 ? null3 : null2);
    }
    blob_release(null2);
    blob_release(null3);
}

static void free_flushed(struct push *push)
{
    topic_release(((struct flushed *)push)->trackers);
    free(push);
}

void tracking_flush(struct executor *executor)
{
    if (!tracking_is_on())
        return;
    tracking_table_clear();
    push_set workers;
    size_t subscribers;
    struct topic *trackers = topic_find(TOPIC_TRACKERS, no_name, &workers, &subscribers);
    if (!trackers)
        return;
    struct flushed *flushed = memory_alloc(sizeof(*flushed));
    *flushed = (struct flushed){ .push = { .deliver = deliver_flushed, .free = free_flushed },
        .trackers = trackers };
    atomic_init(&flushed->push.refs, 1);
    if (executor)
        push_later(executor, &flushed->push, workers);
    else
        push_send(NULL, &flushed->push, workers);
}

/* ---- Reading ---- */

/* Takes keys out of the table until it is within its bound; in the thread of one who has added. */
static push_set shrink(struct push *push, struct executor *here)
{
    struct bytes key;
    struct tracking_readers readers;
    size_t max = (size_t)config_number(CONFIG_TRACKING_TABLE_MAX_KEYS);
    while (max > 0 && tracking_table_keys() > max && tracking_table_take_any(&key, &readers)) {
        push_set to;
        struct push *change = change_create(0, key, readers, &to);
        push_send(here, change, to);
        free((char *)key.data);
    }
    return 0;
}

static void nobody(struct push *push, struct executor *executor)
{
}

static void free_shrink(struct push *push)
{
    free(push);
}

void tracking_remember(const struct session *session, const struct call *call)
{
    enum { FEW = 16 };
    unsigned flags = session->tracking->flags;
    bool caching = flags & TRACKING_CACHING;
    if (flags & TRACKING_BCAST || (flags & TRACKING_OPTIN && !caching) ||
        (flags & TRACKING_OPTOUT && caching))
        return;
    int few[FEW], *positions = few;
    int count = command_keys(call->entry->command, call->argv, call->argc, few, FEW);
    if (count > FEW) {
        positions = memory_alloc((size_t)count * sizeof(*positions));
        command_keys(call->entry->command, call->argv, call->argc, positions, count);
    }
    struct tracking_reader reader = { session->id, (int8_t)session->executor->box };
    for (int i = 0; i < count; i++)
        tracking_table_add(call->argv[positions[i]], reader);
    if (positions != few)
        free(positions);
    size_t max = (size_t)config_number(CONFIG_TRACKING_TABLE_MAX_KEYS);
    if (max == 0 || tracking_table_keys() <= max)
        return;
    struct push *push = memory_alloc(sizeof(*push));
    *push = (struct push){ .deliver = nobody, .free = free_shrink, .complete = shrink };
    atomic_init(&push->refs, 1);
    push_later(call->executor, push, 0);
}

void tracking_command_over(struct session *session, const struct command_entry *entry)
{
    bool is_client = entry && entry->parent && strcmp(entry->parent->name, "client") == 0;
    if (!is_client && !session->transaction)
        session->tracking->flags &= ~(unsigned)TRACKING_CACHING;
}

/* ---- Beginning and end ---- */

void tracking_start(struct session *session, unsigned flags, uint64_t redirect,
    const struct bytes *prefixes, size_t count)
{
    push_drain(session->executor);
    if (!session->tracking) {
        session->tracking = memory_alloc_zeroed(1, sizeof(*session->tracking));
        session->flags |= SESSION_TRACKING;
        topic_subscribe(session, TOPIC_TRACKERS, no_name);
        atomic_fetch_add(&tracking_count, 1);
    }
    *session->tracking = (struct tracking){ flags, redirect };
    for (size_t i = 0; flags & TRACKING_BCAST && i < count; i++)
        topic_subscribe(session, TOPIC_PREFIX, prefixes[i]);
    if (flags & TRACKING_BCAST && topic_count_of(session, TOPIC_PREFIX) == 0)
        topic_subscribe(session, TOPIC_PREFIX, no_name);
}

void tracking_stop(struct session *session)
{
    if (!session->tracking)
        return;
    struct subscription *each;
    for (size_t cursor = 0; (each = topic_next_of(session, TOPIC_PREFIX, &cursor)) != NULL;)
        topic_drop(each);
    topic_unsubscribe(session, TOPIC_TRACKERS, no_name);
    free(session->tracking);
    session->tracking = NULL;
    session->flags &= ~(unsigned)SESSION_TRACKING;
    /* What was read is forgotten as it changes; when nobody tracks any more, at once. */
    if (atomic_fetch_sub(&tracking_count, 1) == 1)
        tracking_table_clear();
}

/* ---- INFO ---- */

static void tell_clients(struct buffer *out)
{
    buffer_printf(out, "tracking_clients:%u\r\n", atomic_load(&tracking_count));
}

static void tell_stats(struct buffer *out)
{
    buffer_printf(out,
        "tracking_total_keys:%zu\r\ntracking_total_items:%zu\r\ntracking_total_prefixes:%zu\r\n",
        tracking_table_keys(), tracking_table_items(), topic_count(TOPIC_PREFIX));
}

void tracking_init(void)
{
    tracking_table_init();
    info_register("clients", tell_clients);
    info_register("stats", tell_stats);
}
