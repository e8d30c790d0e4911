/*
 * How porcelain asks a platform: it runs cx-provider-NAME (cx-provider(7)) with
 * a verb, and gets JSON or events. NAME is CX_PROVIDER, else "local". A
 * provider that fails has said why on stderr: the error that is left then has
 * its exit status as class and no text.
 *
 *	CX_JSON json_t *j = cx_provider_ask((const char *[]){"app", "list", NULL}, NULL, &e);
 */
#ifndef CX_PROVIDER_H
#define CX_PROVIDER_H

#include <cx/json.h>

struct cx_err;

/* The JSON that a verb prints; `in` (or NULL) is given on stdin. New reference or NULL. */
json_t *cx_provider_ask(const char *const args[], const json_t *in, struct cx_err *e);
/*
 * Hands out the events that a verb prints, one a line. 0 at the end; 130 when the user interrupted (the verb's work
 * goes on); -1.
 */
int
cx_provider_events(const char *const args[], void (*seen)(void *arg, const json_t *event), void *arg, struct cx_err *e);
/* The same, drawn through cx_display. *last (may be NULL) gets the last event, a new reference or NULL. */
int cx_provider_watch(const char *const args[], json_t **last, struct cx_err *e);
/* A verb that prints something else than JSON, or talks to the terminal: becomes it. Returns -1 only. */
int cx_provider_exec(const char *const args[], struct cx_err *e);
/*
 * Promotes a release (NULL: the newest) of the app that the environment names, and follows its events to the end.
 * 0: it is active; -1 with CX_NO when it failed; 130 when the user detached; -1. *result (may be NULL) gets
 * {"id","status"} once the end is known. Prints nothing on stdout.
 */
int cx_provider_promote(const char *release, json_t **result, struct cx_err *e);
/* The same, and with --json prints {"v":1,"release":{"id","status"}}. */
int cx_provider_promote_print(const char *release, struct cx_err *e);

#endif
