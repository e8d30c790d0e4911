/*
 * Paths to a value: services.web.ports[0].port, labels["a.b"], resources.db.
 *
 *	struct step s;
 *	while (path_next(&p, &s) > 0) ...
 */
#ifndef PATH_H
#define PATH_H

#include <stddef.h>

struct step {
	const char *name; /* not terminated; NULL: an index */
	size_t n, index;
};

/* The step at *p, which moves behind it. 1, 0 at the end, -1 when this is no path. */
int path_next(const char **p, struct step *s);
int path_valid(const char *p);

#endif
