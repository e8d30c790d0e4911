/* One run of cx-build, from the document to the document. */
#ifndef RUN_H
#define RUN_H

struct cx_err;

struct run {
	const char *dir; /* the app's folder; NULL: here, and stdin may have the document */
	int development, no_cache;
	const int *interrupt; /* the signal that came, or 0 */
};

/* The exit status; -1 with e set. */
int run(const struct run *r, struct cx_err *e);

#endif
