/* What the commands of geo indexes share: the arguments that tell where and how far. Each replies
 * with an error where it returns false. */
#ifndef SERVER_COMMAND_GEO_H
#define SERVER_COMMAND_GEO_H

#include "server/command/zset_key.h"
#include "server/type/geo.h"

/* Longitude and latitude, at argv[index] and behind it. */
bool geo_parse_point(struct call *call, int index, struct geo_point *point);
/* m, km, ft, mi; in metres. */
bool geo_parse_unit(struct call *call, struct bytes word, double *metres);

/* Longitude and latitude, with as many digits as there are. */
void geo_reply_point(struct reply *reply, struct geo_point point);

#endif
