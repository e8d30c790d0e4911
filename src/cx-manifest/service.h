/* Reading one service. */
#ifndef SERVICE_H
#define SERVICE_H

#include "key.h"

/* The service `name` at n, normalised; NULL when it is none. */
json_t *service_read(struct manifest *m, const struct cx_node *n, const char *name);
/* A list of environment entries, appended to out (array of {name, default}). */
void environment_read(struct manifest *m, const struct cx_node *v, const char *path, json_t *out);

#endif
