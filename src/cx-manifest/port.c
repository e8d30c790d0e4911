#include "service.h"
#include "value.h"
#include <cx/buf.h>
#include <cx/diag.h>
#include <cx/own.h>
#include <cx/yaml.h>
#include <string.h>

const char *const port_schemes[] = {"http", "https", "grpc", "secure-grpc", NULL};
static const char *const protocols[] = {"tcp", "udp", NULL};
static const char port_hint[] = "a port is NUMBER or SCHEME:NUMBER, for example https:3000";
static const char ports_hint[] = "a port is NUMBER, NUMBER/udp or SCHEME:NUMBER, for example 5002/udp";

static void
bad_port(struct manifest *m, const struct cx_node *v, const char *path, const char *hint)
{
	cx_diag_add(m->d, v->line, v->column, path, "\"%.60s\" is not a port", v->value);
	cx_diag_hint(m->d, "%s", hint);
}

static void
number_read(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const struct key *row)
{
	const char *s;
	long n;

	if (value_literal(m, v, out, row->name) || !value_get_text(m, v, path, &s))
		return;
	n = value_number(s, strlen(s), 65535);
	if (n > 0)
		(void)json_object_set_new(out, row->name, json_integer(n));
	else
		bad_port(m, v, path, port_hint);
}

static const struct key port_rows[] = {{.name = "port", .read = number_read},
	{.name = "scheme", .read = value_word, .words = port_schemes},
	{.name = "protocol", .note = "the key is scheme, for example scheme: https"}, {0}};

/* SCHEME:NUMBER or NUMBER, then REST (which may be empty): the number, or -1. */
static long
split(const char *s, const char **scheme, const char *rest)
{
	size_t n = strcspn(s, ":");

	*scheme = NULL;
	for (const char *const *w = port_schemes; s[n] && *w; w++)
		if (strlen(*w) == n && strncasecmp(*w, s, n) == 0)
			*scheme = *w;
	if (s[n] && !*scheme)
		return -1;
	if (s[n])
		s += n + 1;
	return value_number(s, (size_t)(rest - s), 65535);
}

static void
bad_scheme(struct manifest *m, const struct cx_node *v, const char *path)
{
	size_t n = strcspn(v->value, ":");

	cx_diag_add(m->d, v->line, v->column, path, "\"%.*s\" is not a scheme", (int)(n > 60 ? 60 : n), v->value);
	cx_diag_hint(m->d, "http, https, grpc or secure-grpc");
}

static void
port_text(struct manifest *m, const struct cx_node *v, const char *path, json_t *p)
{
	const char *s, *scheme, *colon;
	long n;

	if (value_literal(m, v, p, "port") || !value_get_text(m, v, path, &s))
		return;
	n = split(s, &scheme, s + strlen(s));
	colon = strchr(s, ':');
	if (n > 0) {
		(void)json_object_set_new(p, "port", json_integer(n));
		if (scheme)
			(void)json_object_set_new(p, "scheme", json_string(scheme));
	} else if (colon && !scheme && colon > s && strspn(s, "0123456789") < (size_t)(colon - s))
		bad_scheme(m, v, path);
	else
		bad_port(m, v, path, port_hint);
}

static void
warn_scheme(struct manifest *m, const struct cx_node *v, const char *path, const json_t *p)
{
	const char *scheme = json_string_value(json_object_get(p, "scheme"));

	if (scheme && strcmp(scheme, "http") != 0 && !strchr(scheme, '$'))
		cx_diag_warn(m->d, v, path, "a Local Rack speaks http to processes, not %s", scheme);
}

void
port_read(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const struct key *row)
{
	json_t *p = json_pack("{s:n,s:s}", "port", "scheme", "http");

	(void)json_object_set_new(out, row->name, p);
	if (v->kind == CX_SCALAR)
		port_text(m, v, path, p);
	else
		key_read_map(m, v, path, port_rows, p);
	if (v->kind == CX_MAP && !value_of(v, "port"))
		cx_diag_add(m->d, v->line, v->column, path, "names no port");
	/* A probe's own port is warned of as a whole. */
	if (!row->note)
		warn_scheme(m, v, path, p);
}

static const struct key ports_rows[] = {{.name = "port", .read = number_read},
	{.name = "protocol", .read = value_word, .words = protocols},
	{.name = "scheme", .read = value_word, .words = port_schemes}, {0}};

static void
ports_item(struct manifest *m, const struct cx_node *v, const char *path, json_t *p)
{
	const char *s, *scheme, *slash;
	size_t proto = 0;
	long n;

	if (value_literal(m, v, p, "port") || !value_get_text(m, v, path, &s))
		return;
	slash = s + strcspn(s, "/");
	n = split(s, &scheme, slash);
	while (*slash && protocols[proto] && strcasecmp(slash + 1, protocols[proto]) != 0)
		proto++;
	if (n <= 0 || !protocols[proto]) {
		bad_port(m, v, path, ports_hint);
		return;
	}
	(void)json_object_set_new(p, "port", json_integer(n));
	(void)json_object_set_new(p, "protocol", json_string(protocols[proto]));
	if (scheme)
		(void)json_object_set_new(p, "scheme", json_string(scheme));
}

void
ports_read(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const struct key *row)
{
	json_t *list = json_array();

	(void)json_object_set_new(out, row->name, list);
	if (!value_is_list(m, v, path, "ports"))
		return;
	for (size_t i = 0; i < v->n && !m->full; i++) {
		const struct cx_node *item = v->items[i];
		json_t *p = json_pack("{s:n,s:s,s:n}", "port", "protocol", "tcp", "scheme");

		(void)json_array_append_new(list, p);
		if (item->kind == CX_SCALAR)
			ports_item(m, item, path, p);
		else
			key_read_map(m, item, path, ports_rows, p);
		if (item->kind == CX_MAP && !value_of(item, "port"))
			cx_diag_add(m->d, item->line, item->column, path, "names no port");
	}
}

static const char *const nlb_protocols[] = {"tcp", "udp", "tls", "tcp_udp", NULL};
static const char *const nlb_schemes[] = {"public", "internal", NULL};
static const struct key nlb_rows[] = {{.name = "port", .read = number_read},
	{.name = "protocol", .read = value_word, .words = nlb_protocols},
	{.name = "containerPort", .read = number_read}, {.name = "scheme", .read = value_word, .words = nlb_schemes},
	{.name = "certificate", .read = value_text}, {.name = "cross_zone", .read = value_bool},
	{.name = "allow_cidr", .read = value_networks}, {.name = "preserve_client_ip", .read = value_bool}, {0}};

void
nlb_read(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const struct key *row)
{
	json_t *list = json_array();

	(void)json_object_set_new(out, row->name, list);
	if (!value_is_list(m, v, path, "ports of the network balancer"))
		return;
	for (size_t i = 0; i < v->n && !m->full; i++) {
		const struct cx_node *item = v->items[i];
		json_t *p =
			json_pack("{s:n,s:s,s:n,s:s}", "port", "protocol", "tcp", "containerPort", "scheme", "public");

		(void)json_array_append_new(list, p);
		key_read_map(m, item, path, nlb_rows, p);
		if (json_is_null(json_object_get(p, "containerPort")))
			(void)json_object_set(p, "containerPort", json_object_get(p, "port"));
		if (item->kind != CX_SEQ && !value_of(item, "port"))
			cx_diag_add(m->d, item->line, item->column, path, "names no port");
	}
}
