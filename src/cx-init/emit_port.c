/* Which of a compose service's ports the balancer sends requests to, and its health check. */
#include "emit.h"
#include "health.h"
#include "text.h"
#include <cx/buf.h>
#include <cx/own.h>
#include <string.h>

/* Ports of the containers that speak no HTTP, and those that only a debugger or a reloading browser asks. */
static const long not_http[] = {21, 22, 23, 25, 53, 110, 143, 389, 465, 587, 636, 993, 1025, 1433, 1521, 1883, 2181,
	2888, 3306, 3888, 4222, 5432, 5671, 5672, 6222, 6379, 7000, 7946, 8883, 9042, 9092, 9093, 9101, 11211, 26257,
	26379, 27017, 29092, 33060, 50000};
static const long debug[] = {1234, 2345, 5005, 5678, 5858, 6060, 9222, 9229, 9230, 24678, 35729, 40000};

static int
among(long n, const long *list, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (list[i] == n)
			return 1;
	return 0;
}

/* Why the balancer cannot serve a port; NULL when it can. */
static const char *
refusal(const json_t *port)
{
	const char *target = cx_json_strd(port, "target", "");
	long n = text_number(target, 65535);

	if (strcmp(cx_json_strd(port, "protocol", "tcp"), "tcp") != 0)
		return "the balancer takes TCP only";
	if (strchr(target, '-') && !text_variable(target))
		return "a range cannot be kept";
	if (among(n, not_http, sizeof(not_http) / sizeof(not_http[0])) && !*cx_json_strd(port, "app", ""))
		return "the balancer speaks HTTP, and what listens there does not";
	if (among(n, debug, sizeof(debug) / sizeof(debug[0])))
		return "it is for a debugger";
	return NULL;
}

static int
rank(const json_t *port, const char *health)
{
	const char *published = cx_json_strd(port, "published", ""), *target = cx_json_strd(port, "target", "");

	if (refusal(port))
		return 0;
	if (strcmp(published, "443") == 0 || strcmp(published, "80") == 0)
		return 4;
	if (health && strcmp(health, target) == 0)
		return 3;
	return strcmp(target, "80") == 0 ? 2 : 1;
}

static const json_t *
choose(const json_t *svc, const char *health)
{
	const json_t *best = NULL, *port;
	int most = 0;
	size_t i;

	json_array_foreach (json_object_get(svc, "ports"), i, port)
		if (rank(port, health) > most) {
			most = rank(port, health);
			best = port;
		}
	return best;
}

static const char *
scheme_of(const json_t *svc, const json_t *port)
{
	const char *secure = port_label(svc, cx_json_strd(port, "published", ""), "secure");

	if (secure && strcmp(secure, "true") == 0)
		return "https";
	if (strcmp(cx_json_strd(port, "app", ""), "https") == 0)
		return "https";
	return strcmp(cx_json_strd(port, "target", ""), "443") == 0 ? "https" : "http";
}

static void
put_port(json_t *out, const char *scheme, const char *target)
{
	CX_FREE char *text = cx_fmt("%s:%s", scheme, target);

	if (strcmp(scheme, "http") != 0)
		cx_json_set(out, "port", text);
	else if (text_number(target, 65535) > 0)
		cx_json_seti(out, "port", text_number(target, 65535));
	else
		cx_json_set(out, "port", target);
}

static int
is_variable(const char *s)
{
	return *s && text_variable(s) == strlen(s);
}

/* A port that is not published: other services ask it. */
static void
unpublished(const struct plan *p, const json_t *svc, const char *health, const char *path, json_t *out)
{
	const char *port;
	const json_t *at;

	json_object_foreach (json_object_get(svc, "expose"), port, at) {
		CX_JSON json_t *as = json_pack("{s:s}", "target", port);

		if (refusal(as)) {
			say(p->in, DROPPED, path, at, "expose %s: %s", port, refusal(as));
		} else if (!json_object_get(out, "port")) {
			put_port(out, scheme_of(svc, as), port);
			say(p->in, CHANGED, path, at, "port %s was for other services only: it has a URL now", port);
		}
	}
	if (json_object_get(out, "port") || !health || (text_number(health, 65535) <= 0 && !is_variable(health)))
		return;
	put_port(out, "http", health);
	say(p->in, CHANGED, path, json_object_get(json_object_get(svc, "health"), "at"),
		"port %s is the one that its health check asks", health);
}

static void
report_ports(const struct plan *p, const json_t *svc, const json_t *chosen, const char *path)
{
	const json_t *port;
	size_t i;

	json_array_foreach (json_object_get(svc, "ports"), i, port) {
		const char *target = cx_json_strd(port, "target", ""), *why = refusal(port);
		const char *published = cx_json_strd(port, "published", "");
		const json_t *at = json_object_get(port, "at");

		if (port == chosen) {
			say(p->in, KEPT, path, at, "%s%s%s is the port of https://SERVICE.APP.DOMAIN", published,
				*published ? ":" : "", target);
		} else if (strcmp(target, cx_json_strd(chosen, "target", "")) == 0 && !why) {
			say(p->in, KEPT, path, at, "%s:%s: the balancer has 80 and 443 by itself", published, target);
		} else {
			say(p->in, DROPPED, path, at, "%s%s%s: %s", published, *published ? ":" : "", target,
				why ? why : "a service has one port");
			if (!why)
				say_hint(p->in, "a second service of the same build can have that port");
			else if (!strchr(why, ',') || strcmp(cx_json_strd(port, "protocol", ""), "tcp") != 0)
				continue;
			else
				say_hint(p->in, "what speaks something else can be a resource: add a type of its own "
						"to share/cx/resource");
		}
	}
}

static void
emit_health(const struct plan *p, const json_t *svc, const char *path, json_t *out, const char *url_path)
{
	const json_t *h = json_object_get(svc, "health"), *at = json_object_get(h, "at");
	const char *own = label(svc, "convox.health.path"), *timeout = label(svc, "convox.health.timeout");
	CX_JSON json_t *copy = h ? json_copy((json_t *)h) : json_object(), *made = NULL;
	CX_FREE char *key = cx_fmt("%s.healthcheck", path);

	if (own && *own == '/')
		cx_json_set(copy, "path", own);
	else if (url_path)
		cx_json_set(copy, "path", url_path);
	if (timeout && text_number(timeout, 3600) > 0)
		cx_json_seti(copy, "timeout", text_number(timeout, 3600));
	made = health_make(copy);
	if (h && !json_object_get(out, "port")) {
		say(p->in, DROPPED, key, at, "a service without a port has no health check: it is well while it runs");
		return;
	}
	if (json_object_get(out, "port") && made)
		(void)json_object_set(out, "health", made);
	if (!h)
		return;
	if (json_object_get(h, "retries")) {
		say(p->in, CHANGED, key, at, "retries: not kept; a service that starts slowly wants grace: SECONDS");
	}
	if (cx_json_true(h, "disable")) {
		say(p->in, KEPT, key, at, "switched off");
		return;
	}
	if (url_path) {
		say(p->in, KEPT, key, at, "asks %s", cx_json_strd(copy, "path", "/"));
		return;
	}
	if (!cx_json_str(h, "command")) {
		say(p->in, KEPT, key, at, "its times");
		return;
	}
	say(p->in, DROPPED, key, at, "its command: a health check is an HTTP request, of %s here",
		cx_json_strd(copy, "path", "/"));
	say_hint(p->in, "let the program answer at a path such as /health, and write health: /health");
}

void
emit_port(const struct plan *p, const json_t *svc, const char *path, json_t *out)
{
	CX_FREE char *key = cx_fmt("%s.ports", path), *health = NULL, *url_path = NULL;
	const char *balancer = label(svc, "convox.balancer"), *own = label(svc, "convox.health.port");
	const json_t *chosen;

	(void)health_url(cx_json_strd(json_object_get(svc, "health"), "command", ""), &health, &url_path);
	chosen = choose(svc, own ? own : health);
	if (balancer && strcmp(balancer, "false") == 0) {
		say(p->in, KEPT, path, json_object_get(svc, "at"), "convox.balancer=false: it has no port");
		return;
	}
	if (chosen)
		put_port(out, scheme_of(svc, chosen), cx_json_strd(chosen, "target", ""));
	report_ports(p, svc, chosen, key);
	if (!chosen)
		unpublished(p, svc, json_array_size(json_object_get(svc, "ports")) ? NULL : health, key, out);
	emit_health(p, svc, path, out, url_path);
}
