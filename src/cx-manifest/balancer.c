/*
 * Balancers in three spellings: praxis, "443/https: http://web:80" and
 * "80/http/301: https://:443/"; praxis before it, endpoints; and the
 * successor's service with ports. All become one list of listeners.
 */
#include "service.h"
#include "top.h"
#include "value.h"
#include <cx/buf.h>
#include <cx/diag.h>
#include <cx/own.h>
#include <cx/yaml.h>
#include <string.h>

static const char target_hint[] = "SERVICE:PORT or SCHEME://SERVICE:PORT, for example http://web:3000";

static const char *const protocols[] = {"http", "https", "tcp", "tls", "udp", NULL};

/* What services and resources are called, as far as they were read. */
static int
is_known(const struct manifest *m, const char *name)
{
	return json_object_get(m->services, name) || json_object_get(m->resources, name);
}

/* [scheme://]name:port */
static void
target_text(struct manifest *m, const struct cx_node *v, const char *path, json_t *l)
{
	const char *s, *p, *colon;
	long port;

	if (value_literal(m, v, l, "target") || !value_get_text(m, v, path, &s))
		return;
	p = strstr(s, "://");
	CX_FREE char *scheme = p ? cx_strndup(s, (size_t)(p - s)) : cx_strdup("http");

	p = p ? p + 3 : s;
	colon = strchr(p, ':');
	port = colon ? value_number(colon + 1, strlen(colon + 1), 65535) : -1;
	CX_FREE char *name = cx_strndup(p, colon ? (size_t)(colon - p) : strlen(p));

	if (port < 1 || !*name) {
		cx_diag_add(m->d, v->line, v->column, path, "\"%.80s\" is not a target", s);
		cx_diag_hint(m->d, "%s", target_hint);
	} else if (!is_known(m, name))
		cx_diag_add(m->d, v->line, v->column, path, "there is no service \"%.60s\"", name);
	else
		(void)json_object_set_new(
			l, "target", json_pack("{s:s,s:s,s:i}", "service", name, "scheme", scheme, "port", (int)port));
}

static void
redirect_text(struct manifest *m, const struct cx_node *v, const char *path, json_t *l, long code)
{
	const char *s;

	if (value_literal(m, v, l, "redirect") || !value_get_text(m, v, path, &s))
		return;
	if (strncmp(s, "http://", 7) == 0 || strncmp(s, "https://", 8) == 0) {
		(void)json_object_set_new(l, "redirect", json_string(s));
		(void)json_object_set_new(l, "code", json_integer(code));
		return;
	}
	cx_diag_add(m->d, v->line, v->column, path, "\"%.80s\" is not where to redirect to", s);
	cx_diag_hint(m->d, "for example https://:443/*");
}

static json_t *
new_listener(json_t *list, long port, const char *protocol)
{
	json_t *l = json_pack("{s:i,s:s}", "port", (int)port, "protocol", protocol);

	(void)json_array_append_new(list, l);
	return l;
}

/* 443, 443/https, 80/http/301. Reports what is none. */
static void
listener(struct manifest *m, const struct cx_node *k, const struct cx_node *v, const char *path, json_t *list)
{
	const char *s = k->value, *const *w = protocols;
	size_t n = strcspn(s, "/"), len = 0;
	long port = value_number(s, n, 65535), code = 0;
	json_t *l;

	if (s[n]) {
		len = strcspn(s + n + 1, "/");
		while (*w && (strlen(*w) != len || strncasecmp(*w, s + n + 1, len) != 0))
			w++;
		if (s[n + 1 + len])
			code = value_number(s + n + 2 + len, strlen(s + n + 2 + len), 399);
	}
	if (port < 1 || !*w || (code && (code < 301 || code > 308))) {
		cx_diag_add(m->d, k->line, k->column, path, "\"%.60s\" is not a listener", s);
		cx_diag_hint(m->d, "PORT, PORT/PROTOCOL or PORT/PROTOCOL/301, for example 443/https");
		return;
	}
	l = new_listener(list, port, *w);
	if (code)
		redirect_text(m, v, path, l, code);
	else
		target_text(m, v, path, l);
}

static long
port_key(struct manifest *m, const struct cx_node *k, const char *path)
{
	long port = k->kind == CX_SCALAR ? value_number(k->value, strlen(k->value), 65535) : -1;

	if (port < 1 && !key_free(k)) {
		cx_diag_add(m->d, k->line, k->column, path, "\"%.60s\" is not a port", k->value);
		cx_diag_hint(m->d, "a number from 1 to 65535");
	}
	return port;
}

static const struct key endpoint_rows[] = {{.name = "protocol", .read = value_word, .words = protocols},
	{.name = "target", .read = value_text}, {.name = "redirect", .read = value_text}, {0}};

static void
endpoints(struct manifest *m, const struct cx_node *v, const char *path, json_t *list)
{
	if (!value_is_map(m, v, path, "ports"))
		return;
	for (size_t i = 0; i < v->n && !m->full; i++) {
		const struct cx_node *e = v->pairs[i].value, *t = value_of(e, "target"), *r = value_of(e, "redirect");
		long port = port_key(m, v->pairs[i].key, path);
		json_t *l, *given;

		if (port < 1)
			continue;
		CX_FREE char *full = key_path(path, v->pairs[i].key->value);

		given = json_object();
		key_read_map(m, e, full, endpoint_rows, given);
		l = new_listener(list, port, "http");
		if (json_object_get(given, "protocol"))
			(void)json_object_set(l, "protocol", json_object_get(given, "protocol"));
		json_decref(given);
		if (t && t->kind == CX_SCALAR)
			target_text(m, t, full, l);
		else if (r && r->kind == CX_SCALAR)
			redirect_text(m, r, full, l, 301);
		else if (e->kind == CX_MAP || cx_node_null(e))
			cx_diag_add(m->d, e->line, e->column, full, "has neither target nor redirect");
	}
}

static const char *const port_protocols[] = {"tcp", "udp", "tls", "http", "https", NULL};
static const char *const target_schemes[] = {"http", "https", "grpc", "secure-grpc", "tcp", "tls", NULL};
static const struct key port_rows[] = {{.name = "port", .read = value_int, .min = 1, .max = 65535},
	{.name = "protocol", .read = value_word, .words = port_protocols},
	{.name = "scheme", .read = value_word, .words = target_schemes}, {0}};

/* 3000, https:3000, or a map of port, protocol and scheme. */
static void
port_target(struct manifest *m, const struct cx_node *v, const char *path, const char *service, json_t *l)
{
	json_t *p = json_object(), *target;
	const char *s, *const *w = target_schemes;

	if (v->kind != CX_SCALAR)
		key_read_map(m, v, path, port_rows, p);
	else if (!value_literal(m, v, p, "port") && value_get_text(m, v, path, &s)) {
		size_t n = strcspn(s, ":");
		long port;

		while (s[n] && *w && (strlen(*w) != n || strncmp(*w, s, n) != 0))
			w++;
		port = s[n] ? value_number(s + n + 1, strlen(s + n + 1), 65535) : value_number(s, n, 65535);
		if (port < 1 || !*w)
			cx_diag_add(m->d, v->line, v->column, path, "\"%.60s\" is not a port", s);
		else
			(void)json_object_set_new(p, "port", json_integer(port));
		if (s[n] && *w)
			(void)json_object_set_new(p, "scheme", json_string(*w));
	}
	if (v->kind == CX_MAP && !value_of(v, "port"))
		cx_diag_add(m->d, v->line, v->column, path, "names no port");
	if (json_object_get(p, "protocol"))
		(void)json_object_set(l, "protocol", json_object_get(p, "protocol"));
	target = json_pack("{s:s?,s:s,s:O?}", "service", service, "scheme", "tcp", "port", json_object_get(p, "port"));
	if (json_object_get(p, "scheme"))
		(void)json_object_set(target, "scheme", json_object_get(p, "scheme"));
	(void)json_object_set_new(l, "target", target);
	json_decref(p);
}

static void
ports(struct manifest *m, const struct cx_node *v, const char *path, const char *service, json_t *list)
{
	if (!value_is_map(m, v, path, "ports"))
		return;
	for (size_t i = 0; i < v->n && !m->full; i++) {
		long port = port_key(m, v->pairs[i].key, path);

		if (port < 1)
			continue;
		CX_FREE char *full = key_path(path, v->pairs[i].key->value);

		port_target(m, v->pairs[i].value, full, service, new_listener(list, port, "tcp"));
	}
}

static const struct key rows[] = {{.name = "service", .read = value_text}, {.name = "ports", .read = value_any_map},
	{.name = "endpoints", .read = value_any_map}, {.name = "annotations", .read = value_pairs},
	{.name = "whitelist", .read = value_networks}, {.name = "idle-timeout", .read = value_int, .max = 86400},
	{.name = "draining-timeout", .read = value_int, .max = 86400}, {0}};

static int
is_row(const char *name)
{
	for (const struct key *r = rows; r->name; r++)
		if (strcmp(r->name, name) == 0)
			return 1;
	return 0;
}

static void
service_of(struct manifest *m, const struct cx_node *n, const char *path)
{
	const struct cx_node *s = value_of(n, "service");

	if (!s) {
		cx_diag_add(m->d, n->line, n->column, path, "has ports and names no service");
		return;
	}
	if (s->kind != CX_SCALAR || value_open(m, s) || json_object_get(m->services, s->value))
		return;
	CX_FREE char *full = key_path(path, "service");

	cx_diag_add(m->d, s->line, s->column, full, "there is no service \"%.60s\"", s->value);
}

static json_t *
one(struct manifest *m, const struct cx_node *n, const char *path, const struct key *unused)
{
	json_t *b = json_pack("{s:n,s:[]}", "service", "listeners"), *list = json_object_get(b, "listeners");

	(void)unused;
	if (n->kind != CX_MAP) {
		cx_diag_add(m->d, n->line, n->column, path, "this must be a map of ports and where they lead");
		return b;
	}
	for (const struct key *r = rows; r->name; r++) {
		const struct cx_node *v = value_of(n, r->name);
		CX_FREE char *full = key_path(path, r->name);

		if (!v || !key_visit(m, v, 1))
			continue;
		if (strcmp(r->name, "ports") == 0) {
			service_of(m, n, path);
			ports(m, v, full, json_string_value(json_object_get(b, "service")), list);
		} else if (strcmp(r->name, "endpoints") == 0)
			endpoints(m, v, full, list);
		else
			r->read(m, v, full, b, r);
	}
	for (size_t i = 0; i < n->n && !m->full; i++) {
		const struct cx_node *k = n->pairs[i].key;

		if (key_free(k) || is_row(k->value))
			continue;
		if (strchr("0123456789", k->value[0]) && k->value[0])
			listener(m, k, n->pairs[i].value, path, list);
		else
			key_unknown(m, k, path, rows);
	}
	return b;
}

void
balancers_top(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const struct key *row)
{
	top_names(m, v, path, out, row, "balancer", one);
}
