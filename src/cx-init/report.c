#include "init.h"
#include <cx/buf.h>
#include <cx/own.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const verdicts[] = {"kept", "changed", "dropped"};

void
init_open(struct init *in, struct project *p, const char *from)
{
	*in = (struct init){.project = p, .from = from};
	in->raw = json_object();
	in->report = json_array();
	in->out = json_pack("{s:{},s:{},s:{}}", "resources", "services", "timers");
}

void
init_close(struct init *in)
{
	json_decref(in->raw);
	json_decref(in->out);
	json_decref(in->report);
}

/* Foreign bytes in one line of UTF-8, of a length that can be read. */
static json_t *printable(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));

static json_t *
printable(const char *fmt, va_list ap)
{
	char text[700];
	json_t *j;
	size_t n;

	(void)vsnprintf(text, sizeof(text), fmt, ap);
	for (char *p = text; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = ' ';
	/* vsnprintf may have cut a character in two. */
	n = strlen(text);
	for (int i = 0; i < 4 && n && !cx_utf8_valid(text, n); i++)
		n--;
	j = json_stringn(text, n);
	return j ? j : json_string("(not UTF-8)");
}

void
say(struct init *in, enum verdict v, const char *key, const json_t *at, const char *fmt, ...)
{
	json_t *entry;
	va_list ap;

	in->count[v]++;
	if (json_array_size(in->report) >= MAX_REPORT) {
		in->lost++;
		return;
	}
	va_start(ap, fmt);
	entry = json_pack("{s:s,s:s,s:o}", "verdict", verdicts[v], "key", key, "text", printable(fmt, ap));
	va_end(ap);
	(void)json_object_update(entry, (json_t *)at);
	(void)json_array_append_new(in->report, entry);
}

void
say_hint(struct init *in, const char *fmt, ...)
{
	size_t n = json_array_size(in->report);
	va_list ap;

	if (n == 0 || in->lost)
		return;
	va_start(ap, fmt);
	(void)json_object_set_new(json_array_get(in->report, n - 1), "hint", printable(fmt, ap));
	va_end(ap);
}

void
init_full(struct init *in, const json_t *at, const char *what)
{
	if (!in->full)
		say(in, DROPPED, "", at, "%s: the rest is not read", what);
	in->full = 1;
}

static void
print_entry(const json_t *e)
{
	const char *file = cx_json_str(e, "file"), *key = cx_json_strd(e, "key", ""), *hint = cx_json_str(e, "hint");

	(void)fprintf(stderr, "  %-8s ", cx_json_strd(e, "verdict", ""));
	if (file)
		(void)fprintf(stderr, "%s:%lld: ", file, cx_json_int(e, "line", 0));
	(void)fprintf(stderr, "%s%s%s\n", key, *key ? ": " : "", cx_json_strd(e, "text", ""));
	if (hint)
		(void)fprintf(stderr, "           hint: %s\n", hint);
}

void
report_print(const struct init *in, const char *target)
{
	size_t i;
	const json_t *e;

	(void)fprintf(stderr, "cx-init: %s -> %s\n", in->from, target);
	json_array_foreach (in->report, i, e)
		print_entry(e);
	if (in->lost)
		(void)fprintf(stderr, "  and %u more\n", in->lost);
	(void)fprintf(stderr, "cx-init: %u kept, %u changed, %u cannot be kept\n", in->count[KEPT], in->count[CHANGED],
		in->count[DROPPED]);
}
