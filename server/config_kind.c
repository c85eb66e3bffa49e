/* The kinds of values a directive can have, each with a way to read it and two to write it. Texts
 * of errors are those of Redis, since CONFIG SET sends them to clients. */
#include "server/config_table.h"

#include "common/memory.h"
#include "common/number.h"
#include "common/words.h"
#include <inttypes.h>
#include <stdlib.h>

static bool one_word(size_t count, struct error *error)
{
    return count == 1 || error_set(error, "wrong number of arguments");
}

static bool in_range(const struct directive *row, int64_t value, struct error *error)
{
    if (value >= row->min && value <= row->max)
        return true;
    return error_set(error, "argument must be between %" PRId64 " and %" PRId64 " inclusive",
        row->min, row->max);
}

/* Replaces the text by a copy of the bytes. */
static bool set_text(struct config_value *value, struct bytes bytes, struct error *error)
{
    if (bytes.len > CONFIG_TEXT_MAX)
        return error_set(error, "argument is longer than %d bytes", CONFIG_TEXT_MAX);
    if (memchr(bytes.data, '\0', bytes.len))
        return error_set(error, "argument must not have a zero byte in it");
    free(value->text);
    value->text = memory_alloc(bytes.len + 1);
    memcpy(value->text, bytes.data, bytes.len);
    value->text[bytes.len] = '\0';
    return true;
}

/* "name value", the value as format shows it, quoted where it must be. */
static void write_quoted(
    const struct directive *row, const struct config_value *value, struct buffer *out)
{
    struct buffer text = { 0 };
    row->kind->format(row, value, &text);
    buffer_printf(out, "%s ", row->name);
    words_quote(out, buffer_bytes(&text));
    buffer_append_char(out, '\n');
    buffer_free(&text);
}

/* The word before the next space; false: there is none. */
static bool take_word(struct bytes *rest, struct bytes *word)
{
    while (rest->len > 0 && rest->data[0] == ' ') {
        rest->data++;
        rest->len--;
    }
    const char *end = memchr(rest->data, ' ', rest->len);
    *word = (struct bytes){ rest->data, end ? (size_t)(end - rest->data) : rest->len };
    rest->data += word->len;
    rest->len -= word->len;
    return word->len > 0;
}

/* The same where the value is several words; none are "". */
static void write_words(
    const struct directive *row, const struct config_value *value, struct buffer *out)
{
    struct bytes rest = bytes_of(value->text), word;
    buffer_append_text(out, row->name);
    if (rest.len == 0)
        buffer_append_text(out, " \"\"");
    while (take_word(&rest, &word)) {
        buffer_append_char(out, ' ');
        words_quote(out, word);
    }
    buffer_append_char(out, '\n');
}

/* ---- Numbers ---- */

static bool parse_number(const struct directive *row, const struct bytes *words, size_t count,
    struct config_value *value, struct error *error)
{
    if (!one_word(count, error))
        return false;
    if (!number_parse(words[0], &value->numbers[0]))
        return error_set(error, "argument couldn't be parsed into an integer");
    return in_range(row, value->numbers[0], error);
}

static void format_number(
    const struct directive *row, const struct config_value *value, struct buffer *out)
{
    buffer_printf(out, "%" PRId64, value->numbers[0]);
}

const struct config_kind config_kind_number = { 1, parse_number, format_number, write_quoted };

/* Nothing at all is 0, as Redis has it. */
static bool size_of(struct bytes word, int64_t *size)
{
    *size = 0;
    return word.len == 0 || (number_parse_size(word, size) && *size >= 0);
}

static bool parse_size(const struct directive *row, const struct bytes *words, size_t count,
    struct config_value *value, struct error *error)
{
    if (!one_word(count, error))
        return false;
    if (!size_of(words[0], &value->numbers[0]))
        return error_set(error, "argument must be a memory value");
    return in_range(row, value->numbers[0], error);
}

/* The file gets the largest unit that leaves no rest. */
static void write_size(
    const struct directive *row, const struct config_value *value, struct buffer *out)
{
    static const struct {
        int64_t size;
        const char *name;
    } units[] = { { 1 << 30, "gb" }, { 1 << 20, "mb" }, { 1 << 10, "kb" }, { 1, "" } };
    size_t i = 0;
    while (value->numbers[0] % units[i].size != 0 || value->numbers[0] < units[i].size) {
        if (units[i].size == 1)
            break;
        i++;
    }
    buffer_printf(
        out, "%s %" PRId64 "%s\n", row->name, value->numbers[0] / units[i].size, units[i].name);
}

const struct config_kind config_kind_size = { 1, parse_size, format_number, write_size };

/* A size, or a share in percent, which is kept negative. */
static bool parse_size_or_percent(const struct directive *row, const struct bytes *words,
    size_t count, struct config_value *value, struct error *error)
{
    if (!one_word(count, error))
        return false;
    struct bytes digits = words[0];
    if (digits.len > 0 && digits.data[digits.len - 1] == '%') {
        digits.len--;
        if (!number_parse(digits, &value->numbers[0]) || value->numbers[0] < 0)
            return error_set(error, "argument must be a memory or percent value");
        if (value->numbers[0] > 100)
            return error_set(error, "percentage argument must be less or equal to 100");
        value->numbers[0] = -value->numbers[0];
        return true;
    }
    if (!size_of(digits, &value->numbers[0]))
        return error_set(error, "argument must be a memory or percent value");
    return in_range(row, value->numbers[0], error);
}

static void format_size_or_percent(
    const struct directive *row, const struct config_value *value, struct buffer *out)
{
    if (value->numbers[0] < 0)
        buffer_printf(out, "%" PRId64 "%%", -value->numbers[0]);
    else
        format_number(row, value, out);
}

static void write_size_or_percent(
    const struct directive *row, const struct config_value *value, struct buffer *out)
{
    if (value->numbers[0] < 0)
        write_quoted(row, value, out);
    else
        write_size(row, value, out);
}

const struct config_kind config_kind_size_or_percent = { 1, parse_size_or_percent,
    format_size_or_percent, write_size_or_percent };

static bool parse_octal(const struct directive *row, const struct bytes *words, size_t count,
    struct config_value *value, struct error *error)
{
    if (!one_word(count, error))
        return false;
    int64_t sum = 0;
    for (size_t i = 0; i < words[0].len; i++) {
        unsigned digit = (unsigned char)words[0].data[i] - (unsigned)'0';
        if (digit > 7 || words[0].len > 8)
            return error_set(error, "argument couldn't be parsed as an octal number");
        sum = sum * 8 + digit;
    }
    value->numbers[0] = sum;
    if (words[0].len == 0 || sum > row->max)
        return error_set(error, "argument must be between %" PRIo64 " and %" PRIo64 " inclusive",
            (uint64_t)row->min, (uint64_t)row->max);
    return true;
}

static void format_octal(
    const struct directive *row, const struct config_value *value, struct buffer *out)
{
    buffer_printf(out, "%" PRIo64, (uint64_t)value->numbers[0]);
}

const struct config_kind config_kind_octal = { 1, parse_octal, format_octal, write_quoted };

/* ---- Words out of a list ---- */

static bool parse_bool(const struct directive *row, const struct bytes *words, size_t count,
    struct config_value *value, struct error *error)
{
    if (!one_word(count, error))
        return false;
    value->numbers[0] = bytes_is(words[0], "yes");
    return value->numbers[0] || bytes_is(words[0], "no") ||
           error_set(error, "argument must be 'yes' or 'no'");
}

static void format_bool(
    const struct directive *row, const struct config_value *value, struct buffer *out)
{
    buffer_append_text(out, value->numbers[0] ? "yes" : "no");
}

const struct config_kind config_kind_bool = { 1, parse_bool, format_bool, write_quoted };

static bool parse_choice(const struct directive *row, const struct bytes *words, size_t count,
    struct config_value *value, struct error *error)
{
    if (!one_word(count, error))
        return false;
    struct buffer names = { 0 };
    for (const struct config_choice *choice = row->choices; choice->name; choice++) {
        if (bytes_is(words[0], choice->name)) {
            value->numbers[0] = choice->value;
            buffer_free(&names);
            return true;
        }
        buffer_printf(&names, "%s%s", names.len ? ", " : "", choice->name);
    }
    error_set(error, "argument(s) must be one of the following: %.*s", (int)names.len, names.data);
    buffer_free(&names);
    return false;
}

static void format_choice(
    const struct directive *row, const struct config_value *value, struct buffer *out)
{
    for (const struct config_choice *choice = row->choices; choice->name; choice++) {
        if (choice->value == value->numbers[0]) {
            buffer_append_text(out, choice->name); /* others may mean the same */
            return;
        }
    }
}

const struct config_kind config_kind_choice = { 1, parse_choice, format_choice, write_quoted };

/* ---- client-output-buffer-limit: class hard soft seconds, up to three times ---- */

enum { CLASSES = 3, LIMITS = 3 };
static const char *const class_names[CLASSES] = { "normal", "slave", "pubsub" };
static const char *const class_names_in_file[CLASSES] = { "normal", "replica", "pubsub" };

static int class_of(struct bytes word)
{
    for (int i = 0; i < CLASSES; i++) {
        if (bytes_is(word, class_names[i]) || bytes_is(word, class_names_in_file[i]))
            return i;
    }
    return -1;
}

static bool parse_limits(const struct directive *row, const struct bytes *words, size_t count,
    struct config_value *value, struct error *error)
{
    if (count == 0 || count % (1 + LIMITS) != 0)
        return error_set(error, "Wrong number of arguments in buffer limit configuration.");
    for (size_t i = 0; i < count; i += 1 + LIMITS) {
        int class = class_of(words[i]);
        if (class < 0)
            return error_set(
                error, "Invalid client class specified in buffer limit configuration.");
        int64_t *limits = &value->numbers[class * LIMITS];
        if (!number_parse_size(words[i + 1], &limits[0]) || limits[0] < 0 ||
            !number_parse_size(words[i + 2], &limits[1]) || limits[1] < 0 ||
            !number_parse(words[i + 3], &limits[2]) || limits[2] < 0)
            return error_set(error,
                "Error in hard, soft or soft_seconds setting in buffer limit configuration.");
    }
    return true;
}

static void format_limits(
    const struct directive *row, const struct config_value *value, struct buffer *out)
{
    for (int i = 0; i < CLASSES; i++) {
        const int64_t *limits = &value->numbers[i * LIMITS];
        buffer_printf(out, "%s%s %" PRId64 " %" PRId64 " %" PRId64, i ? " " : "", class_names[i],
            limits[0], limits[1], limits[2]);
    }
}

static void write_limits(
    const struct directive *row, const struct config_value *value, struct buffer *out)
{
    for (int i = 0; i < CLASSES; i++) {
        const int64_t *limits = &value->numbers[i * LIMITS];
        buffer_printf(out, "%s %s %" PRId64 " %" PRId64 " %" PRId64 "\n", row->name,
            class_names_in_file[i], limits[0], limits[1], limits[2]);
    }
}

const struct config_kind config_kind_output_limits = { CLASSES * LIMITS, parse_limits,
    format_limits, write_limits };

/* ---- notify-keyspace-events: letters, each a bit of enum notify_class ---- */

/* In the order of the bits. */
static const char event_letters[] = "KEg$lshzxetmdn";
static const char events_of_a[] = "g$lshzxetd", events_one_by_one[] = "g$lshzxetdn";
static const char events_always[] = "KEm";

static int64_t event_bit(char letter)
{
    const char *at = strchr(event_letters, letter);
    return at && letter ? INT64_C(1) << (at - event_letters) : 0;
}

static int64_t event_bits(const char *letters)
{
    int64_t bits = 0;
    for (; *letters; letters++)
        bits |= event_bit(*letters);
    return bits;
}

static bool parse_events(const struct directive *row, const struct bytes *words, size_t count,
    struct config_value *value, struct error *error)
{
    if (!one_word(count, error))
        return false;
    value->numbers[0] = 0;
    for (size_t i = 0; i < words[0].len; i++) {
        char letter = words[0].data[i];
        int64_t bits = letter == 'A' ? event_bits(events_of_a) : event_bit(letter);
        if (!bits)
            return error_set(
                error, "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.");
        value->numbers[0] |= bits;
    }
    return true;
}

static void format_events(
    const struct directive *row, const struct config_value *value, struct buffer *out)
{
    int64_t all = event_bits(events_of_a), bits = value->numbers[0];
    const char *letters = events_one_by_one;
    if ((bits & all) == all)
        letters = "A"; /* Redis then leaves out n */
    for (; *letters; letters++) {
        if (*letters == 'A' || bits & event_bit(*letters))
            buffer_append_char(out, *letters);
    }
    for (letters = events_always; *letters; letters++) {
        if (bits & event_bit(*letters))
            buffer_append_char(out, *letters);
    }
}

const struct config_kind config_kind_events = { 1, parse_events, format_events, write_quoted };

/* ---- Texts ---- */

static bool parse_text(const struct directive *row, const struct bytes *words, size_t count,
    struct config_value *value, struct error *error)
{
    return one_word(count, error) && set_text(value, words[0], error) &&
           (!row->check || row->check(value->text, error));
}

static void format_text(
    const struct directive *row, const struct config_value *value, struct buffer *out)
{
    buffer_append_text(out, value->text);
}

const struct config_kind config_kind_text = { 0, parse_text, format_text, write_quoted };

/* The words with one space between. */
static bool join(
    struct config_value *value, const struct bytes *words, size_t count, struct error *error)
{
    struct buffer joined = { 0 };
    for (size_t i = 0; i < count; i++) {
        if (joined.len)
            buffer_append_char(&joined, ' ');
        buffer_append(&joined, words[i].data, words[i].len);
    }
    bool done = set_text(value, joined.data ? buffer_bytes(&joined) : BYTES(""), error);
    buffer_free(&joined);
    return done;
}

static bool parse_words(const struct directive *row, const struct bytes *words, size_t count,
    struct config_value *value, struct error *error)
{
    return join(value, words, count, error) && (!row->check || row->check(value->text, error));
}

const struct config_kind config_kind_words = { 0, parse_words, format_text, write_words };

/* ---- save: seconds and changes, in pairs ---- */

static bool parse_save(const struct directive *row, const struct bytes *words, size_t count,
    struct config_value *value, struct error *error)
{
    if (count == 1 && words[0].len == 0)
        count = 0;
    for (size_t i = 0; i < count; i++) {
        int64_t number;
        int64_t min = i % 2 == 0 ? 1 : 0; /* seconds; changes */
        if (!number_parse(words[i], &number) || number < min || number > INT32_MAX)
            return error_set(error, "Invalid save parameters");
    }
    if (count % 2 != 0)
        return error_set(error, "Invalid save parameters");
    return join(value, words, count, error);
}

const struct config_kind config_kind_save = { 0, parse_save, format_text, write_words };

/* ---- replicaof: host and port, or "no one" ---- */

static bool parse_replicaof(const struct directive *row, const struct bytes *words, size_t count,
    struct config_value *value, struct error *error)
{
    int64_t port;
    if (count != 2)
        return error_set(error, "wrong number of arguments");
    if (bytes_is(words[0], "no") && bytes_is(words[1], "one"))
        return set_text(value, BYTES(""), error);
    if (!number_parse(words[1], &port) || port < 1 || port > 65535)
        return error_set(error, "Invalid master port");
    return join(value, words, count, error);
}

static void write_replicaof(
    const struct directive *row, const struct config_value *value, struct buffer *out)
{
    if (value->text[0])
        write_words(row, value, out);
}

const struct config_kind config_kind_replicaof = { 0, parse_replicaof, format_text,
    write_replicaof };

/* ---- Any of them ---- */

bool directive_parse(const struct directive *row, const struct bytes *words, size_t count,
    struct config_value *value, struct error *error)
{
    if (!(row->flags & DIRECTIVE_WORDS) || count != 1 || words[0].len == 0)
        return row->kind->parse(row, words, count, value, error);
    struct bytes rest = words[0], word;
    struct bytes *split = memory_alloc((words[0].len / 2 + 1) * sizeof(*split));
    size_t found = 0;
    while (take_word(&rest, &word))
        split[found++] = word;
    bool done = row->kind->parse(row, split, found, value, error);
    free(split);
    return done;
}

void directive_default(const struct directive *row, struct config_value *value)
{
    *value = (struct config_value){ 0 };
    if (row->initial_number) {
        value->numbers[0] = row->initial_number();
        return;
    }
    struct bytes word = bytes_of(row->initial);
    if (!directive_parse(row, &word, 1, value, NULL))
        abort(); /* a row of the table contradicts itself */
}
