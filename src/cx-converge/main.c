/* cx-converge: makes the engine be what the spool says, pass after pass. */
#include "converge.h"
#include "watch.h"
#include <cx/buf.h>
#include <cx/own.h>
#include <cx/proc.h>
#include <getopt.h>
#include <signal.h>
#include <string.h>

#define IDLE_MS 5000
#define BUSY_MS 100

static const char usage[] = "usage: cx-converge [--once]\n";
static volatile sig_atomic_t ended;

static void
on_signal(int sig)
{
	(void)sig;
	ended = 1;
}

static json_t *
load_state(struct conv *c, const char *name)
{
	CX_FREE char *file = cx_fmt("apps/%s/state.json", name);
	struct cx_err e;
	json_t *s = cx_json_load(c->spool.dir, file, &e);

	if (!s && e.cls != CX_NO)
		complain("read a state", &e);
	return s ? s
		 : json_pack("{s:i,s:s,s:n,s:n,s:n,s:n,s:n,s:[],s:[]}", "v", 1, "app", name, "active", "promoting",
			   "attempt", "result", "reason", "services", "resources");
}

static struct app *
app_of(struct conv *c, const char *name)
{
	struct app *a = c->apps;

	while (a && strcmp(a->name, name) != 0)
		a = a->next;
	if (a)
		return a;
	a = cx_alloc(sizeof(*a));
	(void)snprintf(a->name, sizeof(a->name), "%s", name);
	a->state = load_state(c, name);
	a->next = c->apps;
	c->apps = a;
	return a;
}

static void
app_free(struct app *a)
{
	rollout_free(a->roll);
	json_decref(a->app);
	json_decref(a->state);
	json_decref(a->manifest);
	json_decref(a->build);
	json_decref(a->urls);
	free(a->route);
	free(a);
}

/* Apps as the spool has them now; those that are gone are forgotten. */
static int
read_apps(struct conv *c, struct cx_err *e)
{
	CX_JSON json_t *names = cx_spool_list(c->spool.dir, "apps", e);
	size_t i;
	json_t *v;

	if (!names)
		return -1;
	json_array_foreach (names, i, v) {
		CX_FREE char *file = cx_fmt("apps/%s/app.json", json_string_value(v));
		json_t *j = cx_name_valid(json_string_value(v)) ? cx_json_load(c->spool.dir, file, e) : NULL;
		struct app *a;

		/* One that cannot be read is not gone: it is left as it is. */
		if (!j && (!cx_name_valid(json_string_value(v)) || e->cls == CX_NO))
			continue;
		a = app_of(c, json_string_value(v));
		a->seen = 1;
		if (!j) {
			complain("read an app", e);
			continue;
		}
		json_decref(a->app);
		a->app = j;
	}
	for (struct app **p = &c->apps; *p;) {
		struct app *a = *p;

		if (a->seen) {
			a->seen = 0;
			p = &a->next;
		} else {
			*p = a->next;
			app_free(a);
		}
	}
	return 0;
}

/* Containers of apps that the spool does not know: what a deletion that was cut short left. */
static void
stop_strangers(struct conv *c)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct app *a = c->apps;

		while (a && strcmp(a->name, c->boxes[i].app) != 0)
			a = a->next;
		if (!a && c->boxes[i].app[0])
			box_stop(c, &c->boxes[i]);
	}
}

static int
leads_to(const json_t *backend, const struct box *b)
{
	char process[13];

	(void)snprintf(process, sizeof(process), "%.12s", b->id);
	return strcmp(cx_json_strd(backend, "process", ""), process) == 0;
}

/* After a start: what the routes lead to was healthy, and stays so until a check says otherwise. */
static void
trust_routes(struct conv *c, const struct app *a)
{
	CX_FREE char *file = cx_fmt("routes/%s.json", a->name);
	struct cx_err e;
	CX_JSON json_t *route = cx_json_load(c->spool.dir, file, &e);
	size_t i, k;
	json_t *s, *b;

	json_array_foreach (json_object_get(route, "services"), i, s)
		json_array_foreach (json_object_get(s, "backends"), k, b)
			for (size_t n = 0; n < c->n; n++)
				if (c->boxes[n].state == RUNNING && leads_to(b, &c->boxes[n]))
					c->boxes[n].memo->healthy = c->boxes[n].memo->ever = 1;
}

static void
app_step(struct conv *c, struct app *a)
{
	const char *attempt = cx_json_strd(a->app, "attempt", ""), *result = state_str(a, "result");

	if (!a->app)
		return;
	if (strcmp(cx_json_strd(a->app, "status", ""), "deleting") == 0) {
		(void)gc_app(c, a);
		return;
	}
	requests_step(c, a);
	if (attempt[0] && (a->roll ? strcmp(a->roll->attempt, attempt) != 0
				   : strcmp(state_str(a, "attempt"), attempt) != 0 || strcmp(result, "promoting") == 0))
		rollout_begin(c, a);
	steady_step(c, a);
	if (a->roll)
		rollout_step(c, a);
	route_publish(c, a);
}

static int
pass(struct conv *c, int first, struct cx_err *e)
{
	c->busy = c->dirty = 0;
	if (read_apps(c, e) < 0 || box_list(c, e) < 0)
		return -1;
	if (!c->network_seen && box_ensure_network(c, e) < 0)
		return -1;
	c->network_seen = 1;
	for (struct app *a = c->apps; a && first; a = a->next)
		trust_routes(c, a);
	for (struct app *a = c->apps; a; a = a->next)
		app_step(c, a);
	stop_strangers(c);
	gc_processes(c);
	return 0;
}

static int
loop(struct conv *c, int once, struct cx_err *e)
{
	struct watch w;
	int first = 1;

	if (watch_open(&w, e) < 0)
		return -1;
	while (!ended) {
		int fds[2], good;

		watch_refresh(&w, c);
		watch_drain(&w);
		good = pass(c, first, e) == 0;
		if (good && first)
			cx_ready();
		first = !good;
		if (!good)
			complain("this pass failed", e);
		if (once && (!good || (!c->busy && !c->dirty)))
			break;
		c->busy |= now_s() < w.settles;
		if (good && c->dirty)
			continue;
		fds[0] = w.inotify;
		fds[1] = w.events;
		health_wait(c->health, fds, w.events >= 0 ? 2 : 1, !good ? 1000 : c->busy ? BUSY_MS : IDLE_MS);
	}
	watch_close(&w);
	return once && first ? -1 : 0;
}

static int
run(int once, struct cx_err *e)
{
	static struct conv c; /* lives as long as the process */

	if (cx_spool_open(&c.spool, e) < 0)
		return -1;
	/* A second is for a child of a killed one, between its birth and its letting go of the lock. */
	c.lock = cx_lock(c.spool.dir, "run/converge.lock", 1, "cx-converge", e);
	if (c.lock < 0)
		return -1;
	c.rack = cx_json_strd(c.spool.rack, "name", "local");
	c.network = cx_json_strd(c.spool.rack, "network", "cx-local");
	c.engine = cx_engine_open(NULL, c.spool.rack, e);
	if (!c.engine)
		return -1;
	c.health = health_new();
	gc_temporaries(&c);
	return loop(&c, once, e);
}

int
main(int argc, char **argv)
{
	static const struct option longs[] = {
		{"once", no_argument, NULL, 'o'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	struct sigaction sa = {.sa_handler = on_signal};
	int once = 0;
	struct cx_err e;

	if (cx_globals(&argc, argv, 0, &e) < 0)
		return cx_err_report(&e, "cx-converge");
	for (int o; (o = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
		if (o != 'o') {
			(void)fputs(usage, o == 'h' ? stdout : stderr);
			return o == 'h' ? 0 : CX_BAD;
		}
		once = 1;
	}
	if (optind != argc) {
		(void)fputs(usage, stderr);
		return CX_BAD;
	}
	(void)sigaction(SIGTERM, &sa, NULL);
	(void)sigaction(SIGINT, &sa, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	if (run(once, &e) < 0)
		return cx_err_report(&e, "cx-converge");
	return 0;
}
