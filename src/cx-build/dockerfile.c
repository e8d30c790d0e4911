#include "dockerfile.h"
#include <ctype.h>
#include <cx/buf.h>
#include <cx/own.h>
#include <string.h>
#include <strings.h>

#define MARK "convox:production"

/* Where the scan stands. */
struct scan {
	const char *p;
	size_t n, at;
	unsigned line;
	char escape;
	int directives; /* still among the parser directives at the top */
};

/* The next line without its newline; returns 0 at the end. */
static int
next_line(struct scan *s, const char **line, size_t *len)
{
	const char *end;

	if (s->at >= s->n)
		return 0;
	*line = s->p + s->at;
	end = memchr(*line, '\n', s->n - s->at);
	*len = end ? (size_t)(end - *line) : s->n - s->at;
	s->at += *len + (end != NULL);
	s->line++;
	if (*len && (*line)[*len - 1] == '\r')
		--*len;
	return 1;
}

static void
trim(const char **p, size_t *n)
{
	while (*n && isspace((unsigned char)**p)) {
		++*p;
		--*n;
	}
	while (*n && isspace((unsigned char)(*p)[*n - 1]))
		--*n;
}

/* "# escape=`" at the top changes the character that continues a line. */
static void
directive(struct scan *s, const char *p, size_t n)
{
	const char *eq = memchr(p, '=', n);
	size_t kn = eq ? (size_t)(eq - p) : 0, vn = eq ? n - kn - 1 : 0;
	const char *k = p, *v = eq ? eq + 1 : p;

	trim(&k, &kn);
	trim(&v, &vn);
	if (kn == 6 && strncasecmp(k, "escape", 6) == 0 && vn == 1 && (*v == '`' || *v == '\\'))
		s->escape = *v;
	if (!eq)
		s->directives = 0;
}

static int
is_mark(const char *p, size_t n)
{
	size_t hashes = 0;

	while (hashes < n && p[hashes] == '#')
		hashes++;
	if (hashes != 2)
		return 0;
	p += hashes;
	n -= hashes;
	trim(&p, &n);
	return n == strlen(MARK) && strncasecmp(p, MARK, n) == 0;
}

/* One instruction, its continuation lines joined; comments between them are dropped. Returns 0 at the end. */
static int
next_instruction(struct scan *s, struct cx_buf *b, struct dockerfile *d, unsigned *line)
{
	const char *p;
	size_t n;

	b->n = 0;
	while (1) {
		size_t start = s->at;

		if (!next_line(s, &p, &n))
			return b->n > 0;
		trim(&p, &n);
		if (n && *p == '#') {
			if (is_mark(p, n) && d->cut > start)
				d->cut = start;
			if (s->directives)
				directive(s, p + 1, n - 1);
			continue;
		}
		s->directives = 0;
		if (n == 0)
			continue;
		if (b->n == 0)
			*line = s->line;
		cx_buf_add(b, p, n);
		if (b->p[b->n - 1] != s->escape)
			return 1;
		b->p[--b->n] = '\0';
		cx_buf_addc(b, ' ');
	}
}

/* Words of an instruction; quotes hold a word together. Returns the length of the word at *p, 0 at the end. */
static size_t
next_word(const char **p)
{
	const char *s;
	char quote = '\0';

	while (isspace((unsigned char)**p))
		++*p;
	for (s = *p; *s && (quote || !isspace((unsigned char)*s)); s++) {
		if (quote && *s == quote)
			quote = '\0';
		else if (!quote && (*s == '"' || *s == '\''))
			quote = *s;
	}
	return (size_t)(s - *p);
}

static void
scan_args(struct dockerfile *d, const char *p)
{
	size_t n;

	for (; (n = next_word(&p)) > 0; p += n) {
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

	for (; (n = next_word(&p)) > 0; p += n) {
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

	for (; (n = next_word(&p)) > 0 && strncmp(p, "--", 2) == 0; p += n) {
		CX_FREE char *flag = cx_strndup(p, n);

		if (strncmp(flag, "--mount=", 8) == 0 && (strstr(flag, "type=secret") || strstr(flag, "type=ssh")))
			return 1;
	}
	return 0;
}

/* Skips the here-documents of an instruction (RUN <<EOF): what is in them is not the Dockerfile's. */
static void
skip_heredocs(struct scan *s, const char *p)
{
	for (p = strstr(p, "<<"); p; p = strstr(p, "<<")) {
		char quote = '\0';
		const char *line;
		size_t n, len;

		p += 2;
		if (*p == '-')
			p++;
		if (*p == '"' || *p == '\'')
			quote = *p++;
		for (n = 0; isalnum((unsigned char)p[n]) || p[n] == '_';)
			n++;
		if (n == 0 || isdigit((unsigned char)*p) || (quote && p[n] != quote))
			continue;
		while (next_line(s, &line, &len)) {
			trim(&line, &len);
			if (len == n && memcmp(line, p, n) == 0)
				break;
		}
	}
}

void
dockerfile_scan(struct dockerfile *d, const char *text, size_t n)
{
	struct scan s = {.p = text, .n = n, .escape = '\\', .directives = 1};
	CX_BUF struct cx_buf b = {0};
	unsigned line = 0;

	*d = (struct dockerfile){.args = json_array(), .stages = json_array(), .cut = n};
	while (next_instruction(&s, &b, d, &line)) {
		const char *p = b.p;
		size_t w = next_word(&p);
		const char *rest = p + w;

		if (w == 3 && strncasecmp(p, "ARG", 3) == 0) {
			scan_args(d, rest);
		} else if (w == 4 && strncasecmp(p, "FROM", 4) == 0) {
			scan_from(d, rest);
		} else if (w == 3 && strncasecmp(p, "RUN", 3) == 0) {
			if (!d->secret && wants_secret(rest))
				d->secret = line;
			skip_heredocs(&s, rest);
		} else if ((w == 4 && strncasecmp(p, "COPY", 4) == 0) || (w == 3 && strncasecmp(p, "ADD", 3) == 0)) {
			skip_heredocs(&s, rest);
		}
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
