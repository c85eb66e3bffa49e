/* The title of the process, as ps shows it: set-proc-title and proc-title-template. */
#ifndef SERVER_TITLE_H
#define SERVER_TITLE_H

/* When the configuration is read and nobody needs the arguments any more: makes room for the title
 * where they are, sets it, and follows CONFIG SET. Before any thread. */
void title_init(int argc, char **argv);

#endif
