/* INFO: sections, and the modules that tell what is in them. */
#ifndef SERVER_INFO_H
#define SERVER_INFO_H

#include "common/buffer.h"
#include <stdint.h>

/* The Redis whose commands and replies ours are: clients choose what they send by it. */
#define INFO_REDIS_VERSION "7.0.15"

/* Registers what a module knows for a section ("clients", "stats", "persistence", "replication"
 * ...); before any thread runs. tell appends lines "name:value\r\n", in any order: where Redis has
 * an order (info_fields.c) INFO shows them in it, else as they come. It runs in any worker's
 * thread, and must not take a slot's lock. */
typedef void info_fn(struct buffer *out);
void info_register(const char *section, info_fn *tell);

/* Registers what every server can tell, and begins to take the samples that rates and peaks are
 * made of; after config_load, before any thread. */
void info_init(void);
/* 40 hexadecimal digits, new for each process. */
const char *info_run_id(void);

#endif
