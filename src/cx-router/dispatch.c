/*
 * Which service a request is for, and what becomes of it when no process can
 * take it now: a page, or a wait. A wait is bounded in number and in time; it
 * ends when the routes change, and a process that refused is asked again.
 */
#include "balance.h"
#include "metrics.h"
#include "router.h"
#include <string.h>

#define HELD_MAX 4096 /* requests that wait, in all */
#define HELD_SERVICE 512 /* of one service */
#define AGAIN_SECONDS 0.1

static void
leave(struct stream *s)
{
	struct router *r = s->r;

	if (!s->held)
		return;
	*s->held = s->held_next;
	if (s->held_next)
		s->held_next->held = s->held;
	s->held = NULL;
	s->held_next = NULL;
	r->held_n--;
	metrics_gauge(&s->service->m->waiting, -1);
}

/* Waits for a process, as long as its service says from the first try on. True when it does. */
static int
hold(struct stream *s)
{
	struct router *r = s->r;
	struct service *v = s->service;

	if (!v->hold || s->tunnel || s->body_seen || r->stopping)
		return 0;
	if (!(s->held_until > 0)) {
		if (r->held_n >= HELD_MAX || __atomic_load_n(&v->m->waiting, __ATOMIC_RELAXED) >= HELD_SERVICE)
			return 0;
		s->held_until = r->now + (double)v->hold;
		metrics_add(&v->m->held, 1);
	}
	if (r->now >= s->held_until)
		return 0;
	s->step = HELD;
	s->deadline = s->held_until;
	s->held_next = r->held;
	s->held = &r->held;
	if (r->held)
		r->held->held = &s->held_next;
	r->held = s;
	r->held_n++;
	metrics_gauge(&v->m->waiting, 1);
	return 1;
}

static const char *
absence(const struct service *v)
{
	if (v->paused)
		return "it is paused";
	if (!v->state || strcmp(v->state, "stopped") == 0)
		return "it is scaled to no process";
	return strcmp(v->state, "crashed") == 0 ? "its process crashed" : "it is starting";
}

static void
go(struct stream *s)
{
	struct service *v = s->service;

	if (v->maintenance)
		page_refuse(s, 503, "it is under maintenance");
	else if (v->https)
		page_refuse(s, 502,
			"its port speaks https, which this balancer does not speak to processes yet: use http:PORT");
	else if (v->n == 0 || v->paused) {
		if (!hold(s))
			page_refuse(s, 503, absence(v));
	} else if (backend_connect(s) < 0 && !hold(s))
		page_refuse(s, 502, "no process takes a connection");
}

int
dispatch_find(struct stream *s)
{
	struct span host = {s->host, strlen(s->host)}, path = {s->path, strlen(s->path)};

	s->service = table_find(s->r->table, host, path);
	if (s->service)
		metrics_gauge(&s->service->m->active, 1);
	return s->service != NULL;
}

void
dispatch_leave(struct stream *s)
{
	leave(s);
	if (s->service)
		metrics_gauge(&s->service->m->active, -1);
	service_unref(s->service);
	s->service = NULL;
}

void
dispatch(struct stream *s)
{
	if (s->service)
		go(s);
	else
		page_refuse(s, 404, "");
}

int
dispatch_hold(struct stream *s)
{
	return s->service && hold(s);
}

void
dispatch_late(struct stream *s)
{
	leave(s);
	page_refuse(s, 503, s->service->n ? "no process takes a connection" : absence(s->service));
}

void
dispatch_cut(struct stream *s)
{
	if (s->step == DONE || !s->target || !(s->target->gone > 0) || !s->service ||
		s->r->now < s->target->gone + (double)s->service->drain)
		return;
	metrics_add(&s->service->m->cut, 1);
	if (s->responded) {
		s->down->abort(s);
		return;
	}
	page_refuse(s, 502, "its process was taken out of service before it answered");
	s->down->wake(s);
}

/* Tries those that wait again: all when the routes changed, else those whose service has processes to ask. */
void
dispatch_again(struct router *r, int routes_changed)
{
	struct stream *all = r->held, *turn = NULL, *s;

	if (!all || (!routes_changed && r->now < r->held_at))
		return;
	r->held_at = r->now + AGAIN_SECONDS;
	/* A list of its own, the oldest first. What happens to one may end others: each unlinks itself. */
	r->held = NULL;
	while ((s = all) != NULL) {
		all = s->held_next;
		s->held_next = turn;
		s->held = &turn;
		if (turn)
			turn->held = &s->held_next;
		turn = s;
	}
	while ((s = turn) != NULL) {
		leave(s);
		if (routes_changed) {
			dispatch_leave(s);
			(void)dispatch_find(s);
		}
		s->tries = 0;
		s->step = EXCHANGE;
		dispatch(s);
		if (s->step != HELD)
			s->down->wake(s);
	}
}
