/*
 * A growing byte buffer, always NUL-terminated behind its last byte. Growth
 * that cannot be had ends the program (exit 111): no caller can go on without
 * memory. Callers bound sizes that foreign input decides.
 *
 *	CX_BUF struct cx_buf b = {0};
 *	cx_buf_addf(&b, "%s/%d", name, n);
 */
#ifndef CX_BUF_H
#define CX_BUF_H

#include <stddef.h>

struct cx_err;

struct cx_buf {
	char *p; /* NULL until something was added */
	size_t n, cap;
};

#define CX_BUF __attribute__((cleanup(cx_buf_free)))

void cx_buf_free(struct cx_buf *b);
void cx_buf_add(struct cx_buf *b, const void *p, size_t n);
void cx_buf_adds(struct cx_buf *b, const char *s);
void cx_buf_addc(struct cx_buf *b, char c);
void cx_buf_addf(struct cx_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Makes room for n more bytes and returns where they go; add to b->n what was written. */
char *cx_buf_room(struct cx_buf *b, size_t n);
/* Drops the first n bytes. */
void cx_buf_eat(struct cx_buf *b, size_t n);
/* The text, never NULL. */
const char *cx_buf_str(const struct cx_buf *b);
/* Gives the text away (never NULL); the buffer is empty afterwards. */
char *cx_buf_take(struct cx_buf *b);
/* Reads fd to its end; more than max bytes is CX_BAD. `what` names it in errors. */
int cx_buf_read(struct cx_buf *b, int fd, size_t max, const char *what, struct cx_err *e);
/* Writes all of it, over short writes and EINTR. */
int cx_write_all(int fd, const void *p, size_t n, struct cx_err *e);

/* Allocation that cannot fail: the program ends with 111 instead. */
void *cx_alloc(size_t n);
char *cx_strdup(const char *s);
char *cx_strndup(const char *s, size_t n);
char *cx_fmt(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
