/*
 * A reader is a child process that streams something of the engine into a
 * pipe, a line a record, so that many streams can be merged with poll(2) and
 * hold each other back. It dies with its parent.
 *
 * A log comes as records of decode.h, events as the engine's JSON, one a line.
 */
#ifndef READER_H
#define READER_H

#include "local.h"
#include <sys/types.h>

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
