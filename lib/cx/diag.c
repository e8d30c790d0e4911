#include <cx/diag.h>
#include <cx/json.h>
#include <cx/own.h>
#include <cx/proc.h>
#include <cx/yaml.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* An anchor that is merged in many places is wrong once. */
static int
known(const struct cx_diags *d, unsigned line, unsigned column, const char *text)
{
	size_t n = strlen(text);

	for (unsigned i = 0; line && i < d->n && i < CX_DIAG_MAX; i++) {
		const struct cx_err *e = &d->list[i].e;
		size_t len = strlen(e->text);

		if (e->line == line && e->column == column && len >= n && strcmp(e->text + len - n, text) == 0)
			return 1;
	}
	return 0;
}

/* Where a new one is kept, NULL for nowhere. */
static struct cx_diag *
room(struct cx_diags *d, int warning)
{
	if (d->n < CX_DIAG_MAX)
		return &d->list[d->n];
	/* An error takes the room of the last warning. */
	for (unsigned left = warning ? 0 : CX_DIAG_MAX; left > 0; left--)
		if (d->list[left - 1].warning)
			return &d->list[left - 1];
	return NULL;
}

static void add(struct cx_diags *d, int warning, unsigned line, unsigned column, const char *path, const char *fmt,
	va_list ap) __attribute__((format(printf, 6, 0)));

static void
add(struct cx_diags *d, int warning, unsigned line, unsigned column, const char *path, const char *fmt, va_list ap)
{
	struct cx_diag *g;
	char text[1024];

	(void)vsnprintf(text, sizeof(text), fmt, ap);
	d->last = NULL;
	if (known(d, line, column, text))
		return;
	g = room(d, warning);
	d->errors += !warning;
	d->warnings += warning;
	d->n++;
	if (!g)
		return;
	(void)cx_err_set(&g->e, CX_BAD, "%s%.300s%s%s", warning && !cx_json_wanted() ? "warning: " : "", path,
		*path ? ": " : "", text);
	(void)cx_err_at(&g->e, d->file, line, column);
	g->warning = warning;
	g->turn = d->n;
	d->last = g;
}

void
cx_diag_add(struct cx_diags *d, unsigned line, unsigned column, const char *path, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(d, 0, line, column, path, fmt, ap);
	va_end(ap);
}

void
cx_diag_warn(struct cx_diags *d, const struct cx_node *at, const char *path, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(d, 1, at->line, at->column, path, fmt, ap);
	va_end(ap);
}

void
cx_diag_hint(struct cx_diags *d, const char *fmt, ...)
{
	va_list ap;

	if (!d->last)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(d->last->e.hint, sizeof(d->last->e.hint), fmt, ap);
	va_end(ap);
}

static int
by_place(const void *a, const void *b)
{
	const struct cx_diag *g = a, *h = b;
	const struct cx_err *x = &g->e, *y = &h->e;

	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	if (x->column != y->column)
		return x->column < y->column ? -1 : 1;
	return g->turn < h->turn ? -1 : g->turn > h->turn;
}

/* The source line with a caret below its column; control bytes do not reach the terminal. */
static void
show_source(const char *text, size_t n, unsigned line, unsigned column)
{
	const char *p = text, *end = text + n;
	size_t len;

	for (unsigned l = 1; p < end && l < line; l++) {
		p = memchr(p, '\n', (size_t)(end - p));
		p = p ? p + 1 : end;
	}
	len = strcspn(p, "\r\n");
	if (p >= end || len > 200)
		return;
	(void)fprintf(stderr, "  %5u | ", line);
	for (size_t i = 0; i < len; i++)
		fputc((unsigned char)p[i] < 0x20 || p[i] == 0x7f ? ' ' : p[i], stderr);
	(void)fprintf(stderr, "\n        | %*s^\n", (int)(column ? column - 1 : 0), "");
}

static void
warn_json(const struct cx_err *e)
{
	CX_JSON json_t *j = json_pack("{s:i,s:{s:s,s:s,s:i,s:i}}", "v", 1, "warning", "text", e->text, "file", e->file,
		"line", (int)e->line, "column", (int)e->column);
	CX_FREE char *text = cx_json_text(j);

	(void)fprintf(stderr, "%s\n", text);
}

int
cx_diag_report(struct cx_diags *d, const char *prog, const char *text, size_t n, int strict)
{
	unsigned kept = d->n < CX_DIAG_MAX ? d->n : CX_DIAG_MAX;
	int source = isatty(2) && !cx_json_wanted();

	qsort(d->list, kept, sizeof(d->list[0]), by_place);
	for (unsigned i = 0; i < kept; i++) {
		struct cx_err *e = &d->list[i].e;

		if (d->quiet && d->list[i].warning)
			continue;
		if (d->list[i].warning && cx_json_wanted())
			warn_json(e);
		else
			(void)cx_err_report(e, prog);
		if (source && e->line)
			show_source(text, n, e->line, e->column);
	}
	if (d->n > kept && !cx_json_wanted())
		(void)fprintf(stderr, "%s: %s: and %u more\n", prog, d->file, d->n - kept);
	return d->errors || (strict && d->warnings) ? CX_BAD : 0;
}
