/* The active release: what it wants runs, what it does not want drains and stops, what crashed is started again. */
#include "converge.h"
#include <cx/buf.h>
#include <cx/own.h>
#include <string.h>

#define BACKOFF_MAX 60
#define RETRY_SECONDS 10

static int
wanted(const struct app *a, const struct box *b)
{
	const json_t *entry = json_object_get(json_object_get(a->manifest, "services"), b->service);

	return entry && strcmp(b->release, state_str(a, "active")) == 0 && b->index >= 1 &&
	       b->index <= want_count(a, b->service, entry);
}

/* Whether it was made by another spec than the one of now: after an upgrade of cx, or a resource's new URL. */
static int
outdated(struct conv *c, struct app *a, const struct box *b, const json_t *entry)
{
	CX_FREE char *name = NULL;
	struct cx_err e;
	CX_JSON json_t *body =
		want_service(c, a, b->release, b->service, entry, a->urls, a->build, b->index, &name, &e);

	return body && strcmp(b->hash, cx_json_strd(json_object_get(body, "Labels"), "convox.hash", "")) != 0;
}

/* A crash restarts the same container, later each time; one that stayed up for a minute begins anew. What has to be
 * started again anyway, and was made by another spec, is made anew. */
static void
restart(struct conv *c, struct app *a, struct box *b, const json_t *entry)
{
	struct memo *m = b->memo;
	double now = now_s();
	struct cx_err e;

	if (!(m->restart_at > 0)) {
		unsigned delay = m->restarts < 6 ? (1U << m->restarts) >> 1 : BACKOFF_MAX;

		/* What our own hand stopped is no crash. */
		m->restart_at = now + (m->unhurt ? 0 : delay);
		m->unhurt = 0;
		m->term_at = 0;
		(void)fprintf(stderr, "%s: down, starts again in %.0f s\n", b->name, m->restart_at - now);
	}
	c->busy = 1;
	if (now < m->restart_at)
		return;
	m->restart_at = 0;
	m->restarts++;
	m->next_check = 0;
	m->attempts = 0;
	if (outdated(c, a, b, entry)) {
		box_remove(c, b->id);
		return;
	}
	if (box_start(c, b, &e) < 0) {
		(void)snprintf(m->said, sizeof(m->said), "%.200s", e.text);
		complain("start a container", &e);
	}
}

static void
keep(struct conv *c, struct app *a, struct box *b)
{
	const json_t *entry = json_object_get(json_object_get(a->manifest, "services"), b->service);

	b->memo->retire_since = 0;
	if (b->memo->term_at > 0) { /* asked to stop by a request: let it end, then start it again */
		if (b->state == RUNNING) {
			if (now_s() - b->memo->term_at > 10)
				box_stop(c, b);
			c->busy = 1;
			return;
		}
	}
	if (b->state != RUNNING) {
		b->memo->healthy = 0;
		restart(c, a, b, entry);
		return;
	}
	if (now_s() - b->memo->running_since > 60)
		b->memo->restarts = 0;
	health_visit(c, b, entry);
}

/* Not wanted any more: no route leads to it since this pass; it stops when its connections end, or when the time is up.
 */
static void
retire(struct conv *c, struct box *b)
{
	double now = now_s();
	int open;

	c->busy = 1;
	if (!(b->memo->retire_since > 0)) {
		b->memo->retire_since = now;
		return;
	}
	/* The router reads a route within milliseconds; half a second is for connections that it is just making. */
	open = b->state == RUNNING && !(b->memo->term_at > 0) ? diagnose_connections(c, b) : 0;
	if (now - b->memo->retire_since < 0.5 || (open != 0 && now - b->memo->retire_since < (double)b->drain))
		return;
	box_stop(c, b);
}

static void
make_missing(struct conv *c, struct app *a)
{
	const char *active = state_str(a, "active"), *service;
	json_t *entry;

	json_object_foreach (json_object_get(a->manifest, "services"), service, entry) {
		long count = want_count(a, service, entry);

		for (long i = 1; i <= count; i++) {
			CX_FREE char *name = NULL;
			CX_JSON json_t *body = NULL;
			char id[65];
			struct cx_err e;

			if (box_find(c, a->name, "service", service, active, i))
				continue;
			body = want_service(c, a, active, service, entry, a->urls, a->build, i, &name, &e);
			if (body && box_create(c, name, body, id, &e) == 0)
				return; /* one in a pass */
			complain(service, &e);
			a->broken_until = now_s() + RETRY_SECONDS;
			return;
		}
	}
}

static int
load(struct conv *c, struct app *a)
{
	const char *active = state_str(a, "active");
	struct cx_err e;

	if (strcmp(a->loaded, active) == 0)
		return 1;
	if (now_s() < a->broken_until)
		return 0;
	json_decref(a->manifest);
	json_decref(a->build);
	json_decref(a->urls);
	a->manifest = a->build = a->urls = NULL;
	a->loaded[0] = '\0';
	if (want_load(c, a->name, active, &a->manifest, &a->build, &a->urls, &e) < 0) {
		complain("read the active release", &e);
		a->broken_until = now_s() + RETRY_SECONDS;
		return 0;
	}
	(void)snprintf(a->loaded, sizeof(a->loaded), "%s", active);
	return 1;
}

void
steady_step(struct conv *c, struct app *a)
{
	const char *promoting = a->roll ? a->roll->release : "";

	if (!state_str(a, "active")[0] || !load(c, a))
		return;
	(void)resource_step(c, a, a->manifest, NULL, NULL, NULL);
	if (now_s() >= a->broken_until)
		make_missing(c, a);
	for (size_t i = 0; i < c->n; i++) {
		struct box *b = &c->boxes[i];

		if (strcmp(b->app, a->name) != 0 || strcmp(b->type, "service") != 0)
			continue;
		if (wanted(a, b))
			keep(c, a, b);
		else if (strcmp(b->release, promoting) != 0)
			retire(c, b);
	}
}
