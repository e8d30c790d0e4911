/* convox.yml as text: the order of its keys is ours, quotes stand only where YAML needs them. */
#include "init.h"
#include <cx/buf.h>
#include <cx/own.h>
#include <string.h>
#include <strings.h>

static const char *const key_order[] = {"type", "build", "path", "manifest", "target", "args", "image", "schedule",
	"command", "service", "port", "health", "interval", "timeout", "grace", "disable", "environment", "resources",
	"volumes", "scale", "count", "memory", "cpu", "init", "privileged", "drain"};

/* What YAML 1.1 takes for a number, a truth value, a date or nothing when it is not quoted. */
static int
typed(const char *s)
{
	static const char *const words[] = {"~", "null", "true", "false", "yes", "no", "on", "off", "y", "n", "="};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcasecmp(s, words[i]) == 0)
			return 1;
	/* Also 0x1f, 1e3, 1_000, .5, 22:30, 2026-01-01: all that begins like a number and holds nothing else. */
	return strspn(s, "0123456789+-._:eExXabcdefABCDEFTZ ") == strlen(s) && strpbrk(s, "0123456789") &&
	       strchr("0123456789+-.", *s) != NULL;
}

static int
plain(const char *s, int flow)
{
	size_t n = strlen(s);

	if (n == 0 || typed(s) || strchr("?:,[]{}#&*!|>'\"%@` ", s[0]) || s[n - 1] == ' ' || s[n - 1] == ':')
		return 0;
	if (s[0] == '-' && (!s[1] || s[1] == ' ' || s[1] == '-'))
		return 0;
	for (const char *p = s; *p; p++)
		if ((unsigned char)*p < 0x20 || (unsigned char)*p >= 0x7f)
			return 0;
	if (strstr(s, ": ") || strstr(s, " #"))
		return 0;
	return !flow || !strpbrk(s, " ,[]{}\"':#&|");
}

/* Code points that must be written as escapes: controls, and what YAML takes for a break or a mark (YAML 1.1, 5.1). */
static int
escaped(const unsigned char *p, unsigned *code)
{
	*code = 0;
	if (*p < 0x20 || *p == 0x7f)
		*code = *p;
	else if (p[0] == 0xc2 && p[1] < 0xa0)
		*code = p[1];
	else if (p[0] == 0xe2 && p[1] == 0x80 && (p[2] == 0xa8 || p[2] == 0xa9))
		*code = 0x2000u + p[2] - 0x80;
	else if (p[0] == 0xef && p[1] == 0xbb && p[2] == 0xbf)
		*code = 0xfeff;
	else if (p[0] == 0xef && p[1] == 0xbf && (p[2] == 0xbe || p[2] == 0xbf))
		*code = 0xff40u + p[2];
	return *code == 0 ? 0 : *code < 0x80 ? 1 : *code < 0x800 ? 2 : 3;
}

static void
double_quoted(struct cx_buf *b, const char *s)
{
	cx_buf_addc(b, '"');
	while (*s) {
		unsigned code;
		int n = escaped((const unsigned char *)s, &code);

		if (*s == '\n' || *s == '\t') {
			cx_buf_adds(b, *s == '\n' ? "\\n" : "\\t");
		} else if (n) {
			cx_buf_addf(b, code < 0x100 ? "\\x%02x" : "\\u%04x", code);
		} else {
			if (*s == '"' || *s == '\\')
				cx_buf_addc(b, '\\');
			cx_buf_addc(b, *s);
		}
		s += n ? n : 1;
	}
	cx_buf_addc(b, '"');
}

static int
has_escapes(const char *s)
{
	unsigned code;

	for (; *s; s++)
		if (escaped((const unsigned char *)s, &code))
			return 1;
	return 0;
}

static void
scalar(struct cx_buf *b, const char *s, int flow)
{
	if (plain(s, flow)) {
		cx_buf_adds(b, s);
	} else if (has_escapes(s) || !strpbrk(s, "\"\\")) {
		double_quoted(b, s);
	} else {
		cx_buf_addc(b, '\'');
		for (; *s; s++) {
			if (*s == '\'')
				cx_buf_addc(b, '\'');
			cx_buf_addc(b, *s);
		}
		cx_buf_addc(b, '\'');
	}
}

/* A script of several lines reads best as it is. */
static int
block(const char *s)
{
	unsigned code;

	if (!strchr(s, '\n') || *s == ' ' || *s == '\n')
		return 0;
	for (const char *p = s; *p; p++)
		if (*p == '\n' ? (p > s && p[-1] == ' ') || p[1] == '\n' : escaped((const unsigned char *)p, &code))
			return 0;
	return 1;
}

static void
block_scalar(struct cx_buf *b, const char *s, int indent)
{
	size_t len = strlen(s);

	cx_buf_adds(b, s[len - 1] == '\n' ? "|\n" : "|-\n");
	while (*s) {
		size_t n = strcspn(s, "\n");

		cx_buf_addf(b, "%*s", indent, "");
		cx_buf_add(b, s, n);
		cx_buf_addc(b, '\n');
		s += n + (s[n] != '\0');
	}
}

/* A comment is one line of printable bytes. */
static void
note(struct cx_buf *b, const char *s)
{
	for (; *s; s++)
		cx_buf_addc(b, (unsigned char)*s < 0x20 || *s == 0x7f ? ' ' : *s);
}

static void
write_text(struct cx_buf *b, const json_t *v, int indent)
{
	const char *s = json_string_value(v);

	if (s && block(s)) {
		block_scalar(b, s, indent);
		return;
	}
	if (s)
		scalar(b, s, 0);
	else if (json_is_integer(v))
		cx_buf_addf(b, "%lld", (long long)json_integer_value(v));
	else
		cx_buf_adds(b, json_is_true(v) ? "true" : "false");
	cx_buf_addc(b, '\n');
}

static void
write_list(struct cx_buf *b, const json_t *list, int indent)
{
	CX_BUF struct cx_buf flow = {0};
	const json_t *v;
	size_t i;

	json_array_foreach (list, i, v) {
		cx_buf_adds(&flow, i ? ", " : "");
		if (json_is_string(v))
			scalar(&flow, json_string_value(v), 1);
	}
	if (json_is_string(json_array_get(list, 0)) && flow.n < 90 && !strchr(cx_buf_str(&flow), '=')) {
		cx_buf_addf(b, " [%s]\n", flow.p);
		return;
	}
	cx_buf_addc(b, '\n');
	json_array_foreach (list, i, v) {
		const char *said = cx_json_str(v, "note");

		cx_buf_addf(b, "%*s- ", indent, "");
		if (!said) {
			write_text(b, json_is_object(v) ? json_object_get(v, "entry") : v, indent + 2);
			continue;
		}
		scalar(b, cx_json_strd(v, "entry", ""), 0);
		cx_buf_adds(b, " # ");
		note(b, said);
		cx_buf_addc(b, '\n');
	}
}

static void write_map(struct cx_buf *b, const json_t *map, int indent);

static void
write_pair(struct cx_buf *b, const char *key, const json_t *v, int indent)
{
	cx_buf_addf(b, "%*s", indent, "");
	scalar(b, key, 0);
	cx_buf_addc(b, ':');
	if (json_is_object(v)) {
		cx_buf_addc(b, '\n');
		write_map(b, v, indent + 2);
	} else if (json_is_array(v)) {
		write_list(b, v, indent + 2);
	} else {
		cx_buf_addc(b, ' ');
		write_text(b, v, indent + 2);
	}
}

static void
write_map(struct cx_buf *b, const json_t *map, int indent)
{
	for (size_t i = 0; i < sizeof(key_order) / sizeof(key_order[0]); i++)
		if (json_object_get(map, key_order[i]))
			write_pair(b, key_order[i], json_object_get(map, key_order[i]), indent);
}

/* The named things of a section, a blank line between services. */
static void
write_section(struct cx_buf *b, const char *section, const json_t *map, int spaced)
{
	const char *name, *sep = "";
	const json_t *v, *line;
	size_t i;

	if (json_object_size(map) == 0)
		return;
	cx_buf_addf(b, "%s%s:\n", b->n ? "\n" : "", section);
	json_object_foreach ((json_t *)map, name, v) {
		cx_buf_adds(b, sep);
		sep = spaced ? "\n" : "";
		json_array_foreach (json_object_get(v, "#"), i, line) {
			cx_buf_adds(b, "  # ");
			note(b, json_string_value(line));
			cx_buf_addc(b, '\n');
		}
		write_pair(b, name, v, 2);
	}
}

char *
write_manifest(const struct init *in)
{
	struct cx_buf b = {0};

	cx_buf_adds(&b, "# Made by cx init from ");
	note(&b, in->from);
	cx_buf_adds(&b, "; convox.yml(5) describes every key.\n");
	write_section(&b, "resources", json_object_get(in->out, "resources"), 0);
	write_section(&b, "services", json_object_get(in->out, "services"), 1);
	write_section(&b, "timers", json_object_get(in->out, "timers"), 0);
	return cx_buf_take(&b);
}
