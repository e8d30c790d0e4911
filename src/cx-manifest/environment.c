#include "service.h"
#include "value.h"
#include <cx/diag.h>
#include <cx/json.h>
#include <cx/yaml.h>
#include <string.h>

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
	char key[256];

	if (!(n == 1 && *name == '*' && !value) && !name_valid(name, n)) {
		cx_diag_add(m->d, at->line, at->column, path, "\"%.*s\" is not the name of a variable",
			(int)(n > 60 ? 60 : n), name);
		cx_diag_hint(m->d, "NAME (required), NAME=default, or \"*\" for all of the app's environment");
		return;
	}
	memcpy(key, name, n);
	key[n] = '\0';
	/* A later entry of the same name replaces the earlier one (an app-wide one, or one that an anchor brought). */
	(void)json_object_del(out, key);
	cx_json_set(out, key, value);
}

void
environment_read(struct manifest *m, const struct cx_node *v, const char *path, json_t *out)
{
	const char *text;

	if (v->kind == CX_SCALAR) {
		cx_diag_add(m->d, v->line, v->column, path, "this must be a list");
		cx_diag_hint(m->d, "a list of NAME (required) or NAME=default, a line each");
		return;
	}
	if (!key_visit(m, v, v->n))
		return;
	for (size_t i = 0; v->kind == CX_SEQ && i < v->n && !m->full; i++) {
		const struct cx_node *item = v->items[i];

		/* A list within the list comes from an alias: its entries are meant. */
		if (item->kind != CX_SCALAR)
			environment_read(m, item, path, out);
		else if (value_get_text(m, item, path, &text)) {
			size_t n = strcspn(text, "=");

			put(m, item, path, text, n, text[n] ? text + n + 1 : NULL, out);
		}
	}
	for (size_t i = 0; v->kind == CX_MAP && i < v->n && !m->full; i++) {
		const struct cx_node *k = v->pairs[i].key, *w = v->pairs[i].value;

		text = NULL;
		if (k->kind == CX_SCALAR && (cx_node_null(w) || value_get_text(m, w, path, &text)))
			put(m, k, path, k->value, strlen(k->value), text, out);
	}
}

json_t *
environment_list(json_t *entries)
{
	json_t *list = json_array(), *value;
	const char *name;

	json_object_foreach (entries, name, value)
		(void)json_array_append_new(list, json_pack("{s:s,s:O}", "name", name, "default", value));
	return list;
}
