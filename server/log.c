/* A line is put together on the stack and leaves in one write(2), so lines of several threads never
 * mix and no lock is needed. The logfile keeps the number of its descriptor for life: another file
 * is put under that number with dup3, which writers do not notice. So a logfile that was renamed or
 * removed (logrotate) can be opened anew at any time: whoever logs looks at most once a second
 * whether the path still leads to it. */
#include "server/log.h"

#include "common/memory.h"
#include "server/clock.h"
#include "server/log_system.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 1200, LOOK_EVERY_MS = 1000 };

static atomic_int output = STDOUT_FILENO; /* where lines go */
static atomic_int level_shown = LOG_NOTICE;
static atomic_char role = 'M';
static _Atomic int64_t looked_ms; /* when the path was last compared with what is open */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* guards these two */
static char *file_path;                                   /* absolute; NULL: standard output */
static int file_descriptor = -1;                          /* once opened, its number stays */

/* Puts the file at path under the logfile's descriptor. */
static bool open_under(const char *path)
{
    int opened = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (opened < 0)
        return false;
    if (file_descriptor < 0) {
        file_descriptor = opened;
        return true;
    }
    bool done = dup3(opened, file_descriptor, O_CLOEXEC) >= 0;
    close(opened);
    return done;
}

/* The path from the root, since the process may change its directory. The caller frees it. */
static char *absolute(const char *path)
{
    char *dir = path[0] == '/' ? NULL : getcwd(NULL, 0);
    if (dir == NULL)
        return memory_copy_text(path);
    size_t size = strlen(dir) + strlen(path) + 2;
    char *full = memory_alloc(size);
    snprintf(full, size, "%s/%s", dir, path);
    free(dir);
    return full;
}

bool log_open(const char *path, struct error *error)
{
    pthread_mutex_lock(&mutex);
    bool done = true;
    if (path[0] == '\0') {
        free(file_path);
        file_path = NULL;
        atomic_store(&output, STDOUT_FILENO);
    } else {
        char *full = absolute(path);
        done = open_under(full);
        if (done) {
            free(file_path);
            file_path = full;
            atomic_store(&output, file_descriptor);
        } else {
            error_set(error, "Can't open the log file '%s': %s", full, strerror(errno));
            free(full);
        }
    }
    pthread_mutex_unlock(&mutex);
    return done;
}

/* The file is no longer where the path leads: open what is there now. A failure is tried again a
 * second later; until then lines go where they went. */
static void follow_rotation(void)
{
    int64_t now = clock_monotonic_ms(), before = atomic_load(&looked_ms);
    if (now - before < LOOK_EVERY_MS || !atomic_compare_exchange_strong(&looked_ms, &before, now))
        return;
    pthread_mutex_lock(&mutex);
    struct stat there, open_one;
    if (file_path != NULL && fstat(file_descriptor, &open_one) == 0 &&
        (stat(file_path, &there) != 0 || there.st_ino != open_one.st_ino ||
            there.st_dev != open_one.st_dev))
        open_under(file_path);
    pthread_mutex_unlock(&mutex);
}

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&level_shown, (int)level, memory_order_relaxed);
}

void log_set_role(char new_role)
{
    atomic_store_explicit(&role, new_role, memory_order_relaxed);
}

/* A disk that takes no line is no reason to stop, and there is nobody to tell. */
static void write_all(int descriptor, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t written = write(descriptor, data, len);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return;
        data += written;
        len -= (size_t)written;
    }
}

void log_write(enum log_level level, const char *format, ...)
{
    static const char marks[] = ".-*#";
    if ((int)level < atomic_load_explicit(&level_shown, memory_order_relaxed))
        return;
    int saved = errno;
    if (atomic_load(&output) != STDOUT_FILENO)
        follow_rotation();

    char line[LINE_MAX_BYTES];
    int64_t now = clock_unix_ms();
    time_t seconds = (time_t)(now / 1000);
    struct tm parts;
    localtime_r(&seconds, &parts);
    char date[32];
    strftime(date, sizeof(date), "%d %b %Y %H:%M:%S", &parts);
    int head = snprintf(line, sizeof(line), "%d:%c %s.%03d %c ", (int)getpid(),
        atomic_load_explicit(&role, memory_order_relaxed), date, (int)(now % 1000), marks[level]);

    va_list args;
    va_start(args, format);
    int body = vsnprintf(line + head, sizeof(line) - (size_t)head - 1, format, args);
    va_end(args);
    size_t len = strnlen(line, sizeof(line) - 1);
    if (body < 0)
        len = (size_t)head;
    for (size_t i = (size_t)head; i < len; i++) {
        if (line[i] == '\n' || line[i] == '\r')
            line[i] = ' ';
    }
    line[len] = '\n';
    write_all(atomic_load(&output), line, len + 1);
    line[len] = '\0';
    log_system_write((int)level, line + head);
    errno = saved;
}

int log_descriptor(void)
{
    return atomic_load(&output);
}

void log_from_signal(const char *text)
{
    int saved = errno;
    int descriptor = atomic_load(&output);
    write_all(descriptor, text, strlen(text));
    write_all(descriptor, "\n", 1);
    errno = saved;
}
