/* What SORT and SORT_RO are asked for. */
#ifndef SERVER_COMMAND_SORT_ARGS_H
#define SERVER_COMMAND_SORT_ARGS_H

#include "server/command/call.h"

struct sort_args {
    bool descending, alpha, unsorted; /* unsorted: BY a pattern without * */
    bool by_pattern;
    bool other_keys; /* a pattern names keys by the elements */
    int by;          /* position of the pattern; 0: the elements themselves */
    int *gets;       /* positions of GET's patterns, owned */
    int get_count;
    int store; /* position of the destination; 0: the result is replied */
    int64_t offset, limit;
};

/* Only its words are looked at. False: the error has been replied. read_only: SORT_RO. What comes
 * of it is freed by sort_args_free, in either case. */
bool sort_args_parse(struct call *call, bool read_only, struct sort_args *args);
void sort_args_free(struct sort_args *args);

/* Whether the request, of SORT or SORT_RO, reads keys that its elements name: such a one needs the
 * locks of slots that nobody knows beforehand. */
bool sort_names_keys(const struct bytes *argv, int argc);

#endif
