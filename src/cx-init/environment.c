/* environment and env_file of a compose service. */
#include "compose.h"
#include "project.h"
#include "text.h"
#include <cx/buf.h>
#include <cx/err.h>
#include <cx/own.h>
#include <cx/yaml.h>
#include <string.h>

static void
set_variable(const struct reader *r, const char *name, const char *value, json_t *at)
{
	json_t *env = child_object(r->svc, "environment");

	r->in->bytes += strlen(name) + 1;
	(void)json_object_set_new(env, name, json_pack("{s:s?,s:o}", "value", value, "at", at));
}

static void
add_variable(const struct reader *r, const char *name, const char *value, const struct cx_node *n)
{
	CX_FREE char *var = NULL, *operand = NULL;
	CX_JSON json_t *at = at_node(r->file, n);
	char op = 0;

	if (!text_variable_name(name, strlen(name))) {
		say(r->in, DROPPED, r->path, at, "\"%.60s\" is not the name of a variable", name);
		say_hint(r->in, "a name is letters, digits and _; ENV in a Dockerfile may set others");
		return;
	}
	/* NAME=${NAME}: what the app's environment is for. */
	if (value && text_is_variable(value, &var, &op, &operand) && strcmp(var, name) == 0)
		value = op == '-' ? operand : NULL;
	set_variable(r, name, value, json_incref(at));
}

void
read_environment(const struct reader *r, const struct cx_node *v)
{
	read_pairs(r, v, add_variable);
}

/* --- env_file --- */

struct env_line {
	const char *p;
	unsigned line;
	struct cx_buf *value;
	int literal; /* in single quotes: nothing is replaced */
};

static void
read_env_quoted(struct env_line *l)
{
	char quote = *l->p++;

	l->literal = quote == '\'';
	for (; *l->p && *l->p != quote; l->p++) {
		if (*l->p == '\n')
			l->line++;
		if (quote == '"' && *l->p == '\\' && l->p[1]) {
			l->p++;
			cx_buf_addc(l->value, *l->p == 'n' ? '\n' : *l->p == 't' ? '\t' : *l->p == 'r' ? '\r' : *l->p);
		} else {
			cx_buf_addc(l->value, *l->p);
		}
	}
	l->p += strcspn(l->p, "\n");
}

static void
read_env_value(struct env_line *l)
{
	size_t n;

	l->value->n = 0;
	l->literal = 0;
	l->p += strspn(l->p, " \t");
	if (*l->p == '"' || *l->p == '\'') {
		read_env_quoted(l);
		return;
	}
	n = strcspn(l->p, "\r\n");
	for (size_t i = 1; i < n; i++)
		if (l->p[i] == '#' && (l->p[i - 1] == ' ' || l->p[i - 1] == '\t'))
			n = i;
	if (n && *l->p == '#')
		n = 0;
	while (n && strchr(" \t", l->p[n - 1]))
		n--;
	cx_buf_add(l->value, l->p, n);
	l->p += strcspn(l->p, "\n");
}

static void
put_line(const struct reader *r, const char *name, const struct env_line *l, json_t *at, int names_only)
{
	unsigned flags = 0;
	const char *s = cx_buf_str(l->value);
	CX_FREE char *text = l->literal ? text_escape(s) : text_convert(s, &flags);

	if (!cx_utf8_valid(text, strlen(text))) {
		say(r->in, DROPPED, r->path, at, "the value of %.60s is not UTF-8", name);
		json_decref(at);
		return;
	}
	r->in->bytes += strlen(text) + 1;
	set_variable(r, name, names_only ? NULL : text, at);
}

void
envfile_read(const struct reader *r, const char *text, const char *file, int names_only)
{
	CX_BUF struct cx_buf value = {0};
	struct env_line l = {.p = text, .line = 1, .value = &value};

	while (*l.p && r->in->bytes < MAX_BYTES && r->in->visits++ < MAX_VISITS) {
		CX_FREE char *name = NULL;
		size_t n;
		unsigned line = l.line;

		l.p += strspn(l.p, " \t\r");
		if (strncmp(l.p, "export", 6) == 0 && strspn(l.p + 6, " \t"))
			l.p += 6 + strspn(l.p + 6, " \t");
		n = strcspn(l.p, "=:#\r\n \t");
		name = cx_strndup(l.p, n);
		l.p += n + strspn(l.p + n, " \t");
		if ((*l.p == '=' || *l.p == ':') && text_variable_name(name, n)) {
			l.p++;
			read_env_value(&l);
			put_line(r, name, &l, json_pack("{s:s,s:i,s:i}", "file", file, "line", (int)line, "column", 1),
				names_only);
		} else if (n && (*l.p == '\0' || *l.p == '\n') && text_variable_name(name, n)) {
			set_variable(r, name, NULL,
				json_pack("{s:s,s:i,s:i}", "file", file, "line", (int)line, "column", 1));
		}
		l.p += strcspn(l.p, "\n");
		l.line += *l.p == '\n';
		l.p += *l.p == '\n';
	}
}

/* A file that holds the values of one machine, and is not shared: .env, .env.local, config/.env.production. Examples
 * of it are shared. */
static int
is_private(const char *path)
{
	const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;

	return strncmp(base, ".env", 4) == 0 && !text_has(base, "example") && !text_has(base, "sample") &&
	       !text_has(base, "template") && !text_has(base, "dist") && !text_has(base, "default");
}

static void
take_file(const struct reader *r, const char *written, const struct cx_node *n, int required)
{
	CX_FREE char *path = project_join(r->in->project, r->file->folder, written);
	CX_JSON json_t *at = at_node(r->file, n);
	CX_BUF struct cx_buf text = {0};
	struct cx_err e;

	if (!path) {
		say(r->in, DROPPED, r->path, at, "%.120s lies outside of the app's folder: it is not read", written);
		say_hint(r->in, "list its names under environment, and set them: cx env set --file %.120s", written);
		return;
	}
	if (project_read(r->in->project, path, &text, &e) < 0) {
		if (!required && e.cls == CX_NO)
			return;
		say(r->in, DROPPED, r->path, at,
			e.cls == CX_NO ? "there is no file %.120s here" : "%.120s cannot be read", written);
		say_hint(r->in, "list its names under environment: a service sees only the variables that it names");
		return;
	}
	envfile_read(r, cx_buf_str(&text), path, is_private(path));
	if (is_private(path)) {
		say(r->in, CHANGED, r->path, at, "the names of %s are required now; its values stay in it", path);
		say_hint(r->in, "cx env set --file %s", path);
	} else {
		say(r->in, CHANGED, r->path, at, "the values of %s are defaults of the service now", path);
	}
}

static void
take_short(const struct reader *r, const char *text, const struct cx_node *n)
{
	take_file(r, text, n, 1);
}

static void
take_long(const struct reader *r, const struct cx_node *v)
{
	const struct cx_node *path = cx_node_get(v, "path"), *required = cx_node_get(v, "required");
	CX_FREE char *s = path && visit(r, path) ? value_of(r, path) : NULL;

	if (s)
		take_file(
			r, s, path, !required || required->kind != CX_SCALAR || strcmp(required->value, "false") != 0);
}

void
read_env_file(const struct reader *r, const struct cx_node *v)
{
	/* What stands under "environment" wins, wherever env_file stands. */
	CX_JSON json_t *own = json_deep_copy(json_object_get(r->svc, "environment"));

	if (v->kind != CX_SEQ)
		v->kind == CX_MAP ? take_long(r, v) : read_list(r, v, take_short);
	for (size_t i = 0; v->kind == CX_SEQ && i < v->n && visit(r, v->items[i]); i++) {
		if (v->items[i]->kind == CX_MAP) {
			take_long(r, v->items[i]);
		} else {
			CX_FREE char *s = value_of(r, v->items[i]);

			if (s)
				take_file(r, s, v->items[i], 1);
		}
	}
	if (own)
		(void)json_object_update(child_object(r->svc, "environment"), own);
}
