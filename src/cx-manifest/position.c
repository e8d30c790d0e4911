#include "position.h"
#include <cx/buf.h>
#include <cx/own.h>
#include <cx/yaml.h>
#include <string.h>

/* Comparisons for a whole file: behind it values have the place of their parent. */
#define WORK_MAX ((size_t)20000000)

struct walk {
	json_t *out;
	struct cx_buf path;
	const struct cx_node *environment; /* the app-wide one: its entries stand in every service */
	size_t work;
};

/* The value of a key. JSON and file mostly have the same order: `hint` is where to look first. */
static const struct cx_node *
member(struct walk *w, const struct cx_node *map, const char *key, size_t *hint)
{
	for (size_t i = 0; map->kind == CX_MAP && i < map->n && w->work < WORK_MAX; i++) {
		const struct cx_pair *p = &map->pairs[(*hint + i) % map->n];

		w->work++;
		if (p->key->kind == CX_SCALAR && strcmp(p->key->value, key) == 0) {
			*hint = (*hint + i + 1) % map->n;
			return p->value;
		}
	}
	return NULL;
}

/* The last entry NAME or NAME=value of an environment: it is the one that counts. */
static const struct cx_node *
entry(struct walk *w, const struct cx_node *n, const char *name)
{
	const struct cx_node *found = NULL, *f;
	size_t len = strlen(name);

	for (size_t i = 0; n && n->kind == CX_SEQ && i < n->n && w->work++ < WORK_MAX; i++) {
		const struct cx_node *v = n->items[i];

		if (v->kind != CX_SCALAR)
			f = entry(w, v, name);
		else
			f = strncmp(v->value, name, len) == 0 && (!v->value[len] || v->value[len] == '=') ? v : NULL;
		found = f ? f : found;
	}
	for (size_t i = 0; n && n->kind == CX_MAP && i < n->n && w->work++ < WORK_MAX; i++)
		if (n->pairs[i].key->kind == CX_SCALAR && strcmp(n->pairs[i].key->value, name) == 0)
			found = n->pairs[i].value;
	return found;
}

static const struct cx_node *
item(struct walk *w, const struct cx_node *n, const json_t *list, size_t i)
{
	const json_t *v = json_array_get(list, i);
	const char *s = json_string_value(v), *name = json_string_value(json_object_get(v, "name"));
	const struct cx_node *found;

	if (name && json_object_get(v, "default")) {
		found = entry(w, n, name);
		return found ? found : entry(w, w->environment, name);
	}
	if (n->kind != CX_SEQ)
		return NULL;
	if (n->n == json_array_size(list))
		return n->items[i];
	for (size_t k = 0; s && k < n->n && w->work++ < WORK_MAX; k++)
		if (n->items[k] && n->items[k]->kind == CX_SCALAR && strcmp(n->items[k]->value, s) == 0)
			return n->items[k];
	return NULL;
}

static void
push_key(struct cx_buf *path, const char *key)
{
	cx_buf_addc(path, '/');
	for (; *key; key++) {
		if (*key == '~' || *key == '/')
			cx_buf_adds(path, *key == '~' ? "~0" : "~1");
		else
			cx_buf_addc(path, *key);
	}
}

static void
pop_key(struct cx_buf *path, size_t n)
{
	path->n = n;
	path->p[n] = '\0';
}

/* at: the node of j, or (inside 0) the nearest one above it. */
static void
walk(struct walk *w, const json_t *j, const struct cx_node *at, int inside)
{
	size_t n = w->path.n, i, hint = 0;
	const struct cx_node *c;
	const char *key;
	json_t *v;

	if (n)
		(void)json_object_set_new(w->out, w->path.p, json_pack("[i,i]", (int)at->line, (int)at->column));
	json_object_foreach ((json_t *)j, key, v) {
		push_key(&w->path, key);
		c = inside ? member(w, at, key, &hint) : NULL;
		walk(w, v, c ? c : at, c != NULL);
		pop_key(&w->path, n);
	}
	json_array_foreach (j, i, v) {
		cx_buf_addf(&w->path, "/%zu", i);
		c = item(w, at, j, i);
		walk(w, v, c ? c : at, c != NULL);
		pop_key(&w->path, n);
	}
}

json_t *
position_map(const json_t *m, const struct cx_tree *t)
{
	struct walk w = {.out = json_object()};

	if (t->root) {
		w.environment = cx_node_get(t->root, "environment");
		walk(&w, m, t->root, 1);
	}
	cx_buf_free(&w.path);
	return w.out;
}
