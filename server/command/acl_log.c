#include "server/command/acl_log.h"

#include "common/memory.h"
#include "server/clock.h"
#include "server/command/client_describe.h"
#include "server/config.h"
#include "server/info.h"
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>

enum {
    LOOKED_AT = 10,          /* entries that a new denial may be like */
    TOGETHER_MS = 60 * 1000, /* how old such a one may be */
    TEXT_MAX = 4096,         /* bytes kept of an object or a name */
};

struct denial {
    struct denial *next;
    enum acl_reason reason;
    enum acl_context context;
    uint64_t count;
    int64_t at_ms;                     /* the last time; Unix time */
    struct bytes object, user, client; /* owned */
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct denial *newest; /* under mutex, as is all that hangs there */
static size_t entry_count;

static _Atomic uint64_t counters[ACL_REASON_AUTH + 1];

static const char *const reasons[] = { [ACL_REASON_COMMAND] = "command",
    [ACL_REASON_KEY] = "key",
    [ACL_REASON_CHANNEL] = "channel",
    [ACL_REASON_AUTH] = "auth" };
static const char *const contexts[] = {
    [ACL_TOPLEVEL] = "toplevel", [ACL_IN_MULTI] = "multi", [ACL_IN_SCRIPT] = "lua"
};

static struct bytes copy(struct bytes text)
{
    size_t len = text.len < TEXT_MAX ? text.len : TEXT_MAX;
    char *made = memory_alloc(len + 1);
    if (len > 0)
        memcpy(made, text.data, len);
    return (struct bytes){ made, len };
}

static void free_entry(struct denial *entry)
{
    free((char *)entry->object.data);
    free((char *)entry->user.data);
    free((char *)entry->client.data);
    free(entry);
}

static bool are_alike(const struct denial *a, const struct denial *b)
{
    return a->reason == b->reason && a->context == b->context &&
           b->at_ms - a->at_ms <= TOGETHER_MS && bytes_equal(a->object, b->object) &&
           bytes_equal(a->user, b->user);
}

/* Takes the entry out that the new one is like; NULL: there is none. */
static struct denial *take_like(const struct denial *entry)
{
    struct denial **place = &newest;
    for (int i = 0; i < LOOKED_AT && *place; i++, place = &(*place)->next) {
        struct denial *found = *place;
        if (!are_alike(found, entry))
            continue;
        *place = found->next;
        entry_count--;
        return found;
    }
    return NULL;
}

static void cut_to(size_t count)
{
    struct denial **place = &newest;
    for (size_t i = 0; i < count && *place; i++)
        place = &(*place)->next;
    while (*place) {
        struct denial *last = *place;
        *place = last->next;
        free_entry(last);
        entry_count--;
    }
}

void acl_log_add(const struct session *session, enum acl_reason reason, enum acl_context context,
    struct bytes object, struct bytes user)
{
    struct buffer client = { 0 };
    atomic_fetch_add(&counters[reason], 1);
    client_describe(&client, session, clock_unix_ms(), false);
    struct denial *entry = memory_alloc_zeroed(1, sizeof(*entry));
    *entry = (struct denial){ .reason = reason,
        .context = context,
        .count = 1,
        .at_ms = clock_unix_ms(),
        .object = copy(object),
        .user = copy(user),
        .client = copy(buffer_bytes(&client)) };
    buffer_free(&client);
    pthread_mutex_lock(&mutex);
    struct denial *before = take_like(entry);
    entry->next = newest;
    newest = entry;
    entry_count++;
    if (before) {
        entry->count += before->count;
        free_entry(before);
    } else {
        cut_to((size_t)config_number(CONFIG_ACLLOG_MAX_LEN));
    }
    pthread_mutex_unlock(&mutex);
}

static void reply_entry(struct reply *reply, const struct denial *entry, int64_t now)
{
    reply_map(reply, 7);
    reply_bulk_text(reply, "count");
    reply_integer(reply, (int64_t)entry->count);
    reply_bulk_text(reply, "reason");
    reply_bulk_text(reply, reasons[entry->reason]);
    reply_bulk_text(reply, "context");
    reply_bulk_text(reply, contexts[entry->context]);
    reply_bulk_text(reply, "object");
    reply_bulk(reply, entry->object);
    reply_bulk_text(reply, "username");
    reply_bulk(reply, entry->user);
    reply_bulk_text(reply, "age-seconds");
    reply_double(reply, (double)(now - entry->at_ms) / 1000);
    reply_bulk_text(reply, "client-info");
    reply_bulk(reply, entry->client);
}

void acl_log_reply(struct call *call, size_t count)
{
    int64_t now = clock_unix_ms();
    pthread_mutex_lock(&mutex);
    const struct denial *entry = newest;
    count = count < entry_count ? count : entry_count;
    reply_array(call->reply, count);
    for (size_t i = 0; i < count; i++, entry = entry->next)
        reply_entry(call->reply, entry, now);
    pthread_mutex_unlock(&mutex);
}

void acl_log_reset(void)
{
    pthread_mutex_lock(&mutex);
    cut_to(0);
    pthread_mutex_unlock(&mutex);
}

static void tell(struct buffer *out)
{
    static const enum acl_reason order[] = { ACL_REASON_AUTH, ACL_REASON_COMMAND, ACL_REASON_KEY,
        ACL_REASON_CHANNEL };
    static const char *const names[] = { "auth", "cmd", "key", "channel" };
    for (size_t i = 0; i < sizeof(order) / sizeof(*order); i++)
        buffer_printf(out, "acl_access_denied_%s:%" PRIu64 "\r\n", names[i],
            atomic_load(&counters[order[i]]));
}

void acl_log_reset_counters(void)
{
    for (size_t i = 0; i < sizeof(counters) / sizeof(*counters); i++)
        atomic_store(&counters[i], 0);
}

void acl_log_init(void)
{
    info_register("stats", tell);
}
