/* Which service a host name and a path belong to: a hash of names, each with its services by path. */
#ifndef HOSTS_H
#define HOSTS_H

#include "route.h"

struct entry;

struct hosts {
	struct host **buckets;
	size_t mask, n;
};

void hosts_init(struct hosts *t);
/* name: a host, "*." before it for all below it, or "*" for all that have no other. Service and file name are borrowed
 * until hosts_drop(). */
struct entry *hosts_add(struct hosts *t, const char *file, struct service *s, const char *name);
void hosts_drop(struct hosts *t, struct entry *e);
/* Borrowed, or NULL. */
struct service *hosts_find(const struct hosts *t, struct span host, struct span path);
/* Whether the name stands in it, with or without "*.". */
int hosts_has(const struct hosts *t, const char *name);

#endif
