#include "health.h"
#include "compose.h"
#include "text.h"
#include <cx/buf.h>
#include <cx/own.h>
#include <cx/yaml.h>
#include <string.h>

static const char url_end[] = " \t\r\n\"'`|;)<>";

/* Behind the scheme, or at a bare name of the container itself; NULL when there is none. */
static const char *
find_host(const char *s)
{
	static const char *const own[] = {"localhost", "127.0.0.1", "0.0.0.0", "[::1]"};
	const char *p = strstr(s, "://");

	if (p && (p - s >= 4) && (strncmp(p - 4, "http", 4) == 0 || (p - s >= 5 && strncmp(p - 5, "https", 5) == 0)))
		return p + 3;
	if (!strstr(s, "curl") && !strstr(s, "wget") && !strstr(s, "http"))
		return NULL;
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		p = strstr(s, own[i]);
		if (p && strchr(":/ \t\"'|;)", p[strlen(own[i])]))
			return p;
	}
	return NULL;
}

int
health_url(const char *command, char **port, char **path)
{
	const char *p = find_host(command);
	size_t n;

	*port = *path = NULL;
	if (!p)
		return 0;
	n = *p == '[' ? strcspn(p, "]") : 0;
	for (p += n; *p && !strchr(url_end, *p) && !strchr(":/?", *p);)
		p += text_variable(p) ? text_variable(p) : 1;
	if (*p == ':') {
		const char *from = ++p;

		while (*p && !strchr(url_end, *p) && !strchr("/?", *p))
			p += text_variable(p) ? text_variable(p) : 1;
		*port = cx_strndup(from, (size_t)(p - from));
	}
	n = strcspn(p, url_end);
	if (n && *p == '/' && !memchr(p, '\\', n))
		*path = cx_strndup(p, strcspn(p, "#") < n ? strcspn(p, "#") : n);
	else
		*path = cx_strdup("/");
	return 1;
}

json_t *
health_make(const json_t *h)
{
	static const char *const keys[] = {"interval", "timeout", "grace"};
	const char *path = cx_json_strd(h, "path", "/");
	json_t *out;

	if (cx_json_true(h, "disable"))
		return json_pack("{s:b}", "disable", 1);
	out = strcmp(path, "/") == 0 ? json_object() : json_pack("{s:s}", "path", path);
	for (size_t i = 0; i < 3; i++)
		if (json_object_get(h, keys[i]))
			(void)json_object_set(out, keys[i], json_object_get(h, keys[i]));
	if (json_object_size(out) > (json_object_get(out, "path") != NULL))
		return out;
	json_decref(out);
	return strcmp(path, "/") == 0 ? NULL : json_string(path);
}

/* --- healthcheck of a compose service --- */

static void
add_word(const struct reader *r, const char *text, const struct cx_node *at)
{
	json_t *h = child_object(r->svc, "health");
	CX_FREE char *all = cx_fmt("%s %s", cx_json_strd(h, "command", ""), text);

	(void)at;
	(void)json_object_set_new(h, "command", json_string(all));
}

static void
read_test(const struct reader *r, const struct cx_node *v)
{
	json_t *h = child_object(r->svc, "health");
	const char *command;

	(void)json_object_del(h, "command");
	read_list(r, v, add_word);
	command = cx_json_strd(h, "command", "");
	if (strcmp(command, " NONE") == 0)
		(void)json_object_set_new(h, "disable", json_true());
}

static void
read_period(const struct reader *r, const char *key, const struct cx_node *v)
{
	CX_FREE char *s = value_of(r, v);
	long n = s ? text_seconds(s) : -1;
	CX_JSON json_t *at = at_node(r->file, v);

	if (n < 0 && s) {
		say(r->in, DROPPED, r->path, at, "\"%.40s\" is no time that can be kept", s);
		say_hint(r->in, "write seconds under health in convox.yml");
		return;
	}
	if (n < 1 && strcmp(key, "grace") != 0)
		n = 1;
	if (n > 3600)
		n = 3600;
	if (s)
		(void)json_object_set_new(child_object(r->svc, "health"), key, json_integer(n));
}

void
read_health(const struct reader *r, const struct cx_node *v)
{
	static const char *const keys[][2] = {
		{"interval", "interval"}, {"timeout", "timeout"}, {"start_period", "grace"}};
	json_t *h = child_object(r->svc, "health");

	(void)json_object_set_new(h, "at", at_node(r->file, v));
	if (v->kind != CX_MAP)
		wrong_kind(r, v, "map");
	for (size_t i = 0; v->kind == CX_MAP && i < v->n; i++) {
		const struct cx_node *k = v->pairs[i].key, *w = v->pairs[i].value;
		CX_FREE char *path = NULL;
		struct reader sub = *r;

		if (k->kind != CX_SCALAR || !visit(r, w))
			continue;
		path = cx_fmt("%s.%.40s", r->path, k->value);
		sub.path = path;
		if (strcmp(k->value, "test") == 0)
			read_test(&sub, w);
		else if (strcmp(k->value, "disable") == 0 && w->kind == CX_SCALAR)
			(void)json_object_set_new(h, "disable", json_boolean(strcmp(w->value, "true") == 0));
		else if (strcmp(k->value, "retries") == 0)
			(void)json_object_set_new(h, "retries", json_true());
		for (size_t j = 0; j < 3; j++)
			if (strcmp(k->value, keys[j][0]) == 0)
				read_period(&sub, keys[j][1], w);
	}
}
