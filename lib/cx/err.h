/*
 * One error object, last parameter of every fallible function, filled exactly
 * once through a constructor that returns -1. Its class is the exit status of
 * the program (cx(1), EXIT STATUS). Libraries return errors; main() prints one.
 *
 *	if (fd < 0)
 *		return cx_err_sys(e, "open %s", path);
 */
#ifndef CX_ERR_H
#define CX_ERR_H

enum cx_err_class {
	CX_NO = 1, /* it ran, and the answer is no */
	CX_BAD = 100, /* wrong input or usage; trying again cannot help */
	CX_SYS = 111, /* the system refused; trying again may help */
};

struct cx_err {
	enum cx_err_class cls;
	unsigned line, column; /* 1-based; 0 when there is none */
	char file[256];
	char text[1536];
	char hint[512];
};

/* Sets class and text; clears the rest. Returns -1. */
int cx_err_set(struct cx_err *e, enum cx_err_class cls, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* The same with class CX_SYS and ": strerror(errno)" appended; EACCES/EPERM get a hint. Returns -1. */
int cx_err_sys(struct cx_err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Adds what to do next to an error that is set. Returns -1. */
int cx_err_hint(struct cx_err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Says where in a file. Returns -1. */
int cx_err_at(struct cx_err *e, const char *file, unsigned line, unsigned column);
/* Puts "PREFIX: " before the text. Returns -1. */
int cx_err_prefix(struct cx_err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/*
 * Prints "PROG: file:line:column: text" and "  hint: ..." on stderr, or one
 * JSON object when CX_JSON=1 is in the environment. Returns the exit status.
 */
int cx_err_report(const struct cx_err *e, const char *prog);
/* Flushes stdout and checks it: a full disk must not look like success. 0, or -1 with e set. */
int cx_out_close(struct cx_err *e);

#endif
