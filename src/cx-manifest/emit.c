#include "emit.h"
#include <cx/buf.h>
#include <cx/own.h>
#include <string.h>

#define STEP 2

/* Words that are no text in YAML 1.1 or 1.2, in any case. */
static int
is_word_of_yaml(const char *s)
{
	static const char *const words[] = {"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcasecmp(s, words[i]) == 0)
			return 1;
	return 0;
}

/* Plain only when nothing can take it for anything but a text: a letter, / or _ first, and harmless bytes behind. */
static int
is_plain(const char *s)
{
	static const char first[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz/_";
	static const char rest[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/_.-+@$() =,;";
	size_t n = strlen(s);

	if (!n || n > 200 || !strchr(first, *s) || s[n - 1] == ' ' || is_word_of_yaml(s))
		return 0;
	for (const char *p = s; *p; p++)
		if (!strchr(rest, *p) && !(*p == ':' && p[1] && p[1] != ' ' && p[1] != ':'))
			return 0;
	return 1;
}

/* What YAML calls printable, without the bytes that editors or parsers treat as line breaks or drop (1.2.2, 5.1). */
static int
printable(const unsigned char *p, size_t *n)
{
	*n = *p < 0x80 ? 1 : *p < 0xE0 ? 2 : *p < 0xF0 ? 3 : 4;
	if (*n == 1)
		return *p >= 0x20 && *p != 0x7F;
	if (*n == 2)
		return p[0] != 0xC2 || p[1] >= 0xA0;
	if (*n == 3)
		return !(p[0] == 0xE2 && p[1] == 0x80 && (p[2] == 0xA8 || p[2] == 0xA9)) &&
		       !(p[0] == 0xEF && p[1] == 0xBB && p[2] == 0xBF) &&
		       !(p[0] == 0xEF && p[1] == 0xBF && p[2] >= 0xBE);
	return 1;
}

static unsigned
code_point(const unsigned char *p, size_t n)
{
	unsigned c = n == 1 ? p[0] : p[0] & (0xFFU >> (n + 1));

	for (size_t i = 1; i < n; i++)
		c = c << 6 | (p[i] & 0x3FU);
	return c;
}

static void
put_quoted(const char *s, struct cx_buf *out)
{
	size_t n;

	cx_buf_addc(out, '"');
	for (const unsigned char *p = (const unsigned char *)s; *p; p += n) {
		int plain = printable(p, &n);

		if (*p == '"' || *p == '\\')
			cx_buf_addf(out, "\\%c", *p);
		else if (*p == '\n')
			cx_buf_adds(out, "\\n");
		else if (*p == '\t')
			cx_buf_adds(out, "\\t");
		else if (plain)
			cx_buf_add(out, p, n);
		else
			cx_buf_addf(out, "\\u%04X", code_point(p, n));
	}
	cx_buf_addc(out, '"');
}

/* Several lines that a literal block holds as they are. */
static int
is_literal(const char *s)
{
	size_t n;

	if (!strchr(s, '\n') || strchr(" \t\n", *s))
		return 0;
	for (const unsigned char *p = (const unsigned char *)s; *p; p += n)
		if (!printable(p, &n) && *p != '\n' && *p != '\t')
			return 0;
	return 1;
}

static void
put_literal(const char *s, unsigned column, struct cx_buf *out)
{
	size_t n = strlen(s);

	cx_buf_adds(out, s[n - 1] != '\n' ? "|-" : s[n - 2] == '\n' ? "|+" : "|");
	while (*s) {
		size_t line = strcspn(s, "\n");

		cx_buf_addc(out, '\n');
		for (unsigned i = 0; line && i < column; i++)
			cx_buf_addc(out, ' ');
		cx_buf_add(out, s, line);
		s += line + (s[line] == '\n');
	}
}

static void put(const json_t *j, unsigned column, int after, struct cx_buf *out);

static void
put_indent(unsigned column, struct cx_buf *out)
{
	cx_buf_addc(out, '\n');
	for (unsigned i = 0; i < column; i++)
		cx_buf_addc(out, ' ');
}

static void
put_key(const char *key, unsigned column, struct cx_buf *out)
{
	if (is_plain(key) && strlen(key) < 100)
		cx_buf_adds(out, key);
	else if (strlen(key) < 100)
		put_quoted(key, out);
	else {
		/* A simple key may have 1024 characters (YAML 1.2.2, 7.4.2); escapes must not take it there. */
		cx_buf_adds(out, "? ");
		put_quoted(key, out);
		put_indent(column, out);
	}
	cx_buf_addc(out, ':');
}

static void
put_map(const json_t *j, unsigned column, int after, struct cx_buf *out)
{
	const char *key;
	json_t *v;
	int first = after != ':';

	if (json_object_size(j) == 0) {
		cx_buf_adds(out, after == ':' ? " {}" : "{}");
		return;
	}
	json_object_foreach ((json_t *)j, key, v) {
		if (!first)
			put_indent(column, out);
		first = 0;
		put_key(key, column, out);
		put(v, column + STEP, ':', out);
	}
}

static void
put_list(const json_t *j, unsigned column, int after, struct cx_buf *out)
{
	size_t i;
	json_t *v;
	int first = after != ':';

	if (json_array_size(j) == 0) {
		cx_buf_adds(out, after == ':' ? " []" : "[]");
		return;
	}
	json_array_foreach (j, i, v) {
		if (!first)
			put_indent(column, out);
		first = 0;
		cx_buf_adds(out, "- ");
		put(v, column + STEP, '-', out);
	}
}

/* YAML 1.1 takes 1e20 for a text: 1.0e+20 is a number everywhere. */
static void
put_number(const json_t *j, struct cx_buf *out)
{
	CX_FREE char *text = json_dumps(j, JSON_ENCODE_ANY);
	const char *s = text ? text : "null";
	size_t n = json_is_real(j) ? strcspn(s, "e") : strlen(s);

	cx_buf_add(out, s, n);
	if (!s[n])
		return;
	cx_buf_adds(out, memchr(s, '.', n) ? "e" : ".0e");
	if (s[n + 1] != '-' && s[n + 1] != '+')
		cx_buf_addc(out, '+');
	cx_buf_adds(out, s + n + 1);
}

static void
put_scalar(const json_t *j, unsigned column, struct cx_buf *out)
{
	const char *s = json_string_value(j);

	if (!s) {
		put_number(j, out);
	} else if (is_plain(s)) {
		cx_buf_adds(out, s);
	} else if (is_literal(s)) {
		put_literal(s, column, out);
	} else {
		put_quoted(s, out);
	}
}

/* after: ':' behind a key, '-' in a list, 0 alone. */
static void
put(const json_t *j, unsigned column, int after, struct cx_buf *out)
{
	if (json_is_object(j)) {
		put_map(j, column, after, out);
	} else if (json_is_array(j)) {
		put_list(j, column, after, out);
	} else {
		if (after == ':')
			cx_buf_addc(out, ' ');
		put_scalar(j, after ? column : STEP, out);
	}
}

void
emit_yaml(const json_t *j, struct cx_buf *out)
{
	put(j, 0, 0, out);
	cx_buf_addc(out, '\n');
}
