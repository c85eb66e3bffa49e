/* Lines of time in the increments (aof-timestamp-enabled): "#TS:1700000000" says that what follows
 * was written from that second on. They are in the file and not in the journal, so each moves the
 * place of all that follows it: the writer's shift becomes smaller by its length. Where the writer
 * steps back behind one, to write bytes once more, the line is taken back with them; so those from
 * the keeper on are remembered. */
#include "server/journal/aof_state.h"
#include <errno.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

void aof_notes_forget(struct aof_writer *writer)
{
    writer->note_count = 0;
    writer->noted_second = 0;
}

void aof_notes_settle(struct aof_writer *writer, int64_t offset)
{
    size_t settled = 0;
    while (settled < writer->note_count && writer->notes[settled].offset < offset)
        settled++;
    writer->note_count -= settled;
    memmove(writer->notes, writer->notes + settled, writer->note_count * sizeof(writer->notes[0]));
}

bool aof_notes_take_back(struct aof_writer *writer, int64_t offset)
{
    bool any = false;
    while (writer->note_count > 0 && writer->notes[writer->note_count - 1].offset >= offset) {
        writer->shift += writer->notes[--writer->note_count].len;
        any = true;
    }
    if (any)
        writer->noted_second = 0;
    return any;
}

/* Lets the keeper go past the oldest half: many notes are many seconds without an fsync. */
static void make_room(struct aof_writer *writer)
{
    int64_t kept = journal_reader_offset(writer->keeper);
    int64_t until = writer->notes[AOF_NOTES_MAX / 2].offset;
    if (until > kept)
        journal_reader_advance(writer->keeper, (size_t)(until - kept));
    aof_notes_settle(writer, until);
}

bool aof_notes_write(struct aof *aof)
{
    struct aof_writer *writer = &aof->writer;
    int64_t offset = journal_reader_offset(writer->reader), now = (int64_t)time(NULL);
    if (!atomic_load(&aof->timestamps) || offset != writer->boundary || now <= writer->noted_second)
        return true;
    if (writer->note_count == AOF_NOTES_MAX)
        make_room(writer);
    char line[32];
    int len = snprintf(line, sizeof(line), "#TS:%lld\r\n", (long long)now);
    int64_t place = offset - writer->shift;
    ssize_t written = pwrite(writer->fd, line, (size_t)len, place);
    if (written != len) {
        int failure = written < 0 ? errno : ENOSPC;
        if (written > 0 && ftruncate(writer->fd, place) != 0)
            atomic_fetch_add(&aof->doubts, 1); /* what comes next is longer, and covers it */
        errno = failure;
        return false;
    }
    writer->notes[writer->note_count++] = (struct aof_note){ offset, len };
    writer->shift -= len;
    writer->noted_second = now;
    return true;
}
