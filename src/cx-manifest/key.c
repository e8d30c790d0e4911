#include "key.h"
#include "expand.h"
#include <cx/buf.h>
#include <cx/diag.h>
#include <cx/near.h>
#include <cx/own.h>
#include <cx/yaml.h>
#include <errno.h>
#include <string.h>

/* Twice what a file may hold: aliases may be used often, not exponentially. */
#define VISITS_MAX ((size_t)CX_YAML_NODE_MAX * 2)

char *
key_path(const char *path, const char *name)
{
	return *path ? cx_fmt("%s.%s", path, name) : cx_strdup(name);
}

int
key_visit(struct manifest *m, const struct cx_node *n)
{
	if (m->visits++ < VISITS_MAX)
		return 1;
	if (!m->full)
		cx_diag_add(m->d, n->line, n->column, "", "the aliases of the file expand to too many values");
	m->full = 1;
	return 0;
}

static void
unknown(struct manifest *m, const struct cx_node *k, const char *path, const struct key *rows)
{
	CX_FREE char *full = key_path(path, k->value);
	unsigned best = cx_near_limit(k->value) + 1;
	const char *near = NULL;

	for (; rows->name; rows++) {
		unsigned n = cx_near_distance(k->value, rows->name);

		if (n < best) {
			best = n;
			near = rows->name;
		}
	}
	cx_diag_add(m->d, k->line, k->column, full, "there is no such key");
	if (near)
		cx_diag_hint(m->d, "did you mean %s?", near);
	else
		cx_diag_hint(m->d, "convox.yml(5) lists the keys; keys that begin with x- are free");
}

void
key_read_map(struct manifest *m, const struct cx_node *n, const char *path, const struct key *rows, json_t *out)
{
	if (!key_visit(m, n) || cx_node_null(n))
		return;
	if (n->kind != CX_MAP) {
		cx_diag_add(m->d, n->line, n->column, path, "this must be a map of keys");
		return;
	}
	for (size_t i = 0; i < n->n; i++) {
		const struct cx_node *k = n->pairs[i].key, *v = n->pairs[i].value;
		const struct key *row = rows;
		CX_FREE char *full = NULL;

		if (k->kind != CX_SCALAR || strncmp(k->value, "x-", 2) == 0 || m->full)
			continue;
		while (row->name && strcmp(row->name, k->value) != 0)
			row++;
		full = key_path(path, k->value);
		if (!row->name)
			unknown(m, k, path, rows);
		else if (!row->read)
			cx_diag_warn(m->d, k, full, "not honoured yet by this version");
		else if (key_visit(m, v))
			row->read(m, v, full, out, row->name);
	}
}

int
key_literal(struct manifest *m, const struct cx_node *v, json_t *out, const char *name)
{
	if (!m->literal || v->kind != CX_SCALAR || !expand_has(v->value))
		return 0;
	(void)json_object_set_new(out, name, json_string(v->value));
	return 1;
}

int
key_text(struct manifest *m, const struct cx_node *v, const char *path, const char **text)
{
	if (v->kind != CX_SCALAR) {
		cx_diag_add(m->d, v->line, v->column, path, "this must be a text, not a %s",
			v->kind == CX_SEQ ? "list" : "map");
		return 0;
	}
	if (cx_node_null(v)) {
		cx_diag_add(m->d, v->line, v->column, path, "has no value");
		return 0;
	}
	*text = v->value;
	return 1;
}

int
key_int(struct manifest *m, const struct cx_node *v, const char *path, long long min, long long max, json_t **out)
{
	const char *s;
	char *end;
	long long n;

	if (!key_text(m, v, path, &s))
		return 0;
	errno = 0;
	n = strtoll(s, &end, 10);
	if (*s == '\0' || *end || errno || strspn(s, "-0123456789") != strlen(s) || n < min || n > max) {
		cx_diag_add(m->d, v->line, v->column, path, "\"%.60s\" is not a number from %lld to %lld", s, min, max);
		return 0;
	}
	*out = json_integer(n);
	return 1;
}
