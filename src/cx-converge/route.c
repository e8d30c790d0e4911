/* What others read: routes/APP.json for the router and the DNS server, state.json for commands. */
#include "converge.h"
#include <cx/buf.h>
#include <cx/own.h>
#include <string.h>

#define STICKY_SECONDS 86400 /* as the ALB's default */

const char *
state_str(const struct app *a, const char *key)
{
	return cx_json_strd(a->state, key, "");
}

static void
add_backends(struct conv *c, const struct app *a, const char *service, long long port, int only_healthy, json_t *list)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct box *b = &c->boxes[i];
		char process[13];

		if (strcmp(b->app, a->name) != 0 || strcmp(b->type, "service") != 0 ||
			strcmp(b->service, service) != 0 || strcmp(b->release, state_str(a, "active")) != 0)
			continue;
		if (b->state != RUNNING || !b->ip[0] || b->memo->retire_since > 0 || b->memo->term_at > 0)
			continue;
		/* All unhealthy: those that once were healthy get the requests, as an ALB fails open. */
		if (only_healthy ? !b->memo->healthy : !b->memo->ever)
			continue;
		(void)snprintf(process, sizeof(process), "%.12s", b->id);
		(void)json_array_append_new(list,
			json_pack("{s:s,s:I,s:s}", "address", b->ip, "port", (json_int_t)port, "process", process));
	}
}

struct tally {
	long running, healthy, down;
	const struct box *last;
};

static struct tally
count(const struct conv *c, const struct app *a, const char *service)
{
	struct tally t = {0};

	for (size_t i = 0; i < c->n; i++) {
		const struct box *b = &c->boxes[i];

		if (strcmp(b->app, a->name) != 0 || strcmp(b->type, "service") != 0 ||
			strcmp(b->service, service) != 0 || strcmp(b->release, state_str(a, "active")) != 0 ||
			b->memo->retire_since > 0)
			continue;
		t.running += b->state == RUNNING;
		t.healthy += b->state == RUNNING && b->memo->healthy;
		t.down += b->state != RUNNING;
		if (b->state != RUNNING || !b->memo->healthy)
			t.last = b;
	}
	return t;
}

/* running, starting, crashed or stopped, and why. */
static const char *
status_of(struct conv *c, const struct tally *t, const json_t *entry, long want, char **reason, char **hint)
{
	*reason = *hint = NULL;
	if (want == 0)
		return "stopped";
	if (t->healthy > 0)
		return "running";
	if (t->down > 0 && t->last) {
		*reason = diagnose_exit(c, t->last->id);
		*hint = diagnose_hint(*reason, entry);
		return "crashed";
	}
	if (t->last && t->last->memo->said[0])
		diagnose(c, t->last, entry, reason, hint);
	return "starting";
}

/* The last line that a crashed process wrote, for the balancer's page; owned by the caller, may be NULL. */
static char *
last_line(struct conv *c, const struct tally *t)
{
	CX_FREE char *log = t->last && t->down > 0 && t->healthy == 0 ? box_log(c, t->last->id, 1) : NULL;
	size_t n = log ? strlen(log) : 0;

	while (n && (log[n - 1] == '\n' || log[n - 1] == '\r'))
		log[--n] = '\0';
	return n && cx_utf8_valid(log, n) ? cx_steal(&log) : NULL;
}

static json_t *
service_route(struct conv *c, struct app *a, const char *name, const json_t *entry, json_t *states)
{
	const json_t *port = json_object_get(entry, "port");
	long long n = cx_json_int(port, "port", 0);
	const char *scheme = cx_json_strd(port, "scheme", "http"), *status;
	CX_FREE char *host = want_host(c, a->name, name), *url = NULL, *reason = NULL, *hint = NULL, *line = NULL;
	long want = want_count(a, name, entry),
	     https = (long)cx_json_int(json_object_get(c->spool.rack, "ports"), "https", 443);
	struct tally t = count(c, a, name);
	json_t *backends, *s;

	status = status_of(c, &t, entry, want, &reason, &hint);
	url = n == 0 ? NULL : https == 443 ? cx_fmt("https://%s", host) : cx_fmt("https://%s:%ld", host, https);
	s = json_pack("{s:s,s:s,s:s?,s:I,s:s,s:i,s:i,s:i,s:s,s:s,s:s?}", "name", name, "host", host, "url", url, "port",
		(json_int_t)n, "scheme", scheme, "count", (int)want, "running", (int)t.running, "healthy",
		(int)t.healthy, "release", state_str(a, "active"), "status", status, "reason", reason);
	(void)json_array_append_new(states, s);
	if (n == 0)
		return NULL;
	backends = json_array();
	add_backends(c, a, name, n, 1, backends);
	if (json_array_size(backends) == 0)
		add_backends(c, a, name, n, 0, backends);
	if (strcmp(status, "crashed") == 0)
		line = last_line(c, &t);
	return json_pack("{s:s,s:[s],s:s,s:s,s:s?,s:s?,s:s?,s:I,s:I,s:I,s:o}", "name", name, "hosts", host, "scheme",
		scheme, "state", status, "reason", reason, "hint", hint, "line", line, "timeout",
		(json_int_t)cx_json_int(entry, "timeout", 60), "drain", (json_int_t)cx_json_int(entry, "drain", 30),
		"sticky", (json_int_t)(cx_json_true(entry, "sticky") ? STICKY_SECONDS : 0), "backends", backends);
}

static int
put_route(struct conv *c, struct app *a, const json_t *route)
{
	CX_FREE char *file = cx_fmt("routes/%s.json", a->name), *text = cx_json_text(route);
	struct cx_err e;

	if (a->route && strcmp(a->route, text) == 0)
		return 0;
	/* Who may look is the folder's business (0750, the network daemons' group). */
	if (cx_spool_publish_json(c->spool.dir, file, route, 0644, &e) < 0) {
		complain("publish a route", &e);
		return -1;
	}
	free(a->route);
	a->route = cx_steal(&text);
	return 0;
}

int
state_publish(struct conv *c, struct app *a, struct cx_err *e)
{
	CX_FREE char *file = cx_fmt("apps/%s/state.json", a->name);
	char now[32];

	cx_time_now(now);
	cx_json_set(a->state, "updated", now);
	return cx_spool_publish_json(c->spool.dir, file, a->state, 0644, e);
}

static void
put_state(struct conv *c, struct app *a, json_t *services, json_t *resources)
{
	struct cx_err e;

	if (json_equal(json_object_get(a->state, "services"), services) &&
		json_equal(json_object_get(a->state, "resources"), resources))
		return;
	(void)json_object_set(a->state, "services", services);
	(void)json_object_set(a->state, "resources", resources);
	if (state_publish(c, a, &e) < 0)
		complain("publish the state", &e);
}

void
route_publish(struct conv *c, struct app *a)
{
	CX_JSON json_t *states = json_array(), *services = json_array(), *resources = NULL, *route = NULL;
	const char *name;
	json_t *entry;

	if (!a->manifest)
		return;
	json_object_foreach (json_object_get(a->manifest, "services"), name, entry) {
		json_t *r = service_route(c, a, name, entry, states);

		if (r)
			(void)json_array_append_new(services, r);
	}
	resources = resource_routes(c, a, a->manifest);
	route = json_pack("{s:i,s:s,s:s,s:O,s:O}", "v", 1, "app", a->name, "release", state_str(a, "active"),
		"services", services, "resources", resources);
	(void)put_route(c, a, route);
	put_state(c, a, states, resources);
}
