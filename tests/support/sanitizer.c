/* The reports of a sanitizer's build; see the header. TEST_DETECT_LEAKS=0 leaves out what is not
 * freed at the end. */
#include "tests/support/sanitizer.h"
#include "common/buffer.h"
#include "tests/support/file.h"
#include "tests/support/scratch.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void sanitizer_set_environment(const char *folder)
{
    char options[1024];
    snprintf(options, sizeof(options),
        "log_path=%s/sanitizer:exitcode=99:print_stacktrace=1:detect_stack_use_after_return=1:"
        "detect_leaks=%s",
        folder, getenv("TEST_DETECT_LEAKS") != NULL ? getenv("TEST_DETECT_LEAKS") : "1");
    setenv("ASAN_OPTIONS", options, 1);
    snprintf(
        options, sizeof(options), "log_path=%s/sanitizer:exitcode=99:print_stacktrace=1", folder);
    setenv("UBSAN_OPTIONS", options, 1);
    snprintf(options, sizeof(options),
        "log_path=%s/sanitizer:exitcode=99:second_deadlock_stack=1:history_size=4", folder);
    setenv("TSAN_OPTIONS", options, 1);
}

const char *sanitizer_reports(const char *folder)
{
    DIR *open = opendir(folder);
    struct dirent *entry;
    struct buffer text = { 0 };
    while (open != NULL && (entry = readdir(open)) != NULL) {
        if (strncmp(entry->d_name, "sanitizer.", 10) != 0)
            continue;
        const char *report = file_read(scratch_printf("%s/%s", folder, entry->d_name), NULL);
        if (report != NULL)
            buffer_append_text(&text, report);
    }
    if (open != NULL)
        closedir(open);
    const char *copy = text.len > 0 ? scratch_copy(text.data, text.len) : NULL;
    buffer_free(&text);
    return copy;
}
