#include "emit.h"
#include "text.h"
#include <cx/buf.h>
#include <cx/own.h>
#include <string.h>

static int
taken(const json_t *names, const char *name)
{
	const char *k;
	const json_t *v;

	json_object_foreach ((json_t *)names, k, v)
		if (strcmp(json_string_value(v), name) == 0)
			return 1;
	return 0;
}

static void
name_one(struct plan *p, const char *raw, const json_t *svc)
{
	CX_FREE char *name = text_name(raw), *key = cx_fmt("services.%.80s", raw);

	for (int i = 2; taken(p->names, name) && i < MAX_SERVICES + 2; i++) {
		CX_FREE char *base = text_name(raw), *next = cx_fmt("%.34s-%d", base, i);

		free(cx_steal(&name));
		name = cx_steal(&next);
	}
	if (strcmp(name, raw) != 0)
		say(p->in, CHANGED, key, json_object_get(svc, "at"),
			"its name is %s now: names are lower-case letters, digits and dashes, at most 40", name);
	(void)json_object_set_new(p->names, raw, json_string(name));
}

/* A service is found under its name, its container's name and its host name. */
void
names_find(struct plan *p)
{
	static const char *const also[] = {"container_name", "hostname"};
	const char *raw;
	const json_t *svc;

	json_object_foreach (p->in->raw, raw, svc) {
		name_one(p, raw, svc);
		for (size_t i = 0; i < 2; i++)
			if (text_of(svc, also[i]) && !json_object_get(p->hosts, text_of(svc, also[i])))
				(void)json_object_set_new(p->hosts, text_of(svc, also[i]), json_string(raw));
	}
	json_object_foreach (p->in->raw, raw, svc)
		(void)json_object_set_new(p->hosts, raw, json_string(raw));
}

/* --- host names in values --- */

static void
call(const char *s, size_t n, int url, void (*each)(void *, const char *, int), void *arg)
{
	CX_FREE char *host = cx_strndup(s, n);

	if (n)
		each(arg, host, url);
}

/* user:password@host:port,host:port behind "://" */
static const char *
authority(const char *s, void (*each)(void *, const char *, int), void *arg)
{
	const char *end = s, *at = s;

	for (; *end && !strchr("/?# \t\r\n\"'", *end); end += text_variable(end) ? text_variable(end) : 1)
		if (*end == '@')
			at = end + 1;
	for (const char *p = at; p < end;) {
		size_t n = 0;

		while (p + n < end && p[n] != ',' && p[n] != ':')
			n++;
		call(p, n, 1, each, arg);
		for (p += n; p < end && *p != ',';)
			p += text_variable(p) ? text_variable(p) : 1;
		p += p < end;
	}
	return end;
}

static int
names_a_host(const char *name)
{
	static const char *const words[] = {
		"HOST", "ADDR", "SERVER", "ENDPOINT", "URL", "URI", "BROKER", "NODE", "UPSTREAM", "BOOTSTRAP"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (text_has(name, words[i]))
			return 1;
	return 0;
}

void
hosts_in(const char *name, const char *value, void (*each)(void *arg, const char *host, int url), void *arg)
{
	const char *p = strstr(value, "://");

	if (p) {
		for (; p; p = strstr(p, "://"))
			p = authority(p + 3, each, arg);
		return;
	}
	/* host:port, or a bare host where the name says so; a list of them */
	for (p = value; *p;) {
		size_t n = strcspn(p, ", "), host = strcspn(p, ":, ");

		if (host < n ? (p[host + 1] >= '0' && p[host + 1] <= '9') || p[host + 1] == '$' : names_a_host(name))
			call(p, host, 0, each, arg);
		p += n + (p[n] != '\0');
	}
}
