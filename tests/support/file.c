/* Files and folders; see the header. */
#include "tests/support/file.h"
#include "tests/support/scratch.h"
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char *file_read(const char *path, size_t *len)
{
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return NULL;
    char *data = NULL;
    size_t used = 0;
    for (size_t got = 1; got > 0; used += got) {
        data = realloc(data, used + 65536);
        cr_assert_not_null(data);
        got = fread(data + used, 1, 65536, file);
    }
    fclose(file);
    char *text = scratch_copy(data, used);
    free(data);
    if (len != NULL)
        *len = used;
    return text;
}

static void put(const char *path, const char *mode, const void *data, size_t len)
{
    FILE *file = fopen(path, mode);
    cr_assert_not_null(file, "%s: %s", path, strerror(errno));
    bool written = fwrite(data, 1, len, file) == len;
    cr_assert(fclose(file) == 0 && written, "%s: %s", path, strerror(errno));
}

void file_write(const char *path, const void *data, size_t len)
{
    put(path, "w", data, len);
}

void file_write_text(const char *path, const char *text)
{
    put(path, "w", text, strlen(text));
}

void file_append(const char *path, const void *data, size_t len)
{
    put(path, "a", data, len);
}

void file_truncate(const char *path, long len)
{
    cr_assert_eq(truncate(path, len), 0, "%s: %s", path, strerror(errno));
}

void file_flip(const char *path, long offset)
{
    size_t len;
    char *data = file_read(path, &len);
    cr_assert_not_null(data, "%s: no such file", path);
    if (offset < 0)
        offset += (long)len;
    cr_assert(offset >= 0 && (size_t)offset < len, "%s has no byte %ld", path, offset);
    data[offset] = (char)~data[offset];
    put(path, "w", data, len);
}

void file_copy(const char *from, const char *to)
{
    size_t len;
    char *data = file_read(from, &len);
    cr_assert_not_null(data, "%s: no such file", from);
    put(to, "w", data, len);
}

long file_size(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 ? (long)status.st_size : -1;
}

bool file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

char *file_find(const char *folder, const char *name_end)
{
    DIR *open = opendir(folder);
    struct dirent *entry;
    char *found = NULL;
    while (open != NULL && found == NULL && (entry = readdir(open)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        char *path = scratch_printf("%s/%s", folder, entry->d_name);
        size_t len = strlen(entry->d_name), end = strlen(name_end);
        if (entry->d_type == DT_DIR)
            found = file_find(path, name_end);
        else if (len >= end && strcmp(entry->d_name + len - end, name_end) == 0)
            found = path;
    }
    if (open != NULL)
        closedir(open);
    return found;
}

void folder_make(const char *path)
{
    cr_assert(mkdir(path, 0700) == 0 || errno == EEXIST, "%s: %s", path, strerror(errno));
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    remove(path);
    return 0;
}

/* A dying server may still make a file while its folder goes: tried a few times. */
void folder_remove(const char *path)
{
    for (int tries = 0; tries < 50 && file_exists(path); tries++) {
        if (tries > 0)
            usleep(10000);
        nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    }
}
