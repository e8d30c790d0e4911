#include "manifest.h"
#include "service.h"
#include "top.h"
#include "value.h"
#include <cx/buf.h>
#include <cx/diag.h>
#include <cx/json.h>
#include <cx/own.h>
#include <cx/yaml.h>
#include <string.h>

/* A service without a line of its own costs 5 kB: what a small file can ask for is bounded. */
#define NAMES_MAX 20000

void
top_names(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const struct key *row,
	const char *what, json_t *(*one)(struct manifest *, const struct cx_node *, const char *, const struct key *))
{
	json_t *all = json_object_get(out, row->name);

	if (!all) {
		all = json_object();
		(void)json_object_set_new(out, row->name, all);
	}
	if (!value_is_map(m, v, path, "names"))
		return;
	if (v->n > NAMES_MAX) {
		cx_diag_add(m->d, v->line, v->column, path, "more than %d names", NAMES_MAX);
		return;
	}
	for (size_t i = 0; i < v->n && !m->full; i++) {
		const struct cx_node *k = v->pairs[i].key;

		if (key_free(k) || !key_visit(m, v, 1))
			continue;
		(void)key_name(m, k, "", what);
		CX_FREE char *full = key_path(path, k->value);

		/* Also under a wrong name, which is reported once and not again by who refers to it. */
		(void)json_object_set_new(all, k->value, one(m, v->pairs[i].value, full, row));
	}
}

static json_t *
one_service(struct manifest *m, const struct cx_node *n, const char *path, const struct key *unused)
{
	(void)unused;
	return service_read(m, n, path);
}

static void
services_top(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const struct key *row)
{
	top_names(m, v, path, out, row, "service", one_service);
}

static void
environment_top(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const struct key *row)
{
	(void)out, (void)row;
	environment_read(m, v, path, m->environment);
}

/* What others refer to is read before them. */
static const struct key top_rows[] = {{.name = "environment", .read = environment_top},
	{.name = "resources", .read = resources_top}, {.name = "services", .read = services_top},
	{.name = "timers", .read = timers_top, .note = key_not_local},
	{.name = "balancers", .read = balancers_top, .note = key_not_local},
	{.name = "queues", .read = queues_top, .note = key_not_local},
	{.name = "tables", .read = tables_top, .note = key_not_local},
	{.name = "keys", .read = keys_top, .note = key_not_local},
	{.name = "caches", .read = caches_top, .note = key_not_local},
	{.name = "buckets", .read = buckets_top, .note = key_not_local},
	{.name = "workflows", .read = workflows_top, .note = key_not_local},
	{.name = "labels", .read = value_pairs, .note = key_not_local},
	{.name = "params", .read = value_pairs, .note = key_not_local},
	{.name = "appSettings", .read = value_any_map, .note = key_not_local},
	{.name = "budget", .read = budget_top, .note = key_not_local},
	{.name = "configs", .read = value_any_maps, .note = key_not_local},
	{.name = "version",
		.note = "convox.yml has no versions: leave it out; cx init turns a docker-compose.yml into convox.yml"},
	{.name = "networks", .note = "leave it out: services of an app share a network"},
	{.name = "volumes", .note = "name volumes at the services: volumes: [NAME:/path]"},
	{.name = "secrets", .note = "name the variables under environment and set them with cx env set"}, {0}};

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
	CX_JSON json_t *environment = json_object();
	struct manifest m = {.d = d, .literal = literal, .environment = environment};

	m.services = json_object_get(out, "services");
	m.resources = json_object_get(out, "resources");
	if (t->root)
		key_read_map(&m, t->root, "", top_rows, out);
	if (!d->errors && json_object_size(m.services) == 0)
		no_services(d);
	return out;
}

/* The entry of a variable in an environment of the file. */
static const struct cx_node *
find_entry(const struct cx_node *v, const char *name)
{
	size_t n = strlen(name);

	if (v && v->kind == CX_SCALAR)
		return strncmp(v->value, name, n) == 0 && !v->value[n] ? v : NULL;
	for (size_t i = 0; v && i < v->n; i++) {
		const struct cx_node *e = find_entry(v->kind == CX_SEQ ? v->items[i] : v->pairs[i].key, name);

		if (e)
			return e;
	}
	return NULL;
}

static void
missing(const struct cx_tree *t, const char *service, const char *name, const char *set, struct cx_diags *d)
{
	CX_FREE char *path = cx_fmt("services.%s.environment", service);
	const struct cx_node *at = NULL;

	/* Looking for a place costs the length of the file: for those that are kept only. */
	if (d->errors < CX_DIAG_MAX) {
		at = cx_node_get(cx_node_get(t->root, "services"), service);
		at = find_entry(cx_node_get(at, "environment"), name);
		if (!at)
			at = find_entry(cx_node_get(t->root, "environment"), name);
	}
	cx_diag_add(d, at ? at->line : 0, at ? at->column : 0, path, "the variable %s is required, and not set", name);
	cx_diag_hint(d, "cx env set%s", set);
}

static void
service_env(json_t *s, const json_t *env, const char *service, json_t *gone)
{
	json_t *mine = json_object(), *entry, *v;
	size_t i;

	(void)json_object_set_new(s, "env", mine);
	json_array_foreach (json_object_get(s, "environment"), i, entry) {
		const char *name = cx_json_strd(entry, "name", "");

		v = json_object_get(env, name);
		if (strcmp(name, "*") == 0)
			(void)json_object_update_missing(mine, (json_t *)env);
		else if (json_is_string(v))
			(void)json_object_set(mine, name, v);
		else if (cx_json_str(entry, "default"))
			(void)json_object_set(mine, name, json_object_get(entry, "default"));
		else if (!json_object_get(gone, name))
			(void)json_object_set_new(gone, name, json_string(service));
	}
}

void
manifest_env(json_t *manifest, const struct cx_tree *t, const json_t *env, struct cx_diags *d)
{
	CX_JSON json_t *gone = json_object();
	CX_BUF struct cx_buf set = {0};
	const char *name;
	json_t *s;

	json_object_foreach (json_object_get(manifest, "services"), name, s)
		service_env(s, env, name, gone);
	json_object_foreach (gone, name, s)
		if (set.n < 400)
			cx_buf_addf(&set, " %s=...", name);
	json_object_foreach (gone, name, s)
		missing(t, json_string_value(s), name, cx_buf_str(&set), d);
}
