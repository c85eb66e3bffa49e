/* HRANDFIELD and HSCAN: some of the fields. */
#include "server/command/hash.h"
#include "server/command/member_scan.h"
#include "server/command/random_count.h"

#include "common/memory.h"
#include "server/type/sample.h"
#include <stdlib.h>

/* ---- HRANDFIELD ---- */

static void reply_pair(struct reply *reply, const struct hash_pair *pair, bool with_values)
{
    if (with_values && reply->protocol == 3)
        reply_array(reply, 2);
    reply_bulk(reply, pair->field);
    if (with_values)
        reply_bulk(reply, pair->value);
}

static void reply_header(struct reply *reply, size_t count, bool with_values)
{
    reply_array(reply, with_values && reply->protocol == 2 ? count * 2 : count);
}

/* Where the fields of a listpack begin; the caller frees. */
static const unsigned char **places_of(const struct listpack *pack, size_t count)
{
    const unsigned char **places = memory_alloc((count + 1) * sizeof(*places));
    const unsigned char *at = listpack_first(pack);
    for (size_t i = 0; at; at = listpack_next(pack, listpack_next(pack, at)))
        places[i++] = at;
    return places;
}

static void get_packed(const struct listpack *pack, const unsigned char *at, struct hash_pair *pair)
{
    pair->field = listpack_get(at, pair->scratch[0]);
    pair->value = listpack_get(listpack_next(pack, at), pair->scratch[1]);
}

/* The same field may come again. */
static void reply_drawn(struct call *call, const struct hash *hash, uint64_t wanted, bool values)
{
    size_t count = hash_count(hash);
    const unsigned char **places =
        hash->encoding == ENCODING_LISTPACK ? places_of(hash->value, count) : NULL;
    reply_header(call->reply, wanted, values);
    for (uint64_t i = 0; i < wanted && random_count_goes_on(call); i++) {
        struct hash_pair pair;
        if (places) {
            get_packed(hash->value, places[random_below(count)], &pair);
        } else {
            struct dict *dict = hash_dict(hash);
            hash_item_pair(dict, dict_random(dict, random_next()), &pair);
        }
        reply_pair(call->reply, &pair, values);
    }
    free(places);
}

static void reply_all(struct call *call, const struct hash *hash, bool values)
{
    struct hash_iterator iterator = hash_iterate(hash);
    struct hash_pair pair;
    reply_header(call->reply, hash_count(hash), values);
    while (hash_next(&iterator, &pair))
        reply_pair(call->reply, &pair, values);
}

/* So many different fields; fewer than there are. */
static void reply_sample(struct call *call, const struct hash *hash, size_t wanted, bool values)
{
    struct hash_pair pair;
    reply_header(call->reply, wanted, values);
    if (hash->encoding == ENCODING_HASHTABLE) {
        struct dict *dict = hash_dict(hash);
        struct item **items = sample_items(dict, wanted);
        for (size_t i = 0; i < wanted; i++) {
            hash_item_pair(dict, items[i], &pair);
            reply_pair(call->reply, &pair, values);
        }
        free(items);
        return;
    }
    struct sample sample = { hash_count(hash), wanted };
    struct hash_iterator iterator = hash_iterate(hash);
    while (hash_next(&iterator, &pair)) {
        if (sample_takes(&sample))
            reply_pair(call->reply, &pair, values);
    }
}

static void reply_one(struct call *call, const struct hash *hash)
{
    struct hash_pair pair;
    if (hash->encoding == ENCODING_LISTPACK) {
        long index = (long)random_below(hash_count(hash)) * 2;
        get_packed(hash->value, listpack_seek(hash->value, index), &pair);
    } else {
        struct dict *dict = hash_dict(hash);
        hash_item_pair(dict, dict_random(dict, random_next()), &pair);
    }
    reply_bulk(call->reply, pair.field);
}

static bool parse(struct call *call, int64_t *count, bool *values)
{
    if (!random_count_parse(call, 2, count))
        return false;
    *values = call->argc == 4;
    if (call->argc > 4 || (*values && !bytes_is(call->argv[3], "WITHVALUES"))) {
        call_error_syntax(call);
        return false;
    }
    if (*values && (*count < -INT64_MAX / 2 || *count > INT64_MAX / 2)) {
        reply_error(call->reply, "value is out of range");
        return false;
    }
    return true;
}

void hash_random_command(struct call *call)
{
    struct key key;
    bool wrong, values = false, with_count = call->argc > 2;
    int64_t count = 1;
    if (with_count && !parse(call, &count, &values))
        return;
    if (!key_read_type(call, 1, TYPE_HASH, &key, &wrong)) {
        if (!wrong && with_count)
            reply_array(call->reply, 0);
        else if (!wrong)
            reply_null(call->reply);
        return;
    }
    struct hash hash = hash_of(&key);
    if (!with_count)
        reply_one(call, &hash);
    else if (count < 0)
        reply_drawn(call, &hash, (uint64_t)-count, values);
    else if ((uint64_t)count >= hash_count(&hash))
        reply_all(call, &hash, values);
    else
        reply_sample(call, &hash, (size_t)count, values);
}

/* ---- HSCAN ---- */

struct table_scan {
    struct member_scan scan;
    const struct dict *dict;
};

static void add_pair(struct member_scan *scan, const struct hash_pair *pair)
{
    if (!member_scan_wants(scan, pair->field))
        return;
    member_scan_add(scan, pair->field);
    member_scan_add(scan, pair->value);
}

static void visit(void *arg, struct item *item)
{
    struct table_scan *at = arg;
    struct hash_pair pair;
    hash_item_pair(at->dict, item, &pair);
    add_pair(&at->scan, &pair);
}

void hash_scan_command(struct call *call)
{
    struct key key;
    struct table_scan at;
    if (!member_scan_begin(call, TYPE_HASH, &key, &at.scan))
        return;
    struct hash hash = hash_of(&key);
    if (hash.encoding == ENCODING_HASHTABLE) {
        at.dict = hash_dict(&hash);
        member_scan_dict(&at.scan, at.dict, visit, &at);
    } else {
        struct hash_iterator iterator = hash_iterate(&hash);
        struct hash_pair pair;
        while (hash_next(&iterator, &pair))
            add_pair(&at.scan, &pair);
        at.scan.position = 0;
    }
    member_scan_end(call, &at.scan);
}
