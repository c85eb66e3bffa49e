/* The window is what the source has given and nobody has consumed. A string that lies whole in it
 * is handed out as a view; one that does not is gathered in a buffer that grows with the bytes that
 * really come. The checksum runs over stretches of the window, not over single fields: `summed`
 * says up to where. */
#include "server/snapshot/rdb_read.h"

#include "common/memory.h"
#include "common/number.h"
#include "common/words.h"
#include "server/snapshot/crc64.h"
#include <endian.h>
#include <liblzf/lzf.h>
#include <stdlib.h>

enum {
    KEEP_MAX = 1024 * 1024, /* buffers that a large value has blown up above this are given back */
    LZF_RATIO_MAX = 88,     /* three bytes of LZF can stand for 264 */
    SHOWN_NAME_MAX = 64,    /* bytes of a key in an error */
};

void rdb_reader_init(struct rdb_reader *reader, const struct rdb_reader_options *options)
{
    *reader = (struct rdb_reader){ .options = *options };
    if (!options->source.read) {
        reader->window = reader->summed = options->memory.data;
        reader->window_len = options->memory.len;
        reader->options.size = options->memory.len;
    }
}

void rdb_reader_free(struct rdb_reader *reader)
{
    free(reader->ahead);
    buffer_free(&reader->name);
    buffer_free(&reader->value);
    buffer_free(&reader->packed);
}

uint64_t rdb_reader_offset(const struct rdb_reader *reader)
{
    return reader->offset;
}

struct bytes rdb_reader_rest(const struct rdb_reader *reader)
{
    return (struct bytes){ reader->window, reader->window_len };
}

/* Puts "at byte N: " before the sentence that is in error. */
static bool fail_at(uint64_t offset, struct error *error)
{
    return error_prefix(error, "at byte %llu", (unsigned long long)offset);
}

static uint64_t left(const struct rdb_reader *reader)
{
    uint64_t size = reader->options.size;
    if (size == RDB_SIZE_UNKNOWN)
        return UINT64_MAX;
    return size > reader->offset ? size - reader->offset : 0;
}

/* --- Getting bytes. --- */

/* Takes what was consumed of the window into the checksum. */
static void sum_up(struct rdb_reader *reader)
{
    if (reader->options.verify && reader->window != reader->summed)
        reader->crc = crc64(reader->crc, reader->summed, (size_t)(reader->window - reader->summed));
    reader->summed = reader->window;
}

/* At least one byte at `to`; false at the end of the source or when it fails. */
static bool fetch(struct rdb_reader *reader, void *to, size_t len, size_t *got, struct error *error)
{
    const struct rdb_source *source = &reader->options.source;
    ssize_t n = source->read ? source->read(source->context, to, len, error) : 0;
    if (n < 0)
        return fail_at(reader->offset, error);
    if (n == 0) {
        error_set(error, "the data end too early: there must be more, up to an end record");
        return fail_at(reader->offset, error);
    }
    *got = (size_t)n;
    return true;
}

static bool refill(struct rdb_reader *reader, struct error *error)
{
    sum_up(reader);
    if (!reader->ahead && reader->options.source.read)
        reader->ahead = memory_alloc(RDB_READ_AHEAD);
    if (!fetch(reader, reader->ahead, RDB_READ_AHEAD, &reader->window_len, error))
        return false;
    reader->window = reader->summed = reader->ahead;
    return true;
}

static void consume(struct rdb_reader *reader, size_t len)
{
    reader->window += len;
    reader->window_len -= len;
    reader->offset += len;
}

/* Copies len bytes, all of which the caller has room for. */
static bool take(struct rdb_reader *reader, void *to, size_t len, struct error *error)
{
    char *out = to;
    while (len > 0) {
        if (reader->window_len == 0 && !refill(reader, error))
            return false;
        size_t piece = len < reader->window_len ? len : reader->window_len;
        memcpy(out, reader->window, piece);
        consume(reader, piece);
        out += piece;
        len -= piece;
    }
    return true;
}

/* Gathers len bytes in `to`: first what the window has, then straight from the source, never asking
 * for more memory than as much again as has come, whatever size the source claims to have. */
static bool gather(struct rdb_reader *reader, uint64_t len, struct buffer *to, struct error *error)
{
    to->len = 0;
    while (to->len < len) {
        uint64_t missing = len - to->len;
        uint64_t step = to->len > RDB_READ_AHEAD ? to->len : RDB_READ_AHEAD;
        size_t piece = (size_t)(missing < step ? missing : step);
        buffer_reserve(to, piece);
        size_t got = piece < reader->window_len ? piece : reader->window_len;
        if (got > 0) {
            memcpy(to->data + to->len, reader->window, got);
            consume(reader, got);
        } else {
            sum_up(reader);
            if (!fetch(reader, to->data + to->len, piece, &got, error))
                return false;
            if (reader->options.verify)
                reader->crc = crc64(reader->crc, to->data + to->len, got);
            reader->offset += got;
        }
        to->len += got;
    }
    return true;
}

/* A view of the next len bytes: of the window, or of `room`. */
static bool view(struct rdb_reader *reader, uint64_t len, struct buffer *room, struct bytes *bytes,
    struct error *error)
{
    if (len > left(reader)) {
        error_set(error, "a string of %llu bytes where only %llu are left", (unsigned long long)len,
            (unsigned long long)left(reader));
        return fail_at(reader->offset, error);
    }
    if (len <= reader->window_len) {
        *bytes = (struct bytes){ len ? reader->window : "", (size_t)len };
        consume(reader, (size_t)len);
        return true;
    }
    if (room->capacity > KEEP_MAX)
        buffer_free(room);
    if (!gather(reader, len, room, error))
        return false;
    *bytes = buffer_bytes(room);
    return true;
}

/* --- Lengths and strings. --- */

bool rdb_read_byte(struct rdb_reader *reader, uint8_t *byte, struct error *error)
{
    return take(reader, byte, 1, error);
}

bool rdb_read_raw(struct rdb_reader *reader, void *to, size_t len, struct error *error)
{
    return take(reader, to, len, error);
}

/* A length, or (special) how the string that follows is kept. */
static bool read_length(
    struct rdb_reader *reader, bool *special, uint64_t *length, struct error *error)
{
    uint64_t start = reader->offset;
    uint8_t first, second;
    uint32_t big32;
    uint64_t big64;
    *length = 0;
    if (!take(reader, &first, 1, error))
        return false;
    *special = (first & 0xc0) == RDB_LENGTH_SPECIAL;
    if (*special || (first & 0xc0) == RDB_LENGTH_6) {
        *length = first & 0x3f;
        return true;
    }
    if ((first & 0xc0) == RDB_LENGTH_14) {
        if (!take(reader, &second, 1, error))
            return false;
        *length = (uint64_t)(first & 0x3f) << 8 | second;
        return true;
    }
    if (first == RDB_LENGTH_32) {
        if (!take(reader, &big32, sizeof(big32), error))
            return false;
        *length = be32toh(big32);
        return true;
    }
    if (first == RDB_LENGTH_64) {
        if (!take(reader, &big64, sizeof(big64), error))
            return false;
        *length = be64toh(big64);
        return true;
    }
    error_set(error, "0x%02x begins no length", first);
    return fail_at(start, error);
}

bool rdb_read_length(struct rdb_reader *reader, uint64_t *length, struct error *error)
{
    uint64_t start = reader->offset;
    bool special = false;
    if (!read_length(reader, &special, length, error))
        return false;
    if (!special)
        return true;
    error_set(error, "the encoding of a string where a length must stand");
    return fail_at(start, error);
}

static bool read_integer(
    struct rdb_reader *reader, uint64_t encoding, struct bytes *value, struct error *error)
{
    uint8_t raw[4] = { 0 };
    size_t len = (size_t)1 << encoding;
    if (!take(reader, raw, len, error))
        return false;
    uint32_t bits =
        (uint32_t)raw[0] | (uint32_t)raw[1] << 8 | (uint32_t)raw[2] << 16 | (uint32_t)raw[3] << 24;
    int32_t number = encoding == RDB_SPECIAL_INT8    ? (int8_t)bits
                     : encoding == RDB_SPECIAL_INT16 ? (int16_t)bits
                                                     : (int32_t)bits;
    reader->value.len = 0;
    buffer_reserve(&reader->value, NUMBER_TEXT_MAX);
    reader->value.len = number_format(reader->value.data, number);
    *value = buffer_bytes(&reader->value);
    return true;
}

static bool read_compressed(struct rdb_reader *reader, struct bytes *value, struct error *error)
{
    uint64_t start = reader->offset, packed_len, len;
    struct bytes packed;
    if (!rdb_read_length(reader, &packed_len, error) || !rdb_read_length(reader, &len, error))
        return false;
    if (packed_len == 0 || len == 0 || len > UINT32_MAX || packed_len > UINT32_MAX ||
        len > packed_len * LZF_RATIO_MAX) {
        error_set(error, "%llu bytes of LZF cannot stand for %llu", (unsigned long long)packed_len,
            (unsigned long long)len);
        return fail_at(start, error);
    }
    if (!view(reader, packed_len, &reader->packed, &packed, error))
        return false;
    if (reader->value.capacity > KEEP_MAX)
        buffer_free(&reader->value);
    reader->value.len = 0;
    buffer_reserve(&reader->value, (size_t)len);
    if (lzf_decompress(packed.data, (unsigned)packed.len, reader->value.data, (unsigned)len) !=
        len) {
        error_set(error, "damaged LZF data");
        return fail_at(start, error);
    }
    reader->value.len = (size_t)len;
    *value = buffer_bytes(&reader->value);
    return true;
}

bool rdb_read_string(struct rdb_reader *reader, struct bytes *value, struct error *error)
{
    uint64_t start = reader->offset, length;
    bool special;
    if (!read_length(reader, &special, &length, error))
        return false;
    if (!special)
        return view(reader, length, &reader->value, value, error);
    if (length <= RDB_SPECIAL_INT32)
        return read_integer(reader, length, value, error);
    if (length == RDB_SPECIAL_LZF)
        return read_compressed(reader, value, error);
    error_set(error, "%llu is no encoding of a string", (unsigned long long)length);
    return fail_at(start, error);
}

/* --- Records. --- */

bool rdb_read_header(struct rdb_reader *reader, struct error *error)
{
    char header[RDB_HEADER_LEN];
    uint64_t version;
    struct bytes digits = { header + RDB_MAGIC_LEN, RDB_HEADER_LEN - RDB_MAGIC_LEN };
    if (!take(reader, header, sizeof(header), error))
        return false;
    if (memcmp(header, "REDIS", RDB_MAGIC_LEN) != 0)
        return error_set(error, "no RDB file: it must begin with REDIS and a version");
    while (digits.len > 1 && digits.data[0] == '0')
        digits = (struct bytes){ digits.data + 1, digits.len - 1 };
    if (!number_parse_unsigned(digits, &version) || version == 0)
        return error_set(error, "no RDB file: REDIS must be followed by four digits of version");
    if (version > RDB_VERSION_READ_MAX)
        return error_set(error, "an RDB file of version %d; versions 1 to %d can be read",
            (int)version, RDB_VERSION_READ_MAX);
    reader->version = (int)version;
    if (version < RDB_VERSION_CHECKSUM)
        reader->options.verify = false;
    return true;
}

/* A string that stays good while others are read. */
static bool read_name(struct rdb_reader *reader, struct bytes *name, struct error *error)
{
    struct bytes value;
    if (!rdb_read_string(reader, &value, error))
        return false;
    if (reader->name.capacity > KEEP_MAX)
        buffer_free(&reader->name);
    reader->name.len = 0;
    buffer_reserve(&reader->name, 1);
    buffer_append(&reader->name, value.data, value.len);
    *name = buffer_bytes(&reader->name);
    return true;
}

static bool read_key_name(struct rdb_reader *reader, struct bytes *name, struct error *error)
{
    uint64_t start = reader->offset;
    if (!read_name(reader, name, error))
        return false;
    if (name->len <= RDB_KEY_MAX)
        return true;
    error_set(error, "a key of %zu bytes, where at most 512 MB can be", name->len);
    return fail_at(start, error);
}

static bool read_end(struct rdb_reader *reader, struct error *error)
{
    uint64_t start = reader->offset, stored;
    if (reader->version < RDB_VERSION_CHECKSUM)
        return true;
    sum_up(reader);
    uint64_t computed = reader->crc;
    if (!take(reader, &stored, sizeof(stored), error))
        return false;
    stored = le64toh(stored);
    if (!reader->options.verify || stored == 0 || stored == computed)
        return true;
    error_set(error, "the checksum is %016llx, that of the data %016llx: the data are damaged",
        (unsigned long long)stored, (unsigned long long)computed);
    return fail_at(start, error);
}

static bool read_aux(struct rdb_reader *reader, struct rdb_record *record, struct error *error)
{
    return read_name(reader, &record->name, error) &&
           rdb_read_string(reader, &record->value, error);
}

static bool read_database(struct rdb_reader *reader, struct rdb_record *record, struct error *error)
{
    return rdb_read_length(reader, &record->database, error);
}

static bool read_sizes(struct rdb_reader *reader, struct rdb_record *record, struct error *error)
{
    return rdb_read_length(reader, &record->keys, error) &&
           rdb_read_length(reader, &record->expires, error);
}

static bool read_slot_info(
    struct rdb_reader *reader, struct rdb_record *record, struct error *error)
{
    uint64_t slot;
    return rdb_read_length(reader, &slot, error) && read_sizes(reader, record, error);
}

static bool read_end_record(
    struct rdb_reader *reader, struct rdb_record *record, struct error *error)
{
    return read_end(reader, error);
}

static bool read_function(
    struct rdb_reader *reader, struct rdb_record *record, struct error *error)
{
    return rdb_read_string(reader, &record->value, error);
}

static bool refuse_function(
    struct rdb_reader *reader, struct rdb_record *record, struct error *error)
{
    error_set(error, "a function library in the form of a release candidate of Redis 7.0");
    return fail_at(reader->offset - 1, error);
}

/* A module's ID has its name in it: nine characters of six bits, then ten bits of version. */
static bool refuse_module(struct rdb_reader *reader, struct rdb_record *record, struct error *error)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint64_t start = reader->offset - 1, id;
    char name[10] = "";
    if (!rdb_read_length(reader, &id, error))
        return false;
    for (int i = 0; i < 9; i++)
        name[i] = letters[id >> (58 - 6 * i) & 63];
    error_set(error, "data of the module %s, which this server does not have", name);
    return fail_at(start, error);
}

/* --- What stands before a key: kept in record->key until its type byte comes. --- */

static bool read_idle(struct rdb_reader *reader, struct rdb_record *record, struct error *error)
{
    uint64_t start = reader->offset, seconds;
    if (!rdb_read_length(reader, &seconds, error))
        return false;
    if (seconds > INT64_MAX) {
        error_set(error, "%llu is no idle time in seconds", (unsigned long long)seconds);
        return fail_at(start, error);
    }
    record->key.idle = (int64_t)seconds;
    return true;
}

static bool read_freq(struct rdb_reader *reader, struct rdb_record *record, struct error *error)
{
    uint8_t freq;
    if (!take(reader, &freq, sizeof(freq), error))
        return false;
    record->key.freq = freq;
    return true;
}

static bool read_expiry_ms(
    struct rdb_reader *reader, struct rdb_record *record, struct error *error)
{
    uint64_t little;
    if (!take(reader, &little, sizeof(little), error))
        return false;
    record->key.expiry = (int64_t)le64toh(little);
    return true;
}

static bool read_expiry_s(struct rdb_reader *reader, struct rdb_record *record, struct error *error)
{
    uint32_t little;
    if (!take(reader, &little, sizeof(little), error))
        return false;
    record->key.expiry = (int64_t)(int32_t)le32toh(little) * 1000;
    return true;
}

/* What an opcode does: goes before a key, is skipped (or refused), or is a record of its own. */
enum opcode_role { ROLE_BEFORE_KEY, ROLE_SKIPPED, ROLE_RECORD };

struct opcode {
    enum opcode_role role;
    enum rdb_record_kind kind; /* of ROLE_RECORD */
    bool (*read)(struct rdb_reader *reader, struct rdb_record *record, struct error *error);
};

enum { FIRST_OPCODE = RDB_OPCODE_SLOT_INFO };

static const struct opcode opcodes[256 - FIRST_OPCODE] = {
    [RDB_OPCODE_SLOT_INFO - FIRST_OPCODE] = { ROLE_SKIPPED, .read = read_slot_info },
    [RDB_OPCODE_FUNCTION - FIRST_OPCODE] = { ROLE_RECORD, RDB_RECORD_FUNCTION, read_function },
    [RDB_OPCODE_OLD_FUNCTION - FIRST_OPCODE] = { ROLE_SKIPPED, .read = refuse_function },
    [RDB_OPCODE_MODULE_AUX - FIRST_OPCODE] = { ROLE_SKIPPED, .read = refuse_module },
    [RDB_OPCODE_IDLE - FIRST_OPCODE] = { ROLE_BEFORE_KEY, .read = read_idle },
    [RDB_OPCODE_FREQ - FIRST_OPCODE] = { ROLE_BEFORE_KEY, .read = read_freq },
    [RDB_OPCODE_AUX - FIRST_OPCODE] = { ROLE_RECORD, RDB_RECORD_AUX, read_aux },
    [RDB_OPCODE_SIZES - FIRST_OPCODE] = { ROLE_RECORD, RDB_RECORD_SIZES, read_sizes },
    [RDB_OPCODE_EXPIRY_MS - FIRST_OPCODE] = { ROLE_BEFORE_KEY, .read = read_expiry_ms },
    [RDB_OPCODE_EXPIRY_S - FIRST_OPCODE] = { ROLE_BEFORE_KEY, .read = read_expiry_s },
    [RDB_OPCODE_DATABASE - FIRST_OPCODE] = { ROLE_RECORD, RDB_RECORD_DATABASE, read_database },
    [RDB_OPCODE_END - FIRST_OPCODE] = { ROLE_RECORD, RDB_RECORD_END, read_end_record },
};

bool rdb_read_record(struct rdb_reader *reader, struct rdb_record *record, struct error *error)
{
    *record = (struct rdb_record){
        .key = { .expiry = RDB_NO_EXPIRY, .idle = RDB_NO_IDLE, .freq = RDB_NO_FREQ },
    };
    bool before_key = false;
    for (;;) {
        uint8_t byte;
        if (!take(reader, &byte, 1, error))
            return false;
        if (byte <= RDB_TYPE_MAX) {
            record->kind = RDB_RECORD_KEY;
            record->key.type = byte;
            return read_key_name(reader, &record->key.name, error);
        }
        const struct opcode *opcode = &opcodes[byte - FIRST_OPCODE];
        if (before_key && opcode->role != ROLE_BEFORE_KEY) {
            error_set(error, "record %d between what belongs to a key and the key", byte);
            return fail_at(reader->offset - 1, error);
        }
        if (!opcode->read(reader, record, error))
            return false;
        if (opcode->role == ROLE_RECORD) {
            record->kind = opcode->kind;
            return true;
        }
        before_key = opcode->role == ROLE_BEFORE_KEY;
    }
}

bool rdb_refuse_type(
    const struct rdb_reader *reader, const struct rdb_key *key, struct error *error)
{
    bool cut = key->name.len > SHOWN_NAME_MAX;
    struct buffer shown = { 0 };
    words_quote(&shown, (struct bytes){ key->name.data, cut ? SHOWN_NAME_MAX : key->name.len });
    error_set(error, "key %.*s%s has type %d (%s), which this server does not hold yet",
        (int)shown.len, shown.data, cut ? "..." : "", key->type, rdb_type_name(key->type));
    buffer_free(&shown);
    return fail_at(reader->offset, error);
}
