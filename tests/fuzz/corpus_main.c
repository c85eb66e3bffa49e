/* Runs a fuzz target over every file of the folders given, without a fuzzer: so that what was found
 * once stays found, in any build. Each input is a block of just its size, and the target aborts on
 * what is wrong; the name printed last before that is the culprit. */
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool run_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return false;
    }
    uint8_t *data = NULL;
    size_t size = 0, got;
    char piece[4096];
    while ((got = fread(piece, 1, sizeof(piece), file)) > 0) {
        data = realloc(data, size + got);
        if (data == NULL)
            abort();
        memcpy(data + size, piece, got);
        size += got;
    }
    bool ok = ferror(file) == 0;
    fclose(file);
    printf("%s\n", path);
    fflush(stdout);
    if (ok)
        LLVMFuzzerTestOneInput(data, size);
    free(data);
    return ok;
}

static bool run_folder(const char *folder, size_t *count)
{
    struct dirent **entries;
    int found = scandir(folder, &entries, NULL, alphasort);
    if (found < 0) {
        fprintf(stderr, "%s: %s\n", folder, strerror(errno));
        return false;
    }
    bool ok = true;
    for (int i = 0; i < found; i++) {
        if (entries[i]->d_name[0] != '.') {
            char path[4096];
            snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
            ok = run_file(path) && ok;
            (*count)++;
        }
        free(entries[i]);
    }
    free(entries);
    return ok;
}

int main(int argc, char **argv)
{
    size_t count = 0;
    bool ok = true;
    for (int i = 1; i < argc; i++)
        ok = run_folder(argv[i], &count) && ok;
    if (count == 0) {
        fprintf(stderr, "usage: %s folder...   (folders with at least one input)\n", argv[0]);
        return 2;
    }
    printf("%zu inputs\n", count);
    return ok ? 0 : 1;
}
