/* The counters as OpenMetrics text, and as JSON. Services that saw no request are left out. */
#include "admin.h"
#include "metrics.h"
#include <cx/buf.h>
#include <cx/json.h>
#include <cx/own.h>
#include <cx/spool.h>
#include <string.h>

static void
put_label(struct cx_buf *b, const char *s)
{
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			cx_buf_addc(b, '\\');
		cx_buf_addc(b, *s);
	}
}

static void
put_names(struct cx_buf *b, const char *family, const char *app, const char *service)
{
	cx_buf_addf(b, "cx_router_%s{app=\"", family);
	put_label(b, app);
	cx_buf_adds(b, "\",service=\"");
	put_label(b, service);
	cx_buf_adds(b, "\"");
}

/* A family that has one number a service. */
struct family {
	const char *name, *type, *unit, *help;
	size_t offset;
	int gauge;
};

struct visit {
	struct cx_buf *b;
	const struct family *f;
};

static uint64_t
requests_of(const struct metrics_service *s)
{
	uint64_t n = 0;

	for (size_t i = 0; i < METRICS_LATENCIES; i++)
		n += metrics_get(&s->latency[i]);
	return n;
}

static int
is_quiet(const struct metrics_service *s)
{
	return requests_of(s) == 0 && s->active == 0;
}

static void
one_number(const struct metrics_service *s, void *arg)
{
	const struct visit *v = arg;
	const char *at = (const char *)s + v->f->offset;
	unsigned long long n = v->f->gauge ? *(const uint32_t *)(const void *)at : metrics_get((const void *)at);

	if (is_quiet(s))
		return;
	put_names(v->b, v->f->name, s->app, s->name);
	cx_buf_addf(v->b, "} %llu\n", n);
}

static void
statuses(const struct metrics_service *s, void *arg)
{
	const struct visit *v = arg;

	for (int own = 0; own < 2; own++)
		for (int i = 1; i < 6; i++) {
			unsigned long long n = metrics_get(own ? &s->own[i] : &s->status[i]);

			if (!n)
				continue;
			put_names(v->b, "requests_total", s->app, s->name);
			cx_buf_addf(v->b, ",code=\"%dxx\",by=\"%s\"} %llu\n", i, own ? "router" : "process", n);
		}
}

static void
histogram(const struct metrics_service *s, void *arg)
{
	const struct visit *v = arg;
	unsigned long long sum = 0;

	if (is_quiet(s))
		return;
	/* Octaves are enough for others; the finer steps are in /status. */
	for (unsigned i = 0; i < METRICS_LATENCIES; i++) {
		sum += metrics_get(&s->latency[i]);
		if (i % 4 || i == METRICS_LATENCIES - 1)
			continue;
		put_names(v->b, "request_seconds_bucket", s->app, s->name);
		cx_buf_addf(v->b, ",le=\"%.6f\"} %llu\n", (double)metrics_bucket_end(i) / 1e6, sum);
	}
	put_names(v->b, "request_seconds_bucket", s->app, s->name);
	cx_buf_addf(v->b, ",le=\"+Inf\"} %llu\n", sum);
	put_names(v->b, "request_seconds_sum", s->app, s->name);
	cx_buf_addf(v->b, "} %.6f\n", (double)metrics_get(&s->micros) / 1e6);
	put_names(v->b, "request_seconds_count", s->app, s->name);
	cx_buf_addf(v->b, "} %llu\n", sum);
}

static void
head(struct cx_buf *b, const char *name, const char *type, const char *unit, const char *help)
{
	cx_buf_addf(b, "# TYPE cx_router_%s %s\n", name, type);
	if (unit)
		cx_buf_addf(b, "# UNIT cx_router_%s %s\n", name, unit);
	cx_buf_addf(b, "# HELP cx_router_%s %s\n", name, help);
}

static void
services(struct metrics *m, struct cx_buf *b, void (*f)(const struct metrics_service *s, void *arg), struct visit *v)
{
	(void)b;
	metrics_services(m, f, v);
	if (!is_quiet(&m->none))
		f(&m->none, v);
}

static void
backend_numbers(const struct metrics_backend *k, void *arg)
{
	const struct visit *v = arg;
	const char *name = v->f->name;
	unsigned long long n = strcmp(name, "backend_requests_total") == 0   ? metrics_get(&k->requests)
			       : strcmp(name, "backend_failures_total") == 0 ? metrics_get(&k->failures)
			       : strcmp(name, "backend_active") == 0         ? k->active
			       : strcmp(name, "backend_healthy") == 0        ? k->health != HEALTH_BAD
									     : k->draining;

	if (metrics_get(&k->requests) == 0 && metrics_get(&k->failures) == 0 && k->health == HEALTH_UNKNOWN)
		return;
	put_names(v->b, name, k->app, k->name);
	cx_buf_addf(v->b, ",backend=\"%s:%u\",process=\"", k->address, k->port);
	put_label(v->b, k->process);
	cx_buf_addf(v->b, "\"} %llu\n", n);
}

static void
of_backends(struct metrics *m, struct visit *v)
{
	static const struct family all[] = {
		{"backend_requests_total", "counter", NULL, "Requests given to a process.", 0, 0},
		{"backend_failures_total", "counter", NULL,
			"Connections that a process did not take, or closed without an answer.", 0, 0},
		{"backend_active", "gauge", NULL, "Requests under way to a process.", 0, 1},
		{"backend_healthy", "gauge", NULL, "1 unless its health checks failed.", 0, 1},
		{"backend_draining", "gauge", NULL, "1 when it gets no new requests.", 0, 1}};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		size_t n = strlen(all[i].name) - (strcmp(all[i].type, "counter") == 0 ? 6 : 0);

		cx_buf_addf(v->b, "# TYPE cx_router_%.*s %s\n# HELP cx_router_%.*s %s\n", (int)n, all[i].name,
			all[i].type, (int)n, all[i].name, all[i].help);
		v->f = &all[i];
		metrics_backends(m, backend_numbers, v);
	}
}

static void
of_router(struct metrics *m, struct cx_buf *b)
{
	const struct metrics_router *r = &m->router;
	const struct {
		const char *name, *type, *help;
		unsigned long long n;
	} all[] = {{"connections", "gauge", "Connections of clients.", r->connections},
		{"hosts", "gauge", "Host names in the routes.", r->routes},
		{"accepted", "counter", "Connections that were taken.", metrics_get(&r->accepted)},
		{"refused", "counter", "Connections that were closed at once: there were too many.",
			metrics_get(&r->refused)},
		{"log_dropped", "counter", "Lines of the access log that a slow disk cost.",
			metrics_get(&r->log_dropped)},
		{"route_errors", "counter", "Route files that were broken.", metrics_get(&r->route_errors)},
		{"route_changes", "counter", "Route files that were taken.", metrics_get(&r->route_changes)}};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		head(b, all[i].name, all[i].type, NULL, all[i].help);
		cx_buf_addf(b, "cx_router_%s%s %llu\n", all[i].name, all[i].type[0] == 'c' ? "_total" : "", all[i].n);
	}
	head(b, "answers", "counter", NULL, "Answers of the balancer's own, by status.");
	for (int i = 0; i < METRICS_CODES; i++)
		if (metrics_get(&r->own[i]))
			cx_buf_addf(b, "cx_router_answers_total{code=\"%d\"} %llu\n", i,
				(unsigned long long)metrics_get(&r->own[i]));
}

#define AT(field) offsetof(struct metrics_service, field)

void
render_metrics(struct metrics *m, struct cx_buf *b)
{
	static const struct family all[] = {
		{"received_bytes_total", "counter", "bytes", "Bodies of requests.", AT(in), 0},
		{"sent_bytes_total", "counter", "bytes", "Bodies of answers.", AT(out), 0},
		{"retries_total", "counter", NULL, "Requests that were given to another process.", AT(retries), 0},
		{"held_total", "counter", NULL, "Requests that waited for a process.", AT(held), 0},
		{"cut_total", "counter", NULL, "Requests that a drain's time-out ended.", AT(cut), 0},
		{"active", "gauge", NULL, "Requests and tunnels under way.", AT(active), 1},
		{"waiting", "gauge", NULL, "Requests that wait for a process.", AT(waiting), 1}};
	struct visit v = {.b = b};

	of_router(m, b);
	head(b, "requests", "counter", NULL, "Requests, by the status of their answer and who gave it.");
	services(m, b, statuses, &v);
	head(b, "request_seconds", "histogram", "seconds", "From the request's head to the end of its answer.");
	services(m, b, histogram, &v);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		size_t n = strlen(all[i].name) - (all[i].gauge ? 0 : 6);
		char name[40];

		(void)snprintf(name, sizeof(name), "%.*s", (int)n, all[i].name);
		head(b, name, all[i].type, all[i].unit, all[i].help);
		v.f = &all[i];
		services(m, b, one_number, &v);
	}
	of_backends(m, &v);
	cx_buf_adds(b, "# EOF\n");
}

/* --- JSON --- */

static void
status_service(const struct metrics_service *s, void *arg)
{
	json_t *latency = json_array(), *o;
	json_int_t ours = 0, five = 0;

	if (is_quiet(s))
		return;
	for (unsigned i = 0; i < METRICS_LATENCIES; i++)
		if (metrics_get(&s->latency[i]))
			(void)json_array_append_new(latency, json_pack("[I,I]", (json_int_t)metrics_bucket_end(i),
								     (json_int_t)metrics_get(&s->latency[i])));
	for (int i = 1; i < 6; i++)
		ours += (json_int_t)metrics_get(&s->own[i]);
	five = (json_int_t)metrics_get(&s->own[5]);
	five += (json_int_t)metrics_get(&s->status[5]);
	o = json_pack("{s:s,s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:o}", "app", s->app, "service", s->name,
		"requests", (json_int_t)requests_of(s), "own", ours, "errors", five, "active", (json_int_t)s->active,
		"waiting", (json_int_t)s->waiting, "received", (json_int_t)metrics_get(&s->in), "sent",
		(json_int_t)metrics_get(&s->out), "retries", (json_int_t)metrics_get(&s->retries), "micros",
		(json_int_t)metrics_get(&s->micros), "latency", latency);
	if (o)
		(void)json_array_append_new(arg, o);
}

static void
status_backend(const struct metrics_backend *k, void *arg)
{
	json_t *o = json_pack("{s:s,s:s,s:s,s:i,s:s,s:I,s:I,s:I,s:s,s:b,s:s}", "app", k->app, "service", k->name,
		"address", k->address, "port", (int)k->port, "process", k->process, "requests",
		(json_int_t)metrics_get(&k->requests), "failures", (json_int_t)metrics_get(&k->failures), "active",
		(json_int_t)k->active, "health",
		k->health == HEALTH_GOOD  ? "healthy"
		: k->health == HEALTH_BAD ? "unhealthy"
					  : "unknown",
		"draining", (int)k->draining, "why", k->why);

	if (o)
		(void)json_array_append_new(arg, o);
}

void
render_status(struct metrics *m, struct cx_buf *b)
{
	json_t *list = json_array(), *backends = json_array();
	CX_JSON json_t *o = NULL;
	CX_FREE char *text = NULL;
	char now[32];

	cx_time_now(now);
	metrics_services(m, status_service, list);
	status_service(&m->none, list);
	metrics_backends(m, status_backend, backends);
	o = json_pack("{s:i,s:s,s:I,s:I,s:I,s:o,s:o}", "v", 1, "time", now, "connections",
		(json_int_t)m->router.connections, "accepted", (json_int_t)metrics_get(&m->router.accepted), "hosts",
		(json_int_t)m->router.routes, "services", list, "backends", backends);
	text = cx_json_text(o);
	cx_buf_adds(b, text);
	cx_buf_addc(b, '\n');
}
