/* The folder of a test has a name that both the test's process and the runner (its parent) can
 * tell: the runner's process ID, the suite, the test. So the runner can remove it when the test is
 * over, whether it ended well, failed, crashed or hung; and print the logs in it first. The servers
 * of a dead test are dead by then, or dying: the kernel kills them with their parent (see node.c).
 */
#include "tests/support/scratch.h"
#include "tests/support/file.h"
#include <criterion/criterion.h>
#include <criterion/hooks.h>
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE = 512, LOG_TAIL = 6000 };

/* The texts of the process, as a list; guarded by texts_lock. */
struct text {
    struct text *next;
    char bytes[];
};
static struct text *texts;
static pthread_mutex_t texts_lock = PTHREAD_MUTEX_INITIALIZER;

static char *text_new(size_t len)
{
    struct text *text = malloc(sizeof(*text) + len + 1);
    if (text == NULL)
        abort();
    text->bytes[len] = 0;
    pthread_mutex_lock(&texts_lock);
    text->next = texts;
    texts = text;
    pthread_mutex_unlock(&texts_lock);
    return text->bytes;
}

char *scratch_copy(const void *data, size_t len)
{
    char *copy = text_new(len);
    memcpy(copy, data, len);
    return copy;
}

char *scratch_vprintf(const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, again);
    va_end(again);
    char *text = text_new((size_t)len);
    vsnprintf(text, (size_t)len + 1, format, args);
    return text;
}

char *scratch_printf(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = scratch_vprintf(format, args);
    va_end(args);
    return text;
}

static void folder_name(char *path, pid_t runner, const struct criterion_test *test)
{
    const char *base = getenv("TMPDIR");
    snprintf(path, PATH_SIZE, "%s/slotd-test.%d.%s.%s", base != NULL ? base : "/tmp", (int)runner,
        test->category, test->name);
}

const char *scratch_folder(void)
{
    static char path[PATH_SIZE];
    if (path[0] == 0) {
        folder_name(path, getppid(), criterion_current_test);
        folder_remove(path);
        folder_make(path);
    }
    return path;
}

static void print_tail(const char *path)
{
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return;
    static char tail[LOG_TAIL + 1];
    if (fseek(file, 0, SEEK_END) == 0 && ftell(file) > LOG_TAIL)
        fseek(file, -LOG_TAIL, SEEK_END);
    else
        rewind(file);
    tail[fread(tail, 1, LOG_TAIL, file)] = 0;
    fclose(file);
    if (tail[0] != 0)
        fprintf(stderr, "---- the end of %s\n%s\n", path, tail);
}

/* The logs and the sanitizers' reports of all nodes: FOLDER/PORT/log, FOLDER/PORT/sanitizer.PID. */
static void print_logs(const char *folder)
{
    DIR *open = opendir(folder);
    struct dirent *entry;
    while (open != NULL && (entry = readdir(open)) != NULL) {
        char path[PATH_SIZE + 300];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        struct stat status;
        if (lstat(path, &status) != 0)
            continue;
        if (S_ISDIR(status.st_mode))
            print_logs(path);
        else if (strcmp(entry->d_name, "log") == 0 || strstr(entry->d_name, "sanitizer.") != NULL)
            print_tail(path);
    }
    if (open != NULL)
        closedir(open);
}

static void test_over(const struct criterion_test_stats *stats, bool bad)
{
    char path[PATH_SIZE];
    folder_name(path, getpid(), stats->test);
    if (!file_exists(path))
        return;
    if (bad)
        print_logs(path);
    if (!bad || getenv("KEEP_SCRATCH") == NULL)
        folder_remove(path);
}

ReportHook(POST_TEST)(struct criterion_test_stats *stats)
{
    if (stats->test_status == CR_STATUS_SKIPPED)
        fprintf(stderr, "[SKIP] %s::%s: %s\n", stats->test->category, stats->test->name,
            stats->message != NULL ? stats->message : "no reason given");
}

ReportHook(POST_FINI)(struct criterion_test_stats *stats)
{
    test_over(stats, stats->test_status == CR_STATUS_FAILED);
}

ReportHook(TEST_CRASH)(struct criterion_test_stats *stats)
{
    test_over(stats, true);
}
