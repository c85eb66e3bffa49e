/* Selectors: what rules do to them. For the files acl_*.c alone; see acl_user.h. */
#ifndef SERVER_COMMAND_ACL_SELECTOR_H
#define SERVER_COMMAND_ACL_SELECTOR_H

#include "server/command/acl_user.h"

/* Nothing is allowed, but channels where acl-pubsub-default says so. */
void acl_selector_init(struct acl_selector *selector);
void acl_selector_copy(struct acl_selector *to, const struct acl_selector *from);
void acl_selector_free(struct acl_selector *selector);
/* One rule: commands, keys, channels. False: the selector is as it was, error says why. */
bool acl_selector_apply(struct acl_selector *selector, struct bytes rule, struct error *error);

/* Allows or forbids a command with all its subcommands. */
void acl_selector_set_command(struct acl_selector *selector, unsigned id, bool allow);
void acl_selector_set_all(struct acl_selector *selector, bool allow);
void acl_selector_set_category(struct acl_selector *selector, unsigned category, bool allow);
/* The categories of a command, by its id, as bits. */
uint32_t acl_categories(unsigned id);
void acl_patterns_clear(struct acl_patterns *patterns);

#endif
