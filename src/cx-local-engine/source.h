/*
 * A source is one container's log, over all the readers that it needed: it
 * knows what was read already, so that a reader that is attached again, with
 * an overlap, loses nothing and repeats nothing.
 */
#ifndef SOURCE_H
#define SOURCE_H

#include "decode.h"
#include "reader.h"
#include <cx/buf.h>
#include <stdint.h>

/* More lines than any container prints in the overlap. */
#define SEEN 8192

struct seen {
	char time[40];
	uint64_t hash;
};

struct source {
	char id[72];
	char *service, *release, *type;
	struct reader reader;
	struct cx_buf in;
	size_t pos;
	struct seen *seen; /* ring of the last lines */
	size_t seen_n; /* how many were ever put there */
	char last[40]; /* the newest time so far; "" before the first line */
	char mark[40]; /* while catching up: the newest time before this reader */
	int again; /* its container was started while the reader ran */
};

struct source *source_new(const char *id, const json_t *item);
void source_free(struct source *s);
/* Starts a reader: from where the last one ended, or from since (NULL: the beginning). */
int source_attach(struct source *s, struct local *l, const char *since, const char *tail, int follow, struct cx_err *e);
/* Reads what is there (blocking, unless poll said so); 0 at the end, when the reader is gone. */
int source_fill(struct source *s);
/* Takes the next new line, which lives until the next call; 0 when there is no whole one. */
int source_next(struct source *s, struct record *r);

#endif
