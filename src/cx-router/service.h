/* A service as its route file describes it, checked: what is wrong says which key. */
#ifndef SERVICE_H
#define SERVICE_H

#include "route.h"
#include <jansson.h>

/* A new reference, or NULL. It has no backends yet, only what is known of them. */
struct service *service_make(const char *app, const json_t *j, struct cx_err *e);
/* Gives it its backends: those of the former services of the same file live on, others are new since then (0: they were
 * there before us). */
void service_adopt(struct service *s, struct service **old, size_t n, struct metrics *m, double now, double since);
/* A host name of a route: labels, "*." before them, or "*" alone. */
int service_host_ok(const char *host);

#endif
