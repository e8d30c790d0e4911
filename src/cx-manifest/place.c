/* Where a service keeps its data, and under which names it is reached. */
#include "service.h"
#include "value.h"
#include <cx/diag.h>
#include <cx/yaml.h>
#include <string.h>

static const char word_chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/* /path, /host:/path, name:/path; the latter two with :ro or :rw. */
static int
is_volume(const char *s)
{
	size_t source = strcspn(s, ":"), target;

	if (s[0] != '/') {
		size_t n = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-");

		if (!s[0] || !strchr(word_chars, s[0]) || n != source || n > 64)
			return 0;
	}
	if (!s[source])
		return s[0] == '/' && source > 1;
	s += source + 1;
	target = strcspn(s, ":");
	return s[0] == '/' && target > 1 &&
	       (!s[target] || strcmp(s + target, ":ro") == 0 || strcmp(s + target, ":rw") == 0);
}

void
volumes_read(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const struct key *row)
{
	json_t *list = json_array();
	const char *s;

	(void)json_object_set_new(out, row->name, list);
	if (!value_is_list(m, v, path, "volumes"))
		return;
	for (size_t i = 0; i < v->n; i++) {
		const struct cx_node *item = v->items[i];

		if (!value_get_text(m, item, path, &s))
			continue;
		if (value_open(m, item) || is_volume(s)) {
			(void)json_array_append_new(list, json_string(s));
			continue;
		}
		cx_diag_add(m->d, item->line, item->column, path, "\"%.80s\" is not a volume", s);
		if (s[0] == '.')
			cx_diag_hint(m->d, "a folder of the host is named from its root: /host/path:/path");
		else
			cx_diag_hint(m->d, "/path (kept by the rack), name:/path or /host/path:/path");
	}
}

/* A host name with a dot in it (RFC 1123, 2.1), or *. and one. */
static int
is_domain(const char *s, size_t n)
{
	size_t labels = 0, start = 0;

	if (n > 2 && s[0] == '*' && s[1] == '.')
		start = 2;
	if (n - start > 253)
		return 0;
	for (size_t i = start; i < n; labels++) {
		size_t end = i;

		while (end < n && s[end] != '.')
			end++;
		if (end == i || end - i > 63 || s[i] == '-' || s[end - 1] == '-' || end + 1 == n)
			return 0;
		for (; i < end; i++)
			if (s[i] != '-' && !memchr(word_chars, s[i], sizeof(word_chars) - 1))
				return 0;
		i += i < n;
	}
	return labels > 1;
}

static void
domains(struct manifest *m, const struct cx_node *v, const char *path, json_t *list)
{
	const char *s;

	if (cx_node_null(v) || !value_get_text(m, v, path, &s))
		return;
	if (value_open(m, v)) {
		(void)json_array_append_new(list, json_string(s));
		return;
	}
	while (*s) {
		size_t n;

		s += strspn(s, " \t\r\n,");
		n = strcspn(s, " \t\r\n,");
		if (n > 0 && is_domain(s, n))
			(void)json_array_append_new(list, json_stringn(s, n));
		else if (n > 0) {
			cx_diag_add(m->d, v->line, v->column, path, "\"%.*s\" is not a host name",
				(int)(n > 80 ? 80 : n), s);
			cx_diag_hint(m->d, "for example www.example.org or *.example.org, several with commas");
		}
		s += n;
	}
}

void
domain_read(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const struct key *row)
{
	json_t *list = json_array();

	if (v->kind == CX_SCALAR)
		domains(m, v, path, list);
	else if (value_is_list(m, v, path, "host names"))
		for (size_t i = 0; i < v->n; i++)
			domains(m, v->items[i], path, list);
	/* A variable that is empty here asks for no name. */
	if (json_array_size(list))
		(void)json_object_set(out, row->name, list);
	json_decref(list);
}
