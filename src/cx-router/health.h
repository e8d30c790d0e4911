/*
 * Active health checks, in the monitor: GET of a path on each backend whose
 * service asks for it, results in the shared slots (metrics.h) where the
 * workers look. Backends that speak something else than plain HTTP/1 are asked
 * for a connection only.
 */
#ifndef HEALTH_H
#define HEALTH_H

#include "route.h"
#include <poll.h>

#define HEALTH_CHECKS 256 /* at a time */

struct health;

struct health *health_new(void);
/* Begins the checks that are due. */
void health_start(struct health *h, struct table *t, double now);
/* Fills p (room for HEALTH_CHECKS) with what it waits for; afterwards takes what poll(2) said. */
size_t health_poll(const struct health *h, struct pollfd *p);
void health_take(struct health *h, const struct pollfd *p, size_t n, double now);

/* The status that an answer begins with; 0: not all there yet; -1: it is no HTTP. */
int health_status(const char *p, size_t n);

#endif
