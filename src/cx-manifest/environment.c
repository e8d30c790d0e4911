#include "service.h"
#include <cx/buf.h>
#include <cx/diag.h>
#include <cx/own.h>
#include <cx/yaml.h>
#include <string.h>

/* Each entry is looked for among the others: cheap while they are few. */
#define LIST_MAX 1000

static int
name_valid(const char *s, size_t n)
{
	static const char head[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";

	return n > 0 && n < 256 && strchr(head, s[0]) &&
	       strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789") >= n;
}

static void
put(struct manifest *m, const struct cx_node *at, const char *path, const char *name, size_t n, const char *value,
	json_t *out)
{
	size_t i;
	json_t *old;

	if (!(n == 1 && *name == '*' && !value) && !name_valid(name, n)) {
		cx_diag_add(m->d, at->line, at->column, path, "\"%.*s\" is not the name of a variable",
			(int)(n > 60 ? 60 : n), name);
		cx_diag_hint(m->d, "NAME (required), NAME=default, or \"*\" for all of the app's environment");
		return;
	}
	/* A later entry of the same name replaces the earlier one (an app-wide one, or one that an anchor brought). */
	json_array_foreach (out, i, old) {
		const char *o = json_string_value(json_object_get(old, "name"));

		if (strlen(o) == n && strncmp(o, name, n) == 0) {
			(void)json_array_remove(out, i);
			break;
		}
	}
	if (json_array_size(out) >= LIST_MAX) {
		cx_diag_add(m->d, at->line, at->column, path, "more than %d variables", LIST_MAX);
		m->full = 1;
		return;
	}
	(void)json_array_append_new(out, json_pack("{s:s%,s:s?}", "name", name, n, "default", value));
}

static void
read_entry(struct manifest *m, const struct cx_node *v, const char *path, json_t *out)
{
	const char *text;
	size_t n;

	if (!key_visit(m, v) || !key_text(m, v, path, &text))
		return;
	n = strcspn(text, "=");
	put(m, v, path, text, n, text[n] ? text + n + 1 : NULL, out);
}

void
environment_read(struct manifest *m, const struct cx_node *v, const char *path, json_t *out)
{
	if (!key_visit(m, v) || cx_node_null(v))
		return;
	if (v->kind == CX_SCALAR) {
		cx_diag_add(m->d, v->line, v->column, path, "this must be a list");
		cx_diag_hint(m->d, "a list of NAME (required) or NAME=default, a line each");
		return;
	}
	/* A list within the list comes from an alias: its entries are meant. */
	for (size_t i = 0; v->kind == CX_SEQ && i < v->n && !m->full; i++) {
		if (v->items[i]->kind == CX_SCALAR)
			read_entry(m, v->items[i], path, out);
		else
			environment_read(m, v->items[i], path, out);
	}
	for (size_t i = 0; v->kind == CX_MAP && i < v->n && !m->full; i++) {
		const struct cx_node *k = v->pairs[i].key, *w = v->pairs[i].value;
		const char *text = NULL;

		if (k->kind == CX_SCALAR && (cx_node_null(w) || key_text(m, w, path, &text)))
			put(m, k, path, k->value, strlen(k->value), text, out);
	}
}
