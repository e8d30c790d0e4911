/*
 * Ownership made visible. A local that owns something is declared with one of
 * these attributes and initialised in its declaration; giving it away is
 * cx_steal() (pointers) or cx_steal_fd() (descriptors).
 *
 *	CX_FREE char *s = strdup(x);
 *	return cx_steal(&s);
 */
#ifndef CX_OWN_H
#define CX_OWN_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void
cx_own_free(void *pp)
{
	free(*(void **)pp);
}

static inline void
cx_own_close(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void
cx_own_fclose(FILE **f)
{
	if (*f)
		fclose(*f);
}

#define CX_FREE __attribute__((cleanup(cx_own_free)))
#define CX_CLOSE __attribute__((cleanup(cx_own_close)))
#define CX_FCLOSE __attribute__((cleanup(cx_own_fclose)))

/* Takes the pointer out of *pp (any T **), leaving NULL. */
static inline void *
cx_steal_ptr(void *pp)
{
	void **p = pp, *r = *p;

	*p = NULL;
	return r;
}
#define cx_steal(pp) cx_steal_ptr(pp)

static inline int
cx_steal_fd(int *fd)
{
	int r = *fd;

	*fd = -1;
	return r;
}

#endif
