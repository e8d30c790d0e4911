/* A health check as compose and Dockerfiles write it: a command that asks a URL of its own container. */
#ifndef HEALTH_H
#define HEALTH_H

#include "init.h"

/* The port and path that a command asks, NULL when there is none; owned by the caller. 0 when it asks no URL. */
int health_url(const char *command, char **port, char **path);
/* convox.yml's health from {"path","interval","timeout","grace","disable"}: a path alone, or a map; NULL: the default.
 */
json_t *health_make(const json_t *h);

#endif
