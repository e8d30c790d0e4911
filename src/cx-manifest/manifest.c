#include "manifest.h"
#include "key.h"
#include "service.h"
#include <cx/buf.h>
#include <cx/diag.h>
#include <cx/own.h>
#include <cx/spool.h>
#include <cx/yaml.h>
#include <string.h>

/* Names become DNS labels and parts of container names. */
static int
check_name(struct manifest *m, const struct cx_node *k, const char *what)
{
	struct cx_err e;

	if (k->kind == CX_SCALAR && cx_name_check(what, k->value, &e) == 0)
		return 1;
	if (k->kind == CX_SCALAR) {
		cx_diag_add(m->d, k->line, k->column, "", "%s", e.text);
		cx_diag_hint(m->d, "%s", e.hint);
	}
	return 0;
}

static void
read_options(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const char *name)
{
	json_t *o = json_object();
	const char *s;

	(void)json_object_set_new(out, name, o);
	if (v->kind != CX_MAP && !cx_node_null(v))
		cx_diag_add(m->d, v->line, v->column, path, "this must be a map");
	for (size_t i = 0; v->kind == CX_MAP && i < v->n; i++)
		if (v->pairs[i].key->kind == CX_SCALAR && key_text(m, v->pairs[i].value, path, &s))
			(void)json_object_set_new(o, v->pairs[i].key->value, json_string(s));
}

static void
read_type(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const char *name)
{
	const char *s;
	struct cx_err e;

	if (key_literal(m, v, out, name) || !key_text(m, v, path, &s))
		return;
	if (cx_name_check("resource type", s, &e) < 0) {
		cx_diag_add(m->d, v->line, v->column, path, "%s", e.text);
		return;
	}
	(void)json_object_set_new(out, name, json_string(s));
}

static void
read_image(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const char *name)
{
	const char *s;

	if (key_text(m, v, path, &s))
		(void)json_object_set_new(out, name, json_string(s));
}

static json_t *
read_resource(struct manifest *m, const struct cx_node *n, const char *name)
{
	static const struct key rows[] = {
		{"type", read_type}, {"options", read_options}, {"image", read_image}, {"tags", NULL}, {NULL, NULL}};
	CX_FREE char *path = key_path("resources", name);
	json_t *r = json_pack("{s:n,s:{},s:n}", "type", "options", "image");

	key_read_map(m, n, path, rows, r);
	if (json_is_null(json_object_get(r, "type")) && !cx_node_get(n, "type")) {
		cx_diag_add(m->d, n->line, n->column, path, "has no type");
		cx_diag_hint(m->d, "for example type: postgres");
	}
	return r;
}

static void
read_resources(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const char *name)
{
	json_t *all = json_object_get(out, name);

	if (v->kind != CX_MAP && !cx_node_null(v))
		cx_diag_add(m->d, v->line, v->column, path, "this must be a map of names");
	for (size_t i = 0; v->kind == CX_MAP && i < v->n; i++)
		if (check_name(m, v->pairs[i].key, "resource") && key_visit(m, v->pairs[i].value))
			(void)json_object_set_new(all, v->pairs[i].key->value,
				read_resource(m, v->pairs[i].value, v->pairs[i].key->value));
}

static void
read_services(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const char *name)
{
	json_t *all = json_object_get(out, name);

	if (v->kind != CX_MAP && !cx_node_null(v))
		cx_diag_add(m->d, v->line, v->column, path, "this must be a map of names");
	for (size_t i = 0; v->kind == CX_MAP && i < v->n && !m->full; i++)
		if (check_name(m, v->pairs[i].key, "service") && key_visit(m, v->pairs[i].value))
			(void)json_object_set_new(all, v->pairs[i].key->value,
				service_read(m, v->pairs[i].value, v->pairs[i].key->value));
}

/* What services refer to is read before them, wherever it stands in the file: see manifest_make. */
static void
read_before(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const char *name)
{
	(void)m, (void)v, (void)path, (void)out, (void)name;
}

static const struct key top_rows[] = {{"services", read_services}, {"resources", read_before},
	{"environment", read_before}, {"keys", NULL}, {"queues", NULL}, {"tables", NULL}, {"caches", NULL},
	{"timers", NULL}, {"balancers", NULL}, {"workflows", NULL}, {"labels", NULL}, {"params", NULL},
	{"appSettings", NULL}, {"budget", NULL}, {"configs", NULL}, {NULL, NULL}};

static void
no_services(struct cx_diags *d)
{
	cx_diag_add(d, 1, 1, "", "there are no services");
	cx_diag_hint(d, "the least is: services: {web: {build: ., port: 3000}}");
}

json_t *
manifest_make(const struct cx_tree *t, int literal, struct cx_diags *d)
{
	json_t *out = json_pack("{s:{},s:{}}", "services", "resources");
	CX_JSON json_t *environment = json_array();
	struct manifest m = {.d = d, .literal = literal, .environment = environment};
	const struct cx_node *n;

	m.resources = json_object_get(out, "resources");
	if (!t->root) {
		no_services(d);
		return out;
	}
	n = cx_node_get(t->root, "resources");
	if (n)
		read_resources(&m, n, "resources", out, "resources");
	n = cx_node_get(t->root, "environment");
	if (n)
		environment_read(&m, n, "environment", environment);
	key_read_map(&m, t->root, "", top_rows, out);
	if (!d->errors && json_object_size(json_object_get(out, "services")) == 0)
		no_services(d);
	return out;
}

static void
import_all(json_t *to, const json_t *env)
{
	const char *name;
	json_t *v;

	json_object_foreach ((json_t *)env, name, v)
		(void)json_object_set(to, name, v);
}

void
manifest_env(json_t *manifest, const json_t *env, struct cx_diags *d)
{
	CX_JSON json_t *missing = json_object();
	const char *service, *name;
	json_t *s, *entry, *v;
	CX_BUF struct cx_buf names = {0}, set = {0};
	size_t i;

	json_object_foreach (json_object_get(manifest, "services"), service, s) {
		json_t *mine = json_object();

		(void)json_object_set_new(s, "env", mine);
		json_array_foreach (json_object_get(s, "environment"), i, entry) {
			name = cx_json_strd(entry, "name", "");
			v = json_object_get(env, name);
			if (strcmp(name, "*") == 0)
				import_all(mine, env);
			else if (json_is_string(v))
				(void)json_object_set(mine, name, v);
			else if (cx_json_str(entry, "default"))
				(void)json_object_set(mine, name, json_object_get(entry, "default"));
			else
				(void)json_object_set_new(missing, name, json_true());
		}
	}
	json_object_foreach (missing, name, v) {
		cx_buf_addf(&names, "%s%s", names.n ? ", " : "", name);
		cx_buf_addf(&set, " %s=...", name);
	}
	if (!names.n)
		return;
	cx_diag_add(d, 0, 0, "", "required variables are not set: %s", names.p);
	cx_diag_hint(d, "cx env set%s", set.p);
}
