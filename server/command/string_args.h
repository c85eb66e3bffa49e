/* The options that SET, GETEX and the EXPIRE commands share: ways to say when a key expires. */
#ifndef SERVER_COMMAND_STRING_ARGS_H
#define SERVER_COMMAND_STRING_ARGS_H

#include "server/command/call.h"

#define STRING_MAX INT64_C(536870912) /* 512 MB */

enum expiry_kind { EXPIRY_RELATIVE, EXPIRY_ABSOLUTE };

/* A time to expire as a client says it, to Unix time in ms. unit: 1000 for seconds, 1 for milliseconds. False: the
 * error has been written ("value is not an integer ...", "invalid expire time in 'x' command"). */
bool expiry_parse(struct call *call, struct bytes text, int64_t unit, enum expiry_kind kind,
    int64_t *expiry);

struct set_args {
    bool if_absent, if_present, get, keep, persist;
    bool is_absolute;  /* EXAT or PXAT */
    int64_t expiry;    /* Unix time in ms, or ENTRY_NO_EXPIRY */
};
enum set_args_of { SET_ARGS_SET, SET_ARGS_GETEX };

/* Reads the options from argv[first] on. False: the error has been written. */
bool set_args_parse(struct call *call, int first, enum set_args_of of, struct set_args *args);

#endif
