/* The fields of those sections of INFO to which several modules contribute. Between info.c and
 * info_fields.c. */
#ifndef SERVER_COMMAND_INFO_FIELDS_H
#define SERVER_COMMAND_INFO_FIELDS_H

#include "common/buffer.h"

/* Appends the lines of `told` in the section's order; fields that nobody told get their constant or
 * are left out; what the order does not know comes last. Sections without an order come out as they
 * are. */
void info_append_ordered(struct buffer *out, const char *section, struct bytes told);
/* The value of the field in these lines; false: it is not there. */
bool info_find(struct bytes lines, const char *name, struct bytes *value);

/* All that INFO has for the section, as lines in any order; fields that are constants are missing. */
void info_tell_section(const char *section, struct buffer *out);

/* Tells what every server can of the section, into *out, behind what other modules have told there
 * already (info_sections.c). */
void info_tell_own(const char *section, struct buffer *out);

#endif
