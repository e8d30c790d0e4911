/*
 * Events: one JSON object a line, the same vocabulary for build, deploy, rack
 * install and converge (share/cx/schema/event.json). Displays are drawn from
 * them and from nothing else.
 *
 *	cx_event_put(fd, &(struct cx_event){.app = "docs", .at = "health", .id = "web", .state = "done"}, &e);
 */
#ifndef CX_EVENT_H
#define CX_EVENT_H

#include <cx/json.h>

struct cx_err;

struct cx_event {
	const char *app, *build, *release, *attempt; /* NULL: left out, as everywhere below */
	const char *at; /* build release rollout stack health drain resource rack */
	const char *id; /* what: a service, a resource, a build step, a daemon */
	const char *process;
	const char *state; /* start progress done fail skip warn */
	const char *text, *reason, *hint;
	const char *log; /* last lines, newline-separated; becomes an array */
	long long current, total; /* of progress, bytes or steps; total 0: left out */
};

/* The event as JSON; seq and time are filled in (seq counts in this process, from *seq when not NULL). */
json_t *cx_event_json(const struct cx_event *ev, long long *seq);

/* The display: draws events on stderr; live (redrawn) on a terminal, plain lines otherwise. */
struct cx_display;
struct cx_display *cx_display_new(void);
void cx_display_event(struct cx_display *d, const json_t *event);
/* Ends it: the last state stays on the screen. */
void cx_display_free(struct cx_display *d);

#endif
