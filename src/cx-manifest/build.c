#include "service.h"
#include "value.h"
#include <cx/buf.h>
#include <cx/diag.h>
#include <cx/own.h>
#include <cx/yaml.h>
#include <string.h>

/* A path within the app: it must not lead out of it. */
static void
inside_read(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const struct key *row)
{
	const char *s;

	if (value_literal(m, v, out, row->name) || !value_get_text(m, v, path, &s))
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
	(void)json_object_set_new(out, row->name, json_string(*s ? s : "."));
}

static void
args_read(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const struct key *row)
{
	json_t *args = json_object();
	const char *s;

	(void)json_object_set_new(out, row->name, args);
	if (v->kind == CX_SCALAR || !key_visit(m, v, v->n)) {
		cx_diag_add(m->d, v->line, v->column, path, "this must be a list of NAME=VALUE, or a map");
		return;
	}
	for (size_t i = 0; v->kind == CX_SEQ && i < v->n; i++) {
		size_t n;

		if (!value_get_text(m, v->items[i], path, &s))
			continue;
		n = strcspn(s, "=");
		if (n == 0)
			cx_diag_add(m->d, v->items[i]->line, v->items[i]->column, path, "\"%.60s\" has no name", s);
		CX_FREE char *k = cx_strndup(s, n);

		(void)json_object_set_new(args, k, s[n] ? json_string(s + n + 1) : json_null());
	}
	for (size_t i = 0; v->kind == CX_MAP && i < v->n; i++) {
		const struct cx_node *k = v->pairs[i].key, *w = v->pairs[i].value;

		if (k->kind == CX_SCALAR && cx_node_null(w))
			(void)json_object_set_new(args, k->value, json_null());
		else if (k->kind == CX_SCALAR && value_get_text(m, w, path, &s))
			(void)json_object_set_new(args, k->value, json_string(s));
	}
}

static const struct key build_rows[] = {{.name = "path", .read = inside_read},
	{.name = "manifest", .read = inside_read}, {.name = "args", .read = args_read},
	{.name = "target", .read = value_text}, {.name = "context", .note = "the key is path"},
	{.name = "dockerfile", .note = "the key is manifest: the Dockerfile within path"},
	{.name = "cache_from", .note = "the engine keeps its own cache: leave it out"}, {0}};

json_t *
build_default(void)
{
	return json_pack("{s:s,s:s,s:{},s:n}", "path", ".", "manifest", "Dockerfile", "args", "target");
}

void
build_read(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const struct key *row)
{
	static const struct key whole = {.name = "path", .read = inside_read};
	json_t *b = build_default();

	(void)json_object_set_new(out, row->name, b);
	if (v->kind == CX_SCALAR)
		inside_read(m, v, path, b, &whole);
	else
		key_read_map(m, v, path, build_rows, b);
}
