/*
 * A text in the user's editor. It stands in a private folder on a file system
 * in memory, which a process of its own removes when this one is gone, however
 * it ends.
 */
#ifndef EDIT_H
#define EDIT_H

#include <cx/buf.h>

struct cx_err;

struct edit {
	char dir[256];
	char file[300];
	int alive; /* the guardian removes the folder when this closes */
	int guardian;
};

/* Makes the folder and the file. */
int edit_begin(struct edit *d, const struct cx_buf *text, struct cx_err *e);
/* Runs VISUAL, EDITOR or vi, and reads the file, at most max bytes. */
int edit_run(struct edit *d, struct cx_buf *text, size_t max, struct cx_err *e);
/* Removes both, and waits until they are gone. */
void edit_end(struct edit *d);

#endif
