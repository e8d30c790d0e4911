#include "dotenv.h"
#include <cx/err.h>
#include <cx/own.h>
#include <string.h>

struct reader {
	const char *p, *end, *line_start, *file;
	unsigned line;
};

static int
wrong(const struct reader *r, const char *at, const char *what, struct cx_err *e)
{
	(void)cx_err_set(e, CX_BAD, "%s", what);
	(void)cx_err_at(e, r->file, r->line, (unsigned)(at - r->line_start) + 1);
	return cx_err_hint(e, "a line is NAME=VALUE, or NAME=\"VALUE\" with \\n or newlines in it, or # and a comment");
}

static void
newline(struct reader *r)
{
	r->p++;
	r->line++;
	r->line_start = r->p;
}

static void
skip_blanks(struct reader *r)
{
	while (r->p < r->end && (*r->p == ' ' || *r->p == '\t' || *r->p == '\r'))
		r->p++;
}

static int
is_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static char *
read_name(struct reader *r, struct cx_err *e)
{
	const char *from = r->p;
	size_t n;

	if (r->end - r->p > 6 && memcmp(r->p, "export", 6) == 0 && (r->p[6] == ' ' || r->p[6] == '\t')) {
		r->p += 6;
		skip_blanks(r);
		from = r->p;
	}
	while (r->p < r->end && is_name(*r->p))
		r->p++;
	n = (size_t)(r->p - from);
	if (n == 0 || (*from >= '0' && *from <= '9')) {
		(void)wrong(r, from, "here should stand the name of a variable", e);
		return NULL;
	}
	skip_blanks(r);
	if (r->p == r->end || *r->p != '=') {
		(void)wrong(r, r->p, "here should stand = and a value", e);
		return NULL;
	}
	r->p++;
	skip_blanks(r);
	return cx_strndup(from, n);
}

static char
unescaped(char c)
{
	return c == 'n' ? '\n' : c == 'r' ? '\r' : c == 't' ? '\t' : c;
}

static int
read_quoted(struct reader *r, struct cx_buf *b, struct cx_err *e)
{
	char quote = *r->p;
	struct reader open = *r;

	for (r->p++; r->p < r->end && *r->p != quote;) {
		if (*r->p == '\n') {
			cx_buf_addc(b, '\n');
			newline(r);
		} else if (quote == '"' && *r->p == '\\' && r->p + 1 < r->end && strchr("nrt\"\\$`", r->p[1]) &&
			   r->p[1]) {
			cx_buf_addc(b, unescaped(r->p[1]));
			r->p += 2;
		} else {
			cx_buf_addc(b, *r->p++);
		}
	}
	if (r->p == r->end)
		return wrong(&open, open.p, "this quote is never closed", e);
	r->p++;
	skip_blanks(r);
	if (r->p < r->end && *r->p != '\n' && *r->p != '#')
		return wrong(r, r->p, "nothing but a comment may follow the closing quote", e);
	return 0;
}

/* To the end of the line, or to a # behind a blank; blanks at the end do not count. */
static void
read_plain(struct reader *r, struct cx_buf *b)
{
	const char *from = r->p, *to;

	while (r->p < r->end && *r->p != '\n' &&
		!(*r->p == '#' && (r->p == from || r->p[-1] == ' ' || r->p[-1] == '\t')))
		r->p++;
	for (to = r->p; to > from && (to[-1] == ' ' || to[-1] == '\t' || to[-1] == '\r');)
		to--;
	cx_buf_add(b, from, (size_t)(to - from));
}

static int
read_pair(struct reader *r, json_t *env, struct cx_err *e)
{
	CX_FREE char *name = read_name(r, e);
	CX_BUF struct cx_buf value = {0};
	const char *at = r->p;
	struct reader begin = *r;

	if (!name)
		return -1;
	if (r->p < r->end && (*r->p == '"' || *r->p == '\'')) {
		if (read_quoted(r, &value, e) < 0)
			return -1;
	} else {
		read_plain(r, &value);
	}
	if (!cx_utf8_valid(cx_buf_str(&value), value.n))
		return wrong(&begin, at, "the value has a NUL byte or is not UTF-8", e);
	(void)json_object_set_new(env, name, json_stringn(cx_buf_str(&value), value.n));
	return 0;
}

int
dotenv_parse(const char *p, size_t n, const char *file, json_t *env, struct cx_err *e)
{
	struct reader r = {.p = p, .end = p + n, .line_start = p, .file = file, .line = 1};

	if (n >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0)
		r.p += 3;
	while (r.p < r.end) {
		skip_blanks(&r);
		if (r.p == r.end)
			break;
		if (*r.p == '#')
			while (r.p < r.end && *r.p != '\n')
				r.p++;
		else if (*r.p != '\n' && read_pair(&r, env, e) < 0)
			return -1;
		if (r.p < r.end && *r.p == '\n')
			newline(&r);
	}
	return 0;
}

void
dotenv_put(struct cx_buf *b, const char *name, const char *value)
{
	static const char plain[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-+.,:;/@%=?&*()[]{}<>|!~^";

	cx_buf_addf(b, "%s=", name);
	if (value[strspn(value, plain)] == '\0') {
		cx_buf_adds(b, value);
		return;
	}
	cx_buf_addc(b, '"');
	for (const char *p = value; *p; p++) {
		if (*p == '\n')
			cx_buf_adds(b, "\\n");
		else if (*p == '\r')
			cx_buf_adds(b, "\\r");
		else if (*p == '\t')
			cx_buf_adds(b, "\\t");
		else if (strchr("\"\\$`", *p))
			cx_buf_addf(b, "\\%c", *p);
		else
			cx_buf_addc(b, *p);
	}
	cx_buf_addc(b, '"');
}
