#include "compose.h"
#include "project.h"
#include "text.h"
#include <cx/diag.h>
#include <cx/err.h>
#include <cx/own.h>
#include <cx/yaml.h>
#include <string.h>

json_t *
at_node(const struct file *f, const struct cx_node *n)
{
	return json_pack("{s:s,s:i,s:i}", "file", f->name, "line", (int)n->line, "column", (int)n->column);
}

int
visit(const struct reader *r, const struct cx_node *n)
{
	if (r->in->full)
		return 0;
	if (r->in->visits++ < MAX_VISITS && r->in->bytes < MAX_BYTES)
		return 1;
	CX_JSON json_t *at = at_node(r->file, n);

	init_full(r->in, at, "the aliases and extends of the file unfold to too many values");
	return 0;
}

static void
report_lossy(const struct reader *r, const struct cx_node *v, unsigned flags)
{
	CX_JSON json_t *at = at_node(r->file, v);

	if (flags & TEXT_NESTED) {
		say(r->in, DROPPED, r->path, at, "a default that holds a variable or a brace is left out: \"%.80s\"",
			v->value);
		say_hint(r->in, "set the variable with cx env set, or write a plain default");
	}
	if (flags & TEXT_PLUS) {
		say(r->in, DROPPED, r->path, at, "${NAME:+text} has no counterpart: \"%.80s\"", v->value);
		say_hint(r->in, "it is ${NAME:-} now; let the program do the choice");
	}
	if (flags & TEXT_BROKEN)
		say(r->in, CHANGED, r->path, at,
			"\"$\" before something that is no variable is taken literally: \"%.80s\"", v->value);
}

void
wrong_kind(const struct reader *r, const struct cx_node *v, const char *want)
{
	CX_JSON json_t *at = at_node(r->file, v);

	if (v->kind == CX_SCALAR && !cx_node_null(v))
		say(r->in, DROPPED, r->path, at, "\"%.60s\" stands where compose wants a %s", v->value, want);
	else if (v->kind != CX_SCALAR)
		say(r->in, DROPPED, r->path, at, "a %s stands where compose wants a %s",
			v->kind == CX_SEQ ? "list" : "map", want);
}

char *
value_of(const struct reader *r, const struct cx_node *v)
{
	unsigned flags;
	char *s;

	if (v->kind != CX_SCALAR) {
		wrong_kind(r, v, "text");
		return NULL;
	}
	s = text_convert(cx_node_null(v) ? "" : v->value, &flags);
	r->in->bytes += strlen(s) + 1;
	if (flags & (TEXT_NESTED | TEXT_PLUS | TEXT_BROKEN))
		report_lossy(r, v, flags);
	return s;
}

json_t *
child_object(json_t *o, const char *key)
{
	if (!json_is_object(json_object_get(o, key)))
		(void)json_object_set_new(o, key, json_object());
	return json_object_get(o, key);
}

json_t *
child_array(json_t *o, const char *key)
{
	if (!json_is_array(json_object_get(o, key)))
		(void)json_object_set_new(o, key, json_array());
	return json_object_get(o, key);
}

void
read_pairs(const struct reader *r, const struct cx_node *v,
	void (*each)(const struct reader *, const char *, const char *, const struct cx_node *))
{
	for (size_t i = 0; v->kind == CX_SEQ && i < v->n; i++) {
		CX_FREE char *s = visit(r, v->items[i]) ? value_of(r, v->items[i]) : NULL;
		char *eq = s ? strchr(s, '=') : NULL;

		if (eq)
			*eq = '\0';
		if (s)
			each(r, s, eq ? eq + 1 : NULL, v->items[i]);
	}
	for (size_t i = 0; v->kind == CX_MAP && i < v->n; i++) {
		const struct cx_node *k = v->pairs[i].key, *w = v->pairs[i].value;
		CX_FREE char *s = k->kind == CX_SCALAR && visit(r, w) ? value_of(r, w) : NULL;

		if (s)
			each(r, k->value, cx_node_null(w) ? NULL : s, k);
	}
	if (v->kind == CX_SCALAR)
		wrong_kind(r, v, "list or a map");
}

void
read_list(const struct reader *r, const struct cx_node *v,
	void (*each)(const struct reader *, const char *, const struct cx_node *))
{
	if (v->kind == CX_SCALAR && !cx_node_null(v)) {
		CX_FREE char *s = value_of(r, v);

		if (s)
			each(r, s, v);
	}
	if (v->kind == CX_MAP)
		wrong_kind(r, v, "list");
	for (size_t i = 0; v->kind == CX_SEQ && i < v->n; i++) {
		CX_FREE char *s = visit(r, v->items[i]) ? value_of(r, v->items[i]) : NULL;

		if (s)
			each(r, s, v->items[i]);
	}
}

/* --- the keys of a service --- */

/* A key that is one text; it is kept with its place. */
static void
read_text(const struct reader *r, const struct cx_node *v)
{
	CX_FREE char *s = value_of(r, v);
	const char *key = strrchr(r->path, '.') + 1;

	if (s && (*s || strcmp(key, "image") != 0))
		(void)json_object_set_new(child_object(r->svc, "text"), key,
			json_pack("{s:s,s:o}", "value", s, "at", at_node(r->file, v)));
}

static const struct row {
	const char *key;
	read_key *read;
} rows[] = {{"build", read_build}, {"dockerfile", read_build}, {"image", read_text}, {"command", read_command},
	{"entrypoint", read_entrypoint}, {"environment", read_environment}, {"env_file", read_env_file},
	{"ports", read_ports}, {"expose", read_expose}, {"depends_on", read_depends}, {"links", read_links},
	{"volumes", read_volumes}, {"healthcheck", read_health}, {"deploy", read_deploy}, {"labels", read_labels},
	{"mem_limit", read_text}, {"mem_reservation", read_text}, {"cpus", read_text}, {"cpu_shares", read_text},
	{"scale", read_text}, {"stop_grace_period", read_text}, {"restart", read_text}, {"profiles", NULL},
	{"container_name", read_text}, {"hostname", read_text}, {"init", read_text}, {"privileged", read_text},
	{"network_mode", read_text}, {"extends", NULL}, {NULL, NULL}};

static void
add_profile(const struct reader *r, const char *text, const struct cx_node *at)
{
	(void)at;
	(void)json_array_append_new(child_array(r->svc, "profiles"), json_string(text));
}

static void
read_key_of(const struct reader *service, const struct cx_node *k, const struct cx_node *v)
{
	CX_FREE char *path = cx_fmt("%.100s.%.60s", service->path, k->value);
	struct reader r = *service;
	const struct row *row = rows;

	r.path = path;
	if (strncmp(k->value, "x-", 2) == 0 || !visit(&r, v))
		return;
	while (row->key && strcmp(row->key, k->value) != 0)
		row++;
	if (!row->key)
		(void)json_object_set_new(child_object(r.svc, "other"), k->value, at_node(r.file, k));
	else if (row->read)
		row->read(&r, v);
	else if (strcmp(row->key, "profiles") == 0)
		read_list(&r, v, add_profile);
}

static void read_service(struct file *f, const struct cx_node *n, json_t *svc, const char *path, int depth);
static struct file *file_load(struct init *in, const char *path, int depth, struct cx_err *e);
static void file_free(struct file *f);
static const struct cx_node *services_of(const struct file *f);

static void
extend_from(const struct reader *r, struct file *f, const char *service, const struct cx_node *at_n, int depth)
{
	const struct cx_node *base = cx_node_get(services_of(f), service);
	CX_JSON json_t *at = at_node(r->file, at_n);

	if (!base || base->kind != CX_MAP) {
		say(r->in, DROPPED, r->path, at, "%.80s has no service %.60s", f->name, service);
		return;
	}
	if (depth >= MAX_DEPTH) {
		init_full(r->in, at, "extends leads too deep, or in a circle");
		return;
	}
	read_service(f, base, r->svc, r->path, depth + 1);
}

/* "NAME", or {service, file}. What is extended comes first; the service's own keys are read over it. */
static void
read_extends(const struct reader *r, const struct cx_node *v, int depth)
{
	const struct cx_node *s = v->kind == CX_MAP ? cx_node_get(v, "service") : v;
	const struct cx_node *file = v->kind == CX_MAP ? cx_node_get(v, "file") : NULL;
	CX_JSON json_t *at = at_node(r->file, v);
	CX_FREE char *path = NULL;
	struct file *f;
	struct cx_err e;

	if (!s || s->kind != CX_SCALAR || (file && file->kind != CX_SCALAR)) {
		say(r->in, DROPPED, r->path, at, "extends must name a service");
		return;
	}
	if (!file) {
		extend_from(r, r->file, s->value, v, depth);
		return;
	}
	path = project_join(r->in->project, r->file->folder, file->value);
	f = path ? file_load(r->in, path, depth, &e) : NULL;
	if (!f) {
		say(r->in, DROPPED, r->path, at, "extends: %s",
			path ? e.text : "the file lies outside of the app's folder");
		say_hint(r->in, "copy the service that is extended into the file");
		return;
	}
	extend_from(r, f, s->value, v, depth);
	file_free(f);
}

static void
read_service(struct file *f, const struct cx_node *n, json_t *svc, const char *path, int depth)
{
	struct reader r = {.in = f->in, .file = f, .svc = svc, .path = path};
	const struct cx_node *base = cx_node_get(n, "extends");

	if (base && visit(&r, base))
		read_extends(&r, base, depth);
	for (size_t i = 0; i < n->n && !f->in->full; i++)
		if (n->pairs[i].key->kind == CX_SCALAR)
			read_key_of(&r, n->pairs[i].key, n->pairs[i].value);
}

/* --- files --- */

/* Format 1 has no "services": a map is a service when it says what runs. */
static int
is_service(const struct cx_node *v)
{
	return cx_node_get(v, "image") || cx_node_get(v, "build") || cx_node_get(v, "dockerfile");
}

static const struct cx_node *
services_of(const struct file *f)
{
	return f->format1 ? f->tree->root : cx_node_get(f->tree->root, "services");
}

static int
is_format1(const struct cx_node *root)
{
	if (cx_node_get(root, "services"))
		return 0;
	for (size_t i = 0; root && root->kind == CX_MAP && i < root->n; i++)
		if (is_service(root->pairs[i].value))
			return 1;
	return 0;
}

static struct file *
file_make(struct init *in, const char *name, int depth)
{
	struct file *f = cx_alloc(sizeof(*f));

	*f = (struct file){.in = in, .name = name, .folder = project_folder(name), .depth = depth};
	f->tree = cx_alloc(sizeof(*f->tree));
	return f;
}

static void
file_free(struct file *f)
{
	cx_tree_free(f->tree);
	free(f->tree);
	free(f->folder);
	free(f);
}

/* Another file that one of ours names. NULL with e set. */
static struct file *
file_load(struct init *in, const char *path, int depth, struct cx_err *e)
{
	CX_BUF struct cx_buf text = {0};
	CX_FREE struct cx_diags *d = cx_alloc(sizeof(*d));
	struct file *f;

	if (project_read(in->project, path, &text, e) < 0)
		return NULL;
	in->bytes += text.n;
	f = file_make(in, path, depth);
	d->file = path;
	if (cx_tree_parse(f->tree, cx_buf_str(&text), text.n, d) == 0 && !d->errors) {
		f->format1 = is_format1(f->tree->root);
		return f;
	}
	file_free(f);
	(void)cx_err_set(e, CX_BAD, "%s: line %u: %.200s", path, d->list[0].e.line, d->list[0].e.text);
	return NULL;
}

static void read_file(struct file *f);

static void
include(const struct reader *r, const char *text, const struct cx_node *n)
{
	CX_FREE char *path = project_join(r->in->project, r->file->folder, text);
	CX_JSON json_t *at = at_node(r->file, n);
	struct file *f = NULL;
	struct cx_err e;

	for (const struct file *up = r->file; path && up; up = up->parent)
		if (strcmp(up->name, path) == 0) {
			say(r->in, DROPPED, "include", at, "%s includes itself", path);
			return;
		}
	if (r->file->depth >= MAX_DEPTH) {
		init_full(r->in, at, "include leads too deep");
		return;
	}
	if (path)
		f = file_load(r->in, path, r->file->depth + 1, &e);
	if (!f) {
		say(r->in, DROPPED, "include", at, "%s", path ? e.text : "the file lies outside of the app's folder");
		return;
	}
	f->parent = r->file;
	say(r->in, KEPT, "include", at, "the services of %s", path);
	read_file(f);
	file_free(f);
}

static void
read_includes(const struct reader *r, const struct cx_node *v)
{
	if (v->kind != CX_SEQ)
		wrong_kind(r, v, "list");
	for (size_t i = 0; v->kind == CX_SEQ && i < v->n && visit(r, v->items[i]); i++) {
		const struct cx_node *path = v->items[i];

		if (path->kind == CX_MAP)
			path = cx_node_get(path, "path");
		if (path)
			read_list(r, path, include);
	}
}

static void
read_one(struct file *f, const struct cx_node *k, const struct cx_node *v)
{
	struct init *in = f->in;
	CX_FREE char *path = cx_fmt("services.%.80s", k->value);
	json_t *svc = json_object_get(in->raw, k->value);
	CX_JSON json_t *at = at_node(f, k);

	if (v->kind != CX_MAP) {
		say(in, DROPPED, path, at, "a service must be a map of keys");
		return;
	}
	if (json_object_size(in->raw) >= MAX_SERVICES) {
		init_full(in, at, "more than 1000 services");
		return;
	}
	if (!svc) {
		svc = json_pack("{s:s,s:o}", "name", k->value, "at", at_node(f, k));
		(void)json_object_set_new(in->raw, k->value, svc);
	}
	if (svc)
		read_service(f, v, svc, path, f->depth);
}

/* What stands at the top besides services. */
static void
read_top(struct file *f, const struct cx_node *k, const struct cx_node *v)
{
	CX_JSON json_t *at = at_node(f, k);

	if (strcmp(k->value, "secrets") == 0 || strcmp(k->value, "configs") == 0) {
		say(f->in, DROPPED, k->value, at, "files below /run/secrets and the like have no counterpart");
		say_hint(f->in, "give a secret as a variable (cx env set); COPY a configuration into the image");
	} else if (strcmp(k->value, "networks") == 0) {
		say(f->in, CHANGED, k->value, at, "not needed: all services of an app share its rack's network");
	} else if (strcmp(k->value, "name") == 0) {
		say(f->in, CHANGED, k->value, at, "an app is named when it is created: cx apps create %.40s",
			v->kind == CX_SCALAR ? v->value : "");
	} else if (strcmp(k->value, "volumes") == 0) {
		say(f->in, CHANGED, k->value, at, "not needed: the rack keeps the volumes that services name");
	} else if (!f->format1 && strcmp(k->value, "version") != 0 && strcmp(k->value, "services") != 0 &&
		   strcmp(k->value, "include") != 0 && strncmp(k->value, "x-", 2) != 0) {
		say(f->in, DROPPED, k->value, at, "compose has no such key");
	}
}

static void
read_file(struct file *f)
{
	struct reader r = {.in = f->in, .file = f, .path = "include"};
	const struct cx_node *root = f->tree->root, *services = services_of(f), *inc = cx_node_get(root, "include");

	if (inc && !f->format1)
		read_includes(&r, inc);
	for (size_t i = 0; root && root->kind == CX_MAP && i < root->n; i++)
		if (root->pairs[i].key->kind == CX_SCALAR && !(f->format1 && is_service(root->pairs[i].value)))
			read_top(f, root->pairs[i].key, root->pairs[i].value);
	for (size_t i = 0; services && services->kind == CX_MAP && i < services->n && !f->in->full; i++) {
		const struct cx_node *k = services->pairs[i].key, *v = services->pairs[i].value;

		if (k->kind == CX_SCALAR && strncmp(k->value, "x-", 2) != 0 && (!f->format1 || v->kind == CX_MAP) &&
			visit(&r, v))
			read_one(f, k, v);
	}
}

int
compose_read(struct init *in, const char *name, const char *text, size_t n, struct cx_err *e)
{
	CX_FREE struct cx_diags *d = cx_alloc(sizeof(*d));
	struct file *f = file_make(in, name, 0);
	int st = 0;

	d->file = name;
	if (cx_tree_parse(f->tree, text, n, d) < 0 || d->errors) {
		st = cx_diag_report(d, "cx-init", text, n, 0);
	} else if (!f->tree->root || f->tree->root->kind != CX_MAP) {
		st = cx_err_set(e, CX_BAD, "%s is no compose file: it has no services", name);
	} else {
		f->format1 = is_format1(f->tree->root);
		read_file(f);
	}
	file_free(f);
	return st;
}
