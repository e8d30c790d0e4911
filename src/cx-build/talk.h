/*
 * What a build says: each event goes to the display on stderr and, once there
 * is a build record, to its log (one JSON object a line, bounded).
 */
#ifndef TALK_H
#define TALK_H

#include <cx/event.h>

struct talk {
	struct cx_display *display;
	const char *app, *build; /* build NULL before there is a record */
	int log; /* descriptor, -1: none */
	long long seq, written;
	int failed; /* a failure was told */
};

/* Fills in app, build and at "build". A full disk does not fail a build: the log ends there. */
void talk_event(struct talk *t, struct cx_event ev);
/* Shorthands: state and text; the text is formatted. */
void
talk_say(struct talk *t, const char *id, const char *state, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void talk_fail(struct talk *t, const char *id, const char *text, const char *reason, const char *hint, const char *log);

#endif
