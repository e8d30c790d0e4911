#include "service.h"
#include "expand.h"
#include <cx/buf.h>
#include <cx/diag.h>
#include <cx/own.h>
#include <cx/spool.h>
#include <cx/yaml.h>
#include <string.h>

#define SECONDS_MAX 3600
#define MEMORY_MAX 1048576 /* MB */

static void
read_text(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const char *name)
{
	const char *text;

	if (key_text(m, v, path, &text))
		(void)json_object_set_new(out, name, json_string(text));
}

static void
read_seconds(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const char *name)
{
	json_t *n;

	if (!key_literal(m, v, out, name) && key_int(m, v, path, 0, SECONDS_MAX, &n))
		(void)json_object_set_new(out, name, n);
}

/* At least a second: interval and timeout of a health check. */
static void
read_period(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const char *name)
{
	json_t *n;

	if (!key_literal(m, v, out, name) && key_int(m, v, path, 1, SECONDS_MAX, &n))
		(void)json_object_set_new(out, name, n);
}

static void
read_bool(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const char *name)
{
	const char *s;

	if (key_literal(m, v, out, name) || !key_text(m, v, path, &s))
		return;
	if (strcmp(s, "true") == 0 || strcmp(s, "false") == 0)
		(void)json_object_set_new(out, name, json_boolean(s[0] == 't'));
	else
		cx_diag_add(m->d, v->line, v->column, path, "\"%.60s\" is neither true nor false", s);
}

/* A path within the app: it must not lead out of it. */
static void
read_inside(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const char *name)
{
	const char *s;

	if (key_literal(m, v, out, name) || !key_text(m, v, path, &s))
		return;
	for (const char *p = s; *p;) {
		size_t n = strcspn(p, "/");

		if (s[0] == '/' || (n == 2 && p[0] == '.' && p[1] == '.')) {
			cx_diag_add(m->d, v->line, v->column, path, "\"%.80s\" leads out of the app's folder", s);
			cx_diag_hint(m->d, "name a folder below the one of convox.yml; \".\" is that one itself");
			return;
		}
		p += n + (p[n] == '/');
	}
	(void)json_object_set_new(out, name, json_string(*s ? s : "."));
}

static void
read_args(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const char *name)
{
	json_t *args = json_object();
	const char *s;

	(void)json_object_set_new(out, name, args);
	for (size_t i = 0; v->kind == CX_SEQ && i < v->n; i++) {
		size_t n;

		if (!key_text(m, v->items[i], path, &s))
			continue;
		n = strcspn(s, "=");
		CX_FREE char *k = cx_strndup(s, n);
		(void)json_object_set_new(args, k, s[n] ? json_string(s + n + 1) : json_null());
	}
	for (size_t i = 0; v->kind == CX_MAP && i < v->n; i++)
		if (v->pairs[i].key->kind == CX_SCALAR && key_text(m, v->pairs[i].value, path, &s))
			(void)json_object_set_new(args, v->pairs[i].key->value, json_string(s));
	if (v->kind == CX_SCALAR && !cx_node_null(v))
		cx_diag_add(m->d, v->line, v->column, path, "this must be a list of NAME=VALUE, or a map");
}

static void
read_build(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const char *name)
{
	static const struct key rows[] = {{"path", read_inside}, {"manifest", read_inside}, {"args", read_args},
		{"target", read_text}, {NULL, NULL}};
	json_t *b = json_pack("{s:s,s:s,s:{},s:n}", "path", ".", "manifest", "Dockerfile", "args", "target");

	(void)json_object_set_new(out, name, b);
	if (v->kind == CX_SCALAR && !cx_node_null(v))
		read_inside(m, v, path, b, "path");
	else
		key_read_map(m, v, path, rows, b);
}

static void
read_command(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const char *name)
{
	json_t *words;
	const char *s;

	if (v->kind != CX_SEQ) {
		read_text(m, v, path, out, name);
		return;
	}
	words = json_array();
	for (size_t i = 0; i < v->n; i++)
		if (key_text(m, v->items[i], path, &s))
			(void)json_array_append_new(words, json_string(s));
	(void)json_object_set_new(out, name, words);
}

static void
read_environment(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const char *name)
{
	environment_read(m, v, path, json_object_get(out, name));
}

static void
read_health_path(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const char *name)
{
	const char *s;

	if (key_literal(m, v, out, name) || !key_text(m, v, path, &s))
		return;
	if (s[0] == '/' && strcspn(s, " \t\r\n") == strlen(s) && strlen(s) < 1024)
		(void)json_object_set_new(out, name, json_string(s));
	else {
		cx_diag_add(m->d, v->line, v->column, path, "\"%.60s\" is not the path of a URL", s);
		cx_diag_hint(m->d, "it begins with /, for example /health");
	}
}

static void
read_health(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const char *name)
{
	static const struct key rows[] = {{"path", read_health_path}, {"interval", read_period},
		{"timeout", read_period}, {"grace", read_seconds}, {"disable", read_bool}, {NULL, NULL}};
	json_t *h = json_pack("{s:s,s:i}", "path", "/", "interval", 5);
	long long interval;

	(void)json_object_set_new(out, name, h);
	if (v->kind == CX_SCALAR && !cx_node_null(v))
		read_health_path(m, v, path, h, "path");
	else
		key_read_map(m, v, path, rows, h);
	interval = json_integer_value(json_object_get(h, "interval"));
	if (!json_object_get(h, "timeout"))
		(void)json_object_set_new(h, "timeout", json_integer(interval > 1 ? interval - 1 : 1));
	if (!json_object_get(h, "grace"))
		(void)json_object_set_new(h, "grace", json_integer(interval));
}

static const char port_hint[] = "a port is NUMBER or SCHEME:NUMBER, for example https:3000";

static void
read_port_number(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const char *name)
{
	const char *s;
	long n = 0;

	if (key_literal(m, v, out, name) || !key_text(m, v, path, &s))
		return;
	if (*s && strlen(s) <= 5 && strspn(s, "0123456789") == strlen(s))
		n = strtol(s, NULL, 10);
	if (n >= 1 && n <= 65535) {
		(void)json_object_set_new(out, name, json_integer(n));
		return;
	}
	cx_diag_add(m->d, v->line, v->column, path, "\"%.60s\" is not a port", s);
	cx_diag_hint(m->d, "%s", port_hint);
}

static void
read_scheme(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const char *name)
{
	const char *s;

	if (key_literal(m, v, out, name) || !key_text(m, v, path, &s))
		return;
	if (strcmp(s, "http") == 0 || strcmp(s, "https") == 0) {
		(void)json_object_set_new(out, name, json_string(s));
		return;
	}
	cx_diag_add(m->d, v->line, v->column, path, "\"%.60s\" is not a scheme that the balancer speaks", s);
	cx_diag_hint(m->d, "http or https");
}

static void
read_port(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const char *name)
{
	static const struct key rows[] = {{"port", read_port_number}, {"scheme", read_scheme}, {NULL, NULL}};
	json_t *p = json_pack("{s:n,s:s}", "port", "scheme", "http");
	const char *s, *colon;

	(void)json_object_set_new(out, name, p);
	if (v->kind != CX_SCALAR) {
		key_read_map(m, v, path, rows, p);
		if (json_is_null(json_object_get(p, "port")) && !m->d->errors)
			cx_diag_add(m->d, v->line, v->column, path, "names no port");
		return;
	}
	if (key_literal(m, v, p, "port") || !key_text(m, v, path, &s))
		return;
	colon = strchr(s, ':');
	if (!colon) {
		read_port_number(m, v, path, p, "port");
		return;
	}
	/* A view of each half, at the place of the whole. */
	CX_FREE char *scheme = cx_strndup(s, (size_t)(colon - s)), *number = cx_strdup(colon + 1);
	struct cx_node a = *v, b = *v;

	a.value = scheme;
	b.value = number;
	read_scheme(m, &a, path, p, "scheme");
	read_port_number(m, &b, path, p, "port");
}

static const char count_hint[] = "a count is NUMBER, MIN-MAX or MIN+, for example 2 or 2-10";

/* "3", "2-10", "2+" */
static void
read_range(struct manifest *m, const struct cx_node *v, const char *path, json_t *out)
{
	const char *s;
	char *end;
	long min, max;

	if (!key_text(m, v, path, &s))
		return;
	min = strtol(s, &end, 10);
	max = min;
	if (*end == '-' && end[1] >= '0' && end[1] <= '9')
		max = strtol(end + 1, &end, 10);
	else if (strcmp(end, "+") == 0 && end++)
		max = 1000;
	if (*s < '0' || *s > '9' || *end || min > 1000 || max > 1000) {
		cx_diag_add(m->d, v->line, v->column, path, "\"%.60s\" is not a count", s);
		cx_diag_hint(m->d, "%s", count_hint);
	} else if (min > max) {
		cx_diag_add(
			m->d, v->line, v->column, path, "the least count, %ld, is more than the most, %ld", min, max);
	} else {
		(void)json_object_set_new(out, "min", json_integer(min));
		(void)json_object_set_new(out, "max", json_integer(max));
	}
}

static void
read_bound(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const char *name)
{
	json_t *n;

	if (!key_literal(m, v, out, name) && key_int(m, v, path, 0, 1000, &n))
		(void)json_object_set_new(out, name, n);
}

static void
read_count(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const char *name)
{
	static const struct key rows[] = {{"min", read_bound}, {"max", read_bound}, {NULL, NULL}};
	json_t *c = json_object_get(out, name), *min, *max;

	if (v->kind == CX_SCALAR && key_literal(m, v, c, "min")) {
		(void)json_object_set(c, "max", json_object_get(c, "min"));
		return;
	}
	if (v->kind == CX_SCALAR) {
		read_range(m, v, path, c);
		return;
	}
	(void)json_object_del(c, "max");
	key_read_map(m, v, path, rows, c);
	min = json_object_get(c, "min");
	max = json_object_get(c, "max");
	if (!max)
		(void)json_object_set(c, "max", min);
	else if (json_is_integer(min) && json_is_integer(max) && json_integer_value(min) > json_integer_value(max))
		cx_diag_add(m->d, v->line, v->column, path, "min is more than max");
}

static void
read_memory(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const char *name)
{
	json_t *n;

	/* The engine takes no less than 6 MB. */
	if (!key_literal(m, v, out, name) && key_int(m, v, path, 6, MEMORY_MAX, &n))
		(void)json_object_set_new(out, name, n);
}

static void
read_cpu(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const char *name)
{
	json_t *n;

	if (!key_literal(m, v, out, name) && key_int(m, v, path, 1, 1024 * 256, &n))
		(void)json_object_set_new(out, name, n);
}

static void
read_scale(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const char *name)
{
	static const struct key rows[] = {{"count", read_count}, {"memory", read_memory}, {"cpu", read_cpu},
		{"targets", NULL}, {"cooldown", NULL}, {"gpu", NULL}, {"min", NULL}, {"max", NULL}, {"limit", NULL},
		{"autoscale", NULL}, {"keda", NULL}, {"vpa", NULL}, {NULL, NULL}};
	json_t *s = json_object_get(out, name);

	if (v->kind == CX_SCALAR && !cx_node_null(v))
		read_count(m, v, path, s, "count");
	else
		key_read_map(m, v, path, rows, s);
}

static void
read_volumes(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const char *name)
{
	json_t *list = json_array();
	const char *s;

	(void)json_object_set_new(out, name, list);
	if (v->kind != CX_SEQ && !cx_node_null(v))
		cx_diag_add(m->d, v->line, v->column, path, "this must be a list");
	for (size_t i = 0; v->kind == CX_SEQ && i < v->n; i++) {
		const struct cx_node *n = v->items[i];
		const char *colon;

		if (!key_text(m, n, path, &s))
			continue;
		colon = strchr(s, ':');
		if ((m->literal && expand_has(s)) || (s[0] == '/' && (!colon || colon[1] == '/'))) {
			(void)json_array_append_new(list, json_string(s));
			continue;
		}
		cx_diag_add(m->d, n->line, n->column, path, "\"%.80s\" is not a volume", s);
		cx_diag_hint(m->d, "/path (kept by the rack) or /host/path:/path");
	}
}

static void
read_resources(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const char *name)
{
	json_t *list = json_array();
	const char *s;

	(void)json_object_set_new(out, name, list);
	if (v->kind != CX_SEQ && !cx_node_null(v))
		cx_diag_add(m->d, v->line, v->column, path, "this must be a list of resource names");
	for (size_t i = 0; v->kind == CX_SEQ && i < v->n; i++) {
		const struct cx_node *n = v->items[i];

		if (!key_text(m, n, path, &s))
			continue;
		CX_FREE char *base = cx_strndup(s, strcspn(s, ":"));

		if (s[strlen(base)] && json_object_get(m->resources, base)) {
			cx_diag_warn(m->d, n, path, "the alias \"%.60s\" is not honoured yet by this version",
				s + strlen(base) + 1);
			(void)json_array_append_new(list, json_string(base));
			continue;
		}
		if (json_object_get(m->resources, s) || (m->literal && expand_has(s))) {
			(void)json_array_append_new(list, json_string(s));
			continue;
		}
		cx_diag_add(m->d, n->line, n->column, path, "there is no resource \"%.60s\"", s);
		cx_diag_hint(m->d, "declare it under the top-level key resources, with its type");
	}
}

static const struct key service_rows[] = {{"build", read_build}, {"image", read_text}, {"command", read_command},
	{"environment", read_environment}, {"health", read_health}, {"port", read_port}, {"scale", read_scale},
	{"test", read_text}, {"volumes", read_volumes}, {"resources", read_resources}, {"drain", read_seconds},
	{"timeout", read_period}, {"agent", NULL}, {"annotations", NULL}, {"certificate", NULL}, {"cpu", NULL},
	{"deployment", NULL}, {"domain", NULL}, {"grpcHealthEnabled", NULL}, {"init", NULL}, {"initContainer", NULL},
	{"ingressAnnotations", NULL}, {"internal", NULL}, {"internalAndExternal", NULL}, {"internalRouter", NULL},
	{"labels", NULL}, {"lifecycle", NULL}, {"links", NULL}, {"liveness", NULL}, {"memory", NULL}, {"nlb", NULL},
	{"nodeSelectorLabels", NULL}, {"policies", NULL}, {"ports", NULL}, {"privileged", NULL}, {"singleton", NULL},
	{"startupProbe", NULL}, {"sticky", NULL}, {"tags", NULL}, {"termination", NULL}, {"tls", NULL},
	{"volumeOptions", NULL}, {"whitelist", NULL}, {NULL, NULL}};

json_t *
service_read(struct manifest *m, const struct cx_node *n, const char *name)
{
	CX_FREE char *path = key_path("services", name);
	json_t *s =
		json_pack("{s:n,s:n,s:n,s:[],s:n,s:{s:s,s:i,s:i,s:i},s:{s:{s:i,s:i},s:i,s:n},s:n,s:[],s:[],s:i,s:i}",
			"build", "image", "command", "environment", "port", "health", "path", "/", "interval", 5,
			"timeout", 4, "grace", 5, "scale", "count", "min", 1, "max", 1, "memory", 256, "cpu", "test",
			"volumes", "resources", "drain", 30, "timeout", 60);

	(void)json_array_extend(json_object_get(s, "environment"), (json_t *)m->environment);
	if (cx_node_null(n)) {
		read_build(m, n, path, s, "build");
		return s;
	}
	key_read_map(m, n, path, service_rows, s);
	if (json_is_string(json_object_get(s, "image")) && json_is_object(json_object_get(s, "build"))) {
		cx_diag_warn(m->d, cx_node_get(n, "build"), path, "has both image and build; the image is used");
		(void)json_object_set_new(s, "build", json_null());
	}
	if (json_is_null(json_object_get(s, "image")) && json_is_null(json_object_get(s, "build")))
		(void)json_object_set_new(s, "build",
			json_pack("{s:s,s:s,s:{},s:n}", "path", ".", "manifest", "Dockerfile", "args", "target"));
	return s;
}
