#include "text.h"
#include <ctype.h>
#include <cx/buf.h>
#include <cx/own.h>
#include <cx/spool.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

struct variable {
	const char *name, *operand;
	size_t name_n, operand_n, n; /* n: bytes of the whole */
	char op; /* 0 - ? + */
};

static size_t
name_length(const char *s)
{
	size_t n = 0;

	if (!isalpha((unsigned char)*s) && *s != '_')
		return 0;
	while (isalnum((unsigned char)s[n]) || s[n] == '_')
		n++;
	return n;
}

/* The closing brace of what was opened before p, over nested ${...}. */
static const char *
closing(const char *p)
{
	int depth = 1;

	for (; *p; p++) {
		if (p[0] == '$' && p[1] == '{')
			depth++;
		else if (*p == '}' && --depth == 0)
			return p;
	}
	return NULL;
}

/* The variable at s, which is a "$"; 0 when it is none. */
static int
read_variable(const char *s, struct variable *v)
{
	const char *p, *end;

	memset(v, 0, sizeof(*v));
	if (s[0] != '$')
		return 0;
	v->name = s[1] == '{' ? s + 2 : s + 1;
	v->name_n = name_length(v->name);
	p = v->name + v->name_n;
	v->operand = p;
	if (v->name_n == 0)
		return 0;
	if (s[1] != '{') {
		v->n = 1 + v->name_n;
		return 1;
	}
	end = closing(p);
	if (!end)
		return 0;
	v->n = (size_t)(end - s) + 1;
	if (p == end)
		return 1;
	p += *p == ':';
	v->op = *p;
	v->operand = p + 1;
	v->operand_n = p < end ? (size_t)(end - v->operand) : 0;
	return p < end && strchr("-?+", *p) != NULL;
}

size_t
text_variable(const char *s)
{
	struct variable v;

	return read_variable(s, &v) ? v.n : 0;
}

int
text_variable_name(const char *s, size_t n)
{
	return n > 0 && n < 256 && name_length(s) >= n;
}

/* $$ of an operand is one $; a variable in it cannot be kept. */
static void
add_operand(struct cx_buf *b, const struct variable *v, unsigned *flags)
{
	CX_FREE char *s = cx_strndup(v->operand, v->operand_n);
	CX_BUF struct cx_buf out = {0};

	for (const char *p = s; *p; p++) {
		if (p[0] == '$' && p[1] == '$') {
			p++;
		} else if (text_variable(p)) {
			*flags |= TEXT_NESTED;
			return;
		}
		cx_buf_addc(&out, *p);
	}
	if (strstr(cx_buf_str(&out), "${") || strchr(cx_buf_str(&out), '}')) {
		*flags |= TEXT_NESTED;
		return;
	}
	cx_buf_addf(b, ":%c%s", v->op == '?' ? '?' : '-', cx_buf_str(&out));
}

static void
add_variable(struct cx_buf *b, const struct variable *v, unsigned *flags)
{
	*flags |= TEXT_VARS;
	/* A literal $ right before a variable would be read as our escape $${. */
	if (b->n && b->p[b->n - 1] == '$')
		*flags |= TEXT_BROKEN;
	cx_buf_adds(b, "${");
	cx_buf_add(b, v->name, v->name_n);
	if (v->op == '+') {
		*flags |= TEXT_PLUS;
		cx_buf_adds(b, ":-");
	} else if (v->op) {
		add_operand(b, v, flags);
	}
	cx_buf_addc(b, '}');
}

static void
add_literal(struct cx_buf *b, char c)
{
	if (c == '{' && b->n && b->p[b->n - 1] == '$')
		cx_buf_addc(b, '$');
	cx_buf_addc(b, c);
}

char *
text_convert(const char *s, unsigned *flags)
{
	struct cx_buf b = {0};
	struct variable v;

	*flags = 0;
	while (*s) {
		if (s[0] == '$' && s[1] == '$') {
			add_literal(&b, '$');
			s += 2;
		} else if (read_variable(s, &v)) {
			add_variable(&b, &v, flags);
			s += v.n;
		} else {
			if (*s == '$')
				*flags |= TEXT_BROKEN;
			add_literal(&b, *s++);
		}
	}
	return cx_buf_take(&b);
}

char *
text_escape(const char *s)
{
	struct cx_buf b = {0};

	for (; *s; s++)
		add_literal(&b, *s);
	return cx_buf_take(&b);
}

int
text_is_variable(const char *s, char **name, char *op, char **operand)
{
	struct variable v;

	if (!read_variable(s, &v) || s[v.n])
		return 0;
	*name = cx_strndup(v.name, v.name_n);
	*operand = cx_strndup(v.operand, v.operand_n);
	*op = v.op;
	return 1;
}

/* One word at *s; 0 at the end, -1 when a quote is never closed. */
static int
next_word(const char **s, struct cx_buf *b)
{
	char quote = '\0';
	int any = 0;

	b->n = 0;
	*s += strspn(*s, " \t\r\n");
	for (; **s && (quote || !strchr(" \t\r\n", **s)); any = 1) {
		char c = *(*s)++;
		size_t n = c == '$' && quote != '\'' ? text_variable(*s - 1) : 0;

		if (n) {
			cx_buf_add(b, *s - 1, n);
			*s += n - 1;
		} else if (quote && c == quote) {
			quote = '\0';
		} else if (!quote && (c == '"' || c == '\'')) {
			quote = c;
		} else if (c == '\\' && quote != '\'' && **s && (!quote || strchr("\"\\$`", **s))) {
			cx_buf_addc(b, *(*s)++);
		} else {
			cx_buf_addc(b, c);
		}
	}
	return quote ? -1 : any;
}

json_t *
text_words(const char *s)
{
	CX_BUF struct cx_buf b = {0};
	CX_JSON json_t *words = json_array();
	int rc;

	while ((rc = next_word(&s, &b)) > 0)
		(void)json_array_append_new(words, json_stringn(cx_buf_str(&b), b.n));
	return rc < 0 ? NULL : cx_steal(&words);
}

json_t *
text_split(const char *s, char sep)
{
	json_t *parts = json_array();
	const char *from = s;

	for (;; s++) {
		size_t n = text_variable(s);

		if (n) {
			s += n - 1;
			continue;
		}
		if (*s && *s != sep)
			continue;
		(void)json_array_append_new(parts, json_stringn(from, (size_t)(s - from)));
		if (!*s)
			return parts;
		from = s + 1;
	}
}

static long
round_up(double n)
{
	long whole = (long)n;

	return whole + (n > (double)whole);
}

long
text_seconds(const char *s)
{
	static const struct {
		const char *unit;
		double seconds;
	} units[] = {{"ms", 1e-3}, {"us", 1e-6}, {"ns", 1e-9}, {"h", 3600}, {"m", 60}, {"s", 1}};
	double sum = 0;

	if (!*s)
		return -1;
	while (*s) {
		char *end = NULL;
		double n = isdigit((unsigned char)*s) || *s == '.' ? strtod(s, &end) : -1;
		size_t i = 0;

		if (!end || !(n >= 0))
			return -1;
		while (i < 6 && strncmp(end, units[i].unit, strlen(units[i].unit)) != 0)
			i++;
		if (i == 6 && *end)
			return -1;
		sum += n * (i < 6 ? units[i].seconds : 1);
		s = end + (i < 6 ? strlen(units[i].unit) : 0);
	}
	return sum <= 1e6 ? round_up(sum) : -1;
}

long
text_megabytes(const char *s)
{
	static const char units[] = "bkmgt";
	char *end = NULL;
	double n = isdigit((unsigned char)*s) || *s == '.' ? strtod(s, &end) : -1;
	const char *unit;

	if (!end || !(n >= 0))
		return -1;
	end += strspn(end, " ");
	unit = *end ? strchr(units, tolower((unsigned char)*end)) : units;
	if (!unit || (*end && end[1] && strcasecmp(end + 1, "b") != 0 && strcasecmp(end + 1, "ib") != 0))
		return -1;
	for (const char *u = units; u < unit; u++)
		n *= 1024;
	n /= 1048576;
	return n <= 1e9 ? round_up(n) : -1;
}

long
text_number(const char *s, long max)
{
	size_t n = strlen(s);
	long v;

	if (n == 0 || n > 9 || strspn(s, "0123456789") != n)
		return -1;
	v = strtol(s, NULL, 10);
	return v <= max ? v : -1;
}

char *
text_name(const char *s)
{
	struct cx_buf b = {0};

	for (; *s && b.n < 40; s++) {
		char c = (char)tolower((unsigned char)*s);

		if ((c >= 'a' && c <= 'z') || (isdigit((unsigned char)c) && b.n))
			cx_buf_addc(&b, c);
		else if (b.n && b.p[b.n - 1] != '-')
			cx_buf_addc(&b, '-');
	}
	while (b.n && b.p[b.n - 1] == '-')
		b.p[--b.n] = '\0';
	if (b.n == 0)
		cx_buf_adds(&b, "service");
	return cx_buf_take(&b);
}

int
text_has(const char *s, const char *word)
{
	return strcasestr(s, word) != NULL;
}

int
text_secret(const char *name, const char *value)
{
	static const char *const words[] = {"PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "TOKEN", "APIKEY", "API_KEY",
		"PRIVATE", "ACCESS_KEY", "CREDENTIAL", "AUTH_KEY", "ENCRYPTION_KEY", "SIGNING_KEY", "MASTER_KEY",
		"LICENSE_KEY", "ACCOUNT_KEY", "APP_KEY", "SALT"};
	static const char *const ends[] = {"_PASS", "_PWD", "_PW"};
	const char *at, *authority, *password;
	size_t n = strlen(name);

	if (strstr(value, "-----BEGIN "))
		return 1;
	/* user:password@host */
	authority = strstr(value, "://");
	at = authority ? strchr(authority + 3, '@') : NULL;
	password = at ? memchr(authority + 3, ':', (size_t)(at - authority - 3)) : NULL;
	if (password && strncmp(password, ":${", 3) != 0)
		return 1;
	if (text_variable(value) && !value[text_variable(value)])
		return 0;
	/* What only says yes, no, how long or where is no secret; nor is nothing. */
	if (strlen(value) < 4 || strcasecmp(value, "true") == 0 || strcasecmp(value, "false") == 0 || *value == '/' ||
		text_number(value, 99999) >= 0 || text_has(name, "PUBLIC") || text_has(name, "PUBLISHABLE"))
		return 0;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (text_has(name, words[i]))
			return 1;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (n >= strlen(ends[i]) && strcasecmp(name + n - strlen(ends[i]), ends[i]) == 0)
			return 1;
	return 0;
}
