/* What INFO tells of replication. */
#ifndef SERVER_REPLICATION_INFO_H
#define SERVER_REPLICATION_INFO_H

#include "server/journal/journal.h"

/* Registers it; before any thread. */
void replication_info_open(struct journal *journal);

#endif
