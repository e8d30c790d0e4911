/*
 * A reader is a child process that streams something of the engine into a
 * pipe, a line a record, so that many streams can be merged with poll(2) and
 * hold each other back. It dies with its parent.
 *
 * Records of a log: TIME STREAM TEXT; TIME is the event's, to the nanosecond,
 * and sorts as text; STREAM is 1 or 2. Records of events: the engine's JSON.
 */
#ifndef READER_H
#define READER_H

#include "local.h"
#include <sys/types.h>

/* Longest line; what a container prints without a newline for longer is cut into several. */
#define LINE_MAX_BYTES ((size_t)1 << 20)

struct reader {
	pid_t pid;
	int fd; /* -1: none runs */
};

/* since, tail: query values or NULL. */
int reader_log(struct reader *r, struct local *l, const char *id, const char *since, const char *tail, int follow,
	struct cx_err *e);
/* Starts of the app's containers from the time `since` (seconds) on. */
int reader_events(struct reader *r, struct local *l, const char *since, struct cx_err *e);
/* Ends it, if it still runs, and reaps it. */
void reader_end(struct reader *r);

#endif
