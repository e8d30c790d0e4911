/*
 * Findings about a manifest: each says file, line, column, path of the key,
 * what is wrong and what to do. Errors beyond DIAG_MAX are counted, not kept.
 */
#ifndef DIAG_H
#define DIAG_H

#include <cx/err.h>
#include <stddef.h>

#define DIAG_MAX 50

struct node;

struct diag {
	int warning;
	struct cx_err e;
};

struct diags {
	const char *file;
	struct diag list[DIAG_MAX];
	unsigned n, errors, warnings;
	int quiet; /* warnings are counted, not printed */
	int dropped; /* the last one was there already: its hint goes too */
};

/* An error at a place (line 0: none). `path` such as "services.web.port", or "". */
void diag_add(struct diags *d, unsigned line, unsigned column, const char *path, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
void diag_warn(struct diags *d, const struct node *at, const char *path, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* Says what to do about the last finding. */
void diag_hint(struct diags *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Prints all on stderr in the order of the file; on a terminal with the source line and a caret. Returns the exit
 * status: 100 when there are errors (or warnings, with strict). */
int diag_report(struct diags *d, const char *text, size_t n, int strict);

#endif
