#include "key.h"
#include <ctype.h>
#include <cx/buf.h>
#include <cx/diag.h>
#include <cx/near.h>
#include <cx/own.h>
#include <cx/spool.h>
#include <cx/yaml.h>
#include <string.h>

/* Twice what a file may hold: aliases may be used often, not exponentially. */
#define VISITS_MAX ((size_t)CX_YAML_NODE_MAX * 2)

const char key_not_local[] = "not honoured by a Local Rack";

char *
key_path(const char *path, const char *name)
{
	return *path ? cx_fmt("%s.%s", path, name) : cx_strdup(name);
}

int
key_visit(struct manifest *m, const struct cx_node *n, size_t count)
{
	m->visits += count;
	if (m->visits <= VISITS_MAX)
		return 1;
	if (!m->full)
		cx_diag_add(m->d, n->line, n->column, "", "the aliases of the file expand to too many values");
	m->full = 1;
	return 0;
}

int
key_free(const struct cx_node *k)
{
	/* A key that is a list or a map was reported by the parser. */
	return k->kind != CX_SCALAR || strncmp(k->value, "x-", 2) == 0;
}

static const struct key *
find_row(const struct key *rows, const char *name)
{
	for (; rows->name; rows++)
		if (strcmp(rows->name, name) == 0)
			return rows;
	return NULL;
}

static const char *
nearest(const char *name, const struct key *rows)
{
	unsigned best = cx_near_limit(name) + 1;
	const char *near = NULL;

	for (; rows->name; rows++) {
		unsigned n = rows->read ? cx_near_distance(name, rows->name) : best;

		if (n < best) {
			best = n;
			near = rows->name;
		}
	}
	return near;
}

void
key_unknown(struct manifest *m, const struct cx_node *k, const char *path, const struct key *rows)
{
	CX_FREE char *full = key_path(path, k->value);
	const struct key *row = find_row(rows, k->value);
	const char *near;

	cx_diag_add(m->d, k->line, k->column, full, "there is no such key");
	if (m->d->n > CX_DIAG_MAX)
		return;
	near = row ? NULL : nearest(k->value, rows);
	if (row)
		cx_diag_hint(m->d, "%s", row->note);
	else if (near)
		cx_diag_hint(m->d, "did you mean %s?", near);
	else
		cx_diag_hint(m->d, "convox.yml(5) lists the keys; keys that begin with x- are free");
}

static void
read_pair(struct manifest *m, const struct cx_pair *p, const char *path, const struct key *row, json_t *out)
{
	CX_FREE char *full = key_path(path, row->name);
	const json_t *v;

	if (!key_visit(m, p->value, 1) || cx_node_null(p->value))
		return;
	row->read(m, p->value, full, out, row);
	v = json_object_get(out, row->name);
	/* What says no to a thing asks for nothing. */
	if (row->note && v && !json_is_false(v))
		cx_diag_warn(m->d, p->key, full, "%s", row->note);
}

void
key_read_map(struct manifest *m, const struct cx_node *n, const char *path, const struct key *rows, json_t *out)
{
	if (!key_visit(m, n, 1) || cx_node_null(n))
		return;
	if (n->kind != CX_MAP) {
		cx_diag_add(m->d, n->line, n->column, path, "this must be a map of keys");
		return;
	}
	for (const struct key *row = rows; row->name && !m->full; row++)
		for (size_t i = 0; row->read && i < n->n; i++)
			if (n->pairs[i].key->kind == CX_SCALAR && strcmp(n->pairs[i].key->value, row->name) == 0) {
				read_pair(m, &n->pairs[i], path, row, out);
				break;
			}
	for (size_t i = 0; i < n->n && !m->full; i++) {
		const struct cx_node *k = n->pairs[i].key;
		const struct key *row = key_free(k) ? NULL : find_row(rows, k->value);

		if (!key_free(k) && (!row || !row->read))
			key_unknown(m, k, path, rows);
	}
}

int
key_name(struct manifest *m, const struct cx_node *k, const char *path, const char *what)
{
	CX_FREE char *better = NULL;
	struct cx_err e;

	if (key_free(k))
		return 0;
	if (cx_name_check(what, k->value, &e) == 0)
		return 1;
	cx_diag_add(m->d, k->line, k->column, path, "%s", e.text);
	better = cx_strdup(k->value);
	for (char *p = better; *p; p++)
		*p = *p == '_' || *p == '.' || *p == ' ' ? '-' : (char)tolower((unsigned char)*p);
	if (cx_name_valid(better))
		cx_diag_hint(m->d, "%s; for example %s", e.hint, better);
	else
		cx_diag_hint(m->d, "%s", e.hint);
	return 0;
}
