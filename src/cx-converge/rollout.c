/*
 * A promotion: start the new beside the old, wait until all are healthy, swap
 * the route in one rename, let the old drain and stop, say that it is done.
 * state.json says where it stands; what a killed run left is found by labels.
 */
#include "converge.h"
#include <cx/buf.h>
#include <cx/event.h>
#include <cx/own.h>
#include <string.h>

#define LOG_LINES 20

void
rollout_free(struct rollout *r)
{
	if (!r)
		return;
	json_decref(r->manifest);
	json_decref(r->build);
	json_decref(r->urls);
	free(r);
}

static void
record(struct conv *c, struct app *a, const char *result, const char *reason)
{
	struct cx_err e;

	cx_json_set(a->state, "result", result);
	cx_json_set(a->state, "reason", reason);
	if (state_publish(c, a, &e) < 0)
		complain("record a promotion", &e);
}

static void
end(struct conv *c, struct app *a, const char *result, const char *reason)
{
	cx_json_set(a->state, "promoting", NULL);
	record(c, a, result, reason);
	rollout_free(a->roll);
	a->roll = NULL;
	c->dirty = 1;
}

/* The release failed: its containers go, the old one stays as it is; one event says why. */
static void
fail(struct conv *c, struct app *a, const char *id, const char *process, const char *reason, const char *hint,
	const char *log)
{
	struct rollout *r = a->roll;
	struct cx_event ev = {.at = "release",
		.id = id,
		.process = process,
		.state = "fail",
		.reason = reason,
		.hint = hint,
		.log = log};
	const char *active = state_str(a, "active");

	for (size_t i = 0; i < c->n; i++) {
		struct box *b = &c->boxes[i];

		if (strcmp(b->app, a->name) == 0 && strcmp(b->type, "service") == 0 &&
			strcmp(b->release, r->release) == 0 && strcmp(active, r->release) != 0)
			box_remove(c, b->id);
	}
	if (strcmp(active, r->release) != 0)
		release_mark(c, a->name, r->release, "failed", reason);
	say(c, a->name, r->release, r->attempt, &ev);
	end(c, a, "failed", reason);
}

static void
fail_err(struct conv *c, struct app *a, const char *id, const struct cx_err *e)
{
	CX_FREE char *reason = cx_strdup(e->text), *hint = e->hint[0] ? cx_strdup(e->hint) : NULL;

	fail(c, a, id, NULL, reason, hint, NULL);
}

static void
fail_start(struct conv *c, struct app *a, const char *service, const json_t *entry, struct cx_err *e)
{
	CX_FREE char *hint = diagnose_hint(e->text, entry);

	(void)cx_err_prefix(e, "%s does not start", service);
	if (hint && !e->hint[0])
		(void)cx_err_hint(e, "%s", hint);
	fail_err(c, a, service, e);
}

static void
fail_box(struct conv *c, struct app *a, const struct box *b, const json_t *entry)
{
	CX_FREE char *reason = NULL, *hint = NULL, *log = box_log(c, b->id, LOG_LINES), *full = NULL;
	char process[13];

	diagnose(c, b, entry, &reason, &hint);
	full = cx_fmt("%s %s", b->service, reason);
	(void)snprintf(process, sizeof(process), "%.12s", b->id);
	fail(c, a, b->service, process, full, hint, log);
}

void
rollout_begin(struct conv *c, struct app *a)
{
	const char *release = cx_json_strd(a->app, "release", ""), *attempt = cx_json_strd(a->app, "attempt", "");
	int again = strcmp(state_str(a, "attempt"), attempt) == 0;
	struct rollout *r;
	struct cx_err e;

	if (a->roll)
		fail(c, a, NULL, NULL, "another release was promoted meanwhile", NULL, NULL);
	r = a->roll = cx_alloc(sizeof(*r));
	(void)snprintf(r->release, sizeof(r->release), "%s", release);
	(void)snprintf(r->attempt, sizeof(r->attempt), "%s", attempt);
	cx_json_set(a->state, "promoting", release);
	cx_json_set(a->state, "attempt", attempt);
	record(c, a, "promoting", NULL);
	if (!again) {
		say(c, a->name, release, attempt, &(struct cx_event){.at = "release", .state = "start"});
		if (strcmp(state_str(a, "active"), release) != 0)
			release_mark(c, a->name, release, "promoting", NULL);
	}
	if (want_load(c, a->name, release, &r->manifest, &r->build, &r->urls, &e) < 0)
		fail_err(c, a, NULL, &e);
}

/* One container that is wanted: makes or starts it when it is not there. 1: there, 0: not yet, -1: failed. */
static int
ensure(struct conv *c, struct app *a, const char *service, const json_t *entry, long index)
{
	struct rollout *r = a->roll;
	struct box *b = box_find(c, a->name, "service", service, r->release, index);
	CX_FREE char *name = NULL;
	CX_JSON json_t *body = NULL;
	char id[65] = "", process[13];
	struct cx_err e;

	if (b && b->state == RUNNING)
		return 1;
	if (b && b->state == EXITED && strcmp(state_str(a, "active"), r->release) != 0) {
		fail_box(c, a, b, entry);
		return -1;
	}
	if (b) {
		/* Made, but not started, by a run that was killed; or a crashed one of the active release. */
		if (box_start(c, b, &e) == 0)
			return 0;
		fail_start(c, a, service, entry, &e);
		return -1;
	}
	body = want_service(c, a, r->release, service, entry, r->urls, r->build, index, &name, &e);
	if (!body || box_create(c, name, body, id, &e) < 0) {
		if (id[0])
			box_remove(c, id);
		fail_start(c, a, service, entry, &e);
		return -1;
	}
	(void)snprintf(process, sizeof(process), "%.12s", id);
	say(c, a->name, r->release, r->attempt,
		&(struct cx_event){.at = "rollout", .id = service, .process = process, .state = "start"});
	return 0;
}

/* 1 when all are started; one is made in each pass, so that other apps get their turn. */
static int
start_all(struct conv *c, struct app *a)
{
	const char *service;
	json_t *entry;

	json_object_foreach (json_object_get(a->roll->manifest, "services"), service, entry) {
		long count = want_count(a, service, entry);

		for (long i = 1; i <= count; i++) {
			int there = ensure(c, a, service, entry, i);

			if (there <= 0)
				return there;
		}
	}
	return 1;
}

/* Seconds that a service has to become healthy. */
static double
patience(const json_t *entry)
{
	const json_t *h = json_object_get(entry, "health");
	double t = (double)(cx_json_int(h, "grace", 5) + 5 * cx_json_int(h, "interval", 5));

	return t < 15 ? 15 : t;
}

static void
tell_health(struct conv *c, struct app *a, const struct box *b)
{
	struct rollout *r = a->roll;
	struct memo *m = b->memo;
	char process[13];
	CX_FREE char *text = NULL;

	(void)snprintf(process, sizeof(process), "%.12s", b->id);
	if (m->healthy && m->unhurt == 0) {
		m->unhurt = 2; /* said */
		say(c, a->name, r->release, r->attempt,
			&(struct cx_event){.at = "rollout",
				.id = b->service,
				.process = process,
				.state = "done",
				.text = "healthy"});
	} else if (!m->healthy && m->said[0] && m->attempts % 10 == 1 && m->fails &&
		   m->restarts != (unsigned)m->attempts) {
		m->restarts = (unsigned)m->attempts;
		text = cx_fmt("%s, check %d", m->said, m->attempts);
		say(c, a->name, r->release, r->attempt,
			&(struct cx_event){.at = "health",
				.id = b->service,
				.process = process,
				.state = "progress",
				.text = text});
	}
}

/* 1 when all are healthy, 0 not yet, -1 failed. */
static int
all_healthy(struct conv *c, struct app *a)
{
	struct rollout *r = a->roll;
	int good = 1;

	for (size_t i = 0; i < c->n; i++) {
		struct box *b = &c->boxes[i];
		const json_t *entry;

		if (strcmp(b->app, a->name) != 0 || strcmp(b->type, "service") != 0 ||
			strcmp(b->release, r->release) != 0)
			continue;
		entry = json_object_get(json_object_get(r->manifest, "services"), b->service);
		if (!entry)
			continue;
		health_visit(c, b, entry);
		tell_health(c, a, b);
		good = good && b->memo->healthy;
		if (!b->memo->healthy && now_s() - r->since > patience(entry)) {
			fail_box(c, a, b, entry);
			return -1;
		}
	}
	return good;
}

static void
swap(struct conv *c, struct app *a)
{
	struct rollout *r = a->roll;

	cx_json_set(a->state, "active", r->release);
	record(c, a, "promoting", NULL);
	release_activate(c, a->name, r->release);
	json_decref(a->manifest);
	json_decref(a->build);
	json_decref(a->urls);
	a->manifest = json_incref(r->manifest);
	a->build = json_incref(r->build);
	a->urls = json_incref(r->urls);
	(void)snprintf(a->loaded, sizeof(a->loaded), "%s", r->release);
	for (size_t i = 0; i < c->n; i++)
		if (c->boxes[i].memo->unhurt == 2 && strcmp(c->boxes[i].app, a->name) == 0) {
			c->boxes[i].memo->unhurt = 0;
			c->boxes[i].memo->restarts = 0;
		}
	route_publish(c, a);
	say(c, a->name, r->release, r->attempt,
		&(struct cx_event){.at = "drain", .state = "start", .text = "the new release answers"});
	c->dirty = 1;
}

/* Service containers of other releases that still stand. */
static int
old_ones(struct conv *c, const struct app *a)
{
	int n = 0;

	for (size_t i = 0; i < c->n; i++)
		n += strcmp(c->boxes[i].app, a->name) == 0 && strcmp(c->boxes[i].type, "service") == 0 &&
		     strcmp(c->boxes[i].release, a->roll->release) != 0;
	return n;
}

/* The route leads to the new release: the old ones drain, then it is over. */
static void
wind_up(struct conv *c, struct app *a)
{
	struct rollout *r = a->roll;
	CX_FREE char *release = cx_strdup(r->release), *attempt = cx_strdup(r->attempt);

	if (!r->started && start_all(c, a) <= 0)
		return;
	r->started = 1;
	if (old_ones(c, a))
		return;
	release_activate(c, a->name, release);
	say(c, a->name, release, attempt, &(struct cx_event){.at = "drain", .state = "done"});
	/* The result first: a client that sees the last event finds it in state.json. */
	end(c, a, "active", NULL);
	say(c, a->name, release, attempt, &(struct cx_event){.at = "release", .state = "done"});
	gc_images(c, a);
}

/* 1 when the release's resources are ready, 0 not yet, -1 failed. */
static int
resources_ready(struct conv *c, struct app *a)
{
	struct rollout *r = a->roll;
	struct cx_err e;
	int rc = resource_step(c, a, r->manifest, r->release, r->attempt, &e);

	if (rc < 0)
		fail_err(c, a, NULL, &e);
	return rc;
}

void
rollout_step(struct conv *c, struct app *a)
{
	struct rollout *r = a->roll;

	c->busy = 1;
	if (strcmp(state_str(a, "active"), r->release) == 0) {
		wind_up(c, a);
		return;
	}
	if (resources_ready(c, a) <= 0 || start_all(c, a) <= 0)
		return;
	if (!r->started)
		r->since = now_s();
	r->started = 1;
	if (all_healthy(c, a) == 1)
		swap(c, a);
}
