/* Changing a string in place: what APPEND, SETRANGE, the bit commands and the HyperLogLogs share.
 * All under the lock of the key's slot. */
#ifndef SERVER_COMMAND_STRING_EDIT_H
#define SERVER_COMMAND_STRING_EDIT_H

#include "server/command/key.h"

/* Whether that is more than the largest string there may be; then the error has been written. */
bool string_is_too_long(struct call *call, int64_t size);

/* When the key expires; ENTRY_NO_EXPIRY also where it is not there. */
int64_t string_expiry(const struct key *key);

/* The key is a string or not there. Makes it "raw" with at least `size` bytes, what is new being
 * zeroes, and returns its bytes, which are the value: good until the next insert or removal in the
 * slot. string_stretch tells watchers and says call_changed; string_open does so only where the key
 * was not there, and leaves the rest to the caller (key_did_change). */
char *string_stretch(struct call *call, struct key *key, size_t size);
char *string_open(struct call *call, struct key *key, size_t size);

#endif
