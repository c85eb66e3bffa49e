/* redis://[user[:password]@]host[:port], as -u takes it; percent signs in user and password are
 * decoded. */
#ifndef CONSOLE_CLIENT_URI_H
#define CONSOLE_CLIENT_URI_H

#include "common/address.h"
#include "console/client/client.h"

/* Sets what the text names in address, options->user and options->password; leaves the rest. */
bool uri_parse(
    const char *text, struct address *address, struct client_options *options, struct error *error);

#endif
