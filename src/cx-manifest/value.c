#include "value.h"
#include "expand.h"
#include <arpa/inet.h>
#include <cx/buf.h>
#include <cx/diag.h>
#include <cx/own.h>
#include <cx/yaml.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

int
value_open(const struct manifest *m, const struct cx_node *v)
{
	return m->literal && v->kind == CX_SCALAR && expand_has(v->value);
}

int
value_literal(const struct manifest *m, const struct cx_node *v, json_t *out, const char *name)
{
	if (!value_open(m, v))
		return 0;
	(void)json_object_set_new(out, name, json_string(v->value));
	return 1;
}

int
value_get_text(struct manifest *m, const struct cx_node *v, const char *path, const char **text)
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
value_is_list(struct manifest *m, const struct cx_node *v, const char *path, const char *of)
{
	if (v->kind == CX_SEQ)
		return key_visit(m, v, v->n);
	cx_diag_add(m->d, v->line, v->column, path, "this must be a list of %s", of);
	return 0;
}

int
value_is_map(struct manifest *m, const struct cx_node *v, const char *path, const char *of)
{
	if (v->kind == CX_MAP)
		return key_visit(m, v, v->n);
	cx_diag_add(m->d, v->line, v->column, path, "this must be a map of %s", of);
	return 0;
}

const struct cx_node *
value_of(const struct cx_node *map, const char *key)
{
	const struct cx_node *v = cx_node_get(map, key);

	return v && !cx_node_null(v) ? v : NULL;
}

void
value_text(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const struct key *row)
{
	const char *s;

	if (value_get_text(m, v, path, &s))
		(void)json_object_set_new(out, row->name, json_string(s));
}

static int
is_integer(const char *s)
{
	s += *s == '-';
	/* A zero in front is octal to one reader and decimal to another. */
	return *s && strspn(s, "0123456789") == strlen(s) && (*s != '0' || !s[1]);
}

int
value_get_int(struct manifest *m, const struct cx_node *v, const char *path, long long min, long long max, json_t **out)
{
	const char *s;
	long long n;

	if (!value_get_text(m, v, path, &s))
		return 0;
	errno = 0;
	n = strtoll(s, NULL, 10);
	if (!is_integer(s) || errno || n < min || n > max) {
		cx_diag_add(m->d, v->line, v->column, path, "\"%.60s\" is not a number from %lld to %lld", s, min, max);
		return 0;
	}
	*out = json_integer(n);
	return 1;
}

long
value_number(const char *s, size_t n, long max)
{
	long r = 0;

	if (n == 0 || n > 9 || (n > 1 && *s == '0'))
		return -1;
	for (; n; s++, n--) {
		if (*s < '0' || *s > '9')
			return -1;
		r = r * 10 + (*s - '0');
	}
	return r <= max ? r : -1;
}

void
value_int(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const struct key *row)
{
	json_t *n;

	if (!value_literal(m, v, out, row->name) && value_get_int(m, v, path, row->min, row->max, &n))
		(void)json_object_set_new(out, row->name, n);
}

/* 1, 0, or -1 for a text that is none. All small, all capital, or the first one capital (YAML 1.1, bool). */
static int
truth(const char *s)
{
	static const char *const words[] = {"false", "true", "no", "yes", "off", "on", "False", "True", "No", "Yes",
		"Off", "On", "FALSE", "TRUE", "NO", "YES", "OFF", "ON"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(s, words[i]) == 0)
			return i % 2;
	return -1;
}

void
value_bool(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const struct key *row)
{
	const char *s;

	if (value_literal(m, v, out, row->name) || !value_get_text(m, v, path, &s))
		return;
	if (truth(s) >= 0)
		(void)json_object_set_new(out, row->name, json_boolean(truth(s)));
	else
		cx_diag_add(m->d, v->line, v->column, path, "\"%.60s\" is neither true nor false", s);
}

void
value_word(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const struct key *row)
{
	CX_BUF struct cx_buf all = {0};
	const char *s;

	if (value_literal(m, v, out, row->name) || !value_get_text(m, v, path, &s))
		return;
	for (const char *const *w = row->words; *w; w++) {
		if (strcasecmp(*w, s) == 0) {
			(void)json_object_set_new(out, row->name, json_string(*w));
			return;
		}
		cx_buf_addf(&all, "%s%s", w == row->words ? "" : w[1] ? ", " : " or ", *w);
	}
	cx_diag_add(m->d, v->line, v->column, path, "\"%.60s\" is not known here", s);
	cx_diag_hint(m->d, "%s", cx_buf_str(&all));
}

static json_t *
texts(struct manifest *m, const struct cx_node *v, const char *path)
{
	json_t *list = json_array();
	const char *s;

	for (size_t i = 0; i < v->n; i++)
		if (value_get_text(m, v->items[i], path, &s))
			(void)json_array_append_new(list, json_string(s));
	return list;
}

void
value_texts(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const struct key *row)
{
	if (value_is_list(m, v, path, "texts"))
		(void)json_object_set_new(out, row->name, texts(m, v, path));
}

void
value_command(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const struct key *row)
{
	if (v->kind != CX_SEQ)
		value_text(m, v, path, out, row);
	else
		value_texts(m, v, path, out, row);
}

void
value_url_path(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const struct key *row)
{
	const char *s;

	if (value_literal(m, v, out, row->name) || !value_get_text(m, v, path, &s))
		return;
	if (s[0] == '/' && strcspn(s, " \t\r\n") == strlen(s) && strlen(s) < 1024) {
		(void)json_object_set_new(out, row->name, json_string(s));
		return;
	}
	cx_diag_add(m->d, v->line, v->column, path, "\"%.60s\" is not the path of a URL", s);
	cx_diag_hint(m->d, "it begins with /, for example /health");
}

void
value_duration(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const struct key *row)
{
	static const struct {
		char unit;
		int seconds;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}};
	const char *s;
	size_t n;
	long t;

	if (value_literal(m, v, out, row->name) || !value_get_text(m, v, path, &s))
		return;
	n = strspn(s, "0123456789");
	t = value_number(s, n, LONG_MAX);
	for (size_t i = 0; t >= 0 && i < sizeof(units) / sizeof(units[0]); i++)
		if (!s[n] || (s[n] == units[i].unit && !s[n + 1])) {
			(void)json_object_set_new(out, row->name, json_integer((json_int_t)t * units[i].seconds));
			return;
		}
	cx_diag_add(m->d, v->line, v->column, path, "\"%.60s\" is not a time", s);
	cx_diag_hint(m->d, "NUMBER and s, m, h, d or w, for example 5m");
}

/* 10.0.0.0/8, 10.1.2.3, fd00::/8 */
static int
is_network(const char *s, size_t n)
{
	unsigned char addr[16];
	const char *slash = memchr(s, '/', n);
	size_t host = slash ? (size_t)(slash - s) : n;
	char buf[64];
	int six;

	if (host == 0 || host >= sizeof(buf))
		return 0;
	memcpy(buf, s, host);
	buf[host] = '\0';
	six = strchr(buf, ':') != NULL;
	return inet_pton(six ? AF_INET6 : AF_INET, buf, addr) == 1 &&
	       (!slash || value_number(slash + 1, n - host - 1, six ? 128 : 32) >= 0);
}

static void
networks(struct manifest *m, const struct cx_node *v, const char *path, json_t *list)
{
	const char *s;

	if (!value_get_text(m, v, path, &s))
		return;
	if (value_open(m, v)) {
		(void)json_array_append_new(list, json_string(s));
		return;
	}
	for (;; s++) {
		size_t n;

		s += strspn(s, " \t\n");
		n = strcspn(s, ",");
		while (n > 0 && strchr(" \t\n", s[n - 1]))
			n--;
		if (is_network(s, n))
			(void)json_array_append_new(list, json_stringn(s, n));
		else {
			cx_diag_add(
				m->d, v->line, v->column, path, "\"%.*s\" is not a network", (int)(n > 60 ? 60 : n), s);
			cx_diag_hint(m->d, "an address and the length of its prefix, for example 10.0.0.0/8");
		}
		s += strcspn(s, ",");
		if (!*s)
			return;
	}
}

void
value_networks(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const struct key *row)
{
	json_t *list = json_array();

	(void)json_object_set_new(out, row->name, list);
	if (v->kind == CX_SCALAR)
		networks(m, v, path, list);
	else if (value_is_list(m, v, path, "networks"))
		for (size_t i = 0; i < v->n; i++)
			networks(m, v->items[i], path, list);
}

/* The members of a map, or of a list of KEY=VALUE and maps. */
static void
pairs(struct manifest *m, const struct cx_node *v, const char *path, json_t *all)
{
	const char *s;

	if (v->kind == CX_MAP && key_visit(m, v, v->n)) {
		for (size_t i = 0; i < v->n; i++) {
			const struct cx_node *k = v->pairs[i].key, *w = v->pairs[i].value;

			if (k->kind == CX_SCALAR && cx_node_null(w))
				(void)json_object_set_new(all, k->value, json_null());
			else if (k->kind == CX_SCALAR && value_get_text(m, w, path, &s))
				(void)json_object_set_new(all, k->value, json_string(s));
		}
	} else if (v->kind == CX_SCALAR) {
		const char *eq = strchr(v->value, '=');

		if (eq && eq > v->value) {
			CX_FREE char *k = cx_strndup(v->value, (size_t)(eq - v->value));

			(void)json_object_set_new(all, k, json_string(eq + 1));
			return;
		}
		cx_diag_add(m->d, v->line, v->column, path, "\"%.60s\" is not KEY=VALUE", v->value);
	} else if (v->kind == CX_SEQ) {
		cx_diag_add(m->d, v->line, v->column, path, "this must be KEY=VALUE, not a list");
	}
}

void
value_pairs(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const struct key *row)
{
	json_t *all = json_object();

	(void)json_object_set_new(out, row->name, all);
	if (v->kind == CX_SCALAR) {
		cx_diag_add(m->d, v->line, v->column, path, "this must be a map, or a list of KEY=VALUE");
		return;
	}
	if (v->kind == CX_MAP)
		pairs(m, v, path, all);
	for (size_t i = 0; v->kind == CX_SEQ && i < v->n && key_visit(m, v, 1); i++)
		pairs(m, v->items[i], path, all);
}

void
value_map(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const struct key *row)
{
	json_t *o = json_object();

	(void)json_object_set_new(out, row->name, o);
	key_read_map(m, v, path, row->rows, o);
}

void
value_maps(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const struct key *row)
{
	json_t *list = json_array();

	(void)json_object_set_new(out, row->name, list);
	if (!value_is_list(m, v, path, "maps"))
		return;
	for (size_t i = 0; i < v->n && !m->full; i++) {
		json_t *o = json_object();

		(void)json_array_append_new(list, o);
		if (cx_node_null(v->items[i]))
			cx_diag_add(m->d, v->items[i]->line, v->items[i]->column, path, "has no value");
		else
			key_read_map(m, v->items[i], path, row->rows, o);
	}
}

static json_t *
any_scalar(const struct cx_node *v)
{
	long long n;

	if (cx_node_null(v))
		return json_null();
	if (v->plain && truth(v->value) >= 0)
		return json_boolean(truth(v->value));
	errno = 0;
	n = strtoll(v->value, NULL, 10);
	/* Fractions stay text: 14.20 is no number to whom the zero matters. */
	return v->plain && is_integer(v->value) && !errno ? json_integer(n) : json_string(v->value);
}

json_t *
value_any(struct manifest *m, const struct cx_node *v)
{
	json_t *j;

	if (v->kind == CX_SCALAR || !key_visit(m, v, v->n))
		return v->kind == CX_SCALAR ? any_scalar(v) : json_null();
	j = v->kind == CX_SEQ ? json_array() : json_object();
	for (size_t i = 0; i < v->n && !m->full; i++) {
		if (v->kind == CX_SEQ)
			(void)json_array_append_new(j, value_any(m, v->items[i]));
		else if (v->pairs[i].key->kind == CX_SCALAR)
			(void)json_object_set_new(j, v->pairs[i].key->value, value_any(m, v->pairs[i].value));
	}
	return j;
}

void
value_any_map(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const struct key *row)
{
	if (value_is_map(m, v, path, "keys"))
		(void)json_object_set_new(out, row->name, value_any(m, v));
}

void
value_any_maps(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const struct key *row)
{
	json_t *list = json_array();

	(void)json_object_set_new(out, row->name, list);
	if (!value_is_list(m, v, path, "maps"))
		return;
	for (size_t i = 0; i < v->n && !m->full; i++)
		if (value_is_map(m, v->items[i], path, "keys"))
			(void)json_array_append_new(list, value_any(m, v->items[i]));
}
