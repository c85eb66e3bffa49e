/* DEBUG's words: Redis has one command of many words, not a container, so they are tables of our
 * own, one at the end of each debug_*.c. DEBUG is of CMD_ALL_SLOTS: within EXEC all slots are
 * locked; else a word that looks at keys locks their slots itself, one at a time. */
#ifndef SERVER_COMMAND_DEBUG_H
#define SERVER_COMMAND_DEBUG_H

#include "server/command/key.h"

/* A table ends with a row without a name. */
struct debug_word {
    const char *name;
    void (*run)(struct call *call);
    int least, most; /* words of the request; most 0: any number */
    const char *syntax, *summary;
};

extern const struct debug_word debug_value_words[];
extern const struct debug_word debug_digest_words[];
extern const struct debug_word debug_data_words[];
extern const struct debug_word debug_reply_words[];
extern const struct debug_word debug_process_words[];
extern const struct debug_word debug_reload_words[];

/* Looks for the key argv[index] and leaves its slot locked. False: it is not there, nothing is
 * locked, and the error has been replied where `tell` is set. */
bool debug_lock_key(struct call *call, int index, bool tell, struct key *key);
void debug_unlock_key(struct call *call, const struct key *key);

#endif
