#include <ctype.h>
#include <cx/buf.h>
#include <cx/docker.h>
#include <string.h>
#include <strings.h>

/* The next line without its newline; returns 0 at the end. */
static int
next_line(struct cx_docker *s, const char **line, size_t *len)
{
	const char *end;

	if (s->at >= s->n)
		return 0;
	*line = s->p + s->at;
	end = memchr(*line, '\n', s->n - s->at);
	*len = end ? (size_t)(end - *line) : s->n - s->at;
	s->at += *len + (end != NULL);
	s->read++;
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
directive(struct cx_docker *s, const char *p, size_t n)
{
	const char *eq = memchr(p, '=', n);
	size_t kn = eq ? (size_t)(eq - p) : 0, vn = eq ? n - kn - 1 : 0;
	const char *k = p, *v = eq ? eq + 1 : p;

	trim(&k, &kn);
	trim(&v, &vn);
	if (kn == 6 && strncasecmp(k, "escape", 6) == 0 && vn == 1 && (*v == '`' || *v == '\\'))
		s->escape = *v;
	if (!eq)
		s->body = 1;
}

/* Skips the here-documents of an instruction (RUN <<EOF): what is in them is not the Dockerfile's. */
static void
skip_heredocs(struct cx_docker *s, const char *p)
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

static int
join_lines(struct cx_docker *s, struct cx_buf *b)
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
			if (s->comment)
				s->comment(s->arg, start, p, n);
			if (!s->body)
				directive(s, p + 1, n - 1);
			continue;
		}
		s->body = 1;
		if (n == 0)
			continue;
		if (b->n == 0)
			s->line = s->read;
		cx_buf_add(b, p, n);
		if (b->p[b->n - 1] != s->escape)
			return 1;
		b->p[--b->n] = '\0';
		cx_buf_addc(b, ' ');
	}
}

int
cx_docker_next(struct cx_docker *s, struct cx_buf *b)
{
	const char *rest;

	if (!s->escape)
		s->escape = '\\';
	if (!join_lines(s, b))
		return 0;
	if (cx_docker_is(b->p, "RUN", &rest) || cx_docker_is(b->p, "COPY", &rest) || cx_docker_is(b->p, "ADD", &rest))
		skip_heredocs(s, rest);
	return 1;
}

size_t
cx_docker_word(const char **p)
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

int
cx_docker_is(const char *instruction, const char *keyword, const char **rest)
{
	size_t n = cx_docker_word(&instruction);

	*rest = instruction + n;
	return n == strlen(keyword) && strncasecmp(instruction, keyword, n) == 0;
}
