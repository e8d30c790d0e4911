#include <cx/buf.h>
#include <cx/err.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Noreturn void
no_memory(void)
{
	static const char msg[] = "cx: out of memory\n";

	(void)!write(2, msg, sizeof(msg) - 1);
	_exit(CX_SYS);
}

void *
cx_alloc(size_t n)
{
	void *p = calloc(1, n ? n : 1);

	if (!p)
		no_memory();
	return p;
}

char *
cx_strdup(const char *s)
{
	char *p = strdup(s);

	if (!p)
		no_memory();
	return p;
}

char *
cx_strndup(const char *s, size_t n)
{
	char *p = strndup(s, n);

	if (!p)
		no_memory();
	return p;
}

char *
cx_fmt(const char *fmt, ...)
{
	char *p;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&p, fmt, ap);
	va_end(ap);
	if (n < 0)
		no_memory();
	return p;
}

void
cx_buf_free(struct cx_buf *b)
{
	free(b->p);
	b->p = NULL;
	b->n = b->cap = 0;
}

char *
cx_buf_room(struct cx_buf *b, size_t n)
{
	size_t cap = b->cap ? b->cap : 256;
	char *p;

	if (n > SIZE_MAX / 4 || b->n > SIZE_MAX / 4)
		no_memory();
	while (cap < b->n + n + 1)
		cap *= 2;
	if (cap != b->cap) {
		p = realloc(b->p, cap);
		if (!p)
			no_memory();
		b->p = p;
		b->cap = cap;
	}
	return b->p + b->n;
}

void
cx_buf_add(struct cx_buf *b, const void *p, size_t n)
{
	char *to = cx_buf_room(b, n);

	if (n)
		memcpy(to, p, n);
	b->n += n;
	b->p[b->n] = '\0';
}

void
cx_buf_adds(struct cx_buf *b, const char *s)
{
	cx_buf_add(b, s, strlen(s));
}

void
cx_buf_addc(struct cx_buf *b, char c)
{
	cx_buf_add(b, &c, 1);
}

void
cx_buf_addf(struct cx_buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		no_memory();
	(void)cx_buf_room(b, (size_t)n);
	va_start(ap, fmt);
	(void)vsnprintf(b->p + b->n, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->n += (size_t)n;
}

void
cx_buf_eat(struct cx_buf *b, size_t n)
{
	if (n >= b->n) {
		b->n = 0;
	} else {
		memmove(b->p, b->p + n, b->n - n);
		b->n -= n;
	}
	if (b->p)
		b->p[b->n] = '\0';
}

const char *
cx_buf_str(const struct cx_buf *b)
{
	return b->p ? b->p : "";
}

char *
cx_buf_take(struct cx_buf *b)
{
	char *p;

	cx_buf_add(b, "", 0);
	p = b->p;
	b->p = NULL;
	b->n = b->cap = 0;
	return p;
}

int
cx_buf_read(struct cx_buf *b, int fd, size_t max, const char *what, struct cx_err *e)
{
	for (;;) {
		/* Small at first: most of what is read fits, and a large buffer costs its page faults. */
		size_t room = b->n ? 65536 : 8192;
		char *to = cx_buf_room(b, room);
		ssize_t n = read(fd, to, room);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return cx_err_sys(e, "read %s", what);
		b->n += (size_t)n;
		b->p[b->n] = '\0';
		if (n == 0)
			return 0;
		if (b->n > max)
			return cx_err_set(e, CX_BAD, "%s is larger than %zu bytes", what, max);
	}
}

int
cx_write_all(int fd, const void *p, size_t n, struct cx_err *e)
{
	const char *c = p;

	while (n) {
		ssize_t w = write(fd, c, n);

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return cx_err_sys(e, "write");
		c += w;
		n -= (size_t)w;
	}
	return 0;
}
