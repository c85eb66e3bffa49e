/* A manifest is a short list of files in the order base, history, increments. Reading is strict: a
 * manifest that is not understood wholly must not decide which data is loaded, and which deleted.
 */
#include "server/journal/aof_manifest.h"
#include "common/memory.h"
#include "common/number.h"
#include "common/words.h"
#include <stdio.h>
#include <stdlib.h>

bool aof_name_is_plain(struct bytes name)
{
    return name.len > 0 && name.len <= AOF_NAME_MAX && !bytes_is(name, ".") &&
           !bytes_is(name, "..") && memchr(name.data, '/', name.len) == NULL &&
           memchr(name.data, '\0', name.len) == NULL;
}

void aof_manifest_free(struct aof_manifest *manifest)
{
    free(manifest->files);
    *manifest = (struct aof_manifest){ 0 };
}

void aof_manifest_copy(struct aof_manifest *to, const struct aof_manifest *from)
{
    *to = (struct aof_manifest){ 0 };
    if (from->count > 0) {
        to->files = memory_copy(from->files, from->count * sizeof *from->files);
        to->count = to->capacity = from->count;
    }
}

static int rank(enum aof_file_type type)
{
    return type == AOF_BASE ? 0 : type == AOF_HISTORY ? 1 : 2;
}

/* Puts it behind the files of its type. */
static struct aof_file *insert(struct aof_manifest *manifest, const struct aof_file *file)
{
    if (manifest->count == manifest->capacity) {
        manifest->capacity = manifest->capacity == 0 ? 4 : manifest->capacity * 2;
        manifest->files =
            memory_resize(manifest->files, manifest->capacity * sizeof *manifest->files);
    }
    size_t at = 0;
    while (at < manifest->count && rank(manifest->files[at].type) <= rank(file->type)) {
        at++;
    }
    memmove(manifest->files + at + 1, manifest->files + at,
        (manifest->count - at) * sizeof *manifest->files);
    manifest->files[at] = *file;
    manifest->count++;
    return &manifest->files[at];
}

/* One "key value" pair of a line into the file. */
static bool parse_field(
    struct bytes key, struct bytes value, struct aof_file *file, struct error *error)
{
    if (bytes_equal(key, BYTES("file"))) {
        if (!aof_name_is_plain(value)) {
            return error_set(error, "the file's name must be a plain one, without a path");
        }
        memcpy(file->name, value.data, value.len);
        file->name[value.len] = '\0';
        return true;
    }
    if (bytes_equal(key, BYTES("seq"))) {
        if (!number_parse(value, &file->seq) || file->seq < 1 || file->seq > AOF_SEQ_MAX) {
            return error_set(
                error, "seq must be a whole number from 1 to %lld", (long long)AOF_SEQ_MAX);
        }
        return true;
    }
    if (bytes_equal(key, BYTES("type"))) {
        if (value.len != 1 || strchr("bhi", value.data[0]) == NULL) {
            return error_set(error, "type must be b, h or i");
        }
        file->type = (enum aof_file_type)value.data[0];
        return true;
    }
    return true; /* a field that a later version added */
}

static bool parse_file(const struct words *words, struct aof_file *file, struct error *error)
{
    *file = (struct aof_file){ 0 };
    if (words->count < 6 || words->count % 2 != 0) {
        return error_set(error, "expected: file NAME seq NUMBER type b|h|i");
    }
    for (size_t i = 0; i < words->count; i += 2) {
        if (!parse_field(words->items[i], words->items[i + 1], file, error)) {
            return false;
        }
    }
    if (file->name[0] == '\0' || file->seq == 0 || file->type == 0) {
        return error_set(error, "file, seq and type must all be there");
    }
    return true;
}

/* What the line may not be, given those before it. */
static bool check_order(
    const struct aof_manifest *manifest, const struct aof_file *file, struct error *error)
{
    for (size_t i = 0; i < manifest->count; i++) {
        const struct aof_file *other = &manifest->files[i];
        if (strcmp(other->name, file->name) == 0) {
            return error_set(error, "the file is named twice");
        }
        if (file->type == AOF_BASE && other->type == AOF_BASE) {
            return error_set(error, "there is a base file already");
        }
        if (file->type == AOF_INCREMENT && other->type == AOF_INCREMENT &&
            other->seq >= file->seq) {
            return error_set(error, "the seq of increments must rise");
        }
    }
    return true;
}

static bool parse_line(struct bytes line, struct aof_manifest *manifest, struct error *error)
{
    struct words words = { 0 };
    struct aof_file file;
    if (line.len > AOF_MANIFEST_LINE_MAX) {
        return error_set(error, "longer than %d bytes", AOF_MANIFEST_LINE_MAX);
    }
    if (memchr(line.data, '\0', line.len) != NULL) {
        return error_set(error, "contains a zero byte");
    }
    if (!words_split(line, &words)) {
        return error_set(error, "a quote is not closed");
    }
    bool good = parse_file(&words, &file, error) && check_order(manifest, &file, error);
    if (good) {
        insert(manifest, &file);
    }
    words_free(&words);
    return good;
}

bool aof_manifest_parse(struct bytes text, struct aof_manifest *manifest, struct error *error)
{
    *manifest = (struct aof_manifest){ 0 };
    if (text.len > AOF_MANIFEST_MAX) {
        return error_set(error, "longer than %d bytes", AOF_MANIFEST_MAX);
    }
    for (int number = 1; text.len > 0; number++) {
        const char *end = memchr(text.data, '\n', text.len);
        struct bytes line = { text.data, end == NULL ? text.len : (size_t)(end - text.data) };
        size_t skip = line.len + (end != NULL);
        if (end == NULL) {
            error_set(error, "the line has no end; the file was cut off");
        }
        if (end == NULL || (line.data[0] != '#' && !parse_line(line, manifest, error))) {
            aof_manifest_free(manifest);
            return error_prefix(error, "line %d", number);
        }
        text.data += skip;
        text.len -= skip;
    }
    if (manifest->count == 0) {
        return error_set(error, "it names no file");
    }
    return true;
}

void aof_manifest_write(const struct aof_manifest *manifest, struct buffer *out)
{
    for (size_t i = 0; i < manifest->count; i++) {
        const struct aof_file *file = &manifest->files[i];
        buffer_append_text(out, "file ");
        words_quote(out, bytes_of(file->name));
        buffer_printf(out, " seq %lld type %c\n", (long long)file->seq, (char)file->type);
    }
}

const struct aof_file *aof_manifest_base(const struct aof_manifest *manifest)
{
    return manifest->count > 0 && manifest->files[0].type == AOF_BASE ? &manifest->files[0] : NULL;
}

const struct aof_file *aof_manifest_last_increment(const struct aof_manifest *manifest)
{
    size_t count = manifest->count;
    return count > 0 && manifest->files[count - 1].type == AOF_INCREMENT
               ? &manifest->files[count - 1]
               : NULL;
}

/* The highest seq of the type, of those that have become history too where they are bases or
 * increments by their name: a number is never used twice while its file may be there. */
static int64_t next_seq(const struct aof_manifest *manifest, enum aof_file_type type)
{
    int64_t highest = 0;
    for (size_t i = 0; i < manifest->count; i++) {
        const struct aof_file *file = &manifest->files[i];
        if ((file->type == type || file->type == AOF_HISTORY) && file->seq > highest) {
            highest = file->seq;
        }
    }
    return highest + 1;
}

static bool has_name(const struct aof_manifest *manifest, const char *name)
{
    for (size_t i = 0; i < manifest->count; i++) {
        if (strcmp(manifest->files[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* Gives it the next seq and a name that no other file has, whatever numbers others were given. */
static void name_file(const struct aof_manifest *manifest, struct aof_file *file,
    const char *prefix, const char *suffix)
{
    file->seq = next_seq(manifest, file->type);
    do {
        snprintf(file->name, sizeof file->name, "%s.%lld.%s", prefix, (long long)file->seq, suffix);
    } while (has_name(manifest, file->name) && file->seq++ < AOF_SEQ_MAX);
}

/* Takes the file out and puts it back as history. */
static void retire(struct aof_manifest *manifest, size_t index)
{
    struct aof_file file = manifest->files[index];
    manifest->count--;
    memmove(manifest->files + index, manifest->files + index + 1,
        (manifest->count - index) * sizeof *manifest->files);
    file.type = AOF_HISTORY;
    insert(manifest, &file);
}

const struct aof_file *aof_manifest_add_base(
    struct aof_manifest *manifest, const char *prefix, bool rdb)
{
    struct aof_file file = { .type = AOF_BASE };
    name_file(manifest, &file, prefix, rdb ? "base.rdb" : "base.aof");
    if (aof_manifest_base(manifest) != NULL) {
        retire(manifest, 0);
    }
    return insert(manifest, &file);
}

const struct aof_file *aof_manifest_add_increment(struct aof_manifest *manifest, const char *prefix)
{
    struct aof_file file = { .type = AOF_INCREMENT };
    name_file(manifest, &file, prefix, "incr.aof");
    return insert(manifest, &file);
}

void aof_manifest_add_old_base(struct aof_manifest *manifest, const char *name)
{
    struct aof_file file = { .seq = 1, .type = AOF_BASE };
    snprintf(file.name, sizeof file.name, "%s", name);
    insert(manifest, &file);
}

void aof_manifest_retire_increments(struct aof_manifest *manifest, int64_t seq)
{
    for (size_t i = 0; i < manifest->count;) {
        if (manifest->files[i].type == AOF_INCREMENT && manifest->files[i].seq < seq) {
            retire(manifest, i);
            i = 0;
        } else {
            i++;
        }
    }
}

void aof_manifest_drop_history(struct aof_manifest *manifest)
{
    size_t kept = 0;
    for (size_t i = 0; i < manifest->count; i++) {
        if (manifest->files[i].type != AOF_HISTORY) {
            manifest->files[kept++] = manifest->files[i];
        }
    }
    manifest->count = kept;
}
