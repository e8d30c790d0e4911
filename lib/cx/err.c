#include <cx/err.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int
cx_err_set(struct cx_err *e, enum cx_err_class cls, const char *fmt, ...)
{
	va_list ap;

	memset(e, 0, sizeof(*e));
	e->cls = cls;
	va_start(ap, fmt);
	(void)vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	return -1;
}

int
cx_err_sys(struct cx_err *e, const char *fmt, ...)
{
	int err = errno;
	size_t n;
	va_list ap;

	memset(e, 0, sizeof(*e));
	e->cls = CX_SYS;
	va_start(ap, fmt);
	(void)vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	n = strlen(e->text);
	(void)snprintf(e->text + n, sizeof(e->text) - n, ": %s", strerror(err));
	if (err == EACCES || err == EPERM)
		return cx_err_hint(e, "run it as the rack's owner, or with sudo");
	if (err == ENOSPC || err == EDQUOT)
		return cx_err_hint(e, "free some space (df -h shows where) and try again");
	return -1;
}

int
cx_err_hint(struct cx_err *e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(e->hint, sizeof(e->hint), fmt, ap);
	va_end(ap);
	return -1;
}

int
cx_err_at(struct cx_err *e, const char *file, unsigned line, unsigned column)
{
	(void)snprintf(e->file, sizeof(e->file), "%s", file);
	e->line = line;
	e->column = column;
	return -1;
}

int
cx_err_prefix(struct cx_err *e, const char *fmt, ...)
{
	char old[sizeof(e->text)];
	size_t n;
	va_list ap;

	memcpy(old, e->text, sizeof(old));
	va_start(ap, fmt);
	(void)vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	n = strlen(e->text);
	(void)snprintf(e->text + n, sizeof(e->text) - n, ": %s", old);
	return -1;
}

static void
put_json_string(FILE *f, const char *s)
{
	fputc('"', f);
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\')
			(void)fprintf(f, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			(void)fprintf(f, "\\u%04x", c);
		else
			fputc(c, f);
	}
	fputc('"', f);
}

/* Written by hand, since an error may be all that a program without jansson prints. */
static void
report_json(const struct cx_err *e)
{
	const char *cls = e->cls == CX_NO ? "no" : e->cls == CX_BAD ? "bad" : "sys";

	(void)fprintf(stderr, "{\"v\":1,\"error\":{\"class\":\"%s\",\"text\":", cls);
	put_json_string(stderr, e->text);
	if (e->file[0]) {
		fputs(",\"file\":", stderr);
		put_json_string(stderr, e->file);
	}
	if (e->line)
		(void)fprintf(stderr, ",\"line\":%u,\"column\":%u", e->line, e->column);
	if (e->hint[0]) {
		fputs(",\"hint\":", stderr);
		put_json_string(stderr, e->hint);
	}
	fputs("}}\n", stderr);
}

/* Foreign bytes may stand in an error text: no terminal escape leaves here. */
static void
put_clean(const char *s)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		fputc((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f ? '?' : c, stderr);
	}
}

int
cx_err_report(const struct cx_err *e, const char *prog)
{
	const char *json = getenv("CX_JSON");

	if (json && strcmp(json, "1") == 0) {
		report_json(e);
		return e->cls;
	}
	(void)fprintf(stderr, "%s: ", prog);
	if (e->file[0])
		put_clean(e->file);
	if (e->file[0] && e->line)
		(void)fprintf(stderr, ":%u:%u", e->line, e->column);
	if (e->file[0])
		fputs(": ", stderr);
	put_clean(e->text);
	fputc('\n', stderr);
	if (e->hint[0]) {
		fputs("  hint: ", stderr);
		put_clean(e->hint);
		fputc('\n', stderr);
	}
	return e->cls;
}

int
cx_out_close(struct cx_err *e)
{
	if (fflush(stdout) != 0 || ferror(stdout))
		return cx_err_sys(e, "write to standard output");
	return 0;
}
