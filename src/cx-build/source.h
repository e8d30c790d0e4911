/*
 * The source archive of a build, made by a child process while the engine
 * builds, since packing large sources takes longer than sending them.
 */
#ifndef SOURCE_H
#define SOURCE_H

#include "ignore.h"
#include <sys/types.h>

struct source {
	pid_t pid; /* 0: none runs */
	int said; /* pipe on which the child says how it ended */
};

/* Begins to write dir/source.tar.gz of what the rules leave of root. The descriptors are borrowed. */
int source_start(struct source *s, int root, int dir, struct ignore *ig, struct cx_err *e);
/* Waits for it: 0, 1 when there is too much to keep, or -1. Ends early with "interrupted" when *interrupt is set. */
int source_wait(struct source *s, const int *interrupt, struct cx_err *e);
/* Ends it and removes what it left. */
void source_stop(struct source *s, int dir);

#endif
