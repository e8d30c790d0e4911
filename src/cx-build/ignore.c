#include "ignore.h"
#include "glob.h"
#include <cx/buf.h>
#include <cx/err.h>
#include <cx/own.h>
#include <cx/path.h>
#include <string.h>

#define LINE_MAX_BYTES 4096
#define PATTERNS_MAX 10000

struct rule {
	struct glob *glob;
	int back; /* 0 or 1; "!": what matches is taken back */
};

struct ignore {
	struct rule *v;
	size_t n, cap;
	size_t backs;
};

static void
add_rule(struct ignore *ig, struct glob *g, int back)
{
	if (ig->n == ig->cap) {
		size_t cap = ig->cap ? ig->cap * 2 : 16;
		struct rule *v = cx_alloc(cap * sizeof(*v));

		if (ig->n)
			memcpy(v, ig->v, ig->n * sizeof(*v));
		free(ig->v);
		ig->v = v;
		ig->cap = cap;
	}
	ig->v[ig->n++] = (struct rule){g, back};
	ig->backs += back != 0;
}

static const char *
trim(char *s)
{
	size_t n = strlen(s);

	while (n > 0 && strchr(" \t\r\v\f", s[n - 1]))
		s[--n] = '\0';
	return s + strspn(s, " \t\r\v\f");
}

static int
parse_line(struct ignore *ig, char *line, struct cx_err *e)
{
	const char *p = trim(line);
	CX_FREE char *cleaned = NULL;
	struct glob *g;
	int back = *p == '!';

	if (*p == '\0')
		return 0;
	if (back) {
		p = trim((char *)p + 1);
		if (*p == '\0')
			return cx_err_set(e, CX_BAD, "\"!\" without a pattern");
	}
	cleaned = cx_path_clean(p);
	p = cleaned[0] == '/' && cleaned[1] ? cleaned + 1 : cleaned;
	g = glob_new(p, e);
	if (!g)
		return -1;
	add_rule(ig, g, back);
	return 0;
}

struct ignore *
ignore_parse(const char *p, size_t n, const char *file, struct cx_err *e)
{
	struct ignore *ig = cx_alloc(sizeof(*ig));
	unsigned number = 0;

	if (n >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0) {
		p += 3;
		n -= 3;
	}
	while (n > 0) {
		const char *end = memchr(p, '\n', n);
		size_t len = end ? (size_t)(end - p) : n;
		CX_FREE char *line = cx_strndup(p, len);
		int bad = 0;

		number++;
		if (len > LINE_MAX_BYTES || ig->n >= PATTERNS_MAX)
			bad = cx_err_set(e, CX_BAD, "more than %d bytes in a line, or more than %d patterns",
				LINE_MAX_BYTES, PATTERNS_MAX);
		else if (*line != '#')
			bad = parse_line(ig, line, e);
		if (bad < 0) {
			(void)cx_err_at(e, file, number, 1);
			(void)cx_err_hint(
				e, "patterns are those of .dockerignore: *, ?, [a-z], **, and ! in front to take back");
			ignore_free(ig);
			return NULL;
		}
		p += len + (end != NULL);
		n -= len + (end != NULL);
	}
	return ig;
}

void
ignore_free(struct ignore *ig)
{
	if (!ig)
		return;
	for (size_t i = 0; i < ig->n; i++)
		glob_free(ig->v[i].glob);
	free(ig->v);
	free(ig);
}

size_t
ignore_count(const struct ignore *ig)
{
	return ig->n;
}

void
ignore_keep(struct ignore *ig, const char *path)
{
	add_rule(ig, glob_literal(path), 1);
}

void
ignore_drop(struct ignore *ig, const char *path)
{
	add_rule(ig, glob_literal(path), 0);
}

int
ignore_match(struct ignore *ig, const char *path, const unsigned char *up, unsigned char *here)
{
	int out = 0;

	for (size_t i = 0; i < ig->n; i++) {
		/* A rule that would change nothing is not asked, and so does not count for what is below: as moby's
		 * patternmatcher, MatchesUsingParentResults. */
		here[i] = (up && up[i]) || (ig->v[i].back == out && glob_match(ig->v[i].glob, path));
		if (here[i])
			out = !ig->v[i].back;
	}
	return out;
}

int
ignore_descend(const struct ignore *ig, const char *dir)
{
	size_t len = strlen(dir);

	for (size_t i = 0; ig->backs && i < ig->n; i++) {
		const char *prefix = glob_prefix(ig->v[i].glob);
		size_t n = strlen(prefix);

		if (!ig->v[i].back)
			continue;
		/* The shorter of "PREFIX" and "DIR/" must begin the longer. */
		if (n <= len ? strncmp(prefix, dir, n) == 0 : strncmp(prefix, dir, len) == 0 && prefix[len] == '/')
			return 1;
	}
	return 0;
}

int
ignore_path(struct ignore *ig, const char *path)
{
	CX_FREE unsigned char *up = cx_alloc(ig->n), *here = cx_alloc(ig->n);
	CX_FREE char *part = cx_strdup(path);

	for (char *slash = strchr(part, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		(void)ignore_match(ig, part, up, here);
		memcpy(up, here, ig->n);
		*slash = '/';
	}
	return ignore_match(ig, part, up, here);
}
