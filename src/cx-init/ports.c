/* ports and expose of a compose service, short and long. */
#include "compose.h"
#include "text.h"
#include <cx/buf.h>
#include <cx/own.h>
#include <cx/yaml.h>
#include <string.h>

/* A number, a range "3000-3005" (its first port stands for it), or a variable. */
static int
port_valid(const char *s)
{
	const char *dash = strchr(s, '-');
	CX_FREE char *first = cx_strndup(s, dash ? (size_t)(dash - s) : strlen(s));

	if (*s && text_variable(s) == strlen(s))
		return 1;
	return text_number(first, 65535) > 0 && (!dash || text_number(dash + 1, 65535) > 0);
}

static void
add_port(const struct reader *r, const struct cx_node *n, const char *target, const char *published,
	const char *protocol, const char *app)
{
	CX_JSON json_t *at = at_node(r->file, n);
	json_t *ports = child_array(r->svc, "ports"), *old;
	size_t i;

	if (!port_valid(target)) {
		say(r->in, DROPPED, r->path, at, "\"%.60s\" is not a port", target);
		return;
	}
	json_array_foreach (ports, i, old)
		if (strcmp(cx_json_strd(old, "target", ""), target) == 0 &&
			strcmp(cx_json_strd(old, "protocol", ""), protocol) == 0 &&
			strcmp(cx_json_strd(old, "published", ""), published) == 0)
			return;
	if (json_array_size(ports) < 1000)
		(void)json_array_append_new(ports, json_pack("{s:s,s:s,s:s,s:s,s:O}", "target", target, "published",
							   published, "protocol", protocol, "app", app, "at", at));
}

/* The last ":" of s that stands neither in a variable nor in brackets. */
static char *
last_colon(char *s)
{
	char *colon = NULL;

	while (*s) {
		size_t n = text_variable(s);

		if (!n && *s == '[')
			n = strcspn(s, "]");
		else if (!n && *s == ':')
			colon = s;
		s += n ? n : 1;
	}
	return colon;
}

/* [[IP:]PUBLISHED:]TARGET[/PROTOCOL] */
static void
read_short(const struct reader *r, const char *text, const struct cx_node *n)
{
	CX_FREE char *s = cx_strdup(text);
	char *slash = strrchr(s, '/'), *target, *published = s + strlen(s);
	const char *protocol = "tcp";

	if (slash && !strchr(slash, '}')) {
		*slash = '\0';
		protocol = slash + 1;
	}
	target = last_colon(s);
	if (target) {
		*target++ = '\0';
		published = last_colon(s) ? last_colon(s) + 1 : s;
	} else {
		target = s;
	}
	add_port(r, n, target, published, protocol, "");
}

static void
read_long(const struct reader *r, const struct cx_node *v)
{
	static const char *const keys[] = {"target", "published", "protocol", "app_protocol"};
	CX_JSON json_t *got = json_object();

	for (size_t i = 0; i < 4; i++) {
		const struct cx_node *n = cx_node_get(v, keys[i]);
		CX_FREE char *s = n && visit(r, n) ? value_of(r, n) : NULL;

		cx_json_set(got, keys[i], s ? s : "");
	}
	add_port(r, v, cx_json_strd(got, "target", ""), cx_json_strd(got, "published", ""),
		*cx_json_strd(got, "protocol", "") ? cx_json_strd(got, "protocol", "") : "tcp",
		cx_json_strd(got, "app_protocol", ""));
}

void
read_ports(const struct reader *r, const struct cx_node *v)
{
	if (v->kind != CX_SEQ)
		read_list(r, v, read_short);
	for (size_t i = 0; v->kind == CX_SEQ && i < v->n; i++) {
		const struct cx_node *n = v->items[i];

		if (!visit(r, n))
			return;
		if (n->kind == CX_MAP) {
			read_long(r, n);
		} else {
			CX_FREE char *s = value_of(r, n);

			if (s)
				read_short(r, s, n);
		}
	}
}

static void
expose(const struct reader *r, const char *text, const struct cx_node *n)
{
	CX_FREE char *port = cx_strndup(text, strcspn(text, "/"));

	if (text_variable(text) || port_valid(port))
		(void)json_object_set_new(
			child_object(r->svc, "expose"), text_variable(text) ? text : port, at_node(r->file, n));
}

void
read_expose(const struct reader *r, const struct cx_node *v)
{
	read_list(r, v, expose);
}
