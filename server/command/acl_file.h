/* Users in files: the aclfile, and the `user` lines of the configuration. */
#ifndef SERVER_COMMAND_ACL_FILE_H
#define SERVER_COMMAND_ACL_FILE_H

#include "common/buffer.h"
#include "common/error.h"

/* At the start: the users of the configuration's lines, or those of the aclfile; both is an error.
 */
bool acl_file_load_config(struct error *error);
/* Reads the aclfile and puts its users in force, all or, with what is wrong in `errors`, none.
 * Waits for the disk. */
bool acl_file_load(struct buffer *errors);
/* Writes all users to the aclfile, which is complete on the disk before it takes the place of the
 * old one. Waits for the disk. */
bool acl_file_save(struct error *error);
/* Adds what is wrong with the text of an aclfile to `errors`; else its users to `loaded`. `path` is
 * for the errors. */
struct acl_loaded;
bool acl_file_parse(
    struct bytes text, const char *path, struct acl_loaded *loaded, struct buffer *errors);

#endif
