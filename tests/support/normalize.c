/* Comparing replies. Each kind brings a reply into a form in which equal replies are equal bytes;
 * NEAR alone compares numbers. */
#include "tests/support/normalize.h"
#include "tests/support/raw.h"
#include "tests/support/scratch.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct kind {
    const char *name;
    enum normalize_kind kind;
    bool takes_argument;
};

static const struct kind kinds[] = {
    { "unordered", NORMALIZE_UNORDERED, false },
    { "deep", NORMALIZE_DEEP, false },
    { "pairs", NORMALIZE_PAIRS, false },
    { "names", NORMALIZE_NAMES, false },
    { "shape", NORMALIZE_SHAPE, false },
    { "type", NORMALIZE_TYPE, false },
    { "fields", NORMALIZE_FIELDS, true },
    { "field-names", NORMALIZE_FIELD_NAMES, false },
    { "near", NORMALIZE_NEAR, true },
    { "ignore", NORMALIZE_IGNORE, false },
};

bool normalize_by_name(struct bytes name, enum normalize_kind *kind, bool *takes_argument)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
        if (bytes_is(name, kinds[i].name)) {
            *kind = kinds[i].kind;
            *takes_argument = kinds[i].takes_argument;
            return true;
        }
    return false;
}

static int compare_bytes(const void *a, const void *b)
{
    const struct bytes *left = a, *right = b;
    size_t len = left->len < right->len ? left->len : right->len;
    int order = memcmp(left->data, right->data, len);
    return order != 0 ? order : (left->len > right->len) - (left->len < right->len);
}

static struct bytes rest_of(struct bytes bytes, size_t from)
{
    return (struct bytes){ bytes.data + from, bytes.len - from };
}

/* The length of the head line, CR LF included. */
static size_t head_length(struct bytes reply)
{
    const char *end = memchr(reply.data, '\n', reply.len);
    return end != NULL ? (size_t)(end - reply.data) + 1 : reply.len;
}

/* The elements of an aggregate, `group` at a time as one view; NULL where it is none. The caller
 * frees the array. */
static struct bytes *elements_of(struct bytes reply, size_t group, size_t *count)
{
    if (reply.len == 0 || strchr("*~%>", reply.data[0]) == NULL)
        return NULL;
    long announced = strtol(reply.data + 1, NULL, 10);
    size_t total = announced > 0 ? (size_t)announced : 0;
    total = reply.data[0] == '%' ? total * 2 : total;
    struct bytes *elements = calloc(total + 1, sizeof(*elements));
    size_t at = head_length(reply);
    *count = 0;
    for (size_t i = 0; elements != NULL && i < total; i += group) {
        size_t start = at;
        for (size_t j = i; j < i + group && j < total; j++)
            at += (size_t)raw_reply_length(rest_of(reply, at));
        elements[(*count)++] = (struct bytes){ reply.data + start, at - start };
    }
    return elements;
}

static void put_sorted(struct buffer *out, struct bytes reply, size_t group, bool names_only)
{
    size_t count;
    struct bytes *elements = elements_of(reply, group, &count);
    if (elements == NULL) {
        buffer_append(out, reply.data, reply.len);
        return;
    }
    for (size_t i = 0; names_only && i < count; i++)
        elements[i].len = (size_t)raw_reply_length(elements[i]);
    qsort(elements, count, sizeof(*elements), compare_bytes);
    buffer_append(out, reply.data, head_length(reply));
    for (size_t i = 0; i < count; i++)
        buffer_append(out, elements[i].data, elements[i].len);
    free(elements);
}

static bool of_one_type(const struct bytes *elements, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (elements[i].data[0] != elements[0].data[0] || elements[i].data[0] == ':')
            return false;
    return true;
}

/* Tuples, whose elements differ in type, keep their order; what is in them may be sorted. */
static void put_deep(struct buffer *out, struct bytes reply)
{
    size_t count;
    struct bytes *elements = elements_of(reply, 1, &count);
    if (elements == NULL) {
        buffer_append(out, reply.data, reply.len);
        return;
    }
    bool sorted = reply.data[0] != '%' && of_one_type(elements, count);
    for (size_t i = 0; i < count; i++) {
        struct buffer element = { 0 };
        put_deep(&element, elements[i]);
        elements[i] = (struct bytes){ scratch_copy(element.data, element.len), element.len };
        buffer_free(&element);
    }
    if (sorted)
        qsort(elements, count, sizeof(*elements), compare_bytes);
    buffer_append(out, reply.data, head_length(reply));
    for (size_t i = 0; i < count; i++)
        buffer_append(out, elements[i].data, elements[i].len);
    free(elements);
}

static void put_shape(struct buffer *out, struct bytes reply)
{
    size_t count;
    struct bytes *elements = elements_of(reply, 1, &count);
    buffer_append_char(out, reply.len > 0 ? reply.data[0] : ' ');
    if (elements == NULL)
        return;
    buffer_printf(out, "%zu(", count);
    for (size_t i = 0; i < count; i++)
        put_shape(out, elements[i]);
    buffer_append_char(out, ')');
    free(elements);
}

static bool in_list(struct bytes list, struct bytes name)
{
    size_t at = 0;
    while (at < list.len) {
        const char *comma = memchr(list.data + at, ',', list.len - at);
        size_t len = comma != NULL ? (size_t)(comma - list.data) - at : list.len - at;
        if (len == name.len && memcmp(list.data + at, name.data, len) == 0)
            return true;
        at += len + 1;
    }
    return false;
}

/* Lines of the text in a bulk or verbatim string; only: the list of fields, or nothing for the
 * names. */
static void put_fields(struct buffer *out, struct bytes reply, const struct bytes *only)
{
    size_t at = head_length(reply);
    while (at < reply.len) {
        struct bytes line = rest_of(reply, at);
        size_t whole = head_length(line);
        line.len = whole;
        while (line.len > 0 && (line.data[line.len - 1] == '\n' || line.data[line.len - 1] == '\r'))
            line.len--;
        const char *colon = memchr(line.data, ':', line.len);
        struct bytes name = { line.data, colon != NULL ? (size_t)(colon - line.data) : line.len };
        if (only == NULL)
            buffer_append(out, name.data, name.len);
        else if (in_list(*only, name))
            buffer_append(out, line.data, line.len);
        if (only == NULL || in_list(*only, name))
            buffer_append_char(out, '\n');
        at += whole;
    }
}

static void put(struct buffer *out, const struct normalize *normalize, struct bytes reply)
{
    bool error = reply.len > 0 && reply.data[0] == '-';
    switch (error ? NORMALIZE_EXACT : normalize->kind) {
    case NORMALIZE_UNORDERED:
        put_sorted(out, reply, 1, false);
        break;
    case NORMALIZE_DEEP:
        put_deep(out, reply);
        break;
    case NORMALIZE_PAIRS:
        put_sorted(out, reply, 2, false);
        break;
    case NORMALIZE_NAMES:
        put_sorted(out, reply, 2, true);
        break;
    case NORMALIZE_SHAPE:
        put_shape(out, reply);
        break;
    case NORMALIZE_TYPE:
        buffer_append(out, reply.data, reply.len > 0 ? 1 : 0);
        break;
    case NORMALIZE_FIELDS:
        put_fields(out, reply, &normalize->argument);
        break;
    case NORMALIZE_FIELD_NAMES:
        put_fields(out, reply, NULL);
        break;
    default:
        buffer_append(out, reply.data, reply.len);
    }
}

/* The number in an integer, double or bulk reply. */
static bool number_of(struct bytes reply, double *number)
{
    if (reply.len == 0 || strchr(":,$", reply.data[0]) == NULL)
        return false;
    size_t at = reply.data[0] == '$' ? head_length(reply) : 1;
    char *end;
    *number = strtod(reply.data + at, &end);
    return end > reply.data + at && *end == '\r';
}

/* Every line of the one text is a line of the other. */
static bool has_lines(struct bytes all, struct bytes some)
{
    bool equal = true;
    for (size_t at = 0; at < some.len;) {
        struct bytes line = rest_of(some, at);
        line.len = head_length(line);
        bool found = false;
        for (size_t other = 0; other < all.len && !found; other += head_length(rest_of(all, other)))
            found = bytes_equal(
                (struct bytes){ all.data + other, head_length(rest_of(all, other)) }, line);
        if (!found) {
            fprintf(stderr, "missing: %.*s", (int)line.len, line.data);
            equal = false;
        }
        at += line.len;
    }
    return equal;
}

bool normalize_equal(const struct normalize *normalize, struct bytes a, struct bytes b)
{
    double left, right;
    if (normalize->kind == NORMALIZE_IGNORE)
        return true;
    /* No time, and no key, are answers of their own: -1 and -2 are near to nothing else. */
    if (normalize->kind == NORMALIZE_NEAR && number_of(a, &left) && number_of(b, &right) &&
        a.data[0] == b.data[0])
        return (left < 0) == (right < 0) &&
               fabs(left - right) <= (left < 0 ? 0 : strtod(normalize->argument.data, NULL));
    struct buffer one = { 0 }, other = { 0 };
    put(&one, normalize, a);
    put(&other, normalize, b);
    bool equal = normalize->kind == NORMALIZE_FIELD_NAMES
                     ? has_lines(buffer_bytes(&other), buffer_bytes(&one))
                     : bytes_equal(buffer_bytes(&one), buffer_bytes(&other));
    buffer_free(&one);
    buffer_free(&other);
    return equal;
}
