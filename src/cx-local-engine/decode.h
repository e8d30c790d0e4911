/*
 * The engine's log with timestamps, made into records, a line each:
 * TIME STREAM TEXT. TIME is the event's, to the nanosecond, and sorts as text;
 * STREAM is 1 or 2. Pure: bytes in, records in `out`, which the caller empties.
 */
#ifndef DECODE_H
#define DECODE_H

#include <cx/buf.h>
#include <cx/engine.h>

struct cx_err;

/* Longest line; what a container prints without a newline for longer is cut into several. */
#define LINE_MAX_BYTES ((size_t)1 << 20)
#define TIME_MAX 40

/* A line that is being put together; the engine cuts long ones into pieces. */
struct line {
	char time[TIME_MAX];
	struct cx_buf text;
	int begun;
};

struct decoder {
	struct cx_demux demux;
	struct cx_buf piece; /* one frame; of a terminal, one line */
	struct line line[3];
	struct cx_buf out;
};

/* One record, cut in place; text may hold anything but a newline. */
struct record {
	const char *time, *text;
	size_t text_n;
	int stream;
};

void decode_free(struct decoder *d);
/* Frames, of a container without a terminal: -1 on a broken one. */
int decode_framed(struct decoder *d, const char *p, size_t n, struct cx_err *e);
/* Bare lines, of a container with one. */
void decode_terminal(struct decoder *d, const char *p, size_t n);
/* A last line without a newline. */
void decode_end(struct decoder *d);
/* Cuts a record without its newline; 0 when it is none. */
int record_cut(char *p, size_t n, struct record *r);

#endif
