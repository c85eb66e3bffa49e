#include "server/log.h"

#include "tests/support/file.h"
#include "tests/support/scratch.h"
#include "tests/support/wait.h"
#include <criterion/criterion.h>
#include <pthread.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *open_log(const char *name)
{
    struct error error = { "" };
    const char *path = scratch_printf("%s/%s", scratch_folder(), name);
    cr_assert(log_open(path, &error), "%s", error.text);
    return path;
}

static bool matches(const char *text, const char *pattern)
{
    regex_t regex;
    cr_assert_eq(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
    bool found = regexec(&regex, text, 0, NULL, 0) == 0;
    regfree(&regex);
    return found;
}

Test(log, lines_have_the_form_of_redis)
{
    const char *path = open_log("log");
    log_set_level(LOG_VERBOSE);
    log_write(LOG_DEBUG, "not shown");
    log_write(LOG_VERBOSE, "one %d", 1);
    log_set_role('S');
    log_write(LOG_WARNING, "two\nlines\r\n");
    log_from_signal("from a signal");
    const char *head = scratch_printf(
        "^%d:M [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3} "
        "- one 1\n%d:S .* # two lines  \nfrom a signal\n$",
        (int)getpid(), (int)getpid());
    const char *text = file_read(path, NULL);
    cr_assert(matches(text, head), "%s", text);
}

Test(log, a_long_line_is_cut)
{
    const char *path = open_log("log");
    log_write(LOG_WARNING, "%s", scratch_printf("%05000d", 1));
    size_t len;
    const char *text = file_read(path, &len);
    cr_assert(len > 1000 && len < 1300 && text[len - 1] == '\n', "%zu bytes", len);
    cr_assert(strchr(text, '\n') == text + len - 1);
}

Test(log, what_cannot_be_opened_is_told_and_the_old_log_stays)
{
    const char *path = open_log("log");
    struct error error;
    cr_assert_not(log_open("/nonexistent/log", &error));
    cr_assert(strstr(error.text, "/nonexistent/log"));
    log_write(LOG_WARNING, "still here");
    cr_assert(strstr(file_read(path, NULL), "still here"));
}

static bool is_made_anew(const char *path)
{
    log_write(LOG_WARNING, "after");
    return file_exists(path);
}

Test(log, a_log_that_was_renamed_is_begun_anew)
{
    const char *path = open_log("log"), *old = scratch_printf("%s.1", path);
    log_write(LOG_WARNING, "before");
    cr_assert_eq(rename(path, old), 0);
    wait_until(5000, is_made_anew(path));
    cr_assert(strstr(file_read(old, NULL), "before"));
    cr_assert(strstr(file_read(path, NULL), "after"));
}

enum { THREADS = 4, LINES = 500 };

static void *write_lines(void *arg)
{
    for (int i = 0; i < LINES; i++)
        log_write(LOG_WARNING, "%s", (const char *)arg);
    return NULL;
}

Test(log, lines_of_several_threads_do_not_mix)
{
    const char *path = open_log("log");
    pthread_t threads[THREADS];
    static char texts[THREADS][201];
    for (int i = 0; i < THREADS; i++) {
        memset(texts[i], 'a' + i, 200);
        cr_assert_eq(pthread_create(&threads[i], NULL, write_lines, texts[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    char *line = file_read(path, NULL);
    int count = 0;
    for (char *end; (end = strchr(line, '\n')) != NULL; line = end + 1, count++) {
        *end = '\0';
        const char *text = strstr(line, "# ");
        cr_assert(
            text && strlen(text + 2) == 200 && strspn(text + 2, (char[]){ text[2], 0 }) == 200,
            "%s", line);
    }
    cr_assert_eq(count, THREADS * LINES);
}
