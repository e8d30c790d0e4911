#include "dockerfile.h"
#include <ctype.h>
#include <cx/buf.h>
#include <cx/docker.h>
#include <cx/own.h>
#include <string.h>
#include <strings.h>

#define MARK "convox:production"

/* "## convox:production": the first such line is where a development build ends. */
static void
on_comment(void *arg, size_t start, const char *p, size_t n)
{
	struct dockerfile *d = arg;
	size_t hashes = 0;

	while (hashes < n && p[hashes] == '#')
		hashes++;
	if (hashes != 2 || d->cut <= start)
		return;
	for (p += 2, n -= 2; n && isspace((unsigned char)*p); n--)
		p++;
	if (n == strlen(MARK) && strncasecmp(p, MARK, n) == 0)
		d->cut = start;
}

static void
scan_args(struct dockerfile *d, const char *p)
{
	size_t n;

	for (; (n = cx_docker_word(&p)) > 0; p += n) {
		const char *eq = memchr(p, '=', n);
		size_t len = eq ? (size_t)(eq - p) : n;

		if (len > 0 && cx_utf8_valid(p, len))
			(void)json_array_append_new(d->args, json_stringn(p, len));
	}
}

static void
scan_from(struct dockerfile *d, const char *p)
{
	int as = 0;
	size_t n;

	for (; (n = cx_docker_word(&p)) > 0; p += n) {
		if (as && cx_utf8_valid(p, n)) {
			CX_FREE char *name = cx_strndup(p, n);

			for (char *c = name; *c; c++)
				*c = (char)tolower((unsigned char)*c);
			(void)json_array_append_new(d->stages, json_string(name));
		}
		as = n == 2 && strncasecmp(p, "AS", 2) == 0;
	}
}

static int
wants_secret(const char *p)
{
	size_t n;

	for (; (n = cx_docker_word(&p)) > 0 && strncmp(p, "--", 2) == 0; p += n) {
		CX_FREE char *flag = cx_strndup(p, n);

		if (strncmp(flag, "--mount=", 8) == 0 && (strstr(flag, "type=secret") || strstr(flag, "type=ssh")))
			return 1;
	}
	return 0;
}

void
dockerfile_scan(struct dockerfile *d, const char *text, size_t n)
{
	struct cx_docker s = {.p = text, .n = n, .comment = on_comment, .arg = d};
	CX_BUF struct cx_buf b = {0};
	const char *rest;

	*d = (struct dockerfile){.args = json_array(), .stages = json_array(), .cut = n};
	while (cx_docker_next(&s, &b)) {
		if (cx_docker_is(b.p, "ARG", &rest))
			scan_args(d, rest);
		else if (cx_docker_is(b.p, "FROM", &rest))
			scan_from(d, rest);
		else if (cx_docker_is(b.p, "RUN", &rest) && !d->secret && wants_secret(rest))
			d->secret = s.line;
	}
}

void
dockerfile_free(struct dockerfile *d)
{
	json_decref(d->args);
	json_decref(d->stages);
	d->args = d->stages = NULL;
}

int
dockerfile_has_stage(const struct dockerfile *d, const char *name)
{
	const json_t *v;
	size_t i;

	json_array_foreach (d->stages, i, v)
		if (strcmp(json_string_value(v), name) == 0)
			return 1;
	return 0;
}
