#include "server/command/client_tracking.h"

#include "common/memory.h"
#include "server/command/topic.h"
#include "server/command/tracking.h"
#include <stdlib.h>

struct wish {
    unsigned flags;
    int64_t redirect;       /* 0: none */
    struct bytes *prefixes; /* owned; the bytes are the request's */
    size_t count;
};

int64_t client_redirect_of(const struct session *session)
{
    return session->tracking ? (int64_t)session->tracking->redirect : -1;
}

/* ---- CLIENT TRACKING ---- */

static bool read_redirect(struct call *call, int at, struct wish *wish)
{
    if (wish->redirect != 0) {
        reply_error(call->reply, "A client can only redirect to a single other client");
        return false;
    }
    if (!call_integer(call, at, &wish->redirect))
        return false;
    if (wish->redirect > 0 && session_where((uint64_t)wish->redirect))
        return true;
    reply_error(call->reply, "The client ID you want redirect to does not exist");
    return false;
}

static bool read_options(struct call *call, struct wish *wish)
{
    static const struct {
        const char *word;
        unsigned flag;
    } words[] = { { "bcast", TRACKING_BCAST }, { "optin", TRACKING_OPTIN },
        { "optout", TRACKING_OPTOUT }, { "noloop", TRACKING_NOLOOP } };
    for (int i = 3; i < call->argc; i++) {
        bool more = i + 1 < call->argc;
        unsigned flag = 0;
        for (size_t k = 0; k < sizeof(words) / sizeof(*words); k++)
            flag |= bytes_is(call->argv[i], words[k].word) ? words[k].flag : 0;
        wish->flags |= flag;
        if (flag)
            continue;
        if (bytes_is(call->argv[i], "redirect") && more) {
            if (!read_redirect(call, ++i, wish))
                return false;
        } else if (bytes_is(call->argv[i], "prefix") && more) {
            wish->prefixes[wish->count++] = call->argv[++i];
        } else {
            call_error_syntax(call);
            return false;
        }
    }
    return true;
}

/* Whether one is the beginning of the other. */
static bool overlap(struct bytes a, struct bytes b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    return len == 0 || memcmp(a.data, b.data, len) == 0;
}

static int compare(const void *a, const void *b)
{
    const struct bytes *one = a, *other = b;
    size_t len = one->len < other->len ? one->len : other->len;
    int order = len > 0 ? memcmp(one->data, other->data, len) : 0;
    return order ? order : (one->len > other->len) - (one->len < other->len);
}

/* The session's prefixes in their order, in memory that the caller frees. */
static struct bytes *prefixes_of(const struct session *session, size_t *count)
{
    *count = 0;
    struct bytes *all = memory_alloc((topic_count_of(session, TOPIC_PREFIX) + 1) * sizeof(*all));
    const struct subscriptions *subscriptions = session->subscriptions;
    for (size_t i = 0; subscriptions && i < subscriptions->capacity; i++) {
        const struct subscription *each = subscriptions->buckets[i];
        for (; each; each = each->next_in_session) {
            if (each->topic->kind == TOPIC_PREFIX)
                all[(*count)++] = each->topic->name;
        }
    }
    qsort(all, *count, sizeof(*all), compare);
    return all;
}

static bool refuse_overlap(
    struct call *call, struct bytes prefix, struct bytes other, const char *which)
{
    reply_error(call->reply,
        "Prefix '%.*s' overlaps with %s prefix '%.*s'. Prefixes for a single client must not "
        "overlap.",
        (int)prefix.len, prefix.data, which, (int)other.len, other.data);
    return false;
}

static bool are_apart(struct call *call, const struct wish *wish)
{
    size_t count;
    struct bytes *existing = prefixes_of(call->session, &count);
    bool apart = true;
    for (size_t i = 0; i < wish->count && apart; i++) {
        for (size_t k = 0; k < count && apart; k++) {
            if (overlap(wish->prefixes[i], existing[k]))
                apart = refuse_overlap(call, wish->prefixes[i], existing[k], "an existing");
        }
        for (size_t k = i + 1; k < wish->count && apart; k++) {
            if (overlap(wish->prefixes[i], wish->prefixes[k]))
                apart =
                    refuse_overlap(call, wish->prefixes[i], wish->prefixes[k], "another provided");
        }
    }
    free(existing);
    return apart;
}

static bool is_possible(struct call *call, const struct wish *wish)
{
    const struct tracking *now = call->session->tracking;
    unsigned opts = TRACKING_OPTIN | TRACKING_OPTOUT, flags = wish->flags;
    const char *why = NULL;
    if (!(flags & TRACKING_BCAST) && wish->count > 0)
        why = "PREFIX option requires BCAST mode to be enabled";
    else if (now && (now->flags ^ flags) & TRACKING_BCAST)
        why = "You can't switch BCAST mode on/off before disabling tracking for this client, and "
              "then re-enabling it with a different mode.";
    else if (flags & TRACKING_BCAST && flags & opts)
        why = "OPTIN and OPTOUT are not compatible with BCAST";
    else if ((flags & opts) == opts)
        why = "You can't specify both OPTIN mode and OPTOUT mode";
    else if (now && ((flags & TRACKING_OPTIN && now->flags & TRACKING_OPTOUT) ||
                        (flags & TRACKING_OPTOUT && now->flags & TRACKING_OPTIN)))
        why = "You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and "
              "then re-enabling it with a different mode.";
    if (why)
        reply_error(call->reply, "%s", why);
    return !why && (!(flags & TRACKING_BCAST) || are_apart(call, wish));
}

void client_tracking(struct call *call)
{
    struct wish wish = { .prefixes = memory_alloc((size_t)call->argc * sizeof(struct bytes)) };
    if (read_options(call, &wish)) {
        if (bytes_is(call->argv[2], "off")) {
            push_drain(call->executor);
            tracking_stop(call->session);
            reply_ok(call->reply);
        } else if (!bytes_is(call->argv[2], "on") || call->executor->box < 0) {
            call_error_syntax(call);
        } else if (is_possible(call, &wish)) {
            unsigned kept =
                call->session->tracking ? call->session->tracking->flags & TRACKING_CACHING : 0;
            tracking_start(call->session, wish.flags | kept, (uint64_t)wish.redirect, wish.prefixes,
                wish.count);
            reply_ok(call->reply);
        }
    }
    free(wish.prefixes);
}

/* ---- The others ---- */

void client_trackinginfo(struct call *call)
{
    const struct session *session = call->session;
    struct reply *reply = call->reply;
    unsigned flags = session->tracking ? session->tracking->flags : 0;
    const struct {
        bool on;
        const char *word;
    } words[] = {
        { !session->tracking, "off" },
        { session->tracking, "on" },
        { flags & TRACKING_BCAST, "bcast" },
        { flags & TRACKING_OPTIN, "optin" },
        { flags & TRACKING_OPTIN && flags & TRACKING_CACHING, "caching-yes" },
        { flags & TRACKING_OPTOUT, "optout" },
        { flags & TRACKING_OPTOUT && flags & TRACKING_CACHING, "caching-no" },
        { flags & TRACKING_NOLOOP, "noloop" },
        { flags & TRACKING_BROKEN, "broken_redirect" },
    };
    enum { WORDS = sizeof(words) / sizeof(*words) };
    size_t count = 0;
    for (size_t i = 0; i < WORDS; i++)
        count += words[i].on;
    reply_map(reply, 3);
    reply_bulk_text(reply, "flags");
    reply_set(reply, count);
    for (size_t i = 0; i < WORDS; i++) {
        if (words[i].on)
            reply_bulk_text(reply, words[i].word);
    }
    reply_bulk_text(reply, "redirect");
    reply_integer(reply, client_redirect_of(session));
    reply_bulk_text(reply, "prefixes");
    struct bytes *prefixes = prefixes_of(session, &count);
    reply_array(reply, count);
    for (size_t i = 0; i < count; i++)
        reply_bulk(reply, prefixes[i]);
    free(prefixes);
}

void client_caching(struct call *call)
{
    struct tracking *tracking = call->session->tracking;
    bool yes = bytes_is(call->argv[2], "yes");
    if (!tracking)
        reply_error(call->reply, "CLIENT CACHING can be called only when the client is in tracking "
                                 "mode with OPTIN or OPTOUT mode enabled");
    else if (!yes && !bytes_is(call->argv[2], "no"))
        call_error_syntax(call);
    else if (yes && !(tracking->flags & TRACKING_OPTIN))
        reply_error(call->reply,
            "CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.");
    else if (!yes && !(tracking->flags & TRACKING_OPTOUT))
        reply_error(call->reply,
            "CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.");
    else {
        tracking->flags |= TRACKING_CACHING;
        reply_ok(call->reply);
    }
}

void client_getredir(struct call *call)
{
    reply_integer(call->reply, client_redirect_of(call->session));
}
