#include "converge.h"
#include <cx/buf.h>
#include <cx/event.h>
#include <cx/own.h>
#include <cx/store.h>
#include <string.h>

void
say(struct conv *c, const char *app, const char *release, const char *attempt, struct cx_event *ev)
{
	CX_FREE char *file = cx_fmt("apps/%s/releases/%s/events", app, release), *text = NULL;
	CX_JSON json_t *j = NULL;
	struct cx_err e;

	ev->app = app;
	ev->release = release;
	ev->attempt = attempt;
	j = cx_event_json(ev, NULL);
	text = cx_json_text(j);
	if (cx_spool_append(c->spool.dir, file, text, &e) < 0)
		complain("record an event", &e);
	(void)fprintf(stderr, "%s %s %s %s %s%s%s\n", app, release, ev->at, ev->id ? ev->id : "-", ev->state,
		ev->reason ? ": " : "", ev->reason ? ev->reason : "");
}

void
complain(const char *what, const struct cx_err *e)
{
	static char last[256];
	static double at;
	char text[256];

	(void)snprintf(text, sizeof(text), "%.60s: %.180s", what, e->text);
	if (strcmp(text, last) == 0 && now_s() - at < 60)
		return;
	(void)snprintf(last, sizeof(last), "%s", text);
	at = now_s();
	(void)fprintf(stderr, "cx-converge: %s\n", text);
}

void
release_activate(struct conv *c, const char *app, const char *release)
{
	struct cx_err e;
	CX_JSON json_t *all = cx_store_releases(&c->spool, app, &e);
	size_t i;
	json_t *r;

	json_array_foreach (all, i, r) {
		const char *id = cx_json_strd(r, "id", ""), *status = cx_json_strd(r, "status", "");

		if (strcmp(id, release) != 0 && strcmp(status, "active") == 0)
			release_mark(c, app, id, "superseded", NULL);
	}
	release_mark(c, app, release, "active", NULL);
}

void
release_mark(struct conv *c, const char *app, const char *release, const char *status, const char *reason)
{
	CX_FREE char *file = cx_fmt("apps/%s/releases/%s/release.json", app, release);
	struct cx_err e;
	CX_JSON json_t *r = cx_json_load(c->spool.dir, file, &e);
	char now[32];

	if (!r) {
		complain("mark a release", &e);
		return;
	}
	if (strcmp(cx_json_strd(r, "status", ""), status) == 0)
		return;
	cx_json_set(r, "status", status);
	cx_json_set(r, "reason", reason);
	cx_time_now(now);
	if (strcmp(status, "active") == 0)
		cx_json_set(r, "promoted", now);
	if (cx_spool_publish_json(c->spool.dir, file, r, 0644, &e) < 0)
		complain("mark a release", &e);
}
