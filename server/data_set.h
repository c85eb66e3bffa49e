/* The data set as a whole, keys and functions: read from files, and emptied. All but
 * data_set_last_read belongs to one thread at a time, outside of turns, and blocks; slots are
 * locked one by one. */
#ifndef SERVER_DATA_SET_H
#define SERVER_DATA_SET_H

#include "server/journal/aof.h"
#include "server/store/store.h"

void data_set_open(struct store *store, struct journal *journal); /* at first */

/* Reads an RDB file. keep_expired: also keys whose time is over, as a replica does. replace: keys
 * that are there already give way, and libraries that are there stay; else either is an error.
 * False: what was read so far is there; the error names the file. */
bool data_set_read_rdb(const char *path, bool keep_expired, bool replace, struct error *error);
/* Reads the append-only file to its end. *found: there was one. False: as above. */
bool data_set_read_aof(struct aof *aof, bool *found, struct error *error);

/* Deletes all keys and functions without a word to the journal. What is large is freed elsewhere.
 */
void data_set_empty(void);

/* Of the last RDB that was read. Any thread. */
struct data_set_figures {
    uint64_t keys, expired; /* kept, left out */
};
struct data_set_figures data_set_last_read(void);

#endif
