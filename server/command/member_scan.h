/* What HSCAN, SSCAN and ZSCAN share: the cursor, MATCH and COUNT. */
#ifndef SERVER_COMMAND_MEMBER_SCAN_H
#define SERVER_COMMAND_MEMBER_SCAN_H

#include "server/command/key.h"

struct dict;
struct item;

struct member_scan {
    uint64_t position; /* of dict_scan; 0 is the start, and as what is replied the end */
    size_t count;      /* members to look at */
    bool all;          /* any name */
    struct bytes pattern;
    struct reply found; /* the elements of the reply so far, and how many */
    size_t found_count;
};

/* Reads argv[1] and on, looks the key up. False: the reply has been written (an error, or nothing
 * found); else the caller goes through the members and ends with member_scan_end. */
bool member_scan_begin(
    struct call *call, enum type_id type, struct key *key, struct member_scan *scan);
bool member_scan_wants(const struct member_scan *scan, struct bytes name);
/* Adds to the reply. */
void member_scan_add(struct member_scan *scan, struct bytes element);
/* Looks at `count` items of the dictionary and moves on. visit: as of dict_scan. */
void member_scan_dict(struct member_scan *scan, const struct dict *dict,
    void (*visit)(void *arg, struct item *item), void *arg);
/* All members have been looked at, or some: writes the reply. */
void member_scan_end(struct call *call, struct member_scan *scan);

#endif
