#include "path.h"
#include <stdlib.h>
#include <string.h>

static int
bracket(const char **p, struct step *s)
{
	const char *q = *p + 1, *end;

	if (*q == '"' || *q == '\'') {
		end = strchr(q + 1, *q);
		if (!end || end[1] != ']')
			return -1;
		s->name = q + 1;
		s->n = (size_t)(end - q) - 1;
		*p = end + 2;
		return 1;
	}
	s->n = strspn(q, "0123456789");
	if (s->n == 0 || s->n > 9 || q[s->n] != ']')
		return -1;
	s->name = NULL;
	s->index = (size_t)strtoul(q, NULL, 10);
	*p = q + s->n + 1;
	return 1;
}

int
path_next(const char **p, struct step *s)
{
	int rc = 1;

	if (!**p)
		return 0;
	if (**p == '[') {
		rc = bracket(p, s);
	} else {
		s->name = *p;
		s->n = strcspn(*p, ".[");
		*p += s->n;
		if (s->n == 0)
			return -1;
	}
	/* A dot leads to one more name. */
	if (rc > 0 && **p == '.')
		return *++*p && **p != '[' ? 1 : -1;
	return rc > 0 && **p && **p != '[' ? -1 : rc;
}

int
path_valid(const char *p)
{
	struct step s;
	int rc;

	while ((rc = path_next(&p, &s)) > 0)
		;
	return rc == 0;
}
