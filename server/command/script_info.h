/* What INFO tells of scripts. */
#ifndef SERVER_SCRIPT_SCRIPT_INFO_H
#define SERVER_SCRIPT_SCRIPT_INFO_H

/* Registers it; before any thread runs. */
void script_info_init(void);

#endif
