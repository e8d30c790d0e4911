#include "glob.h"
#include <cx/buf.h>
#include <cx/err.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum kind {
	LITERAL,
	ANY, /* ? */
	STAR, /* * */
	ALL, /* ** at the end */
	FOLDERS, /* **, or the folders in front of a name: nothing, or anything that ends with a slash */
	INSIDE, /* behind FOLDERS: within those folders */
	CLASS, /* [a-z] */
};

struct range {
	uint32_t lo, hi;
};

struct token {
	enum kind kind;
	uint32_t rune;
	size_t first, count; /* ranges of a class */
	int negated;
};

struct glob {
	char *prefix;
	int literal; /* prefix is the whole pattern */
	struct token *t;
	size_t n, cap;
	struct range *r;
	size_t rn, rcap;
	unsigned char *now, *next; /* states of a match, n + 1 each */
};

/* Decodes one character; bytes that are not UTF-8 stand for themselves, above all characters. */
static uint32_t
rune_next(const char **p)
{
	const unsigned char *s = (const unsigned char *)*p;
	unsigned len = s[0] < 0x80             ? 1
		       : (s[0] & 0xe0) == 0xc0 ? 2
		       : (s[0] & 0xf0) == 0xe0 ? 3
		       : (s[0] & 0xf8) == 0xf0 ? 4
					       : 0;
	uint32_t v = len == 1 ? s[0] : len ? s[0] & (0x7fU >> len) : 0;

	for (unsigned i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80) {
			len = 0;
			break;
		}
		v = v << 6 | (s[i] & 0x3f);
	}
	*p += len ? len : 1;
	return len ? v : 0x110000U + s[0];
}

static struct token *
add(struct glob *g, enum kind kind)
{
	if (g->n == g->cap) {
		size_t cap = g->cap ? g->cap * 2 : 16;
		struct token *t = cx_alloc(cap * sizeof(*t));

		if (g->n)
			memcpy(t, g->t, g->n * sizeof(*t));
		free(g->t);
		g->t = t;
		g->cap = cap;
	}
	g->t[g->n] = (struct token){.kind = kind};
	return &g->t[g->n++];
}

static void
add_range(struct glob *g, uint32_t lo, uint32_t hi)
{
	if (g->rn == g->rcap) {
		size_t cap = g->rcap ? g->rcap * 2 : 8;
		struct range *r = cx_alloc(cap * sizeof(*r));

		if (g->rn)
			memcpy(r, g->r, g->rn * sizeof(*r));
		free(g->r);
		g->r = r;
		g->rcap = cap;
	}
	g->r[g->rn++] = (struct range){lo, hi};
}

/* One end of a range in a class. */
static int
class_rune(const char **p, uint32_t *out, struct cx_err *e)
{
	if (**p == '\0' || **p == '-' || **p == ']')
		return cx_err_set(e, CX_BAD, "a character class in [] is not complete");
	if (**p == '\\' && *++*p == '\0')
		return cx_err_set(e, CX_BAD, "the pattern ends with a backslash");
	*out = rune_next(p);
	return 0;
}

static int
add_class(struct glob *g, const char **p, struct cx_err *e)
{
	struct token *t = add(g, CLASS);
	uint32_t lo = 0, hi;

	t->first = g->rn;
	if (**p == '^') {
		t->negated = 1;
		++*p;
	}
	while (**p != ']' || g->rn == t->first) {
		if (class_rune(p, &lo, e) < 0)
			return -1;
		hi = lo;
		if (**p == '-') {
			++*p;
			if (class_rune(p, &hi, e) < 0)
				return -1;
		}
		add_range(g, lo, hi);
	}
	++*p;
	t->count = g->rn - t->first;
	return 0;
}

/* "**" at the front with only plain text behind it: moby's patternmatcher compares the end of the path then. */
static int
is_suffix(const struct glob *g, const char *p)
{
	return g->n == 0 && *p != '/' && !strpbrk(p, "*?[]\\");
}

static void
add_stars(struct glob *g, const char **p)
{
	if (**p != '*') {
		(void)add(g, STAR);
		return;
	}
	++*p;
	if (is_suffix(g, *p)) {
		(void)add(g, ALL);
		return;
	}
	if (**p == '/')
		++*p;
	if (**p == '\0') {
		(void)add(g, ALL);
		return;
	}
	(void)add(g, FOLDERS);
	(void)add(g, INSIDE);
}

static int
compile(struct glob *g, const char *p, struct cx_buf *prefix, struct cx_err *e)
{
	while (*p) {
		char c = *p;
		const char *from;

		if (strchr("*?[", c)) {
			g->literal = 0;
			p++;
			if (c == '*')
				add_stars(g, &p);
			else if (c == '?')
				(void)add(g, ANY);
			else if (add_class(g, &p, e) < 0)
				return -1;
			continue;
		}
		if (c == '\\' && *++p == '\0')
			return cx_err_set(e, CX_BAD, "the pattern ends with a backslash");
		from = p;
		add(g, LITERAL)->rune = rune_next(&p);
		if (g->literal)
			cx_buf_add(prefix, from, (size_t)(p - from));
	}
	return 0;
}

struct glob *
glob_new(const char *pattern, struct cx_err *e)
{
	struct glob *g = cx_alloc(sizeof(*g));
	struct cx_buf prefix = {0};
	int bad;

	g->literal = 1;
	bad = compile(g, pattern, &prefix, e) < 0;
	g->prefix = cx_buf_take(&prefix);
	if (bad) {
		glob_free(g);
		return NULL;
	}
	g->now = cx_alloc(g->n + 2);
	g->next = cx_alloc(g->n + 2);
	return g;
}

struct glob *
glob_literal(const char *text)
{
	struct glob *g = cx_alloc(sizeof(*g));

	g->literal = 1;
	g->prefix = cx_strdup(text);
	return g;
}

void
glob_free(struct glob *g)
{
	if (!g)
		return;
	free(g->prefix);
	free(g->t);
	free(g->r);
	free(g->now);
	free(g->next);
	free(g);
}

const char *
glob_prefix(const struct glob *g)
{
	return g->prefix;
}

static int
in_class(const struct glob *g, const struct token *t, uint32_t c)
{
	int in = 0;

	for (size_t i = 0; i < t->count && !in; i++)
		in = c >= g->r[t->first + i].lo && c <= g->r[t->first + i].hi;
	return in != t->negated;
}

/* Follows the moves that take no character; they only go forward. Returns whether a state is left. */
static int
settle(const struct glob *g, unsigned char *set)
{
	int any = set[g->n];

	for (size_t i = 0; i < g->n; i++) {
		if (!set[i])
			continue;
		any = 1;
		if (g->t[i].kind == STAR || g->t[i].kind == ALL || g->t[i].kind == FOLDERS)
			set[i + 1] = 1;
		if (g->t[i].kind == FOLDERS)
			set[i + 2] = 1;
	}
	return any;
}

static void
step(const struct glob *g, uint32_t c)
{
	memset(g->next, 0, g->n + 1);
	for (size_t i = 0; i < g->n; i++) {
		const struct token *t = &g->t[i];

		if (!g->now[i])
			continue;
		switch (t->kind) {
		case LITERAL:
			g->next[i + 1] |= c == t->rune;
			break;
		case ANY:
			g->next[i + 1] |= c != '/';
			break;
		case STAR:
			g->next[i] |= c != '/';
			break;
		case ALL:
			g->next[i] = 1;
			break;
		case INSIDE:
			g->next[i] = 1;
			g->next[i + 1] |= c == '/';
			break;
		case CLASS:
			g->next[i + 1] |= in_class(g, t, c) != 0;
			break;
		case FOLDERS:
			break;
		}
	}
}

int
glob_match(struct glob *g, const char *path)
{
	if (g->literal)
		return strcmp(g->prefix, path) == 0;
	if (strncmp(path, g->prefix, strlen(g->prefix)) != 0)
		return 0;
	memset(g->now, 0, g->n + 1);
	g->now[0] = 1;
	(void)settle(g, g->now);
	while (*path) {
		unsigned char *swap = g->now;

		step(g, rune_next(&path));
		g->now = g->next;
		g->next = swap;
		if (!settle(g, g->now))
			return 0;
	}
	return g->now[g->n];
}
