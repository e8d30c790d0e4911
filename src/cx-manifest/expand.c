#include "expand.h"
#include <ctype.h>
#include <cx/buf.h>
#include <cx/diag.h>
#include <cx/own.h>
#include <cx/yaml.h>
#include <string.h>

#define VALUE_MAX ((size_t)1 << 20)

struct ref {
	const char *name, *op_text; /* op: ":-" or ":?" */
	size_t name_n, op_n, n; /* n: bytes of the whole reference */
	char op; /* 0, '-', '?' */
};

/* A reference at p ("${..."): 1; none: 0; -1 when it is broken. */
static int
read_ref(const char *p, struct ref *r)
{
	const char *end;

	if (p[0] != '$' || p[1] != '{')
		return 0;
	memset(r, 0, sizeof(*r));
	end = strchr(p, '}');
	r->name = p + 2;
	while (isalnum((unsigned char)r->name[r->name_n]) || r->name[r->name_n] == '_')
		r->name_n++;
	if (!end || r->name_n == 0 || isdigit((unsigned char)r->name[0]))
		return -1;
	r->n = (size_t)(end - p) + 1;
	p = r->name + r->name_n;
	if (p == end)
		return 1;
	if (p[0] != ':' || (p[1] != '-' && p[1] != '?'))
		return -1;
	r->op = p[1];
	r->op_text = p + 2;
	r->op_n = (size_t)(end - r->op_text);
	/* ${A:-${B}} would end at the first brace: refused, not misread. */
	return memmem(r->op_text, r->op_n, "${", 2) ? -1 : 1;
}

int
expand_has(const char *text)
{
	struct ref r;

	for (const char *p = strchr(text, '$'); p; p = strchr(p + 1, '$')) {
		if (p[1] == '$' && p[2] == '{')
			p++;
		else if (read_ref(p, &r) == 1)
			return 1;
	}
	return 0;
}

static void
missing(const struct cx_node *n, const struct ref *r, struct cx_diags *d)
{
	if (r->op == '?')
		cx_diag_add(d, n->line, n->column, "", "%.*s is not set: %.*s", (int)r->name_n, r->name,
			(int)(r->op_n > 200 ? 200 : r->op_n), r->op_text);
	else
		cx_diag_add(d, n->line, n->column, "", "the variable %.*s is not set", (int)r->name_n, r->name);
	cx_diag_hint(d, "set it (cx env set %.*s=...), or give a default: ${%.*s:-default}", (int)r->name_n, r->name,
		(int)r->name_n, r->name);
}

static void
put_ref(struct cx_buf *out, const struct cx_node *n, const struct ref *r, const json_t *env, struct cx_diags *d)
{
	CX_FREE char *name = cx_strndup(r->name, r->name_n);
	const char *v = json_string_value(json_object_get(env, name));

	/* ":-" and ":?" take an empty value for none, as the shell does (POSIX.1-2017, XCU 2.6.2). */
	if (v && (*v || !r->op))
		cx_buf_adds(out, v);
	else if (r->op == '-')
		cx_buf_add(out, r->op_text, r->op_n);
	else
		missing(n, r, d);
}

static void
broken(const struct cx_node *n, const char *p, struct cx_diags *d)
{
	cx_diag_add(d, n->line, n->column, "", "\"%.40s\" is not a variable", p);
	cx_diag_hint(d, "write ${NAME}, ${NAME:-default} or ${NAME:?message}; $${ is a literal ${");
}

void
expand_check(const struct cx_tree *t, struct cx_diags *d)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct cx_node *n = t->all[i];
		struct ref r;

		for (const char *p = n->kind == CX_SCALAR ? strstr(n->value, "${") : NULL; p; p = strstr(p + 2, "${")) {
			int escaped = p > n->value && p[-1] == '$';

			if (!escaped && read_ref(p, &r) < 0) {
				broken(n, p, d);
				break;
			}
		}
	}
}

static void
expand_node(struct cx_node *n, const json_t *env, struct cx_diags *d)
{
	CX_BUF struct cx_buf out = {0};
	const char *p = n->value;

	n->expanded = 1;
	if (!strstr(p, "${"))
		return;
	while (*p) {
		struct ref r;
		int rc;

		if (p[0] == '$' && p[1] == '$' && p[2] == '{') {
			cx_buf_adds(&out, "${");
			p += 3;
			continue;
		}
		rc = read_ref(p, &r);
		if (rc < 0) {
			broken(n, p, d);
			return;
		}
		if (rc > 0)
			put_ref(&out, n, &r, env, d);
		else
			cx_buf_addc(&out, *p);
		p += rc > 0 ? r.n : 1;
		if (out.n > VALUE_MAX) {
			cx_diag_add(
				d, n->line, n->column, "", "the expanded value is larger than %zu bytes", VALUE_MAX);
			return;
		}
	}
	free(n->value);
	n->value = cx_buf_take(&out);
}

void
expand_tree(struct cx_tree *t, const json_t *env, struct cx_diags *d)
{
	/* Keys stay as they are: what a variable's value is must not decide the shape of the document. */
	for (size_t i = 0; i < t->n; i++) {
		struct cx_node *m = t->all[i];

		for (size_t k = 0; m->kind == CX_MAP && k < m->n; k++)
			m->pairs[k].key->expanded = 1;
	}
	for (size_t i = 0; i < t->n; i++)
		if (t->all[i]->kind == CX_SCALAR && !t->all[i]->expanded)
			expand_node(t->all[i], env, d);
}
