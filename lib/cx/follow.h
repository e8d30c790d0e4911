/*
 * Following a file of lines while another process appends to it: inotify, so a
 * line is seen when it is written. The file may not exist yet.
 *
 *	struct cx_follow f = {.dir = s.dir, .folder = "apps/a/releases/R…", .file = "events", .line = on_line, .idle =
 *quiet}; if (cx_follow(&f, &e) < 0) ...
 */
#ifndef CX_FOLLOW_H
#define CX_FOLLOW_H

#include <cx/json.h>
#include <cx/spool.h>
#include <stddef.h>

struct cx_follow {
	int dir;
	const char *folder, *file;
	/* One line without its newline. 0 goes on, 1 ends well, -1 fails with e set. */
	int (*line)(void *arg, const char *p, size_t n, struct cx_err *e);
	/*
	 * After the last line that there is, and again at every change in the folder and every 250 ms; quiet is the
	 * seconds since the last line. Returns as line does. NULL: the end of the file is the end.
	 */
	int (*idle)(void *arg, double quiet, struct cx_err *e);
	void *arg;
};

/* A reader of stdout that goes away ends it too (CX_SYS), even while nothing is written. */
int cx_follow(struct cx_follow *f, struct cx_err *e);
/* True when a cx-converge(8) works for this rack: alone, or under cx-supervise(8). */
int cx_rack_runs(struct cx_spool *s);

#endif
