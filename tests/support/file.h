/* Files and folders, as tests need them. What cannot be read or written ends the test. */
#ifndef TESTS_SUPPORT_FILE_H
#define TESTS_SUPPORT_FILE_H

#include <stdbool.h>
#include <stddef.h>

/* The whole file as scratch text, a zero behind it; NULL where there is no file. len may be NULL.
 */
char *file_read(const char *path, size_t *len);
void file_write(const char *path, const void *data, size_t len);
void file_write_text(const char *path, const char *text);
void file_append(const char *path, const void *data, size_t len);
void file_truncate(const char *path, long len);
/* Changes one byte (all its bits) at the offset; a negative offset counts from the end. */
void file_flip(const char *path, long offset);
void file_copy(const char *from, const char *to);
long file_size(const char *path); /* -1: there is none */
bool file_exists(const char *path);
/* Path of a file in the folder, or in folders below it, whose name ends so (the first one found, as
 * scratch text); NULL: none. */
char *file_find(const char *folder, const char *name_end);
void folder_make(const char *path);   /* fine where it is there */
void folder_remove(const char *path); /* with all that is in it; fine where there is none */

#endif
