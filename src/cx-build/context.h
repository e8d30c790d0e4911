/*
 * A build context: the list of what goes to the engine, walked once, in an
 * order that does not depend on the file system. Nothing is followed out of
 * the folder: links are kept as links. The digest is over names, kinds,
 * permissions, link targets and contents, not over times and owners.
 */
#ifndef CONTEXT_H
#define CONTEXT_H

#include "ignore.h"
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

struct cx_err;

struct item {
	char *path; /* relative to the context */
	char *link; /* target of a symbolic link, or NULL */
	struct stat st;
};

struct context {
	int root;
	struct item *v;
	size_t n, cap;
	long long bytes; /* of all files */
	const char *over; /* path of a file with other contents than the disk's, or NULL */
	const char *over_text;
	const int *cancel; /* non-zero stops a walk or a digest with "interrupted" */
	int changed; /* a file is not what it was at the walk or digest */
	/* Told of files that vanish or grow while they are read; may be NULL. */
	void (*warn)(void *arg, const char *path, const char *what);
	void *arg;
};

/* Walks the folder `root` (borrowed until context_free). */
int context_walk(struct context *c, int root, struct ignore *ig, struct cx_err *e);
void context_free(struct context *c);
/* SHA-256 of the context, 64 hex digits; remembers each file's state to notice changes later. */
int context_digest(struct context *c, char hex[65], struct cx_err *e);
/*
 * Opens a file of the context for reading; -2 when it vanished (told to warn). Notices when it is not what it
 * was; `now` is its state. Never follows a link.
 */
int context_open(struct context *c, struct item *en, struct stat *now, struct cx_err *e);

#endif
