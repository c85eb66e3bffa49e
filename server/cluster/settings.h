/* The directives that are the state machine's, as it is to have them. Any thread. */
#ifndef SERVER_CLUSTER_SETTINGS_H
#define SERVER_CLUSTER_SETTINGS_H

#include "server/cluster/state.h"
#include "server/config.h"

void cluster_settings_read(struct cluster_config *config);
uint16_t cluster_settings_bus_port(void); /* cluster-port, or what follows from port */

/* Has `changed` called, as config_on_change does, for each of them that may change while the
 * process runs; before any thread does. */
void cluster_settings_watch(config_apply_fn *changed);

#endif
