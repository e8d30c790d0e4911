/*
 * Findings about a YAML file: each says file, line, column, path of the key,
 * what is wrong and what to do. Those beyond CX_DIAG_MAX are counted, not kept;
 * an error takes the room of a warning.
 */
#ifndef CX_DIAG_H
#define CX_DIAG_H

#include <cx/err.h>
#include <stddef.h>

#define CX_DIAG_MAX 50

struct cx_node;

struct cx_diag {
	int warning;
	unsigned turn; /* which one it was: findings at one place keep their order */
	struct cx_err e;
};

struct cx_diags {
	const char *file;
	struct cx_diag list[CX_DIAG_MAX];
	unsigned n, errors, warnings;
	int quiet; /* warnings are counted, not printed */
	struct cx_diag *last; /* what a hint is about; NULL when it was not kept */
};

/* An error at a place (line 0: none). `path` such as "services.web.port", or "". */
void cx_diag_add(struct cx_diags *d, unsigned line, unsigned column, const char *path, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
void cx_diag_warn(struct cx_diags *d, const struct cx_node *at, const char *path, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* Says what to do about the last finding. */
void cx_diag_hint(struct cx_diags *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Prints all on stderr in the name of prog in the order of the file; on a terminal with the source line and a caret.
 * Returns the exit status: 100 when there are errors (or warnings, with strict). */
int cx_diag_report(struct cx_diags *d, const char *prog, const char *text, size_t n, int strict);

#endif
