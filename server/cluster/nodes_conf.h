/* The file nodes.conf: read once, locked for as long as the process lives, replaced as a whole at
 * each save. The text's format is common/topology.h's; cluster_render_conf() makes it. Used by one
 * thread at a time. */
#ifndef SERVER_CLUSTER_NODES_CONF_H
#define SERVER_CLUSTER_NODES_CONF_H

#include "common/topology.h"

struct nodes_conf;

/* Opens (or creates, empty) the file and locks it with flock(2) against a second process, also
 * against a redis-server. NULL with an error where it is locked, or can't be read or made. */
struct nodes_conf *nodes_conf_open(const char *path, struct error *error);
/* Reads what is there. *found is false where the file is new or empty (then topology is untouched).
 * A damaged file is an error that names file and line; it is left as it is. The topology is the
 * caller's to free. */
bool nodes_conf_load(
    struct nodes_conf *conf, struct topology *topology, bool *found, struct error *error);
/* Replaces the file by the text: a temporary file beside it, with fsync where `sync` is set, then
 * renamed; with `sync` the folder is synced too. On failure the old file is as it was. */
bool nodes_conf_save(struct nodes_conf *conf, struct bytes text, bool sync, struct error *error);
/* Unlocks and frees; NULL is fine. */
void nodes_conf_close(struct nodes_conf *conf);

#endif
