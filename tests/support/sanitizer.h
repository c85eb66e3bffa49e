/* What the sanitizers of a server's build have to say: told by environment variables to write their
 * reports into the node's folder, from where nodes_end takes them. */
#ifndef TESTS_SUPPORT_SANITIZER_H
#define TESTS_SUPPORT_SANITIZER_H

/* Called in the child before exec: reports go to files "FOLDER/sanitizer.PID". */
void sanitizer_set_environment(const char *folder);
/* The text of the reports in the folder, as scratch text; NULL: none. */
const char *sanitizer_reports(const char *folder);

#endif
